# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decides what people's statements about DIDs change in the registry. Reads nothing but the clock."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .._errors import Conflict, RegistryBusy
from .._fields import identity, is_same
from .._model import (
    CONFIRMED,
    FORGOTTEN,
    RECORDED,
    UNKNOWN,
    Correction,
    ForgottenHistory,
    LookupResult,
    NewState,
    Record,
    live_claim,
)


class Statement(t.NamedTuple):
    """What a task states of one DID. C(place): where it does. C(fields): wire values, fingerprints for secrets.

    C(not_known): fields that it declares, but whose value cannot be recorded. C(attempt): the create that it is about, as stated.
    C(state): that it is C(RECORDED) or C(FORGOTTEN).
    """

    place: str
    number: str | None
    record_id: int | None
    fields: t.Mapping[str, t.Any]
    not_known: t.Collection[str] = ()
    attempt: str | None = None
    state: str = RECORDED

    @property
    def label(self) -> str:
        """Return how messages call it."""
        return f"{self.place} ({self.did_number or f'record {self.record_id}'})"

    @property
    def did_number(self) -> str | None:
        """Return the number as stated, or None."""
        return self.fields.get("did_number")


class Contradiction(Exception):
    """A statement contradicts what the registry knows."""


class UnderWay(Contradiction):
    """A run holds the DID that a statement is about."""


Decision = tuple[Statement, "list[Correction] | Contradiction"]


def all_corrections(decisions: Sequence[Decision]) -> list[Correction]:
    """Return all corrections, or raise the contradictions of all statements as one error."""
    corrections: list[Correction] = []
    problems: list[str] = []
    busy = False
    for statement, decided in decisions:
        if isinstance(decided, Contradiction):
            busy |= isinstance(decided, UnderWay)
            problems.append(f"{statement.label}: {decided}")
        else:
            corrections += decided
    problems += _check_distinct(corrections)
    if problems:
        raise (RegistryBusy if busy else Conflict)("Nothing was written. " + "; ".join(problems))
    return corrections


def _check_distinct(corrections: Sequence[Correction]) -> list[str]:
    """Return a problem for each record that two entries change: the result would depend on their order."""
    seen: set[str] = set()
    problems: list[str] = []
    for known in (correction.known for correction in corrections):
        if known is not None and known.key in seen:
            name = (
                f"record {known.record_id}"
                if known.did_number is None
                else f"DID {known.did_number}"
            )
            problems.append(
                f"two entries would change {name} of the registry: give them to two tasks, one after the other"
            )
        elif known is not None:
            seen.add(known.key)
    return problems


# Recording


def is_open_create(record: Record | None) -> bool:
    """Tell whether a create of unknown outcome is known of a DID."""
    return record is not None and record.outcome == UNKNOWN


def decide_recorded(
    statement: Statement, by_number: Record | None, by_id: Record | None
) -> list[Correction]:
    """Return what makes the registry hold what a statement says, nothing if it does."""
    record_id = t.cast("int", statement.record_id)
    known = by_id or by_number
    if known is not None and len(known.numbers) > 1 and statement.number is None:
        raise Contradiction(
            f"two numbers lead to it in the registry ({' and '.join(known.numbers)}), as the outcome of a renumbering is not known: give"
            " the one that it bears as did_number"
        )
    number = statement.number
    if number is None and known is not None and len(known.numbers) == 1:
        number = known.numbers[0]
    new_state = NewState(number, record_id, _fields_after(statement, known))
    if by_number is not None and known is not None and by_number.key != known.key:
        return [Correction(FORGOTTEN, by_number, None), Correction(RECORDED, known, new_state)]
    if known is not None and _is_recorded(known, new_state):
        return []
    return [Correction(RECORDED, known, new_state)]


def check_recorded(
    statement: Statement,
    by_number: Record | None,
    by_id: Record | None,
    past: ForgottenHistory | None,
) -> None:
    """Refuse a statement that contradicts the registry, or is older than a change of it, as in a task left in a playbook.

    :param past: what was forgotten of its number, if a create of that is open.
    """
    if past is not None and statement.record_id in past.record_ids:
        raise Contradiction(
            f"record {statement.record_id} was forgotten, and a create that began later is open: that create would make another record. Look"
            f" up both on the platform. If it is record {statement.record_id} nevertheless, set overwrite: true"
        )
    if statement.attempt is not None and is_open_create(by_number):
        _check_same_attempt(statement, t.cast("Record", by_number))
    if by_number is not None and len(by_number.numbers) > 1:
        # The number before a renumbering whose outcome is not known.
        before = by_number.fields.get("did_number")
        if before is not None and statement.number == identity(before):
            raise Contradiction(
                f"it is not known whether record {by_number.record_id} has been renumbered ({' and '.join(by_number.numbers)}). Run the task"
                " that renumbers it again, which does no harm. If you know that it still bears this number, set overwrite: true"
            )
    if by_number is not None and by_number.record_id not in (None, statement.record_id):
        raise Contradiction(
            f"the registry knows it as record {by_number.record_id}, not {statement.record_id}; overwrite: true replaces that"
        )
    if by_id is not None and by_id.numbers and statement.number not in (None, *by_id.numbers):
        raise Contradiction(
            f"the registry knows record {statement.record_id} as DID {by_id.did_number}; overwrite: true replaces that"
        )
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        raise Contradiction(
            f"in the registry the number and record {statement.record_id} are two records; overwrite: true makes them one"
        )


