# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A registry in one SQLite file, for the runs of one host."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ..._errors import RegistryUnavailable
from .interface import (
    LONGEST_LIST,
    RESTORE,
    Backend,
    Collision,
    Database,
    Position,
    Row,
    ServerState,
    T,
    Transaction,
)
from .schema import SCHEMA, Schema, for_sqlite
from .sqlite_file import (
    check_file,
    check_links,
    file_id,
    is_wal,
    needs_recovery,
    not_a_registry,
    sync_folder,
)
from .sqlite_verification import Verification

if t.TYPE_CHECKING:  # pragma: no cover
    from .sqlite_snapshot import State

# In the file's header (https://www.sqlite.org/fileformat.html, 1.3): the application whose database this is.
APPLICATION_ID = 0x4E424449  # "NBDI"
# Without SQLite's own tables, such as the statistics that ANALYZE makes.
_DEFINITIONS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"


class SqliteDatabase:
    """One SQLite file, open to read, or to read and write. The file is never created here.

    Between runs the file has a rollback journal and no write-ahead log (WAL), so that a read-only run leaves no file beside it. A run
    that has many requests to send uses WAL while it lasts, as a commit then costs a quarter. EXTRA synchronisation: a commit survives
    a power loss from the moment it returns, in either mode (https://www.sqlite.org/pragma.html#pragma_synchronous).
    """

    reconnects = False
    longest_list = LONGEST_LIST
    now = "((julianday('now') - 2440587.5) * 86400.0)"
    # Seconds to wait for other writers with the outcome of a request.
    outcome_timeout = 60.0

    def __init__(
        self, path: str, location: str, schema: Schema, *, write: bool, timeout: float
    ) -> None:
        self.location = location
        self.schema = schema
        self._path = path
        self._write = write
        self._timeout = self._busy_timeout = timeout
        # What the file was when it was copied, None where it is read in place.
        self._snapshot: State | None = None
        with _translated(location):
            # A killed run may have left WAL on; this one turns it off at its end.
            self._bulk = write and is_wal(path)
            self._file_id = file_id(path)
            self._verification = Verification(path)
            try:
                self._connection = self._connect()
            except BaseException:
                self._verification.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        """Open the file; or, to read a file that needs recovery, a recovered copy in memory."""
        self._snapshot = None
        self._verification.forget()
        if self._write or not needs_recovery(self._path):
            return _open_file(self._path, write=self._write, timeout=self._timeout)
        from .sqlite_snapshot import take_snapshot

        connection, self._snapshot = take_snapshot(self._path)
        return connection

    @contextlib.contextmanager
    def reading(self, *, pipelined: bool = False) -> Iterator[_SqliteTransaction]:
        with _translated(self.location):
            self._reconnect_if_stale()
        with self._transaction("BEGIN") as transaction:
            yield transaction

    def _reconnect_if_stale(self) -> None:
        """To read: open the file again where the connection does not show its present state."""
        if not self._write and self._is_stale():
            self._connection.close()
            self._connection = self._connect()

    def _is_stale(self) -> bool:
        """Tell whether the file has changed since it was copied, or can no longer be read in place."""
        if self._snapshot is None:
            return is_wal(self._path)
        from .sqlite_snapshot import file_state

        return file_state(self._path) != self._snapshot

    def _check_same_file(self, *, records_outcome: bool = False) -> None:
        """Refuse to go on with a file that is no longer at its path: the next run would not see what is written there.

        With a write-ahead log, SQLite itself does not notice. The outcome of a request that was sent (C(records_outcome)) is recorded even
        where the file has got a second name.
        """
        found = file_id(self._path)
        if not self._write or found == self._file_id:
            return
        if found is None or self._file_id is None or found[:2] != self._file_id[:2]:
            raise RegistryUnavailable(
                f"The registry {self.location} was removed, moved or replaced by another file while this run was at work"
            )
        if not records_outcome:
            check_links(self._path, self.location)

    @contextlib.contextmanager
    def writing(
        self, *, records_outcome: bool = False, pipelined: bool = False
    ) -> Iterator[_SqliteTransaction]:
        self._check_same_file(records_outcome=records_outcome)
        longer = max(self._timeout, self.outcome_timeout)
        self._set_busy_timeout(longer if records_outcome else self._timeout)
        with self._transaction("BEGIN IMMEDIATE") as transaction:
            is_verified = self._verification.is_valid(transaction)
            before = self._connection.total_changes
            yield transaction
            if is_verified and self._connection.total_changes != before:
                self._verification.write_stamp(transaction)

    def _set_busy_timeout(self, seconds: float) -> None:
        if seconds != self._busy_timeout:
            self._connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            self._busy_timeout = seconds

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        self._check_same_file()
        with _translated(self.location):
            self._reconnect_if_stale()
            return self._connection.execute(sql, values).fetchall()

    @property
    def connections(self) -> int:
        return 1  # a file that takes the place of this one is refused

    def is_same_since(self, connections: int) -> bool:
        self._check_same_file()
        return True

    def retry(self, work: Callable[[], T], *, records_outcome: bool = False) -> T:
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
            self._set_journal_mode("wal")

    def _set_journal_mode(self, mode: str) -> bool:
        transaction = _SqliteTransaction(self._connection)
        is_verified = self._verification.is_valid(transaction)
        ((found,),) = self._connection.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        if is_verified:
            self._verification.keep(transaction)
        return bool(found == mode)

    def why_unexpected_schema(self, version: int) -> str | None:
        with self.reading() as transaction:
            found = _definitions(transaction.query(_DEFINITIONS))
        expected = _expected(self.schema.as_of(version))
        if expected < found:
            # A backup would lack the newest DIDs, and nothing has been lost here.
            added = ", ".join(f"the {kind} {name}" for kind, name, _sql in sorted(found - expected))
            return f"holds more than a registry: {added}. Nothing was sent. Drop what was added; a copy of the file can have it"
        if found != expected:
            return f"is damaged: its tables are not those of a registry. Nothing was sent. To go on, {RESTORE}"
        return None

    def is_verified(self) -> bool:
        """Tell whether nobody but this code has written since the file was last verified as a whole, and that is not long ago."""
        with self.reading() as transaction:
            return self._snapshot is None and self._verification.is_valid(transaction)

    def ensure_verified(self, verify: Callable[[], None]) -> None:
        if not self.is_verified():
            verify()
            self._verification.note()

    def why_damaged(self) -> str | None:
        with self.reading() as transaction:
            found = transaction.query("PRAGMA integrity_check(1)")
        return None if found == [("ok",)] else "its parts do not fit together"

    def why_not_writable(self, *, as_owner: bool = False) -> str | None:
        for path in (self._path, os.path.dirname(self._path)):
            if not os.access(path, os.W_OK):
                return f"no permission to write {path}, or a read-only file system"
        return None

    def server_state(self) -> ServerState | None:
        return None

    def read_position(self) -> Position | None:
        return None

    def last_position(self) -> Position | None:
        return None

    def close(self) -> None:
        with _translated(self.location):
            if self._bulk:
                # This fails while another run is at work, which then does the same at its end.
                with contextlib.suppress(sqlite3.Error):
                    self._set_busy_timeout(0)
                    if self._set_journal_mode("delete"):
                        self._leave_stamp()
            self._connection.close()
            self._verification.close()

    def _leave_stamp(self) -> None:
        """Leave a stamp, as no transaction could as long as the file had a write-ahead log."""
        self._connection.execute("BEGIN IMMEDIATE")
        transaction = _SqliteTransaction(self._connection)
        if self._verification.is_valid(transaction):
            self._verification.write_stamp(transaction)
        else:
            self._verification.remove_stamp(transaction)
        self._connection.execute("COMMIT")


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._meta: dict[str, str] | None = None

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, *values: t.Any) -> int:
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite3.IntegrityError:
            raise Collision from None

    def change_one(self, sql: str, *values: t.Any) -> bool:
        return self.execute(sql, *values) == 1

    def change_one_and_insert(
        self, sql: str, values: Sequence[t.Any], table: str, row: Mapping[str, t.Any]
    ) -> bool:
        changed = self.change_one(sql, *values)
        if changed:
            places = ", ".join("?" * len(row))
            insert = (
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) ON CONFLICT DO NOTHING"
            )
            self.execute(insert, *row.values())
        return changed

    def define(self, statement: str) -> None:
        self.execute(for_sqlite(statement))

    def meta(self) -> dict[str, str]:
        if self._meta is None:
            self._meta = dict(self.query("SELECT name, value FROM meta"))
        return self._meta


