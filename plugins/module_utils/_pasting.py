# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The next step of an error, as a task that can be pasted."""

from __future__ import annotations

import json
import typing as t


def pasteable_task(name: str, module: str, options: t.Mapping[str, t.Any]) -> str:
    """Return a task as YAML that can be pasted into a playbook.

    Strings are written in JSON's quoted form, which YAML reads as the same string: a number that starts with a zero stays
    what it is.
    """
    lines = [f"- name: {name}", f"  nextbilling.did.{module}:"]
    for option, value in options.items():
        if isinstance(value, list):
            lines.append(f"    {option}:")
            for item in value:
                pairs = [f"{key}: {_scalar(item[key])}" for key in item]
                lines.append("      - " + "\n        ".join(pairs))
        else:
            lines.append(f"    {option}: {_scalar(value)}")
    return "\n".join(lines)


_PLAIN_WORDS = ("present", "recorded", "forgotten", "copied")


def _scalar(value: t.Any) -> str:
    if value in _PLAIN_WORDS:
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    # Ansible would take it for a template.
    return f"!unsafe {text}" if "{{" in text or "{%" in text else text
