# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many DIDs in one run, in processes of their own: killed in the middle, looked at meanwhile, and several at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.processes import (
    Process,
    end_leases,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    FileStore,
    in_a_file,
    pooler_at_length,
)
from ansible_collections.nextbilling.did.tests.support.waiting import until

DIDS = [{"did_number": str(number), "port": 5060} for number in range(1000, 1100)]

pytestmark = pooler_at_length


def _is_at_rest(runner: Runner) -> bool:
    """Nothing but the file, without a write-ahead log; a database always is."""
    if not isinstance(runner.store, FileStore):
        return True
    header = runner.registry.read_bytes()[18:20]
    return os.listdir(runner.registry.parent) == [runner.registry.name] and header == b"\1\1"


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_kill_in_the_middle(
    runner: Runner, start: Callable[..., Process], concurrency: int
) -> None:
    """What was answered is known, what was under way is unknown, the rest is done by the next run; nothing is created twice."""
    runner.simulator.switch(latency_ms=10)
    killed = start(module="dids", dids=DIDS, concurrency=concurrency)
    until(lambda: len(runner.requests("PUT")) > 40)
    killed.kill()
    until(lambda: all(entry["done"] != "in flight" for entry in runner.requests()))
    assert 0 < runner.did_info()["registry"]["counts"]["under_way"] <= concurrency
    end_leases(runner)
    known = runner.did_info()["registry"]["counts"]
    sent = len(runner.requests("PUT"))
    assert 0 < known["unknown"] <= concurrency
    # An intent may have been written down whose request had not left yet.
    assert known["confirmed"] <= sent <= known["confirmed"] + known["unknown"]
    left = runner.traces()
    predicted = runner.dids(check=True, dids=DIDS, registry_timeout=0)
    assert runner.traces() == left, "a look left a trace"
    done = runner.dids(dids=DIDS, registry_timeout=0)
    assert predicted["summary"] == done["summary"]
    assert done["summary"]["none"] == known["confirmed"]
    assert done["summary"]["unknown"] == known["unknown"]
    assert runner.simulator.duplicates() == {}
    assert len(runner.requests("PUT")) == sent + done["summary"]["create"]
    assert _is_at_rest(runner)


@in_a_file
def test_a_look_while_another_run_is_in_a_hurry(
    runner: Runner, start: Callable[..., Process]
) -> None:
    """A check run sees what is there, follows what goes on, and leaves no file."""
    runner.simulator.switch(latency_ms=20)
    writing = start(module="dids", dids=DIDS)
    until(lambda: len(runner.requests("PUT")) > 10)
    before = set(os.listdir(runner.registry.parent))
    looks = [runner.dids(check=True, dids=DIDS) for _look in range(5)]
    assert set(os.listdir(runner.registry.parent)) <= before
    seen = [look["summary"]["none"] for look in looks]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0] > 0
    assert not any(look.get("failed") for look in looks)
    assert writing.result()["summary"]["create"] == len(DIDS)
    assert _is_at_rest(runner)


def test_several_at_once(runner: Runner, start: Callable[..., Process]) -> None:
    """Runs over the same list share the work, and all of them know the same ids in the end."""
    runner.simulator.switch(latency_ms=5)
    processes = [
        start(module="dids", dids=DIDS[shift:] + DIDS[:shift], concurrency=concurrency)
        for shift, concurrency in ((0, 1), (0, 4), (50, 2), (75, 1))
    ]
    results = [process.result() for process in processes]
    assert [result.get("msg") for result in results] == [None] * 4
    assert sum(result["summary"]["create"] for result in results) == len(DIDS)
    assert runner.simulator.duplicates() == {}
    assert len(runner.requests("PUT")) == len(DIDS)
    assert runner.dids(dids=DIDS)["summary"]["none"] == len(DIDS)
    assert _is_at_rest(runner)


@in_a_file
def test_what_a_kill_leaves_is_brought_to_rest(
    runner: Runner, start: Callable[..., Process], tmp_path: Path
) -> None:
    """The next task of any kind that writes leaves the registry as one file again."""
    runner.simulator.switch(latency_ms=20)
    killed = start(module="dids", dids=DIDS)
    until(lambda: len(runner.requests("PUT")) > 10)
    killed.kill()
    assert not _is_at_rest(runner)
    assert runner.did(did_number="77")["changed"]
    assert _is_at_rest(runner)
