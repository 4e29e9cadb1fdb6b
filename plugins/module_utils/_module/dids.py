# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(dids)."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from collections.abc import Sequence

from .._engine.list_planner import ListPlan, plan_list
from .._engine.planner import Settings
from .._errors import DidError, InvalidParameter, LimitExceeded, PlanChanged
from .._input.entries import DidList, Item
from .._model import CREATE, Job, RunResult
from .._planning.checksum import PREFIX, checksum
from . import arguments
from .list_results import list_failure, list_result
from .session import Session, add_warnings, open_session
from .task import Result, Spec, Task

_CONCURRENCY_LIMIT = 64
# How many DIDs the message about an exceeded limit names.
_NAMED = 5
_PLAN_DIFFERS = "The list, the registry or the options have changed since. Nothing was sent. Review the new plan (check mode), and apply that"
_REVIEWED_IS_DONE = (
    "Nothing is left to do: all DIDs are as declared, so the reviewed plan may have been applied already. Nothing was sent. Leave"
    " plan_checksum out, or review again (check mode)"
)


def dids_spec() -> Spec:
    """Return the options of C(dids)."""
    return {
        **arguments.shared_spec(),
        **arguments.list_spec(),
        "defaults": {"type": "dict"},
        **arguments.policy_spec(),
        "concurrency": {"type": "int", "default": 1},
        "max_creates": {"type": "int"},
        "max_changes": {"type": "int"},
        "max_failures": {"type": "int"},
        "apply_at_most": {"type": "int"},
        "plan_checksum": {"type": "str"},
        "report_unlisted": {"type": "bool", "default": False},
        "details": {"type": "bool", "default": False},
        "progress": {"type": "bool", "default": True},
    }


def converge_dids(task: Task) -> Result:
    """Do the work of the module C(dids)."""
    declared, defaults = task.take_items(), task.take_defaults()
    problems: list[str] = []
    settings = arguments.read_settings(task, problems)
    location = arguments.read_location(task, problems)
    arguments.read_witness(task, problems)
    problems += arguments.check_limits(task) + _check_options(task)
    if len(arguments.list_options(task, declared)) != 1:
        problems.append(arguments.ONE_LIST)
    arguments.raise_problems(problems)
    did_list, invalid = arguments.open_list(task, declared, defaults)
    arguments.raise_problems(invalid)
    return _converge_list(task, location, settings, t.cast("DidList", did_list))


def _converge_list(task: Task, location: str, settings: Settings, did_list: DidList) -> Result:
    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(open_session(task, location, settings, did_list.secrets))
            plan, problems = plan_list(session.planner, did_list)
        except DidError:
            # What is wrong with the list is told first.
            arguments.raise_problems(did_list.problems())
            raise
        arguments.raise_problems(problems)
        _check_items(plan.items, plan.jobs)
        return _converge(task, session, did_list, plan)


def _check_options(task: Task) -> list[str]:
    problems = [
        f"{name}: must be 0 or more"
        for name in ("max_creates", "max_changes", "max_failures")
        if task.params[name] is not None and task.params[name] < 0
    ]
    apply_at_most = task.params["apply_at_most"]
    if apply_at_most is not None and apply_at_most < 1:
        problems.append("apply_at_most: must be 1 or more")
    if not 1 <= task.params["concurrency"] <= _CONCURRENCY_LIMIT:
        problems.append(f"concurrency: must be from 1 to {_CONCURRENCY_LIMIT}")
    # An empty one is a variable without a value, and would apply what nobody has reviewed.
    plan_checksum = task.params["plan_checksum"]
    if plan_checksum is not None and re.fullmatch(r"[0-9a-f]{64}", plan_checksum):
        problems.append(
            "plan_checksum: is one of release 1, which computed it in another way. Review the plan again (check mode), and give the"
            " plan_checksum of that run"
        )
    elif plan_checksum is not None and not re.fullmatch(PREFIX + "[0-9a-f]{64}", plan_checksum):
        problems.append(
            f"plan_checksum: must be the plan_checksum that a run in check mode returned, {PREFIX} and 64 hexadecimal digits."
            " To apply a plan without a review, leave the option out"
        )
    return problems


def _check_items(items: Sequence[Item], jobs: Sequence[Job]) -> None:
    """Refuse the whole list if its plans show that one of its items is not valid."""
    invalid = [
        (item, job.error.message.removeprefix(f"{job.desired.label}: "))
        for item, job in zip(items, jobs)
        if isinstance(job.error, InvalidParameter)
    ]
    problems = [f"{item.place}: {message}" for item, message in invalid]
    first: dict[str, Item] = {}
    for item, job in zip(items, jobs):
        known = None if job.plan is None else job.plan.known
        other = item if known is None else first.setdefault(known.key, item)
        if known is not None and other is not item:
            problems.append(
                f"{other.place} and {item.place}: are one and the same in the registry (record {known.record_id})"
            )
    arguments.raise_problems(problems)


