# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes the files of a review: all of them, each whole or not at all."""

from __future__ import annotations

import contextlib
import os
import typing as t
import uuid

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping


def write(folder: str, files: Mapping[str, str]) -> None:
    """Write files into a folder, which is made if it is missing. Raises C(OSError); then the old files are as they were.

    Each is written beside its place under a name of its own and then takes the place, so a reader never meets half a file.
    """
    os.makedirs(folder, exist_ok=True)
    parts: dict[str, str] = {}
    try:
        for name, text in files.items():
            part = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
            parts[name] = part
            _write_new(part, text)
        for name in files:
            os.replace(parts[name], os.path.join(folder, name))
            del parts[name]
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                os.unlink(part)


def _write_new(path: str, text: str) -> None:
    # The user's umask decides who may read it, as for any other report.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        # A disk that is full may say so only now.
        os.fsync(file.fileno())
