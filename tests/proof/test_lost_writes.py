# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the registry loses, no DID is created twice: servers are killed, backups restored and files exchanged, in the middle of runs.

The platform counts the duplicates. Each set-up is tested several times, each time at another moment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.proof import lost_writes
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.auto_failover import (
    AutoFailover,
    running_cluster,
)
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.processes import Process, end_leases
from ansible_collections.nextbilling.did.tests.support.replication import (
    ReplicatedPair,
    running_pair,
)
from ansible_collections.nextbilling.did.tests.support.stores import FileStore, Proxy
from ansible_collections.nextbilling.did.tests.support.tables import put_table
from ansible_collections.nextbilling.did.tests.support.waiting import until

DOCUMENT = (
    Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "high_availability.rst"
)
COUNT = 60
WANTED = [{"did_number": str(number), "port": 5060} for number in range(1000, 1000 + COUNT)]
# Of each request, in milliseconds: a kill hits the middle of a run.
LATENCY = 20
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
OUTCOMES = (
    "SELECT n.number, r.record_id, r.outcome FROM records r JOIN numbers n USING (record_key)"
)

pytestmark = pytest.mark.long


EACH_KILL = pytest.mark.parametrize("kill", range(lost_writes.KILLS))


@pytest.fixture(scope="session")
def kept() -> Iterator[Path]:
    """Where a new cluster is kept."""
    with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
        yield Path(folder)


@pytest.fixture
def pair(kept: Path) -> Iterator[ReplicatedPair]:
    """A primary and a standby that follows it, asynchronously."""
    with running_pair(kept) as pair:
        pair.streaming()
        yield pair


@pytest.fixture
def runner(pair: ReplicatedPair, simulator: Simulator) -> Runner:
    """A runner whose registry is there, with a slow platform."""
    runner = Runner(simulator, pair.store())
    assert runner.did_registry()["changed"]
    pair.caught_up()
    simulator.switch(latency_ms=LATENCY)
    return runner


@pytest.fixture
def in_file(simulator: Simulator, tmp_path: Path) -> Runner:
    """The same with a registry in a file."""
    runner = Runner(simulator, FileStore(tmp_path / "state" / "registry.db"))
    assert runner.did_registry()["changed"]
    return runner


class Run:
    """A run that goes on while a test does something to its registry."""

    def __init__(self, runner: Runner, wanted: list[dict[str, Any]], **options: Any) -> None:
        self._results: list[Result] = []
        self._runner = runner
        self._thread = threading.Thread(
            target=lambda: self._results.append(runner.dids(dids=wanted, **options))
        )
        self._thread.start()

    def until_created(self, count: int) -> None:
        """Wait until so many DIDs are created."""
        until(lambda: len(self._runner.simulator.created()) >= count or self._results)
        assert not self._results, self._results

    def result(self) -> Result:
        """Wait for the end."""
        self._thread.join()
        return self._results[0]


def moment(kill: int) -> int:
    """After how many creates something happens."""
    return 5 + 4 * kill


def concurrency(kill: int) -> int:
    """How many requests are under way at once."""
    return 1 + 3 * (kill % 2)


def at_standby(runner: Runner, pair: ReplicatedPair) -> Runner:
    """The same tasks, once the standby has taken the primary's place."""
    return Runner(runner.simulator, pair.store(pair.standby), runner.options)


def created_ids(simulator: Simulator) -> dict[str, int]:
    """The ids of the DIDs that the platform has created, by number."""
    return {entry["did_number"]: entry["record_id"] for entry in simulator.created()}


def confirmed_ids(runner: Runner) -> dict[str, int]:
    """The ids that the registry knows, by number."""
    return {number: key for number, key, outcome in runner.rows(OUTCOMES) if key is not None}


def lost_ids(runner: Runner) -> set[str]:
    """The numbers of DIDs that the platform has created and of which the registry knows nothing: the next run would create them again."""
    return created_ids(runner.simulator).keys() - {row[0] for row in runner.rows(OUTCOMES)}


def settle(runner: Runner) -> None:
    """Do what the messages of creates of unknown outcome ask for: look on the platform, and say what is there."""
    until(lambda: all(request["done"] != "in flight" for request in runner.requests()))
    end_leases(runner)
    created = created_ids(runner.simulator)
    open_dids = runner.did_info(outcome="unknown")["dids"]
    there = [
        {"did_number": did["did_number"], "record_id": created[did["did_number"]]}
        for did in open_dids
        if did["did_number"] in created
    ]
    if there:
        assert runner.did_registry(state="recorded", dids=there)["changed"]
    absent = [did["did_number"] for did in open_dids if did["did_number"] not in created]
    if absent:
        assert runner.forget(*absent)["changed"]


