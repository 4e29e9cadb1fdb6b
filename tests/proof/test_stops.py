# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever ends Ansible, the request under way is recorded, nothing else is sent, and no process is left.

C(PROOF_CORES) names a folder with a virtual environment for each ansible-core, as C(make proof) makes it. Without it, the cases of the
ansible-core that runs the tests are run.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.proof import stops
from ansible_collections.nextbilling.did.tests.proof.stops import CASES, Case
from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.pairs import pairs
from ansible_collections.nextbilling.did.tests.support.processes import end_leases
from ansible_collections.nextbilling.did.tests.support.programs import (
    CORE,
    QUIET,
    core_program,
    program,
)
from ansible_collections.nextbilling.did.tests.support.stores import SQLITE
from ansible_collections.nextbilling.did.tests.support.tables import put_table
from ansible_collections.nextbilling.did.tests.support.waiting import TIMEOUT, until

COLLECTIONS = Path(client.__file__).parents[5]
DIDS = [{"did_number": str(number), "port": 5060} for number in range(5511001000, 5511001008)]
# Of each request, in milliseconds.
LATENCY = 700
# The same, where more than a signal comes between.
LONG_LATENCY = 3000
# Of a task, in seconds. Its requests take longer. A module is started first.
TIMEOUTS = {stops.IN_PROCESS: 2, stops.MODULE: 6}
# Starts a program in a session of its own, which standard input, a terminal, belongs to.
IN_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
MARK = "NEXTBILLING_DID_TEST_RUN"
SIGNALS = {
    "sigint": signal.SIGINT,
    "sigterm": signal.SIGTERM,
    "sighup": signal.SIGHUP,
    "kill": signal.SIGKILL,
    "runner": signal.SIGTERM,
}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "stops.rst"


