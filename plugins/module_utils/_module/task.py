# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The task that a module runs for: its parameters, what of them may be shown, and how it ends."""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .. import _fields
from .._errors import InvalidParameter
from .._input.entries import ATTEMPT, is_attempt
from .._input.ranges import LAST_NUMBER
from .._platform.connection import origin
from .._registry.location import may_be_shown
from .._registry.witness import is_off
from .._secrets import FRAGMENT_LENGTH, MASK
from .stop import Stop, is_unread

Spec = dict[str, dict[str, t.Any]]
Result = dict[str, t.Any]

_STDOUT = 1
_LOGIN = ("api_token", "api_key", "registry_password", "copy_from_password")
# The beginning of Ansible's message for a value that does not fit its option. The rest of the message quotes the value.
_MISFIT = re.compile(r"(?:argument|Elements value for option|value of) '?(\w+)'? ")
_TYPE_NAMES = {
    "bool": "true or false",
    "dict": "a dictionary",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
}
_ABSENT = (
    'The platform\'s API deletes nothing. How to take a number out of service stands in the guide "Retiring a number":'
    " https://github.com/nextbilling-did/nextbilling.did/blob/main/docs/docsite/rst/life_cycle.rst"
)
# How many items of a list an invocation shows.
_MASKED_ITEMS = 20
# The keys of an item that may be shown. An unknown key may be a mistyped secret.
_PLAIN_KEYS = {field.name for field in _fields.FIELDS if not field.secret}
_PLAIN_KEYS |= {"record_id", LAST_NUMBER}


class Task:
    """What the work of a module needs of its task.

    C(params): the values of the options. C(no_log_values): secrets that Ansible masks in the result. C(diff): a diff is wanted.
    C(nested): text options that were given a list or a dictionary, and the name of that type. C(stop): whether the run is to stop.
    C(context): the part of the result that holds however the task ends. It grows as the work goes on.
    """

    params: dict[str, t.Any]
    argument_spec: Spec
    no_log_values: set[str]
    check_mode: bool
    diff: bool
    warn: t.Callable[[str], None]
    nested: t.Mapping[str, str] = {}
    stop: Stop
    context: t.Mapping[str, t.Any] = {}

    # Options whose values were taken. The parameters hold only what may be shown of them.
    _taken: frozenset[str] = frozenset()

    def progress(self, done: int, total: int, failed: int) -> None:
        """Note how far the work is. Only where it is done in Ansible's own process, somebody sees it before its end."""

    def option(self, name: str) -> t.Any:
        """Return the value of an option. Null and an empty string are as not given: the environment or the default holds."""
        value = self.params.get(name)
        if value is not None and value != "":
            return value
        option = self.argument_spec[name]
        fallback, variables = option.get("fallback", (None, []))
        try:
            value = fallback(*variables) if fallback is not None else None
        except AnsibleFallbackNotFound:
            value = None
        if value is not None and option.get("no_log") and is_distinct(value):
            self.no_log_values.add(value)
        return option.get("default") if value is None else value

    def take_secret_fields(self) -> dict[str, str]:
        """Return the secrets of the DID, and remove them from all that Ansible keeps of them.

        Ansible masks the values of C(no_log) parameters wherever they occur in a result. A DID's password C(13) would make the record
        id 13 unreadable, and an id that is lost is lost for good. The secrets of the login stay.
        """
        secrets = {}
        for name in _fields.SECRETS:
            value = self.params.get(name)
            if value is not None:
                secrets[name] = value
                self.params[name] = MASK
        self.no_log_values = {
            str(self.params[name])
            for name in _LOGIN
            if self.params.get(name) and is_distinct(str(self.params[name]))
        }
        return secrets

    def take_items(self) -> list[t.Any] | None:
        """Return the list of DIDs, or None if the task has none, and leave no secret of it in the parameters."""
        return t.cast("list[t.Any] | None", self._take("dids"))

    def take_defaults(self) -> dict[str, t.Any]:
        """Return the defaults for all DIDs, and leave no secret of them in the parameters."""
        return self._take("defaults") or {}

    def _take(self, name: str) -> t.Any:
        value = self.params[name]
        self.params[name] = mask_value(name, {}, value)
        self._taken |= {name}
        return value

    def without_values(self, msg: str) -> str:
        """Return Ansible's message about a parameter in words that quote no value. Ansible does not know yet which value is a secret."""
        misfit = _MISFIT.match(msg)
        name = "" if misfit is None else misfit[1]
        if name not in self.argument_spec:
            return msg
        option, value = self.argument_spec[name], self.params.get(name)
        expected = _TYPE_NAMES.get(option["type"], "text")
        if name == "state" and value == "absent":
            return f"state: must be {' or '.join(option['choices'])}. {_ABSENT}"
        if "choices" in option:
            return f"{name}: must be one of {', '.join(option['choices'])}"
        if isinstance(value, list) and option["type"] == "list":
            return f"{name}: each element must be {_TYPE_NAMES.get(option['elements'], 'text')}"
        actual = _fields.type_name(value)
        return f"{name}: must be {expected}" + ("" if actual == expected else f", not {actual}")

    def masked_invocation(self) -> Result:
        """Return the parameters with a mark in place of all that is secret, or may be."""
        return {
            "module_args": {
                name: self._masked_parameter(name, value)
                for name, value in self.params.items()
                if name in self.argument_spec
            }
        }

    def _masked_parameter(self, name: str, value: t.Any) -> t.Any:
        if name in self._taken:
            return value
        return MASK if name in self.nested else mask_value(name, self.argument_spec[name], value)


