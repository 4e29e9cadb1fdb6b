# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes the next step of an error as a play that can be pasted into a file, or a command for a shell, to be run as it is."""

from __future__ import annotations

import json
import re
import shlex
import typing as t

RECORD_ID = 0
"""Stands in a play for a record id that a person must fill in. The modules refuse it."""
PLATFORM = "NAME OF THE PLATFORM"
"""Stands in a play for the name of a platform that a person must fill in. The modules refuse it, as it has spaces."""
_PLAIN = re.compile(r"present|recorded|forgotten|copied")
_TEMPLATE = ("{{", "{%", "{#")
_INDENT = " " * 8


class Target(t.NamedTuple):
    """What a play is about: a platform in a registry, whose id makes sure that it is this registry wherever the play runs."""

    platform: str
    registry: str
    registry_id: str

    def options(self) -> dict[str, str]:
        """Return the options of a module that name it."""
        return {
            "platform": self.platform,
            "registry": self.registry,
            "registry_id": self.registry_id,
        }


def render_play(name: str, module: str, options: t.Mapping[str, t.Any]) -> str:
    """Return a play of one task as YAML. Values are literal: quoted, so that a number keeps its zeros, and marked if they hold a template."""
    lines = [
        f"- name: {_scalar(name)}",
        "  hosts: localhost",
        "  gather_facts: false",
        "  tasks:",
        f"    - name: {_scalar(name)}",
        f"      nextbilling.did.{module}:",
    ]
    for option, value in options.items():
        if isinstance(value, list):
            lines.append(f"{_INDENT}{option}:")
            for item in value:
                pairs = [f"{key}: {_scalar(item[key])}" for key in item]
                lines.append(f"{_INDENT}  - " + f"\n{_INDENT}    ".join(pairs))
        else:
            lines.append(f"{_INDENT}{option}: {_scalar(value)}")
            if str(value).startswith("postgresql://"):  # no play holds its password
                lines.append(
                    f"{_INDENT}# If it needs a password, give it by PGPASSWORD, in ~/.pgpass, or from a vault by {option}_password."
                )
    return "\n".join(lines)


def render_command(playbook: str, variables: t.Mapping[str, str]) -> str:
    """Return the command that runs a playbook of the collection. Names and values of variables stand in it as in a play."""
    prefix = f"{playbook}_"
    given = ", ".join(f'"{prefix}{name}": {_scalar(value)}' for name, value in variables.items())
    return f"ansible-playbook nextbilling.did.{playbook} -e {shlex.quote('{' + given + '}')}"


def _scalar(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value):
        return value
    quoted = quote(value)
    return f"!unsafe {quoted}" if any(mark in value for mark in _TEMPLATE) else quoted


def quote(text: str) -> str:
    """Return a text as a double-quoted string of YAML."""
    if not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(map(_escaped, text))
    return f'"{text}"'


def _escaped(character: str) -> str:
    """Return a character as a double-quoted string of YAML has it."""
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
