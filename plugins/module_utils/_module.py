# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Parameters to objects, errors to C(fail_json): the only room that knows C(AnsibleModule)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import AnsibleFallbackNotFound

from . import _fields
from ._converge import Converger, Settings
from ._errors import DidError, InvalidParameter
from ._plan import Desired, Policy, masked, recorded
from ._platform import Connection, Platform, check_connection, has_path, platform_name, shown_path
from ._registry._open import DEFAULT_LOCATION, holds_password, locate, make_present, open_registry
from ._registry._records import CONFIRMED, UNCERTAIN, UNKNOWN
from ._resolve import FORGOTTEN, RECORDED, Statement, lines, resolve
from ._secrets import MASK, Fingerprints
from ._source import read_items

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    from ._plan import Plan
    from ._registry._records import HistoryEntry, Record, Registry
    from ._source import Item

    Spec = dict[str, dict[str, t.Any]]
    Result = dict[str, t.Any]

_LOGIN = ("api_token", "api_key", "registry_password")
# What may be shown of an item of a list: an unknown key may be a mistyped secret.
_PLAIN = {field.name for field in _fields.FIELDS if not field.secret} | {"record_id"}


def environment(name: str) -> str:
    """A fallback for an option: the variable's value, where it is set and not empty."""
    value = os.environ.get(name)
    if not value:
        raise AnsibleFallbackNotFound
    return value


def connection_spec() -> Spec:
    """Return the options of the documentation fragment C(connection)."""
    return {
        "api_url": {"type": "str", "fallback": (environment, ["NEXTBILLING_API_URL"])},
        "api_token": {
            "type": "str",
            "no_log": True,
            "fallback": (environment, ["NEXTBILLING_API_TOKEN"]),
        },
        "api_key": {
            "type": "str",
            "no_log": True,
            "fallback": (environment, ["NEXTBILLING_API_KEY"]),
        },
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "connect_timeout": {"type": "float", "default": 10.0},
        "timeout": {"type": "float", "default": 60.0},
        "retries": {"type": "int", "default": 3},
        "allow_http": {"type": "bool", "default": False},
    }


def registry_spec() -> Spec:
    """Return the options of the documentation fragment C(registry)."""
    return {
        "registry": {
            "type": "str",
            "default": DEFAULT_LOCATION,
            "fallback": (environment, ["NEXTBILLING_REGISTRY"]),
        },
        "registry_password": {"type": "str", "no_log": True},
        "registry_id": {"type": "str"},
        "registry_timeout": {"type": "float", "default": 90.0},
        "platform": {"type": "str"},
    }


def shared_spec() -> Spec:
    """Return the options that every module of the collection accepts."""
    return {**connection_spec(), **registry_spec()}


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


def registry_module_spec() -> Spec:
    """Return the options of C(did_registry)."""
    return {
        **shared_spec(),
        "state": {"type": "str", "choices": ["present", RECORDED, FORGOTTEN], "default": "present"},
        "dids": {"type": "list", "elements": "dict"},
        "overwrite": {"type": "bool", "default": False},
    }


def info_spec() -> Spec:
    """Return the options of C(did_info)."""
    return {
        **shared_spec(),
        "did_number": {"type": "raw"},
        "record_id": {"type": "int"},
        "outcome": {"type": "str", "choices": [CONFIRMED, UNKNOWN, UNCERTAIN]},
        "history": {"type": "bool", "default": False},
    }


class Module(AnsibleModule):
    """An C(AnsibleModule) whose every failure has an C(error), and which shows only parameters that it knows.

    Ansible itself fails on parameters that do not fit the specification, before any code of the collection runs. An unknown one
    may be a mistyped secret, so it is not shown either.
    """

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        result.setdefault("error", InvalidParameter(msg).details())
        result.setdefault("invocation", self.shown_invocation())
        super().fail_json(msg=msg, **result)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        result.setdefault("invocation", self.shown_invocation())
        super().exit_json(**result)

    def shown_invocation(self) -> Result:
        """Return the parameters with a mark in place of each secret."""
        secret = {name for name, option in self.argument_spec.items() if option.get("no_log")}
        shown = {
            name: MASK if name in secret and value is not None else _without_password(value)
            for name, value in self.params.items()
            if name in self.argument_spec
        }
        if isinstance(shown.get("dids"), list):
            shown["dids"] = [_without_secret_fields(item) for item in shown["dids"]]
        return {"module_args": shown}

    def take_secret_fields(self) -> dict[str, str]:
        """Return the DIDs' own secrets and take them out of all that Ansible keeps of them.

        Ansible masks the values of C(no_log) parameters wherever they occur in a result: a DID's password C(13) would make the
        record id 13 unreadable, and an id that is lost is lost for good. The login's own secrets stay where they are.
        """
        found = {}
        for name in _fields.SECRETS:
            value = self.params.get(name)
            if value is not None:
                found[name] = value
                self.params[name] = MASK
        self.no_log_values = {str(self.params[name]) for name in _LOGIN if self.params.get(name)}
        return found

    def take_items(self) -> list[t.Any] | None:
        """Return the list of DIDs, or None where the task has none, and leave no secret of it in the parameters."""
        items: list[t.Any] | None = self.params["dids"]
        if items is not None:
            self.params["dids"] = [_without_secret_fields(item) for item in items]
        return items

    def _log_invocation(self) -> None:
        """Log the invocation to the system's log, as Ansible does, but only what may be shown."""
        self.log(f"Invoked with {json.dumps(self.shown_invocation()['module_args'], default=str)}")


