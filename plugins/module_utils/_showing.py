# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A plan as a person reads it: Ansible's diff."""

from __future__ import annotations

import json
import typing as t

from ._fields import BY_NAME
from ._plan import ADOPT, CREATE
from ._secrets import MASK

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

    from ._plan import Plan

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


def diff(plan: Plan) -> dict[str, t.Any]:
    """Return a plan as Ansible shows differences: the DID's known fields before and after, as a person reads them."""
    known = plan.known.fields if plan.known is not None and plan.action != ADOPT else {}
    before = {name: _shown(name, value) for name, value in known.items()}
    after = (
        {**before, **{name: _shown(name, value) for name, value in plan.payload.items()}}
        if plan.sends
        else before
    )
    for name, change in plan.changes.items():
        if BY_NAME[name].secret:
            after[name] = change.after
            if change.before is not None:
                before[name] = change.before
    return {
        "before": _lines(before),
        "after": _lines(after),
        "before_header": f"{plan.desired.label} ({_BASIS.get(plan.action, 'as last applied')})",
        "after_header": f"{plan.desired.label} ({plan.action})",
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
