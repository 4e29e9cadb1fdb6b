# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The file of a registry in SQLite: what it must be, and where it may be."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
from pathlib import Path

from ..._errors import RegistryUnavailable
from .interface import RESTORE, NoRegistry

_HEADER = 100
_MAGIC = b"SQLite format 3\0"
_PROC = "/proc/self"
_GUIDE = "See 'One file, one path' in the guide 'From one machine to many'"
_WHY = (
    "SQLite keeps its locks and its journals beside the path by which it was opened, so runs under two paths would not see each other, and"
    " DIDs would be created twice. Nothing was written and nothing was sent"
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_id(path: str) -> tuple[int, int, int] | None:
    """Return device, inode and number of names of the file at a path; or None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_nlink


def needs_recovery(path: str) -> bool:
    """Tell whether reading the file would make SQLite write: after a crash (hot journal), or in WAL mode.

    A journal is there also while another run commits. It is hot if it stays: its owner finishes within moments.
    """
    if is_wal(path):
        return True
    return _has_content(path + "-journal") and not _is_readable_in_place(path)


def is_wal(path: str) -> bool:
    """Tell whether a database has a write-ahead log (https://www.sqlite.org/fileformat.html, 1.3.3)."""
    with open(path, "rb") as handle:
        return handle.read(19)[18:] == b"\2"


def _is_readable_in_place(path: str) -> bool:
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


def _mount_id(path: str, proc: str) -> bytes | None:
    """Return the kernel's id of the mount that a path is on, or None where the kernel does not give it.

    A device's number says less: files of one disk have the same one wherever they are mounted, and on an overlay (the root of a container)
    a file and its folder may differ in it. C(O_PATH) opens nothing: closing it releases no lock that SQLite holds on the file.
    """
    if not hasattr(os, "O_PATH"):
        return None
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        with open(f"{proc}/fdinfo/{descriptor}", "rb") as lines:
            return b"".join(line for line in lines if line.startswith(b"mnt_id:")) or None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def check_file(path: str, location: str, *, proc: str = _PROC) -> None:
    """Raise C(NoRegistry) or C(RegistryUnavailable) unless the file may be a registry.

    :param path: the file itself, to which links in the location lead.
    :param proc: the folder in which the kernel tells of mounts: the one that an open file is on, or else all.
    """
    try:
        _check_path(path, location, proc)
        with open(path, "rb") as handle:
            header = handle.read(_HEADER)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(location):
            raise RegistryUnavailable(
                f"The registry {location} is a link to {path}, and there is nothing. Is its file system not mounted?"
            ) from None
        raise NoRegistry(f"There is no registry at {location}") from None
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {location} cannot be read ({error.strerror})"
        ) from None
    if not header.startswith(_MAGIC):
        raise not_a_registry(location)


def _check_path(path: str, location: str, proc: str) -> None:
    """Refuse a file that two paths lead to, and what is no file. This comes before it is opened, as opening a FIFO would block."""
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise RegistryUnavailable(
            f"The registry {location} is not a file, but {kind}. Nothing was written and nothing was sent. Name the file"
        )
    if found.st_nlink > 1:
        check_links(path, location)
    folder = _mount_id(os.path.dirname(path), proc)

    def is_mount(name: str) -> bool:
        return _is_listed(name, proc) if folder is None else _mount_id(name, proc) != folder

    if is_mount(path):
        raise RegistryUnavailable(
            f"The registry {location} is mounted as a single file. {_WHY}. Mount the folder that holds it, never the file: docker run -v"
            f" /srv/registry:/data, not -v /srv/registry/registry.db:/data/registry.db. {_GUIDE}"
        )
    for name in (path + "-journal", path + "-wal", path + "-shm"):
        with contextlib.suppress(FileNotFoundError):
            found = os.lstat(name)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or is_mount(name):
                raise RegistryUnavailable(
                    f"The registry {location} cannot be used: {name} beside it is SQLite's own, and it is a link, a mount point or no"
                    f" file. {_WHY}. {_GUIDE}"
                )


def check_links(path: str, location: str) -> None:
    """Raise C(RegistryUnavailable) for a file that has two names. A draft's name does not count."""
    drafts = _count_drafts(os.path.dirname(path), os.stat(path).st_ino)
    # The names are counted after the drafts: a draft that is removed in between is not taken for a second name.
    if os.stat(path).st_nlink - drafts > 1:
        raise RegistryUnavailable(
            f"The registry {location} is one file under several names (hard links, as cp -al or rsnapshot make them for a backup). {_WHY}."
            f" With nothing running, make it a file of its own, then delete what the other names lead to: cp -p {path} {path}.new && mv"
            f" {path}.new {path}. {_GUIDE}"
        )


def _count_drafts(folder: str, inode: int) -> int:
    with os.scandir(folder) as entries:
        return sum(
            entry.name.startswith(".registry-")
            and entry.name.endswith(".new")
            and entry.inode() == inode
            for entry in entries
        )


def _is_listed(path: str, proc: str) -> bool:
    """Tell whether a path is a mount point by the list of mounts, or by its device where there is no such list."""
    try:
        with open(f"{proc}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            # https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
            return any(_decode_octal(line.split(" ")[4]) == path for line in mounts)
    except OSError:
        return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev


def _decode_octal(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def not_a_registry(path: str) -> RegistryUnavailable:
    """Return the error for a file that is another application's, or damaged."""
    return RegistryUnavailable(
        f"{path} is not a registry of nextbilling.did, or it is damaged. Nothing was written and nothing was sent. Name the right path. If"
        f" it is damaged: {RESTORE}"
    )
