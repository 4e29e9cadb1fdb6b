# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Collects the results of tasks into a review. Pure: what a result holds is checked and copied key by key."""

from __future__ import annotations

import collections
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

from .model import (
    ACTIONS,
    COUNTS,
    NO_LOG,
    NOT_AWAITED,
    TROUBLES,
    Change,
    Entry,
    Failure,
    Label,
    Review,
    Run,
    Unlisted,
    Unseen,
    Value,
    sort_entries,
)

DID, DIDS, ASYNC_STATUS = "did", "dids", "async_status"

# A mark in place of a secret. Beside the stars it holds a remark of the module.
_MARK = re.compile(re.escape(MASK) + r"( \([a-z_, ]{1,80}\))?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|\+00:00)")
_RECORD = re.compile(r"record ([0-9]{1,19})")
_OUTCOMES = ("applied", "planned", *TROUBLES)
# The kinds of failures that the modules could not report.
HOST_UNREACHABLE, NO_RESULT = "host_unreachable", "no_result"


@dataclasses.dataclass(frozen=True)
class Event:
    """One result that Ansible reports to a callback. C(item): it is of one pass of a loop, and the result of the whole task repeats it."""

    host: str
    play: str
    task: str
    task_uuid: str
    module: str
    check_mode: bool
    status: str
    item: bool
    result: Mapping[str, t.Any]


class Collector:
    """Takes the events of a run in their order, and counts each DID once."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._hidden: list[Event] = []
        self._jobs: dict[tuple[str, str], Event] = {}
        self._loops: set[tuple[str, str]] = set()

    def add(self, event: Event) -> None:
        """Take one event. The result of a task with a loop repeats those of its passes, and is left out."""
        key = (event.host, event.task_uuid)
        if event.item:
            self._loops.add(key)
        elif key in self._loops:
            self._loops.discard(key)
            if _is_hidden(event) or isinstance(event.result.get("results"), list):
                return
        if event.status != "skipped":
            self._classify(event)

    def _classify(self, event: Event) -> None:
        job = event.result.get("ansible_job_id")
        if event.module == ASYNC_STATUS:
            self._end_job(event, job)
        elif _is_hidden(event):
            self._hidden.append(event)
        elif isinstance(job, str) and not event.result.get("finished") and event.status == "ok":
            self._jobs[event.host, job] = event
        else:
            self._events.append(event)

    def _end_job(self, event: Event, job: t.Any) -> None:
        """Take the end of a task that was started in the background. The ends of other modules' tasks are ignored."""
        if not isinstance(job, str) or not event.result.get("finished") or _is_hidden(event):
            return
        started = self._jobs.get((event.host, job))
        if started is None:
            return
        if _is_of_module(event.result):
            del self._jobs[event.host, job]
            self._events.append(
                dataclasses.replace(started, status=event.status, result=event.result)
            )
        else:
            # The job is lost, or its end is: what became of it cannot be known.
            self._jobs[event.host, job] = dataclasses.replace(started, status=event.status)

    def review(self, generated_at: str) -> Review:
        """Return the review of all events so far."""
        runs: list[Run] = []
        entries: list[Entry] = []
        unlisted: list[Unlisted] = []
        for group in _group(self._events):
            if group[0].module == DIDS:
                run = _read_dids_result(group[0], len(runs), entries, unlisted)
            else:
                run = _read_did_results(group, len(runs), entries)
            runs.append(run)
        unseen = [
            *_make_unseen(self._hidden, NO_LOG),
            *_make_unseen(list(self._jobs.values()), NOT_AWAITED),
        ]
        return Review(
            generated_at, tuple(runs), sort_entries(entries), tuple(unlisted), tuple(unseen)
        )


def _is_hidden(event: Event) -> bool:
    return "censored" in event.result


def _is_of_module(result: Mapping[str, t.Any]) -> bool:
    """Tell whether the module itself made a result, and not Ansible around it."""
    is_done = result.get("action") in (*ACTIONS, "none") or isinstance(result.get("summary"), dict)
    return is_done or _read_failure(result.get("error"), None) is not None


def _make_unseen(hidden: Sequence[Event], why: str) -> Iterator[Unseen]:
    tasks: dict[tuple[str, str], list[Event]] = collections.defaultdict(list)
    for event in hidden:
        tasks[event.host, event.task_uuid].append(event)
    for results in tasks.values():
        first = results[0]
        yield Unseen(
            first.host,
            first.play,
            first.task,
            first.module,
            first.check_mode,
            why,
            len(results),
            sum(event.status != "ok" for event in results),
            len(results) if first.module == DID else None,
        )


def _group(events: Sequence[Event]) -> list[list[Event]]:
    """Group the events of each task with C(did) by the registry that they used; a task with C(dids) is a group of its own.

    A failure names no registry, so it joins the task's first event that names one.
    """
    tasks: dict[tuple[str, str], list[Event]] = collections.defaultdict(list)
    groups: dict[tuple[t.Any, ...], list[Event]] = {}
    for number, event in enumerate(events):
        if event.module == DIDS:
            groups[number,] = [event]
        else:
            tasks[event.host, event.task_uuid].append(event)
    for (host, uuid), results in tasks.items():
        places = [place for place in map(_place, results) if any(place)]
        for event in results:
            place = _place(event)
            group_place = place if any(place) or not places else places[0]
            groups.setdefault((host, uuid, event.check_mode, *group_place), []).append(event)
    order = {id(event): number for number, event in enumerate(events)}
    return sorted(groups.values(), key=lambda group: order[id(group[0])])


def _place(event: Event) -> tuple[str | None, str | None, str | None]:
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


def _read_did_results(group: Sequence[Event], run: int, entries: list[Entry]) -> Run:
    """Read the results of C(did)."""
    counts = dict.fromkeys(COUNTS, 0)
    for event in group:
        entry = _read_did_result(event, run)
        counts["total"] += 1
        counts["none" if entry is None else entry.kind] += 1
        if entry is not None:
            entries.append(entry)
    place = next((place for place in map(_place, group) if any(place)), (None, None, None))
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
    error = error or _failure_without_result(event)
    outcome = {"unknown_outcome": "unknown"}.get(error.kind, "failed")
    if event.result.get("changed") is True:
        outcome = "unrecorded"
    known = {
        "did_number": error.did_number,
        "record_id": error.record_id,
        "label": event.result.get("label"),
    }
    return _make_entry(run, outcome, known, error)


def _read_dids_result(
    event: Event, run: int, entries: list[Entry], unlisted: list[Unlisted]
) -> Run:
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
        _place(event),
        plan_checksum=_text(result.get("plan_checksum")),
        counts=counts,
        error=error,
        backoff=_backoff(_mapping(result.get("backoff"))),
        omitted=0 if counts is None else max(0, total - counts["none"] - len(found)),
    )
    entries += [_with_resolution(entry, made.target) for entry in found]
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
                is_grouped=True,
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
    return Failure(HOST_UNREACHABLE if event.status == "unreachable" else NO_RESULT)


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
