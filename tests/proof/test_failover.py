# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in two PostgreSQL servers, of which the second takes the place of the first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryMismatch
from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_backend import (
    PostgresqlBackend,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.open import open_registry
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.processes import Process
from ansible_collections.nextbilling.did.tests.support.replication import (
    ReplicatedPair,
    running_pair,
)
from ansible_collections.nextbilling.did.tests.support.stores import Proxy
from ansible_collections.nextbilling.did.tests.support.waiting import until

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
TASK: dict[str, Any] = {"did_number": "1166", "port": 5060}


@pytest.fixture(scope="module")
def lasting_pair() -> Iterator[ReplicatedPair]:
    """A pair for the tests that kill no primary."""
    with running_pair() as pair:
        yield pair


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[ReplicatedPair]:
    """A primary and a standby that follows it, asynchronously."""
    if request.node.get_closest_marker("kills") is None:
        lasting: ReplicatedPair = request.getfixturevalue("lasting_pair")
        lasting.reset()
        yield lasting
        return
    with running_pair() as pair:
        pair.streaming()
        yield pair


@pytest.fixture
def runner(pair: ReplicatedPair, simulator: Simulator) -> Runner:
    """A runner whose registry is there."""
    runner = Runner(simulator, pair.store())
    assert runner.did_registry()["changed"]
    pair.caught_up()
    return runner


def _in_background(work: Callable[[], Result]) -> tuple[threading.Thread, list[Result]]:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def _wait_cancelled(pair: ReplicatedPair) -> None:
    """Have somebody cancel the wait for a standby."""
    (process,) = until(lambda: pair.store().rows(WAITING))
    pair.primary.run(f"SELECT pg_cancel_backend({process[0]})")


# Commits that wait for a standby


@pytest.mark.parametrize("level", ["off", "local", "remote_write"])
def test_a_commit_waits_for_the_standby_whatever_the_role_has(
    pair: ReplicatedPair, runner: Runner, level: str
) -> None:
    """A weaker setting of the role or of the database would acknowledge an intent that a failover loses."""
    pair.synchronous()
    pair.primary.run(f"ALTER ROLE postgres SET synchronous_commit = {level}")
    pair.hold()
    thread, results = _in_background(lambda: runner.did(**TASK))
    until(lambda: pair.store().rows(WAITING))
    assert runner.requests() == []
    pair.go_on()
    thread.join()
    assert results[0]["action"] == "create", results


def test_a_wait_that_somebody_cancels(pair: ReplicatedPair, runner: Runner) -> None:
    """The intent is on the primary alone: nothing is sent under it, so a failover loses nothing."""
    pair.synchronous()
    pair.hold()
    thread, results = _in_background(lambda: runner.did(**TASK, registry_timeout=1))
    _wait_cancelled(pair)
    thread.join()
    assert results[0]["error"]["kind"] == "registry_unavailable", results
    assert "synchronous standby" in results[0]["msg"].lower()
    assert runner.requests() == []
    assert runner.rows("SELECT * FROM records") == []


def test_a_standby_that_is_gone(pair: ReplicatedPair, runner: Runner) -> None:
    """The run ends after its timeout, with the cause, and nothing is sent. Another run is told the same, not of a lock."""
    pair.synchronous()
    pair.standby.stop()
    thread, results = _in_background(lambda: runner.did(**TASK, registry_timeout=4))
    until(lambda: pair.store().rows(WAITING))
    other = runner.did(**{**TASK, "did_number": "77"}, registry_timeout=0.3)
    thread.join()
    assert [each["error"]["kind"] for each in (*results, other)] == [
        "registry_unavailable",
        "registry_busy",
    ]
    for result in (*results, other):
        assert "synchronous standby" in result["msg"], result["msg"]
    assert "locked by another run" not in other["msg"]
    assert runner.requests() == []
    assert pair.store().rows(WAITING) == []
    assert runner.rows("SELECT * FROM records") == []


@pytest.mark.parametrize("number", [2, 15], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_wait_for_a_standby(
    pair: ReplicatedPair, runner: Runner, tmp_path: Path, number: int
) -> None:
    pair.synchronous()
    pair.standby.stop()
    process = Process(runner, tmp_path, **TASK)
    until(lambda: pair.store().rows(WAITING))
    process.signal(number)
    result = process.result()
    assert result["failed"], result
    assert runner.requests() == []
    assert pair.store().rows(WAITING) == []


# Writes that a failover loses


WANTED = [{"did_number": str(number), "port": 5060} for number in range(1000, 1060)]


def _lose_the_newest(pair: ReplicatedPair, runner: Runner, answers: int) -> None:
    """Have the standby miss so many answers and more, then take the primary's place."""
    pair.hold()
    held = len(runner.simulator.created())
    until(lambda: len(runner.simulator.created()) >= held + answers)
    pair.fail_over()


@pytest.mark.kills
@pytest.mark.parametrize("concurrency", [1, 4])
def test_answers_that_a_failover_loses_are_recorded_again(
    pair: ReplicatedPair, runner: Runner, concurrency: int
) -> None:
    """The promise holds for an asynchronous standby too, while the run lasts that was told the answers."""
    runner.simulator.switch(latency_ms=20)
    thread, results = _in_background(lambda: runner.dids(dids=WANTED, concurrency=concurrency))
    until(lambda: len(runner.simulator.created()) > 5)
    _lose_the_newest(pair, runner, 10)
    thread.join()
    result = results[0]
    assert "recorded again" in str(result.get("warnings")), result
    assert runner.simulator.duplicates() == {}
    ids = dict(
        pair.store(pair.standby).rows(
            "SELECT n.number, r.record_id FROM records r JOIN numbers n USING (record_key) WHERE outcome = 'confirmed'"
        )
    )
    held = {fields["did_number"]: key for key, fields in runner.simulator.dids().items() if fields}
    told = {did["did_number"] for did in result["dids"] if did["outcome"] != "applied"}
    # What was in flight when the primary died is told, or known.
    assert {number for number in held if ids.get(number) != held[number]} <= told
    again = runner.dids(dids=WANTED)
    assert len(held) + again["summary"]["create"] == len(WANTED), again
    assert runner.simulator.duplicates() == {}


# Servers that stand beside each other


def test_an_asynchronous_standby_is_warned_of(pair: ReplicatedPair, runner: Runner) -> None:
    for result in (runner.did_info(), runner.did_registry()):
        assert "synchronous_standby_names" in str(result.get("warnings")), result
    pair.synchronous()
    for result in (runner.did_info(), runner.did_registry()):
        assert "warnings" not in result, result


def test_two_servers_of_one_cluster_are_one_registry(pair: ReplicatedPair, runner: Runner) -> None:
    first, second = (
        PostgresqlBackend(server.url("registry"), None) for server in (pair.primary, pair.standby)
    )
    assert runner.did_registry()["registry"]
    assert first.identity(timeout=5) == second.identity(timeout=5)


def test_a_standby_is_told_as_such(pair: ReplicatedPair, runner: Runner) -> None:
    only = pair.standby.url("registry")
    written = runner.did(**TASK, registry=only, registry_timeout=0.5)
    assert "is a standby" in written["msg"], written
    demanding = runner.did(
        **TASK, registry=f"{only}?target_session_attrs=primary", registry_timeout=0.5
    )
    assert "only standbys answer" in demanding["msg"], demanding
    assert runner.requests() == []
    assert "read from a standby" in str(runner.did_info(registry=only)["warnings"])


@pytest.mark.kills
def test_a_run_that_comes_back_to_the_old_primary(pair: ReplicatedPair, runner: Runner) -> None:
    """Both servers can be written. A run that has seen the new one does nothing with the old one."""
    line = Proxy(pair.primary.port)
    first, second = f"127.0.0.1:{line.port}", f"127.0.0.1:{pair.standby.port}"
    location = f"postgresql://postgres@{first},{second}/registry?target_session_attrs=read-write"
    platform = runner.did_info()["registry"]["platforms"][0]
    with contextlib.closing(
        open_registry(location, platform, registry_id=None, write=True, timeout=20)
    ) as registry:
        assert registry.journal.claim(platform, _create("1")) is not None
        pair.caught_up()
        line.cut(down=True)
        pair.fail_over(kill=False)
        assert registry.journal.claim(platform, _create("2")) is not None
        line.up()
        registry._database.close()
        with pytest.raises(RegistryMismatch, match="whose place another one has taken"):
            registry.journal.claim(platform, _create("3"))
    line.close()
    numbers = "SELECT number FROM numbers ORDER BY number"
    assert pair.store().rows(numbers) == [("1",)]
    assert pair.store(pair.standby).rows(numbers) == [("1",), ("2",)]


def _create(number: str) -> Intent:
    return Intent("create", None, number, None, {"did_number": number}, 60)
