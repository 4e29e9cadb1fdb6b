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
import typing as t
from collections.abc import Callable, Iterator, Sequence

from ..._errors import RegistryBusy, RegistryMismatch, RegistryUnavailable
from .interface import (
    Collision,
    CommitUnknown,
    Conflict,
    ConnectionLost,
    Database,
    PipelineFailed,
    T,
    TooManyConnections,
)
from .postgresql_commit import STOP_WAIT, commit
from .postgresql_connection import collect_warnings, is_broken, last_rows
from .postgresql_errors import LOCK_NOT_AVAILABLE, NO_STANDBY, describe, translate
from .postgresql_pipeline import PipelinedTransaction, is_pipeline_supported, pipeline_failure
from .postgresql_server import read_catalogue
from .postgresql_session import FIRST_PAUSE, LONGEST_PAUSE, PostgresqlSession
from .postgresql_statements import (
    BEGIN_READING,
    META,
    META_AND_KINDS,
    ONE_WRITER,
    begin_writing,
    split_meta,
)
from .postgresql_transaction import PostgresqlTransaction
from .schema import Schema

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

    from .postgresql_catalogue import Catalogue

# The server, or a proxy in front of it, does not know whether a statement was completed.
_COMPLETION_UNKNOWN = "40003"
_MOST_UNPIPELINED = 64


