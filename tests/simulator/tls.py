# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority of the simulator's own, and its certificate for the loopback names."""

from __future__ import annotations

import ssl
from pathlib import Path

NAMES = ("127.0.0.1", "::1", "localhost")


def make(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Write a fresh ``ca.pem`` into ``folder``; return the server's context and that file's path.

    ``host`` is the name or address under which clients come, one of the loopback ones.
    Raises ImportError if trustme is not installed, OSError if the folder cannot be written.
    """
    # Only here: a server without TLS neither needs it nor waits for its import.
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert(*dict.fromkeys((*NAMES, host)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    folder.mkdir(parents=True, exist_ok=True)
    ca_path = (folder / "ca.pem").absolute()
    authority.cert_pem.write_to_path(str(ca_path))
    return context, ca_path
