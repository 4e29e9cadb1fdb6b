# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Deletes old lines of history, and old runs. Records are never touched."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .._model import CONFIRMED, FORGOTTEN
from .backends.interface import Transaction
from .records import chunks, placeholders
from .transactions import Transactions

# What is kept: what people had forgotten, which tells that a record is gone on purpose; the newest line of each DID; the lines of a DID whose
# outcome is open. A DID is its number, or its record id where no number is known. The conditions have the same placeholders.
_OLD = "platform = ? AND at < ? AND event <> ?"
_NEWER = "(n.at > history.at OR (n.at = history.at AND n.entry_key > history.entry_key))"
_OPEN = "r.platform = history.platform AND (r.outcome <> ? OR r.claim_token IS NOT NULL)"
_CONDITIONS = (
    f"number IS NOT NULL AND {_OLD} AND EXISTS (SELECT 1 FROM history n WHERE n.platform = history.platform"
    f" AND n.number = history.number AND {_NEWER}) AND NOT EXISTS (SELECT 1 FROM numbers m JOIN records r ON r.record_key = m.record_key"
    f" WHERE m.platform = history.platform AND m.number = history.number AND {_OPEN})",
    f"number IS NULL AND {_OLD} AND EXISTS (SELECT 1 FROM history n WHERE n.platform = history.platform AND n.number IS NULL"
    f" AND n.record_id = history.record_id AND {_NEWER})"
    f" AND NOT EXISTS (SELECT 1 FROM records r WHERE r.record_id = history.record_id AND {_OPEN})",
)


class PruneResult(t.NamedTuple):
    """How many lines of history, and how many runs, were or would be deleted."""

    history: int
    runs: int


def prune(transactions: Transactions, platform: str, before: str, *, apply: bool) -> PruneResult:
    """Delete what a platform's history holds from before a time (UTC, ISO 8601), or count what that would delete.

    A run is kept as long as one of its lines is, or one of its requests has no known outcome.
    """
    if not apply:
        return transactions.read(lambda transaction: _count(transaction, platform, before)[0])

    def delete() -> PruneResult:
        with transactions.writing() as transaction:
            return _delete(transaction, platform, before)

    return transactions.retry(delete)


def _count(
    transaction: Transaction, platform: str, before: str
) -> tuple[PruneResult, Sequence[str]]:
    """Return what is to be deleted, and the keys of the runs."""
    lines = _count_lines(transaction, (platform, before, FORGOTTEN, CONFIRMED))
    runs = _old_runs(transaction, platform, before, lines)
    return PruneResult(sum(lines.values()), len(runs)), runs


def _delete(transaction: Transaction, platform: str, before: str) -> PruneResult:
    result, runs = _count(transaction, platform, before)
    for condition in _CONDITIONS:
        transaction.execute(
            f"DELETE FROM history WHERE {condition}", platform, before, FORGOTTEN, CONFIRMED
        )
    for some in chunks(runs):
        transaction.execute(f"DELETE FROM runs WHERE run_key IN ({placeholders(some)})", *some)
    return result


def _count_lines(transaction: Transaction, values: tuple[str, ...]) -> dict[str | None, int]:
    """Return how many lines are to be deleted, by run."""
    lines: dict[str | None, int] = {}
    for condition in _CONDITIONS:
        query = f"SELECT run_key, COUNT(*) FROM history WHERE {condition} GROUP BY run_key"
        for run, count in transaction.query(query, *values):
            lines[run] = lines.get(run, 0) + count
    return lines


def _old_runs(
    transaction: Transaction, platform: str, before: str, lines: dict[str | None, int]
) -> list[str]:
    """Return the runs of which nothing is left without these lines."""
    rows = transaction.query(
        "SELECT run_key, (SELECT COUNT(*) FROM history h WHERE h.run_key = runs.run_key) FROM runs WHERE platform = ? AND began_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM records r WHERE r.claim_token IS NOT NULL AND r.claim_run = runs.run_key)",
        platform,
        before,
    )
    return [run for run, count in rows if count == lines.get(run, 0)]
