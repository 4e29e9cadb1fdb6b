# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads the results of tasks. Pure: what a result holds is checked and copied key by key."""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.nextbilling.did.plugins.module_utils._errors import UnknownOutcome
from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME
from ansible_collections.nextbilling.did.plugins.module_utils._messages import resolution
from ansible_collections.nextbilling.did.plugins.module_utils._planning import grouping
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import MASK
from ansible_collections.nextbilling.did.plugins.module_utils._snippets import Target

from .model import ACTIONS, COUNTS, TROUBLES, Change, Entry, Failure, Label, Run, Unlisted, Value

DID, DIDS, ASYNC_STATUS = "did", "dids", "async_status"

# A mark in place of a secret. Beside the stars it holds a remark of the module.
_MARK = re.compile(re.escape(MASK) + r"( \([a-z_, ]{1,80}\))?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|\+00:00)")
_RECORD = re.compile(r"record ([0-9]{1,19})")
_OUTCOMES = ("applied", "planned", *TROUBLES)
# The kinds of failures that the modules could not report.
HOST_UNREACHABLE, NO_RESULT, JOB_LOST = "host_unreachable", "no_result", "job_lost"
# What a result holds if the module was started, and Ansible has not got its result: a crash, and time limits of the task.
_STARTED = ("module_stdout", "timedout", "async_result")


@dataclasses.dataclass(frozen=True)
class Event:
    """What Ansible reports to a callback: the start of a task, or a result.

    C(item): it is of one pass of a loop, and the result of the whole task repeats it. C(status): C(ok), C(failed), C(skipped) or
    C(unreachable); C(started) without a result; C(lost) for a job in the background that cannot be found.
    """

    host: str
    play: str
    task: str
    task_uuid: str
    module: str
    check_mode: bool
    status: str
    item: bool
    result: Mapping[str, t.Any]


def is_of_module(result: Mapping[str, t.Any]) -> bool:
    """Tell whether the module itself made a result, and not Ansible around it."""
    is_done = result.get("action") in (*ACTIONS, "none") or isinstance(result.get("summary"), dict)
    return is_done or _read_failure(result.get("error"), None) is not None


def place_of(event: Event) -> tuple[str | None, str | None, str | None]:
    """Return the platform of a result, and the id and the location of its registry; None for what it does not tell."""
    registry = _mapping(event.result.get("registry"))
    return (
        _text(event.result.get("platform")),
        _text(registry.get("id")),
        _text(registry.get("location")),
    )


def _make_run(event: Event, place: tuple[str | None, str | None, str | None], **more: t.Any) -> Run:
    platform, registry_id, location = place
    more.setdefault("plan_checksum", None)
    return Run(
        host=event.host,
        play=event.play,
        task=event.task,
        module=event.module,
        check_mode=event.check_mode,
        platform=platform,
        registry_id=registry_id,
        registry_location=location,
        **more,
    )


def read_did_results(group: Sequence[Event], run: int, entries: list[Entry]) -> Run:
    """Read the results of C(did)."""
    counts = dict.fromkeys(COUNTS, 0)
    for event in group:
        entry = _read_did_result(event, run)
        counts["total"] += 1
        counts["none" if entry is None else entry.kind] += 1
        if entry is not None:
            entries.append(entry)
    place = next((place for place in map(place_of, group) if any(place)), (None, None, None))
    return _make_run(group[0], place, counts=counts)


def _read_did_result(event: Event, run: int) -> Entry | None:
    """Return the entry for a result of C(did), or None if nothing is to be done."""
    error = _failure(event)
    action = event.result.get("action")
    if error is None and action == "none":
        return None
    if error is None and action in ACTIONS:
        outcome = "planned" if event.check_mode else "applied"
        return _make_entry(run, outcome, event.result, None)
    outcome = "failed"
    if error is None:
        error = _failure_without_result(event)
        outcome = "unknown" if _may_have_applied(event) else "failed"
    elif error.kind == UnknownOutcome.kind:
        outcome = "unknown"
    if event.result.get("changed") is True:
        outcome = "unrecorded"
    known = {
        "did_number": error.did_number,
        "record_id": error.record_id,
        "label": event.result.get("label"),
    }
    return _make_entry(run, outcome, known, error)


