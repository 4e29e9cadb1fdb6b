# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A registry in a PostgreSQL database, for the runs of many hosts.

It asks of the database no more than a pooler in transaction mode lets through: short transactions, row locks, no state of a
session. C(psycopg) is imported only when a connection is made; of its failures nothing crosses this file's border.
"""

from __future__ import annotations

import contextlib
import functools
import time
import typing as t

from ..._errors import RegistryBusy, RegistryMismatch, RegistryUnavailable
from .interface import (
    GUIDE,
    RESTORE,
    Collision,
    CommitUnknown,
    ConnectionLost,
    NoRegistry,
    NoSuchTable,
    TooManyConnections,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

    from ..._errors import DidError
    from .interface import Database, Place, Row, T, Transaction
    from .postgresql_catalogue import Catalogue

# A server, or a proxy before it, does not know whether a statement was completed.
_COMPLETION_UNKNOWN = "40003"
# Seconds to wait for other processes, and for the database itself, with what must be written.
_PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# What libpq is told where the URL says nothing else. A server that has silently gone is noticed within a minute.
_DEFAULTS = {
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "fallback_application_name": "nextbilling.did",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Its settings end with the transaction. A runner that is frozen or cut off in the middle must not hold the others up for long, and a
# commit must be on disk when it returns, whatever the server's default is.
_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT set_config('lock_timeout', '{milliseconds}', true),"
    " set_config('idle_in_transaction_session_timeout', '60000', true),"
    " CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    " THEN set_config('synchronous_commit', 'on', true) END"
)
# The registry's description, and beside it which tables the names lead to. With another search_path, or with temporary tables of a session that
# a pooler shares, they may not be those that were checked.
_META = (
    "SELECT name, value FROM meta UNION ALL SELECT NULL, concat_ws(' ', to_regclass('meta')::oid, to_regclass('platforms')::oid,"
    " to_regclass('records')::oid, to_regclass('numbers')::oid, to_regclass('history')::oid)"
)
# And what these tables are: an ordinary permanent one is 'rp'. This takes longer, so it is asked once.
_META_AND_KINDS = (
    f"{_META} UNION ALL SELECT '', string_agg(DISTINCT concat(c.relkind, c.relpersistence, c.relnamespace), ' ')"
    " FROM (VALUES ('meta'), ('platforms'), ('records'), ('numbers'), ('history')) t (name)"
    " JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name)"
)
# One writer at a time, as with SQLite: each statement after this one sees all that was written before. The lock is on rows of a
# table that runs never change, so reading and the checks of foreign keys do not wait for it.
_ONE_WRITER = "; SELECT 1 FROM platforms ORDER BY name FOR NO KEY UPDATE; " + _META


class PostgresqlDatabase:
    """The registry in the schema that comes first in the connection's search path. Connects when something is asked.

    A connection that broke is made anew for the next transaction, never for the rest of one.
    """

    now = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"

    def __init__(self, location: str, password: str | None, timeout: float) -> None:
        self.location = location
        self._password = password
        self._timeout = timeout
        self._connection: psycopg.Connection[t.Any] | None = None
        self._registry_id: str | None = None
        self._tables: str | None = None
        self._may_write = False
        self._outage_since: float | None = None
        self._crowded: tuple[float, TooManyConnections] | None = None

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        return _catalogue(self.query)

    def bind(self) -> None:
        """From here on, accept no other registry than the one that is there now, wherever a new connection leads."""
        meta, tables = _described(self.query(_META_AND_KINDS))
        kinds = meta.pop("").split()
        # What only a write could meet is looked at before one.
        if len(kinds) != 1 or not kinds[0].startswith("rp"):
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be used: {self.catalogue.not_ordinary()}. Nothing was sent"
            )
        self._registry_id, self._tables = meta.get("registry_id"), tables

    @contextlib.contextmanager
    def reading(self) -> Iterator[_PostgresqlTransaction]:
        with self._transaction(_READ) as transaction:
            yield transaction

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._at_rest(
            lambda connection: connection.execute(_for_psycopg(sql), values).fetchall()
        )

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row] | None:
        return None  # a server has few connections to give

    @contextlib.contextmanager
    def writing(self, *, must_commit: bool = False) -> Iterator[_PostgresqlTransaction]:
        if self._is_to_be_checked():
            self._check_writable(self.catalogue)
        timeout = max(self._timeout, _PATIENCE) if must_commit else self._timeout
        with self._transaction(_for_writing(timeout) + _ONE_WRITER) as transaction:
            if self._is_to_be_checked():
                # The connection was made anew, and may lead to another server.
                self._check_writable(_catalogue(transaction.query))
            yield transaction

    def _is_to_be_checked(self) -> bool:
        return self._registry_id is not None and not self._may_write

    def _check_writable(self, catalogue: Catalogue) -> None:
        reason = catalogue.unwritable()
        if reason:
            # A server that is read-only may be one that another one is about to replace.
            kind = ConnectionLost if catalogue.read_only() else RegistryUnavailable
            raise kind(f"The registry {self.location} cannot be written ({reason})")
        self._may_write = True

    @contextlib.contextmanager
    def building(self) -> Iterator[_PostgresqlTransaction]:
        """A transaction that writes where there is no registry yet."""
        with self._transaction(_for_writing(self._timeout)) as transaction:
            yield transaction

    def retry(self, work: Callable[[], T]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                done = work()
                self._outage_since = None
                return done
            except (ConnectionLost, TooManyConnections, CommitUnknown, Collision) as failure:
                # An outage is waited for once, not again for each answer that comes in meanwhile.
                self._outage_since = self._outage_since or time.monotonic()
                if time.monotonic() + pause > self._outage_since + _PATIENCE:
                    raise self._not_passing(failure) from None
            # After a failover a new connection leads to another server.
            self.close()
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _not_passing(self, failure: Exception) -> Exception:
        if isinstance(failure, Collision):
            return RegistryBusy(
                f"The registry {self.location} is written by others all the time. Try again later"
            )
        return failure

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[_PostgresqlTransaction]:
        connection, rows = self._at_rest(
            lambda connection: (connection, _last_rows(connection, begin))
        )
        meta: dict[str, str] | None = None
        try:
            if begin.endswith(_META):
                meta = self._check_registry(rows)
            yield _PostgresqlTransaction(self, connection, meta)
            if begin != _READ:
                self._commit(connection)
        finally:
            self._roll_back(connection)

    def _commit(self, connection: psycopg.Connection[t.Any]) -> None:
        import psycopg

        try:
            with _warnings(connection) as warned:
                ended = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            unknown = error.sqlstate in (None, _COMPLETION_UNKNOWN)
            if not unknown and not _is_broken(connection, error):
                raise self.translated(error) from None
            self.close()
            from .postgresql_errors import told

            raise CommitUnknown(
                f"The registry {self.location} cannot be used: the connection broke during a commit, so it is not known whether that was"
                f" written ({told(error)})"
            ) from None
        if ended != "COMMIT":
            raise RegistryUnavailable(
                f"The registry {self.location} did not keep a transaction that had failed"
            )
        if warned:
            self.close()
            raise CommitUnknown(
                f"The registry {self.location} cannot be relied on: the server warned during a commit, so what was written may be lost if"
                " another server takes its place. A synchronous standby may be missing, or somebody cancelled the wait for it: see the"
                " server's log"
            )

    def _roll_back(self, connection: psycopg.Connection[t.Any]) -> None:
        import psycopg

        if (
            connection.closed
            or connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        ):
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def _at_rest(self, ask: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Ask the database something with which a transaction begins: again, once, where the connection turns out to be broken."""
        kept = self._connection
        if kept is not None:
            try:
                return ask(kept)
            except _psycopg(self.location).Error as error:
                self._roll_back(kept)
                if not _is_broken(kept, error):
                    raise self.translated(error) from None
        return self._on_new_connection(ask)

    def _on_new_connection(self, ask: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Ask on a new connection. A server that has none to give is waited for once, not again in each transaction."""
        pause = _FIRST_PAUSE
        while True:
            self.close()
            try:
                answer = self._ask_anew(ask)
            except (TooManyConnections, ConnectionLost) as failure:
                if isinstance(failure, TooManyConnections):
                    self._crowded = self._crowded or (time.monotonic(), failure)
                if self._crowded is None:
                    raise
                # A pooler that was refused may say nothing more for a while.
                since, crowded = self._crowded
                if time.monotonic() + pause > since + self._timeout:
                    raise crowded from None
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._crowded = None
                return answer

    def _ask_anew(self, ask: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        connection = self._connection = _connect(self.location, self._password)
        try:
            if self._registry_id is not None:
                self._check_registry(_last_rows(connection, _META))
            return ask(connection)
        except _psycopg(self.location).Error as error:
            self._roll_back(connection)
            raise self.translated(error) from None

    def _check_registry(self, rows: Sequence[Row]) -> dict[str, str]:
        """Return the registry's own description, from what C(_META) has found, if it is the registry that was opened."""
        meta, tables = _described(rows)
        if self._registry_id is not None and (self._registry_id, self._tables) != (
            meta.get("registry_id"),
            tables,
        ):
            self.close()
            raise RegistryMismatch(
                f"The registry {self.location} is another one than a moment ago, or in other tables: its address, a pooler or search_path"
                f" leads elsewhere. It had the id {self._registry_id}. {GUIDE}"
            )
        return meta

    def translated(self, error: psycopg.Error) -> Exception:
        """Return what a failure of psycopg is to the registry."""
        from .postgresql_errors import translated

        return translated(self.location, error)

    def begin_bulk(self) -> None:
        pass  # a commit costs what it costs

    def strange_tables(self) -> bool:
        return False  # it takes a while to see, so it is seen before something is written

    def damage(self) -> str | None:
        return None  # the server itself looks after its files

    def unwritable(self, *, keeping: bool = False) -> str | None:
        return self.catalogue.unkeepable() if keeping else self.catalogue.unwritable()

    def close(self) -> None:
        # What the next connection leads to is looked at anew before anything is written there.
        self._may_write = False
        self.__dict__.pop("catalogue", None)
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _PostgresqlTransaction:
    def __init__(
        self,
        database: PostgresqlDatabase,
        connection: psycopg.Connection[t.Any],
        meta: dict[str, str] | None,
    ) -> None:
        self._database = database
        self._connection = connection
        self._meta = meta

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._execute(sql, values).fetchall()

    def execute(self, sql: str, *values: t.Any) -> int:
        return self._execute(sql, values).rowcount

    def meta(self) -> dict[str, str]:
        if self._meta is None:
            self._meta, _tables = _described(self.query(_META))
        return self._meta

    def _execute(self, sql: str, values: Sequence[t.Any]) -> psycopg.Cursor[t.Any]:
        import psycopg

        try:
            return self._connection.execute(_for_psycopg(sql), values)
        except psycopg.Error as error:
            raise self._database.translated(error) from None


def _catalogue(look: Callable[[str], Sequence[Row]]) -> Catalogue:
    # A run with nothing to do does not pay for what is looked at before a write.
    from .postgresql_catalogue import CATALOGUE, Catalogue

    return Catalogue(look(CATALOGUE))


def _described(rows: Sequence[Row]) -> tuple[dict[str, str], str | None]:
    """Part what C(_META) finds into the registry's description and the tables that the names lead to."""
    meta: dict[str | None, str] = dict(rows)
    tables = meta.pop(None, None)
    return t.cast("dict[str, str]", meta), tables


@functools.cache
def _for_psycopg(sql: str) -> str:
    """Return a statement with psycopg's placeholders in place of question marks. No statement has one in a literal."""
    return sql.replace("%", "%%").replace("?", "%s")


def _for_writing(timeout: float) -> str:
    # 0 would be to wait for ever.
    return _WRITE.format(milliseconds=max(1, int(timeout * 1000)))


def _last_rows(connection: psycopg.Connection[t.Any], statements: str) -> list[Row]:
    """Run statements without parameters, in one go, and return the rows of the last one."""
    cursor = connection.execute(statements)
    while cursor.nextset():
        pass
    return cursor.fetchall() if cursor.description else []


def _psycopg(location: str) -> t.Any:
    """Return the library, or raise what tells how to get it."""
    try:
        import psycopg
    except ImportError:
        from .postgresql_errors import missing_library

        raise missing_library(location) from None
    return psycopg


def _connect(location: str, password: str | None) -> psycopg.Connection[t.Any]:
    library = _psycopg(location)
    try:
        told = library.conninfo.conninfo_to_dict(location)
    except library.Error:
        raise RegistryUnavailable(
            "The registry cannot be used: its location is no URL that PostgreSQL's library understands. Compare it with"
            " postgresql://user@host:5432/database?sslmode=verify-full"
        ) from None
    parameters: dict[str, t.Any] = {**_DEFAULTS, **told}
    if password is not None:
        parameters["password"] = password
    try:
        connection: psycopg.Connection[t.Any] = library.connect(
            autocommit=True, prepare_threshold=None, **parameters
        )
    except library.Error as error:
        from .postgresql_errors import unreachable

        raise unreachable(location, error) from None
    return connection


@contextlib.contextmanager
def _warnings(connection: psycopg.Connection[t.Any]) -> Iterator[list[object]]:
    """Collect the server's warnings within the block.

    A wait for a synchronous standby that is cancelled ends a COMMIT with a warning and with success
    (https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION-HA).
    """
    warned: list[object] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warned.append(diagnostic)

    connection.add_notice_handler(note)
    try:
        yield warned
    finally:
        connection.remove_notice_handler(note)


def _is_broken(connection: psycopg.Connection[t.Any], error: psycopg.Error) -> bool:
    return connection.closed or (error.sqlstate or "")[:2] in ("08", "57")


class PostgresqlPlace:
    """A schema of a database in which a registry is, or may be made."""

    def __init__(self, location: str, password: str | None) -> None:
        self.location = location
        self._password = password

    def _connect(self, timeout: float) -> PostgresqlDatabase:
        return PostgresqlDatabase(self.location, self._password, timeout)

    @property
    def now(self) -> str:
        return PostgresqlDatabase.now

    def open(self, *, write: bool, timeout: float) -> PostgresqlDatabase:
        database = self._connect(timeout)
        try:
            database.bind()
        except NoSuchTable:
            database.close()
            raise self._not_there(timeout) from None
        except BaseException:
            database.close()
            raise
        return database

    def _not_there(self, timeout: float) -> DidError:
        if self.is_missing(timeout=timeout):
            return NoRegistry(f"There is no registry at {self.location}")
        return RegistryUnavailable(
            f"{self.location} is not a registry of nextbilling.did, or it is damaged. Nothing was written and nothing was sent."
            f" Name the right database, and see that search_path leads to the registry's schema. If it is damaged: {RESTORE}"
        )

    def is_missing(self, *, timeout: float) -> bool:
        with contextlib.closing(self._connect(timeout)) as database:
            return not database.catalogue.names("table")

    def uncreatable(self, *, timeout: float) -> str | None:
        with contextlib.closing(self._connect(timeout)) as database:
            return database.catalogue.uncreatable()

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        with contextlib.closing(self._connect(timeout)) as database:
            try:
                with database.building() as transaction:
                    fill(transaction)
            except Collision:
                return False
            return True

    def tighten(self, *, apply: bool) -> bool:
        return False

    def identity(self, *, timeout: float) -> object:
        with contextlib.closing(self._connect(timeout)) as database:
            ((started, where, table),) = database.query(
                "SELECT pg_postmaster_start_time(), current_database()::text, 'meta'::regclass::oid"
            )
            return started, where, table


if t.TYPE_CHECKING:  # pragma: no cover
    _database: type[Database] = PostgresqlDatabase
    _place: type[Place] = PostgresqlPlace
