# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The decision: desired parameters against what the registry knows. Pure: nothing is read, written or sent here."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ._errors import Conflict, UnknownOutcome
from ._fields import BY_NAME, identity
from ._registry._records import CONFIRMED, UNKNOWN
from ._secrets import MASK

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

    from ._registry._records import Record
    from ._secrets import Fingerprints

CREATE = "create"
UPDATE = "update"
ADOPT = "adopt"
NONE = "none"

# What JSON leaves as it is and a terminal obeys: C1 control characters, and marks that turn the direction of text.
_INVISIBLE = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x7F, 0xA0),
        0x061C,
        0x200E,
        0x200F,
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    )
}
# What the left side of a diff stands on.
_BASIS = {CREATE: "not in the registry", ADOPT: "what it holds is not known"}
_SAME, _DIFFERENT, _UNCHECKABLE = "same", "different", "uncheckable"
_MARKS = {
    _SAME: MASK,
    _DIFFERENT: f"{MASK} (as last applied)",
    _UNCHECKABLE: f"{MASK} (recorded with another api_key, cannot be compared)",
}


@dataclasses.dataclass(frozen=True)
class Desired:
    """One DID as a task declares it: wire forms by field name, secrets in the clear, and the record id if it was given."""

    values: Mapping[str, t.Any] = dataclasses.field(repr=False)
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


class Policy(t.NamedTuple):
    """How a task wants its DIDs to be converged."""

    force: bool = False
    renumber: bool = False
    update_password: str = "on_change"


class Change(t.NamedTuple):
    """A field's value before and after, in wire form; secrets as marks. Null before: not known."""

    before: t.Any
    after: t.Any


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do for one DID. C(payload): the request's body by field name, secrets in the clear; empty where nothing is sent."""

    action: str
    desired: Desired
    known: Record | None
    record_id: int | None
    payload: Mapping[str, t.Any] = dataclasses.field(repr=False)
    changes: Mapping[str, Change]
    notes: tuple[str, ...] = ()

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

    def diff(self) -> dict[str, t.Any]:
        """Return the plan as Ansible shows differences: the DID's known fields before and after, as a person reads them."""
        known = self.known.fields if self.known is not None and self.action != ADOPT else {}
        before = {name: _shown(name, value) for name, value in known.items()}
        after = (
            {**before, **{name: _shown(name, value) for name, value in self.payload.items()}}
            if self.sends
            else before
        )
        for name, change in self.changes.items():
            if BY_NAME[name].secret:
                after[name] = change.after
                if change.before is not None:
                    before[name] = change.before
        return {
            "before": _lines(before),
            "after": _lines(after),
            "before_header": f"{self.desired.label} ({_BASIS.get(self.action, 'as last applied')})",
            "after_header": f"{self.desired.label} ({self.action})",
        }


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


def _lines(shown: Mapping[str, t.Any]) -> str:
    """Write shown values a line each. JSON's form of a value is also YAML's, and keeps control characters out of a terminal."""
    return "".join(
        f"{name}: {json.dumps(shown[name], ensure_ascii=False).translate(_INVISIBLE)}\n"
        for name in BY_NAME
        if name in shown
    )


def _shown(name: str, value: t.Any) -> t.Any:
    return MASK if BY_NAME[name].secret else BY_NAME[name].kind.show(value)


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
    known = _reconcile(desired, by_number, by_id, policy)
    if known is None:
        return _first(CREATE if desired.record_id is None else ADOPT, desired, None, policy)
    if known.outcome == UNKNOWN:
        if desired.record_id is None:
            raise UnknownOutcome(
                f"{desired.label}: an earlier create was begun and its outcome is not known. Nothing was sent now",
                did_number=desired.did_number,
            )
        return _first(ADOPT, desired, known, policy)
    return _against(known, desired, policy, fingerprints)


def _reconcile(
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
        " record with nextbilling.did.did_registry (state: forgotten) first",
        did_number=desired.did_number,
        record_id=desired.record_id,
    )


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
    verdicts = {name: _verdict(name, value, known, fingerprints) for name, value in payload.items()}
    changes = {
        name: _change(name, known.fields.get(name), payload[name], verdict)
        for name, verdict in verdicts.items()
        if verdict != _SAME
    }
    notes = tuple(
        f"the known {name} was recorded with another api_key and cannot be compared; it counts as changed"
        for name, verdict in verdicts.items()
        if verdict == _UNCHECKABLE
    )
    if not changes and not policy.force and known.outcome == CONFIRMED:
        return Plan(NONE, desired, known, known.record_id, {}, {})
    return Plan(UPDATE, desired, known, known.record_id, payload, changes, notes)


def _verdict(name: str, wire: t.Any, known: Record, fingerprints: Fingerprints) -> str:
    """Compare a declared value with the last confirmed one, and with one that an edit of unknown outcome has sent since."""
    candidates = [source[name] for source in (known.fields, known.attempted) if name in source]
    if name not in known.fields:
        return _DIFFERENT
    verdicts = {_compare(name, candidate, wire, fingerprints) for candidate in candidates}
    return next((verdict for verdict in (_UNCHECKABLE, _DIFFERENT) if verdict in verdicts), _SAME)


def same(name: str, stored: t.Any, wire: t.Any) -> bool:
    """Tell whether two values of a field, as the registry keeps them, mean the same."""
    if BY_NAME[name].secret:
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
    return Change(None if stored is None else _MARKS[verdict], f"{MASK} (new)")
