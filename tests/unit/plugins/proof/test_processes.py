# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes: kills at every boundary, a runner that is stopped beyond its lease, and many at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.unit.plugins.conftest import Result, Runner

# Runs the module did with the parameters of a file. The second argument may say what happens at the call of which method:
# "_exchange" is the request, "claim" writes the intent, "holds" is the last look before the first byte, "confirm" writes the id.
_PROGRAM = """
import os, resource, signal, sys
from ansible.module_utils import basic
from ansible_collections.nextbilling.did.plugins.module_utils import _platform
from ansible_collections.nextbilling.did.plugins.module_utils._registry import _store
from ansible_collections.nextbilling.did.plugins.modules import did

def kill(registry):
    os.kill(os.getpid(), signal.SIGKILL)

def stop(registry):
    os.kill(os.getpid(), signal.SIGSTOP)

def fill_the_disk(registry):
    # No file may grow any more: SQLite's journal cannot be written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

def make_read_only(registry):
    # The same error as from a file system that has become read-only.
    registry._database._connection.execute("PRAGMA query_only = ON")

what, _, moment = sys.argv[2].partition(" at ")
if what:
    owner = _platform.Platform if moment == "_exchange" else _store.SqlRegistry
    original = getattr(owner, moment)
    def happening(self, *arguments, **options):
        globals()[what](self)
        return original(self, *arguments, **options)
    setattr(owner, moment, happening)
basic._ANSIBLE_ARGS = open(sys.argv[1], "rb").read()
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
did.main()
"""
_COLLECTIONS = Path(client.__file__).parents[5]
_LIMIT = 60.0