def finish(runner: Runner, wanted: list[dict[str, Any]] = WANTED, **options: Any) -> None:
    """Require that a run completes the list, and that the platform has no DID twice."""
    missing = len(wanted) - len(
        created_ids(runner.simulator).keys() & {did["did_number"] for did in wanted}
    )
    result = runner.dids(dids=wanted, **options)
    assert "failed" not in result, result
    assert result["summary"]["create"] == missing, result["summary"]
    assert runner.simulator.duplicates() == {}
    assert confirmed_ids(runner) == created_ids(runner.simulator)


def finish_after_kill(runner: Runner) -> None:
    """Require that the next run names what was under way and does the rest. Then settle that and complete the list."""
    assert lost_ids(runner) == set()
    end_leases(runner)
    known = {number: outcome for number, _key, outcome in runner.rows(OUTCOMES)}
    under_way = {number for number, outcome in known.items() if outcome == "unknown"}
    # Without details, a failing result names only the first.
    result = runner.dids(dids=WANTED, details=True)
    told = {
        did["did_number"]
        for did in result["dids"]
        if did["error"] is not None and did["error"]["kind"] == "unknown_outcome"
    }
    assert told == under_way, result
    assert len(known) + result["summary"]["create"] == COUNT, result["summary"]
    assert runner.simulator.duplicates() == {}
    settle(runner)
    finish(runner)


def refused(runner: Runner, words: str, **options: Any) -> Result:
    """Require that a run is refused with these words, and sends nothing."""
    seen = len(runner.requests())
    result = runner.dids(dids=WANTED, **options)
    assert result["failed"], result
    assert words in result["msg"], result
    assert len(runner.requests()) == seen
    return result


def record_again(runner: Runner, result: Result) -> None:
    """Run the first play of a message as it stands."""
    play = yaml.safe_load(result["msg"][result["msg"].index("- name:") :])[0]
    (options,) = (value for name, value in play["tasks"][0].items() if name != "name")
    done = runner.did_registry(**{"api_url": ..., "api_token": ..., "api_key": ..., **options})
    assert done["changed"], done


# PostgreSQL, asynchronous


def _fail_over_between_runs(
    pair: ReplicatedPair, runner: Runner, kill: int, **options: Any
) -> tuple[Runner, int]:
    """Have the standby miss the ids of a run that has ended. Returns tasks at the standby, and how many ids it misses."""
    known, lost = moment(kill), lost_writes.LEAST + kill
    options["concurrency"] = concurrency(kill)
    assert "failed" not in runner.dids(dids=WANTED[:known], **options)
    pair.caught_up()
    pair.hold()
    assert "failed" not in runner.dids(dids=WANTED[: known + lost], **options)
    pair.fail_over()
    after = at_standby(runner, pair)
    assert len(lost_ids(after)) == lost
    return after, lost


@EACH_KILL
def test_without_a_witness(pair: ReplicatedPair, runner: Runner, kill: int) -> None:
    """What the others are compared with, and why the set-up is warned of."""
    for result in (runner.did_info(), runner.did_registry()):
        assert lost_writes.NOT_WAITING in str(result["warnings"]), result
    after, lost = _fail_over_between_runs(pair, runner, kill, witness="no")
    assert "failed" not in after.dids(dids=WANTED, witness="no")
    assert len(runner.simulator.duplicates()) == lost


@EACH_KILL
def test_failover_between_runs(pair: ReplicatedPair, runner: Runner, kill: int) -> None:
    after, lost = _fail_over_between_runs(pair, runner, kill)
    result = refused(after, lost_writes.LOST)
    assert after.did_info()["witness"]["missing"] == lost
    record_again(after, result)
    finish(after)


@EACH_KILL
def test_failover_during_a_run(pair: ReplicatedPair, runner: Runner, kill: int) -> None:
    run = Run(runner, WANTED, concurrency=concurrency(kill))
    run.until_created(moment(kill))
    pair.hold()
    held = len(runner.simulator.created())
    run.until_created(held + lost_writes.LEAST + concurrency(kill))
    pair.fail_over()
    result = run.result()
    assert lost_writes.RECORDED_AGAIN in str(result.get("warnings")), result
    assert runner.simulator.duplicates() == {}
    after = at_standby(runner, pair)
    assert lost_ids(after) == set()
    settle(after)
    finish(after)


