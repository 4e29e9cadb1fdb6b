# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What all modules share: options, the module object, how a run ends. With its neighbours, the only room that knows Ansible."""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .. import _fields
from .._errors import DidError, InvalidParameter, defect
from .._exchange import has_path, platform_name, shown_address
from .._registry._open import DEFAULT_LOCATION, locate, may_be_shown
from .._secrets import DISTINCT, MARK_REFUSED, MASK, is_mark

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    Spec = dict[str, dict[str, t.Any]]
    Result = dict[str, t.Any]

# How many new objects there may be before garbage is looked for among them; Python's own default is hundreds.
_OBJECTS = 250_000
_LOGIN = ("api_token", "api_key", "registry_password", "copy_from_password")
# How Ansible begins to say that a value does not fit its option. What follows quotes the value.
_MISFIT = re.compile(r"(?:argument|Elements value for option|value of) '?(\w+)'? ")
_WANTED = {
    "bool": "true or false",
    "dict": "a dictionary",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
}


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


class Module(AnsibleModule):
    """An C(AnsibleModule) whose every failure has an C(error), and which shows only parameters that it knows.

    Ansible itself fails on parameters that do not fit the specification, before any code of the collection runs. An unknown one
    may be a mistyped secret, so it is not shown either.
    """

    # Options whose values were taken away: what is left of them is what may be shown.
    _taken: frozenset[str] = frozenset()
    # Options of text that were given a list or a dictionary, and its kind.
    nested: t.Mapping[str, str] = {}

    def _load_params(self) -> None:
        """Read the parameters, and note what Ansible would make text of: a wrong indentation may put a secret into a dictionary."""
        super()._load_params()
        self.nested = {
            name: _fields.kind_of(value)
            for name, value in self.params.items()
            if isinstance(value, (dict, list))
            and self.argument_spec.get(name, {}).get("type") in ("str", "path")
        }

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        if "error" not in result:
            msg = self._without_values(msg)
        result.setdefault("error", InvalidParameter(msg).details())
        result.setdefault("invocation", self.shown_invocation())
        super().fail_json(msg=msg, **result)

    def _without_values(self, msg: str) -> str:
        """Return what Ansible says of the parameters, in words that quote no value: it does not know yet which of them is a secret."""
        misfit = _MISFIT.match(msg)
        name = "" if misfit is None else misfit[1]
        if name not in self.argument_spec:
            return msg
        option, value = self.argument_spec[name], self.params.get(name)
        wanted = _WANTED.get(option["type"], "text")
        if "choices" in option:
            return f"{name}: must be one of {', '.join(option['choices'])}"
        if isinstance(value, list) and option["type"] == "list":
            return f"{name}: each element must be {_WANTED.get(option['elements'], 'text')}"
        kind = _fields.kind_of(value)
        return f"{name}: must be {wanted}" + ("" if kind == wanted else f", not {kind}")

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        result.setdefault("invocation", self.shown_invocation())
        super().exit_json(**result)

    def shown_invocation(self) -> Result:
        """Return the parameters with a mark in place of all that is secret, or may be."""
        return {
            "module_args": {
                name: (
                    value
                    if name in self._taken
                    else (
                        MASK
                        if name in self.nested
                        else _shown(name, self.argument_spec[name], value)
                    )
                )
                for name, value in self.params.items()
                if name in self.argument_spec
            }
        }

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
        self.no_log_values = {
            str(self.params[name])
            for name in _LOGIN
            if self.params.get(name) and _is_distinct(str(self.params[name]))
        }
        return found

    def take_items(self) -> list[t.Any] | None:
        """Return the list of DIDs, or None where the task has none, and leave no secret of it in the parameters."""
        items: list[t.Any] | None = self._take("dids")
        return items

    def take_defaults(self) -> dict[str, t.Any]:
        """Return the defaults for all DIDs, and leave no secret of them in the parameters."""
        return self._take("defaults") or {}

    def _take(self, name: str) -> t.Any:
        value = self.params[name]
        self.params[name] = _shown(name, {}, value)
        self._taken |= {name}
        return value

    def _log_invocation(self) -> None:
        """Log the invocation to the system's log, as Ansible does, but only what may be shown."""
        self.log(f"Invoked with {json.dumps(self.shown_invocation()['module_args'], default=str)}")


def _is_distinct(secret: str) -> bool:
    """Tell whether masking a secret wherever it occurs leaves ids and words readable. Results do not hold it in any case."""
    return len(secret) >= DISTINCT and not secret.isdigit()


def _shown(name: str, option: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
    if value is None:
        return None
    if option.get("no_log"):
        return MASK
    if name in ("registry", "copy_from"):
        return value if may_be_shown(str(value)) else MASK
    if name == "api_url":
        return shown_address(str(value)) or MASK
    if name in ("defaults", "dids"):
        from .items import shown_items

        return shown_items(value)
    if isinstance(value, (dict, list)):
        from .items import is_plain

        return value if name in _fields.BY_NAME and is_plain(value) else MASK
    return value


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


def option(module: Module, name: str) -> t.Any:
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
    if value is not None and option.get("no_log") and _is_distinct(value):
        module.no_log_values.add(value)
    return option.get("default") if value is None else value


def platform_of(module: Module, problems: list[str]) -> str:
    """Return the name under which records are kept: the one given, or host and port of the platform's address."""
    named = option(module, "platform")
    if named is not None:
        if not re.fullmatch(r"[^\s/@?#]{1,100}", str(named)):
            problems.append(
                "platform: must be a short name such as sip.nextbilling.com.br:443, not an address or a path"
            )
        return str(named)
    api_url = option(module, "api_url")
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


def limits(module: Module) -> list[str]:
    return [
        f"{name}: must be 0 or more"
        for name in ("retries", "registry_timeout")
        if not 0 <= module.params[name] <= 1_000_000
    ]


def refuse(
    problems: list[str], did_number: str | None = None, record_id: int | None = None
) -> None:
    if problems:
        raise InvalidParameter(
            "Nothing was read, written or sent. " + "; ".join(problems),
            did_number=did_number,
            record_id=record_id,
        )


def registry_location(module: Module, problems: list[str], name: str = "registry") -> str:
    try:
        return locate(option(module, name), name)
    except InvalidParameter as error:
        problems.append(error.message)
        return ""
