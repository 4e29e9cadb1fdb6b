# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Takes people's statements into the registry: looks up, decides for the whole list, writes all of it in one transaction or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .._errors import RegistryBusy
from .._messages import claim_held
from .._model import FORGOTTEN, Claim, Correction, LookupResult
from .._planning.corrections import (
    Contradiction,
    Decision,
    Statement,
    all_corrections,
    check_attempt,
    check_recorded,
    decide_forgotten,
    decide_recorded,
    is_open_create,
)
from .._registry.claims import wait_for_claims
from .._registry.records import chunks
from .._registry.registry import Registry

# How many DIDs are looked up at a time.
_CHUNK = 2000


def correct(
    registry: Registry,
    platform: str,
    statements: Sequence[Statement],
    *,
    overwrite: bool,
    timeout: float,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
    report: Callable[[int, int, int], None] = lambda done, total, failed: None,
    max_races: int = 100,
) -> list[Correction]:
    """Take a list of statements into the registry. Returns the corrections that were, or would be, made.

    :param timeout: seconds to wait, before something is recorded, for runs that hold one of the DIDs. To forget a DID never waits:
        what its run does meanwhile is not what the person has looked at.
    :param report: is told often how many corrections are written, how many there are, and how many of those written have failed.
    :param max_races: how often to decide anew because another run has changed a record since the look-up.
    :raises Conflict: some of them contradict the registry; all of these are named, and nothing is written.
    :raises RegistryBusy: another run holds one of the DIDs, or keeps changing them; nothing is written.
    """
    deadline = time.monotonic() + timeout
    for _race in range(max_races):
        to_forget = [each for each in statements if each.state == FORGOTTEN]
        to_record = [each for each in statements if each.state != FORGOTTEN]
        decisions = _decide_forgotten(registry, platform, to_forget) if to_forget else []
        # Of a DID that is as stated, nothing that was looked up is kept.
        for some in chunks(to_record, _CHUNK):
            found = wait_for_claims(registry, platform, some, until=deadline, sleep=sleep)
            decisions += _decide_recorded(registry, platform, some, found, overwrite)
        corrections = all_corrections(decisions)
        # A decision holds for the records as looked up: it is written only if they are still the same, and unclaimed.
        if (
            not apply
            or not corrections
            or registry.journal.apply_corrections(platform, corrections, report)
        ):
            return corrections
    raise RegistryBusy("Other runs keep changing these DIDs. Nothing was written. Run again later")


def _decide_recorded(
    registry: Registry,
    platform: str,
    statements: Sequence[Statement],
    found: Sequence[LookupResult | Claim],
    overwrite: bool,
) -> list[Decision]:
    open_numbers = {
        statement.number
        for statement, each in zip(statements, found)
        if statement.number is not None and not isinstance(each, Claim) and is_open_create(each[0])
    }
    past = registry.reports.forgotten(platform, open_numbers) if open_numbers else {}
    made = _made_by(registry, statements)
    decisions: list[Decision] = []
    for statement, each in zip(statements, found):
        if isinstance(each, Claim):
            raise claim_held(statement, each)
        try:
            check_attempt(statement, platform, made.get(statement.attempt or ""))
            if not overwrite:
                check_recorded(statement, *each, past.get(statement.number or ""))
            decisions.append((statement, decide_recorded(statement, *each)))
        except Contradiction as problem:
            decisions.append((statement, problem))
    return decisions


def _decide_forgotten(
    registry: Registry, platform: str, statements: Sequence[Statement]
) -> list[Decision]:
    found = registry.find_many(platform, [(each.number, each.record_id) for each in statements])
    # After the look-up: the history then holds each attempt that a newer record has replaced.
    numbers = {
        each.number for each in statements if each.attempt is not None and each.number is not None
    }
    past = registry.reports.forgotten(platform, numbers)
    made = _made_by(registry, statements)
    decisions: list[Decision] = []
    for statement, (by_number, by_id) in zip(statements, found):
        before = past.get(statement.number or "")
        if statement.attempt is not None and before and statement.attempt in before.attempts:
            # Stated before. It says nothing of what has become of the number since.
            decisions.append((statement, []))
            continue
        try:
            check_attempt(statement, platform, made.get(statement.attempt or ""))
            decisions.append((statement, decide_forgotten(statement, by_number, by_id)))
        except Contradiction as problem:
            decisions.append((statement, problem))
    return decisions


def _made_by(
    registry: Registry, statements: Sequence[Statement]
) -> dict[str, tuple[str, str | None]]:
    """Return the platform and the number of the records that the attempts of statements made."""
    attempts = {each.attempt for each in statements if each.attempt is not None}
    return registry.reports.made_by(attempts) if attempts else {}
