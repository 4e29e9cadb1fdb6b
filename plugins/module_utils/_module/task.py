# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The module's task: its parameters, and how it ends. What Ansible keeps of secrets is taken away here."""

from __future__ import annotations

import json
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .. import _fields
from .._errors import InvalidParameter
from .._input.entries import ATTEMPT, is_attempt
from .._input.ranges import LAST_NUMBER
from .._platform.connection import shown_address
from .._registry.location import may_be_shown
from .._secrets import DISTINCT, MASK

Spec = dict[str, dict[str, t.Any]]
Result = dict[str, t.Any]

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
            name: _fields.type_name(value)
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
        kind = _fields.type_name(value)
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
                        else shown_value(name, self.argument_spec[name], value)
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
            if self.params.get(name) and is_distinct(str(self.params[name]))
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
        self.params[name] = shown_value(name, {}, value)
        self._taken |= {name}
        return value

    def _log_invocation(self) -> None:
        """Log the invocation to the system's log, as Ansible does, but only what may be shown."""
        self.log(f"Invoked with {json.dumps(self.shown_invocation()['module_args'], default=str)}")


def is_distinct(secret: str) -> bool:
    """Tell whether masking a secret wherever it occurs leaves ids and words readable. Results do not hold it in any case."""
    return len(secret) >= DISTINCT and not secret.isdigit()


def shown_value(name: str, option: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
    if value is None:
        return None
    if option.get("no_log"):
        return MASK
    if name in ("registry", "copy_from"):
        return value if may_be_shown(str(value)) else MASK
    if name == "api_url":
        return shown_address(str(value)) or MASK
    if name in ("defaults", "dids"):

        return shown_items(value)
    if isinstance(value, (dict, list)):

        return value if name in _fields.BY_NAME and is_plain(value) else MASK
    return value


_SHOWN_ITEMS = 20
# An unknown key may be a mistyped secret.
_PLAIN = {field.name for field in _fields.FIELDS if not field.secret}
_PLAIN |= {"record_id", LAST_NUMBER}


def shown_items(value: t.Any) -> t.Any:
    """Return an item, or the first items of a list, as they may be shown: of thousands, nobody reads more."""
    if not isinstance(value, list):
        return _shown_item(value)
    shown: list[t.Any] = [_shown_item(item) for item in value[:_SHOWN_ITEMS]]
    rest = len(value) - _SHOWN_ITEMS
    return [*shown, f"… and {rest} more"] if rest > 0 else shown


def _shown_item(item: t.Any) -> t.Any:
    """Return an item of a list with a mark in place of whatever is not a plain value of a field that may be shown."""
    if not isinstance(item, dict):
        return MASK
    return {
        str(name) if name in _PLAIN or name == ATTEMPT else MASK: (
            value if _may_be_shown(name, value) else MASK
        )
        for name, value in item.items()
    }


def _may_be_shown(name: object, value: t.Any) -> bool:
    return is_attempt(value) if name == ATTEMPT else name in _PLAIN and is_plain(value)


def is_plain(value: t.Any) -> bool:
    """Tell whether a value is of a kind that a field may have. What a wrong indentation puts into another one may be a secret."""
    if isinstance(value, list):
        return all(is_plain(element) and not isinstance(element, list) for element in value)
    return value is None or isinstance(value, (str, int, float))
