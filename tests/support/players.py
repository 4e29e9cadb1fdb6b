# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks with the callback review, played by ansible-playbook against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program
from ansible_collections.nextbilling.did.tests.support.stores import FileStore

SCHEMA = Path(client.__file__).parents[2] / "docs" / "review.schema.json"
INVENTORY = """\
[local]
one ansible_connection=local
two ansible_connection=local
[lost]
three ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-o ConnectTimeout=1'
"""
Task = dict[str, Any]


@dataclass
class Run:
    """What one run of ansible-playbook printed and wrote."""

    code: int
    output: str
    folder: Path

    @property
    def review(self) -> dict[str, Any]:
        """The review.json, checked against its schema."""
        review: dict[str, Any] = json.loads(self.text("json"))
        jsonschema.validate(review, json.loads(SCHEMA.read_text("utf-8")))
        return review

    def text(self, suffix: str) -> str:
        """One of the three files."""
        return (self.folder / f"review.{suffix}").read_text("utf-8")

    @property
    def closing(self) -> list[str]:
        """The lines that the callback printed."""
        return [line for line in self.output.splitlines() if line.startswith("DIDs: ")]

    def counted(self) -> dict[str, int]:
        """The counts that are not zero."""
        return {name: number for name, number in self.review["counts"].items() if number}


class BegunRun:
    """A run of ansible-playbook that may not have ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "output.txt"

    def printed(self) -> str:
        """Return what it has printed so far."""
        return self.file.read_text("utf-8")

    def ended(self, process: subprocess.Popen[bytes]) -> Run:
        """Return it once its process has ended."""
        return Run(process.returncode, self.printed(), self.folder / "review")


@dataclass
class Player:
    """Plays tasks with the callback enabled."""

    runner: Runner
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def simulator(self) -> Simulator:
        """The platform."""
        return self.runner.simulator

    def play(self, *tasks: Task, check: bool = False, hosts: str = "one", **settings: str) -> Run:
        """Run a playbook of one play with these tasks."""
        return self.plays([self.a_play(*tasks, hosts=hosts)], check=check, **settings)

    @staticmethod
    def a_play(*tasks: Task, hosts: str = "one", **more: Any) -> dict[str, Any]:
        """Return a play."""
        return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}

    def plays(self, plays: list[dict[str, Any]], *, check: bool = False, **settings: str) -> Run:
        """Run a playbook."""
        command, environment = self._prepare(plays, check, settings)
        code, output = output_of(command, self.folder, environment)
        return Run(code, output, self.folder / settings.get("NEXTBILLING_REVIEW_DIR", "review"))

    def begin(
        self, *tasks: Task, check: bool = False, **settings: str
    ) -> tuple[subprocess.Popen[bytes], BegunRun]:
        """Begin a playbook of one play with these tasks."""
        command, environment = self._prepare([self.a_play(*tasks)], check, settings)
        begun = BegunRun(self.folder)
        with begun.file.open("wb") as output:
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                command,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return process, begun

    def _prepare(
        self, plays: list[dict[str, Any]], check: bool, settings: dict[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        """Write a playbook; return the command that plays it, and its environment."""
        book = self.folder / "book.yml"
        book.write_text(yaml.safe_dump(plays, allow_unicode=True), "utf-8")
        (self.folder / "hosts").write_text(INVENTORY)
        command = [program("ansible-playbook"), "-i", "hosts", *(["--check"] if check else [])]
        environment = {
            **self.environment,
            "ANSIBLE_ASYNC_DIR": str(self.folder / "jobs"),
            "ANSIBLE_CALLBACKS_ENABLED": "nextbilling.did.review",
            **settings,
        }
        return [*command, "book.yml"], environment


# What stands beside a module's name in a task.
BESIDE = {
    *(
        "async",
        "check_mode",
        "delay",
        "delegate_to",
        "failed_when",
        "ignore_errors",
        "loop",
        "name",
        "no_log",
    ),
    *("poll", "register", "retries", "run_once", "until", "when"),
}


def did(number: str, **more: Any) -> Task:
    """Return a task that declares a DID."""
    beside = {name: more.pop(name) for name in BESIDE & more.keys()}
    return {
        "name": f"DID {number}",
        "nextbilling.did.did": {"did_number": number, **more},
        **beside,
    }


def dids(items: list[dict[str, Any]], **more: Any) -> Task:
    """Return a task that declares many DIDs, registers what comes of it, and goes on."""
    beside = {name: more.pop(name) for name in BESIDE & more.keys()}
    return {
        "name": "Many DIDs",
        "nextbilling.did.dids": {"dids": items, **more},
        "register": "many",
        "ignore_errors": True,
        **beside,
    }


def empty_player(simulator: Simulator, folder: Path) -> Player:
    """Return a player with an empty platform, and an empty registry that knows it."""
    simulator.reset()
    environment = surroundings(simulator, folder, configuration=QUIET)
    runner = Runner(simulator, FileStore(Path(environment["NEXTBILLING_REGISTRY"])))
    assert runner.did_registry()["changed"]
    return Player(runner, folder, environment)
