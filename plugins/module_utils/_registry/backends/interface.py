# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The interface of a backend, and the exceptions that it raises. SQLite and PostgreSQL implement it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ..._errors import RegistryBusy, RegistryMismatch, RegistryUnavailable
from .schema import Schema

if t.TYPE_CHECKING:  # pragma: no cover
    import contextlib


Row = tuple[t.Any, ...]
T = t.TypeVar("T")


class ServerState(t.NamedTuple):
    """How a database server stands to others.

    C(position): its cluster and its timeline, None where they cannot be read. C(is_standby): whether it follows another one.
    C(loses_writes): whether others follow it, and its commits wait for none of them.
    """

    position: Position | None
    is_standby: bool
    loses_writes: bool


class Position(t.NamedTuple):
    """A server's place in the history of its cluster. The timeline rises each time that another server takes over."""

    system: str
    timeline: int


class Transaction(t.Protocol):
    """Runs statements inside one transaction. Placeholders are question marks."""

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a query and return all its rows."""

    def execute(self, sql: str, *values: t.Any) -> int:
        """Run a statement and return how many rows it changed. Raises C(Collision)."""

    def change_one(self, sql: str, *values: t.Any) -> bool:
        """Run a statement that changes one row or none, and return whether it changed one. Raises C(Collision).

        A pipelined transaction sends it later, with others, in one round trip, and returns True. If it then changes none, or fails, this
        transaction fails with C(PipelineFailed).
        """

    def change_one_and_insert(
        self, sql: str, values: Sequence[t.Any], table: str, row: Mapping[str, t.Any]
    ) -> bool:
        """Do what C(change_one) does. If the statement changes a row, insert another one into a table, its values by column.

        A row whose key is there already is left as it is. With a server, both take one round trip.
        """

    def define(self, statement: str) -> None:
        """Run a statement that defines a table, a column or an index."""

    def meta(self) -> dict[str, str]:
        """Return the table C(meta), no older than what else this transaction sees."""


class Database(t.Protocol):
    """An open registry. Every failure is raised as C(RegistryUnavailable), C(RegistryBusy) or C(RegistryMismatch)."""

    location: str
    schema: Schema
    now: str
    """An SQL expression: seconds since 1970 by the clock that all runners of this registry share."""
    reconnects: bool
    """Whether a new connection may be made while it is open, which may lead to another server that lacks the newest writes."""
    longest_list: int
    """How many values a query may list."""

    @property
    def connections(self) -> int:
        """How often it has connected."""

    def is_same_since(self, connections: int) -> bool:
        """Tell whether it is surely the database that it was when it had connected so many times. Any thread may call this."""

    def reading(self, *, pipelined: bool = False) -> contextlib.AbstractContextManager[Transaction]:
        """Begin a transaction that sees one state and changes nothing. C(pipelined): as in C(writing)."""

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query, which is a transaction of its own."""

    def writing(
        self, *, records_outcome: bool = False, pipelined: bool = False
    ) -> contextlib.AbstractContextManager[Transaction]:
        """Begin a transaction that is durable when the block ends, or undone when it raises. There is one writer at a time.

        C(records_outcome): this records the outcome of a request or of a run, so wait longer for other writers than the registry's timeout.
        C(pipelined): its statements may be sent together. It then may raise C(PipelineFailed), for C(retry).
        """

    def retry(self, work: Callable[[], T], *, records_outcome: bool = False) -> T:
        """Run an idempotent unit of work. Retry it where the connection breaks, or the server undoes it in favour of others.

        C(records_outcome): as in C(writing); then C(Collision) is retried too, and a run that is to stop still waits. All work of a run shares the
        wait for one outage.
        """

    def why_unexpected_schema(self, version: int) -> str | None:
        """Return how tables, indexes or their definitions differ from those of a version of the schema, and the next step; or None."""

    def ensure_verified(self, verify: Callable[[], None]) -> None:
        """Run C(verify), which raises where the stored bytes are damaged, unless nobody but this code has written since it was last run, not long ago."""

    def why_damaged(self) -> str | None:
        """Return what is wrong with the stored bytes, or None. Reads everything."""

    def why_not_writable(self, *, as_owner: bool = False) -> str | None:
        """Return why a write would fail, or None. Writes nothing.

        C(as_owner): a write that needs the rights of the tables' owner, as only C(did_registry) makes.
        """

    def server_state(self) -> ServerState | None:
        """Return how the server stands to others, None for a registry without a server."""

    def read_position(self) -> Position | None:
        """Return the position of the server, None where it cannot be read or there is no server. No later connection may lead to an earlier one."""

    def last_position(self) -> Position | None:
        """Return the position that was read last, without a query."""

    def begin_bulk(self) -> None:
        """Prepare for many writes, where that makes each of them cheaper. A commit stays as durable as before."""

    def close(self) -> None:
        """Close the connection."""


class Backend(t.Protocol):
    """Opens or creates the registry at one location."""

    location: str
    schema: Schema

    @property
    def now(self) -> str:
        """The same as C(Database.now)."""

    def open(self, *, write: bool, timeout: float) -> Database:
        """Open the registry. Raises C(NoRegistry) where there is none."""

    def is_missing(self, *, timeout: float) -> bool:
        """Tell whether nothing is at the location."""

    def why_not_creatable(self, *, timeout: float) -> str | None:
        """Return why a registry cannot be created, or None. Creates nothing."""

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        """Create a registry with what C(fill) writes: all of it or nothing. Returns False where another run created it first."""

    def restrict_permissions(self, *, apply: bool) -> bool:
        """Take permissions from other users. Returns whether they have, or had, any."""

    def identity(self, *, timeout: float) -> object:
        """Return a value that is equal for two locations of one registry, and differs otherwise."""


# As C(Database.longest_list): SQLite before 3.32 takes 999 values.
LONGEST_LIST = 500


class Collision(Exception):
    """Another run came first: a row breaks a uniqueness rule, or the server ended this transaction in favour of another one."""


class CommitUnknown(RegistryUnavailable):
    """The connection broke during a commit, so it is not known whether the transaction is written."""


class NoRegistry(RegistryMismatch):
    """There is nothing where the registry should be."""


class ConnectionLost(RegistryUnavailable):
    """The connection broke, or could not be made. A retry may succeed."""


class TooManyConnections(RegistryBusy):
    """The server has no connection to give. A retry may succeed."""


class Conflict(RegistryBusy):
    """The server undid a transaction in favour of another one. A retry may succeed at once."""


class PipelineFailed(Conflict):
    """A statement of a pipeline failed, or did not do what was expected. Nothing is written. The next transaction waits for each result."""


class NoSuchTable(RegistryUnavailable):
    """A table, or a column of it, is missing."""


def never_stops() -> str | None:
    """Return None, as the reason why a run is to stop."""
    return None


# What a backend notes in the table meta of its own place, which is not copied to another one.
STAMP = "stamp"
# The next step where a registry is damaged or lost, and nowhere else.
RESTORE = (
    "restore it from its newest backup, as 'Backup and restore' in the guide 'From one machine to many' says: an older copy does not know"
    " the DIDs that were created since, and they would be created again"
)
# Of PostgreSQL's messages.
GUIDE = "See 'Roles and grants' in the guide 'From one machine to many'"
