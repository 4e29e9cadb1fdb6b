# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The file of a registry in SQLite: what it must be, and where it may lie."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
import typing as t
from pathlib import Path

from ..._errors import RegistryUnavailable
from .interface import RESTORE, NoRegistry

if t.TYPE_CHECKING:  # pragma: no cover
    pass


def uncreatable(path: str) -> str | None:
    """Return why a registry cannot be created, or None, without creating anything."""
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write {folder}, or a read-only file system"
    limit = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(part)) > limit for part in path.split(os.sep)):
        return "a name in its path is too long"
    return None


def _synchronise_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tighten(path: str, *, apply: bool) -> bool:
    """Take every permission but the owner's from the file. Returns whether there is, or was, something to take."""
    loose = stat.S_IMODE(os.stat(path).st_mode) & 0o077 != 0
    if loose and apply:
        os.chmod(path, 0o600)
    return loose


_HEADER = 100
_MAGIC = b"SQLite format 3\0"


def _file(path: str) -> tuple[int, int, int] | None:
    """Return what tells a file from another one at the same path, and how many names it has; or None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_nlink


def _needs_recovery(path: str) -> bool:
    """Tell whether reading the file would make SQLite write: after a crash (hot journal), or in WAL mode.

    A journal is there also while another run commits. It is hot if it stays: its owner finishes within moments.
    """
    if _is_wal(path):
        return True
    return _has_content(path + "-journal") and not _readable_in_place(path)


def _is_wal(path: str) -> bool:
    """Tell whether a database has a write-ahead log (https://www.sqlite.org/fileformat.html, 1.3.3)."""
    with open(path, "rb") as handle:
        return handle.read(19)[18:] == b"\2"


def _readable_in_place(path: str) -> bool:
    connection = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


def _has_content(path: str) -> bool:
    try:
        return os.path.getsize(path) > 0
    except OSError:
        return False


def _check_file(path: str, location: str) -> None:
    try:
        _check_path(path, location)
        with open(path, "rb") as handle:
            header = handle.read(_HEADER)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(location):
            raise RegistryUnavailable(
                f"The registry {location} is a link to {path}, and there is nothing. Is what holds it not mounted?"
            ) from None
        raise NoRegistry(f"There is no registry at {location}") from None
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {location} cannot be read ({error.strerror})"
        ) from None
    if not header.startswith(_MAGIC):
        raise _not_a_registry(location)


def _check_path(path: str, location: str) -> None:
    """Refuse a file that could be reached by two paths, and what is no file: before it is opened, as a FIFO would block."""
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:

        check_kind(found.st_mode, location)
        check_links(path, location)
    folder = _mount(os.path.dirname(path))
    if _is_mount(path, folder):

        raise mounted_alone(location)
    for name in (path + "-journal", path + "-wal", path + "-shm"):
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(name)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or _is_mount(name, folder):

                raise beside(location, name)


def _is_mount(path: str, folder: bytes | None) -> bool:
    """Tell whether a file is itself a mount point. C(folder): the mount that its folder is on, None where the kernel does not tell."""
    if folder is not None:
        return _mount(path) != folder

    return is_listed_mount(path)


def _mount(path: str) -> bytes | None:
    """Return the kernel's id of the mount that a path is on, or None where it does not tell.

    A device's number says less: files of one disk have the same one wherever they are mounted, and on an overlay (the root of a container)
    a file and its folder may differ in it. C(O_PATH) opens nothing: closing it releases no lock that SQLite holds on the file.
    """
    if not hasattr(os, "O_PATH"):
        return None
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as told:
            return next((line for line in told if line.startswith(b"mnt_id:")), None)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _not_a_registry(path: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"{path} is not a registry of nextbilling.did, or it is damaged. Nothing was written and nothing was sent. Name the right path. If"
        f" it is damaged: {RESTORE}"
    )


GUIDE = "See 'One file, one path' in the guide 'From one machine to many'"


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
