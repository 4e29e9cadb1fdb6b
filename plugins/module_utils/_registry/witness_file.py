# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A file of the witness: which record has which number, one line for each change of that.

Processes append and rewrite it under a lock. A line that a killed process did not complete is not read, and the next one that appends takes it
away. C(did_registry) takes the file as C(src).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import io
import os
import re
import stat
import threading
import time
import typing as t
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from .._errors import InvalidParameter
from .._fields import identity

HEADER = b"did_number,record_id,confirmed_at,record_key,version\n"
_LINE = re.compile(rb"^(\+?\d*),(\d+),([\dTZ:-]*),([0-9a-f]+),(\d+)$", re.MULTILINE)
# More than a line has.
_LINE_LENGTH = 160
# Bytes that are read at a time where lines are only counted.
_CHUNK = 1 << 20
_LOCK_TIMEOUT, _LOCK_PAUSE = 30.0, 0.005
_LONGEST_NAME = 150
# Nothing but a file is opened: a pipe would block, and a link may lead anywhere.
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class WitnessError(Exception):
    """The witness cannot be used. The text says why."""


class Entry(t.NamedTuple):
    """A record that has got its id or its number. C(did_number): None where only the id is known.

    C(key), C(version): of the registry's record as it was left. The version rises with each write, so a registry that has the key with a lower
    version has lost this write, and one with the same or a higher version has not, whatever its clock says.
    """

    did_number: str | None
    record_id: int
    confirmed_at: str
    key: str
    version: int

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, None where only the id is known."""
        return None if self.did_number is None else identity(self.did_number)

    def line(self) -> bytes:
        """Return the entry as a line."""
        return f"{self.did_number or ''},{self.record_id},{self.confirmed_at},{self.key},{self.version}\n".encode()


def file_name(platform: str) -> str:
    """Return the name of a platform's file. No two platforms have the same one."""
    name = quote(platform, safe="")
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(platform.encode()).hexdigest()[:16]}"
    return f"{name}.csv"


def latest(entries: Iterable[Entry]) -> list[Entry]:
    """Return the last entry of each record and of each number, oldest first."""
    by_id: dict[int, Entry] = {}
    for entry in entries:
        before = by_id.pop(entry.record_id, None)
        # Two processes may have appended in another order than they wrote to the registry.
        is_older = before is not None and before.key == entry.key and before.version > entry.version
        by_id[entry.record_id] = t.cast("Entry", before) if is_older else entry
    numbered = [(entry.number, entry) for entry in by_id.values()]
    by_number = {number: entry.record_id for number, entry in numbered}
    return [
        entry
        for number, entry in numbered
        if number is None or by_number[number] == entry.record_id
    ]


