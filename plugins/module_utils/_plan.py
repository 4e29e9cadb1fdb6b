# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The decision: desired parameters against what the registry knows. Pure: nothing is read, written or sent here."""

from __future__ import annotations

import typing as t

from ._errors import UnknownOutcome
from ._fields import BY_NAME, identity
from ._registry._records import CONFIRMED, UNKNOWN
from ._secrets import MASK, MASK_AS_APPLIED, MASK_NEW, MASK_OF_OTHER_KEY

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

    from ._registry._records import Record
    from ._secrets import Fingerprints

CREATE = "create"
UPDATE = "update"
ADOPT = "adopt"
NONE = "none"

_SAME, _DIFFERENT, _UNCHECKABLE = "same", "different", "uncheckable"
_MARKS = {
    _SAME: MASK,
    _DIFFERENT: MASK_AS_APPLIED,
    _UNCHECKABLE: MASK_OF_OTHER_KEY,
}


class Desired(t.NamedTuple):
    """One DID as a task declares it: wire forms by field name, secrets in the clear, and the record id if it was given."""

    values: Mapping[str, t.Any]
    record_id: int | None = None

    @property
    def did_number(self) -> str | None:
        """Return the number as declared, or None."""
        return self.values.get("did_number")

    @property
    def number(self) -> str | None:
        """Return the identity of the DID: the digits of its number."""
        return None if self.did_number is None else identity(self.did_number)

    @property
    def label(self) -> str:
        """Return how messages call this DID."""
        return (
            f"DID {self.did_number}" if self.did_number is not None else f"record {self.record_id}"
        )

    def __repr__(self) -> str:
        return f"Desired({self.label})"


class Policy(t.NamedTuple):
    """How a task wants its DIDs to be converged."""

    force: bool = False
    renumber: bool = False
    update_password: str = "on_change"


class Change(t.NamedTuple):
    """A field's value before and after, in wire form; secrets as marks. Null before: not known."""

    before: t.Any
    after: t.Any


class Plan(t.NamedTuple):
    """What to do for one DID. C(payload): the request's body by field name, secrets in the clear; empty where nothing is sent.

    C(repeats): whether fields are sent on purpose although they are as last applied.
    """

    action: str
    desired: Desired
    known: Record | None
    record_id: int | None
    payload: Mapping[str, t.Any]
    changes: Mapping[str, Change]
    notes: tuple[str, ...] = ()
    repeats: bool = False

    @property
    def sends(self) -> bool:
        """Tell whether this plan is a request."""
        return self.action != NONE

    def fields_after(self) -> dict[str, t.Any]:
        """Return what will be known of the DID once the plan is applied: wire forms, secrets as marks."""
        certain = dict(self.known.fields) if self.known is not None else {}
        if self.known is not None and self.sends:
            for name in self.known.attempted:
                certain.pop(name, None)
        return masked({**certain, **self.payload})

    def __repr__(self) -> str:
        return f"Plan({self.action}, {self.desired.label})"


def masked(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return wire forms with a mark in place of each secret, in the order of the vendor's page."""
    return {
        name: MASK if field.secret else values[name]
        for name, field in BY_NAME.items()
        if name in values
    }


def recorded(values: Mapping[str, t.Any], fingerprints: Fingerprints) -> dict[str, t.Any]:
    """Return wire forms as the registry keeps them: a fingerprint in place of each secret."""
    return {
        name: fingerprints.of(name, value) if BY_NAME[name].secret else value
        for name, value in values.items()
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
        from ._conflicts import reconcile

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
    changes = {name: Change(None, value) for name, value in masked(payload).items()}
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


def same(name: str, stored: t.Any, wire: t.Any) -> bool:
    """Tell whether two values of a field, as the registry keeps them, mean the same."""
    if stored == wire or BY_NAME[name].secret:
        return bool(stored == wire)
    return BY_NAME[name].kind.same(stored) == BY_NAME[name].kind.same(wire)


def _compare(name: str, stored: t.Any, wire: t.Any, fingerprints: Fingerprints) -> str:
    field = BY_NAME[name]
    if field.secret:
        if not fingerprints.made(stored):
            return _UNCHECKABLE
        return _SAME if stored == fingerprints.of(name, wire) else _DIFFERENT
    return _SAME if same(name, stored, wire) else _DIFFERENT


def _change(name: str, stored: t.Any, wire: t.Any, verdict: str) -> Change:
    if not BY_NAME[name].secret:
        return Change(stored, wire)
    return Change(None if stored is None else _MARKS[verdict], MASK_NEW)
