# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The registry on any SQL database: plain tables, claims in rows, short transactions.

C(Database) is the door to one kind of database. The SQL here is common to all of them; placeholders are question marks.
"""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t

from .._errors import RegistryMismatch, RegistryUnavailable
from ._place import moved_to
from ._records import CONFIRMED, UNCERTAIN, UNKNOWN, Claim, HistoryEntry, Record, Summary
from ._schema import CURRENT

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ._records import Found, Intent, Revision
    from ._writing import Writer

    Row = tuple[t.Any, ...]
    T = t.TypeVar("T")


class Collision(Exception):
    """A row would break a uniqueness rule: another run was first."""


class CommitUnknown(RegistryUnavailable):
    """The connection broke while a transaction was ended: nobody knows whether it was written."""


class Outdated(Exception):
    """A record is no longer as it was looked at, or another run holds it."""


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


class Access:
    """A database as several threads and several operations share it: one transaction at a time, or one for many writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._joined: Transaction | None = None

    @property
    def now(self) -> str:
        """Return the SQL expression of C(Database.now)."""
        return self._database.now

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that changes nothing."""
        with self._lock:
            if self._joined is not None:
                yield self._joined
            else:
                with self._database.reading() as transaction:
                    yield transaction

    def look(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query."""
        with self._lock:
            ask = self._database.look if self._joined is None else self._joined.rows
            return ask(sql, *values)

    def look_beside(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query that sees what is durable, if possible without waiting for another thread's transaction."""
        found = self._database.look_beside(sql, *values)
        return self.look(sql, *values) if found is None else found

    def repeated(self, work: Callable[[], T]) -> T:
        """Run a piece of work as C(Database.repeated) does; within a common transaction, once."""
        with self._lock:
            return work() if self._joined is not None else self._database.repeated(work)

    @contextlib.contextmanager
    def writing(self, *, patiently: bool = False) -> Iterator[Transaction]:
        """A transaction of its own; or a part of the common one, which is undone alone where it meets another run's row."""
        with self._lock:
            if self._joined is None:
                with self._database.writing(patiently=patiently) as transaction:
                    yield transaction
                return
            if patiently:
                yield self._joined  # what must be written meets no other run's row
                return
            self._joined.change("SAVEPOINT part")
            try:
                yield self._joined
            except (Collision, Outdated):
                self._joined.change("ROLLBACK TO SAVEPOINT part")
                self._joined.change("RELEASE SAVEPOINT part")
                raise
            self._joined.change("RELEASE SAVEPOINT part")

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all writes within one transaction, which is durable when the block ends."""
        with self._lock, self._database.writing(patiently=True) as transaction:
            self._joined = transaction
            try:
                yield
            finally:
                self._joined = None


class Rows:
    """Reads rows of the table of records as records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def select(
        self,
        transaction: Transaction,
        where: str,
        *values: t.Any,
        source: str = "records r",
        key: str = "r.record_key",
    ) -> dict[t.Any, Record]:
        """Return the records for which a condition holds, by the column C(key)."""
        query = (
            f"SELECT {key}, r.record_key, r.version, r.record_id, r.outcome, r.fields, r.attempted, r.confirmed_at, r.claim_token,"
            f" r.claim_action, r.claim_holder, r.claim_until - {self._database.now}, m.number"
            f" FROM {source} LEFT JOIN numbers m ON m.record_key = r.record_key WHERE {where}"
        )
        found: dict[t.Any, Record] = {}
        for name, *row, number in transaction.rows(query, *values):
            # A record with two numbers comes in two rows.
            numbers = found[name].numbers if name in found else ()
            if number is not None:
                numbers = tuple(sorted((*numbers, number)))
            found[name] = self._record(row, numbers)
        return found

    def one(self, transaction: Transaction, where: str, *values: t.Any) -> Record | None:
        """Return the only record for which a condition holds, or None."""
        return next(iter(self.select(transaction, where, *values).values()), None)

    def by_numbers(
        self, transaction: Transaction, platform: str, numbers: Sequence[str]
    ) -> dict[str, Record]:
        """Return the records that identities lead to."""
        source = "numbers n JOIN records r ON r.record_key = n.record_key"
        where = f"n.platform = ? AND n.number IN ({_marks(numbers)})"
        return self.select(transaction, where, platform, *numbers, source=source, key="n.number")

    def by_ids(
        self, transaction: Transaction, platform: str, record_ids: Sequence[int]
    ) -> dict[int, Record]:
        """Return the records that bear record ids."""
        where = f"r.platform = ? AND r.record_id IN ({_marks(record_ids)})"
        return self.select(transaction, where, platform, *record_ids, key="r.record_id")

    def _record(self, row: Sequence[t.Any], numbers: tuple[str, ...]) -> Record:
        key, version, record_id, outcome, fields, attempted, confirmed_at, *claim = row
        return Record(
            key=key,
            version=version,
            record_id=record_id,
            outcome=outcome,
            numbers=numbers,
            fields=self.load(fields),
            attempted={} if attempted == "{}" else self.load(attempted),
            confirmed_at=confirmed_at,
            claim=None if claim[0] is None else Claim(*claim),
        )

    def load(self, text: str) -> dict[str, t.Any]:
        """Return stored values, or raise C(RegistryUnavailable)."""
        try:
            value = json.loads(text)
        except (ValueError, TypeError):
            value = None
        if not isinstance(value, dict):
            raise RegistryUnavailable(
                f"The registry {self._database.location} is damaged (a record's values cannot be read). Restore it from its newest backup"
            )
        return value


def _marks(values: Sequence[t.Any]) -> str:
    return ", ".join("?" * len(values))


# How many values a query asks for at a time: SQLite before 3.32 takes 999.
_CHUNK = 500


def _chunks(values: Iterable[t.Any]) -> Iterator[list[t.Any]]:
    given = [value for value in values if value is not None]
    return (given[start : start + _CHUNK] for start in range(0, len(given), _CHUNK))


class SqlRegistry:
    """The registry in a database. See C(Registry) for what its methods promise."""

    def __init__(self, database: Database, meta: Mapping[str, str]) -> None:
        self._database = database
        self._access = Access(database)
        self._rows = Rows(database)
        self._made_writer: Writer | None = None
        self.location = database.location
        self.registry_id = meta["registry_id"]
        self.moved_to = moved_to(meta)

    def platforms(self) -> list[str]:
        rows = self._access.look("SELECT name FROM platforms ORDER BY name")
        return [name for (name,) in rows]

    def find(self, platform: str, number: str | None, record_id: int | None) -> Found:
        return self.find_many(platform, [(number, record_id)])[0]

    def find_many(
        self, platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> list[Found]:
        by_number: dict[t.Any, Record] = {}
        by_id: dict[t.Any, Record] = {}
        with self._access.reading() as transaction:
            for numbers in _chunks({number for number, _record_id in wanted}):
                by_number.update(self._rows.by_numbers(transaction, platform, numbers))
            for record_ids in _chunks({record_id for _number, record_id in wanted}):
                by_id.update(self._rows.by_ids(transaction, platform, record_ids))
        return [(by_number.get(number), by_id.get(record_id)) for number, record_id in wanted]

    def size(self, platform: str) -> int:
        ((size,),) = self._access.look("SELECT COUNT(*) FROM records WHERE platform = ?", platform)
        return int(size)

    def numberless(self, platform: str) -> list[int]:
        query = (
            "SELECT record_id FROM records r WHERE platform = ? AND record_id IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key) ORDER BY record_id"
        )
        return [record_id for (record_id,) in self._access.look(query, platform)]

    def verify(self) -> None:
        damage = self._database.damage() or self._lost_numbers()
        if damage:
            raise RegistryUnavailable(
                f"The registry {self.location} is damaged ({damage}). Nothing was sent: a record that cannot be read would look like"
                " a DID that does not exist. Restore the registry from its newest backup"
            )

    def _lost_numbers(self) -> str | None:
        # Each number is kept twice, in its record and as the key that leads there: one without the other is damage.
        lost = (
            "SELECT COUNT(*) FROM records r WHERE (outcome = 'unknown' OR fields LIKE '%\"did_number\":%')"
            " AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key)"
        )
        astray = "SELECT COUNT(*) FROM numbers n WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.record_key = n.record_key)"
        with self._access.reading() as transaction:
            ((without_key,),) = transaction.rows(lost)
            ((without_record,),) = transaction.rows(astray)
        if without_key or without_record:
            return f"{without_key} records have lost their number, {without_record} numbers their record"
        return None

    def ready_to_write(self) -> None:
        reason = self._database.unwritable()
        if reason:
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be written ({reason}). Nothing was sent, as nothing may be sent that cannot be"
                " recorded first"
            )

    def claim(self, platform: str, intent: Intent) -> str | None:
        return self._writer.claim(platform, intent)

    def holds(self, token: str, seconds: float) -> bool:
        query = f"SELECT 1 FROM records WHERE claim_token = ? AND claim_until - {self._database.now} >= ?"
        return bool(self._access.look_beside(query, token, seconds))

    def hurry(self) -> None:
        self._database.hurry()

    def together(self) -> contextlib.AbstractContextManager[None]:
        return self._writer.together()

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        return self._writer.confirm(token, platform, intent, record_id, at)

    def withdraw(self, token: str) -> None:
        self._writer.withdraw(token)

    def leave(self, token: str) -> None:
        self._writer.leave(token)

    def revise(self, platform: str, revisions: Sequence[Revision]) -> bool:
        return self._writer.revise(platform, revisions)

    @property
    def _writer(self) -> Writer:
        # Most runs find nothing to do, and do not pay for what writes.
        if self._made_writer is None:
            from ._writing import Writer

            self._made_writer = Writer(self._access, self._rows, self.location)
        return self._made_writer

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> list[tuple[str, Record]]:
        conditions = {
            "r.platform = ?": platform,
            "r.outcome = ?": outcome,
            "r.record_id = ?": record_id,
            "EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key AND n.number = ?)": number,
        }
        chosen = {condition: value for condition, value in conditions.items() if value is not None}
        where = " AND ".join(["1 = 1", *chosen])
        with self._access.reading() as transaction:
            platforms: dict[str, str] = dict(
                transaction.rows("SELECT record_key, platform FROM records")
            )
            records = self._rows.select(transaction, where, *chosen.values())
        return sorted(
            ((platforms[key], record) for key, record in records.items()),
            key=lambda entry: (entry[0], entry[1].numbers, entry[1].record_id or 0),
        )

    def history(self, platform: str | None) -> list[HistoryEntry]:
        query = (
            "SELECT at, actor, event, platform, number, record_id, details FROM history"
            " WHERE platform = COALESCE(?, platform) ORDER BY at, entry_key"
        )
        with self._access.reading() as transaction:
            rows = transaction.rows(query, platform)
        return [
            HistoryEntry(at, actor, event, where, number, record_id, self._rows.load(details))
            for at, actor, event, where, number, record_id, details in rows
        ]

    def summary(self) -> Summary:
        with self._access.reading() as transaction:
            counts: dict[str, int] = dict(
                transaction.rows("SELECT outcome, COUNT(*) FROM records GROUP BY outcome")
            )
            ((changed_at,),) = transaction.rows(
                "SELECT MAX(at) FROM (SELECT changed_at AS at FROM records UNION ALL SELECT at FROM history) changes"
            )
        return Summary(
            schema=schema_version(self._database, read_meta(self._database)),
            platforms=self.platforms(),
            counts={outcome: counts.get(outcome, 0) for outcome in (CONFIRMED, UNKNOWN, UNCERTAIN)},
            changed_at=changed_at,
        )

    def close(self) -> None:
        self._database.close()


def read_meta(database: Database) -> dict[str, str]:
    """Return the registry's own description, or raise if it is not a registry or not of the schema that this code knows."""
    meta: dict[str, str] = dict(database.look("SELECT name, value FROM meta"))
    if not meta.get("registry_id") or not meta.get("schema", "").isdigit():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: it has lost its id or its schema version"
        )
    return meta


def schema_version(database: Database, meta: dict[str, str]) -> int:
    """Return the registry's schema version, or raise C(RegistryMismatch) for one that is newer than this code."""
    version = int(meta["schema"])
    if version > CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did knows schemas up to {CURRENT}."
            " Nothing was written and nothing was sent. Install the release that wrote it, or a newer one"
        )
    return version
