# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The result of a failing run of C(dids), of which Ansible prints all: short enough for a terminal, however many DIDs it is about.

C(dids) lists what failed, as far as there is room. What was applied, or would be, and what was not attempted is grouped by identical
change. The rest is counted.
"""

from __future__ import annotations

import json
import typing as t

from .._planning import grouping
from .list_results import APPLIED, FAILED, NOT_ATTEMPTED, PLANNED, UNKNOWN, UNRECORDED
from .task import Result

# Characters that Ansible prints: of the whole result with its message once more, and of the groups of one outcome.
_PAGE, _LEAST_ROOM, _MOST_ROOM = 7_000, 400, 1_300
_GROUPS = 40
# What cannot be seen anywhere else comes first.
_PRIORITIES = (UNRECORDED, UNKNOWN, FAILED)


def shorten(result: Result) -> None:
    """Leave in C(dids) as many failures as fit on a page. Group what was applied, or would be in check mode, and what was not attempted."""
    entries: dict[str, list[Result]] = {}
    for entry in result.pop("dids"):
        outcome = APPLIED if entry["outcome"] == PLANNED else entry["outcome"]
        entries.setdefault(outcome, []).append(entry)
    # A diff is printed apart. Both are there on request.
    rest = {name: value for name, value in result.items() if name not in ("diff", "unlisted")}
    room = _PAGE - _printed_length(rest, 0) - len(result["msg"])
    failures = [entry for outcome in _PRIORITIES for entry in entries.get(outcome, [])]
    reserve = _LEAST_ROOM if len(failures) < sum(map(len, entries.values())) else 0
    shown: list[Result] = []
    for entry in failures:
        length = _printed_length(entry, 2)
        if length > room - reserve:
            break
        room -= length
        shown.append(entry)
    # Those of a range have the same index, and stay in their order.
    result["dids"] = sorted(shown, key=lambda entry: t.cast("int", entry["index"]))
    result["dids_omitted"] = len(failures) - len(shown)
    for outcome in (APPLIED, NOT_ATTEMPTED):
        grouped = entries.get(outcome, [])
        groups = _group(grouped, min(room, _MOST_ROOM))
        room -= _printed_length(groups, 1)
        listed = sum(count for group in groups for _first, _last, count in group["ranges"])
        result.update({outcome: groups, f"{outcome}_omitted": len(grouped) - listed})


def _printed_length(value: object, depth: int) -> int:
    """Return about how many characters Ansible prints for a value: in YAML, indented so many times. In JSON they are fewer."""
    if isinstance(value, dict) and value:
        return sum(
            4 * depth + len(key) + 3 + _printed_length(each, depth + 1)
            for key, each in value.items()
        )
    if isinstance(value, list) and value:
        return sum(
            _printed_length(each, depth + isinstance(each, list))
            + (0 if isinstance(each, dict) else 4 * depth + 5)
            for each in value
        )
    text = json.dumps(value, ensure_ascii=False)
    # Long text is indented anew in each line.
    return len(text) + 4 * depth * (text.count("\\n") + len(text) // 80)


def _group(entries: list[Result], room: int) -> list[Result]:
    """Return entries grouped by identical change, the largest groups first, as many as fit into C(room) characters."""
    groups = grouping.group(entries, _name, _content)
    groups.sort(key=lambda group: -group.count)
    results: list[Result] = []
    for group in groups[:_GROUPS]:
        shown = _group_result(group, room)
        if shown is None:
            break
        results.append(shown)
        room -= _printed_length(shown, 2)
    return results


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
    room -= _printed_length(result, 2)
    for members in group.ranges:
        shown = [_name(members[0]), _name(members[-1]), len(members)]
        room -= _printed_length(shown, 4)
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