class Module(AnsibleModule, Task):
    """The task of a module. Every failure of it has an C(error), and its invocation shows only parameters that it knows.

    Ansible itself fails on parameters that do not fit the specification, before any code of the collection runs. An unknown one
    may be a mistyped secret, so it is not shown either.
    """

    def __init__(self, argument_spec: Spec) -> None:
        parent = os.getppid()
        self.stop = Stop(lambda: os.getppid() != parent or is_unread(_STDOUT), deliver=False)
        super().__init__(argument_spec=argument_spec, supports_check_mode=True)
        self.diff = bool(self._diff)

    def _load_params(self) -> None:
        """Read the parameters, and note what Ansible would turn into text: a wrong indentation may put a secret into a dictionary."""
        super()._load_params()
        self.nested = nested_options(self.argument_spec, self.params)

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        if "error" not in result:
            msg = self.without_values(msg)
        result.setdefault("error", InvalidParameter(msg).details())
        result.setdefault("invocation", self.masked_invocation())
        super().fail_json(msg=msg, **result)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        result.setdefault("invocation", self.masked_invocation())
        super().exit_json(**result)

    def _log_invocation(self) -> None:
        """Write the invocation to the system's log, as Ansible does, but only what may be shown."""
        self.log(f"Invoked with {json.dumps(self.masked_invocation()['module_args'], default=str)}")


def nested_options(argument_spec: Spec, params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the text options that hold a list or a dictionary, and the name of that type. Ansible would turn them into text."""
    return {
        name: _fields.type_name(value)
        for name, value in params.items()
        if isinstance(value, (dict, list))
        and argument_spec.get(name, {}).get("type") in ("str", "path")
    }


def is_distinct(secret: str) -> bool:
    """Tell whether ids and words stay readable if a secret is masked wherever it occurs. Results do not hold it in any case."""
    return len(secret) >= FRAGMENT_LENGTH and not secret.isdigit()


def mask_value(name: str, option: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
    """Return the value of an option, with a mark in place of all that may be a secret."""
    if value is None:
        return None
    if option.get("no_log"):
        return MASK
    if name == "witness" and is_off(str(value)):
        return value
    if name in ("registry", "copy_from", "witness"):
        return value if may_be_shown(str(value)) else MASK
    if name == "api_url":
        return origin(str(value)) or MASK
    if name in ("defaults", "dids"):
        return _mask_items(value)
    if name in _PLAIN_KEYS:
        return value if _is_plain(value) and _is_valid(name, value) else MASK
    return MASK if isinstance(value, (dict, list)) else value


def _mask_items(value: t.Any) -> t.Any:
    """Return one masked item, or the first masked items of a list. Nobody reads thousands of them."""
    if not isinstance(value, list):
        return _mask_item(value)
    items: list[t.Any] = [_mask_item(item) for item in value[:_MASKED_ITEMS]]
    rest = len(value) - _MASKED_ITEMS
    return [*items, f"… and {rest} more"] if rest > 0 else items


def _mask_item(item: t.Any) -> t.Any:
    """Return an item of a list, with a mark in place of whatever is not a plain value of a field that may be shown."""
    if not isinstance(item, dict):
        return MASK
    return {
        str(name) if name in _PLAIN_KEYS or name == ATTEMPT else MASK: (
            value if _may_be_shown(name, value) else MASK
        )
        for name, value in item.items()
    }


def _may_be_shown(name: object, value: t.Any) -> bool:
    return (
        is_attempt(value)
        if name == ATTEMPT
        else (name in _PLAIN_KEYS and _is_plain(value) and _is_valid(str(name), value))
    )


def _is_valid(name: str, value: t.Any) -> bool:
    """Tell whether a field may have this value. One that it may not have is a secret where cells stand in the wrong columns."""
    if value is None:
        return True
    if isinstance(value, list) and name != "host_additional":
        return all(_is_valid(name, element) for element in value)
    try:
        if name == "record_id":
            _fields.normalise_record_id(value)
        else:
            _fields.wire_form(_fields.BY_NAME["did_number" if name == LAST_NUMBER else name], value)
    except ValueError:
        return False
    return True


def _is_plain(value: t.Any) -> bool:
    """Tell whether a field may have a value of this type. What a wrong indentation puts into another type may be a secret."""
    if isinstance(value, list):
        return all(_is_plain(element) and not isinstance(element, list) for element in value)
    return value is None or isinstance(value, (str, int, float))
