# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a file, a class and a function of plugins/ may be, in lines."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
FILE, CLASS, FUNCTION = 500, 300, 60
LIMITS = {ast.ClassDef: CLASS, ast.FunctionDef: FUNCTION}


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: path.name)
def test_nothing_is_too_long_to_be_read_at_once(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= LIMITS[type(node)], f"{node.name} has {length} lines"
