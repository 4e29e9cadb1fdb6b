# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads rows of the tables as records."""

from __future__ import annotations

import json
import typing as t

from .._errors import RegistryUnavailable
from .._model import Claim, Record
from .backends.interface import RESTORE

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterable, Iterator, Sequence

    from .backends.interface import Database, Transaction


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
        for name, *row, number in transaction.query(query, *values):
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
