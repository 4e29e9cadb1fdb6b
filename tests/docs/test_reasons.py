# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide lists exactly the reasons for which a task runs as a module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ansible_collections.nextbilling.did.plugins.plugin_utils import _action
from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION, read

SOURCE = "plugins/plugin_utils/_action.py"
GUIDE = "docs/docsite/rst/where_a_task_runs.rst"


def test_the_guide_and_the_code_give_the_same_reasons() -> None:
    table = re.search(r"begin of the reasons\n(.*)\.\. end of the reasons", read(GUIDE), re.S)
    assert table is not None
    documented = re.findall(r"^   \* - ``(.+)``$", table[1], re.M)
    reasons = set(_reasons())
    matched = [{each for each in reasons if _matches(text, each)} for text in documented]
    assert all(matched), dict(zip(documented, matched))
    assert {each for found in matched for each in found} == reasons


def _matches(documented: str, reason: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, documented.split("…"))), reason) is not None


def _reasons() -> Iterator[str]:
    """Yield the texts that the code gives to C(Unsuitable) or to a method that raises it, and those that a function makes for it."""
    for node in ast.walk(ast.parse(read(SOURCE))):
        if isinstance(node, ast.Call) and re.search(
            r"\b(Unsuitable|_check_\w+)$", ast.unparse(node.func)
        ):
            candidates = node.args
        elif isinstance(node, (ast.Yield, ast.Return)) and node.value is not None:
            candidates = [node.value]
        else:
            continue
        for text in candidates:
            if isinstance(text, ast.JoinedStr) or (
                isinstance(text, ast.Constant) and isinstance(text.value, str)
            ):
                yield _template(text)


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
