# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Record and forget DIDs: look up, decide for the whole list, write all of it in one transaction or nothing."""

from __future__ import annotations

import time
import typing as t

from .._errors import RegistryBusy
from .._messages import busy
from .._model import FORGOTTEN, Claim, Revision
from .._planning.corrections import (
    Statement,
    _all_of,
    _check_attempt,
    _check_recorded,
    _Contradiction,
    _Decisions,
    _forget,
    _is_open,
    _record,
)
from .._registry.claims import find_unclaimed

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from .._model import Found
    from .._registry.registry import Registry

_RACES = 100


def resolve(
    registry: Registry,
    platform: str,
    state: str,
    statements: Sequence[Statement],
    *,
    overwrite: bool,
    patience: float,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Revision]:
    """Take a list of statements into the registry. Returns the corrections that were, or would be, made.

    :param patience: seconds to wait, before something is recorded, for runs that hold one of the DIDs. To forget one waits for nobody:
        what its run does meanwhile is nothing that the person has seen.
    :raises Conflict: some of them contradict the registry; all of these are named, and nothing is written.
    :raises RegistryBusy: another run holds one of the DIDs, to record them for longer.
    """
    deadline = time.monotonic() + patience
    for _race in range(_RACES):
        if state == FORGOTTEN:
            decisions = _forgettings(registry, platform, statements)
        else:
            found = find_unclaimed(registry, platform, statements, until=deadline, sleep=sleep)
            decisions = _recordings(registry, platform, statements, found, overwrite)
        revisions = _all_of(decisions)
        # What was decided holds for the records as looked at: it is written only if they are still the same, and free.
        if not apply or not revisions or registry.journal.apply_corrections(platform, revisions):
            return revisions
    raise RegistryBusy(
        "Other runs change these DIDs all the time. Nothing was written. Run again later"
    )


# Recording


def _recordings(
    registry: Registry,
    platform: str,
    statements: Sequence[Statement],
    found: Sequence[Found | Claim],
    overwrite: bool,
) -> _Decisions:
    open_numbers = {
        statement.number
        for statement, each in zip(statements, found)
        if statement.number is not None and not isinstance(each, Claim) and _is_open(each[0])
    }
    past = registry.reports.forgotten(platform, open_numbers) if open_numbers else {}
    decisions: _Decisions = []
    for statement, each in zip(statements, found):
        if isinstance(each, Claim):
            raise busy(statement, each)
        try:
            if not overwrite:
                _check_recorded(statement, *each, past.get(statement.number or ""))
            decisions.append((statement, _record(statement, *each)))
        except _Contradiction as problem:
            decisions.append((statement, problem))
    return decisions


# Forgetting


def _forgettings(registry: Registry, platform: str, statements: Sequence[Statement]) -> _Decisions:
    found = registry.find_many(platform, [(each.number, each.record_id) for each in statements])
    # After the look: what a record has taken the place of is in the history by now.
    speaking = [each for each in statements if each.attempt is not None]
    past = registry.reports.forgotten(
        platform, {each.number for each in speaking if each.number is not None}
    )
    made = registry.reports.made_by({t.cast("str", each.attempt) for each in speaking})
    decisions: _Decisions = []
    for statement, (by_number, by_id) in zip(statements, found):
        gone = past.get(statement.number or "")
        if (
            statement.attempt is not None
            and gone is not None
            and statement.attempt in gone.attempts
        ):
            # Said before. Whatever has become of the number since, this is not about that.
            decisions.append((statement, []))
            continue
        try:
            _check_attempt(statement, platform, made.get(statement.attempt or ""))
            decisions.append((statement, _forget(statement, by_number, by_id)))
        except _Contradiction as problem:
            decisions.append((statement, problem))
    return decisions
