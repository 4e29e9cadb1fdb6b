# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did_info)."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from functools import partial

from .. import _fields
from .._model import (
    ADOPT,
    APPLIED_EVENT,
    CREATE,
    OUTCOMES,
    UPDATE,
    Record,
)
from .._registry.registry import Registry
from .._registry.reports import HistoryEntry
from .._registry.run_reports import RunReport
from .._secrets import MASK, is_mark
from . import arguments
from .results import record_result, registry_result, witness_result
from .session import open_task_registry
from .task import Result, Spec, Task


def did_info_spec() -> Spec:
    """Return the options of C(did_info)."""
    return {
        **arguments.shared_spec(),
        "did_number": {"type": "raw"},
        "record_id": {"type": "int"},
        "outcome": {"type": "str", "choices": list(OUTCOMES)},
        "history": {"type": "bool", "default": False},
        "runs": {"type": "int", "default": 0},
    }


def read_registry(task: Task) -> Result:
    """Do the work of the module C(did_info)."""
    problems = arguments.check_limits(task)
    if task.params["runs"] < 0:
        problems.append("runs: must be 0 or more")
    location = arguments.read_location(task, problems)
    arguments.read_witness(task, problems)
    values, invalid = _fields.normalise({"did_number": task.params["did_number"]})
    arguments.raise_problems(problems + invalid)
    number = None if not values else _fields.identity(str(values["did_number"]))
    platform, record_id = task.option("platform"), task.params["record_id"]
    with open_task_registry(task, location, None, write=False, to_read=True) as registry:
        for warning in registry.server_warnings(detailed=True):
            task.warn(warning)
        records = registry.reports.records(
            platform, outcome=task.params["outcome"], number=number, record_id=record_id
        )
        result: Result = {
            "changed": False,
            "dids": [record_result(name, record) for name, record in records],
            "registry": _summary_result(registry),
            "witness": witness_result(task, registry, platform),
        }
        if task.params["runs"]:
            result["runs"] = [
                _run_result(run) for run in registry.reports.runs(platform, task.params["runs"])
            ]
        if task.params["history"]:
            is_whole = number is None and record_id is None and task.params["outcome"] is None
            _add_history(
                result, registry, platform, None if is_whole else (number, record_id), records
            )
    return result


def _add_history(
    result: Result,
    registry: Registry,
    platform: str | None,
    wanted: tuple[str | None, int | None] | None,
    records: Sequence[tuple[str, Record]],
) -> None:
    """Add the history to a result. C(wanted): the number and the record id that the task names, None if it wants all records."""
    if wanted is None:
        entries = registry.reports.history(platform)
    else:
        numbers = {number for _name, record in records for number in record.numbers}
        record_ids = {record.record_id for _name, record in records}
        entries = registry.reports.history(
            platform,
            [each for each in {*numbers, wanted[0]} if each is not None],
            [each for each in {*record_ids, wanted[1]} if each is not None],
        )
    lines = [_history_result(entry) for entry in entries]
    # By platform and number, and by platform and record id.
    places: dict[tuple[str, object], list[int]] = {}
    for place, entry in enumerate(entries):
        for subject in {entry.number, entry.record_id} - {None}:
            places.setdefault((entry.platform, subject), []).append(place)
    for did, (name, record) in zip(result["dids"], records):
        about = {
            place
            for subject in (*record.numbers, record.record_id)
            for place in places.get((name, subject), ())
        }
        did["history"] = [lines[place] for place in sorted(about)]
    number, record_id = wanted or (None, None)
    result["history"] = [
        line
        for line in lines
        if number in (None, line["did_number"]) and record_id in (None, line["record_id"])
    ]


def _summary_result(registry: Registry) -> Result:
    summary = registry.reports.summary()
    return {
        **registry_result(registry),
        "moved_to": registry.moved_to,
        "schema": summary.schema,
        "platforms": list(summary.platforms),
        "counts": dict(summary.counts),
        "changed_at": summary.changed_at,
    }


def _run_result(run: RunReport) -> Result:
    return {
        **run._asdict(),
        "lists": [source._asdict() for source in run.lists],
        "applied": {action: run.applied.get(action, 0) for action in (CREATE, UPDATE, ADOPT)},
    }


def _history_result(entry: HistoryEntry) -> Result:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "event": entry.event,
        "action": entry.action,
        "run": entry.run,
        "platform": entry.platform,
        "did_number": entry.number,
        "record_id": entry.record_id,
        "details": _details_result(entry),
    }


def _details_result(entry: HistoryEntry) -> t.Any:
    if entry.event != APPLIED_EVENT:
        return _mask_fingerprints(entry.details)
    changes = {
        name: dict(zip(("before", "after"), map(partial(_mask_secret, name), change)))
        for name, change in entry.details["changes"].items()
    }
    return {"changes": changes}


def _mask_secret(name: str, value: t.Any) -> t.Any:
    """Return the value of a field as it may be shown. A secret is stored as a mark, which says what it was compared with."""
    is_shown = value is None or name not in _fields.SECRETS
    return value if is_shown or (isinstance(value, str) and is_mark(value)) else MASK


def _mask_fingerprints(details: t.Any) -> t.Any:
    """Return details of the history with a mark in place of each secret, wherever fields stand in them."""
    if not isinstance(details, dict):
        return details
    return {
        name: MASK if name in _fields.SECRETS else _mask_fingerprints(value)
        for name, value in details.items()
    }
