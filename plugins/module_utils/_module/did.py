# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did)."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._errors import DidError, Interrupted
from .._model import Desired, Job, Plan, RunResult
from . import arguments
from .results import did_details, did_result
from .session import add_warnings, open_session
from .task import Result, Spec, Task


def did_spec() -> Spec:
    """Return the options of C(did)."""
    return {
        **arguments.shared_spec(),
        **_fields.argument_spec(),
        "record_id": {"type": "int"},
        "renumber": {"type": "bool", "default": False},
        **arguments.policy_spec(),
    }


def converge_did(task: Task) -> Result:
    """Do the work of the module C(did)."""
    problems: list[str] = []
    desired = _read_desired(task, problems)
    settings = arguments.read_settings(task, problems)
    location = arguments.read_location(task, problems)
    arguments.read_witness(task, problems)
    problems += arguments.check_limits(task)
    arguments.raise_problems(problems, desired.did_number, desired.record_id)
    secrets = [desired.values[name] for name in _fields.SECRETS if name in desired.values]
    with open_session(task, location, settings, lambda: secrets) as session:
        (job,) = jobs = session.planner.plan([desired])
        task.context = {**task.context, "label": job.label}
        if settings.refuse_similar and job.similar_to:
            from .._engine.preflight import similar_error

            raise similar_error(jobs)
        run = session.execute(jobs, check=task.check_mode)
        task.context = {**task.context, "run": run.run}
        plan = _plan_of(job, run, task.check_mode)
        add_warnings(task, session, jobs)
        result = {**task.context, **did_result(plan, job.record or plan.known)}
        result.update(did_details(plan, settings.connection))
    result.update(changed=plan.sends, similar_to=list(job.similar_to))
    if task.diff:
        from .._planning.diff import diff

        result["diff"] = diff(plan, job.similar_to)
    return result


def _read_desired(task: Task, problems: list[str]) -> Desired:
    declared = {name: task.params[name] for name in _fields.BY_NAME}
    values, invalid = _fields.normalise({**declared, **task.take_secret_fields()})
    problems += invalid
    record_id = task.params["record_id"]
    if record_id is None and declared["did_number"] is None:
        problems.append("did_number: is required, or record_id for a record that exists")
    if record_id is not None:
        try:
            record_id = _fields.normalise_record_id(record_id)
        except ValueError as error:
            problems.append(f"record_id: {error}")
    return Desired(values, record_id)


def _plan_of(job: Job, run: RunResult, check: bool) -> Plan:
    """Return the plan of the only DID, or raise the error that stopped it."""
    if job.error is not None or job.plan is None:
        raise t.cast(DidError, job.error)
    if job.sends and job.record is None and not check:
        raise Interrupted(
            f"{job.desired.label}: {run.stopped}. It was not attempted: nothing was sent for it. Run again"
        )
    return job.plan
