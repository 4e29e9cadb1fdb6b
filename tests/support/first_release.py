# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release 1.0.0, from its commit, for what is compared with it."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from .tarball import COLLECTION

_COMMIT = "b6c46c05170c5dcb77722007e279ade1c79e1b9e"


def extract(folder: Path) -> Path | None:
    """Extract its files below a folder, where Ansible finds the collection. Returns theirs, or None if the clone is not complete."""
    archive = folder / "first_release.tar"
    done = subprocess.run(
        ["git", "-C", str(COLLECTION), "archive", f"--output={archive}", _COMMIT],
        check=False,
        capture_output=True,
    )
    if done.returncode != 0:
        return None
    collection = folder / "ansible_collections" / "nextbilling" / "did"
    collection.mkdir(parents=True)
    with tarfile.open(archive) as content:
        content.extractall(collection, filter="data")
    return collection
