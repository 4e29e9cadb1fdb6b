# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever has nothing but the tarball and follows README or first steps to the letter, in either language, gets what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items
from ansible_collections.nextbilling.did.tests.docs.examples import (
    COLLECTION,
    Example,
    examples,
)
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.fixtures import once
from ansible_collections.nextbilling.did.tests.support.programs import output_of

# Each once, and in each language once. The others only with --long: they show the same, which is tested apart.
DOCUMENTS = [
    "README.md",
    pytest.param("README.pt-BR.md", marks=pytest.mark.long),
    pytest.param("docs/docsite/rst/first_steps.rst", marks=pytest.mark.long),
    "docs/docsite/rst/first_steps_pt_br.rst",
]
DECLARED = "1130001000"
REGISTRY = Path(".local", "state", "nextbilling-did", "registry.db")


@dataclass
class Newcomer:
    """Somebody with a home, a folder to stand in, a Python of their own, and a platform."""

    home: Path
    python: Path
    simulator: Simulator

    def types(self, line: str) -> str:
        """Type a line into a shell, which must go well; return what is shown."""
        environment = {
            **_of_pip(),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "NEXTBILLING_API_KEY": self.simulator.key,
            "NEXTBILLING_API_TOKEN": self.simulator.token,
            "NEXTBILLING_API_URL": self.simulator.url,
            "PATH": f"{self.python}/bin:/usr/bin:/bin",
        }
        code, output = output_of(["/bin/sh", "-ec", line], self.home, environment, limit=300)
        assert code == 0, f"{line}\n{output}"
        return output

    def saves(self, example: Example, name: str) -> None:
        """Save an example as a file."""
        (self.home / name).write_text(example.text, encoding="utf-8")

    def sent(self) -> list[tuple[str, str]]:
        """What the platform was asked for: methods and numbers."""
        return [
            (entry["method"], entry["json"]["did_number"]) for entry in self.simulator.requests()
        ]


def _of_pip() -> dict[str, str]:
    """Return where pip finds packages: in a cache or a folder that outlives the tests, if there is one."""
    cache = {"PIP_CACHE_DIR": str(Path.home() / ".cache" / "pip")}
    return cache | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with ansible-core alone."""
    return once(tmp_path_factory, "venv", _make_venv)


def _make_venv(venv: Path) -> None:
    for command in (
        [sys.executable, "-m", "venv", str(venv)],
        [f"{venv}/bin/python", "-m", "pip", "install", "--quiet", "ansible-core"],
    ):
        subprocess.run(command, env={**os.environ, **_of_pip()}, check=True, timeout=600)


@pytest.fixture
def newcomer(python: Path, tarball: Path, tmp_path: Path) -> Iterator[Newcomer]:
    """A newcomer who has got the tarball."""
    home = tmp_path / "home"
    home.mkdir()
    (home / tarball.name).write_bytes(tarball.read_bytes())
    with Simulator.start() as simulator:
        yield Newcomer(home, python, simulator)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_it_works_as_written(document: str, newcomer: Newcomer, tarball: Path) -> None:
    shown = examples(document)
    registry, dids, *others = (example for example in shown if example.is_playbook)
    (table,) = (example for example in shown if example.is_table)

    (install,) = _blocks(shown, "ansible-galaxy collection install")
    newcomer.types(install.replace("install nextbilling.did", f"install ./{tarball.name}"))

    newcomer.saves(registry, "registry.yml")
    assert "changed=1" in newcomer.types("ansible-playbook registry.yml")
    empty = (newcomer.home / REGISTRY).read_bytes()

    newcomer.saves(dids, "dids.yml")
    check, apply = "ansible-playbook dids.yml --check --diff", "ansible-playbook dids.yml"
    text = (COLLECTION / document).read_text("utf-8")
    assert f"{check}\n" in text or f"`{check}`" in text
    assert f"{apply}\n" in text or f"`{apply}`" in text
    printed = newcomer.types(check)
    assert "changed=1" in printed and f'+did_number: "{DECLARED}"' in printed
    assert newcomer.sent() == [] and (newcomer.home / REGISTRY).read_bytes() == empty
    assert "changed=1" in newcomer.types(apply)
    assert newcomer.sent() == [("PUT", DECLARED)]
    assert "changed=0" in newcomer.types(apply)
    assert newcomer.sent() == [("PUT", DECLARED)]

    newcomer.saves(table, "dids.csv")
    (provision,) = _blocks(shown, "nextbilling.did.provision")
    newcomer.types(provision)
    assert Counter(newcomer.sent()) == _expected(newcomer.home / "dids.csv")
    assert newcomer.simulator.duplicates() == {}

    for example in others:
        newcomer.saves(example, "other.yml")
        newcomer.types("ansible-playbook other.yml")
    for review in _blocks(shown, "nextbilling.did.review"):
        assert "review/review.html" in newcomer.types(review)
        assert (newcomer.home / "review" / "review.html").exists()


def _blocks(shown: list[Example], words: str) -> Iterator[str]:
    """Yield the commands of each block of commands that holds the words, as lines of a shell."""
    for example in shown:
        if example.language == "console" and words in example.text:
            lines = (line for line in example.text.splitlines() if line.startswith("$ "))
            yield "\n".join(line.removeprefix("$ ") for line in lines)


def _expected(table: Path) -> Counter[tuple[str, str]]:
    """Return what is sent if the declared DID is created, and then all of a table: one edit if the table names that DID too."""
    items, _problems = read_items(None, str(table), ranges=True)
    rows = [item.number for item in items]
    assert len(rows) > 2
    return Counter(
        [
            ("PUT", DECLARED),
            *(("POST" if number == DECLARED else "PUT", str(number)) for number in rows),
        ]
    )
