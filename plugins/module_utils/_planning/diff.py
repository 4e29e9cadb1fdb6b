# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Renders plans and corrections as Ansible shows differences (C(--diff)). Pure."""

from __future__ import annotations

import collections
import json
import typing as t
from collections.abc import Collection, Mapping, Sequence, Set

from .._fields import BY_NAME
from .._model import ADOPT, CONFIRMED, CREATE, Correction, Plan
from .._secrets import MASK
from . import grouping
from .invisible import look_alikes, split_at_invisible

PlanWithSimilar = tuple[Plan, Sequence[str]]
"""A plan, and the numbers that may be its DID's own in another notation."""

# Fields as patterns, and their texts before and after.
_Patterns = frozenset[tuple[str, t.Optional[str], t.Optional[str]]]

# Beside a field that an edit sends although it is as last applied.
_RESENT = "  # sent again"
# What the left side of a diff stands on.
_BASIS = {CREATE: "not in the registry", ADOPT: "what it holds is not known"}


def diff(plan: Plan, similar_to: Sequence[str] = ()) -> dict[str, str]:
    """Return the diff of a plan: the DID's known fields before and after, as a person reads them.

    :param similar_to: numbers that may be the DID's own in another notation.
    """
    label = plan.desired.label
    similar = f", similar to {', '.join(similar_to)}" if similar_to else ""
    return _make_diff(_texts(plan), plan.action, label, f"{label} ({plan.action}{similar})")


def list_diff(plans: Sequence[PlanWithSimilar]) -> list[dict[str, str]]:
    """Return the diffs of several plans: the totals, and one diff for each group of DIDs with an identical change."""
    if len(plans) < 2:
        return [diff(*each) for each in plans]
    counts = collections.Counter(plan.action for plan, _similar_to in plans)
    totals = ", ".join(f"{count} {action}" for action, count in counts.items())
    groups = grouping.group(plans, _name, _content)
    return [{"prepared": f"{len(plans)} DIDs: {totals}\n"}, *map(_group_diff, groups)]


def _group_diff(group: grouping.Group[PlanWithSimilar]) -> dict[str, str]:
    """Return the diff of a group: the fields that are the same in all of its DIDs, and so all that change."""
    if group.count == 1:
        return diff(*group.members[0])
    first, *others = [plan for plan, _similar_to in group.members]
    patterns = _patterns(first)
    for plan in others:
        patterns &= _patterns(plan)
    count = sum(bool(similar_to) for _plan, similar_to in group.members)
    similar = f", {count} similar to other numbers" if count else ""
    texts = {name: (before, after) for name, before, after in patterns}
    ranges = ", ".join(
        _name(one[0]) if len(one) == 1 else f"{_name(one[0])} – {_name(one[-1])}"
        for one in group.ranges
    )
    return _make_diff(
        texts, first.action, f"DIDs {ranges}", f"{group.count} DIDs ({first.action}{similar})"
    )


def _name(each: PlanWithSimilar) -> str:
    plan, _similar_to = each
    return grouping.did_name(plan.did_number, plan.record_id)


def _content(each: PlanWithSimilar) -> tuple[str, _Patterns]:
    """Return what is the same for DIDs that share a diff: the action, and the fields that change or are sent again."""
    plan, _similar_to = each
    sent = {*plan.changes, *_resent(plan)}
    return plan.action, frozenset(line for line in _patterns(plan) if line[0] in sent)


def _patterns(plan: Plan) -> _Patterns:
    texts = ((name, *sides) for name, sides in _texts(plan).items())
    return frozenset(grouping.pattern_of(texts, _name((plan, ()))))


def _resent(plan: Plan) -> Set[str]:
    """Return the fields that an edit sends although they are as last applied."""
    return plan.payload.keys() - plan.changes.keys() if plan.resends else set()


def _texts(plan: Plan) -> dict[str, tuple[str | None, str | None]]:
    """Return how the DID's known fields are written before and after the plan; None where a field is not known."""
    known = plan.known.fields if plan.known is not None and plan.action != ADOPT else {}
    before = {name: _display(name, value) for name, value in known.items()}
    after = (
        {**before, **{name: _display(name, value) for name, value in plan.payload.items()}}
        if plan.sends
        else before
    )
    for name, change in plan.changes.items():
        if BY_NAME[name].secret:
            after[name] = change.after
            if change.before is not None:
                before[name] = change.before
    resent = _resent(plan)
    texts: dict[str, tuple[str | None, str | None]] = {}
    for name in {**before, **after}:
        text_before, text_after = _display_both(before.get(name), after.get(name))
        texts[name] = (
            text_before if name in before else None,
            text_after + (_RESENT if name in resent else "") if name in after else None,
        )
    return texts


def _make_diff(
    texts: Mapping[str, tuple[str | None, str | None]], action: str, dids: str, header: str
) -> dict[str, str]:
    return {
        "before": _lines({name: sides[0] for name, sides in texts.items()}),
        "after": _lines({name: sides[1] for name, sides in texts.items()}),
        "before_header": f"{dids} ({_BASIS.get(action, 'as last applied')})",
        "after_header": header,
    }


def _lines(texts: Mapping[str, str | None]) -> str:
    return "".join(f"{name}: {texts[name]}\n" for name in BY_NAME if texts.get(name) is not None)


def _display_both(before: t.Any, after: t.Any) -> tuple[str, str]:
    """Write a field's value before and after, so that values that differ do not look alike."""
    if isinstance(before, str) and isinstance(after, str):
        unlike_before, unlike_after = look_alikes(before, after)
        return _quote(before, unlike_before), _quote(after, unlike_after)
    return _to_json(before), _to_json(after)


def _to_json(value: t.Any) -> str:
    """Write a value as JSON, which is YAML too. Invisible and control characters are written by their codes."""
    if isinstance(value, list):
        return f"[{', '.join(map(_to_json, value))}]"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str, unlike: Collection[int] = ()) -> str:
    written = "".join(
        piece if is_code else json.dumps(piece, ensure_ascii=False)[1:-1]
        for piece, is_code in split_at_invisible(text, unlike)
    )
    return f'"{written}"'


def _display(name: str, value: t.Any) -> t.Any:
    return MASK if BY_NAME[name].secret else BY_NAME[name].type.show(value)


def corrections_diff(corrections: Sequence[Correction]) -> dict[str, str]:
    """Return corrections as Ansible's diff: a line for each DID before and after, without secrets."""
    before = after = ""
    for _event, known, new_state, _attempt in corrections:
        if known is not None:
            before += _record_line(known.did_number, known.record_id, known.outcome, known.fields)
        if new_state is not None:
            number = new_state.fields.get("did_number") or new_state.number
            after += _record_line(number, new_state.record_id, CONFIRMED, new_state.fields)
    return {"before": before, "after": after}


def _record_line(
    number: str | None, record_id: int | None, outcome: str, fields: t.Mapping[str, t.Any]
) -> str:
    parts = [
        "no record id" if record_id is None else f"record {record_id}",
        CONFIRMED if outcome == CONFIRMED else f"outcome {outcome}",
    ]
    known = [
        f'"{name}": {_to_json(_display(name, fields[name]))}' for name in BY_NAME if name in fields
    ]
    if known:
        parts.append(f"{{{', '.join(known)}}}")
    return f"{number or 'number not known'}: {', '.join(parts)}\n"
