# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""One connection to a PostgreSQL database, which is made anew where it broke.

Errors of C(psycopg) are raised as the registry's.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Sequence

from ..._errors import RegistryMismatch
from .interface import (
    GUIDE,
    Conflict,
    ConnectionLost,
    Position,
    Row,
    ServerState,
    T,
    TooManyConnections,
)
from .postgresql_connection import (
    connect,
    for_psycopg,
    is_broken,
    last_rows,
    load_psycopg,
    query_on,
)
from .postgresql_errors import translate, why_locked
from .postgresql_server import latest, read_position, read_state
from .postgresql_statements import META, Meta, split_meta

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class PostgresqlSession:
    """Connects when the first statement is run. Each new connection must lead to the registry that was opened, with all that was seen of it.

    C(connections): how often it has connected.
    """

    # Seconds to wait for other writers, and for the database itself, with the outcome of a request. A failover may take a minute.
    outcome_timeout = 90.0
    clock = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    connect = staticmethod(connect)

    def __init__(
        self,
        location: str,
        password: str | None,
        *,
        timeout: float,
        stop_reason: Callable[[], str | None],
    ) -> None:
        self.location = location
        self._password = password
        self._timeout = timeout
        self._stop_reason = stop_reason
        self._connection: psycopg.Connection[t.Any] | None = None
        # What it was when it was opened: the id, and those of its tables.
        self._registry_id: str | None = None
        self._table_ids: str | None = None
        # What this connection has shown last.
        self._known: Meta | None = None
        self.connections = 0
        # The position of the server that was last written to.
        self._position: Position | None = None
        # Since when no connection can be made.
        self._unreachable_since: float | None = None
        # Since when commits have waited for a standby in vain.
        self._standby_missing_since: float | None = None
        # The server's first refusal since it has had no connection to give.
        self._refusal: TooManyConnections | None = None

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._run(lambda connection: connection.execute(for_psycopg(sql), values).fetchall())

    def is_same_since(self, connections: int) -> bool:
        return connections == self.connections

    def server_state(self) -> ServerState:
        return read_state(self.query)

    def read_position(self) -> Position | None:
        # From here on, each new connection must lead to this server or to a later one.
        self._position = latest(self._position, read_position(self.query), self.location)
        return self._position

    def last_position(self) -> Position | None:
        return self._position

    def _may_wait(self, since: float, pause: float, *, records_outcome: bool = False) -> bool:
        """Tell whether to try again after a pause. A run that is to stop waits only with an outcome, and not for a standby."""
        if self._stop_reason() and (not records_outcome or self._standby_missing_since is not None):
            return False
        timeout = max(self._timeout, self.outcome_timeout) if records_outcome else self._timeout
        return self.clock() + pause <= since + timeout

    def _run(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Run a query, or what begins a transaction. Retry it where the server undid it in favour of others."""
        began, pause = self.clock(), FIRST_PAUSE
        while True:
            try:
                return self._run_once(statement)
            except Conflict:
                if not self._may_wait(began, pause):
                    raise
            self.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _run_once(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Run a statement. Run it once more, on a new connection, where the present one is broken."""
        connection = self._connection
        if connection is not None:
            try:
                return statement(connection)
            except load_psycopg(self.location).Error as error:
                self._roll_back(connection)
                if not is_broken(connection, error):
                    raise self._translate(connection, error) from None
        return self._run_on_new_connection(statement)

    def _run_on_new_connection(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        """Connect and run a statement. A run waits once for a server that is away or full, not in each transaction."""
        pause = FIRST_PAUSE
        while True:
            self.close()
            began = self.clock()
            try:
                result = self._connect_and_run(statement)
            except (TooManyConnections, ConnectionLost) as failure:
                if isinstance(failure, TooManyConnections):
                    self._refusal = self._refusal or failure
                if self._unreachable_since is None:
                    self._unreachable_since = began
                if not self._may_wait(self._unreachable_since, pause):
                    # After a refusal, a pooler may give no reason for a while.
                    raise (self._refusal or failure) from None
                self.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._refusal = self._unreachable_since = None
                return result

    def _connect_and_run(self, statement: Callable[[psycopg.Connection[t.Any]], T]) -> T:
        connection = self._connection = self.connect(self.location, self._password)
        self.connections += 1
        try:
            if self._registry_id is not None:
                self._check_registry(last_rows(connection, META))
            if self._position is not None:
                self._check_position(connection)
            return statement(connection)
        except load_psycopg(self.location).Error as error:
            self._roll_back(connection)
            raise self._translate(connection, error) from None

    def _translate(self, connection: psycopg.Connection[t.Any], error: psycopg.Error) -> Exception:
        return why_locked(self.location, connection, error) or translate(self.location, error)

    def _check_registry(self, rows: Sequence[Row]) -> dict[str, str]:
        """Return the table C(meta) from the rows of C(META), if it is that of the registry that was opened."""
        meta, table_ids = split_meta(rows)
        found = (meta.get("registry_id"), table_ids)
        if self._registry_id is not None and found != (self._registry_id, self._table_ids):
            self.close()
            raise RegistryMismatch(
                f"The registry {self.location} is another one than a moment ago, or in other tables: its address, a pooler or search_path"
                f" leads elsewhere. It had the id {self._registry_id}. {GUIDE}"
            )
        self._known = meta, table_ids
        return meta

    def _check_position(self, connection: psycopg.Connection[t.Any]) -> None:
        try:
            found = read_position(query_on(connection, self.location))
            self._position = latest(self._position, found, self.location)
        except RegistryMismatch:
            self.close()
            raise

    def _roll_back(self, connection: psycopg.Connection[t.Any]) -> None:
        import psycopg

        idle = psycopg.pq.TransactionStatus.IDLE
        if connection.closed or connection.info.transaction_status == idle:
            return
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        """Close the connection. The next one may lead to another server."""
        self._known = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
