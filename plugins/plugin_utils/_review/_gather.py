# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""From what Ansible tells a callback to a review. Pure but for the clock: what a result holds is checked and copied key by key."""

from __future__ import annotations

import collections
import dataclasses
import math
import re
import typing as t

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import MASK

from ._model import (
    ACTIONS,
    COUNTED,
    NO_LOG,
    NOT_AWAITED,
    TROUBLES,
    Change,
    Entry,
    Failure,
    Review,
    Run,
    Unlisted,
    Unseen,
    ordered,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterator, Mapping, Sequence

    from ._model import Value

ONE, MANY, WAIT = "did", "dids", "async_status"

# A mark in place of a secret: what it says beside the stars is one of the module's own remarks.
_MARK = re.compile(re.escape(MASK) + r"( \([a-z_, ]{1,80}\))?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|\+00:00)")
_OUTCOMES = ("applied", "planned", *TROUBLES)
# Kinds of a failure of which the modules could not tell.
HOST_UNREACHABLE, NO_RESULT = "host_unreachable", "no_result"


@dataclasses.dataclass(frozen=True)
class Told:
    """What Ansible told of one result. C(item): it is one pass of a loop, which the result of the whole task will repeat."""

    host: str
    play: str
    task: str
    task_uuid: str
    module: str
    check_mode: bool
    status: str
    item: bool
    result: Mapping[str, t.Any]


class Gatherer:
    """Takes what Ansible tells, in its order, and counts each DID once."""

    def __init__(self) -> None:
        self._seen: list[Told] = []
        self._hidden: list[Told] = []
        self._jobs: dict[tuple[str, str], Told] = {}
        self._loops: set[tuple[str, str]] = set()

    def tell(self, told: Told) -> None:
        """Take one result. The result of a task with a loop repeats those of its passes, and is left out."""
        key = (told.host, told.task_uuid)
        if told.item:
            self._loops.add(key)
        elif key in self._loops:
            self._loops.discard(key)
            if _is_hidden(told) or isinstance(told.result.get("results"), list):
                return
        if told.status != "skipped":
            self._take(told)

    def _take(self, told: Told) -> None:
        job = told.result.get("ansible_job_id")
        if told.module == WAIT:
            self._take_awaited(told, job)
        elif _is_hidden(told):
            self._hidden.append(told)
        elif isinstance(job, str) and not told.result.get("finished") and told.status == "ok":
            self._jobs[told.host, job] = told
        else:
            self._seen.append(told)

    def _take_awaited(self, told: Told, job: t.Any) -> None:
        """Take the end of a task that was started in the background. What is asked of other tasks is not of concern here."""
        if not isinstance(job, str) or not told.result.get("finished") or _is_hidden(told):
            return
        started = self._jobs.get((told.host, job))
        if started is None:
            return
        if _is_of_module(told.result):
            del self._jobs[told.host, job]
            self._seen.append(dataclasses.replace(started, status=told.status, result=told.result))
        else:
            # The job is lost, or its end is: nobody can tell what became of it.
            self._jobs[told.host, job] = dataclasses.replace(started, status=told.status)

    def review(self, generated_at: str) -> Review:
        """Make the review of all that was told until now."""
        runs: list[Run] = []
        entries: list[Entry] = []
        unlisted: list[Unlisted] = []
        for group in _groups(self._seen):
            if group[0].module == MANY:
                run = _read_many(group[0], len(runs), entries, unlisted)
            else:
                run = _read_ones(group, len(runs), entries)
            runs.append(run)
        unseen = [
            *_unseen(self._hidden, NO_LOG),
            *_unseen(list(self._jobs.values()), NOT_AWAITED),
        ]
        return Review(generated_at, tuple(runs), ordered(entries), tuple(unlisted), tuple(unseen))


def _is_hidden(told: Told) -> bool:
    return "censored" in told.result


def _is_of_module(result: Mapping[str, t.Any]) -> bool:
    """Tell whether a result is one of the module itself, and not of what Ansible put around it."""
    done = result.get("action") in (*ACTIONS, "none") or isinstance(result.get("summary"), dict)
    return done or _read_failure(result.get("error"), None) is not None


def _unseen(hidden: Sequence[Told], why: str) -> Iterator[Unseen]:
    tasks: dict[tuple[str, str], list[Told]] = collections.defaultdict(list)
    for told in hidden:
        tasks[told.host, told.task_uuid].append(told)
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
            sum(told.status != "ok" for told in results),
            len(results) if first.module == ONE else None,
        )


def _groups(seen: Sequence[Told]) -> list[list[Told]]:
    """Bring together what one task did for one DID after the other with one registry; a task with a list stands for itself.

    A failure names no registry: it goes with the task's first result that names one.
    """
    tasks: dict[tuple[str, str], list[Told]] = collections.defaultdict(list)
    groups: dict[tuple[t.Any, ...], list[Told]] = {}
    for number, told in enumerate(seen):
        if told.module == MANY:
            groups[number,] = [told]
        else:
            tasks[told.host, told.task_uuid].append(told)
    for (host, uuid), results in tasks.items():
        places = [place for place in map(_place, results) if any(place)]
        for told in results:
            place = _place(told)
            home = place if any(place) or not places else places[0]
            groups.setdefault((host, uuid, told.check_mode, *home), []).append(told)
    order = {id(told): number for number, told in enumerate(seen)}
    return sorted(groups.values(), key=lambda group: order[id(group[0])])


