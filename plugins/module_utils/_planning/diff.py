# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Renders plans and corrections as Ansible shows differences (C(--diff)). Pure."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Collection, Mapping, Sequence

from .._fields import BY_NAME, mask_secrets
from .._model import ADOPT, CONFIRMED, CREATE, Correction, Plan
from .._secrets import MASK
from .invisible import look_alikes, split_at_invisible

# Beside a field that an edit sends although it is as last applied.
_RESENT = "  # sent again"
# What the left side of a diff stands on.
_BASIS = {CREATE: "not in the registry", ADOPT: "what it holds is not known"}


def diff(plan: Plan, similar_to: Sequence[str] = ()) -> dict[str, t.Any]:
    """Return the diff of a plan: the DID's known fields before and after, as a person reads them.

    :param similar_to: numbers that may be the DID's own in another notation.
    """
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
    texts = {name: _display_both(before.get(name), after.get(name)) for name in {**before, **after}}
    similar = f", similar to {', '.join(similar_to)}" if similar_to else ""
    resent = plan.payload.keys() - plan.changes.keys() if plan.resends else set()
    return {
        "before": _lines({name: texts[name][0] for name in before}),
        "after": _lines(
            {name: texts[name][1] + (_RESENT if name in resent else "") for name in after}
        ),
        "before_header": f"{plan.desired.label} ({_BASIS.get(plan.action, 'as last applied')})",
        "after_header": f"{plan.desired.label} ({plan.action}{similar})",
    }


def _lines(texts: Mapping[str, str]) -> str:
    return "".join(f"{name}: {texts[name]}\n" for name in BY_NAME if name in texts)


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
    known = json.dumps(mask_secrets(fields), ensure_ascii=False)
    return (
        f"{number or 'number not known'}: record {record_id or 'not known'}, {outcome}, {known}\n"
    )
