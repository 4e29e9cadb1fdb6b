# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes: kills at every boundary, a runner that is stopped beyond its lease, and many at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.processes import (
    Process,
    end_leases,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    databases_at_length,
    in_a_file,
    pooler_at_length,
)
from ansible_collections.nextbilling.did.tests.support.waiting import until

pytestmark = pooler_at_length


@databases_at_length
@pytest.mark.parametrize("action", ["create", "update", "adopt"])
@pytest.mark.parametrize(
    ("moment", "seen"),
    [
        ("kill at send", 0),
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
    end_leases(runner)
    if action == "create":
        open_ = runner.both(**task)
        assert open_["error"]["kind"] == "unknown_outcome"
        assert len(runner.requests()) == before + seen
        if seen:
            task["record_id"] = runner.simulator.created()[0]["record_id"]
            assert runner.both(**task)["action"] == "adopt"
        else:
            runner.forget("1166")
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


@databases_at_length
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
    process = start("stop at is_claim_valid", did_number="1166", port=5060)
    process.stopped()
    # A claim that is younger than a second holds without a look at it.
    time.sleep(1.1)
    end_leases(runner)
    assert runner.did(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    runner.forget("1166")
    assert runner.did(did_number="1166", port=5060)["action"] == "create"
    process.go_on()
    late = process.result()
    assert (late["error"]["kind"], len(runner.requests())) == ("unreachable", 1)


def test_a_runner_stopped_beyond_its_lease_whose_answer_is_kept(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    end_leases(runner)
    assert runner.did(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    process.go_on()
    assert process.result()["record_id"] == 13
    assert runner.both(did_number="1166", port=5060)["action"] == "none"


def test_a_late_answer_to_a_did_that_was_settled_meanwhile(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    end_leases(runner)
    runner.did_registry(state="recorded", dids=[{"did_number": "1166", "record_id": 13}])
    process.go_on()
    late = process.result()
    assert (late["action"], late["record_id"]) == ("create", 13)
    history = runner.did_info(did_number="1166", history=True)["history"]
    assert [entry["event"] for entry in history] == ["recorded", "answered"]
    assert runner.both(did_number="1166", port=5060)["action"] == "update"
    assert runner.simulator.duplicates() == {}


@pytest.mark.parametrize("known", [20, None])
def test_a_late_answer_to_a_did_that_is_another_record_by_now(
    runner: Runner, start: Callable[..., Process], known: int | None
) -> None:
    """Both are told, the answer is kept, and nothing of what is known is replaced."""
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    end_leases(runner)
    if known is not None:
        runner.did_registry(state="recorded", dids=[{"did_number": "1166", "record_id": known}])
    else:
        # Another run has begun to create it.
        runner.forget("1166")
        runner.simulator.fault("drop_before")
        assert runner.did(did_number="1166")["error"]["kind"] == "unknown_outcome"
    process.go_on()
    late = process.result()
    assert (late["error"]["kind"], late["error"]["record_id"]) == ("conflict", 13), late
    assert (late["changed"], "record 13" in late["msg"]) == (True, True)
    assert f"record {known or 'not known'}" in late["msg"]
    history = runner.did_info(did_number="1166", history=True)["history"]
    assert (history[-1]["event"], history[-1]["record_id"]) == ("answered", 13)
    (left,) = runner.did_info()["dids"]
    assert (left["record_id"], left["outcome"]) == (known, "confirmed" if known else "unknown")
    assert runner.simulator.duplicates() == {}


@in_a_file
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


@in_a_file
@pytest.mark.parametrize("what", ["fill_the_disk", "make_read_only"])
def test_an_id_that_cannot_be_written_is_told(
    runner: Runner, start: Callable[..., Process], what: str
) -> None:
    result = start(f"{what} at confirm", did_number="1166", port=5060).result()
    assert result["error"]["kind"] == "unrecorded"
    assert result["error"]["record_id"] == 13
    for words in ("record 13", "Keep the id 13", "record_id: 13", "state: recorded"):
        assert words in result["msg"]
    assert result["changed"] is True
    end_leases(runner)
    assert runner.both(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"
    assert runner.both(did_number="1166", port=5060, record_id=13)["action"] == "adopt"
    assert runner.both(did_number="1166", port=5060)["action"] == "none"
    assert runner.simulator.duplicates() == {}


def test_a_late_answer_to_a_did_that_was_forgotten_meanwhile(
    runner: Runner, start: Callable[..., Process]
) -> None:
    process = start("stop at confirm", did_number="1166", port=5060)
    process.stopped()
    end_leases(runner)
    runner.forget("1166")
    process.go_on()
    assert process.result()["record_id"] == 13
    assert runner.both(did_number="1166", port=5060)["action"] == "none"
    assert runner.simulator.duplicates() == {}
