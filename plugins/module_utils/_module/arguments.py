# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The options that several modules share: their specification, their values, and what is wrong with them.

Options of one module alone stand beside its work, as in C(dids.dids_spec).

A function that reads an option adds what is wrong with it to C(problems), a line each. The caller raises all of them at once.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible.module_utils.errors import AnsibleFallbackNotFound

from .._engine.planner import Settings
from .._errors import InvalidParameter
from .._input import entries
from .._input.entries import EMPTY_TEXTS, DidList, Item, read_items
from .._input.mapping import VALUE
from .._model import Policy
from .._platform.connection import Connection, check_connection, has_path, platform_name
from .._registry.location import DEFAULT_LOCATION, is_database, locate, may_be_shown
from .._registry.witness import DEFAULT_FOLDER, is_off
from .task import Spec, Task

ONE_LIST = "dids, src: give one of them"


def environment(name: str) -> str:
    """Return the value of an environment variable that is set and not empty. The fallback of an option."""
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
        "witness": {
            "type": "str",
            "default": DEFAULT_FOLDER,
            "fallback": (environment, ["NEXTBILLING_WITNESS"]),
        },
    }


def shared_spec() -> Spec:
    """Return the options that every module of the collection accepts."""
    return {**connection_spec(), **registry_spec()}


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
        "similar": {"type": "str", "choices": ["warn", "refuse", "ignore"], "default": "warn"},
        "country_code": {"type": "str", "default": "55"},
    }


def list_spec() -> Spec:
    """Return the options of the documentation fragment C(lists), and those that give a list."""
    return {
        "dids": {"type": "list", "elements": "dict"},
        "src": {"type": "path"},
        "sheet": {"type": "str"},
        "columns": {"type": "dict"},
        "values": {"type": "dict"},
        "empty_text": {"type": "str", "choices": list(EMPTY_TEXTS), "default": VALUE},
    }


def read_list(
    task: Task, dids: list[t.Any] | None, *, attempts: bool = False
) -> tuple[list[Item], list[str]]:
    """Return the valid items of the list that a task gives, and its problems. C(dids): the value of that option."""
    return read_items(dids, task.option("src"), attempts=attempts, **_list_params(task))


def open_list(
    task: Task, dids: list[t.Any] | None, defaults: t.Mapping[str, t.Any]
) -> tuple[DidList | None, list[str]]:
    """Return the list that a task gives, which may name ranges; or None and the problems of the options that say how to read it."""
    src = task.option("src")
    return entries.open_list(dids, src, defaults=defaults, ranges=True, **_list_params(task))


def _list_params(task: Task) -> dict[str, t.Any]:
    return {
        "columns": task.params["columns"],
        "values": task.params["values"],
        "sheet": task.option("sheet"),
        "empty_text": task.params["empty_text"],
    }


def read_settings(task: Task, problems: list[str]) -> Settings:
    """Return how a task of C(did) or C(dids) converges its DIDs."""
    connection = read_connection(task, problems)
    # Without a connection, its own problems say what is missing for the platform's name.
    platform = read_platform(task, [] if connection is None else problems)
    params = task.params
    binding_options = [
        name for name in ("max_creates", "max_changes", "plan_checksum") if name in params
    ]
    country_code = task.option("country_code")
    if not re.fullmatch(r"[1-9][0-9]{0,2}", country_code, re.ASCII):
        problems.append("country_code: must be one to three digits without + and zeros before them")
    return Settings(
        platform=platform,
        connection=t.cast("Connection", connection),
        policy=Policy(params["force"], params.get("renumber", False), params["update_password"]),
        retries=params["retries"],
        registry_timeout=params["registry_timeout"],
        concurrency=params.get("concurrency", 1),
        max_failures=params.get("max_failures"),
        plan_is_binding=any(task.option(name) is not None for name in binding_options),
        country_code=None if params["similar"] == "ignore" else country_code,
        refuse_similar=params["similar"] == "refuse",
    )


def read_connection(task: Task, problems: list[str]) -> Connection | None:
    """Return how to reach the platform, or None if an option for that is missing."""
    login = {name: task.option(name) for name in ("api_url", "api_token", "api_key")}
    missing = [name for name, value in login.items() if value is None]
    if missing:
        problems += [
            f"{name}: is required; give the option or the environment variable NEXTBILLING_{name.upper()}"
            for name in missing
        ]
        return None
    connection = Connection(
        **login,
        validate_certs=task.params["validate_certs"],
        ca_path=task.option("ca_path"),
        connect_timeout=task.params["connect_timeout"],
        timeout=task.params["timeout"],
        allow_http=task.params["allow_http"],
    )
    problems += check_connection(connection)
    return connection


def read_platform(task: Task, problems: list[str]) -> str:
    """Return the name under which records are kept: the option, or host and port of the platform's address."""
    name = task.option("platform")
    if name is not None:
        if not re.fullmatch(r"[^\s/@?#]{1,100}", str(name)):
            problems.append(
                "platform: must be a short name such as sip.nextbilling.com.br:443, not an address or a path"
            )
        return str(name)
    api_url = task.option("api_url")
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


def read_location(task: Task, problems: list[str], name: str = "registry") -> str:
    """Return the location of a registry."""
    try:
        return locate(task.option(name), name)
    except InvalidParameter as error:
        problems.append(error.message)
        return ""


def read_witness(task: Task, problems: list[str]) -> str | None:
    """Return the folder of the witness, or None where none is kept."""
    value = str(task.option("witness"))
    if is_off(value):
        return None
    if not may_be_shown(value) or is_database(value):
        problems.append(
            "witness: must be the path of a folder, absolute or from '~', that holds nothing like a password; or false"
        )
        return None
    return locate(value, "witness")


def list_options(task: Task, dids: object) -> list[str]:
    """Return which options of a task give a list of DIDs. C(dids): the value of the first of them."""
    lists = {"dids": dids, "src": task.option("src")}
    return [name for name, value in lists.items() if value is not None]


def check_limits(task: Task) -> list[str]:
    """Return the problems of the numbers that every module accepts."""
    return [
        f"{name}: must be 0 or more"
        for name in ("retries", "registry_timeout")
        if not 0 <= task.params[name] <= 1_000_000
    ]


def raise_problems(
    problems: list[str], did_number: str | None = None, record_id: int | None = None
) -> None:
    """Raise C(InvalidParameter) with the problems of a task, if there are any."""
    if problems:
        from .._input.folding import fold_lines

        raise InvalidParameter(
            "Nothing was written or sent. " + "\n".join(fold_lines(problems)),
            did_number=did_number,
            record_id=record_id,
        )
