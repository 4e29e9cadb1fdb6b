# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a registry in SQLite that cannot be read where it lies without writing there."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path

from ..._errors import RegistryBusy
from .sqlite_recovery import recover

COMPANIONS = ("-journal", "-wal")
_ATTEMPTS, _PAUSE = 40, 0.05
# Seconds since the last write after which a further one is certain to show: clocks of file systems tick up to every 10 ms.
_REST = 0.02
_WAL_HEADER = 32

Traces = tuple[object, ...]
"""What tells whether a database has changed since."""


def private_copy(path: str) -> tuple[sqlite3.Connection, Traces]:
    """Return a copy of a registry that cannot be read where it lies without writing there, as it is after recovery.

    Beside it, what C(traces) said of the original. The copy is in memory. Before Python 3.11, it is in a file that has no name: it is gone
    when this process is, whatever ends it.
    """
    contents, found = _read_at_rest(path)
    recovered = recover(*contents)
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if hasattr(connection, "deserialize"):
        connection.deserialize(recovered)
        return connection, found
    connection.close()
    return _in_a_file(recovered), found


def _in_a_file(content: bytes) -> sqlite3.Connection:
    """Return a database with this content, in a temporary file. Its name goes before anything is written to it."""
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


def traces(path: str) -> Traces:
    """Return what tells whether a database, or a journal of it, has been written."""
    return tuple(_stat(path + suffix) for suffix in ("", *COMPANIONS))


def _read_at_rest(original: str) -> tuple[list[bytes], Traces]:
    """Return the contents of a database and its journals, read again if they changed meanwhile. Read locks are not taken.

    A write-ahead log only grows until the database itself is written, and a part of a transaction at its end does not count
    (https://www.sqlite.org/fileformat.html#the_write_ahead_log): while another run appends to it, any copy is a state that was.
    """
    for _attempt in range(_ATTEMPTS):
        before = _basis(original)
        if _at_rest(original):
            found = traces(original)
            contents = [_read(original + suffix) for suffix in ("", *COMPANIONS)]
            if before == _basis(original):
                return contents, found
        time.sleep(_PAUSE)
    raise RegistryBusy(
        f"The registry {original} is being written all the time: no copy of it could be read. Try again later"
    )


def _at_rest(original: str) -> bool:
    return time.time() - os.stat(original).st_mtime >= _REST


def _basis(original: str) -> Traces:
    """Return what must stay as it is while a copy is made: the database, its rollback journal, and which log it is that grows."""
    try:
        with open(original + "-wal", "rb") as handle:
            log = handle.read(_WAL_HEADER)
    except FileNotFoundError:
        log = b""
    return _stat(original), _stat(original + "-journal"), log


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return b""
