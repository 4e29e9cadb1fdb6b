# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs over many DIDs that end early: told to, by their registry, or because another run was quicker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
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

DIDS = [{"did_number": str(number), "port": 5060} for number in range(1000, 1012)]

# One of each kind of signal; the others only with --long.
SIGNALS = pytest.mark.parametrize(
    ("number", "concurrency"),
    [
        (signal.SIGINT, 4),
        (signal.SIGTERM, 1),
        (signal.SIGHUP, 1),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, 4, marks=pytest.mark.long),
    ],
)
pytestmark = pooler_at_length


def outcomes(result: Result) -> dict[str, list[str]]:
    """Return the numbers of the DIDs by outcome."""
    found: dict[str, list[str]] = {}
    for entry in result["dids"]:
        found.setdefault(entry["outcome"], []).append(entry["did_number"])
    return found


@databases_at_length
@SIGNALS
def test_a_signal_ends_a_run_after_the_requests_under_way(
    runner: Runner, start: Callable[..., Process], number: signal.Signals, concurrency: int
) -> None:
    runner.simulator.switch(latency_ms=500)
    running = start(module="dids", dids=DIDS, concurrency=concurrency, details=True)
    until(lambda: len(runner.requests()) == concurrency)
    running.signal(number)
    result = running.result()
    assert (result["error"]["kind"], result["changed"]) == ("interrupted", True)
    assert number.name in result["msg"]
    found = outcomes(result)
    # What was begun was waited for and recorded; nothing else was sent.
    assert found.keys() == {"applied", "not_attempted"}
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    assert sorted(found["applied"]) == sorted(created)
    assert len(created) == len(runner.requests()) == concurrency
    assert len(found["not_attempted"]) == len(DIDS) - concurrency
    for entry in result["dids"]:
        assert entry["record_id"] == created.get(entry["did_number"])

    runner.simulator.switch(latency_ms=0)
    again = runner.both_dids(dids=DIDS)
    assert (again["summary"]["none"], again["summary"]["create"]) == (
        concurrency,
        len(DIDS) - concurrency,
    )
    assert runner.simulator.duplicates() == {}


