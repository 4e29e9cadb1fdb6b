# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a source is compiled that is shipped in a ZIP file, as Ansible ships a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
# Where Ansible puts them
INSIDE = Path("ansible_collections", "nextbilling", "did", "plugins")
# Imports a module, and prints how often each file was compiled that lies in the ZIP file.
COUNTING = """\
import collections, importlib, json, sys
shipped, name = sys.argv[1:]
compiled = collections.Counter()
def count(event, arguments):
    if event == "compile" and str(arguments[1]).startswith(shipped):
        compiled[arguments[1][len(shipped) + 1:]] += 1
sys.path.insert(0, shipped)
sys.addaudithook(count)
importlib.import_module(name)
print(json.dumps(compiled))
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A ZIP file of the modules and of all that they may import."""
    path = tmp_path / "payload.zip"
    packages = [*list(INSIDE.parents)[:-1], INSIDE, INSIDE / "modules", INSIDE / "module_utils"]
    with zipfile.ZipFile(path, "w") as archive:
        for package in packages:
            archive.writestr(str(package / "__init__.py"), "")
        for kind in ("modules", "module_utils"):
            for source in (PLUGINS / kind).glob("**/*.py"):
                archive.write(source, INSIDE / source.relative_to(PLUGINS))
    return path


def compiled(shipped: Path, module: str) -> dict[str, int]:
    """Import a module from the ZIP file in a new process; return how often each source was compiled."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            COUNTING,
            str(shipped),
            ".".join([*INSIDE.parts, "modules", module]),
        ],
        # The collection is to come from the ZIP file alone.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return {
        str(Path(name).relative_to(INSIDE)): times
        for name, times in found.items()
        if not name.endswith("__init__.py")
    }


@pytest.mark.parametrize("module", ["did", "dids", "did_info", "did_registry"])
def test_a_module_compiles_once_what_it_imports(shipped: Path, module: str) -> None:
    times = compiled(shipped, module)
    to_come_so_far = {f"modules/{module}.py", "module_utils/_compiling.py"}
    twice = {source for source, number in times.items() if number > 1}
    assert twice == to_come_so_far
    assert "module_utils/_fields.py" in times