class PostgresqlDatabase(PostgresqlSession):
    """The registry in the first schema of the connection's search path.

    A connection that broke is made anew for the next transaction, never for the rest of one.
    """

    reconnects = True
    longest_list = 2000
    now = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"

    def __init__(
        self,
        location: str,
        password: str | None,
        schema: Schema,
        *,
        timeout: float,
        stop_reason: Callable[[], str | None],
    ) -> None:
        super().__init__(location, password, timeout=timeout, stop_reason=stop_reason)
        self.schema = self._found_schema = schema
        # How many transactions wait for each result, after pipelines that have failed; and how many the last failure brought.
        self._unpipelined = self._last_unpipelined = 0
        self._is_writable = False
        # Since when work fails.
        self._outage_since: float | None = None

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        return read_catalogue(self.query, self._found_schema)

    def bind(self) -> str | None:
        """Accept only the registry that is there now, whichever server a new connection leads to. Returns its id, None if it has none."""
        meta, table_ids = split_meta(self.query(META_AND_KINDS))
        kinds = meta.pop("").split()
        # Reading could not notice a table that loses what is written to it.
        if len(kinds) != 1 or not kinds[0].startswith("rp"):
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be used: {self.catalogue.why_not_ordinary()}. Nothing was sent"
            )
        self._registry_id, self._table_ids = meta.get("registry_id"), table_ids
        self._known = meta, table_ids
        version = meta.get("schema", "")
        # An older one is checked as what it is, before it is migrated.
        self._found_schema = self.schema.as_of(int(version)) if version.isdigit() else self.schema
        return self._registry_id

    @contextlib.contextmanager
    def reading(self, *, pipelined: bool = False) -> Iterator[PostgresqlTransaction]:
        with self._transaction(BEGIN_READING, pipelined=pipelined) as transaction:
            yield transaction

    @contextlib.contextmanager
    def writing(
        self, *, records_outcome: bool = False, pipelined: bool = False
    ) -> Iterator[PostgresqlTransaction]:
        if self._is_check_due():
            self._check_writable(self.catalogue)
            if self._position is None:
                self.read_position()
        timeout = max(self._timeout, self.outcome_timeout) if records_outcome else self._timeout
        begin = begin_writing(timeout) + ONE_WRITER
        with self._transaction(begin, timeout, pipelined=pipelined) as transaction:
            if self._is_check_due():
                # The connection was made anew, and may lead to another server.
                self._check_writable(read_catalogue(transaction.query, self._found_schema))
            yield transaction

    def _is_check_due(self) -> bool:
        return self._registry_id is not None and not self._is_writable

    def _check_writable(self, catalogue: Catalogue) -> None:
        reason = catalogue.why_not_writable()
        if reason:
            # Another server may be about to take the place of a primary that failed.
            kind = ConnectionLost if catalogue.is_standby() else RegistryUnavailable
            raise kind(f"The registry {self.location} cannot be written ({reason})")
        self._is_writable = True

    @contextlib.contextmanager
    def creating(self) -> Iterator[PostgresqlTransaction]:
        """Begin a transaction that writes where there is no registry yet."""
        with self._transaction(begin_writing(self._timeout), self._timeout) as transaction:
            yield transaction

    def retry(self, work: Callable[[], T], *, records_outcome: bool = False) -> T:
        pause = FIRST_PAUSE
        began = self.clock()
        while True:
            try:
                result = work()
                self._outage_since = None
                return result
            except PipelineFailed:
                continue
            except (
                ConnectionLost,
                TooManyConnections,
                CommitUnknown,
                Conflict,
                Collision,
            ) as failure:
                if isinstance(failure, Collision) and not records_outcome:
                    raise
                # All work that fails during one outage shares its wait.
                self._outage_since = began if self._outage_since is None else self._outage_since
                if not self._may_wait(self._outage_since, pause, records_outcome=records_outcome):
                    if isinstance(failure, (Collision, Conflict)):
                        raise RegistryBusy(
                            f"The registry {self.location} is written by others all the time. Try again later"
                        ) from None
                    raise
                is_lost = not isinstance(failure, (Collision, Conflict))
            if is_lost:
                # After a failover a new connection leads to another server.
                self.close()
            self.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    @contextlib.contextmanager
    def _transaction(
        self, begin: Sequence[str], commit_timeout: float | None = None, *, pipelined: bool = False
    ) -> Iterator[PostgresqlTransaction]:
        """Begin a transaction. C(commit_timeout): seconds that its commit may take, None for one that only reads."""
        transaction = (self._pipeline(begin) if pipelined else None) or self._begin(begin)
        try:
            yield transaction
            if commit_timeout is not None:
                transaction.send()
                self._commit(transaction.connection, commit_timeout)
            if isinstance(transaction, PipelinedTransaction):
                self._last_unpipelined = 0
        except PipelineFailed:
            # Where other runs take the same DIDs, pipelines fail again and again.
            self._last_unpipelined = min(max(1, self._last_unpipelined * 2), _MOST_UNPIPELINED)
            self._unpipelined = self._last_unpipelined
            raise
        finally:
            self._roll_back(transaction.connection)

    def _begin(self, begin: Sequence[str]) -> PostgresqlTransaction:
        statements = "; ".join(begin)
        connection, rows = self._run(lambda new: (new, last_rows(new, statements)))
        try:
            meta = self._check_registry(rows) if begin[-1] == META else None
        except RegistryMismatch:
            self._roll_back(connection)
            raise
        return PostgresqlTransaction(self.location, connection, meta)

    def _pipeline(self, begin: Sequence[str]) -> PipelinedTransaction | None:
        """Return a pipelined transaction, None where it is not known what to expect of it, or the library has none."""
        connection, known = self._connection, self._known
        if self._unpipelined:
            self._unpipelined -= 1
            return None
        if connection is None or known is None or not is_pipeline_supported():
            return None

        def translate(error: psycopg.Error) -> Exception:
            if error.sqlstate != LOCK_NOT_AVAILABLE:
                return pipeline_failure(self.location)
            self._roll_back(connection)
            return self._translate(connection, error)

        return PipelinedTransaction(self.location, connection, begin, known, translate)

    def _commit(self, connection: psycopg.Connection[t.Any], timeout: float) -> None:
        import psycopg

        began = self.clock()
        # All commits that wait for a standby in vain share the time that a run has for it.
        since = began if self._standby_missing_since is None else self._standby_missing_since
        seconds = max(STOP_WAIT, since + timeout - began)
        try:
            with collect_warnings(connection) as warnings:
                end = commit(connection, seconds=seconds, stop_reason=self._stop_reason)
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
        if end.status != "COMMIT":
            raise RegistryUnavailable(
                f"The registry {self.location} did not keep a transaction that had failed"
            )
        if not warnings:
            self._standby_missing_since = None
            return
        self.close()
        if end.is_cancelled:
            self._standby_missing_since = since
            raise CommitUnknown(f"The registry {self.location} cannot be relied on: {NO_STANDBY}")
        raise CommitUnknown(
            f"The registry {self.location} cannot be relied on: the server warned during a commit, so what was written may be lost if"
            " another server takes its place. A synchronous standby may be missing, or somebody cancelled the wait for it: see the"
            " server's log"
        )

    def begin_bulk(self) -> None:
        pass  # no mode makes a commit cheaper

    def why_unexpected_schema(self, version: int) -> str | None:
        return None  # the check is slow, so it comes before the first write

    def ensure_verified(self, verify: Callable[[], None]) -> None:
        pass  # as below

    def why_damaged(self) -> str | None:
        return None  # the server itself verifies its files

    def why_not_writable(self, *, as_owner: bool = False) -> str | None:
        catalogue = self.catalogue
        return catalogue.why_not_writable_as_owner() if as_owner else catalogue.why_not_writable()

    def close(self) -> None:
        # The next server is checked before the first write.
        self._is_writable = False
        self.__dict__.pop("catalogue", None)
        super().close()


if t.TYPE_CHECKING:  # pragma: no cover
    _database: type[Database] = PostgresqlDatabase
