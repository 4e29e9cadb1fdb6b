# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did_info)."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._model import CONFIRMED, UNCERTAIN, UNDER_WAY, UNKNOWN, Claim, Record
from .._registry.registry import Registry
from .._registry.reports import HistoryEntry
from .._secrets import MASK
from . import arguments
from .results import registry_result
from .session import open_task_registry
from .task import Result, Spec, Task


def did_info_spec() -> Spec:
    """Return the options of C(did_info)."""
    return {
        **arguments.shared_spec(),
        "did_number": {"type": "raw"},
        "record_id": {"type": "int"},
        "outcome": {"type": "str", "choices": [CONFIRMED, UNKNOWN, UNCERTAIN, UNDER_WAY]},
        "history": {"type": "bool", "default": False},
    }


def read_registry(task: Task) -> Result:
    """Do the work of the module C(did_info)."""
    problems = arguments.check_limits(task)
    location = arguments.read_location(task, problems)
    arguments.read_witness(task, problems)
    values, invalid = _fields.normalise({"did_number": task.params["did_number"]})
    arguments.raise_problems(problems + invalid)
    number = None if not values else _fields.identity(str(values["did_number"]))
    platform, record_id = task.option("platform"), task.params["record_id"]
    with open_task_registry(task, location, None, write=False, allow_moved=True) as registry:
        for warning in registry.server_warnings(detailed=True):
            task.warn(warning)
        records = registry.reports.records(platform, task.params["outcome"], number, record_id)
        result: Result = {
            "changed": False,
            "dids": [_record_result(name, record) for name, record in records],
            "registry": _summary_result(registry),
            "witness": _witness_result(task, registry, platform),
        }
        if task.params["history"]:
            entries = registry.reports.history(platform)
            for did, (name, record) in zip(result["dids"], records):
                did["history"] = [
                    _history_result(entry) for entry in entries if _is_about(entry, name, record)
                ]
            result["history"] = [
                _history_result(entry)
                for entry in entries
                if number in (None, entry.number) and record_id in (None, entry.record_id)
            ]
    return result


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


def _witness_result(task: Task, registry: Registry, platform: str | None) -> Result | None:
    platforms = registry.platforms() if platform is None else [platform]
    report = registry.witness_report(platforms)
    if report is None:
        return None
    if report.missing:
        task.warn(
            f"The registry {registry.location} has lost {report.missing} DIDs that runs on this host have recorded ({report.path}). The modules did"
            " and dids refuse it, and say how to record them again"
        )
    return report._asdict()


def _record_result(platform: str, record: Record) -> Result:
    return {
        "platform": platform,
        "did_number": record.did_number,
        "record_id": record.record_id,
        "outcome": record.shown_outcome,
        "attempt": record.attempt,
        "claim": None if record.claim is None else _claim_result(record.claim),
        "fields": _fields.mask_secrets(record.fields),
        "attempted": _fields.mask_secrets(record.attempted),
        "confirmed_at": record.confirmed_at,
    }


def _claim_result(claim: Claim) -> Result | None:
    """Return who holds a record, or None if its claim has ended."""
    if not claim.live:
        return None
    return {"action": claim.action, "holder": claim.holder, "ends_at": claim.ends_at}


def _is_about(entry: HistoryEntry, platform: str, record: Record) -> bool:
    has_id = entry.record_id is not None and entry.record_id == record.record_id
    return entry.platform == platform and (has_id or entry.number in record.numbers)


def _history_result(entry: HistoryEntry) -> Result:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "event": entry.event,
        "platform": entry.platform,
        "did_number": entry.number,
        "record_id": entry.record_id,
        "details": _mask_fingerprints(entry.details),
    }


def _mask_fingerprints(details: t.Any) -> t.Any:
    """Return details of the history with a mark in place of each secret, wherever fields stand in them."""
    if not isinstance(details, dict):
        return details
    return {
        name: MASK if name in _fields.SECRETS else _mask_fingerprints(value)
        for name, value in details.items()
    }
