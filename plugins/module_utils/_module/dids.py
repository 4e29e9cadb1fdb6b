# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(dids)."""

from __future__ import annotations

import re
import typing as t

from .._engine.planner import Settings
from .._errors import (
    DidError,
    Interrupted,
    InvalidParameter,
    LimitExceeded,
    PlanChanged,
    UnknownOutcome,
    Unrecorded,
)
from .._fields import mask_secrets
from .._input.entries import entries_of_file, entries_of_option, validate
from .._model import ADOPT, CREATE, NONE, UPDATE, Desired, Policy
from .._planning.checksum import checksum
from .arguments import (
    limits,
    option,
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
    from collections.abc import Sequence

    from .._engine.planner import Converger
    from .._input.entries import Item
    from .._model import Job, Plan
    from .._platform.connection import Connection
    from .task import Module, Result, Spec

_ACTIONS = (CREATE, UPDATE, ADOPT, NONE)
APPLIED, PLANNED, FAILED, UNKNOWN, UNRECORDED, NOT_ATTEMPTED = (
    "applied",
    "planned",
    "failed",
    "unknown",
    "unrecorded",
    "not_attempted",
)
_CONCURRENCY_LIMIT = 64
# How many failures the message for people tells; all of them are in the result.
_TOLD_FAILURES = 10


def dids_spec() -> Spec:
    """Return the options of C(dids)."""
    return {
        **shared_spec(),
        "dids": {"type": "list", "elements": "dict"},
        "src": {"type": "path"},
        "defaults": {"type": "dict"},
        **policy_spec(),
        "concurrency": {"type": "int", "default": 1},
        "max_creates": {"type": "int"},
        "max_changes": {"type": "int"},
        "max_failures": {"type": "int"},
        "plan_checksum": {"type": "str"},
        "report_unlisted": {"type": "bool", "default": False},
    }


def converge_dids(module: Module) -> Result:
    """Do the work of the module C(dids)."""
    declared, defaults = module.take_items(), module.take_defaults()
    connection, problems = read_connection(module)
    platform = platform_of(module, []) if connection is None else platform_of(module, problems)
    location = registry_location(module, problems)
    problems += limits(module) + _limits(module)
    src = option(module, "src")
    given = [name for name, value in (("dids", declared), ("src", src)) if value is not None]
    if len(given) != 1:
        problems.append("dids, src: give one of them")
    refuse(problems)
    entries = (
        entries_of_option(declared, "dids")
        if declared is not None
        else entries_of_file(src, ranges=True)
    )
    items, invalid = validate(entries, given[0], defaults=defaults, ranges=True)
    refuse(invalid)
    bounds = ("max_creates", "max_changes", "plan_checksum")
    settings = Settings(
        platform=platform,
        connection=t.cast("Connection", connection),
        policy=Policy(module.params["force"], False, module.params["update_password"]),
        retries=module.params["retries"],
        registry_timeout=module.params["registry_timeout"],
        concurrency=module.params["concurrency"],
        max_failures=module.params["max_failures"],
        bound=any(option(module, name) is not None for name in bounds),
    )
    wanted = [Desired(item.values, item.record_id) for item in items]
    with converging(module, location, settings, wanted) as converger:
        return _Run(module, converger, items).result(wanted)


def _limits(module: Module) -> list[str]:
    problems = [
        f"{name}: must be 0 or more"
        for name in ("max_creates", "max_changes", "max_failures")
        if module.params[name] is not None and module.params[name] < 0
    ]
    if not 1 <= module.params["concurrency"] <= _CONCURRENCY_LIMIT:
        problems.append(f"concurrency: must be from 1 to {_CONCURRENCY_LIMIT}")
    wanted = option(module, "plan_checksum")
    if wanted is not None and not re.fullmatch(r"[0-9a-f]{64}", wanted):
        problems.append(
            "plan_checksum: must be the plan_checksum that a run in check mode returned, 64 hexadecimal digits"
        )
    return problems


class _Run:
    """One run over a list, and what it tells."""

    def __init__(self, module: Module, converger: Converger, items: Sequence[Item]) -> None:
        self._module = module
        self._converger = converger
        self._items = items

    def result(self, wanted: Sequence[Desired]) -> Result:
        """Plan, check the plan as a whole, apply it unless in check mode, and tell."""
        converger, module = self._converger, self._module
        jobs = converger.plan(wanted)
        self._refuse(jobs)
        unlisted = self._unlisted(self._listed(jobs))
        plan_checksum = checksum(
            converger.settings.platform,
            converger.registry.registry_id,
            jobs,
            converger.fingerprints,
        )
        planned = [job.plan for job in jobs if job.sends and job.plan is not None]
        objection = self._objection(planned, plan_checksum)
        if objection is None:
            converger.carry_out(jobs, check=module.check_mode)
        predicted = module.check_mode and objection is None
        outcomes = [_outcome(job, predicted) for job in jobs]
        result = self._told(jobs, outcomes)
        result["summary"]["unlisted"] = unlisted.pop("count")
        result.update(unlisted)
        result["plan_checksum"] = plan_checksum
        result["backoff"] = self._backoff()
        if module._diff:
            result["diff"] = [diff(plan) for plan in planned]
        warn(module, converger, jobs)
        failed = objection or self._failure(jobs, result["summary"])
        if failed is not None:
            result.update(msg=failed.message, error=failed.details())
        return result

    def _backoff(self) -> Result | None:
        converger = self._converger
        if not converger.refusals:
            return None
        self._module.warn(
            f"The platform refused {converger.refusals} of several simultaneous requests (HTTP 429). They were sent again, with a"
            f" concurrency of {converger.least_concurrency} at the least"
        )
        return {"refusals": converger.refusals, "concurrency": converger.least_concurrency}

    def _refuse(self, jobs: Sequence[Job]) -> None:
        """Refuse the whole list if its plan shows that one of its items is not valid."""
        problems = [
            f"{item.place}: {job.error.message}"
            for item, job in zip(self._items, jobs)
            if isinstance(job.error, InvalidParameter)
        ]
        first: dict[str, Item] = {}
        for item, job in zip(self._items, jobs):
            known = None if job.plan is None else job.plan.known
            other = item if known is None else first.setdefault(known.key, item)
            if known is not None and other is not item:
                problems.append(
                    f"{other.place} and {item.place}: are one and the same in the registry (record {known.record_id})"
                )
        refuse(problems)

    def _listed(self, jobs: Sequence[Job]) -> set[str]:
        """Return the keys of the registry's records that the list is about."""
        converger = self._converger
        known = (job.plan.known for job in jobs if job.plan is not None)
        keys = {record.key for record in known if record is not None}
        wanted = [(job.desired.number, job.desired.record_id) for job in jobs if job.plan is None]
        for found in converger.registry.find_many(converger.settings.platform, wanted):
            keys.update(record.key for record in found if record is not None)
        return keys

    def _unlisted(self, listed: set[str]) -> Result:
        """Return how many DIDs of the registry the list does not name, and on request which."""
        registry, platform = self._converger.registry, self._converger.settings.platform
        result: Result = {"count": registry.reports.count_records(platform) - len(listed)}
        if self._module.params["report_unlisted"]:
            result["unlisted"] = [
                {
                    "did_number": record.number,
                    "record_id": record.record_id,
                    "outcome": record.shown_outcome,
                }
                for _platform, record in registry.reports.records(platform, None, None, None)
                if record.key not in listed
            ]
        return result

    def _objection(self, planned: Sequence[Plan], plan_checksum: str) -> DidError | None:
        """Return why the plan as a whole may not be applied, or None."""
        wanted = option(self._module, "plan_checksum")
        if wanted is not None and wanted != plan_checksum:
            return PlanChanged(
                f"The plan is not the one that was reviewed: its checksum is {plan_checksum}, and plan_checksum demands {wanted}. The list,"
                " the registry or the options have changed since. Nothing was sent. Review the new plan (check mode), and apply that"
            )
        actions = [plan.action for plan in planned]
        for name, count, what in (
            ("max_creates", actions.count(CREATE), "creates"),
            ("max_changes", len(actions), "requests"),
        ):
            limit = self._module.params[name]
            if limit is not None and count > limit:
                return LimitExceeded(
                    f"The plan holds {count} {what}, and {name} allows {limit}. Nothing was sent. If the plan is right (see dids in the"
                    f" result), raise {name}; if it is not, look whether this is the right list and the right registry"
                )
        return None

    def _told(self, jobs: Sequence[Job], outcomes: Sequence[str]) -> Result:
        kinds = (*_ACTIONS, FAILED, UNKNOWN, UNRECORDED, NOT_ATTEMPTED)
        summary = dict.fromkeys(("total", *kinds), 0)
        summary["total"] = len(jobs)
        dids = []
        changed = False
        for item, job, outcome in zip(self._items, jobs, outcomes):
            done = outcome in (APPLIED, PLANNED, NONE) and job.plan is not None
            summary[job.plan.action if done and job.plan else outcome] += 1
            changed |= outcome in (APPLIED, PLANNED, UNRECORDED)
            if outcome != NONE:
                dids.append(self._told_did(item, job, outcome))
        return {
            "changed": changed,
            "summary": summary,
            "dids": dids,
            "platform": self._converger.settings.platform,
            "registry": told_registry(self._converger.registry),
        }

    def _told_did(self, item: Item, job: Job, outcome: str) -> Result:
        error = None if job.error is None else {**job.error.details(), "msg": job.error.message}
        result: Result = {
            "index": item.entry.position,
            "source": item.entry.source,
            "outcome": outcome,
            "error": error,
        }
        if job.plan is None:
            return {
                **result,
                "action": None,
                "did_number": job.desired.did_number,
                "record_id": job.desired.record_id,
                "changes": {},
                "fields": {},
                "confirmed_at": None,
                "before_confirmed_at": None,
            }
        record = job.plan.known if job.record is None else job.record
        result.update(told(job.plan, record, self._converger.settings.connection))
        if outcome == UNRECORDED and job.error is not None:
            result["record_id"] = job.error.record_id
        elif outcome not in (APPLIED, PLANNED):
            result["fields"] = {} if record is None else mask_secrets(record.fields)
        return result

    def _failure(self, jobs: Sequence[Job], summary: t.Mapping[str, int]) -> DidError | None:
        """Return what the task as a whole fails with, or None: the kind of one DID's failure, and words on all of them.

        That DID is the first of those whose record id would be lost with the result, or else the first that failed.
        """
        failed = [
            (item, job.error) for item, job in zip(self._items, jobs) if job.error is not None
        ]
        if not failed and self._converger.stopped is None:
            return None
        message = _count_failures(summary, self._converger.stopped)
        for item, error in failed[:_TOLD_FAILURES]:
            message += "\n- " + f"{item.place}: {error.message}".split("\n", maxsplit=1)[0]
        if len(failed) > _TOLD_FAILURES:
            message += f"\n- and {len(failed) - _TOLD_FAILURES} more: see dids in the result"
        message += self._ways_on(jobs)
        if not failed:
            return Interrupted(message)
        first = next((error for _item, error in failed if error.changed), failed[0][1])
        details = {name: value for name, value in first.details().items() if name != "kind"}
        return type(first)(message, **details)

    def _ways_on(self, jobs: Sequence[Job]) -> str:
        errors = [job.error for job in jobs if job.error is not None and job.error.did_number]
        open_creates = [
            (str(error.did_number), error.attempt)
            for error in errors
            if isinstance(error, UnknownOutcome) and error.attempt
        ]
        created = [
            (str(error.did_number), t.cast("int", error.record_id))
            for error in errors
            if isinstance(error, Unrecorded) and error.is_create
        ]
        if not open_creates and not created:
            return ""
        from .._messages import recording, ways_on

        target = self._converger.target
        # No id may be left out, and there are no more of them than requests that were under way at once.
        told = [recording(created, target)] if created else []
        told += [ways_on(open_creates[:_TOLD_FAILURES], target)] if open_creates else []
        return "".join(f"\n{play}" for play in told)


def _outcome(job: Job, predicted: bool) -> str:
    if job.error is not None:
        if job.error.changed:
            return UNRECORDED
        return UNKNOWN if job.error.is_unknown else FAILED
    if job.plan is not None and not job.plan.sends:
        return NONE
    if job.record is not None:
        return APPLIED
    return PLANNED if predicted else NOT_ATTEMPTED


def _count_failures(summary: t.Mapping[str, int], reason: str | None) -> str:
    words = [
        f"{summary[outcome]} {what}"
        for outcome, what in (
            (FAILED, "failed"),
            (UNKNOWN, "of unknown outcome"),
            (UNRECORDED, "applied but not recorded"),
            (NOT_ATTEMPTED, "not attempted"),
        )
        if summary[outcome]
    ]
    count = sum(summary[outcome] for outcome in (FAILED, UNKNOWN, UNRECORDED, NOT_ATTEMPTED))
    stopped = "" if reason is None else f". The run ended early: {reason}"
    return (
        f"{count} of {summary['total']} DIDs are not as declared: {', '.join(words)}{stopped}. Correct what is wrong, and run again: what is"
        " applied by now is not sent again"
    )
