# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the fault matrix. C(PROOF_SWITCHES=pairs) takes every two answers together, as C(make proof) does; else the assumed ones alone."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import DidError
from ansible_collections.nextbilling.did.tests.proof import matrix
from ansible_collections.nextbilling.did.tests.proof.world import Converged, World
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.stores import (
    POSTGRESQL,
    SQLITE,
    Store,
)
from ansible_collections.nextbilling.did.tests.support.tables import put_table

PAIRS = os.environ.get("PROOF_SWITCHES") == "pairs"
SETTINGS = list(matrix.switch_settings(PAIRS))[: None if PAIRS else 1]
CASES = list(itertools.product((SQLITE, POSTGRESQL), SETTINGS))
NUMBER = "1130001000"
HELD = 12
# Faults that end with the client's patience: none of the others is to be taken for one of them on a slow machine.
ENDLESS = {"hang_before", "hang_after", "slow_drip"}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "docsite" / "rst" / "fault_matrix.rst"


def _name(value: str | dict[str, Any]) -> str:
    return (
        value if isinstance(value, str) else ",".join(f"{k}={v}" for k, v in value.items()) or "-"
    )


@pytest.mark.parametrize(("empty_store", "switches"), CASES, indirect=["empty_store"], ids=_name)
@pytest.mark.parametrize("operation", matrix.OPERATIONS)
@pytest.mark.parametrize("fault", matrix.FAULTS, ids=lambda fault: fault.words)
def test_matrix(
    running: Simulator,
    store: Store,
    fault: matrix.Fault,
    operation: str,
    switches: dict[str, Any],
) -> None:
    running.reset()
    running.switch(**switches)
    world = World(running, store)
    task: dict[str, Any] = {"did_number": NUMBER, "port": 5060}
    record_id = HELD if operation == matrix.ADOPT else None
    if operation == matrix.EDIT:
        world.converge({**task, "port": 5061})
    before, seen = world.record(NUMBER), len(running.requests())

    done = _run(world, fault, task, record_id)
    case = matrix.expected(fault, operation)
    assert _outcome(done) == case.outcome
    assert len(running.requests()) - seen == case.requests
    record = world.record(NUMBER)
    if case.registry == "as before":
        assert (record is None) == (before is None)
        assert record is None or before is None or record.fields == before.fields
        assert record is None or record.outcome == "confirmed"
    else:
        assert record is not None and record.outcome == case.registry

    seen = len(running.requests())
    following = world.converge(
        task, record_id if record is None or record.outcome != "unknown" else None
    )
    assert _action(following) == case.next_run
    assert len(running.requests()) - seen == (
        0 if case.next_run in ("none", "unknown_outcome") else 1
    )
    assert len(world.held(NUMBER)) <= 1


def _run(world: World, fault: matrix.Fault, task: dict[str, Any], record_id: int | None) -> Any:
    if fault.name is not None:
        world.simulator.fault(fault.name, times=None, **fault.parameters)
    api_url = "http://127.0.0.1:9" if fault.seen == matrix.NO_CONNECTION else None
    timeout = 0.5 if fault.name in ENDLESS else 30
    done = world.converge(task, record_id, retries=1, timeout=timeout, api_url=api_url)
    world.simulator.clear_faults()
    return done


def _outcome(done: Any) -> str:
    return done.kind if isinstance(done, DidError) else "applied"


def _action(done: Any) -> str:
    if isinstance(done, DidError):
        return done.kind
    assert isinstance(done, Converged)
    return done.plan.action


def test_the_documentation_has_this_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert put_table(text, matrix.table()) == text, f"run: python {matrix.__file__} {DOCUMENT}"