def read_dids_result(event: Event, run: int, entries: list[Entry], unlisted: list[Unlisted]) -> Run:
    """Read a result of C(dids). Its own summary has the counts."""
    result = event.result
    summary = result.get("summary")
    counts = None
    if isinstance(summary, dict):
        counts = {name: _integer(summary.get(name)) or 0 for name in COUNTS}
    error = _failure(event) or (None if counts is not None else _failure_without_result(event))
    total = 0 if counts is None else counts["total"]
    applied = "planned" if event.check_mode else "applied"
    found = [
        *_read_groups(result.get("applied"), run, applied, total),
        *_read_groups(result.get("not_attempted"), run, "not_attempted", total),
    ]
    for item in _list(result.get("dids")):
        known = _mapping(item)
        outcome = known.get("outcome")
        problem = _read_failure(known.get("error"), _mapping(known.get("error")).get("msg"))
        if outcome not in _OUTCOMES or (
            outcome not in TROUBLES and known.get("action") not in ACTIONS
        ):
            outcome = "failed"
        found.append(_make_entry(run, outcome, known, problem))
    for item in _list(result.get("unlisted")):
        known = _mapping(item)
        unlisted.append(
            Unlisted(
                run,
                _text(known.get("did_number")),
                _integer(known.get("record_id")),
                _text(known.get("outcome")),
            )
        )
    made = _make_run(
        event,
        place_of(event),
        plan_checksum=_text(result.get("plan_checksum")),
        counts=counts,
        error=error,
        backoff=_backoff(_mapping(result.get("backoff"))),
        omitted=0 if counts is None else max(0, total - counts["none"] - len(found)),
    )
    resolved = (_with_resolution(entry, made.target) for entry in found)
    entries += (
        (dataclasses.replace(entry, is_refused=True) for entry in resolved)
        if made.is_refused
        else resolved
    )
    return made


def _with_resolution(entry: Entry, target: Target | None) -> Entry:
    """Add to a create of unknown outcome what resolves it, where the result says that only once, for all of them."""
    error = entry.error
    if target is None or error is None or error.kind != UnknownOutcome.kind:
        return entry
    if not (error.did_number and error.attempt and error.msg) or "\n- name: " in error.msg:
        return entry
    steps = resolution(error.did_number, error.attempt, target)
    return dataclasses.replace(entry, error=dataclasses.replace(error, msg=f"{error.msg}. {steps}"))


def _read_groups(groups: t.Any, run: int, outcome: str, most: int) -> Iterator[Entry]:
    """Yield an entry for each DID of the groups of a failing run. C(most): how many they can be, by the result's own count."""
    for item in _list(groups):
        group = _mapping(item)
        if group.get("action") not in ACTIONS:
            continue
        changes, label = _changes(group.get("changes")), _label(group.get("label"))
        for name in _read_names(group.get("ranges"), most):
            most -= 1
            record = _RECORD.fullmatch(name)
            entry = _make_entry(run, outcome, {"action": group.get("action")}, None)
            yield dataclasses.replace(
                entry,
                did_number=None if record else name,
                record_id=int(record[1]) if record else None,
                changes=tuple(_own_change(change, name) for change in changes),
                label=label._replace(
                    description=grouping.from_pattern("description", label.description, name)
                ),
            )


def _read_names(ranges: t.Any, most: int) -> Iterator[str]:
    """Yield the names of the DIDs of ranges, each given by its first, its last and their count."""
    for item in _list(ranges):
        first, last, count = [*_list(item), None, None, None][:3]
        first, last, count = _text(first), _text(last), _integer(count)
        if first is not None and last is not None and count is not None and 0 < count <= most:
            names = grouping.numbers_between(first, last, count) or ()
            most -= len(names)
            yield from names