def _place(told: Told) -> tuple[str | None, str | None, str | None]:
    registry = _mapping(told.result.get("registry"))
    return (
        _text(told.result.get("platform")),
        _text(registry.get("id")),
        _text(registry.get("location")),
    )


def _run(told: Told, place: tuple[str | None, str | None, str | None], **more: t.Any) -> Run:
    platform, registry_id, location = place
    more.setdefault("plan_checksum", None)
    return Run(
        host=told.host,
        play=told.play,
        task=told.task,
        module=told.module,
        check_mode=told.check_mode,
        platform=platform,
        registry_id=registry_id,
        registry_location=location,
        **more,
    )


def _read_ones(group: Sequence[Told], run: int, entries: list[Entry]) -> Run:
    """Read the results of C(did)."""
    counts = dict.fromkeys(COUNTED, 0)
    for told in group:
        entry = _read_one(told, run)
        counts["total"] += 1
        counts["none" if entry is None else entry.kind] += 1
        if entry is not None:
            entries.append(entry)
    place = next((place for place in map(_place, group) if any(place)), (None, None, None))
    return _run(group[0], place, counts=counts)


def _read_one(told: Told, run: int) -> Entry | None:
    """Return what a result of C(did) tells, or None where nothing is to be done."""
    error = _failure(told)
    action = told.result.get("action")
    if error is None and action == "none":
        return None
    if error is None and action in ACTIONS:
        outcome = "planned" if told.check_mode else "applied"
        return _entry(run, outcome, told.result, None)
    error = error or _without_result(told)
    outcome = {"unknown_outcome": "unknown"}.get(error.kind, "failed")
    if told.result.get("changed") is True:
        outcome = "unrecorded"
    named = {"did_number": error.did_number, "record_id": error.record_id}
    return _entry(run, outcome, named, error)


def _read_many(told: Told, run: int, entries: list[Entry], unlisted: list[Unlisted]) -> Run:
    """Read a result of C(dids), whose own summary is what counts."""
    result = told.result
    summary = result.get("summary")
    counts = None
    if isinstance(summary, dict):
        counts = {name: _integer(summary.get(name)) or 0 for name in COUNTED}
    error = _failure(told) or (None if counts is not None else _without_result(told))
    for item in _list(result.get("dids")):
        known = _mapping(item)
        outcome = known.get("outcome")
        problem = _read_failure(known.get("error"), _mapping(known.get("error")).get("msg"))
        if outcome not in _OUTCOMES or (
            outcome not in TROUBLES and known.get("action") not in ACTIONS
        ):
            outcome = "failed"
        entries.append(_entry(run, outcome, known, problem))
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
    return _run(
        told,
        _place(told),
        plan_checksum=_text(result.get("plan_checksum")),
        counts=counts,
        error=error,
        backoff=_backoff(_mapping(result.get("backoff"))),
    )


def _backoff(told: Mapping[str, t.Any]) -> dict[str, int] | None:
    refusals, concurrency = _integer(told.get("refusals")), _integer(told.get("concurrency"))
    if refusals is None or concurrency is None:
        return None
    return {"refusals": refusals, "concurrency": concurrency}


def _entry(run: int, outcome: str, known: Mapping[str, t.Any], error: Failure | None) -> Entry:
    action = known.get("action")
    since = known.get("before_confirmed_at")
    return Entry(
        run=run,
        outcome=outcome,
        action=action if action in ACTIONS else None,
        did_number=_text(known.get("did_number")),
        record_id=_integer(known.get("record_id")),
        changes=_changes(known.get("changes")),
        error=error,
        before_confirmed_at=since if isinstance(since, str) and _TIME.fullmatch(since) else None,
        index=_integer(known.get("index")),
        source=_text(known.get("source")),
    )


def _failure(told: Told) -> Failure | None:
    return _read_failure(told.result.get("error"), told.result.get("msg"))


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


def _without_result(told: Told) -> Failure:
    """Ansible ended the task, not the module: its words may hold anything, so they stay in Ansible's own output."""
    return Failure(HOST_UNREACHABLE if told.status == "unreachable" else NO_RESULT)


def _changes(changes: t.Any) -> tuple[Change, ...]:
    """Read the changes of the fields that the table knows, in its order."""
    told = _mapping(changes)
    found = []
    for name, field in BY_NAME.items():
        if name in told:
            sides = _mapping(told[name])
            read = _mark if field.secret else _value
            found.append(Change(name, read(sides.get("before")), read(sides.get("after"))))
    return tuple(found)


def _mark(value: t.Any) -> str | None:
    """Let nothing through but the marks that stand in place of a secret."""
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
    # A plain string: Ansible's own kinds of text have methods that templates heed.
    return str.__str__(value) if isinstance(value, str) else None


def _integer(value: t.Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []
