# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a registry as a whole: its records, its history, and whether it is damaged."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from .._errors import RegistryUnavailable
from .._model import (
    APPLIED_EVENT,
    CONFIRMED,
    OUTCOMES,
    UNDER_WAY,
    ForgottenHistory,
    Record,
)
from .backends.interface import RESTORE, Row, T, Transaction
from .lost_numbers import find_lost
from .meta import schema_version
from .records import RecordReader, chunks, known_platforms, placeholders
from .run_reports import FIRST_SCHEMA, RunReport, read_runs
from .transactions import Transactions

# How many lost DIDs a message names.
_NAMED = 5
# How many records are read at a time.
_PAGE = 1000


class HistoryEntry(t.NamedTuple):
    """A line of history: who did what to which DID, and what was before. C(actor): user@host. C(at): UTC, ISO 8601.

    C(run) and C(action): of a request, None for a person's statement.
    """

    at: str
    actor: str
    event: str
    platform: str
    number: str | None
    record_id: int | None
    details: Mapping[str, t.Any]
    run: str | None
    action: str | None


class Summary(t.NamedTuple):
    """What a registry holds as a whole. C(counts): records by shown outcome. C(changed_at): its last change, None if never."""

    schema: int
    platforms: Sequence[str]
    counts: Mapping[str, int]
    changed_at: str | None


