# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads and writes rows of the tables C(records) and C(numbers), and reads C(platforms)."""

from __future__ import annotations

import json
import os
import time
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from .._errors import RegistryUnavailable
from .._model import CONFIRMED, Claim, Record
from .backends.interface import GUIDE, LONGEST_LIST, RESTORE, Database, Row, Transaction

# C(Transaction.query), or one like it.
Query = Callable[..., Sequence[Row]]

# Of a platform, a record id and the key of the record that is to have it.
ID_IS_FREE = "NOT EXISTS (SELECT 1 FROM records o WHERE o.platform = ? AND o.record_id = ? AND o.record_key <> ?)"
# The end of a claim.
CLEAR_CLAIM = "claim_token = NULL, claim_until = NULL, claim_holder = NULL, claim_action = NULL, claim_before = NULL, claim_run = NULL"
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class RecordReader:
    """Reads rows as records."""

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
        for name, *row, number in transaction.query(query, *values):
            # A record with two numbers comes in two rows.
            numbers = found[name].numbers if name in found else ()
            if number is not None:
                numbers = tuple(sorted((*numbers, number)))
            found[name] = self._record(row, numbers)
        return found

    def by_numbers(
        self, transaction: Transaction, platform: str, numbers: Sequence[str]
    ) -> dict[str, Record]:
        """Return the records of numbers, by number."""
        source = "numbers n JOIN records r ON r.record_key = n.record_key"
        where = f"n.platform = ? AND n.number IN ({placeholders(numbers)})"
        return self.select(transaction, where, platform, *numbers, source=source, key="n.number")

    def by_ids(
        self, transaction: Transaction, platform: str, record_ids: Sequence[int]
    ) -> dict[int, Record]:
        """Return the records with record ids, by record id."""
        where = f"r.platform = ? AND r.record_id IN ({placeholders(record_ids)})"
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


def known_platforms(query: Query) -> list[str]:
    """Return the names of the platforms that a registry knows, in their order."""
    return [name for (name,) in query("SELECT name FROM platforms ORDER BY name")]


def placeholders(values: Sequence[t.Any]) -> str:
    """Return placeholders for so many values."""
    return ", ".join("?" * len(values))


def chunks(values: Iterable[t.Any], size: int = LONGEST_LIST) -> Iterator[list[t.Any]]:
    """Yield all values but None, so many at a time. C(size): as C(Database.longest_list), the default is for every backend."""
    given = [value for value in values if value is not None]
    return (given[start : start + size] for start in range(0, len(given), size))


def dump(values: Mapping[str, t.Any]) -> str:
    """Return values as they are stored."""
    return _ENCODER.encode(values)


def new_key() -> str:
    """Return a key that no other run makes. Keys rise with time, so rows that are written one after the other are near in the index."""
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"


def record_state(record: Record) -> dict[str, t.Any]:
    """Return what is stored of a record's state before a change: for a rollback, and in the history."""
    names = ("outcome", "record_id", "numbers", "fields", "attempted")
    return {name: getattr(record, name) for name in names}


def insert(
    transaction: Transaction,
    table: str,
    values: Mapping[str, t.Any],
    *,
    ignore_conflict: bool = False,
    **expressions: str,
) -> bool:
    """Insert a row, its values by column. Returns whether it was inserted. Raises C(RegistryUnavailable) where the database drops it.

    :param ignore_conflict: whether a row that breaks a uniqueness rule is left out, and C(Collision) is not raised.
    :param expressions: by column, the SQL of its value in place of a mere placeholder.
    """
    columns = ", ".join(values)
    places = ", ".join(expressions.get(column, "?") for column in values)
    conflict = " ON CONFLICT DO NOTHING" if ignore_conflict else ""
    sql = f"INSERT INTO {table} ({columns}) VALUES ({places}){conflict}"
    is_inserted = transaction.change_one(sql, *values.values())
    if not is_inserted and not ignore_conflict:
        raise not_kept()
    return is_inserted


def not_kept() -> RegistryUnavailable:
    """Return the error for a row that a trigger or a rule drops: it was made while this run was at work, as earlier ones are refused."""
    return RegistryUnavailable(
        f"The registry does not keep what is written: a trigger or a rule of the database drops it. {GUIDE}"
    )


def insert_number(
    transaction: Transaction,
    platform: str,
    number: str | None,
    key: str,
    *,
    ignore_conflict: bool = False,
) -> bool:
    """Insert the number of a record, if it has one. Returns False where the number is another record's."""
    if number is None:
        return True
    values = {"platform": platform, "number": number, "record_key": key}
    return insert(transaction, "numbers", values, ignore_conflict=ignore_conflict)


def confirmed_record(
    key: str,
    version: int,
    record_id: int,
    number: str | None,
    fields: Mapping[str, t.Any],
    confirmed_at: str | None,
) -> Record:
    """Return a record whose last request the platform confirmed."""
    numbers = () if number is None else (number,)
    return Record(key, version, record_id, CONFIRMED, numbers, fields, {}, confirmed_at, None)


def insert_confirmed(
    transaction: Transaction, platform: str, record: Record, changed_at: str
) -> None:
    """Insert a confirmed record with its numbers."""
    values = {
        "record_key": record.key,
        "platform": platform,
        "version": record.version,
        "record_id": record.record_id,
        "outcome": record.outcome,
        "fields": dump(record.fields),
        "attempted": "{}",
        "confirmed_at": record.confirmed_at,
        "changed_at": changed_at,
    }
    insert(transaction, "records", values)
    for number in record.numbers:
        insert_number(transaction, platform, number, record.key)
