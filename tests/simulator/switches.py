# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches: each question that the vendor's pages leave open, and its possible answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


class SwitchError(ValueError):
    """A switch that does not exist, or a value which it cannot take."""


@dataclass(frozen=True)
class Switch:
    """One switch: its value at the start, what it may be set to, and what it decides."""

    default: Any
    accepts: Callable[[Any], bool]
    expected: str
    decides: str


def _choice(default: str, other: tuple[str, ...], decides: str) -> Switch:
    allowed = (default, *other)
    return Switch(default, lambda value: value in allowed, "one of " + ", ".join(allowed), decides)


def _flag(decides: str) -> Switch:
    return Switch(False, lambda value: isinstance(value, bool), "true or false", decides)


def _is_int(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(_is_int(item, 1) for item in value)


SWITCHES: Mapping[str, Switch] = {
    "duplicates": _choice(
        "accept", ("refuse",), "what becomes of a did_number that another record already bears"
    ),
    "post": _choice("merge", ("replace",), "whether POST keeps the fields that it does not name"),
    "trailing_comma": Switch(
        True,
        lambda value: isinstance(value, bool),
        "true or false",
        "whether answers end in a comma, as the vendor's sample does",
    ),
    "ids_as_strings": _flag("whether error and new_record are strings, as on sibling endpoints"),
    "post_new_record": _choice("absent", ("same",), "whether the answer to POST holds new_record"),
    "failures": _choice("status", ("body",), 'HTTP status, or 200 with "error":1'),
    "host_additional": _choice(
        "replace", ("append",), "whether POST replaces the list or adds to it"
    ),
    "unknown_parameters": _choice(
        "refuse", ("accept",), "what becomes of a parameter that the vendor's page does not name"
    ),
    "simultaneous": _choice(
        "allow",
        ("refuse", "refuse_with_retry_after"),
        "whether a request is answered 429 while another one is in flight",
    ),
    "retry_after": Switch(
        1,
        lambda value: _is_int(value, 0),
        "a whole number of seconds",
        "Retry-After of simultaneous=refuse_with_retry_after, in seconds",
    ),
    "bom": _flag("whether a UTF-8 byte order mark precedes the JSON of an answer"),
    "latency_ms": Switch(
        0, _is_number, "a number of milliseconds", "how long each API request takes, at least"
    ),
    "first_id": Switch(
        13,
        lambda value: _is_int(value, 1),
        "a whole number from 1",
        "the id of the next record; ids then rise by one, past those that are taken",
    ),
    "existing_ids": Switch(
        [12],
        _is_ids,
        "a list of whole numbers from 1",
        "records that are there without a PUT; the vendor's POST sample edits record 12",
    ),
    "required_fields": Switch(
        ["did_number"], _is_strings, "a list of field names", "the fields that a PUT must hold"
    ),
}


def defaults() -> Values:
    """Every switch with its value at the start."""
    return {name: _copy(switch.default) for name, switch in SWITCHES.items()}


def check(changes: Any) -> Values:
    """Return ``changes`` (a JSON object: name to value) if all of it is right.

    Raises SwitchError, which names the switch and what it takes.
    """
    if not isinstance(changes, dict):
        raise SwitchError("switches are a JSON object of name and value")
    for name, value in changes.items():
        switch = SWITCHES.get(name)
        if switch is None:
            raise SwitchError(f"unknown switch {name!r}; there are: {', '.join(SWITCHES)}")
        if not switch.accepts(value):
            raise SwitchError(f"switch {name!r} takes {switch.expected}, not {value!r}")
    return {name: _copy(value) for name, value in changes.items()}


def parse(text: str) -> Values:
    """Read ``name=value`` of the command line: the value is JSON, a bare word, or words and commas.

    Raises SwitchError.
    """
    name, equals, raw = text.partition("=")
    if not equals:
        raise SwitchError(f"a switch is given as name=value, not {text!r}")
    return check({name: _parse_value(name, raw)})


def _parse_value(name: str, raw: str) -> Any:
    try:
        value = json.loads(raw)
    except ValueError:
        value = raw
    switch = SWITCHES.get(name)
    if switch is None or not isinstance(switch.default, list) or isinstance(value, list):
        return value
    words = [word.strip() for word in raw.split(",") if word.strip()]
    return [int(word) if word.isdigit() else word for word in words]


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
