# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Collects the results of tasks into a review. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing as t
from collections.abc import Iterator, Sequence

from .model import (
    LOST,
    NO_LOG,
    NOT_AWAITED,
    STOPPED,
    Entry,
    Review,
    Run,
    Unlisted,
    Unseen,
    sort_entries,
)
from .result_reader import (
    ASYNC_STATUS,
    DID,
    DIDS,
    Event,
    is_of_module,
    place_of,
    read_did_results,
    read_dids_result,
)


class Collector:
    """Takes the events of a run in their order, and counts each DID once."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._hidden: list[Event] = []
        self._jobs: dict[tuple[str, str], Event] = {}
        self._loops: set[tuple[str, str]] = set()
        self._started: dict[tuple[str, str], Event] = {}

    def start(self, event: Event) -> None:
        """Take note that a task has begun on a host."""
        self._started[event.host, event.task_uuid] = event

    @property
    def stopped(self) -> list[Event]:
        """Return the tasks that have begun and not ended."""
        return list(self._started.values())

    @property
    def has_hidden(self) -> bool:
        """Tell whether there are results that the review must not show."""
        return bool(self._hidden)

    @property
    def reported_runs(self) -> set[str]:
        """Return the ids in the registry of all runs whose results are known."""
        runs = (event.result.get("run") for event in self._events)
        return {run for run in runs if isinstance(run, str)}

    def add(self, event: Event) -> None:
        """Take one event. The result of a task with a loop repeats those of its passes, and is left out."""
        key = (event.host, event.task_uuid)
        if event.item:
            self._loops.add(key)
        else:
            self._started.pop(key, None)
        if not event.item and key in self._loops:
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
        if is_of_module(event.result):
            del self._jobs[event.host, job]
            self._events.append(
                dataclasses.replace(started, status=event.status, result=event.result)
            )
        else:
            # The job is lost, or its end is: what became of it cannot be known.
            self._jobs[event.host, job] = dataclasses.replace(started, status="lost", result={})

    def review(self, generated_at: str, interrupted: str | None = None) -> Review:
        """Return the review of all events so far. C(interrupted): as C(Review) has it."""
        jobs: dict[bool, list[Event]] = {True: [], False: []}
        for job in self._jobs.values():
            jobs[job.status == "lost" and not job.check_mode].append(job)
        lost = jobs[True]
        # The outcome of a single DID is unknown. Of a list, it is not even known how many DIDs it has.
        lost_dids = [job for job in lost if job.module == DID]
        runs: list[Run] = []
        entries: list[Entry] = []
        unlisted: list[Unlisted] = []
        for group in _group([*self._events, *lost_dids]):
            if group[0].module == DIDS:
                run = read_dids_result(group[0], len(runs), entries, unlisted)
            else:
                run = read_did_results(group, len(runs), entries)
            runs.append(run)
        unseen = [
            *_make_unseen(self._hidden, NO_LOG),
            *_make_unseen(jobs[False], NOT_AWAITED),
            *_make_unseen([job for job in lost if job.module == DIDS], LOST),
            *_make_unseen(self.stopped if interrupted else [], STOPPED),
        ]
        return Review(
            generated_at,
            tuple(runs),
            sort_entries(entries),
            tuple(unlisted),
            tuple(unseen),
            interrupted,
        )


def _is_hidden(event: Event) -> bool:
    return "censored" in event.result


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
            sum(event.status in ("failed", "unreachable") for event in results),
            # Of a task that was stopped, it is not known how often it was to run.
            len(results) if first.module == DID and why != STOPPED else None,
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
        places = [place for place in map(place_of, results) if any(place)]
        for event in results:
            place = place_of(event)
            group_place = place if any(place) or not places else places[0]
            groups.setdefault((host, uuid, event.check_mode, *group_place), []).append(event)
    order = {id(event): number for number, event in enumerate(events)}
    return sorted(groups.values(), key=lambda group: order[id(group[0])])
