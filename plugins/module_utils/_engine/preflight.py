# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Checks and warnings before the first request, in check mode too."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence

from .._errors import DidError, SimilarNumber, Unreachable
from .._fields import identity
from .._model import CREATE, Job, Plan, Record
from .._numbers import MOST_DIGITS
from .._planning.similar import similar_numbers
from .._registry.registry import Registry

_SHOWN_DIGITS = 60
_SIMILAR_ADVICE = (
    "If both are one number, the platform would have it twice: write it as it is already written, or remove one of the two. If they are"
    " different numbers, set similar: ignore"
)
# For so many creates at a time, similar numbers are looked up.
_CHUNK = 1_000


def check_requirements(registry: Registry, platform: str, jobs: Sequence[Job]) -> None:
    """Check once for all DIDs of a run what can be checked before the first request."""
    if importlib.util.find_spec("requests") is None:
        raise Unreachable(
            "The Python library 'requests' is missing for the interpreter that runs this task. Nothing was sent."
            " Install it (python -m pip install requests), or set ansible_python_interpreter to a Python that has it"
        )
    new = [str(plan.desired.number) for plan in _sending(jobs) if plan.action == CREATE]
    if new:
        registry.reports.verify_new(platform, new)


def find_similar(registry: Registry, platform: str, country_code: str, jobs: Sequence[Job]) -> None:
    """Note for each create which other numbers, in the registry or in the list, may be its own in another notation."""
    creates = [job for job in jobs if job.sends and job.plan and job.plan.action == CREATE]
    if not creates:
        return
    listed = {job.desired.number: str(job.desired.did_number) for job in jobs}
    for start in range(0, len(creates), _CHUNK):
        candidates = [
            (job, number)
            for job in creates[start : start + _CHUNK]
            for number in similar_numbers(str(job.desired.number), country_code)
        ]
        found = registry.find_many(platform, [(number, None) for _job, number in candidates])
        for (job, number), (record, _by_id) in zip(candidates, found):
            written = listed.get(number) if record is None else _written(record, number)
            if written is not None:
                job.similar_to += (written,)


def _written(record: Record, number: str) -> str:
    """Return a number as it was last written. A record that is being renumbered has another one, too."""
    last = record.did_number
    return last if last is not None and identity(last) == number else number


def similar_error(jobs: Sequence[Job]) -> SimilarNumber:
    """Return the error for creates whose numbers are similar to others."""
    return SimilarNumber(
        f"{_describe_similar(jobs)}. Nothing was sent. {_SIMILAR_ADVICE}",
        did_number=jobs[0].desired.did_number,
    )


def _describe_similar(jobs: Sequence[Job]) -> str:
    """Return which DIDs may be which other numbers. C(jobs): creates that are similar to others."""
    if len(jobs) == 1:
        others = " and ".join(jobs[0].similar_to)
        return f"{jobs[0].desired.label} is new to the registry, and may be {others} in another notation"
    pairs = [f"{job.desired.label} ({', '.join(job.similar_to)})" for job in jobs]
    return (
        f"{len(jobs)} DIDs are new to the registry, and may be other numbers, which stand in brackets, in another notation:"
        f" {_sample(pairs)}"
    )


def warnings(
    registry: Registry, platform: str, jobs: Sequence[Job], *, similar: bool = True
) -> list[str]:
    """Return what a person should know of what is, or would be, sent. C(similar): whether to warn of similar numbers."""
    plans = _sending(jobs)
    found = [*_notes(plans), *length_warnings(plan.desired.did_number for plan in plans)]
    alike = [job for job in jobs if job.similar_to and similar]
    if alike:
        found.append(f"{_describe_similar(alike)}. {_SIMILAR_ADVICE}")
    creates = [plan.desired.label for plan in plans if plan.action == CREATE]
    numberless = _ids_without_number(registry, platform, plans) if creates else []
    if numberless:
        new = (
            f"{creates[0]} is"
            if len(creates) == 1
            else f"{len(creates)} DIDs ({_sample(creates)}) are"
        )
        found.append(
            f"{new} new to the registry. There are also records whose number is not known (ids {_sample(numberless)}). A DID that is one"
            " of these would be created a second time: give it that record_id"
        )
    return found


def _ids_without_number(registry: Registry, platform: str, plans: Sequence[Plan]) -> list[int]:
    """Return the ids of records without a number, in the registry or in the task. They are the same before the plans are applied and after.

    Where the registry cannot be read any more, those of the task are left, so that the result is still returned.
    """
    try:
        found = set(registry.reports.ids_without_number(platform))
    except DidError:
        found = set()
    for plan in plans:
        if plan.record_id is None:
            continue
        if plan.did_number is None and (plan.known is None or not plan.known.numbers):
            found.add(plan.record_id)
        else:
            found.discard(plan.record_id)
    return sorted(found)


def _sending(jobs: Sequence[Job]) -> list[Plan]:
    return [job.plan for job in jobs if job.plan is not None and job.plan.sends]


def _notes(plans: Sequence[Plan]) -> list[str]:
    """Return each note of plans once, with some of the DIDs that it is about."""
    by_note: dict[str, list[str]] = {}
    for plan in plans:
        for note in plan.notes:
            by_note.setdefault(note, []).append(plan.desired.label)
    return [f"{_sample(labels)}: {note}" for note, labels in by_note.items()]


def length_warnings(numbers: Iterable[str | None]) -> list[str]:
    """Return a warning of numbers that have more digits than telephone numbers have, or none."""
    long = [number for number in numbers if number and len(identity(number)) > MOST_DIGITS]
    if not long:
        return []
    return [
        f"did_number: {_sample([number[:_SHOWN_DIGITS] for number in long])}: more than {MOST_DIGITS} digits, which no telephone number"
        " has. Such a number is taken as it is. Check whether it is several numbers, or a number and an extension, written as one"
    ]


def _sample(things: Sequence[object]) -> str:
    rest = f" and {len(things) - 20} more" if len(things) > 20 else ""
    return ", ".join(map(str, things[:20])) + rest
