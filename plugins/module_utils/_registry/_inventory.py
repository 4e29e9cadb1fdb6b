# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a registry holds as a whole: all of its records, its history, and whether it is sound."""

from __future__ import annotations

import typing as t

from .._errors import RegistryUnavailable
from ._changes import Forgotten
from ._place import RESTORE
from ._records import CONFIRMED, UNCERTAIN, UNDER_WAY, UNKNOWN
from ._store import chunks, marks

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection, Mapping, Sequence

    from ._records import Record
    from ._store import Access, Rows


class HistoryEntry(t.NamedTuple):
    """A line of history: who did what to which DID, and what was before. C(actor): user@host. C(at): UTC, ISO 8601."""

    at: str
    actor: str
    event: str
    platform: str
    number: str | None
    record_id: int | None
    details: Mapping[str, t.Any]


class Summary(t.NamedTuple):
    """What a registry holds as a whole. C(counts): records by shown outcome. C(changed_at): its last change, None if never."""

    schema: int
    platforms: Sequence[str]
    counts: Mapping[str, int]
    changed_at: str | None


class Inventory:
    """The part of C(SqlRegistry) that looks at all of it. See C(Registry) for what its methods promise."""

    def __init__(self, access: Access, rows: Rows) -> None:
        self._access = access
        self._rows = rows

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
        damage = self._access.database.damage() or self._lost_numbers()
        if damage:
            raise RegistryUnavailable(
                f"The registry {self._access.database.location} is damaged ({damage}). Nothing was sent: a record that cannot be read would look like"
                f" a DID that does not exist. To go on, {RESTORE}"
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

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> list[tuple[str, Record]]:
        # The clock goes on while rows are read, so a claim is judged once, by its record.
        stored = None if outcome == UNDER_WAY else outcome
        conditions = {
            "r.platform = ?": platform,
            "r.outcome = ?": stored,
            "r.claim_until > ?": 0 if outcome == UNDER_WAY else None,
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
            (
                (platforms[key], record)
                for key, record in records.items()
                if outcome in (None, record.shown_outcome)
            ),
            key=lambda entry: (entry[0], entry[1].numbers, entry[1].record_id or 0),
        )

    def made_by(self, attempts: Collection[str]) -> dict[str, tuple[str, str | None]]:
        made: dict[str, tuple[str, str | None]] = {}
        with self._access.reading() as transaction:
            for some in chunks(attempts):
                query = (
                    "SELECT r.record_key, r.platform, n.number FROM records r LEFT JOIN numbers n ON n.record_key = r.record_key"
                    f" WHERE r.record_key IN ({marks(some)})"
                )
                for key, platform, number in transaction.rows(query, *some):
                    made[key] = (platform, number)
        return made

    def forgotten(self, platform: str, numbers: Collection[str]) -> dict[str, Forgotten]:
        past: dict[str, Forgotten] = {}
        with self._access.reading() as transaction:
            for some in chunks(numbers):
                query = (
                    "SELECT number, record_id, details FROM history WHERE platform = ? AND event = 'forgotten'"
                    f" AND number IN ({marks(some)})"
                )
                for number, record_id, details in transaction.rows(query, platform, *some):
                    forgotten = past.setdefault(number, Forgotten(set(), set()))
                    attempt = self._rows.load(details).get("attempt")
                    if attempt is not None:
                        forgotten.attempts.add(attempt)
                    if record_id is not None:
                        forgotten.record_ids.add(record_id)
        return past

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

    def summary(self, schema: int, platforms: Sequence[str]) -> Summary:
        with self._access.reading() as transaction:
            counts: dict[str, int] = dict(
                transaction.rows(
                    f"SELECT CASE WHEN claim_until > {self._access.database.now} THEN '{UNDER_WAY}' ELSE outcome END AS shown, COUNT(*)"
                    " FROM records GROUP BY shown"
                )
            )
            ((changed_at,),) = transaction.rows(
                "SELECT MAX(at) FROM (SELECT changed_at AS at FROM records UNION ALL SELECT at FROM history) changes"
            )
        return Summary(
            schema=schema,
            platforms=platforms,
            counts={
                outcome: counts.get(outcome, 0)
                for outcome in (CONFIRMED, UNKNOWN, UNCERTAIN, UNDER_WAY)
            },
            changed_at=changed_at,
        )