class Process:
    """A task in a process of its own."""

    def __init__(
        self, runner: Runner, folder: Path, happening: str = "", **parameters: Any
    ) -> None:
        arguments = {
            "ANSIBLE_MODULE_ARGS": {
                "api_url": runner.simulator.url,
                "api_token": runner.simulator.token,
                "api_key": runner.simulator.key,
                "registry": str(runner.registry),
                "retries": 0,
                **parameters,
            }
        }
        file = folder / f"arguments-{time.monotonic_ns()}.json"
        file.write_text(json.dumps(arguments))
        path = [str(_COLLECTIONS), os.environ.get("PYTHONPATH")]
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-c", _PROGRAM, str(file), happening],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Result:
        """Wait for the end and return the module's result."""
        printed, errors = self._process.communicate(timeout=_LIMIT)
        assert printed, errors
        result: Result = json.loads(printed)
        return result

    def died(self) -> None:
        """Wait for the end, which must be a kill."""
        self._process.communicate(timeout=_LIMIT)
        assert self._process.returncode == -signal.SIGKILL

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self.died()

    def stopped(self) -> None:
        """Wait until it has stopped itself."""
        status = Path(f"/proc/{self._process.pid}/stat")
        until(lambda: status.read_text("utf-8").rsplit(")", 1)[1].split()[0] == "T")

    def go_on(self) -> None:
        """Let it go on after a stop."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that will come."""
    deadline = time.monotonic() + _LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def start(runner: Runner, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts tasks in processes of their own, and ends those that are left over."""
    processes: list[Process] = []

    def started(happening: str = "", **parameters: Any) -> Process:
        processes.append(Process(runner, tmp_path, happening, **parameters))
        return processes[-1]

    yield started
    for process in processes:
        process.end()


def _end_leases(runner: Runner) -> None:
    runner.write(
        "UPDATE records SET claim_until = claim_until - 1000 WHERE claim_until IS NOT NULL"
    )


@pytest.mark.parametrize("action", ["create", "update", "adopt"])
@pytest.mark.parametrize(
    ("moment", "seen"),
    [
        ("kill at _exchange", 0),
        ("while it waits", 1),
        ("kill at confirm", 1),
    ],
)
def test_a_kill(
    runner: Runner, start: Callable[..., Process], moment: str, seen: int, action: str
) -> None:
    task: dict[str, Any] = {"did_number": "1166", "port": 5061}
    if action == "update":
        runner.did(did_number="1166", port=5060)
    elif action == "adopt":
        task["record_id"] = 12
    before = len(runner.requests())
    if moment == "while it waits":
        runner.simulator.fault("hang_after")
        process = start("", **task)
        until(
            lambda: any(
                entry["done"] == "hung" or entry["processed"]
                for entry in runner.requests()[before:]
            )
        )
        process.kill()
    else:
        start(moment, **task).died()
    assert len(runner.requests()) == before + seen

    # Its claim may still be live: whoever comes now waits, and gives up without a request.
    busy = runner.did(**task, registry_timeout=0.1)
    assert busy["error"]["kind"] == "registry_busy"
    assert "@" in busy["msg"]
    _end_leases(runner)
    if action == "create":
        open_ = runner.both(**task)
        assert open_["error"]["kind"] == "unknown_outcome"
        assert len(runner.requests()) == before + seen
        if seen:
            task["record_id"] = runner.simulator.created()[0]["record_id"]
            assert runner.both(**task)["action"] == "adopt"
        else:
            runner.did_registry(state="forgotten", dids=[{"did_number": "1166"}])
            assert runner.both(**task)["action"] == "create"
    else:
        assert runner.both(**task)["action"] == "update"
    assert runner.both(**task)["action"] == "none"
    assert runner.simulator.duplicates() == {}


def test_a_second_run_waits_and_finds_nothing_to_do(
    runner: Runner, start: Callable[..., Process]
) -> None:
    runner.simulator.fault("latency", seconds=1)
    first = start("", did_number="1166", port=5060)
    until(lambda: bool(runner.requests()))
    # Another DID does not wait.
    assert runner.did(did_number="1", registry_timeout=0)["action"] == "create"
    assert runner.did(check=True, did_number="1166", port=5060)["action"] == "none"
    second = runner.did(did_number="1166", port=5060)
    assert (second["action"], second["changed"]) == ("none", False)
    done = first.result()
    assert (done["action"], done["record_id"]) == ("create", second["record_id"])


def test_a_pause_holds_nobody_up(runner: Runner, start: Callable[..., Process]) -> None:
    runner.simulator.fault("throttle", retry_after=2)
    first = start("", did_number="1166", port=5060, retries=1)
    until(lambda: bool(runner.requests()) and runner.rows("SELECT * FROM records") == [])
    second = runner.did(did_number="1166", port=5060, registry_timeout=0)
    assert second["action"] == "create"
    assert first.result()["action"] == "none"
    assert len(runner.simulator.created()) == 1


def test_eight_processes_and_the_same_dids(runner: Runner, start: Callable[..., Process]) -> None:
    runner.simulator.switch(latency_ms=20)
    numbers = ["1", "2", "3"]
    for number in numbers:
        processes = [start("", did_number=number, port=5060) for _process in range(8)]
        results = [process.result() for process in processes]
        assert sorted(result["action"] for result in results) == ["create", *["none"] * 7]
        assert len({result["record_id"] for result in results}) == 1
    assert len(runner.simulator.created()) == len(numbers) == len(runner.requests())


def test_eight_processes_that_disagree(runner: Runner, start: Callable[..., Process]) -> None:
    processes = [start("", did_number="1", port=5060 + number) for number in range(8)]
    results = [process.result() for process in processes]
    assert sorted(result["action"] for result in results) == ["create", *["update"] * 7]
    assert len(runner.simulator.created()) == 1
    last = runner.requests()[-1]["json"]["port"]
    assert runner.simulator.dids()[13]["port"] == last
    assert runner.did(check=True, did_number="1", port=last)["action"] == "none"


def test_a_runner_stopped_before_the_last_look_sends_nothing_beyond_its_lease(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at holds", did_number="1166", port=5060)
    process.stopped()
    _end_leases(runner)
    assert runner.did(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    runner.did_registry(state="forgotten", dids=[{"did_number": "1166"}])
    assert runner.did(did_number="1166", port=5060)["action"] == "create"
    process.go_on()
    late = process.result()
    assert (late["error"]["kind"], len(runner.requests())) == ("unreachable", 1)


def test_a_runner_stopped_beyond_its_lease_whose_answer_is_kept(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    _end_leases(runner)
    assert runner.did(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    process.go_on()
    assert process.result()["record_id"] == 13
    assert runner.both(did_number="1166", port=5060)["action"] == "none"


def test_a_late_answer_to_a_did_that_was_settled_meanwhile(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    _end_leases(runner)
    runner.did_registry(state="recorded", dids=[{"did_number": "1166", "record_id": 13}])
    process.go_on()
    late = process.result()
    assert (late["action"], late["record_id"]) == ("create", 13)
    history = runner.did_info(did_number="1166", history=True)["history"]
    assert [entry["event"] for entry in history] == ["recorded", "answered"]
    assert runner.both(did_number="1166", port=5060)["action"] == "update"
    assert runner.simulator.duplicates() == {}


@pytest.mark.parametrize("what", ["fill_the_disk", "make_read_only"])
@pytest.mark.parametrize("action", ["create", "update"])
def test_an_intent_that_cannot_be_written_is_not_sent(
    runner: Runner, start: Callable[..., Process], what: str, action: str
) -> None:
    if action == "update":
        runner.did(did_number="1166", port=5060)
    before = len(runner.requests())
    result = start(f"{what} at claim", did_number="1166", port=5061).result()
    assert result["error"]["kind"] == "registry_unavailable"
    assert len(runner.requests()) == before
    assert runner.both(did_number="1166", port=5061)["action"] == action


@pytest.mark.parametrize("what", ["fill_the_disk", "make_read_only"])
def test_an_id_that_cannot_be_written_is_told(
    runner: Runner, start: Callable[..., Process], what: str
) -> None:
    result = start(f"{what} at confirm", did_number="1166", port=5060).result()
    assert result["error"]["kind"] == "registry_unavailable"
    assert result["error"]["record_id"] == 13
    assert "record 13" in result["msg"] and "record_id: 13" in result["msg"]
    assert result["changed"] is True
    _end_leases(runner)
    assert runner.both(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    assert runner.both(did_number="1166", port=5060, record_id=13)["action"] == "adopt"
    assert runner.both(did_number="1166", port=5060)["action"] == "none"
    assert runner.simulator.duplicates() == {}


def test_a_late_answer_to_a_did_that_was_forgotten_meanwhile(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    _end_leases(runner)
    runner.did_registry(state="forgotten", dids=[{"did_number": "1166"}])
    process.go_on()
    assert process.result()["record_id"] == 13
    assert runner.both(did_number="1166", port=5060)["action"] == "none"
    assert runner.simulator.duplicates() == {}