def _fields_after(statement: Statement, known: Record | None) -> dict[str, t.Any]:
    """Keep what was known of the same record, except fields that a request of unknown outcome may have changed since."""
    if known is None or known.record_id != statement.record_id:
        return dict(statement.fields)
    uncertain = {*known.attempted, *statement.not_known}
    certain = {name: value for name, value in known.fields.items() if name not in uncertain}
    return {**certain, **statement.fields}


def _is_recorded(known: Record, new_state: NewState) -> bool:
    """Tell whether the registry holds all this already."""
    settled = not known.attempted and known.outcome == CONFIRMED
    same_number = known.numbers == (() if new_state.number is None else (new_state.number,))
    same_fields = known.fields.keys() == new_state.fields.keys() and all(
        is_same(name, value, new_state.fields[name]) for name, value in known.fields.items()
    )
    return settled and same_number and same_fields and known.record_id == new_state.record_id


# Forgetting


def check_attempt(statement: Statement, platform: str, made: tuple[str, str | None] | None) -> None:
    """Refuse the attempt of another DID, as from a row of a spreadsheet that was moved, or of another platform.

    :param made: the platform and the number of the record that the attempt made.
    """
    if made is None or made == (platform, statement.number):
        return
    name = "a record without a number" if made[1] is None else f"DID {made[1]}"
    where = "" if made[0] == platform else f" on the platform {made[0]}"
    raise Contradiction(f"its attempt is the one that made {name}{where}")


def decide_forgotten(
    statement: Statement, by_number: Record | None, by_id: Record | None
) -> list[Correction]:
    """Return what makes the registry forget the DID of a statement, nothing if it does not know it."""
    known = by_number or by_id
    if known is None:
        return []
    _check_unclaimed(by_number, by_id)
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        raise Contradiction(
            f"the number is one record in the registry, and record {statement.record_id} is another"
        )
    if statement.number is not None and by_number is None and known.numbers:
        raise Contradiction(
            f"the registry knows record {known.record_id} as DID {known.did_number}"
        )
    if known.outcome == UNKNOWN:
        return [Correction(FORGOTTEN, known, None, _attempt_of(statement, known))]
    if statement.attempt is not None:
        raise Contradiction(
            f"the registry knows it as record {known.record_id} by now, so its outcome is known. Look it up on the platform again"
        )
    if statement.record_id is None:
        raise Contradiction(
            f"the registry knows it as record {known.record_id}. To forget it nevertheless, give that record_id too: a run that declares"
            " it afterwards creates it again"
        )
    if known.record_id != statement.record_id:
        raise Contradiction(
            f"the registry knows it as record {known.record_id}, not {statement.record_id}"
        )
    return [Correction(FORGOTTEN, known, None)]


def _check_unclaimed(*found: Record | None) -> None:
    """Refuse while a run holds the DID: the platform may change after the person has looked at it."""
    claim = live_claim(t.cast(LookupResult, found))
    if claim is not None:
        raise UnderWay(
            f"a run ({claim.holder}) is at work on its {claim.action}, until {claim.ends_at} at the latest. Nobody has seen its outcome"
            " yet. Wait until did_info no longer shows it as under_way, look it up on the platform again, and then state what you find"
        )


def _attempt_of(statement: Statement, known: Record) -> str:
    """Return the attempt of a statement about a create of unknown outcome. It must be the one that is open."""
    if statement.record_id is not None:
        raise Contradiction("no record id is known of it, so none can be given to forget it")
    if statement.attempt is None:
        raise Contradiction(
            "the outcome of a create of it is not known. Look it up on the platform; if it is not there, give the attempt that did_info"
            " shows with its did_number, as this may be another create than the one that you looked for"
        )
    _check_same_attempt(statement, known)
    return statement.attempt


def _check_same_attempt(statement: Statement, known: Record) -> None:
    if statement.attempt != known.attempt:
        raise Contradiction(
            "the create whose outcome is not known is another one than this attempt. Look it up on the platform again, and give the attempt"
            " that did_info shows now"
        )
