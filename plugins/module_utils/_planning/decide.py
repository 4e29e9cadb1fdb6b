# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decides what one DID needs: compares its desired values with what the registry knows. Pure."""

from __future__ import annotations

import typing as t

from .._errors import Conflict, InvalidParameter, UnknownOutcome
from .._fields import BY_NAME, is_same, mask_secrets, missing_companion
from .._model import (
    ADOPT,
    CONFIRMED,
    CREATE,
    NONE,
    UNKNOWN,
    UPDATE,
    Change,
    Desired,
    Plan,
    Policy,
    Record,
)
from .._secrets import MASK, MASK_AS_APPLIED, MASK_NEW, MASK_OF_OTHER_KEY, Fingerprints

_SAME, _DIFFERENT, _UNCHECKABLE = "same", "different", "uncheckable"
# How a secret is shown that was compared.
_MARKS = {_SAME: MASK, _DIFFERENT: MASK_AS_APPLIED, _UNCHECKABLE: MASK_OF_OTHER_KEY}


def decide(
    desired: Desired,
    by_number: Record | None,
    by_id: Record | None,
    policy: Policy,
    fingerprints: Fingerprints,
) -> Plan:
    """Decide what brings the platform from the last known state to the desired one.

    :param by_number: the record that the desired number leads to.
    :param by_id: the record that bears the desired record id.
    :raises Conflict: number, id and registry contradict each other.
    :raises UnknownOutcome: the outcome of an earlier create is not known, and the task gives no record id.
    :raises InvalidParameter: the DID gets a type, and the field that this needs is neither declared nor known.
    """
    known = _match(desired, by_number, by_id, policy)
    plan = _plan(desired, known, policy, fingerprints)
    if "did_type" in plan.changes:
        missing = missing_companion(desired.values, {} if known is None else known.fields)
        if missing:
            raise InvalidParameter(
                missing, did_number=desired.did_number, record_id=desired.record_id
            )
    return plan


def _plan(
    desired: Desired, known: Record | None, policy: Policy, fingerprints: Fingerprints
) -> Plan:
    if known is None:
        return _plan_all_fields(
            CREATE if desired.record_id is None else ADOPT, desired, None, policy
        )
    if known.outcome == UNKNOWN:
        if desired.record_id is None:
            raise UnknownOutcome(
                f"{desired.label}: the outcome of an earlier create is not known. Nothing was sent",
                did_number=desired.did_number,
                attempt=known.attempt,
            )
        return _plan_all_fields(ADOPT, desired, known, policy)
    return _plan_known(known, desired, policy, fingerprints)


def _plan_all_fields(action: str, desired: Desired, known: Record | None, policy: Policy) -> Plan:
    """Plan for a DID of which no values are known: all fields that are sent change."""
    payload = desired.values if action == CREATE else _edit_body(desired, policy)
    changes = {name: Change(None, value) for name, value in mask_secrets(payload).items()}
    return Plan(action, desired, known, desired.record_id, payload, changes)


def _edit_body(desired: Desired, policy: Policy) -> dict[str, t.Any]:
    """Return the body of an edit: every declared field, as the platform may merge or replace."""
    return {
        name: value
        for name, value in desired.values.items()
        if not (BY_NAME[name].secret and policy.update_password == "on_create")
    }


def _plan_known(
    known: Record, desired: Desired, policy: Policy, fingerprints: Fingerprints
) -> Plan:
    payload = _edit_body(desired, policy)
    changes: dict[str, Change] = {}
    uncheckable = []
    for name, value in payload.items():
        verdict = _verdict(name, value, known, fingerprints)
        if verdict != _SAME:
            changes[name] = _change(name, known.fields.get(name), value, verdict)
        if verdict == _UNCHECKABLE:
            uncheckable.append(name)
    resends = policy.force or not changes
    if not changes and not policy.force and known.outcome == CONFIRMED:
        return Plan(NONE, desired, known, known.record_id, {}, {})
    changes = {
        name: changes[name] if name in changes else Change(known.fields[name], value)
        for name, value in payload.items()
        if name in changes or _is_respelled(name, known.fields[name], value)
    }
    notes = tuple(
        f"the known {name} was recorded with another api_key and cannot be compared; it counts as changed"
        for name in uncheckable
    )
    return Plan(UPDATE, desired, known, known.record_id, payload, changes, notes, resends)


def _is_respelled(name: str, stored: t.Any, wire: t.Any) -> bool:
    """Tell whether an edit also changes how an equal value is written, such as a number with a '+'."""
    return bool(stored != wire) and not BY_NAME[name].secret


def _verdict(name: str, wire: t.Any, known: Record, fingerprints: Fingerprints) -> str:
    """Compare a declared value with the last confirmed one, and with one that an edit of unknown outcome may have set since."""
    if name not in known.fields:
        return _DIFFERENT
    verdict = _compare(name, known.fields[name], wire, fingerprints)
    if name in known.attempted:
        verdicts = (verdict, _compare(name, known.attempted[name], wire, fingerprints))
        return next((worse for worse in (_UNCHECKABLE, _DIFFERENT) if worse in verdicts), _SAME)
    return verdict


def _compare(name: str, stored: t.Any, wire: t.Any, fingerprints: Fingerprints) -> str:
    field = BY_NAME[name]
    if field.secret:
        if not fingerprints.is_comparable(stored):
            return _UNCHECKABLE
        return _SAME if stored == fingerprints.of(name, wire) else _DIFFERENT
    return _SAME if is_same(name, stored, wire) else _DIFFERENT


def _change(name: str, stored: t.Any, wire: t.Any, verdict: str) -> Change:
    if not BY_NAME[name].secret:
        return Change(stored, wire)
    return Change(None if stored is None else _MARKS[verdict], MASK_NEW)


def _match(
    desired: Desired, by_number: Record | None, by_id: Record | None, policy: Policy
) -> Record | None:
    """Return the one record that the task is about, None for a DID that is new to the registry. Raises C(Conflict)."""
    if by_number is not None:
        known_id = by_number.record_id
        if by_id is not None and by_number.key != by_id.key:
            held = "has no known record id" if known_id is None else f"is record {known_id}"
            name = (
                f"DID {by_id.did_number}"
                if by_id.did_number is not None
                else "known without a number"
            )
            raise _conflict(
                desired,
                f"the number {desired.did_number} {held} in the registry, and record {by_id.record_id} is {name}: the task names two"
                " records",
            )
        if known_id is not None and desired.record_id not in (None, known_id):
            raise _conflict(
                desired,
                f"the registry knows {desired.did_number} as record {known_id}, and the task says {desired.record_id}",
            )
    elif by_id is not None and by_id.numbers and desired.number is not None and not policy.renumber:
        raise _conflict(
            desired,
            f"the registry knows record {by_id.record_id} as DID {by_id.did_number}, and the task calls it {desired.did_number}. To give"
            " the record this new number, set renumber: true",
        )
    return by_number or by_id


def _conflict(desired: Desired, words: str) -> Conflict:
    return Conflict(
        f"{desired.label}: {words}. Nothing was sent. Correct did_number or record_id. If the registry is wrong, first forget its"
        " record with nextbilling.did.did_registry (state: forgotten, with its record_id, or the attempt that did_info shows)",
        did_number=desired.did_number,
        record_id=desired.record_id,
    )
