# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""How a module ends, and what its result says of a DID and of the registry."""

from __future__ import annotations

import atexit
import gc
import typing as t
from collections.abc import Callable

from .. import _fields
from .._errors import DidError, defect
from .._model import Claim, Plan, Record
from .._platform.connection import Connection, masked_path
from .._registry.registry import Registry
from .._secrets import MARK_REFUSED, is_mark
from .arguments import raise_problems
from .task import Module, Result, Task

# How many new objects there may be before Python collects garbage. Its own default is hundreds.
_OBJECTS = 250_000


def run(module: Module, work: Callable[[Task], Result]) -> t.NoReturn:
    """Do the work of a module, and end it with its result or with the error that stopped it.

    The failure is reported after the exception is gone, so that nothing of it can be attached to the result. An unexpected exception
    is reported by its place in the code, as its text may hold a secret.

    Nearly all objects of a long list live to the end, so garbage is collected less often: with 100,000 DIDs, it would take a quarter
    of the time. At the end of the process it is not collected at all, as the system frees all memory at once: Python would search all
    that was imported, which is a twentieth of what C(did) with nothing to do costs.
    """
    atexit.register(gc.freeze)
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    try:
        result = perform(module, work)
        if "error" in result:
            module.fail_json(**result)
        module.exit_json(**result)
    finally:
        gc.set_threshold(*thresholds)


def perform(task: Task, work: Callable[[Task], Result]) -> Result:
    """Do the work of a task, and return its result or that of the error that stopped it. Signals are held until then."""
    with task.stop.hold_signals():
        return _result_of(task, work)


def _result_of(task: Task, work: Callable[[Task], Result]) -> Result:
    try:
        raise_problems(
            [f"{name}: must be text, not {kind}" for name, kind in sorted(task.nested.items())]
        )
        _refuse_marks(task)
        return work(task)
    except DidError as error:
        failure = error
    # The text of an unexpected exception may hold a secret.
    except Exception as error:  # pylint: disable=broad-exception-caught
        failure = defect(error)
    return {**task.context, **error_result(failure)}


def _refuse_marks(task: Task) -> None:
    """Refuse an option that holds what results show in place of a secret. The fields of a DID are checked with their values."""
    options = {
        name: task.option(name) for name in task.argument_spec if name not in _fields.BY_NAME
    }
    raise_problems(
        [
            f"{name}: {MARK_REFUSED}"
            for name, value in options.items()
            if isinstance(value, str) and is_mark(value)
        ]
    )


def error_result(error: DidError) -> Result:
    """Return the result of a task that an error has stopped."""
    return {"msg": error.message, "error": error.details(), "changed": error.changed}


def registry_result(registry: Registry) -> Result:
    """Return what a result says of the registry."""
    return {"id": registry.registry_id, "location": registry.location}


def change_result(task: Task, changes: list[str], registry_id: str | None, location: str) -> Result:
    """Return the result of a task that changes a registry or a file. C(changes): in words, a line each."""
    result: Result = {
        "changed": bool(changes),
        "registry": {"id": registry_id, "location": location},
    }
    if task.diff:
        result["diff"] = {"before": "", "after": "".join(f"{change}\n" for change in changes)}
    return result


def witness_result(task: Task, registry: Registry, platform: str | None) -> Result | None:
    """Return what the witness shows of a platform, or of all (None), and warn of DIDs that the registry has lost."""
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


def record_result(platform: str, record: Record) -> Result:
    """Return what C(did_info) says of a record."""
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


def did_result(plan: Plan, record: Record | None) -> Result:
    """Return what a result says of one DID. It is built only from what may be shown.

    :param record: what the registry holds of the DID now, None for a DID that is new.
    """
    return {
        "action": plan.action,
        "did_number": plan.did_number,
        "record_id": (
            plan.record_id if record is None or record.record_id is None else record.record_id
        ),
        "changes": {name: change._asdict() for name, change in plan.changes.items()},
        "label": plan.label,
        "confirmed_at": None if record is None else record.confirmed_at,
        "before_confirmed_at": None if plan.known is None else plan.known.confirmed_at,
    }


def did_details(plan: Plan, connection: Connection) -> Result:
    """Return what a result says of one DID in detail: what is known of it after the task, and the request, without secrets."""
    result: Result = {"fields": plan.fields_after()}
    if plan.sends:
        result["request"] = {
            "method": "PUT" if plan.record_id is None else "POST",
            "path": masked_path(connection, plan.record_id),
            "body": _fields.mask_secrets(plan.payload),
        }
    return result
