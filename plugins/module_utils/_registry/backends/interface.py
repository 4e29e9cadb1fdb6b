# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the registry asks of a backend, and what a backend raises. Two backends implement it: SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import RegistryBusy, RegistryMismatch, RegistryUnavailable

if t.TYPE_CHECKING:  # pragma: no cover
    import contextlib
    from collections.abc import Callable, Sequence


Row = tuple[t.Any, ...]
T = t.TypeVar("T")


class Transaction(t.Protocol):
    """Runs statements inside one transaction."""

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a query and return all its rows."""

    def execute(self, sql: str, *values: t.Any) -> int:
        """Run a statement and return how many rows it changed. Raises C(Collision)."""

    def meta(self) -> dict[str, str]:
        """Return the registry's own description, no older than what else this transaction sees."""


class Database(t.Protocol):
    """One kind of database. Every failure of it is raised as C(RegistryUnavailable) or C(RegistryBusy)."""

    location: str
    now: str
    """An SQL expression: seconds since 1970 by the clock that all runners of this registry share."""

    def reading(self) -> contextlib.AbstractContextManager[Transaction]:
        """A transaction that sees one state and changes nothing."""

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query, which is a transaction of its own."""

    def writing(
        self, *, must_commit: bool = False
    ) -> contextlib.AbstractContextManager[Transaction]:
        """A transaction that is durable when the block ends, or undone when it raises. One at a time: other writers wait.

        C(must_commit): what an answer means must be written; wait for other processes longer than for what may be tried again.
        """

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row] | None:
        """Do what C(look) does, in any thread and beside a transaction of this one; None where that cannot be."""

    def retry(self, work: Callable[[], T]) -> T:
        """Run a piece of work that may be done twice: again, for a while, if the connection to the database breaks."""

    def strange_tables(self) -> bool:
        """Tell whether tables, indexes or their definitions differ from the current schema's."""

    def damage(self) -> str | None:
        """Return what is wrong with the stored bytes, or None. Reads everything."""

    def unwritable(self, *, keeping: bool = False) -> str | None:
        """Return why a write would fail, or None, without writing.

        C(keeping): a write such as only C(did_registry) makes, with the owner's rights.
        """

    def begin_bulk(self) -> None:
        """Prepare for many writes, where that makes each of them cheaper. Nothing that was promised of one changes."""

    def close(self) -> None:
        """Close the connection."""


class Place(t.Protocol):
    """Where a registry is, or may be made."""

    location: str

    @property
    def now(self) -> str:
        """An SQL expression, as C(Database.now)."""

    def open(self, *, write: bool, timeout: float) -> Database:
        """Open the registry that is there. Raises C(NoRegistry) where there is none."""

    def is_missing(self, *, timeout: float) -> bool:
        """Tell whether there is nothing yet."""

    def uncreatable(self, *, timeout: float) -> str | None:
        """Return why nothing can be created there, or None, without creating anything."""

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        """Make a registry there with what C(fill) puts in: all of it or nothing. Returns False where another run was first."""

    def tighten(self, *, apply: bool) -> bool:
        """Take permissions from others. Returns whether there is, or was, something to take."""

    def identity(self, *, timeout: float) -> object:
        """Return what is the same for two locations if they lead to one registry, and else differs."""


class Collision(Exception):
    """A row would break a uniqueness rule: another run was first."""


class CommitUnknown(RegistryUnavailable):
    """The connection broke while a transaction was ended: nobody knows whether it was written."""


# What to do where a registry is damaged or lost, and nowhere else.
RESTORE = (
    "restore it from its newest backup, as 'Backup and restore' in the guide 'From one machine to many' says: an older copy does not know"
    " the DIDs that were created since, and they would be created again"
)
# Of PostgreSQL's messages.
GUIDE = "See 'Roles and grants' in the guide 'From one machine to many'"


class NoRegistry(RegistryMismatch):
    """There is nothing where the registry should be."""


class ConnectionLost(RegistryUnavailable):
    """The connection broke, or could not be made: the same may work a moment later."""


class TooManyConnections(RegistryBusy):
    """The server has no connection to give: it may have one a moment later."""


class NoSuchTable(RegistryUnavailable):
    """A table, or a column of it, is not there."""
