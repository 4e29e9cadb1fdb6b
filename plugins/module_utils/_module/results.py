# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What results say, and how a run ends."""

from __future__ import annotations

import atexit
import gc
import typing as t

from .. import _fields
from .._errors import DidError, defect
from .._fields import mask_secrets
from .._platform.connection import Connection, shown_path
from .._secrets import MARK_REFUSED, is_mark
from .arguments import option, refuse
from .task import Module, Result

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    from .._model import Plan, Record
    from .._registry.registry import Registry
    from .task import Module, Result

# How many new objects there may be before garbage is looked for among them; Python's own default is hundreds.
_OBJECTS = 250_000


def run(module: Module, work: Callable[[Module], Result]) -> t.NoReturn:
    """Do a module's work and end it: with its result, or with what stopped it.

    The failure is reported after the exception is gone, so that nothing of it can be attached to the result; one that nobody
    expected is reported by its place in the code, as its text may hold anything.

    Of a long list nearly all that is made stays to the end, so garbage is looked for less often: with 100,000 DIDs, that would
    take a quarter of the time. At the end of the process it is not looked for at all, as the system frees all at once: Python would
    go through all that was imported, which is a twentieth of what C(did) with nothing to do costs.
    """
    atexit.register(gc.freeze)
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    try:
        _end(module, work)
    finally:
        gc.set_threshold(*thresholds)


def _end(module: Module, work: Callable[[Module], Result]) -> t.NoReturn:
    try:
        refuse(
            [f"{name}: must be text, not {kind}" for name, kind in sorted(module.nested.items())]
        )
        _refuse_marks(module)
        result = work(module)
    except DidError as error:
        result = failure(error)
    # What nobody expected may hold a secret in its text.
    except Exception as error:  # pylint: disable=broad-exception-caught
        result = failure(defect(error))
    if "error" in result:
        module.fail_json(**result)
    module.exit_json(**result)


def _refuse_marks(module: Module) -> None:
    """Refuse an option that holds what results show in place of a secret. Fields are checked with all else that is checked of them."""
    options = {
        name: option(module, name) for name in module.argument_spec if name not in _fields.BY_NAME
    }
    refuse(
        [
            f"{name}: {MARK_REFUSED}"
            for name, value in options.items()
            if isinstance(value, str) and is_mark(value)
        ]
    )


def failure(error: DidError) -> Result:
    """Return the result of a task that an error has stopped."""
    return {"msg": error.message, "error": error.details(), "changed": error.changed}


def diff(plan: Plan) -> Result:
    """Return a plan as Ansible's diff."""
    from .._planning.diff import diff as shown

    return shown(plan)


def told_registry(registry: Registry) -> Result:
    """Return what a result says of the registry."""
    return {"id": registry.registry_id, "location": registry.location}


def told(plan: Plan, record: Record | None, connection: Connection) -> Result:
    """Return what a result says of one DID, built from what may be shown and nothing else.

    :param record: what the registry holds of it now, None for a DID that is new.
    """
    fields = plan.fields_after()
    result: Result = {
        "action": plan.action,
        "did_number": fields.get("did_number"),
        "record_id": (
            plan.record_id if record is None or record.record_id is None else record.record_id
        ),
        "changes": {
            name: {"before": change.before, "after": change.after}
            for name, change in plan.changes.items()
        },
        "fields": fields,
        "confirmed_at": None if record is None else record.confirmed_at,
        "before_confirmed_at": None if plan.known is None else plan.known.confirmed_at,
    }
    if plan.sends:
        result["request"] = {
            "method": "PUT" if plan.record_id is None else "POST",
            "path": shown_path(connection, plan.record_id),
            "body": mask_secrets(plan.payload),
        }
    return result
