# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes in between: another run between look and claim, an answer that ends the run beside a claim, a registry that goes."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.throttle import Pacing
from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    UnknownOutcome,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent, Plan
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.tests.proof.world import Converged, World
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.processes import (
    Process,
    end_leases,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    Store,
    in_a_file,
    pooler_at_length,
)

TASK: dict[str, Any] = {"did_number": "1166", "port": 5060}

pytestmark = pooler_at_length


def listed(*numbers: int) -> list[dict[str, Any]]:
    """Declare a DID for each number."""
    return [{"did_number": str(number), "port": 5060} for number in numbers]


def outcomes(result: Result) -> dict[str, str]:
    """Return what became of each DID."""
    return {entry["did_number"]: entry["outcome"] for entry in result["dids"]}


class Other:
    """Another run with the same registry."""

    def __init__(self, location: str, platform: str) -> None:
        self.platform = platform
        self.registry = _open.open_registry(
            location, platform, registry_id=None, write=True, timeout=5
        )

    def claims(self, number: str) -> str:
        """Claim a DID, whatever the registry holds of it."""
        known, _by_id = self.registry.find(self.platform, number, None)
        record_id = None if known is None else known.record_id
        action = "create" if known is None else "update"
        intent = Intent(action, known, number, record_id, {"did_number": number}, 60)
        token = self.registry.journal.claim(self.platform, intent)
        assert token is not None
        return token

    def comes_first(self, number: str) -> None:
        """Claim a DID, and let go of it as if nothing had been applied."""
        self.registry.journal.rollback(self.claims(number))

    def gets_no_answer(self, number: str) -> None:
        """Claim a DID, and end as if nobody knew what became of the request."""
        self.registry.journal.mark_unknown(self.claims(number))


@pytest.fixture
def other(runner: Runner) -> Iterator[Other]:
    """Another run."""
    other = Other(runner.store.location, runner.simulator.url.split("//")[1])
    with contextlib.closing(other.registry):
        yield other


@pytest.fixture
def world(simulator: Simulator, store: Store) -> Iterator[World]:
    """Runs whose pacing a test chooses."""
    yield World(simulator, store)
    World.reset_clock()