@databases_at_length
@pytest.mark.parametrize("concurrency", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_second_interrupt_ends_a_run_at_once(
    runner: Runner, start: Callable[..., Process], concurrency: int
) -> None:
    runner.simulator.fault("hang_after", times=None)
    running = start(module="dids", dids=DIDS, concurrency=concurrency, details=True)
    until(lambda: len(runner.requests()) == concurrency)
    # What Ansible itself sends after a Ctrl-C does not.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
        running.signal(number)
        assert not running.ended(0.5)
    running.signal(signal.SIGINT)
    assert running.ended(10.0)
    end_leases(runner)
    runner.simulator.clear_faults()
    result = runner.both_dids(dids=DIDS)
    assert result["summary"]["unknown"] == concurrency
    assert result["summary"]["create"] == len(DIDS) - concurrency
    assert runner.simulator.duplicates() == {}


@databases_at_length
def test_a_signal_ends_a_pause_and_a_wait_for_another_run(
    runner: Runner, start: Callable[..., Process]
) -> None:
    runner.simulator.fault("throttle", times=None, retry_after=100)
    paused = start(module="dids", dids=DIDS, retries=3, details=True)
    until(lambda: any(entry["status"] == 429 for entry in runner.requests()))
    paused.signal(signal.SIGTERM)
    result = paused.result()
    assert outcomes(result).keys() == {"failed", "not_attempted"}
    assert result["dids"][0]["error"]["kind"] == "throttled"
    assert runner.rows("SELECT * FROM records") == []

    runner.simulator.clear_faults()
    runner.simulator.fault("hang_before", times=None)
    holder = start(did_number="1000", port=5060)
    until(lambda: len(runner.rows("SELECT * FROM records")) == 1)
    waiting = start(module="dids", dids=DIDS)
    # It has to have started, on a busy machine too.
    assert not waiting.ended(8.0)
    waiting.signal(signal.SIGTERM)
    result = waiting.result()
    assert (result["error"]["kind"], result["changed"]) == ("interrupted", False)
    assert "Nothing was sent" in result["msg"]
    holder.kill()


@in_a_file
def test_a_signal_before_the_only_request(runner: Runner, start: Callable[..., Process]) -> None:
    # With similar numbers, there is another look-up.
    looking = start("stop at find_many", did_number="1000", port=5060, similar="ignore")
    looking.stopped()
    looking.signal(signal.SIGTERM)
    looking.go_on()
    result = looking.result()
    assert (result["error"]["kind"], result["changed"]) == ("interrupted", False)
    for words in ("DID 1000", "SIGTERM", "nothing was sent"):
        assert words in result["msg"]
    assert runner.requests() == []
    assert runner.rows("SELECT * FROM records") == []
    assert runner.both(did_number="1000", port=5060)["action"] == "create"


@in_a_file
def test_an_id_that_is_told_and_not_recorded_is_a_change(
    runner: Runner, start: Callable[..., Process]
) -> None:
    result = start("fill_the_disk at confirm", module="dids", dids=DIDS[:1]).result()
    assert (result["changed"], result["summary"]["create"]) == (True, 0)
    assert (result["error"]["kind"], result["error"]["record_id"]) == ("unrecorded", 13)
    assert "record 13" in result["msg"] and "record 13" in result["dids"][0]["error"]["msg"]


@in_a_file
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("what", ["fill_the_disk", "make_read_only"])
def test_a_registry_that_fails_in_the_middle(
    runner: Runner, start: Callable[..., Process], what: str, concurrency: int
) -> None:
    runner.simulator.switch(latency_ms=50)
    options = {"concurrency": concurrency, "details": True}
    failing = start(f"{what} at confirm 5", module="dids", dids=DIDS, **options)
    result = failing.result()
    assert (result["error"]["kind"], result["changed"]) == ("unrecorded", True)
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    lost = {}
    for entry in result["dids"]:
        if entry["outcome"] == "applied":
            assert entry["record_id"] == created.pop(entry["did_number"])
        elif entry["error"] and entry["error"]["record_id"] is not None:
            # The platform tells an id once: what cannot be recorded is told.
            assert str(entry["error"]["record_id"]) in entry["error"]["msg"]
            lost[entry["did_number"]] = entry["error"]["record_id"]
    assert lost == created
    assert 1 <= len(lost) <= concurrency and len(outcomes(result)["applied"]) >= 4
    assert len(outcomes(result)["not_attempted"]) >= len(DIDS) - 5 - 2 * concurrency
    assert "could not be written" in result["msg"]

    end_leases(runner)
    sent = len(runner.requests())
    again = runner.dids(dids=DIDS, details=True)
    unknown = outcomes(again)["unknown"]
    assert set(lost) <= set(unknown)
    for number in set(unknown) - set(lost):
        # An intent whose request was never sent.
        runner.forget(number)
    told = [{**item, "record_id": lost.get(item["did_number"], ...)} for item in DIDS]
    told = [{key: value for key, value in item.items() if value is not ...} for item in told]
    settled = runner.dids(dids=told)
    assert settled["summary"]["adopt"] == len(lost) and "failed" not in settled
    assert runner.both_dids(dids=DIDS)["changed"] is False
    assert runner.simulator.duplicates() == {} and len(runner.requests()) > sent


@pytest.mark.parametrize(
    "bound", [{}, {"max_creates": 12}, {"max_changes": 12}, {"plan_checksum": ""}]
)
def test_another_run_that_comes_in_between(
    runner: Runner, start: Callable[..., Process], bound: dict[str, Any]
) -> None:
    """A run that is bound to its plan does nothing else than was planned; a free one does what is needed."""
    if "plan_checksum" in bound:
        bound = {"plan_checksum": runner.dids(check=True, dids=DIDS)["plan_checksum"]}
    runner.simulator.fault("latency", seconds=1, match={"did_number": "1000"})
    running = start(module="dids", dids=DIDS, **bound)
    until(lambda: bool(runner.requests()))
    assert runner.did(did_number="1005", port=5060)["action"] == "create"
    assert runner.did(did_number="1007", port=1)["action"] == "create"
    result = running.result()
    assert result["summary"]["create"] == len(DIDS) - 2
    assert result["summary"]["none"] == 1
    entry = next(entry for entry in result["dids"] if entry["did_number"] == "1007")
    if bound:
        assert (result["error"]["kind"], entry["outcome"]) == ("plan_changed", "failed")
        assert entry["error"]["kind"] == "plan_changed" and "1007" in entry["error"]["msg"]
        assert runner.requests("POST") == []
    else:
        assert (entry["action"], entry["outcome"], "failed" in result) == (
            "update",
            "applied",
            False,
        )
    assert runner.simulator.duplicates() == {}