class Reports:
    """Reads a registry as a whole."""

    def __init__(self, transactions: Transactions, records: RecordReader) -> None:
        self._transactions = transactions
        self._records = records
        self._database = transactions.database

    def count_records(self, platform: str) -> int:
        """Return how many records of a platform there are."""
        ((size,),) = self._transactions.query(
            "SELECT COUNT(*) FROM records WHERE platform = ?", platform
        )
        return int(size)

    def ids_without_number(self, platform: str) -> list[int]:
        """Return the ids of the records which are known by their id alone."""
        query = (
            # The conditions of an index.
            "SELECT record_id FROM records r WHERE platform = ? AND record_id IS NOT NULL AND fields NOT LIKE '%\"did_number\":%'"
            " AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key) ORDER BY record_id"
        )
        return [record_id for (record_id,) in self._transactions.query(query, platform)]

    def verify(self) -> None:
        """Read the whole registry and raise C(RegistryUnavailable) if it is damaged: a lost row would look like a new DID."""
        damage = self._database.why_damaged() or self._lost_numbers()
        if damage:
            raise self._damaged(damage)

    def verify_new(self, platform: str, numbers: Collection[str]) -> None:
        """Raise C(RegistryUnavailable) unless it is certain that the registry does not know these numbers, which a look-up has not found.

        The cost does not depend on the size of the registry, unless others than this code have written to it. It is then read as a whole.
        """
        self._database.ensure_verified(self.verify)
        lost = self._transactions.read(
            lambda transaction: find_lost(transaction, self._records, platform, numbers)
        )
        if lost:
            rest = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
            raise self._damaged(
                f"it knows the DIDs {', '.join(lost[:_NAMED])}{rest}, but has lost their numbers or their records"
            )

    def _damaged(self, damage: str) -> RegistryUnavailable:
        return RegistryUnavailable(
            f"The registry {self._database.location} is damaged ({damage}). Nothing was sent: a record that cannot be read would look like"
            f" a DID that does not exist. To go on, {RESTORE}"
        )

    def _lost_numbers(self) -> str | None:
        # Each number is stored twice, in its record and in the table numbers: one without the other is damage.
        lost = (
            "SELECT COUNT(*) FROM records r WHERE (outcome = 'unknown' OR fields LIKE '%\"did_number\":%')"
            " AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key)"
        )
        orphans = "SELECT COUNT(*) FROM numbers n WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.record_key = n.record_key)"
        ((without_number,),), ((without_record,),) = self._transactions.read(
            lambda transaction: (transaction.query(lost), transaction.query(orphans))
        )
        if without_number or without_record:
            return f"{without_number} records have lost their number, {without_record} numbers their record"
        return None

    def records(
        self,
        platform: str | None = None,
        *,
        outcome: str | None = None,
        number: str | None = None,
        record_id: int | None = None,
    ) -> list[tuple[str, Record]]:
        """Return the records that match all that is given, each with its platform's name, in the order of their numbers.

        :param outcome: as C(Record.shown_outcome) has it.
        """

        def read(transaction: Transaction) -> list[tuple[str, Record]]:
            names = known_platforms(transaction.query) if platform is None else [platform]
            return [
                (name, record)
                for name in names
                for record in self._records_of(transaction, name, outcome, number, record_id)
            ]

        return self._transactions.read(read)

    def _records_of(
        self,
        transaction: Transaction,
        platform: str,
        outcome: str | None,
        number: str | None,
        record_id: int | None,
    ) -> list[Record]:
        """Return the records of one platform. Whatever is given, an index finds them, unless they are all that are confirmed."""
        source = "records r"
        conditions: dict[str, t.Any] = {"r.platform = ?": platform}
        values: dict[str, t.Any] = {"r.record_id = ?": record_id}
        if number is not None:
            source = "numbers n JOIN records r ON r.record_key = n.record_key"
            values.update({"n.platform = ?": platform, "n.number = ?": number})
        conditions.update((name, value) for name, value in values.items() if value is not None)
        conditions.update(_of_outcome(outcome))
        where = " AND ".join(conditions)
        found = self._records.select(transaction, where, *conditions.values(), source=source)
        return sorted(
            (record for record in found.values() if outcome in (None, record.shown_outcome)),
            key=lambda record: (record.numbers, record.record_id or 0),
        )

    def scan(self, platform: str, outcome: str | None, work: Callable[[Iterator[Record]], T]) -> T:
        """Return what C(work) returns for the records of a platform, which it gets one by one, all of one moment, as they were made.

        Where the connection breaks, it is called again, for all of them.

        :param outcome: as in C(records).
        """
        return self._transactions.read(
            lambda transaction: work(self._scan(transaction, platform, outcome))
        )

    def _scan(
        self, transaction: Transaction, platform: str, outcome: str | None
    ) -> Iterator[Record]:
        # An index on the platform would have each page sort all records that are left, so this condition uses none.
        conditions = {"COALESCE(r.platform, '') = ?": platform, **_of_outcome(outcome)}
        # A record with two numbers comes in two rows, so the page is made before the numbers are joined.
        page = (
            f"(SELECT * FROM records r WHERE {' AND '.join(conditions)} AND r.record_key > ?"
            f" ORDER BY r.record_key LIMIT {_PAGE}) r"
        )
        last, size = "", _PAGE
        while size == _PAGE:
            found = self._records.select(
                transaction, "1 = 1 ORDER BY r.record_key", *conditions.values(), last, source=page
            )
            size, last = len(found), next(reversed(found), last)
            yield from (
                record for record in found.values() if outcome in (None, record.shown_outcome)
            )

    def made_by(self, attempts: Collection[str]) -> dict[str, tuple[str, str | None]]:
        """Return the platform and the number of the records that attempts made, by attempt, whatever has become of the records since."""
        query = "SELECT r.record_key, r.platform, n.number FROM records r LEFT JOIN numbers n ON n.record_key = r.record_key WHERE r.record_key IN"
        rows = self._rows_of(attempts, query)
        return {key: (platform, number) for key, platform, number in rows}

    def forgotten(self, platform: str, numbers: Collection[str]) -> dict[str, ForgottenHistory]:
        """Return what people have forgotten of numbers, by number."""
        query = "SELECT number, record_id, details FROM history WHERE platform = ? AND event = 'forgotten' AND number IN"
        past: dict[str, ForgottenHistory] = {}
        for number, record_id, details in self._rows_of(numbers, query, platform):
            forgotten = past.setdefault(number, ForgottenHistory(set(), set()))
            attempt = self._records.load(details).get("attempt")
            if attempt is not None:
                forgotten.attempts.add(attempt)
            if record_id is not None:
                forgotten.record_ids.add(record_id)
        return past

    def _rows_of(self, keys: Collection[str], query: str, *values: t.Any) -> list[Row]:
        """Return the rows of a query that ends in C(IN), for any number of keys. C(values): those of its placeholders."""
        return self._transactions.read(
            lambda transaction: [
                row
                for some in chunks(keys)
                for row in transaction.query(f"{query} ({placeholders(some)})", *values, *some)
            ]
        )

    def history(
        self,
        platform: str | None,
        numbers: Collection[str] | None = None,
        record_ids: Collection[int] = (),
    ) -> list[HistoryEntry]:
        """Return lines of history, oldest first: of one platform, or of all.

        :param numbers: with C(record_ids): only the lines that are about one of these. None for all lines.
        """
        # Otherwise than a comparison with an expression, this uses an index.
        where = "platform IN (SELECT name FROM platforms)" if platform is None else "platform = ?"
        of_platform = [] if platform is None else [platform]
        if numbers is None:
            rows = self._history_rows(where, *of_platform)
        else:
            rows = [
                row
                for column, values in (("number", numbers), ("record_id", record_ids))
                for some in chunks(values)
                for row in self._history_rows(
                    f"{where} AND {column} IN ({placeholders(some)})", *of_platform, *some
                )
            ]
        # A line may be about both.
        by_key = {key: (at, *line) for key, at, *line in rows}
        ordered = sorted(by_key.items(), key=lambda item: (item[1][0], item[0]))
        return [self._history_entry(line) for _key, line in ordered]

    def _history_rows(self, where: str, *values: t.Any) -> Sequence[Row]:
        requests = "run_key, action" if self._has_runs else "NULL, NULL"
        return self._transactions.query(
            f"SELECT entry_key, at, actor, event, platform, number, record_id, {requests}, details FROM history WHERE {where}",
            *values,
        )

    def _history_entry(self, line: Sequence[t.Any]) -> HistoryEntry:
        at, actor, event, platform, number, record_id, run, action, text = line
        details = self._records.load(text)
        return HistoryEntry(at, actor, event, platform, number, record_id, details, run, action)

    def runs(self, platform: str | None, count: int) -> list[RunReport]:
        """Return the newest runs of one platform, or of all, newest first. Consecutive runs of one session are one."""
        if not self._has_runs:
            return []
        return self._transactions.read(
            lambda transaction: read_runs(transaction, self._database.now, platform, count)
        )

    def applied_by(self, runs: Collection[str]) -> list[HistoryEntry]:
        """Return what runs have applied, oldest first."""
        rows = [
            row
            for some in chunks(runs)
            for row in self._history_rows(
                f"event = '{APPLIED_EVENT}' AND run_key IN ({placeholders(some)})", *some
            )
        ]
        return [self._history_entry(line) for _key, *line in sorted(rows)]

    def open_of(self, runs: Collection[str]) -> list[Record]:
        """Return the records whose last request is one of these runs, and of unknown outcome or under way."""
        return self._transactions.read(
            lambda transaction: [
                record
                for some in chunks(runs)
                for record in self._records.select(
                    transaction,
                    # The first condition is that of an index.
                    "r.outcome <> 'confirmed' AND r.claim_token IS NOT NULL"
                    f" AND r.claim_run IN ({placeholders(some)})",
                    *some,
                ).values()
            ]
        )

    @functools.cached_property
    def _has_runs(self) -> bool:
        """Tell whether the registry's schema has them."""
        return self._transactions.read(
            lambda transaction: schema_version(self._database, transaction.meta()) >= FIRST_SCHEMA
        )

    def summary(self) -> Summary:
        """Return what the registry holds as a whole."""
        return self._transactions.read(self._summary)

    def _summary(self, transaction: Transaction) -> Summary:
        schema = schema_version(self._database, transaction.meta())
        # There is an index of these: of the others, only their number is read.
        is_open = "outcome <> 'confirmed'"
        ((total,),) = transaction.query("SELECT COUNT(*) FROM records")
        counts: dict[str, int] = dict(
            transaction.query(
                f"SELECT CASE WHEN claim_until > {self._database.now} THEN '{UNDER_WAY}' ELSE outcome END AS shown, COUNT(*)"
                f" FROM records WHERE {is_open} GROUP BY shown"
            )
        )
        counts[CONFIRMED] = total - sum(counts.values())
        # What was confirmed has a line of history since there are runs.
        condition = f" WHERE {is_open}" if schema >= FIRST_SCHEMA else ""
        ((changed_at,),) = transaction.query(
            f"SELECT MAX(at) FROM (SELECT MAX(changed_at) AS at FROM records{condition} UNION ALL SELECT MAX(at) FROM history) changes"
        )
        return Summary(
            schema=schema,
            platforms=known_platforms(transaction.query),
            counts={outcome: counts.get(outcome, 0) for outcome in OUTCOMES},
            changed_at=changed_at,
        )


def _of_outcome(outcome: str | None) -> dict[str, t.Any]:
    """Return a condition for records that may have a shown outcome, and its value. The record then decides."""
    if outcome is None:
        return {}
    if outcome == UNDER_WAY:
        # The clock goes on while rows are read, so the record decides whether its claim is live.
        return {"r.outcome <> 'confirmed' AND r.claim_until > ?": 0}
    # The first condition is that of an index.
    is_open = "" if outcome == CONFIRMED else "r.outcome <> 'confirmed' AND "
    return {f"{is_open}r.outcome = ?": outcome}