@pytest.fixture
def rival(world: World) -> Iterator[Other]:
    """Another run beside these."""
    rival = Other(world.location, world.platform)
    with contextlib.closing(rival.registry):
        yield rival


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets something happen between a look at DIDs and the write that follows it: at these of the next writes, counted from 1."""

    def set_up(
        happening: Callable[[], Any], writes: Sequence[int] = (1,), what: str = "claim"
    ) -> None:
        write = getattr(Journal, what)
        count = itertools.count(1)

        def late_write(*arguments: Any) -> Any:
            if next(count) in writes:
                # What happens makes writes of its own.
                with monkeypatch.context() as patch:
                    patch.setattr(Journal, what, write)
                    happening()
            return write(*arguments)

        monkeypatch.setattr(Journal, what, late_write)

    return set_up


def test_a_did_that_another_run_claimed_first_and_keeps(
    runner: Runner, other: Other, between: Callable[..., None]
) -> None:
    between(lambda: other.claims("1166"))
    busy = runner.did(**TASK, registry_timeout=0.3)
    assert (busy["error"]["kind"], busy["changed"]) == ("registry_busy", False), busy
    for words in ("DID 1166", "another run", "@", "nothing was sent"):
        assert words in busy["msg"]
    assert runner.requests() == []
    end_leases(runner)
    assert runner.both(**TASK)["error"]["kind"] == "unknown_outcome"


def test_a_did_that_another_run_left_open_is_not_created_again(
    runner: Runner, other: Other, between: Callable[..., None]
) -> None:
    between(lambda: other.gets_no_answer("1166"))
    result = runner.did(**TASK)
    assert result["error"]["kind"] == "unknown_outcome", result
    assert "state: recorded" in result["msg"] and "state: forgotten" in result["msg"]
    assert runner.requests() == []
    assert runner.rows("SELECT outcome FROM records") == [("unknown",)]


def test_other_runs_that_are_always_first(
    world: World, rival: Other, between: Callable[..., None]
) -> None:
    pacing = Pacing(max_races=3)
    world.converge({**TASK, "port": 1})
    between(lambda: rival.comes_first("1166"), writes=(1, 2, 3, 4))
    busy = world.converge(TASK, pacing=pacing)
    assert isinstance(busy, RegistryBusy) and not busy.changed
    assert "DID 1166" in busy.message and "Nothing was sent" in busy.message
    assert world.simulator.requests("POST") == []
    between(lambda: rival.comes_first("1166"), writes=(1, 2, 3))
    done = world.converge(TASK, pacing=pacing)
    assert isinstance(done, Converged) and done.plan.action == "update"
    assert len(world.simulator.requests("POST")) == 1


@pytest.mark.parametrize("why", ["another run keeps it", "other runs are always first"])
def test_an_edit_of_unknown_outcome_stays_one_when_it_cannot_be_repeated(
    world: World, rival: Other, between: Callable[..., None], why: str
) -> None:
    """What was sent once is not told as if nothing had been sent."""
    world.converge({**TASK, "port": 1})
    world.simulator.fault("drop_after")
    happening = rival.claims if why == "another run keeps it" else rival.comes_first
    between(lambda: happening("1166"), writes=(2,))
    error = world.converge(TASK, retries=1, pacing=Pacing(max_races=0 if "first" in why else 3))
    assert isinstance(error, UnknownOutcome) and error.record_id == 13
    assert "may or may not" in error.message and "other" in error.message, error.message
    assert "othing was sent" not in error.message
    assert len(world.simulator.requests("POST")) == 1
    world.pass_time(1000)
    plan = world.converge(TASK, check=True)
    assert isinstance(plan, Plan) and plan.action == "update"


def test_a_correction_sees_what_another_run_did_meanwhile(
    runner: Runner, other: Other, between: Callable[..., None]
) -> None:
    runner.did(**TASK, description="a")

    def edit() -> None:
        known, _by_id = other.registry.find(other.platform, "1166", None)
        intent = Intent("update", known, "1166", 13, {"description": "b"}, 60)
        token = other.registry.journal.claim(other.platform, intent)
        other.registry.journal.confirm(
            str(token), other.platform, intent, 13, "2026-01-31T12:00:00Z"
        )

    between(edit, what="apply_corrections")
    recorded = {"did_number": "1166", "record_id": 13, "port": 1}
    assert runner.did_registry(state="recorded", dids=[recorded])["changed"]
    (known,) = runner.did_info(did_number="1166")["dids"]
    assert known["fields"] == {"did_number": "1166", "port": 1, "description": "b"}
    assert [
        entry[0] for entry in runner.rows("SELECT event FROM history WHERE event <> 'applied'")
    ] == ["recorded"]


def test_a_correction_that_others_always_forestall(
    world: World, rival: Other, between: Callable[..., None]
) -> None:
    world.converge(TASK)
    between(lambda: rival.comes_first("1166"), writes=(1, 2, 3), what="apply_corrections")
    busy = world.resolve("forgotten", "1166", 13, max_races=3)
    assert isinstance(busy, RegistryBusy) and "Nothing was written" in busy.message
    assert world.store.rows("SELECT * FROM history WHERE event <> 'applied'") == []
    plan = world.converge(TASK, check=True)
    assert isinstance(plan, Plan) and plan.action == "none"


def test_nothing_is_sent_beside_an_answer_that_ends_the_run(runner: Runner) -> None:
    """What was claimed while the answer was written is let go of again."""
    runner.did(did_number="99", record_id=12)
    runner.simulator.fault("reply", json={"error": 0, "new_record": 12})
    result = runner.dids(dids=listed(1, 2, 3), max_failures=0, details=True)
    assert outcomes(result) == {"1": "unrecorded", "2": "not_attempted", "3": "not_attempted"}
    assert (result["error"]["kind"], result["changed"]) == ("conflict", True)
    assert result["dids"][0]["record_id"] == result["error"]["record_id"] == 12
    assert "max_failures" in result["msg"]
    assert len(runner.requests("PUT")) == 1
    assert runner.rows("SELECT number FROM numbers ORDER BY number") == [("1",), ("99",)]
    assert runner.both_dids(dids=listed(2, 3))["summary"]["create"] == 2
    assert runner.simulator.duplicates() == {}


@in_a_file
def test_a_claim_that_cannot_be_taken_back_is_told(
    runner: Runner, start: Callable[..., Process]
) -> None:
    runner.did(did_number="99", record_id=12)
    runner.simulator.fault("reply", json={"error": 0, "new_record": 12})
    happening = "make_read_only at rollback"
    result = start(
        happening, module="dids", dids=listed(1, 2, 3), max_failures=0, details=True
    ).result()
    assert outcomes(result) == {"1": "unrecorded", "2": "failed", "3": "not_attempted"}
    told = result["dids"][1]["error"]
    assert told["kind"] == "registry_unavailable"
    for words in ("DID 2", "not applied", "could not be sent", "unknown", "forgotten"):
        assert words in told["msg"]
    assert len(runner.requests("PUT")) == 1
    end_leases(runner)
    assert outcomes(runner.both_dids(dids=listed(2, 3))) == {"2": "unknown", "3": "applied"}
    assert runner.forget("2")["changed"]
    assert runner.both_dids(dids=listed(2, 3))["summary"]["create"] == 1
    assert runner.simulator.duplicates() == {}


@in_a_file
def test_an_edit_that_is_about_to_be_repeated_when_the_run_ends(
    runner: Runner,
) -> None:
    """It was sent once, so it is not told as if nothing had been attempted."""
    runner.dids(dids=listed(1))
    runner.did(did_number="99", record_id=12)
    runner.simulator.fault("drop_after", match={"did_number": "1"})
    runner.simulator.fault("reply", json={"error": 0, "new_record": 12})
    # The repetition is due, and claimed, when the answer about the second DID comes.
    runner.simulator.switch(latency_ms=600)
    edited = [{"did_number": "1", "port": 1}, *listed(2, 3)]
    result = runner.dids(dids=edited, max_failures=0, retries=1, details=True)
    assert outcomes(result) == {"1": "unknown", "2": "unrecorded", "3": "not_attempted"}
    assert result["dids"][0]["error"]["record_id"] == 13
    assert [entry["record_id"] for entry in runner.requests("POST")][1:] == [13]
    assert runner.rows("SELECT outcome FROM records WHERE record_id = 13") == [("uncertain",)]
    assert runner.both_dids(dids=edited[:1])["summary"]["update"] == 1


def test_a_run_that_ends_while_a_did_waits_for_another_run(
    runner: Runner, other: Other, between: Callable[..., None]
) -> None:
    between(lambda: other.claims("1"))
    runner.simulator.fault("status", status=422, match={"did_number": "2"})
    result = runner.dids(dids=listed(1, 2, 3), max_failures=0, details=True)
    assert outcomes(result) == {"1": "not_attempted", "2": "failed", "3": "not_attempted"}
    assert len(runner.requests("PUT")) == 1


@in_a_file
def test_a_refusal_that_cannot_be_recorded(runner: Runner, start: Callable[..., Process]) -> None:
    runner.simulator.fault("status", status=422)
    result = start("make_read_only at rollback", **TASK).result()
    assert (result["error"]["kind"], result["changed"]) == ("registry_unavailable", False)
    for words in ("DID 1166", "not applied", "unknown", "forgotten"):
        assert words in result["msg"]
    end_leases(runner)
    assert runner.both(**TASK)["error"]["kind"] == "unknown_outcome"
    assert runner.forget("1166")["changed"]
    assert runner.both(**TASK)["action"] == "create"
    assert runner.simulator.duplicates() == {}


@in_a_file
@pytest.mark.parametrize("moment", ["claim 2", "rollback"])
def test_an_edit_of_unknown_outcome_and_a_registry_that_fails(
    runner: Runner, start: Callable[..., Process], moment: str
) -> None:
    """It was sent once, whatever becomes of the repetition."""
    runner.did(**{**TASK, "port": 1})
    runner.simulator.fault("drop_after")
    runner.simulator.fault("status", status=422)
    result = start(f"make_read_only at {moment}", **TASK, retries=1).result()
    assert (result["error"]["kind"], result["error"]["record_id"]) == ("unknown_outcome", 13)
    assert "may or may not" in result["msg"] and "registry" in result["msg"]
    assert "othing was sent" not in result["msg"]
    assert len(runner.requests("POST")) == (2 if moment == "rollback" else 1)
    runner.simulator.clear_faults()
    end_leases(runner)
    assert runner.both(**TASK)["action"] == "update"
