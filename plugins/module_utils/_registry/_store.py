# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The registry on any SQL database: plain tables, claims in rows, short transactions.

What most runs need is here; C(_writing) and C(_inventory) are loaded where something is written, or asked of the registry as a whole.
The SQL is common to all kinds of databases; placeholders are question marks.
"""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t

from .._errors import RegistryMismatch, RegistryUnavailable
from ._place import RESTORE
from ._records import Claim, Record
from ._schema import CURRENT

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ._changes import Forgotten, Intent, Revision
    from ._inventory import HistoryEntry, Inventory, Summary
    from ._protocols import Database, Row, Transaction
    from ._records import Found
    from ._writing import Writer


class Collision(Exception):
    """A row would break a uniqueness rule: another run was first."""


class CommitUnknown(RegistryUnavailable):
    """The connection broke while a transaction was ended: nobody knows whether it was written."""


class Access:
    """A database as several threads share it: one transaction at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.RLock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that changes nothing."""
        with self.lock, self.database.reading() as transaction:
            yield transaction

    def look(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query."""
        with self.lock:
            return self.database.look(sql, *values)

    def look_beside(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query that sees what is durable, if possible without waiting for another thread's transaction."""
        found = self.database.look_beside(sql, *values)
        return self.look(sql, *values) if found is None else found


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
        where = f"n.platform = ? AND n.number IN ({marks(numbers)})"
        return self.select(transaction, where, platform, *numbers, source=source, key="n.number")

    def by_ids(
        self, transaction: Transaction, platform: str, record_ids: Sequence[int]
    ) -> dict[int, Record]:
        """Return the records that bear record ids."""
        where = f"r.platform = ? AND r.record_id IN ({marks(record_ids)})"
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
                f"The registry {self._database.location} is damaged (a record's values cannot be read). To go on, {RESTORE}"
            )
        return value


def marks(values: Sequence[t.Any]) -> str:
    """Return placeholders for so many values."""
    return ", ".join("?" * len(values))


# How many values a query asks for at a time: SQLite before 3.32 takes 999.
_CHUNK = 500


def chunks(values: Iterable[t.Any]) -> Iterator[list[t.Any]]:
    """Yield all values but None, as many at a time as a query may ask for."""
    given = [value for value in values if value is not None]
    return (given[start : start + _CHUNK] for start in range(0, len(given), _CHUNK))


class SqlRegistry:
    """The registry in a database. See C(Registry) for what its methods promise."""

    def __init__(self, database: Database, meta: Mapping[str, str]) -> None:
        self._database = database
        self._access = Access(database)
        self._rows = Rows(database)
        self._meta = meta
        self._made_writer: Writer | None = None
        self.location = database.location
        self.registry_id = meta["registry_id"]

    @property
    def moved_to(self) -> str | None:
        from ._moving import moved_to

        return moved_to(self._meta)

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
            for numbers in chunks({number for number, _record_id in wanted}):
                by_number.update(self._rows.by_numbers(transaction, platform, numbers))
            for record_ids in chunks({record_id for _number, record_id in wanted}):
                by_id.update(self._rows.by_ids(transaction, platform, record_ids))
        return [(by_number.get(number), by_id.get(record_id)) for number, record_id in wanted]

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

    def size(self, platform: str) -> int:
        return self._inventory.size(platform)

    def numberless(self, platform: str) -> list[int]:
        return self._inventory.numberless(platform)

    def verify(self) -> None:
        self._inventory.verify()

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> list[tuple[str, Record]]:
        return self._inventory.records(platform, outcome, number, record_id)

    def made_by(self, attempts: Collection[str]) -> Mapping[str, tuple[str, str | None]]:
        return self._inventory.made_by(attempts)

    def forgotten(self, platform: str, numbers: Collection[str]) -> Mapping[str, Forgotten]:
        return self._inventory.forgotten(platform, numbers)

    def history(self, platform: str | None) -> list[HistoryEntry]:
        return self._inventory.history(platform)

    def summary(self) -> Summary:
        return self._inventory.summary(
            schema_version(self._database, read_meta(self._database)), self.platforms()
        )

    @property
    def _inventory(self) -> Inventory:
        from ._inventory import Inventory

        return Inventory(self._access, self._rows)

    def close(self) -> None:
        self._database.close()


def read_meta(database: Database) -> dict[str, str]:
    """Return the registry's own description, or raise if it is not a registry or not of the schema that this code knows."""
    meta: dict[str, str] = dict(database.look("SELECT name, value FROM meta"))
    if not meta.get("registry_id") or not meta.get("schema", "").isdigit():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: it has lost its id or its schema version. To go on, {RESTORE}"
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
