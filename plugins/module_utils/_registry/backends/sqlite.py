# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A registry in one SQLite file, for the runs of one host."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import threading
import typing as t
from pathlib import Path

from ..._errors import RegistryUnavailable
from .interface import Collision
from .schema import VERSIONS
from .sqlite_file import (
    _check_file,
    _file,
    _is_wal,
    _needs_recovery,
    _not_a_registry,
    _synchronise_folder,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator, Sequence

    from .interface import Database, Place, Row, T, Transaction


def create_sqlite(path: str, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
    """Create a registry (file mode 0600, in a folder that is made with 0700). Returns False where a file is there already.

    :param fill: makes its tables, and what is in them.

    It appears under its name complete or not at all: it is made beside it and linked into place, which never replaces a file.
    """
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".registry-", suffix=".new", dir=folder)
        os.close(handle)
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {path} cannot be created ({error.strerror}: {folder})"
        ) from None
    try:
        _fill(draft, fill, timeout)
        os.link(draft, path)
        _synchronise_folder(folder)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {path} cannot be created ({error.strerror})"
        ) from None
    finally:
        os.unlink(draft)


def _fill(draft: str, fill: Callable[[Transaction], None], timeout: float) -> None:
    database = SqliteDatabase(draft, draft, write=True, timeout=timeout)
    try:
        with database.writing() as transaction:
            transaction.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            fill(transaction)
    finally:
        database.close()


# In the file's header (https://www.sqlite.org/fileformat.html, 1.3): says whose database this is.
APPLICATION_ID = 0x4E424449  # "NBDI"
# Without what SQLite keeps for itself, such as the statistics that ANALYZE makes.
_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"
# Seconds to wait for other processes with what must be written.
_PATIENCE = 60.0


