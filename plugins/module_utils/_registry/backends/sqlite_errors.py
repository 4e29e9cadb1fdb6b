# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What failures of SQLite are to the registry, and which files cannot be one. SQLite's own words may hold anything, and are not shown."""

from __future__ import annotations

import os
import typing as t

from ..._errors import RegistryBusy, RegistryUnavailable
from .interface import RESTORE

if t.TYPE_CHECKING:  # pragma: no cover
    from ..._errors import DidError

_DAMAGED = "it is damaged"
# By the name of the code (https://www.sqlite.org/rescode.html), or where Python does not tell it (before 3.11) by a part of the message that
# belongs to the code (sqlite3ErrStr).
_WORDS = (
    ("SQLITE_FULL", "is full", "the disk is full: free space there, then run again"),
    (
        "SQLITE_READONLY",
        "readonly database",
        "it cannot be written: no permission for the file or its folder, or a read-only file system",
    ),
    (
        "SQLITE_CANTOPEN",
        "unable to open",
        "it cannot be opened: no permission for the file or its folder, or a file beside it (-journal, -wal, -shm) is in the way",
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


def translated(location: str, error: Exception) -> DidError:
    """Return what a failure of SQLite, or of the operating system, is to the registry."""
    if isinstance(error, OSError):
        return RegistryUnavailable(f"The registry {location} cannot be read ({_reason(error)})")
    name: str = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in str(error):
        return RegistryBusy(
            f"The registry {location} is locked by another process for too long. Try again later"
        )
    words = _words(name, str(error))
    step = f". To go on, {RESTORE}" if words.startswith(_DAMAGED) else ""
    return RegistryUnavailable(f"The registry {location} cannot be used ({words}){step}")


def _words(name: str, text: str) -> str:
    for code, sign, words in _WORDS:
        if sign in text or (code != "SQLITE_ERROR" and name.startswith(code)):
            return words
    return f"SQLite reports {name or 'an error'}"


def _reason(error: OSError) -> str:
    """Return the system's words for an error's number."""
    return os.strerror(error.errno or 0) if error.errno else "an error of the system"
