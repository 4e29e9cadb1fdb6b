# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did)."""

from __future__ import annotations

import contextlib
import typing as t

from .. import _fields
from .._converge import Converger, Settings
from .._exchange import Connection, check_connection, shown_path
from .._plan import Desired, Policy, masked
from .._registry._open import open_registry
from .._secrets import Fingerprints
from .base import limits, option, platform_of, refuse, registry_location, shared_spec

if t.TYPE_CHECKING:  # pragma: no cover
    from .._plan import Plan
    from .._platform import Platform
    from .._registry._records import Registry
    from .base import Module, Result, Spec


def did_spec() -> Spec:
    """Return the options of C(did)."""
    return {
        **shared_spec(),
        **_fields.argument_spec(),
        "record_id": {"type": "int"},
        "renumber": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "update_password": {
            "type": "str",
            "choices": ["on_change", "on_create"],
            "default": "on_change",
            "no_log": False,
        },
    }


def converge_did(module: Module) -> Result:
    """Do the work of the module C(did)."""
    declared = {name: module.params[name] for name in _fields.BY_NAME}
    declared.update(module.take_secret_fields())
    connection, problems = _connection(module)
    platform = platform_of(module, []) if connection is None else platform_of(module, problems)
    values, invalid = _fields.normalise(declared)
    record_id = module.params["record_id"]
    if record_id is None and declared["did_number"] is None:
        invalid.append("did_number: is required, or record_id for a record that exists")
    if record_id is not None:
        try:
            record_id = _fields.record_id(record_id)
        except ValueError as error:
            invalid.append(f"record_id: {error}")
    desired = Desired(values, record_id)
    location = registry_location(module, problems)
    refuse(
        invalid + problems + limits(module),
        desired.did_number,
        record_id if isinstance(record_id, int) else None,
    )
    settings = Settings(
        platform=platform,
        connection=t.cast("Connection", connection),
        policy=Policy(
            module.params["force"], module.params["renumber"], module.params["update_password"]
        ),
        retries=module.params["retries"],
        registry_timeout=module.params["registry_timeout"],
    )
    if not settings.connection.validate_certs:
        module.warn(
            "validate_certs is false: whoever answers for the platform's name receives the API token and key"
        )
    registry = open_registry(
        location,
        platform,
        registry_id=option(module, "registry_id"),
        write=not module.check_mode,
        timeout=settings.registry_timeout,
    )
    try:
        return _converge(module, registry, settings, desired)
    finally:
        registry.close()


def _connection(module: Module) -> tuple[Connection | None, list[str]]:
    given = {name: option(module, name) for name in ("api_url", "api_token", "api_key")}
    problems = [
        f"{name}: is required; give the option or the environment variable NEXTBILLING_{name.upper()}"
        for name, value in given.items()
        if value is None
    ]
    if problems:
        return None, problems
    connection = Connection(
        **given,
        validate_certs=module.params["validate_certs"],
        ca_path=option(module, "ca_path"),
        connect_timeout=module.params["connect_timeout"],
        timeout=module.params["timeout"],
        allow_http=module.params["allow_http"],
    )
    return connection, check_connection(connection)


def _converge(module: Module, registry: Registry, settings: Settings, desired: Desired) -> Result:
    secrets = [value for name, value in desired.values.items() if _fields.BY_NAME[name].secret]
    fingerprints = Fingerprints(settings.connection.api_key, registry.registry_id)
    with contextlib.ExitStack() as stack:

        def client() -> Platform:
            # A run with nothing to do does not pay for what a request needs.
            from .._platform import Platform

            return stack.enter_context(contextlib.closing(Platform(settings.connection, secrets)))

        converger = Converger(registry, settings, fingerprints, client)
        if module.check_mode:
            plan = converger.preview(desired)
            record_id, known = plan.record_id, plan.known
        else:
            converged = converger.apply(desired)
            plan, known = converged.plan, converged.record
            record_id = converged.record.record_id
        for warning in converger.warnings(plan):
            module.warn(warning)
    result = _result(plan, record_id, registry, settings.connection)
    result["confirmed_at"] = None if known is None else known.confirmed_at
    if module._diff:
        result["diff"] = plan.diff()
    return result


def _result(
    plan: Plan, record_id: int | None, registry: Registry, connection: Connection
) -> Result:
    """Return what C(did) returns, built from what may be shown and nothing else."""
    fields = plan.fields_after()
    result: Result = {
        "changed": plan.sends,
        "action": plan.action,
        "did_number": fields.get("did_number"),
        "record_id": record_id,
        "changes": {
            name: {"before": change.before, "after": change.after}
            for name, change in plan.changes.items()
        },
        "fields": fields,
        "registry": {"id": registry.registry_id, "location": registry.location},
    }
    if plan.sends:
        result["request"] = {
            "method": "PUT" if plan.record_id is None else "POST",
            "path": shown_path(connection, plan.record_id),
            "body": masked(plan.payload),
        }
    return result
