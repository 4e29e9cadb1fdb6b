# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What failures of SQLite are to the registry, and which files cannot be one. SQLite's own words may hold anything, and are not shown."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from .._errors import RegistryBusy, RegistryUnavailable
from ._place import RESTORE

if t.TYPE_CHECKING:  # pragma: no cover
    from .._errors import DidError

GUIDE = "See 'One file, one path' in the guide 'From one machine to many'"
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


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_WHY = (
    "SQLite keeps its locks and its journals beside the path by which it was opened, so runs under two paths would not see each other, and"
    " DIDs would be created twice. Nothing was written and nothing was sent"
)


_MOUNTS = "/proc/self/mountinfo"


def check_kind(mode: int, location: str) -> None:
    """Raise C(RegistryUnavailable) for what is no regular file."""
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise RegistryUnavailable(
            f"The registry {location} is not a file, but {kind}. Nothing was written and nothing was sent. Name the file"
        )


def check_links(path: str, location: str) -> None:
    """Raise C(RegistryUnavailable) for a file that has two names. One that is being created has them for a moment, and counts as one."""
    folder = os.path.dirname(path)
    drafts = _drafts(folder, os.stat(path).st_ino)
    # A draft that is gone by now is not counted any more, nor was it looked up in vain.
    if os.stat(path).st_nlink - drafts > 1:
        raise RegistryUnavailable(
            f"The registry {location} is one file under several names (hard links, as cp -al or rsnapshot make them for a backup). {_WHY}."
            f" With nothing running, make it a file of its own, then delete what the other names lead to: cp -p {path} {path}.new && mv"
            f" {path}.new {path}. {GUIDE}"
        )


def _drafts(folder: str, inode: int) -> int:
    with os.scandir(folder) as entries:
        return sum(
            entry.name.startswith(".registry-")
            and entry.name.endswith(".new")
            and entry.inode() == inode
            for entry in entries
        )


def mounted_alone(location: str) -> RegistryUnavailable:
    """Return the error for a file that is itself a mount point."""
    return RegistryUnavailable(
        f"The registry {location} is mounted as a single file. {_WHY}. Mount the folder that holds it, never the file: docker run -v"
        f" /srv/registry:/data, not -v /srv/registry/registry.db:/data/registry.db. {GUIDE}"
    )


def beside(location: str, companion: str) -> RegistryUnavailable:
    """Return the error for a journal that is a link, a mount point, or no file."""
    return RegistryUnavailable(
        f"The registry {location} cannot be used: {companion} beside it is SQLite's own, and it is a link, a mount point or no file. {_WHY}."
        f" {GUIDE}"
    )


def is_listed_mount(path: str) -> bool:
    """Tell whether a path is a mount point by the list of mounts, or by its device where there is no such list."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
            # https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
            return any(_decoded(line.split(" ")[4]) == path for line in mounts)
    except OSError:
        return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev


def _decoded(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