class SqliteBackend:
    """Opens or creates the registry at one path."""

    def __init__(self, location: str, schema: Schema = SCHEMA) -> None:
        self.location = location
        self.schema = schema

    @property
    def now(self) -> str:
        return SqliteDatabase.now

    def open(self, *, write: bool, timeout: float) -> SqliteDatabase:
        # SQLite keeps its journals beside the file itself, so links in the location are resolved.
        path = os.path.realpath(self.location)
        check_file(path, self.location)
        database = SqliteDatabase(path, self.location, self.schema, write=write, timeout=timeout)
        try:
            _check_application(database)
        except BaseException:
            database.close()
            raise
        return database

    def is_missing(self, *, timeout: float) -> bool:
        return not os.path.lexists(self.location)

    def why_not_creatable(self, *, timeout: float) -> str | None:
        folder = os.path.dirname(self.location)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder):
            return f"{folder} is not a folder"
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"no permission to write {folder}, or a read-only file system"
        limit = os.pathconf(folder, "PC_NAME_MAX")
        if any(len(os.fsencode(part)) > limit for part in self.location.split(os.sep)):
            return "a name in its path is too long"
        return None

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        """Create the file with mode 0600, in a folder that is made with 0700 where it is missing.

        The file appears under its name complete or not at all: a draft beside it is filled and then linked, which never replaces a file.
        """
        folder = os.path.dirname(self.location)
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            handle, draft = tempfile.mkstemp(prefix=".registry-", suffix=".new", dir=folder)
            os.close(handle)
        except OSError as error:
            raise self._not_created(f"{error.strerror}: {folder}") from None
        try:
            database = SqliteDatabase(draft, draft, self.schema, write=True, timeout=timeout)
            with contextlib.closing(database), database.writing() as transaction:
                transaction.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                fill(transaction)
            os.link(draft, self.location)
            sync_folder(folder)
            return True
        except FileExistsError:
            return False
        except OSError as error:
            raise self._not_created(str(error.strerror)) from None
        finally:
            os.unlink(draft)

    def _not_created(self, reason: str) -> RegistryUnavailable:
        return RegistryUnavailable(f"The registry {self.location} cannot be created ({reason})")

    def restrict_permissions(self, *, apply: bool) -> bool:
        others = os.stat(self.location).st_mode & 0o077 != 0
        if others and apply:
            os.chmod(self.location, 0o600)
        return others

    def identity(self, *, timeout: float) -> object:
        found = os.stat(self.location)
        return found.st_dev, found.st_ino


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


def _check_application(database: SqliteDatabase) -> None:
    """Raise C(RegistryUnavailable) where the file is another application's database."""
    with database.reading() as transaction:
        ((application_id,),) = transaction.query("PRAGMA application_id")
        has_meta = transaction.query(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
        )
    if application_id != APPLICATION_ID or not has_meta:
        raise not_a_registry(database.location)


@functools.cache
def _expected(schema: Schema) -> frozenset[Row]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.statements():
            connection.execute(for_sqlite(statement))
        return _definitions(connection.execute(_DEFINITIONS).fetchall())


def _definitions(rows: Sequence[Row]) -> frozenset[Row]:
    return frozenset((kind, name, " ".join(str(sql).split())) for kind, name, sql in rows)


@contextlib.contextmanager
def _translated(location: str) -> Iterator[None]:
    """Raise SQLite's errors, and the system's, as the registry's."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        from .sqlite_errors import translate

        raise translate(location, error) from None


if t.TYPE_CHECKING:  # pragma: no cover
    _database: type[Database] = SqliteDatabase
    _backend: type[Backend] = SqliteBackend