class SqliteDatabase:
    """One SQLite file, open to read alone or to read and write. It never creates the file.

    At rest it has a rollback journal and not WAL, so that a look leaves no file beside it. A run that has many requests to send turns
    WAL on for as long as it lasts, as a commit then costs a quarter. EXTRA synchronisation: a commit survives a power loss from the
    moment it returns, in either mode (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """

    now = "((julianday('now') - 2440587.5) * 86400.0)"

    def __init__(self, path: str, location: str, *, write: bool, timeout: float) -> None:
        self.location = location
        self._path = path
        self._write = write
        self._timeout = timeout
        self._copied: object = None
        self._waits = timeout
        self._second: sqlite3.Connection | None = None
        self._second_lock = threading.Lock()
        with _translated(location):
            # What a killed run has left in a hurry, this one brings to rest.
            self._bulk = write and _is_wal(path)
            self._file = _file(path)
            self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        """Open the file; or to read alone, where a look would leave a trace, a private copy."""
        self._copied = None
        if self._write or not _needs_recovery(self._path):
            return _open_file(self._path, write=self._write, timeout=self._timeout)
        from .sqlite_snapshot import private_copy

        connection, self._copied = private_copy(self._path)
        return connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[_SqliteTransaction]:
        with _translated(self.location):
            self._follow()
        with self._transaction("BEGIN") as transaction:
            yield transaction

    def _follow(self) -> None:
        """Open the file again where what is open does not show its present state."""
        if not self._write and self._outdated():
            self._connection.close()
            self._connection = self._open()

    def _outdated(self) -> bool:
        """Tell whether what was copied has changed, or what was read in place can no longer be."""
        if self._copied is None:
            return _is_wal(self._path)
        from .sqlite_snapshot import traces

        return traces(self._path) != self._copied

    def _check_place(self, *, answer: bool = False) -> None:
        """Refuse to go on with a file that is no longer at its path: the next run would know nothing of what is written there.

        With a write-ahead log, SQLite itself does not notice. C(answer): whether what is written may be one to a request that was sent:
        that is not refused for a second name of the file.
        """
        found = _file(self._path)
        if not self._write or found == self._file:
            return
        if found is None or self._file is None or found[:2] != self._file[:2]:
            raise RegistryUnavailable(
                f"The registry {self.location} was removed, moved or replaced by another file while this run was at work"
            )
        if not answer:
            from .sqlite_file import check_links

            check_links(self._path, self.location)

    @contextlib.contextmanager
    def writing(self, *, must_commit: bool = False) -> Iterator[_SqliteTransaction]:
        self._check_place(answer=must_commit)
        self._wait_for_others(max(self._timeout, _PATIENCE) if must_commit else self._timeout)
        with self._transaction("BEGIN IMMEDIATE") as transaction:
            yield transaction

    def _wait_for_others(self, seconds: float) -> None:
        if seconds != self._waits:
            self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._waits = seconds

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        self._check_place()
        with _translated(self.location):
            self._follow()
            return self._connection.execute(sql, values).fetchall()

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row] | None:
        if self._second is None:
            return None
        self._check_place()
        # A query that begins while another one is open on the same connection would see no more than that one does.
        with self._second_lock, _translated(self.location):
            return self._second.execute(sql, values).fetchall()

    def retry(self, work: Callable[[], T]) -> T:
        return work()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[_SqliteTransaction]:
        with _translated(self.location):
            self._connection.execute(begin)
            try:
                yield _SqliteTransaction(self._connection)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def begin_bulk(self) -> None:
        self._bulk = True
        with contextlib.suppress(sqlite3.Error):
            ((mode,),) = self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
            if mode == "wal":
                # With a write-ahead log, whoever reads need not wait until a write is on the disk.
                self._second = _open_file(self._path, write=True, timeout=self._timeout)

    def strange_tables(self) -> bool:
        with self.reading() as transaction:
            return _schema_of(transaction.query(_SCHEMA)) != _expected_schema()

    def damage(self) -> str | None:
        with self.reading() as transaction:
            found = transaction.query("PRAGMA integrity_check(1)")
        return None if found == [("ok",)] else "its parts do not fit together"

    def unwritable(self, *, keeping: bool = False) -> str | None:
        for path in (self._path, os.path.dirname(self._path)):
            if not os.access(path, os.W_OK):
                return f"no permission to write {path}, or a read-only file system"
        return None

    def close(self) -> None:
        with _translated(self.location):
            if self._second is not None:
                self._second.close()
            if self._bulk:
                # Where another run is at work this fails, and is left to that one.
                with contextlib.suppress(sqlite3.Error):
                    self._wait_for_others(0)
                    self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            self._connection.close()


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._meta: dict[str, str] | None = None

    def query(self, sql: str, *values: t.Any) -> Sequence[tuple[t.Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, *values: t.Any) -> int:
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite3.IntegrityError:
            raise Collision from None

    def meta(self) -> dict[str, str]:
        if self._meta is None:
            self._meta = dict(self.query("SELECT name, value FROM meta"))
        return self._meta


def open_sqlite(location: str, *, write: bool, timeout: float) -> SqliteDatabase:
    """Open an existing registry and check that it is one.

    Raises C(NoRegistry) where there is none, C(RegistryUnavailable) where what is there is no registry, or damaged.
    """
    # SQLite keeps its journals beside the file itself, wherever a link leads to it from.
    path = os.path.realpath(location)
    _check_file(path, location)
    database = SqliteDatabase(path, location, write=write, timeout=timeout)
    try:
        _check_identity(database)
    except BaseException:
        database.close()
        raise
    return database


def _open_file(path: str, *, write: bool, timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{Path(path).as_uri()}?mode={'rw' if write else 'ro&readonly_shm=1'}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if write:
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA fullfsync = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_identity(database: SqliteDatabase) -> None:
    with database.reading() as transaction:
        ((application_id,),) = transaction.query("PRAGMA application_id")
        tables = {
            name
            for (name,) in transaction.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    if application_id != APPLICATION_ID or "meta" not in tables:
        raise _not_a_registry(database.location)


def _expected_schema() -> frozenset[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statements in VERSIONS:
            for statement in statements:
                connection.execute(statement)
        return _schema_of(connection.execute(_SCHEMA).fetchall())


def _schema_of(rows: Sequence[tuple[t.Any, ...]]) -> frozenset[tuple[str, str, str]]:
    return frozenset((str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in rows)


@contextlib.contextmanager
def _translated(location: str) -> Iterator[None]:
    """Raise SQLite's own errors, and the system's, as the registry's."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        from .sqlite_errors import translated

        raise translated(location, error) from None


class SqlitePlace:
    """A path at which a registry is, or may be made."""

    def __init__(self, location: str) -> None:
        self.location = location

    @property
    def now(self) -> str:
        return SqliteDatabase.now

    def open(self, *, write: bool, timeout: float) -> SqliteDatabase:
        return open_sqlite(self.location, write=write, timeout=timeout)

    def is_missing(self, *, timeout: float) -> bool:
        return not os.path.lexists(self.location)

    def uncreatable(self, *, timeout: float) -> str | None:
        from .sqlite_file import uncreatable

        return uncreatable(self.location)

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:

        return create_sqlite(self.location, fill, timeout=timeout)

    def tighten(self, *, apply: bool) -> bool:
        from .sqlite_file import tighten

        return tighten(self.location, apply=apply)

    def identity(self, *, timeout: float) -> object:
        found = os.stat(self.location)
        return found.st_dev, found.st_ino


if t.TYPE_CHECKING:  # pragma: no cover
    _database: type[Database] = SqliteDatabase
    _place: type[Place] = SqlitePlace
