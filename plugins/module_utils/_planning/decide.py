# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decide what one DID needs: its desired parameters against what the registry knows. Pure."""

from __future__ import annotations

import typing as t

from .._errors import Conflict, UnknownOutcome
from .._fields import BY_NAME, is_same, mask_secrets
from .._model import ADOPT, CONFIRMED, CREATE, NONE, UNKNOWN, UPDATE, Change, Desired, Plan, Policy
from .._secrets import MASK, MASK_AS_APPLIED, MASK_NEW, MASK_OF_OTHER_KEY

if t.TYPE_CHECKING:  # pragma: no cover
    from .._model import Desired, Policy, Record
    from .._secrets import Fingerprints

_SAME, _DIFFERENT, _UNCHECKABLE = "same", "different", "uncheckable"
_MARKS = {
    _SAME: MASK,
    _DIFFERENT: MASK_AS_APPLIED,
    _UNCHECKABLE: MASK_OF_OTHER_KEY,
}


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
    :raises Conflict: number, id and registry do not belong together.
    :raises UnknownOutcome: an earlier create may or may not have happened, and the task does not tell.
    """
    known = by_number
    if known is None or desired.record_id not in (None, known.record_id):

        known = reconcile(desired, by_number, by_id, policy)
    if known is None:
        return _first(CREATE if desired.record_id is None else ADOPT, desired, None, policy)
    if known.outcome == UNKNOWN:
        if desired.record_id is None:
            raise UnknownOutcome(
                f"{desired.label}: an earlier create was begun and its outcome is not known. Nothing was sent now",
                did_number=desired.did_number,
                attempt=known.attempt,
            )
        return _first(ADOPT, desired, known, policy)
    return _against(known, desired, policy, fingerprints)


def _first(action: str, desired: Desired, known: Record | None, policy: Policy) -> Plan:
    """A plan for a DID of which no values are known: all that is declared changes."""
    payload = dict(desired.values) if action == CREATE else _edited(desired, policy)
    changes = {name: Change(None, value) for name, value in mask_secrets(payload).items()}
    return Plan(action, desired, known, desired.record_id, payload, changes)


def _edited(desired: Desired, policy: Policy) -> dict[str, t.Any]:
    """Return the body of an edit: every declared field, which is right whether the platform merges or replaces."""
    return {
        name: value
        for name, value in desired.values.items()
        if not (BY_NAME[name].secret and policy.update_password == "on_create")
    }


def _against(known: Record, desired: Desired, policy: Policy, fingerprints: Fingerprints) -> Plan:
    payload = _edited(desired, policy)
    changes: dict[str, Change] = {}
    uncheckable = []
    for name, value in payload.items():
        verdict = _verdict(name, value, known, fingerprints)
        if verdict != _SAME:
            changes[name] = _change(name, known.fields.get(name), value, verdict)
        if verdict == _UNCHECKABLE:
            uncheckable.append(name)
    repeats = policy.force or not changes
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
    return Plan(UPDATE, desired, known, known.record_id, payload, changes, notes, repeats)


def _is_respelled(name: str, stored: t.Any, wire: t.Any) -> bool:
    """Tell whether an edit that is sent for another reason also writes a value in another way, such as a number with a '+'."""
    return bool(stored != wire) and not BY_NAME[name].secret


def _verdict(name: str, wire: t.Any, known: Record, fingerprints: Fingerprints) -> str:
    """Compare a declared value with the last confirmed one, and with one that an edit of unknown outcome has sent since."""
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
        if not fingerprints.made(stored):
            return _UNCHECKABLE
        return _SAME if stored == fingerprints.of(name, wire) else _DIFFERENT
    return _SAME if is_same(name, stored, wire) else _DIFFERENT


def _change(name: str, stored: t.Any, wire: t.Any, verdict: str) -> Change:
    if not BY_NAME[name].secret:
        return Change(stored, wire)
    return Change(None if stored is None else _MARKS[verdict], MASK_NEW)


def reconcile(
    desired: Desired, by_number: Record | None, by_id: Record | None, policy: Policy
) -> Record | None:
    """Return the one record that the task is about, or raise C(Conflict)."""
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        holder = (
            "has no known record id"
            if by_number.record_id is None
            else f"is record {by_number.record_id}"
        )
        raise _conflict(
            desired,
            f"the number {desired.did_number} {holder} in the registry, and record {by_id.record_id} is {_called(by_id)}: two records"
            " behind one task",
        )
    if (
        by_number is not None
        and by_number.record_id is not None
        and desired.record_id not in (None, by_number.record_id)
    ):
        raise _conflict(
            desired,
            f"the registry knows {desired.did_number} as record {by_number.record_id}, and the task says {desired.record_id}",
        )
    if (
        by_id is not None
        and by_number is None
        and desired.number is not None
        and by_id.numbers
        and not policy.renumber
    ):
        raise _conflict(
            desired,
            f"the registry knows record {by_id.record_id} as {_called(by_id)}, and the task calls it {desired.did_number}. If the record"
            " is to get this new number, set renumber: true",
        )
    return by_number or by_id


def _called(record: Record) -> str:
    return f"DID {record.number}" if record.number is not None else "known without a number"


def _conflict(desired: Desired, words: str) -> Conflict:
    return Conflict(
        f"{desired.label}: {words}. Nothing was sent. Correct did_number or record_id; if it is the registry that is wrong, forget its"
        " record with nextbilling.did.did_registry (state: forgotten, with its record_id, or the attempt that did_info shows) first",
        did_number=desired.did_number,
        record_id=desired.record_id,
    )