def _without_secret_fields(item: t.Any) -> t.Any:
    if not isinstance(item, dict):
        return MASK
    return {name: MASK if name not in _PLAIN else value for name, value in item.items()}


def _without_password(value: t.Any) -> t.Any:
    """Hide a URL with a password in it: it is refused, but would be shown with the refusal."""
    if isinstance(value, str) and (holds_password(value) or "managedid/" in value.lower()):
        return MASK
    return value


def run(module: Module, work: Callable[[Module], Result]) -> t.NoReturn:
    """Do a module's work and end it: with its result, or with what stopped it.

    The failure is reported after the exception is gone, so that nothing of it can be attached to the result; one that nobody
    expected is reported by its place in the code, as its text may hold anything.
    """
    try:
        result = work(module)
    except DidError as error:
        failure: Result | None = {
            "msg": error.message,
            "error": error.details(),
            "changed": error.changed,
        }
    # What nobody expected may hold a secret in its text.
    except Exception as error:  # pylint: disable=broad-exception-caught
        failure = _unexpected(error)
    else:
        failure = None
    if failure is not None:
        module.fail_json(**failure)
    module.exit_json(**result)


def _unexpected(error: Exception) -> Result:
    place = traceback.extract_tb(sys.exc_info()[2])[-1]
    message = (
        f"Unexpected {type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}. This is a defect of"
        " nextbilling.did: please report it. If a request was under way, its outcome is kept in the registry as not known"
    )
    return {"msg": message, "error": DidError(message).details(), "changed": False}


def _option(module: Module, name: str) -> t.Any:
    """Return an option's value; null and an empty string are the same as not given: the environment or the default holds."""
    value = module.params.get(name)
    if value is not None and value != "":
        return value
    option = module.argument_spec[name]
    fallback, variables = option.get("fallback", (None, []))
    try:
        value = fallback(*variables) if fallback is not None else None
    except AnsibleFallbackNotFound:
        value = None
    if value is not None and option.get("no_log"):
        module.no_log_values.add(value)
    return option.get("default") if value is None else value


def _connection(module: Module) -> tuple[Connection | None, list[str]]:
    given = {name: _option(module, name) for name in ("api_url", "api_token", "api_key")}
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
        ca_path=_option(module, "ca_path"),
        connect_timeout=module.params["connect_timeout"],
        timeout=module.params["timeout"],
        allow_http=module.params["allow_http"],
    )
    return connection, check_connection(connection)


def _platform_of(module: Module, problems: list[str]) -> str:
    """Return the name under which records are kept: the one given, or host and port of the platform's address."""
    named = _option(module, "platform")
    if named is not None:
        return str(named)
    api_url = _option(module, "api_url")
    if api_url is None:
        problems.append(
            "platform: name the platform, or give api_url, whose host and port are its name"
        )
        return ""
    try:
        if has_path(api_url):
            problems.append(
                "platform: name the platform, as api_url has a path and its host and port alone may stand for several"
            )
        return platform_name(api_url)
    except InvalidParameter as error:
        if error.message not in problems:
            problems.append(error.message)
        return ""


def _limits(module: Module) -> list[str]:
    return [
        f"{name}: must be 0 or more"
        for name in ("retries", "registry_timeout")
        if not 0 <= module.params[name] <= 1_000_000
    ]


def _refuse(
    problems: list[str], did_number: str | None = None, record_id: int | None = None
) -> None:
    if problems:
        raise InvalidParameter(
            "Nothing was read, written or sent. " + "; ".join(problems),
            did_number=did_number,
            record_id=record_id,
        )


def converge_did(module: Module) -> Result:
    """Do the work of the module C(did)."""
    declared = {name: module.params[name] for name in _fields.BY_NAME}
    declared.update(module.take_secret_fields())
    connection, problems = _connection(module)
    platform = _platform_of(module, []) if connection is None else _platform_of(module, problems)
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
    location = _registry_location(module, problems)
    _refuse(
        invalid + problems + _limits(module),
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
        registry_id=_option(module, "registry_id"),
        write=not module.check_mode,
        timeout=settings.registry_timeout,
    )
    try:
        return _converge(module, registry, settings, desired)
    finally:
        registry.close()