def _converge(task: Task, session: Session, did_list: DidList, plan: ListPlan) -> Result:
    """Apply the plans unless the task is in check mode or forbids them as a whole, and return the result."""
    settings, registry = session.settings, session.registry
    items, jobs = plan.items, plan.jobs
    unlisted_count, unlisted = _unlisted(task, session, plan)
    plan_checksum = checksum(
        settings.platform, registry.registry_id, jobs, session.planner.fingerprints, plan.digests
    )
    sending = [job for job in jobs if job.sends]
    is_done = not sending and all(job.error is None for job in jobs)
    error = _check_plans(task, session, sending, plan_checksum, is_done=is_done)
    if error is None:
        sending = _postpone(task, sending)
    plans = [(job.plan, job.similar_to) for job in sending if job.plan is not None]
    run = (
        RunResult()
        if error
        else session.execute(
            jobs, check=task.check_mode, source=(_list_name(task), did_list.declared())
        )
    )
    details = task.params["details"]
    connection = settings.connection if details else None
    result = list_result(
        items,
        jobs,
        predicted=task.check_mode and error is None,
        connection=connection,
        unchanged=len(plan.unchanged),
    )
    result["summary"]["unlisted"] = unlisted_count
    result.update(
        {**unlisted, **task.context},
        run=run.run,
        plan_checksum=plan_checksum,
        backoff=_backoff(task, run),
    )
    if task.diff:
        from .._planning.diff import list_diff

        result["diff"] = list_diff(plans)
    add_warnings(task, session, jobs)
    if error is None and (run.stopped or any(job.error is not None for job in jobs)):
        error = list_failure(
            items, jobs, result["summary"], run.stopped, session.planner.target(run.moved_to)
        )
    if error is not None:
        result.update(msg=error.message, error=error.details())
        if not details:
            from .failed_run import shorten

            shorten(result)
    return result


def _list_name(task: Task) -> str:
    """Return how the run calls its list: the name of the file, or of the option."""
    source = task.option("src")
    return "dids" if source is None else os.path.basename(source)


def _unlisted(task: Task, session: Session, plan: ListPlan) -> tuple[int, dict[str, list[Result]]]:
    """Return how many DIDs of the registry the list does not name, and on request the part of the result that says which."""
    registry, platform = session.registry, session.settings.platform
    listed = _listed_records(session, plan)
    # Records may be gone since the list was looked up, or be missing on the server that answers now.
    count = max(0, registry.reports.count_records(platform) - len(listed) - len(plan.unchanged))
    if not task.params["report_unlisted"]:
        return count, {}
    unchanged = set(plan.unchanged)
    unlisted = [
        {
            "did_number": record.did_number,
            "record_id": record.record_id,
            "outcome": record.shown_outcome,
        }
        for _platform, record in registry.reports.records(platform)
        if record.key not in listed and record.record_id not in unchanged
    ]
    return count, {"unlisted": unlisted}


def _listed_records(session: Session, plan: ListPlan) -> set[str]:
    """Return the keys of the registry's records that the list is about, without those of its unchanged DIDs."""
    known = [job.plan.known for job in plan.jobs if job.plan is not None]
    failed = [job.desired for job in plan.jobs if job.plan is None]
    unplanned = [(desired.number, desired.record_id) for desired in failed]
    for found in session.registry.find_many(session.settings.platform, unplanned):
        known += found
    records = [record for record in known if record is not None]
    unchanged = {record.record_id for record in records}.intersection(plan.unchanged)
    return {record.key for record in records if record.record_id not in unchanged}


def _check_plans(
    task: Task, session: Session, sending: Sequence[Job], plan_checksum: str, *, is_done: bool
) -> DidError | None:
    """Return why the plans as a whole may not be applied, or None.

    :param sending: the jobs that need a request.
    :param is_done: whether all DIDs are as declared.
    """
    similar = [job for job in sending if job.similar_to]
    if similar and session.settings.refuse_similar:
        from .._engine.preflight import similar_error

        return similar_error(similar)
    reviewed_checksum = task.option("plan_checksum")
    if reviewed_checksum is not None and reviewed_checksum != plan_checksum:
        return PlanChanged(
            f"The plan is not the one that was reviewed: its checksum is {plan_checksum}, and plan_checksum demands {reviewed_checksum}."
            f" {_REVIEWED_IS_DONE if is_done else _PLAN_DIFFERS}"
        )
    creates = [job for job in sending if job.plan is not None and job.plan.action == CREATE]
    for name, limited, unit in (
        ("max_creates", creates, "create"),
        ("max_changes", sending, "request"),
    ):
        limit = task.params[name]
        if limit is not None and len(limited) > limit:
            return LimitExceeded(
                f"The plan holds {len(limited)} {unit}{'' if len(limited) == 1 else 's'} ({_name_first(limited)}), and {name} allows {limit}."
                f" Nothing was sent. If the plan is right (the task's result shows it), raise {name}; if it is not, look whether this is the right"
                " list and the right registry"
            )
    return None


def _name_first(jobs: Sequence[Job]) -> str:
    """Return what the first DIDs are called, and how many more there are."""
    rest = len(jobs) - _NAMED
    names = ", ".join(job.desired.label for job in jobs[:_NAMED])
    return f"{names} and {rest} more" if rest > 0 else names


def _postpone(task: Task, sending: list[Job]) -> list[Job]:
    """Leave to later runs what C(apply_at_most) does not allow in this one. Return the rest of the jobs that need a request."""
    limit = task.params["apply_at_most"]
    if limit is None or limit >= len(sending):
        return sending
    for job in sending[limit:]:
        job.is_postponed = True
    task.warn(
        f"apply_at_most is {limit}, and {len(sending)} DIDs need a request. Only the first {limit} of them are attempted. Run again to"
        " attempt the next ones"
    )
    return sending[:limit]


def _backoff(task: Task, run: RunResult) -> Result | None:
    """Return how far the run reduced its concurrency, with a warning; None if it did not have to."""
    if not run.refusals:
        return None
    task.warn(
        f"The platform refused {run.refusals} of several simultaneous requests (HTTP 429). They were sent again, with a"
        f" concurrency of {run.least_concurrency} at the least"
    )
    return {"refusals": run.refusals, "concurrency": run.least_concurrency}
