# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages know Ansible."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MODULE_UTILS = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"


def imported(source: Path) -> Iterator[str]:
    """Yield the names that a file imports, those of the collection's own files left out."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)


def test_one_package_alone_imports_ansible() -> None:
    packages = {
        source.relative_to(MODULE_UTILS).parts[0]
        for source in MODULE_UTILS.glob("**/*.py")
        for name in imported(source)
        if name.split(".")[0].startswith("ansible")
    }
    assert packages == {"_module"}
