# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options of the modules: their specification, their values, and what is wrong with them."""

from __future__ import annotations

import os
import re
import typing as t

from ansible.module_utils.errors import AnsibleFallbackNotFound

from .._errors import InvalidParameter
from .._platform.connection import Connection, check_connection, has_path, platform_name
from .._registry.location import DEFAULT_LOCATION, locate
from .task import Module, is_distinct

if t.TYPE_CHECKING:  # pragma: no cover
    from .task import Spec


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
    if value is not None and option.get("no_log") and is_distinct(value):
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


def policy_spec() -> Spec:
    """Return the options that say how DIDs are converged."""
    return {
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        "force": {"type": "bool", "default": False},
        "update_password": {
            "type": "str",
            "choices": ["on_change", "on_create"],
            "default": "on_change",
            "no_log": False,
        },
    }


def read_connection(module: Module) -> tuple[Connection | None, list[str]]:
    """Return how to reach the platform, or None, and what is wrong with it, a line each."""
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
