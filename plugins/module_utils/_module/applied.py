# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a failing run of C(dids) says of the DIDs that it has applied: groups of identical changes, few enough for a terminal."""

from __future__ import annotations

import json
import typing as t

from .._planning import grouping
from .list_results import APPLIED
from .task import Result

# The most groups, and the most characters of JSON that they take: a terminal shows them with the failures. The rest is counted.
_GROUPS, _LENGTH = 40, 700


def separate_applied(result: Result) -> None:
    """Leave in the C(dids) of a failing run what is not as declared, and put the rest into C(applied), grouped by identical change.

    What is only planned stays: it is what the review of a plan shows.
    """
    applied = [entry for entry in result["dids"] if entry["outcome"] == APPLIED]
    result["dids"] = [entry for entry in result["dids"] if entry["outcome"] != APPLIED]
    groups = grouping.group(applied, _name, _content)
    groups.sort(key=lambda group: -group.count)
    result["applied"] = []
    left = _LENGTH
    for group in groups[:_GROUPS]:
        shown = _group_result(group, left)
        if shown is None:
            break
        result["applied"].append(shown)
        left -= len(json.dumps(shown))
    listed = sum(count for shown in result["applied"] for _first, _last, count in shown["ranges"])
    result["applied_omitted"] = len(applied) - listed


def _group_result(group: grouping.Group[Result], room: int) -> Result | None:
    """Return a group with as many of its ranges as fit into C(room) characters, or None if not even the first does."""
    members = group.members
    first = members[0]
    changes = _patterns(first) if len(members) > 1 else _changes(first)
    result: Result = {
        "action": first["action"],
        "changes": {name: {"before": before, "after": after} for name, before, after in changes},
        "label": grouping.shared_values([(_name(each), each["label"]) for each in members]),
        "ranges": [],
    }
    room -= len(json.dumps(result))
    for members in group.ranges:
        shown = [_name(members[0]), _name(members[-1]), len(members)]
        room -= len(json.dumps(shown)) + 2
        if room < 0:
            break
        result["ranges"].append(shown)
    return result if result["ranges"] else None


def _name(entry: Result) -> str:
    return grouping.did_name(entry["did_number"], entry["record_id"])


def _changes(entry: Result) -> tuple[tuple[str, t.Any, t.Any], ...]:
    changes = entry["changes"].items()
    return tuple((name, sides["before"], sides["after"]) for name, sides in changes)


def _patterns(entry: Result) -> tuple[tuple[str, t.Any, t.Any], ...]:
    return grouping.pattern_of(_changes(entry), _name(entry))


def _content(entry: Result) -> tuple[str, str]:
    return entry["action"], repr(_patterns(entry))
