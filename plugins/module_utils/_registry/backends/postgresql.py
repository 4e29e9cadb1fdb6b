# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A registry in a PostgreSQL database, for the runs of many hosts.

It works through a pooler in transaction mode: transactions are short, locks are on rows, and no state is kept in a session. Errors of
C(psycopg) do not leave this file; they are raised as the registry's.
"""

from __future__ import annotations

import contextlib
import functools
import time
import typing as t
from collections.abc import Callable, Iterator, Sequence

from ..._errors import DidError, RegistryBusy, RegistryMismatch, RegistryUnavailable
from .interface import (
    GUIDE,
    RESTORE,
    Backend,
    Collision,
    CommitUnknown,
    ConnectionLost,
    Database,
    NoRegistry,
    NoSuchTable,
    Row,
    T,
    TooManyConnections,
    Transaction,
)
from .postgresql_connection import (
    collect_warnings,
    connect,
    for_psycopg,
    is_broken,
    last_rows,
    load_psycopg,
)
from .postgresql_errors import describe, translate
from .schema import SCHEMA, Schema

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

    from .postgresql_catalogue import Catalogue

# The server, or a proxy in front of it, does not know whether a statement was completed.
_COMPLETION_UNKNOWN = "40003"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The settings end with the transaction. A runner that is frozen or cut off in the middle must not block the others for long, and a
# commit must be on disk when it returns, whatever the server's default is.
_BEGIN_WRITING = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT set_config('lock_timeout', '{milliseconds}', true),"
    " set_config('idle_in_transaction_session_timeout', '60000', true),"
    " CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    " THEN set_config('synchronous_commit', 'on', true) END"
)
# The table meta, and which tables the names lead to. With another search_path, or with temporary tables of a session that a pooler
# shares, they may not be those that were checked.
_META = (
    "SELECT name, value FROM meta UNION ALL SELECT NULL, concat_ws(' ', to_regclass('meta')::oid, to_regclass('platforms')::oid,"
    " to_regclass('records')::oid, to_regclass('numbers')::oid, to_regclass('history')::oid)"
)
# Also what these tables are: an ordinary permanent one is 'rp'. This takes longer, so it is asked once.
_META_AND_KINDS = (
    f"{_META} UNION ALL SELECT '', string_agg(DISTINCT concat(c.relkind, c.relpersistence, c.relnamespace), ' ')"
    " FROM (VALUES ('meta'), ('platforms'), ('records'), ('numbers'), ('history')) t (name)"
    " JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name)"
)
# One writer at a time, as with SQLite: each statement after this one sees all that was written before. The lock is on rows of a
# table that runs never change, so reading and the checks of foreign keys do not wait for it.
_ONE_WRITER = "; SELECT 1 FROM platforms ORDER BY name FOR NO KEY UPDATE; " + _META


class PostgresqlDatabase:
    """The registry in the first schema of the connection's search path. It connects when the first statement is run.

    A connection that broke is made anew for the next transaction, never for the rest of one.
    """

    now = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
    # Seconds to wait for other writers, and for the database itself, with what must be committed.
    must_commit_timeout = 60.0
    clock = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    connect = staticmethod(connect)

    def __init__(
        self, location: str, password: str | None, schema: Schema, *, timeout: float
    ) -> None:
        self.location = location
        self.schema = schema
        self._password = password
        self._timeout = timeout
        self._connection: psycopg.Connection[t.Any] | None = None
        self._registry_id: str | None = None
        self._table_ids: str | None = None
        self._is_writable = False
        self._outage_since: float | None = None
        # Since when the server has had no connection to give, and its first refusal.
        self._exhausted: tuple[float, TooManyConnections] | None = None

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        return _read_catalogue(self.query, self.schema)

    def bind(self) -> None:
        """Accept only the registry that is there now, whichever server a new connection leads to."""
        meta, table_ids = _split_meta(self.query(_META_AND_KINDS))
        kinds = meta.pop("").split()
        # Reading could not notice a table that loses what is written to it.
        if len(kinds) != 1 or not kinds[0].startswith("rp"):
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be used: {self.catalogue.why_not_ordinary()}. Nothing was sent"
            )
        self._registry_id, self._table_ids = meta.get("registry_id"), table_ids

    @contextlib.contextmanager
    def reading(self) -> Iterator[_PostgresqlTransaction]:
        with self._transaction(_BEGIN_READING) as transaction:
            yield transaction

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._run(lambda connection: connection.execute(for_psycopg(sql), values).fetchall())

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row] | None:
        return None  # a server has few connections to give

    @contextlib.contextmanager
    def writing(self, *, must_commit: bool = False) -> Iterator[_PostgresqlTransaction]:
        if self._is_check_due():
            self._check_writable(self.catalogue)
        timeout = max(self._timeout, self.must_commit_timeout) if must_commit else self._timeout
        with self._transaction(_begin_writing(timeout) + _ONE_WRITER) as transaction:
            if self._is_check_due():
                # The connection was made anew, and may lead to another server.
                self._check_writable(_read_catalogue(transaction.query, self.schema))
            yield transaction

    def _is_check_due(self) -> bool:
        return self._registry_id is not None and not self._is_writable

    def _check_writable(self, catalogue: Catalogue) -> None:
        reason = catalogue.why_not_writable()
        if reason:
            # Another server may be about to replace one that is read-only.
            kind = ConnectionLost if catalogue.why_read_only() else RegistryUnavailable
            raise kind(f"The registry {self.location} cannot be written ({reason})")
        self._is_writable = True

    @contextlib.contextmanager
    def creating(self) -> Iterator[_PostgresqlTransaction]:
        """Begin a transaction that writes where there is no registry yet."""
        with self._transaction(_begin_writing(self._timeout)) as transaction:
            yield transaction

    def retry(self, work: Callable[[], T]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                result = work()
                self._outage_since = None
                return result
            except (ConnectionLost, TooManyConnections, CommitUnknown, Collision) as failure:
                # All outcomes that arrive during one outage share its wait.
                self._outage_since = self._outage_since or self.clock()
                if self.clock() + pause > self._outage_since + self.must_commit_timeout:
                    if isinstance(failure, Collision):
                        raise RegistryBusy(
                            f"The registry {self.location} is written by others all the time. Try again later"
                        ) from None
                    raise
            # After a failover a new connection leads to another server.
            self.close()
            self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[_PostgresqlTransaction]:
        connection, rows = self._run(lambda connection: (connection, last_rows(connection, begin)))
        meta: dict[str, str] | None = None
        try:
            if begin.endswith(_META):
                meta = self._check_registry(rows)
            yield _PostgresqlTransaction(self.location, connection, meta)
            if begin != _BEGIN_READING:
                self._commit(connection)
        finally:
            self._roll_back(connection)

    def _commit(self, connection: psycopg.Connection[t.Any]) -> None:
        import psycopg

        try:
            with collect_warnings(connection) as warnings:
                status = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            is_unknown = error.sqlstate in (None, _COMPLETION_UNKNOWN)
            if not is_unknown and not is_broken(connection, error):
                raise translate(self.location, error) from None
            self.close()
            raise CommitUnknown(
                f"The registry {self.location} cannot be used: the connection broke during a commit, so it is not known whether that was"
                f" written ({describe(error)})"
            ) from None
        # The status is ROLLBACK, without an error, where a statement of the transaction had failed.
        if status != "COMMIT":
            raise RegistryUnavailable(
                f"The registry {self.location} did not keep a transaction that had failed"
            )
        if warnings:
            self.close()
            raise CommitUnknown(
                f"The registry {self.location} cannot be relied on: the server warned during a commit, so what was written may be lost if"
                " another server takes its place. A synchronous standby may be missing, or somebody cancelled the wait for it: see the"
                " server's log"
            )

    def _roll_back(self, connection: psycopg.Connection[t.Any]) -> None:
        import psycopg

        idle = psycopg.pq.TransactionStatus.IDLE
        if connection.closed or connection.info.transaction_status == idle:
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def _run(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Run a query, or what begins a transaction. Run it once more, on a new connection, where the present one is broken."""
        connection = self._connection
        if connection is not None:
            try:
                return statement(connection)
            except load_psycopg(self.location).Error as error:
                self._roll_back(connection)
                if not is_broken(connection, error):
                    raise translate(self.location, error) from None
        return self._run_on_new_connection(statement)

    def _run_on_new_connection(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Connect and run a statement. A run waits once for a server that has no connection to give, not in each transaction."""
        pause = _FIRST_PAUSE
        while True:
            self.close()
            try:
                result = self._connect_and_run(statement)
            except (TooManyConnections, ConnectionLost) as failure:
                if isinstance(failure, TooManyConnections):
                    self._exhausted = self._exhausted or (self.clock(), failure)
                if self._exhausted is None:
                    raise
                # After a refusal, a pooler may give no reason for a while.
                since, refusal = self._exhausted
                if self.clock() + pause > since + self._timeout:
                    raise refusal from None
                self.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._exhausted = None
                return result

    def _connect_and_run(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        connection = self._connection = self.connect(self.location, self._password)
        try:
            if self._registry_id is not None:
                self._check_registry(last_rows(connection, _META))
            return statement(connection)
        except load_psycopg(self.location).Error as error:
            self._roll_back(connection)
            raise translate(self.location, error) from None

    def _check_registry(self, rows: Sequence[Row]) -> dict[str, str]:
        """Return the table C(meta) from the rows of C(_META), if it is that of the registry that was opened."""
        meta, table_ids = _split_meta(rows)
        found = (meta.get("registry_id"), table_ids)
        if self._registry_id is not None and found != (self._registry_id, self._table_ids):
            self.close()
            raise RegistryMismatch(
                f"The registry {self.location} is another one than a moment ago, or in other tables: its address, a pooler or search_path"
                f" leads elsewhere. It had the id {self._registry_id}. {GUIDE}"
            )
        return meta

    def begin_bulk(self) -> None:
        pass  # no mode makes a commit cheaper

    def has_unexpected_schema(self) -> bool:
        return False  # the check is slow, so it comes before the first write

    def why_damaged(self) -> str | None:
        return None  # the server itself verifies its files

    def why_not_writable(self, *, as_owner: bool = False) -> str | None:
        catalogue = self.catalogue
        return catalogue.why_not_writable_as_owner() if as_owner else catalogue.why_not_writable()

    def close(self) -> None:
        # The next connection may lead to another server, which is checked before the first write.
        self._is_writable = False
        self.__dict__.pop("catalogue", None)
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _PostgresqlTransaction:
    def __init__(
        self, location: str, connection: psycopg.Connection[t.Any], meta: dict[str, str] | None
    ) -> None:
        self._location = location
        self._connection = connection
        self._meta = meta

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._execute(sql, values).fetchall()

    def execute(self, sql: str, *values: t.Any) -> int:
        return self._execute(sql, values).rowcount

    def meta(self) -> dict[str, str]:
        if self._meta is None:
            self._meta, _table_ids = _split_meta(self.query(_META))
        return self._meta

    def _execute(self, sql: str, values: Sequence[t.Any]) -> psycopg.Cursor[t.Any]:
        import psycopg

        try:
            return self._connection.execute(for_psycopg(sql), values)
        except psycopg.Error as error:
            raise translate(self._location, error) from None


class PostgresqlBackend:
    """Opens or creates the registry in one schema of a database."""

    def __init__(self, location: str, password: str | None, schema: Schema = SCHEMA) -> None:
        self.location = location
        self.schema = schema
        self._password = password

    def _database(self, timeout: float) -> PostgresqlDatabase:
        return PostgresqlDatabase(self.location, self._password, self.schema, timeout=timeout)

    @property
    def now(self) -> str:
        return PostgresqlDatabase.now

    def open(self, *, write: bool, timeout: float) -> PostgresqlDatabase:
        database = self._database(timeout)
        try:
            database.bind()
        except NoSuchTable:
            database.close()
            raise self._not_found(timeout) from None
        except BaseException:
            database.close()
            raise
        return database

    def _not_found(self, timeout: float) -> DidError:
        if self.is_missing(timeout=timeout):
            return NoRegistry(f"There is no registry at {self.location}")
        return RegistryUnavailable(
            f"{self.location} is not a registry of nextbilling.did, or it is damaged. Nothing was written and nothing was sent."
            f" Name the right database, and see that search_path leads to the registry's schema. If it is damaged: {RESTORE}"
        )

    def is_missing(self, *, timeout: float) -> bool:
        with contextlib.closing(self._database(timeout)) as database:
            return not database.catalogue.names("table")

    def why_not_creatable(self, *, timeout: float) -> str | None:
        with contextlib.closing(self._database(timeout)) as database:
            return database.catalogue.why_not_creatable()

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        with contextlib.closing(self._database(timeout)) as database:
            try:
                with database.creating() as transaction:
                    fill(transaction)
            except Collision:
                return False
            return True

    def restrict_permissions(self, *, apply: bool) -> bool:
        return False  # roles and grants are the administrator's

    def identity(self, *, timeout: float) -> object:
        with contextlib.closing(self._database(timeout)) as database:
            ((started, name, table_id),) = database.query(
                "SELECT pg_postmaster_start_time(), current_database()::text, 'meta'::regclass::oid"
            )
            return started, name, table_id


def _read_catalogue(query: Callable[[str], Sequence[Row]], schema: Schema) -> Catalogue:
    # A run with nothing to do does not need it, nor sqlite3, which it imports.
    from .postgresql_catalogue import CATALOGUE, Catalogue

    return Catalogue(query(CATALOGUE), schema)


def _split_meta(rows: Sequence[Row]) -> tuple[dict[str, str], str | None]:
    """Return the table C(meta), and the ids of the tables, from the rows of C(_META)."""
    meta: dict[str | None, str] = dict(rows)
    table_ids = meta.pop(None, None)
    return t.cast("dict[str, str]", meta), table_ids


def _begin_writing(timeout: float) -> str:
    # 0 would mean no timeout.
    return _BEGIN_WRITING.format(milliseconds=max(1, int(timeout * 1000)))


if t.TYPE_CHECKING:  # pragma: no cover
    _database: type[Database] = PostgresqlDatabase
    _backend: type[Backend] = PostgresqlBackend
