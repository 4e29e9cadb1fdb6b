# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a registry in SQLite that needs recovery, without writing to its folder."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ..._errors import RegistryBusy
from .sqlite_recovery import recover

JOURNALS = ("-journal", "-wal")
_ATTEMPTS, _PAUSE = 40, 0.05
# Seconds. A file written less than this ago may change without a new mtime: clocks of file systems tick every 10 ms at worst.
_CLOCK_TICK = 0.02
_WAL_HEADER = 32

State = tuple[object, ...]
"""A value that differs once the database, or a journal of it, has changed."""


def _read(path: str, size: int = -1) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read(size)
    except FileNotFoundError:
        return b""


def take_snapshot(
    path: str,
    *,
    read: Callable[[str], bytes] = _read,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[sqlite3.Connection, State]:
    """Return a copy of the registry as it is after recovery, and the state of the files that it was made from.

    The copy is in memory. Before Python 3.11, it is in a file that has no name: it is gone when this process is, whatever ends it.
    """
    contents, state = _read_consistently(path, read, sleep)
    recovered = recover(*contents)
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if hasattr(connection, "deserialize"):
        connection.deserialize(recovered)
        return connection, state
    connection.close()
    return open_unnamed_file(recovered), state


def open_unnamed_file(content: bytes) -> sqlite3.Connection:
    """Return a database with this content, in a temporary file. Its name is removed before anything is written to it."""
    handle, name = tempfile.mkstemp(prefix="nextbilling-did-")
    with os.fdopen(handle, "wb") as file:
        try:
            connection = sqlite3.connect(
                f"{Path(name).as_uri()}?mode=ro",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        finally:
            os.unlink(name)
        file.write(content)
    return connection


def file_state(path: str) -> State:
    """Return the state of a database and its journals."""
    return tuple(_stat(path + suffix) for suffix in ("", *JOURNALS))


def _read_consistently(
    path: str, read: Callable[[str], bytes], sleep: Callable[[float], None]
) -> tuple[list[bytes], State]:
    """Return the contents of a database and its journals. Read them again if they change meanwhile; no lock is taken.

    A write-ahead log only grows until the database itself is written, and a part of a transaction at its end does not count
    (https://www.sqlite.org/fileformat.html#the_write_ahead_log): while another run appends to it, any copy is a state that was.
    """
    for _attempt in range(_ATTEMPTS):
        before = _base_state(path)
        if time.time() - os.stat(path).st_mtime >= _CLOCK_TICK:
            state = file_state(path)
            contents = [read(path + suffix) for suffix in ("", *JOURNALS)]
            if before == _base_state(path):
                return contents, state
        sleep(_PAUSE)
    raise RegistryBusy(
        f"The registry {path} is being written all the time: no copy of it could be read. Try again later"
    )


def _base_state(path: str) -> State:
    """Return what must not change while a copy is made: the database, its rollback journal, and which write-ahead log it is."""
    return _stat(path), _stat(path + "-journal"), _read(path + "-wal", _WAL_HEADER)


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