def _registry_location(module: Module, problems: list[str]) -> str:
    try:
        return locate(_option(module, "registry"))
    except InvalidParameter as error:
        problems.append(error.message)
        return ""


def _converge(module: Module, registry: Registry, settings: Settings, desired: Desired) -> Result:
    secrets = [value for name, value in desired.values.items() if _fields.BY_NAME[name].secret]
    fingerprints = Fingerprints(settings.connection.api_key, registry.registry_id)
    with contextlib.closing(Platform(settings.connection, secrets)) as client:
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


def tell_registry(module: Module) -> Result:
    """Do the work of the module C(did_info)."""
    problems = _limits(module)
    location = _registry_location(module, problems)
    wanted, invalid = _fields.normalise({"did_number": module.params["did_number"]})
    _refuse(problems + invalid)
    registry = open_registry(
        location,
        None,
        registry_id=_option(module, "registry_id"),
        write=False,
        timeout=module.params["registry_timeout"],
    )
    try:
        number = wanted.get("did_number")
        platform = _option(module, "platform")
        record_id = module.params["record_id"]
        identity = None if number is None else _fields.identity(str(number))
        found = registry.records(platform, module.params["outcome"], identity, record_id)
        result: Result = {
            "changed": False,
            "dids": [_told(name, record) for name, record in found],
            "registry": _described(registry),
        }
        if module.params["history"]:
            entries = registry.history(platform)
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
    summary = registry.summary()
    return {
        "id": registry.registry_id,
        "location": registry.location,
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
        "outcome": record.outcome,
        "fields": masked(record.fields),
        "attempted": masked(record.attempted),
        "confirmed_at": record.confirmed_at,
    }


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


def keep_registry(module: Module) -> Result:
    """Do the work of the module C(did_registry)."""
    entries = module.take_items()
    problems: list[str] = _limits(module)
    platform = _platform_of(module, problems)
    location = _registry_location(module, problems)
    if module.params["state"] == "present":
        if entries is not None:
            problems.append("dids: goes with state recorded or forgotten")
        _refuse(problems)
        return _make_present(module, location, platform)
    items, invalid = read_items(entries or [], "dids")
    if module.params["state"] == RECORDED:
        invalid += [
            f"{item.place}: needs record_id, the platform's id of it"
            for item in items
            if item.record_id is None
        ]
    _refuse(problems + invalid)
    registry = open_registry(
        location,
        platform,
        registry_id=_option(module, "registry_id"),
        write=not module.check_mode,
        timeout=module.params["registry_timeout"],
    )
    try:
        return _resolve_items(module, registry, platform, items)
    finally:
        registry.close()


def _resolve_items(module: Module, registry: Registry, platform: str, items: list[Item]) -> Result:
    if not module.check_mode or items:
        registry.ready_to_write()
    api_key = _option(module, "api_key")
    fingerprints = Fingerprints(api_key, registry.registry_id) if api_key is not None else None
    revisions = resolve(
        registry,
        platform,
        module.params["state"],
        [_statement(module, item, fingerprints) for item in items],
        overwrite=module.params["overwrite"],
        patience=module.params["registry_timeout"],
        apply=not module.check_mode,
    )
    result: Result = {
        "changed": bool(revisions),
        "platform": platform,
        "registry": {"id": registry.registry_id, "location": registry.location},
    }
    if module._diff:
        result["diff"] = dict(zip(("before", "after"), lines(revisions)))
    return result


def _statement(module: Module, item: Item, fingerprints: Fingerprints | None) -> Statement:
    values = dict(item.values)
    if fingerprints is None:
        for name in set(_fields.SECRETS) & values.keys():
            del values[name]
            module.warn(
                f"{item.place}: without api_key no fingerprint of its {name} can be made; it is recorded as not known, and a task that"
                " declares it sends it"
            )
        fields = values
    else:
        fields = recorded(values, fingerprints)
    return Statement(item.place, item.number, item.record_id, fields)


def _make_present(module: Module, location: str, platform: str) -> Result:
    made = make_present(
        location,
        platform,
        registry_id=_option(module, "registry_id"),
        timeout=module.params["registry_timeout"],
        apply=not module.check_mode,
    )
    result: Result = {
        "changed": bool(made["changes"]),
        "platform": platform,
        "registry": {"id": made["registry_id"], "location": location},
    }
    if module._diff:
        result["diff"] = {
            "before": "",
            "after": "".join(f"{change}\n" for change in made["changes"]),
        }
    return result
