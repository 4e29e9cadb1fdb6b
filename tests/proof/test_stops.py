# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends Ansible, the request under way is recorded, nothing else is sent, and no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, program
from ansible_collections.nextbilling.did.tests.support.stores import on_every_store
from ansible_collections.nextbilling.did.tests.support.waiting import TIMEOUT, until

COLLECTIONS = Path(client.__file__).parents[5]
DIDS = [{"did_number": str(number), "port": 5060} for number in range(5511001000, 5511001012)]
# Of each request, in milliseconds.
LATENCY = 700
MARK = "NEXTBILLING_DID_TEST_RUN"


class Playbook:
    """A run of ansible-playbook, with all processes that it starts."""

    def __init__(
        self, runner: Runner, folder: Path, task: dict[str, Any], way: str, start: str
    ) -> None:
        login = {
            "api_url": runner.simulator.url,
            "api_token": runner.simulator.token,
            "api_key": runner.simulator.key,
            "registry": runner.store.location,
        }
        defaults = {"group/nextbilling.did.all": login}
        play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults}
        (folder / "play.yml").write_text(json.dumps([{**play, "tasks": [task]}]), "utf-8")
        (folder / "ansible.cfg").write_text(QUIET, "utf-8")
        self.mark = uuid.uuid4().hex
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "NEXTBILLING_DID_IN_PROCESS": str(way == "in process"),
            MARK: self.mark,
        }
        prefix = ["nohup"] if start == "nohup" else []
        self.output = folder / "output.txt"
        with self.output.open("w", encoding="utf-8") as output:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                [*prefix, program("ansible-playbook"), "play.yml"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=start != "group",
                process_group=0 if start == "group" else None,
            )

    def end_by(self, how: str) -> None:
        """Do to it what ends it."""
        if how == "ctrl-c":
            os.killpg(self._process.pid, signal.SIGINT)
        elif how == "double ctrl-c":
            os.killpg(self._process.pid, signal.SIGINT)
            time.sleep(0.3)
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGINT)
        elif how != "timeout":
            self._process.send_signal(
                {
                    "sigint": signal.SIGINT,
                    "sigterm": signal.SIGTERM,
                    "sighup": signal.SIGHUP,
                    "kill": signal.SIGKILL,
                }[how]
            )

    def wait(self) -> None:
        """Wait for the end of the main process."""
        self._process.wait(TIMEOUT)

    def left(self) -> list[int]:
        """Return the processes of this run that are there."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def end(self) -> None:
        """End whatever is left."""
        for process in self.left():
            os.kill(process, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def play(runner: Runner, tmp_path: Path) -> Iterator[Callable[..., Playbook]]:
    """Plays a task, and ends what is left over."""
    playbooks: list[Playbook] = []

    def started(*arguments: Any) -> Playbook:
        playbooks.append(Playbook(runner, tmp_path, *arguments))
        return playbooks[-1]

    yield started
    for each in playbooks:
        each.end()


class Case(NamedTuple):
    """C(how): what ends the run. C(way): in process or as a module. C(task): a loop of did, or dids at a concurrency."""

    how: str
    way: str
    task: str
    start: str = "session"

    @property
    def concurrency(self) -> int:
        return 4 if self.task == "dids 4" else 1

    def play(self) -> dict[str, Any]:
        """Return the task."""
        timeout = {"timeout": 2} if self.how == "timeout" else {}
        if self.task == "loop":
            did = {"did_number": "{{ item.did_number }}", "port": "{{ item.port }}"}
            return {"nextbilling.did.did": did, "loop": DIDS, **timeout}
        dids = {"dids": DIDS, "concurrency": self.concurrency}
        return {"nextbilling.did.dids": dids, **timeout}


CASES = [
    Case("ctrl-c", "in process", "loop"),
    Case("ctrl-c", "in process", "dids 4", "group"),
    Case("ctrl-c", "module", "dids 1"),
    Case("sigint", "in process", "dids 1", "group"),
    Case("sigint", "module", "dids 4"),
    Case("sigterm", "in process", "loop", "group"),
    Case("sigterm", "in process", "dids 4"),
    Case("sigterm", "module", "dids 1"),
    Case("sighup", "in process", "dids 1"),
    Case("sighup", "module", "dids 4", "group"),
    Case("kill", "in process", "loop"),
    Case("kill", "in process", "dids 4", "group"),
    Case("kill", "module", "dids 1"),
    Case("timeout", "in process", "dids 1"),
    Case("timeout", "in process", "dids 4"),
]


@on_every_store
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_what_ends_ansible_ends_the_run_cleanly(
    runner: Runner, play: Callable[..., Playbook], case: Case
) -> None:
    runner.simulator.switch(latency_ms=LATENCY)
    playbook = play(case.play(), case.way, case.start)
    until(lambda: len(runner.requests()) >= case.concurrency)
    if case.how == "timeout":
        until(lambda: "failed=1" in playbook.output.read_text("utf-8"))
    seen = len(runner.requests())
    playbook.end_by(case.how)
    playbook.wait()
    until(lambda: not playbook.left())
    # What was under way, and one that may have been claimed already.
    sent = len(runner.requests())
    assert sent <= seen + case.concurrency, playbook.output.read_text("utf-8")
    runner.simulator.switch(latency_ms=0)
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    known = {
        did["did_number"]: (did["outcome"], did["record_id"]) for did in runner.did_info()["dids"]
    }
    assert known == {number: ("confirmed", record_id) for number, record_id in created.items()}
    result = runner.dids(dids=DIDS)
    assert result["summary"]["create"] == len(DIDS) - len(created)
    assert runner.simulator.duplicates() == {}


def test_what_nohup_ignores_stays_ignored(runner: Runner, play: Callable[..., Playbook]) -> None:
    runner.simulator.switch(latency_ms=200)
    playbook = play(Case("sighup", "in process", "dids 1").play(), "in process", "nohup")
    until(lambda: len(runner.requests()) > 1)
    for process in playbook.left():
        os.kill(process, signal.SIGHUP)
    playbook.wait()
    assert len(runner.simulator.created()) == len(DIDS), playbook.output.read_text("utf-8")