def _own_change(change: Change, name: str) -> Change:
    """Return the change of one DID of a group."""
    return Change(
        change.field,
        grouping.from_pattern(change.field, change.before, name),
        grouping.from_pattern(change.field, change.after, name),
    )


def _backoff(values: Mapping[str, t.Any]) -> dict[str, int] | None:
    refusals, concurrency = _integer(values.get("refusals")), _integer(values.get("concurrency"))
    if refusals is None or concurrency is None:
        return None
    return {"refusals": refusals, "concurrency": concurrency}


def _make_entry(run: int, outcome: str, known: Mapping[str, t.Any], error: Failure | None) -> Entry:
    action = known.get("action")
    since = known.get("before_confirmed_at")
    return Entry(
        run=run,
        outcome=outcome,
        action=action if action in ACTIONS else None,
        did_number=_text(known.get("did_number")),
        record_id=_integer(known.get("record_id")),
        changes=_changes(known.get("changes")),
        label=_label(known.get("label")),
        error=error,
        before_confirmed_at=since if isinstance(since, str) and _TIME.fullmatch(since) else None,
        index=_integer(known.get("index")),
        source=_text(known.get("source")),
        similar_to=tuple(
            number for number in map(_text, _list(known.get("similar_to"))) if number is not None
        ),
        has_age="before_confirmed_at" in known,
    )


def _failure(event: Event) -> Failure | None:
    return _read_failure(event.result.get("error"), event.result.get("msg"))


def _read_failure(error: t.Any, msg: t.Any) -> Failure | None:
    details = _mapping(error)
    kind = _text(details.get("kind"))
    if kind is None:
        return None
    return Failure(
        kind,
        _text(msg),
        _integer(details.get("http_status")),
        _text(details.get("reason")),
        _text(details.get("did_number")),
        _integer(details.get("record_id")),
        _text(details.get("attempt")),
    )


def _failure_without_result(event: Event) -> Failure:
    """Return the failure of a task that Ansible ended, not the module. Ansible's message may hold anything, so it is left out."""
    return Failure({"unreachable": HOST_UNREACHABLE, "lost": JOB_LOST}.get(event.status, NO_RESULT))


def _may_have_applied(event: Event) -> bool:
    """Tell whether the module may have sent something, though its result is not known. A connection may be lost while the module runs."""
    is_started = any(key in event.result for key in _STARTED)
    return not event.check_mode and (is_started or event.status in ("unreachable", "lost"))


def _changes(changes: t.Any) -> tuple[Change, ...]:
    """Read the changes of the fields that the table knows, in its order."""
    by_field = _mapping(changes)
    read_changes = []
    for name, field in BY_NAME.items():
        if name in by_field:
            sides = _mapping(by_field[name])
            read = _mark if field.secret else _value
            read_changes.append(Change(name, read(sides.get("before")), read(sides.get("after"))))
    return tuple(read_changes)


def _label(label: t.Any) -> Label:
    values = _mapping(label)
    return Label(_integer(values.get("customer_id")), _text(values.get("description")))


def _mark(value: t.Any) -> str | None:
    """Return a mark that stands in place of a secret. Every other value becomes one."""
    if value is None:
        return None
    return str(value) if isinstance(value, str) and _MARK.fullmatch(value) else MASK


def _value(value: t.Any) -> Value:
    if isinstance(value, list):
        return [_scalar(element) for element in value]
    return _scalar(value)


def _scalar(value: t.Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _text(value) or ("" if value == "" else "?")


def _text(value: t.Any) -> str | None:
    # A plain string: Ansible's own text types have methods that templates call.
    return str.__str__(value) if isinstance(value, str) else None


def _integer(value: t.Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []
