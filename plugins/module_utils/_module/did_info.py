# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did_info)."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._fields import mask_secrets
from .._model import CONFIRMED, UNCERTAIN, UNDER_WAY, UNKNOWN
from .._registry.claims import end_of
from .._registry.open import open_registry
from .._secrets import MASK
from .arguments import limits, option, refuse, registry_location, shared_spec

if t.TYPE_CHECKING:  # pragma: no cover
    from .._model import Claim, Record
    from .._registry.registry import Registry
    from .._registry.reports import HistoryEntry
    from .task import Module, Result, Spec


def info_spec() -> Spec:
    """Return the options of C(did_info)."""
    return {
        **shared_spec(),
        "did_number": {"type": "raw"},
        "record_id": {"type": "int"},
        "outcome": {"type": "str", "choices": [CONFIRMED, UNKNOWN, UNCERTAIN, UNDER_WAY]},
        "history": {"type": "bool", "default": False},
    }


def tell_registry(module: Module) -> Result:
    """Do the work of the module C(did_info)."""
    problems = limits(module)
    location = registry_location(module, problems)
    wanted, invalid = _fields.normalise({"did_number": module.params["did_number"]})
    refuse(problems + invalid)
    registry = open_registry(
        location,
        None,
        registry_id=option(module, "registry_id"),
        write=False,
        timeout=module.params["registry_timeout"],
        password=option(module, "registry_password"),
        retired=True,
    )
    try:
        number = wanted.get("did_number")
        platform = option(module, "platform")
        record_id = module.params["record_id"]
        identity = None if number is None else _fields.identity(str(number))
        found = registry.reports.records(platform, module.params["outcome"], identity, record_id)
        result: Result = {
            "changed": False,
            "dids": [_told(name, record) for name, record in found],
            "registry": _described(registry),
        }
        if module.params["history"]:
            entries = registry.reports.history(platform)
            for did, (name, record) in zip(result["dids"], found):
                did["history"] = [
                    _told_entry(entry) for entry in entries if _speaks_of(entry, name, record)
                ]
            result["history"] = [
                _told_entry(entry)
                for entry in entries
                if identity in (None, entry.number) and record_id in (None, entry.record_id)
            ]
        return result
    finally:
        registry.close()


def _described(registry: Registry) -> Result:
    summary = registry.reports.summary()
    return {
        "id": registry.registry_id,
        "location": registry.location,
        "moved_to": registry.moved_to,
        "schema": summary.schema,
        "platforms": list(summary.platforms),
        "counts": dict(summary.counts),
        "changed_at": summary.changed_at,
    }


def _told(platform: str, record: Record) -> Result:
    return {
        "platform": platform,
        "did_number": record.number,
        "record_id": record.record_id,
        "outcome": record.shown_outcome,
        "attempt": record.attempt,
        "claim": None if record.claim is None else _told_claim(record.claim),
        "fields": mask_secrets(record.fields),
        "attempted": mask_secrets(record.attempted),
        "confirmed_at": record.confirmed_at,
    }


def _told_claim(claim: Claim) -> Result | None:
    """Return who holds a record, or None where nobody does any more."""
    if not claim.live:
        return None
    return {"action": claim.action, "holder": claim.holder, "ends_at": end_of(claim)}


def _speaks_of(entry: HistoryEntry, platform: str, record: Record) -> bool:
    same = entry.number in record.numbers or (
        entry.record_id is not None and entry.record_id == record.record_id
    )
    return entry.platform == platform and same


def _told_entry(entry: HistoryEntry) -> Result:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "event": entry.event,
        "platform": entry.platform,
        "did_number": entry.number,
        "record_id": entry.record_id,
        "details": _without_fingerprints(entry.details),
    }


def _without_fingerprints(details: t.Any) -> t.Any:
    """Return details of history with a mark in place of each secret, wherever fields stand in it."""
    if not isinstance(details, dict):
        return details
    return {
        name: MASK if name in _fields.SECRETS else _without_fingerprints(value)
        for name, value in details.items()
    }
