# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the result of C(dids) says: an entry for each DID that is not as declared, counts of all, and what the task fails with."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from .._errors import DidError, Interrupted, UnknownOutcome, Unrecorded
from .._fields import mask_secrets
from .._input.entries import Item
from .._model import ADOPT, CREATE, NONE, UPDATE, Job
from .._platform.connection import Connection
from .results import did_details, did_result
from .task import Result

if t.TYPE_CHECKING:  # pragma: no cover
    from .._snippets import Target

APPLIED, PLANNED = "applied", "planned"
FAILED, UNKNOWN, UNRECORDED, NOT_ATTEMPTED = "failed", "unknown", "unrecorded", "not_attempted"
_ACTIONS = (CREATE, UPDATE, ADOPT, NONE)
# The outcomes of DIDs that are not as declared, and how the message for people calls them.
_TROUBLES = {
    FAILED: "failed",
    UNKNOWN: "of unknown outcome",
    UNRECORDED: "applied but not recorded",
    NOT_ATTEMPTED: "not attempted",
}
# How many failures the message for people names, in about so many characters.
_NAMED_FAILURES, _CHARACTERS = 10, 1_200


def outcome_of(job: Job, *, predicted: bool) -> str:
    """Return how a DID ended. C(predicted): the plan was made in check mode, and would be carried out."""
    if job.error is not None:
        if job.error.changed:
            return UNRECORDED
        return UNKNOWN if job.error.is_unknown else FAILED
    if job.plan is not None and not job.plan.sends:
        return NONE
    if job.record is not None:
        return APPLIED
    return PLANNED if predicted and not job.is_postponed else NOT_ATTEMPTED


def list_result(
    items: Sequence[Item],
    jobs: Sequence[Job],
    *,
    predicted: bool,
    connection: Connection | None,
    unchanged: int,
) -> Result:
    """Return what the result says of all DIDs of a list.

    :param predicted: as in C(outcome_of).
    :param connection: None if the entries need no details.
    :param unchanged: how many DIDs need nothing and are not among the jobs.
    """
    summary = dict.fromkeys(("total", *_ACTIONS, *_TROUBLES), 0)
    summary.update({"total": len(jobs) + unchanged, NONE: unchanged})
    entries = []
    changed = False
    for item, job in zip(items, jobs):
        outcome = outcome_of(job, predicted=predicted)
        is_done = outcome in (APPLIED, PLANNED, NONE) and job.plan is not None
        summary[job.plan.action if is_done and job.plan else outcome] += 1
        changed |= outcome in (APPLIED, PLANNED, UNRECORDED)
        if outcome != NONE:
            entries.append(_entry_result(item, job, outcome, connection))
    return {"changed": changed, "summary": summary, "dids": entries}


def _entry_result(item: Item, job: Job, outcome: str, connection: Connection | None) -> Result:
    desired, plan = job.desired, job.plan
    result: Result = {
        "index": item.entry.position,
        "source": item.entry.source,
        "outcome": outcome,
        "similar_to": list(job.similar_to),
        "error": None if job.error is None else _error_result(job.error, connection is not None),
    }
    if plan is None:
        result.update(
            action=None,
            did_number=desired.did_number,
            record_id=desired.record_id,
            changes={},
            label=job.label,
            confirmed_at=None,
            before_confirmed_at=None,
        )
        return result if connection is None else {**result, "fields": {}}
    record = plan.known if job.record is None else job.record
    result.update(did_result(plan, record))
    if connection is not None:
        result.update(did_details(plan, connection))
        if outcome not in (APPLIED, PLANNED, UNRECORDED):
            result["fields"] = {} if record is None else mask_secrets(record.fields)
    if outcome == UNRECORDED and job.error is not None:
        result["record_id"] = job.error.record_id
    return result


def _error_result(error: DidError, details: bool) -> Result:
    """Return what went wrong with one DID. Without details, its resolution is left to the message about all DIDs."""
    return {**error.details(), "msg": error.message if details else error.problem}


def list_failure(
    items: Sequence[Item],
    jobs: Sequence[Job],
    summary: Mapping[str, int],
    stopped: str | None,
    target: Target,
) -> DidError:
    """Return what the task as a whole fails with: the kind of one DID's failure, and a message about all of them.

    That DID is the first of those whose record id would be lost with the result, or else the first that failed.

    :param stopped: why the run ended early, or None.
    """
    errors = [job.error for job in jobs if job.error is not None]
    lines = [
        _count_failures(summary, stopped),
        *_failure_lines(items, jobs),
        *_next_steps(errors, target),
    ]
    message = "\n".join(lines)
    if not errors:
        return Interrupted(message)
    first = next((error for error in errors if error.changed), errors[0])
    details = {name: value for name, value in first.details().items() if name != "kind"}
    return type(first)(message, **details)


def _failure_lines(items: Sequence[Item], jobs: Sequence[Job]) -> Iterator[str]:
    """Yield lines about the first DIDs that failed. Several with the same message have it in one line, and are named below it."""
    groups: dict[str, list[str]] = {}
    for item, job in zip(items, jobs):
        if job.error is not None:
            message = job.error.problem.split("\n", maxsplit=1)[0]
            label, _colon, text = message.partition(": ")
            if label == job.desired.label:
                groups.setdefault(text, []).append(f"{item.place}: {label}")
            else:
                groups.setdefault(message, []).append(item.place)
    left, room = _NAMED_FAILURES, _CHARACTERS
    hidden = 0
    for text, dids in groups.items():
        named = dids[: max(left, 0)] if room > 0 else []
        hidden += len(dids) - len(named)
        left -= len(named)
        if not named:
            continue
        lines = (
            [f"- {dids[0]}: {text}"]
            if len(dids) == 1
            else [f"- {len(dids)} DIDs: {text}", *(f"  - {did}" for did in named)]
        )
        room -= sum(map(len, lines))
        yield from lines
    if hidden:
        yield f"- and {hidden} more. With details: true, dids in the result lists all"


def _next_steps(errors: Sequence[DidError], target: Target) -> list[str]:
    """Return the plays or commands for the creates that were not recorded, and for those of unknown outcome."""
    open_creates = [
        (error.did_number, error.attempt)
        for error in errors
        if isinstance(error, UnknownOutcome) and error.did_number and error.attempt
    ]
    created = [
        (error.did_number, t.cast("int", error.record_id))
        for error in errors
        if isinstance(error, Unrecorded) and error.is_create and error.did_number
    ]
    if not open_creates and not created:
        return []
    from .._messages import recording_play, resolution, settling_commands

    # No id may be left out, and there are no more of them than requests that were under way at once.
    steps = [recording_play(created, target)] if created else []
    if len(open_creates) == 1:
        steps.append(resolution(*open_creates[0], target))
    elif open_creates:
        steps.append(settling_commands(target))
    return steps


def _count_failures(summary: Mapping[str, int], stopped: str | None) -> str:
    counts = [
        f"{summary[outcome]} {name}" for outcome, name in _TROUBLES.items() if summary[outcome]
    ]
    count = sum(summary[outcome] for outcome in _TROUBLES)
    reason = "" if stopped is None else f". The run ended early: {stopped}"
    return (
        f"{count} of {summary['total']} DIDs are not as declared: {', '.join(counts)}{reason}. Correct what is wrong, and run again: what is"
        " applied by now is not sent again"
    )
