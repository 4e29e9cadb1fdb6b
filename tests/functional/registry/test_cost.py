# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task costs does not grow with the registry: no statement of it reads a whole table."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import VENDOR_CREATE, Runner

# Tables and indexes of a few rows.
SMALL = ("meta", "platforms", "sqlite_master", "records_open", "records_without_number")
# Only counted, by an index.
COUNTS = ("SELECT COUNT(*) FROM records",)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that SQLite is told from now on, with values in place."""
    heard: list[str] = []
    connect = sqlite3.connect

    def listen(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs)
        connection.set_trace_callback(heard.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", listen)
    return heard


def scans(runner: Runner, statements: list[str]) -> Iterator[str]:
    """The statements that read a whole table, with the table."""
    heard = [*statements]
    with contextlib.closing(sqlite3.connect(runner.registry)) as connection:
        for statement in heard:
            if statement.split()[0] not in ("SELECT", "UPDATE", "DELETE") or statement in COUNTS:
                continue
            for *_place, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                words = step.split()
                if words[0] == "SCAN" and not any(name in step for name in SMALL):
                    yield f"{step}: {statement}"


def test_no_statement_of_a_task_reads_a_whole_table(runner: Runner, statements: list[str]) -> None:
    # The first create verifies the registry as a whole.
    assert runner.did(**VENDOR_CREATE)["changed"]
    assert [*scans(runner, statements)] != []
    statements.clear()
    runner.simulator.switch(existing_ids=[999])
    numbers = [{"did_number": str(number)} for number in range(5_000, 5_025)]
    for done in (
        runner.did(did_number="2", port=1),
        runner.did(did_number="2", port=2),
        runner.did(did_number="3", record_id=14, renumber=True),
        runner.did(did_number="4", record_id=999),
        runner.dids(dids=numbers),
    ):
        assert done["changed"], done
    for options in ({"did_number": "2"}, {"record_id": 13}, {"outcome": "unknown"}):
        for history in (False, True):
            assert "dids" in runner.did_info(**options, history=history)
    assert len(statements) > 100
    assert not [*scans(runner, statements)], "\n".join(scans(runner, statements))


def test_an_export_finds_each_page_by_its_first_key(
    runner: Runner, statements: list[str], tmp_path: Path
) -> None:
    """Otherwise, each page would sort all records that are left."""
    runner.did(did_number="1")
    statements.clear()
    options: list[dict[str, Any]] = [{}, {"outcome": "unknown"}, {"outcome": "under_way"}]
    for each in options:
        exported = runner.did_registry(state="exported", dest=str(tmp_path / "dids.csv"), **each)
        assert not exported.get("failed")
    pages = [statement for statement in statements if "LIMIT" in statement]
    assert len(pages) == 3
    with contextlib.closing(sqlite3.connect(runner.registry)) as connection:
        for page in pages:
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {page}").fetchall())
            assert "(record_key>?)" in plan, plan


def test_the_history_of_an_outcome_is_that_of_its_dids(runner: Runner) -> None:
    for number in ("1", "2"):
        runner.did(did_number=number, port=1)
    runner.write("UPDATE records SET outcome = 'uncertain' WHERE record_id = 13")
    told = runner.did_info(outcome="uncertain", history=True)
    assert [did["did_number"] for did in told["dids"]] == ["1"]
    assert [line["did_number"] for line in told["history"]] == ["1"]
    assert told["dids"][0]["history"] == told["history"]
    assert told["registry"]["counts"]["confirmed"] == told["registry"]["counts"]["uncertain"] == 1
    assert len(runner.did_info(history=True)["history"]) == 2
