# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did)."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._engine.planner import Settings
from .._errors import Interrupted
from .._model import Desired, Policy
from .arguments import (
    limits,
    platform_of,
    policy_spec,
    read_connection,
    refuse,
    registry_location,
    shared_spec,
)
from .results import diff, told, told_registry
from .session import converging, warn

if t.TYPE_CHECKING:  # pragma: no cover
    from .._engine.planner import Converger
    from .._errors import DidError
    from .._model import Job, Plan
    from .._platform.connection import Connection
    from .task import Module, Result, Spec


def did_spec() -> Spec:
    """Return the options of C(did)."""
    return {
        **shared_spec(),
        **_fields.argument_spec(),
        "record_id": {"type": "int"},
        "renumber": {"type": "bool", "default": False},
        **policy_spec(),
    }


def converge_did(module: Module) -> Result:
    """Do the work of the module C(did)."""
    declared = {name: module.params[name] for name in _fields.BY_NAME}
    declared.update(module.take_secret_fields())
    connection, problems = read_connection(module)
    platform = platform_of(module, []) if connection is None else platform_of(module, problems)
    desired, invalid = _desired(module, declared)
    location = registry_location(module, problems)
    refuse(invalid + problems + limits(module), desired.did_number, desired.record_id)
    settings = Settings(
        platform=platform,
        connection=t.cast("Connection", connection),
        policy=Policy(
            module.params["force"], module.params["renumber"], module.params["update_password"]
        ),
        retries=module.params["retries"],
        registry_timeout=module.params["registry_timeout"],
    )
    return _converge(module, location, settings, desired)


def _desired(module: Module, declared: dict[str, t.Any]) -> tuple[Desired, list[str]]:
    values, invalid = _fields.normalise(declared)
    record_id = module.params["record_id"]
    if record_id is None and declared["did_number"] is None:
        invalid.append("did_number: is required, or record_id for a record that exists")
    if record_id is not None:
        try:
            record_id = _fields.normalise_record_id(record_id)
        except ValueError as error:
            invalid.append(f"record_id: {error}")
    return Desired(values, record_id), invalid


def _converge(module: Module, location: str, settings: Settings, desired: Desired) -> Result:
    with converging(module, location, settings, [desired]) as converger:
        (job,) = jobs = converger.plan([desired])
        if job.error is None:
            converger.carry_out(jobs, check=module.check_mode)
        plan = _plan_of(job, converger, module.check_mode)
        warn(module, converger, jobs)
        result = told(plan, job.record or plan.known, settings.connection)
        registry = told_registry(converger.registry)
    result.update(changed=plan.sends, platform=settings.platform, registry=registry)
    if module._diff:
        result["diff"] = diff(plan)
    return result


def _plan_of(job: Job, converger: Converger, check: bool) -> Plan:
    """Return the plan of the only DID, or raise what stopped it."""
    if job.error is not None or job.plan is None:
        raise t.cast("DidError", job.error)
    if job.sends and job.record is None and not check:
        raise Interrupted(
            f"{job.desired.label}: {converger.stopped}. It was not attempted: nothing was sent for it. Run again"
        )
    return job.plan
