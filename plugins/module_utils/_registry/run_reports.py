# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads which runs there were, and what each of them did."""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Iterator, Sequence

from .._model import UNDER_WAY
from .backends.interface import Row, Transaction
from .records import chunks, placeholders
from .runs import COMPLETED, FAILED, STOPPED

# The version of the schema that has runs.
FIRST_SCHEMA = 2
INTERRUPTED = "interrupted"
# The worst of several comes first.
_RESULTS = (UNDER_WAY, INTERRUPTED, STOPPED, FAILED, COMPLETED)
_PAGE = 200


class ListSource(t.NamedTuple):
    """A list that a run applied."""

    name: str
    digest: str


class RunReport(t.NamedTuple):
    """What is known of a run, or of several consecutive ones of one C(ansible-playbook) process.

    C(runs): their keys, oldest first. C(result): of the one that ended worst. C(applied): how many requests were applied, by action.
    C(open): of how many requests it is not known by now whether they were applied.
    """

    runs: list[str]
    platform: str
    actor: str
    session: str | None
    result: str
    began_at: str
    ended_at: str | None
    lists: list[ListSource]
    applied: dict[str, int]
    open: int


class _Run(t.NamedTuple):
    key: str
    platform: str
    actor: str
    session: str | None
    list_name: str | None
    list_digest: str | None
    began_at: str
    ended_at: str | None
    result: str | None


def read_runs(
    transaction: Transaction, now: str, platform: str | None, count: int
) -> list[RunReport]:
    """Return the newest runs of one platform, or of all, newest first.

    :param now: the SQL of the time, C(Database.now).
    """
    grouped = itertools.groupby(_newest_first(transaction, platform), key=_session_of)
    sessions = [[*runs][::-1] for _session, runs in itertools.islice(grouped, count)]
    keys = [run.key for runs in sessions for run in runs]
    applied, claims = _applied(transaction, keys), _open_claims(transaction, now, keys)
    return [_report(runs, applied, claims) for runs in sessions]


def _newest_first(transaction: Transaction, platform: str | None) -> Iterator[_Run]:
    condition, values = "platform = COALESCE(?, platform)", (platform,)
    rows = _page(transaction, condition, *values)
    while rows:
        yield from map(_Run._make, rows)
        rows = _page(transaction, f"{condition} AND run_key < ?", *values, rows[-1][0])


def _page(transaction: Transaction, where: str, *values: t.Any) -> Sequence[Row]:
    return transaction.query(
        f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE {where} ORDER BY run_key DESC LIMIT {_PAGE}",
        *values,
    )


_COLUMNS = ("run_key", *_Run._fields[1:])


def _session_of(run: _Run) -> tuple[str, str, str]:
    """Return what consecutive runs have in common that are shown as one."""
    return run.platform, run.actor, run.session or run.key


def _applied(transaction: Transaction, keys: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many requests of runs were applied, by run and action."""
    applied: dict[str, dict[str, int]] = {}
    for some in chunks(keys):
        query = f"SELECT run_key, action, COUNT(*) FROM history WHERE run_key IN ({placeholders(some)}) GROUP BY run_key, action"
        for key, action, count in transaction.query(query, *some):
            applied.setdefault(key, {})[action] = count
    return applied


def _open_claims(
    transaction: Transaction, now: str, keys: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Return of how many requests of runs the outcome is not known, and how many of these are under way, by run."""
    claims: dict[str, tuple[int, int]] = {}
    for some in chunks(keys):
        query = (
            f"SELECT claim_run, COUNT(*), SUM(CASE WHEN claim_until > {now} THEN 1 ELSE 0 END) FROM records"
            f" WHERE claim_token IS NOT NULL AND claim_run IN ({placeholders(some)}) GROUP BY claim_run"
        )
        for key, count, live in transaction.query(query, *some):
            claims[key] = (count, live)
    return claims


def _report(
    runs: Sequence[_Run],
    applied: dict[str, dict[str, int]],
    claims: dict[str, tuple[int, int]],
) -> RunReport:
    counts: dict[str, int] = {}
    for run in runs:
        for action, count in applied.get(run.key, {}).items():
            counts[action] = counts.get(action, 0) + count
    lists = {
        ListSource(run.list_name, run.list_digest): None
        for run in runs
        if run.list_name is not None and run.list_digest is not None
    }
    first, last = runs[0], runs[-1]
    return RunReport(
        runs=[run.key for run in runs],
        platform=first.platform,
        actor=first.actor,
        session=first.session,
        result=min((_result(run, claims) for run in runs), key=_RESULTS.index),
        began_at=first.began_at,
        ended_at=last.ended_at,
        lists=[*lists],
        applied=counts,
        open=sum(claims.get(run.key, (0, 0))[0] for run in runs),
    )


def _result(run: _Run, claims: dict[str, tuple[int, int]]) -> str:
    """Return how a run ended. One without an end is interrupted, unless a claim of it is live."""
    if run.result is not None:
        return run.result
    return UNDER_WAY if claims.get(run.key, (0, 0))[1] else INTERRUPTED
