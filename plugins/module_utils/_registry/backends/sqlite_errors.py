# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Translates SQLite's errors to the registry's. SQLite's own text may hold anything, so it is not shown."""

from __future__ import annotations

import os

from ..._errors import DidError, RegistryBusy, RegistryUnavailable
from .interface import RESTORE

_DAMAGED = "it is damaged"
# By the name of the code (https://www.sqlite.org/rescode.html). Before Python 3.11 an error has none; there a part of the message stands
# for the code (sqlite3ErrStr).
_DESCRIPTIONS = (
    ("SQLITE_FULL", "is full", "the disk is full: free space there, then run again"),
    (
        "SQLITE_READONLY",
        "readonly database",
        "it cannot be written: no permission for the file or its folder, or a read-only file system",
    ),
    (
        "SQLITE_CANTOPEN",
        "unable to open",
        "it cannot be opened: no permission for the file or its folder, or something else has the name of a journal (-journal, -wal, -shm)",
    ),
    (
        "SQLITE_IOERR",
        "I/O error",
        "the disk, or the file system on it, reports an error: see the system's log",
    ),
    ("SQLITE_CORRUPT", "malformed", _DAMAGED),
    ("SQLITE_NOTADB", "not a database", _DAMAGED),
    ("SQLITE_ERROR", "no such table", f"{_DAMAGED}: a table is missing"),
    ("SQLITE_ERROR", "no such column", f"{_DAMAGED}: a table lacks a column"),
    ("SQLITE_PROTOCOL", "locking protocol", "its file system does not keep locks: see the guide"),
    ("SQLITE_NOLFS", "large file support", "its file system takes no file as large as this"),
    ("SQLITE_PERM", "access permission denied", "no permission for the file"),
    ("SQLITE_NOMEM", "out of memory", "there is not enough memory"),
)


def translate(location: str, error: Exception) -> DidError:
    """Return the registry's error for one of SQLite or of the operating system."""
    if isinstance(error, OSError):
        # The system's text for the number: the error's own may hold anything.
        reason = os.strerror(error.errno) if error.errno else "an error of the system"
        return RegistryUnavailable(f"The registry {location} cannot be read ({reason})")
    name: str = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in str(error):
        return RegistryBusy(
            f"The registry {location} is locked by another process for too long. Try again later"
        )
    description = _describe(name, str(error))
    step = f". To go on, {RESTORE}" if description.startswith(_DAMAGED) else ""
    return RegistryUnavailable(f"The registry {location} cannot be used ({description}){step}")


def _describe(name: str, text: str) -> str:
    for code, part, description in _DESCRIPTIONS:
        if part in text or (code != "SQLITE_ERROR" and name.startswith(code)):
            return description
    return f"SQLite reports {name or 'an error'}"