def is_witness(path: str) -> bool:
    """Tell whether a path leads to a file of a witness, or to a copy of one."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(HEADER)) == HEADER
    except OSError:
        return False


def read_entries(path: str) -> list[Entry]:
    """Return the last entry of each record in a file that C(is_witness)."""
    try:
        return latest(WitnessFile(os.path.realpath(path)).entries())
    except (OSError, WitnessError):
        raise InvalidParameter(f"src: {path} cannot be read") from None


class WitnessFile:
    """One file. Its methods raise C(OSError) and C(WitnessError)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: int | None = None
        self._thread_lock = threading.Lock()

    # Reading

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, oldest first."""
        return _parse(self._read(0))

    def newest(self, count: int) -> list[Entry]:
        """Return the entries of so many of the last lines, of each record the last one. Reads only the end of the file."""
        lines = self._read(count * _LINE_LENGTH).splitlines(keepends=True)
        return latest(_parse(b"".join(lines[-count:])))

    def count(self) -> int:
        """Return how many lines there are without the header. Holds a part of the file at a time."""
        with self._open_to_read() as (file, _size):
            chunks = iter(functools.partial(file.read, _CHUNK), b"")
            return max(0, sum(chunk.count(b"\n") for chunk in chunks) - 1)

    def _read(self, at_most: int) -> bytes:
        """Return the lines at the end of the file, nothing where it is missing. C(at_most): bytes, 0 for all."""
        with self._open_to_read() as (file, size):
            start = max(0, size - at_most) if at_most else 0
            file.seek(start)
            data = file.read(size - start)
        if start:
            data = data.partition(b"\n")[2]
        return data[: data.rfind(b"\n") + 1]

    @contextlib.contextmanager
    def _open_to_read(self) -> Iterator[tuple[t.BinaryIO, int]]:
        """Open the file. Yields it with its size, or an empty one where it is missing."""
        try:
            file = os.open(self.path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            yield io.BytesIO(), 0
            return
        with open(file, "rb") as opened:
            size = _check_kind(file)
            _check_header(file, size)
            yield opened, size

    # Writing

    def append(self, entries: Iterable[Entry], *, sync: bool = False) -> None:
        """Append entries. They are in the file when this returns, and on the disk when it is closed, or at once (C(sync))."""
        data = b"".join(entry.line() for entry in entries)
        with self._thread_lock:
            file = self._lock()
            try:
                end = _complete_end(file)
                _write(file, data if end else HEADER + data, end)
                if sync:
                    os.fsync(file)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def rewrite(self, keep: Callable[[Entry], bool]) -> int:
        """Keep the last entry of each record, if it is to be kept. Returns the new size in bytes."""
        with self._thread_lock:
            file = self._lock()
            try:
                kept = [entry.line() for entry in latest(_parse(self._read(0))) if keep(entry)]
                data = HEADER + b"".join(kept)
                self._replace(data)
                return len(data)
            finally:
                self._close(file)

    def close(self) -> int:
        """Write what was appended to the disk. Returns the size in bytes, 0 where nothing was appended."""
        with self._thread_lock:
            if self._file is None:
                return 0
            try:
                os.fsync(self._file)
                return os.fstat(self._file).st_size
            finally:
                self._close(self._file)

    def _close(self, file: int) -> None:
        os.close(file)
        self._file = None

    def _replace(self, data: bytes) -> None:
        # The lock is on the file that is replaced: whoever waits for it opens the new one. So one process at a time has this draft.
        draft = f"{self.path}.new"
        try:
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
            with open(file, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(file)
            os.replace(draft, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
        sync_folder(os.path.dirname(self.path))

    def _lock(self) -> int:
        """Open the file that is at the path, and lock it against other processes."""
        while True:
            if self._file is None:
                self._file = self._open()
            lock(self._file)
            if self._is_at_path(self._file):
                return self._file
            self._close(self._file)

    def _open(self) -> int:
        make_folder(os.path.dirname(os.path.dirname(self.path)))
        make_folder(os.path.dirname(self.path))
        is_new = not os.path.lexists(self.path)
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _FLAGS, 0o600)
        try:
            _check_header(file, _check_kind(file))
            if is_new:
                sync_folder(os.path.dirname(self.path))
        except BaseException:
            os.close(file)
            raise
        return file

    def _is_at_path(self, file: int) -> bool:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(file))


def _parse(data: bytes) -> Iterator[Entry]:
    for number, record_id, at, key, version in _LINE.findall(data):
        yield Entry(
            number.decode() or None, int(record_id), at.decode(), key.decode(), int(version)
        )


def _check_kind(file: int) -> int:
    """Return the size of a file, or raise C(WitnessError) for what is none."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise WitnessError("what is there is no regular file")
    return found.st_size


def _check_header(file: int, size: int) -> None:
    """Raise C(WitnessError) for another program's file. A killed process may have left a part of the header."""
    found = os.pread(file, min(size, len(HEADER)), 0)
    if not HEADER.startswith(found):
        raise WitnessError("a file there is no part of a witness")


def _complete_end(file: int) -> int:
    """Return where to append, after a line that is not complete has been taken away; 0 where there is no complete header."""
    size = end = os.fstat(file).st_size
    while end and os.pread(file, 1, end - 1) != b"\n":
        start = max(0, end - _LINE_LENGTH)
        end = start + os.pread(file, end - start, start).rfind(b"\n") + 1
    if end != size:
        os.ftruncate(file, end)
    return end


def _write(file: int, data: bytes, end: int) -> None:
    """Append all of the data or nothing."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        os.ftruncate(file, end)
        raise


def lock(file: int, timeout: float = _LOCK_TIMEOUT) -> None:
    """Lock a file against other processes until it is closed or unlocked. Raises C(WitnessError) where one of them holds it for long.

    :param timeout: seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WitnessError("another process keeps it locked") from None
        time.sleep(_LOCK_PAUSE)


def make_folder(path: str) -> None:
    """Make a folder of this user alone, if it is missing."""
    if not os.path.isdir(path):
        os.makedirs(path, mode=0o700, exist_ok=True)


def sync_folder(path: str) -> None:
    """Make names in a folder durable, where the file system can do that."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(folder)