# PostgreSQL, synchronous


@EACH_KILL
def test_synchronous_failover_during_a_run(pair: ReplicatedPair, runner: Runner, kill: int) -> None:
    pair.synchronous()
    run = Run(runner, WANTED, concurrency=concurrency(kill))
    run.until_created(moment(kill))
    pair.fail_over()
    result = run.result()
    assert "failed" not in result and "warnings" not in result, result
    finish(at_standby(runner, pair))


@pytest.fixture
def process(pair: ReplicatedPair, runner: Runner, tmp_path: Path, kill: int) -> Iterator[Process]:
    """A run in a process of its own, in the middle of its work, whose commits wait for the standby."""
    pair.synchronous()
    process = Process(runner, tmp_path, module="dids", dids=WANTED, concurrency=concurrency(kill))
    yield process
    process.end()


@pytest.mark.parametrize("level", ["on", "local", "remote_write", "remote_apply"])
@EACH_KILL
def test_a_run_that_dies_with_the_primary(
    pair: ReplicatedPair, runner: Runner, process: Process, kill: int, level: str
) -> None:
    """The run is killed too, so it records nothing again."""
    pair.primary.run(f"ALTER ROLE postgres SET synchronous_commit = {level}")
    until(lambda: len(runner.simulator.created()) >= moment(kill))
    pair.hold()
    held = len(runner.simulator.created())
    # A commit that did not wait would let the run go on, and its ids be lost.
    until(
        lambda: pair.store().rows(WAITING)
        or len(runner.simulator.created()) >= held + lost_writes.LEAST
    )
    process.kill()
    pair.fail_over()
    finish_after_kill(at_standby(runner, pair))


@EACH_KILL
def test_a_cancelled_wait(
    pair: ReplicatedPair, runner: Runner, process: Process, kill: int
) -> None:
    until(lambda: len(runner.simulator.created()) >= moment(kill))
    pair.hold()
    ((waiting,),) = until(lambda: pair.store().rows(WAITING))
    until(lambda: all(request["done"] != "in flight" for request in runner.requests()))
    sent = len(runner.requests())
    pair.primary.run(f"SELECT pg_cancel_backend({waiting})")
    # The run commits again, on another connection. If it took the commit for durable, it would send.
    until(
        lambda: [row for row in pair.store().rows(WAITING) if row != (waiting,)]
        or len(runner.requests()) > sent
    )
    assert len(runner.requests()) == sent
    process.kill()
    pair.fail_over()
    finish_after_kill(at_standby(runner, pair))


@EACH_KILL
def test_a_standby_that_dies_and_comes_back(
    pair: ReplicatedPair, runner: Runner, process: Process, kill: int
) -> None:
    until(lambda: len(runner.simulator.created()) >= moment(kill))
    pair.standby.stop(signal.SIGQUIT)
    until(lambda: pair.store().rows(WAITING))
    until(lambda: all(request["done"] != "in flight" for request in runner.requests()))
    sent = len(runner.requests())
    other = runner.did(did_number="77", port=5060, registry_timeout=0.3)
    assert other["failed"] and lost_writes.NO_STANDBY in other["msg"], other
    assert len(runner.requests()) == sent
    pair.standby.start()
    result = process.result()
    assert "failed" not in result, result
    assert len(runner.simulator.created()) == COUNT
    pair.fail_over()
    finish(at_standby(runner, pair))


# Servers that stand beside each other


@EACH_KILL
def test_split_brain(pair: ReplicatedPair, runner: Runner, kill: int) -> None:
    """A run and the next one work at the old primary while the new one is promoted. Later runs reach the new one, then the old one."""
    line = Proxy(pair.primary.port)
    first, second = f"127.0.0.1:{line.port}", f"127.0.0.1:{pair.standby.port}"
    location = f"postgresql://postgres@{first},{second}/registry?target_session_attrs=read-write&connect_timeout=2"
    with contextlib.closing(line):
        run = Run(runner, WANTED[:-20], concurrency=concurrency(kill), registry=location)
        run.until_created(moment(kill))
        pair.fail_over(kill=False)
        assert "failed" not in run.result()
        following = runner.dids(dids=WANTED[:-10], registry=location)
        assert following["summary"]["create"] == lost_writes.LEAST, following
        line.cut(down=True)
        after = Runner(runner.simulator, at_standby(runner, pair).store, {"registry": location})
        assert len(lost_ids(after)) >= lost_writes.LEAST
        end_leases(after)
        record_again(after, refused(after, lost_writes.LOST))
        assert after.dids(dids=WANTED[:-5])["summary"]["create"] == 5
        line.up()
        refused(after, lost_writes.OLD_SERVER)
        line.cut(down=True)
        settle(after)
        finish(after)