def children(process: int) -> list[int]:
    """Return the processes that a process has started, in its main thread."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text("utf-8")
    return [int(each) for each in text.split()]


class Playbook:
    """A run of ansible-playbook in a terminal of its own, with all processes that it starts."""

    def __init__(self, runner: Runner, folder: Path, task: dict[str, Any], case: Case) -> None:
        login = {
            "api_url": runner.simulator.url,
            "api_token": runner.simulator.token,
            "api_key": runner.simulator.key,
            "registry": runner.store.location,
        }
        defaults = {"group/nextbilling.did.all": login}
        play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults}
        # Where ansible-runner has its settings and playbooks.
        (folder / "env").mkdir()
        (folder / "env" / "settings").write_text("pexpect_timeout: 1", "utf-8")
        folder = folder / "project"
        folder.mkdir()
        (folder / "play.yml").write_text(json.dumps([{**play, "tasks": [task]}]), "utf-8")
        (folder / "ansible.cfg").write_text(QUIET, "utf-8")
        self.mark = uuid.uuid4().hex
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "NEXTBILLING_DID_IN_PROCESS": str(case.way == stops.IN_PROCESS),
            MARK: self.mark,
        }
        playbook = core_program(case.core, "ansible-playbook")
        command = [playbook, "play.yml"]
        if case.how == "nohup":
            command = ["nohup", *command]
        elif case.how == "runner":
            command = [program("ansible-runner"), "run", "..", "--playbook", "play.yml"]
            environment["PATH"] = f"{Path(playbook).parent}{os.pathsep}{os.environ['PATH']}"
        self._has_shell = case.start == stops.SHELL
        if self._has_shell:
            # The second command keeps it from becoming the first one.
            command = ["sh", "-c", '"$@"; exit', "sh", *command]
        self._terminal, inside = os.openpty()
        self.output = folder / "output.txt"
        with self.output.open("wb") as output:
            # Who loses the terminal cannot write to it, either.
            printed = inside if case.how == "terminal" else output.fileno()
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                [sys.executable, "-c", IN_TERMINAL, *command],
                cwd=folder,
                env=environment,
                stdin=inside,
                stdout=printed,
                stderr=printed,
            )
        os.close(inside)

    def end_by(self, how: str) -> None:
        """Do to it what ends it."""
        if how in ("terminal", "nohup"):
            self.close_terminal()
        elif how == "ctrl-c":
            os.write(self._terminal, b"\x03")
        elif how == "double ctrl-c":
            os.write(self._terminal, b"\x03")
            time.sleep(0.3)
            os.write(self._terminal, b"\x03")
        elif how in SIGNALS:
            os.kill(self.main(), SIGNALS[how])

    def main(self) -> int:
        """Return the process id of ansible-playbook, or of ansible-runner."""
        if not self._has_shell:
            return self._process.pid
        (main,) = children(self._process.pid)
        return main

    def close_terminal(self) -> None:
        """Close the terminal, which sends SIGHUP to the leader of its session, and at its end to the others."""
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def wait(self) -> None:
        """Wait for the end of what was started."""
        self._process.wait(TIMEOUT)

    def left(self) -> list[int]:
        """Return the processes of this run that are there."""
        self._process.poll()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def end(self) -> None:
        """End whatever is left."""
        for process in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(TIMEOUT)
        self.close_terminal()


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


def task_of(case: Case) -> dict[str, Any]:
    """Return the task of a case."""
    timeout = {"timeout": TIMEOUTS[case.way]} if case.how == "timeout" else {}
    if case.task == stops.LOOP:
        did = {"did_number": "{{ item.did_number }}", "port": "{{ item.port }}"}
        # The timeout is that of each item.
        return {"nextbilling.did.did": did, "loop": DIDS[:2] if timeout else DIDS, **timeout}
    return {"nextbilling.did.dids": {"dids": DIDS, "concurrency": case.concurrency}, **timeout}


def latency_of(case: Case) -> int:
    """Return how long each request of a case takes, in milliseconds."""
    if case.how == "timeout":
        return TIMEOUTS[case.way] * 1000 + 500
    return LONG_LATENCY if case.how == "runner" else LATENCY


def known_outcomes(runner: Runner) -> dict[str, tuple[str, int | None]]:
    """Return the outcome and the id of each DID that the registry knows."""
    return {
        did["did_number"]: (did["outcome"], did["record_id"]) for did in runner.did_info()["dids"]
    }


def settle(runner: Runner) -> None:
    """Record the DIDs whose creates were cut off, as somebody does who finds them on the platform."""
    until(lambda: all(request["done"] != "in flight" for request in runner.requests()))
    end_leases(runner)
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    cut_off = [
        {"did_number": number, "record_id": created[number]}
        for number, (outcome, _record_id) in known_outcomes(runner).items()
        if outcome == "unknown"
    ]
    if cut_off:
        assert runner.did_registry(state="recorded", dids=cut_off)["changed"]


@pytest.mark.parametrize(
    ("empty_store", "case"),
    [(case.store, case) for case in CASES],
    indirect=["empty_store"],
    ids=["-".join(case) for case in CASES],
)
def test_what_ends_ansible_ends_the_run_cleanly(
    runner: Runner, play: Callable[..., Playbook], case: Case
) -> None:
    runner.simulator.switch(latency_ms=latency_of(case))
    playbook = play(task_of(case), case)
    until(lambda: len(runner.requests()) >= case.concurrency or not playbook.left())
    seen = len(runner.requests())
    playbook.end_by(case.how)
    if case.how == "runner":
        # It looks for the signal once a second, and then kills ansible-playbook.
        playbook.wait()
        seen = len(runner.requests())
    # Not longer than the time limit that a request has by default.
    until(lambda: not playbook.left())
    sent, printed = len(runner.requests()), playbook.output.read_text("utf-8")
    outcome = stops.expected(case.how, case.core)
    if outcome == stops.COMPLETE:
        assert sent == len(DIDS), printed
    else:
        # What was under way, and one that may have been claimed already. A time limit may come before the first request is seen.
        begun = max(seen, 1) if case.how == "timeout" else seen
        assert sent <= begun + case.concurrency, printed
    runner.simulator.switch(latency_ms=0)
    if outcome == stops.MAY_BE_UNKNOWN:
        settle(runner)
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    assert known_outcomes(runner) == {
        number: ("confirmed", record_id) for number, record_id in created.items()
    }
    result = runner.dids(dids=DIDS)
    assert result["summary"]["create"] == len(DIDS) - len(created)
    assert len(runner.simulator.created()) == len(DIDS)
    assert runner.simulator.duplicates() == {}


def test_every_two_values_meet_in_a_case() -> None:
    values = [sorted(set(column)) for column in zip(*CASES)]
    wanted = {pair for row in itertools.product(*values) for pair in pairs(row)}
    assert {pair for case in CASES for pair in pairs(case)} == wanted
    assert len(CASES) <= 100


def test_the_documentation_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert put_table(text, stops.table()) == text, f"run: python {stops.__file__} {DOCUMENT}"


@pytest.mark.parametrize("core", stops.CORES)
@pytest.mark.parametrize("is_blocked", [False, True])
def test_a_result_that_nobody_reads_keeps_no_process(
    runner: Runner, play: Callable[..., Playbook], core: str, is_blocked: bool
) -> None:
    numbers = range(5511002000, 5511002600)
    known = [{"did_number": str(number), "description": "x" * 200} for number in numbers]
    assert len(json.dumps(runner.dids(dids=known, concurrency=4))) > 200_000
    runner.simulator.switch(latency_ms=LONG_LATENCY)
    seen = len(runner.requests())
    case = Case("kill", core, stops.IN_PROCESS, SQLITE, stops.DIDS_1, stops.LEADER)
    playbook = play({"nextbilling.did.dids": {"dids": [*known, DIDS[0]]}}, case)
    until(lambda: len(runner.requests()) > seen)
    if is_blocked:
        os.kill(playbook.main(), signal.SIGSTOP)
        (worker,) = (process for process in playbook.left() if process != playbook.main())
        waits_for = Path(f"/proc/{worker}/wchan")
        until(lambda: "pipe" in waits_for.read_text("utf-8"))
    playbook.end_by("kill")
    until(lambda: not playbook.left())
    assert known_outcomes(runner)[str(DIDS[0]["did_number"])][0] == "confirmed"


def test_only_the_main_thread_of_a_worker_gets_signals(
    runner: Runner, play: Callable[..., Playbook]
) -> None:
    runner.simulator.switch(latency_ms=LATENCY)
    case = Case("kill", CORE, stops.MODULE, SQLITE, stops.DIDS_1, stops.LEADER)
    playbook = play(task_of(case), case)
    until(runner.requests)
    (worker,) = map(int, children(playbook.main()))
    (other,) = {int(each) for each in os.listdir(f"/proc/{worker}/task")} - {worker}
    status = Path(f"/proc/{worker}/task/{other}/status").read_text("utf-8")
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        assert int(blocked, 16) >> (number - 1) & 1
