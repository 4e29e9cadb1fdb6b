# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The doors of the registry: what the rest of the collection may ask of it, and what it asks of a database. For type checkers alone."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ._changes import Forgotten, Intent, Revision
    from ._inventory import HistoryEntry, Summary
    from ._records import Found, Record

Row = tuple[t.Any, ...]
T = t.TypeVar("T")


class Transaction(t.Protocol):
    """Runs statements inside one transaction."""

    def rows(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a query and return all its rows."""

    def change(self, sql: str, *values: t.Any) -> int:
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

    def look(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query, which is a transaction of its own."""

    def writing(self, *, patiently: bool = False) -> contextlib.AbstractContextManager[Transaction]:
        """A transaction that is durable when the block ends, or undone when it raises. One at a time: other writers wait.

        C(patiently): what an answer means must be written; wait for other processes longer than for what may be tried again.
        """

    def look_beside(self, sql: str, *values: t.Any) -> Sequence[Row] | None:
        """Do what C(look) does, in any thread and beside a transaction of this one; None where that cannot be."""

    def repeated(self, work: Callable[[], T]) -> T:
        """Run a piece of work that may be done twice: again, for a while, if the connection to the database breaks."""

    def strange_tables(self) -> bool:
        """Tell whether tables, indexes or their definitions differ from the current schema's."""

    def damage(self) -> str | None:
        """Return what is wrong with the stored bytes, or None. Reads everything."""

    def unwritable(self, *, keeping: bool = False) -> str | None:
        """Return why a write would fail, or None, without writing.

        C(keeping): a write such as only C(did_registry) makes, with the owner's rights.
        """

    def hurry(self) -> None:
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


class Registry(t.Protocol):
    """The last known state of the DIDs of several platforms. All methods raise C(RegistryUnavailable) when it fails.

    What is written is durable when the method returns.
    """

    registry_id: str
    location: str

    @property
    def moved_to(self) -> str | None:
        """Return where it was moved, None for a registry in use."""

    def platforms(self) -> Collection[str]:
        """Return the names of the platforms that this registry knows."""

    def find(self, platform: str, number: str | None, record_id: int | None) -> Found:
        """Return the record that the identity leads to, and the one that bears the record id."""

    def find_many(
        self, platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> Sequence[Found]:
        """Return what C(find) does for many identities and record ids, as they are at one moment."""

    def size(self, platform: str) -> int:
        """Return how many records of a platform there are."""

    def numberless(self, platform: str) -> Sequence[int]:
        """Return the ids of the records which are known by their id alone."""

    def verify(self) -> None:
        """Read the whole registry and raise C(RegistryUnavailable) if it is damaged: a lost row would look like a new DID."""

    def ready_to_write(self) -> None:
        """Raise C(RegistryUnavailable) if a write would fail, without writing."""

    def hurry(self) -> None:
        """Prepare for many writes by this run."""

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Make the writes inside the block one: all of them are durable when it ends, and not before, or none is.

        C(LateAnswer), and a C(claim) that is not granted, may be dealt with inside it; every other failure must leave it.
        """

    def claim(self, platform: str, intent: Intent) -> str | None:
        """Record an intent and take its claim. Returns its token, or None where the record is no longer as planned with.

        A record that the claim makes bears the token as its key: for a create, the token is the attempt.
        """

    def holds(self, token: str, seconds: float) -> bool:
        """Tell whether the claim is still this run's and has at least so many seconds left."""

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        """Record that the request was applied, and end the claim. Raises C(LateAnswer) if the record went another way."""

    def withdraw(self, token: str) -> None:
        """Record that the request was certainly not applied: the record is again as before the claim."""

    def leave(self, token: str) -> None:
        """End the claim of a request whose outcome is not known; the record stays unknown or uncertain."""

    def revise(self, platform: str, revisions: Sequence[Revision]) -> bool:
        """Apply all corrections or none. Returns False where a record is no longer as looked at, or is claimed."""

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> Sequence[tuple[str, Record]]:
        """Return the records that match all that is given, each with its platform's name, in the order of their numbers.

        :param outcome: as C(Record.shown_outcome) has it.
        """

    def made_by(self, attempts: Collection[str]) -> Mapping[str, tuple[str, str | None]]:
        """Return platform and identity of the records that attempts made, by attempt, whatever has become of the records since."""

    def forgotten(self, platform: str, numbers: Collection[str]) -> Mapping[str, Forgotten]:
        """Return what people have forgotten of identities, by identity."""

    def history(self, platform: str | None) -> Sequence[HistoryEntry]:
        """Return the lines of history of one platform, or of all, oldest first."""

    def summary(self) -> Summary:
        """Return what the registry holds as a whole."""

    def close(self) -> None:
        """Let go of the registry."""
