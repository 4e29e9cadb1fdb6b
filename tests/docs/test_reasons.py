# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide lists exactly the reasons for which a task runs as a module."""

from __future__ import annotations

import ast
import re

from ansible_collections.nextbilling.did.plugins.plugin_utils import _action
from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION, read

SOURCE = "plugins/plugin_utils/_action.py"
GUIDE = "docs/docsite/rst/where_a_task_runs.rst"


def test_the_guide_and_the_code_give_the_same_reasons() -> None:
    table = re.search(r"begin of the reasons\n(.*)\.\. end of the reasons", read(GUIDE), re.S)
    assert table is not None
    assert sorted(re.findall(r"^   \* - ``(.+)``$", table[1], re.M)) == sorted(_reasons())


def _reasons() -> set[str]:
    """Return the texts that the code gives to C(Unsuitable), or to a method that raises it."""
    calls = [node for node in ast.walk(ast.parse(read(SOURCE))) if isinstance(node, ast.Call)]
    return {
        _template(argument)
        for call in calls
        if re.search(r"\b(Unsuitable|_check_\w+)$", ast.unparse(call.func))
        for argument in call.args
        if isinstance(argument, ast.JoinedStr)
        or (isinstance(argument, ast.Constant) and isinstance(argument.value, str))
    }


def _template(text: ast.JoinedStr | ast.Constant) -> str:
    """Return a text with the values of constants, and with an ellipsis for any other value."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(map(_part, parts))


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    name = ast.unparse(part.value)
    return str(getattr(_action, name)) if name.isupper() else "…"


def test_the_guide_is_part_of_the_site() -> None:
    assert "- where_a_task_runs" in (COLLECTION / "docs/docsite/extra-docs.yml").read_text("utf-8")