@pytest.fixture
def cluster() -> Iterator[AutoFailover]:
    """Two servers with pg_auto_failover."""
    with running_cluster() as cluster:
        yield cluster


def test_pg_auto_failover(cluster: AutoFailover, simulator: Simulator) -> None:
    """Its servers are killed in turn."""
    runner = Runner(simulator, cluster.store())
    assert runner.did_registry()["changed"]
    simulator.switch(latency_ms=LATENCY)
    for kill in range(lost_writes.KILLS):
        wanted = [{**did, "did_number": f"{kill}{did['did_number']}"} for did in WANTED]
        before = len(simulator.created())
        run = Run(runner, wanted, concurrency=concurrency(kill))
        run.until_created(before + moment(kill))
        killed = cluster.kill_primary()
        result = run.result()
        assert "failed" not in result and result["summary"]["create"] == COUNT, result
        assert lost_writes.RECORDED_AGAIN not in str(result.get("warnings")), result
        cluster.repair(killed)
        finish(runner, wanted)


# SQLite


def _create_in_file(runner: Runner, kill: int) -> None:
    runner.simulator.switch(latency_ms=5)
    done = runner.dids(dids=WANTED[:-10], concurrency=concurrency(kill))
    assert "failed" not in done, done


@EACH_KILL
def test_an_older_backup(in_file: Runner, tmp_path: Path, kill: int) -> None:
    in_file.simulator.switch(latency_ms=LATENCY)
    run = Run(in_file, WANTED[:-10], concurrency=concurrency(kill))
    run.until_created(moment(kill))
    backup = tmp_path / "backup.db"
    with (
        contextlib.closing(sqlite3.connect(in_file.registry)) as source,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    assert "failed" not in run.result()
    for left in in_file.registry.parent.glob("registry.db*"):
        left.unlink()
    shutil.copy(backup, in_file.registry)
    # Claims of the backup are over by the time that it is restored.
    end_leases(in_file)
    assert len(lost_ids(in_file)) >= lost_writes.LEAST
    record_again(in_file, refused(in_file, lost_writes.LOST))
    settle(in_file)
    finish(in_file)


@EACH_KILL
def test_another_file_in_its_place(in_file: Runner, tmp_path: Path, kill: int) -> None:
    _create_in_file(in_file, kill)
    another = Runner(in_file.simulator, FileStore(tmp_path / "another" / "registry.db"))
    assert another.did_registry()["changed"]
    aside = tmp_path / "aside.db"
    shutil.move(in_file.registry, aside)
    shutil.move(another.registry, in_file.registry)
    refused(in_file, lost_writes.OTHER_REGISTRY)
    shutil.move(aside, in_file.registry)
    finish(in_file)


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes another disk the home directory."""
    monkeypatch.delenv("NEXTBILLING_WITNESS")

    def mount(disk: str) -> Path:
        home = tmp_path / disk
        home.mkdir(exist_ok=True)
        monkeypatch.setenv("HOME", os.fspath(home))
        return home

    return mount


@EACH_KILL
def test_a_home_that_is_not_mounted(
    simulator: Simulator, mount: Callable[[str], Path], kill: int
) -> None:
    home = mount("disk")
    store = FileStore(home / ".local" / "state" / "nextbilling-did" / "registry.db")
    runner = Runner(simulator, store, {"registry": ...})
    assert runner.did_registry()["changed"]
    _create_in_file(runner, kill)
    mount("empty")
    refused(runner, lost_writes.NO_REGISTRY)
    mount("disk")
    finish(runner)


@EACH_KILL
def test_a_witness_that_is_not_mounted(
    simulator: Simulator, tmp_path: Path, mount: Callable[[str], Path], kill: int
) -> None:
    mount("disk")
    runner = Runner(simulator, FileStore(tmp_path / "srv" / "registry.db"))
    assert runner.did_registry()["changed"]
    _create_in_file(runner, kill)
    mount("empty")
    result = runner.dids(dids=WANTED[:-5])
    assert result["summary"]["create"] == 5, result
    assert lost_writes.NO_WITNESS in str(result["warnings"]), result
    finish(runner)


def test_the_documentation_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = put_table(text, lost_writes.table())
    assert table == text, f"run: python {lost_writes.__file__} {DOCUMENT}"
