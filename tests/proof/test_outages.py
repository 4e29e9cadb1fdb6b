# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in a database that goes away at each boundary of a task, and many runners that share one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._module import stop
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql import (
    PostgresqlDatabase,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.processes import (
    Process,
    end_leases,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    Proxy,
    Server,
    in_a_database,
    in_postgresql,
)

TASK: dict[str, Any] = {"did_number": "1166", "port": 5060}
# A statement of each transaction of a task that creates or edits: the look, the intent, the last look, and the answer.
LOOK, INTENT, LAST_LOOK = (
    b"FROM numbers n JOIN",
    b"SELECT set_config",
    b"SELECT 1 FROM records WHERE claim_token",
)
ANSWER = b"attempted = '{}'"
COMMIT = b"COMMIT\0"


@pytest.fixture
def far(runner: Runner, server: Server, line: Proxy, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """The same registry at the other end of that line. An answer waits only a second for it."""
    monkeypatch.setattr(PostgresqlDatabase, "outcome_timeout", 1.0)
    runner.options["registry_timeout"] = 1.0
    runner.options["registry"] = server.url("registry", port=line.port)
    # Without the host's clocks, the last look is never spared.
    monkeypatch.setattr(Journal, "clocks", staticmethod(lambda: None))
    return runner


def _as_declared(runner: Runner) -> None:
    """Everything settled: one DID, known, and nothing to do."""
    assert runner.both(**TASK)["action"] == "none"
    held = [fields.get("did_number") for fields in runner.simulator.dids().values()]
    assert held.count("1166") == 1
    assert runner.simulator.duplicates() == {}


def inserting(number: int) -> bytes:
    """What the runner sends when it claims a number: with its length before it, as keys and ports may hold the same digits."""
    digits = str(number).encode()
    return b"INSERT INTO numbers.*" + re.escape(len(digits).to_bytes(4, "big") + digits)


@in_postgresql
@pytest.mark.parametrize("after", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize("statement", [LOOK, INTENT, LAST_LOOK])
def test_gone_before_the_request(
    far: Runner, line: Proxy, statement: bytes, action: str, after: bool
) -> None:
    """Nothing is sent, and once the database is back the next run does what there was to do."""
    if action == "update":
        far.did(**{**TASK, "port": 1})
    before = len(far.requests())
    line.cut_at(statement, after=after, down=True)
    result = far.did(**TASK)
    assert line.cuts == 1
    assert result["error"]["kind"] == "registry_unavailable", result
    assert "record_id:" not in result["msg"]
    assert len(far.requests()) == before
    line.up()
    end_leases(far)
    if statement == LAST_LOOK and action == "create":
        # The intent is there, and nobody could take it back.
        assert far.both(**TASK)["error"]["kind"] == "unknown_outcome"
        assert far.forget("1166")["changed"]
    assert far.both(**TASK)["action"] == action
    _as_declared(far)


@in_postgresql
@pytest.mark.parametrize("statement", [LOOK, INTENT, LAST_LOOK, ANSWER])
@pytest.mark.parametrize("action", ["create", "update"])
def test_gone_for_a_moment(far: Runner, line: Proxy, statement: bytes, action: str) -> None:
    """A connection that can be made anew at once stops nothing."""
    if action == "update":
        far.did(**{**TASK, "port": 1})
    line.cut_at(statement)
    result = far.did(**TASK)
    assert line.cuts == 1
    assert result["action"] == action, result
    _as_declared(far)


@in_postgresql
@pytest.mark.parametrize("after", [False, True], ids=["unheard", "unanswered"])
@pytest.mark.parametrize("action", ["create", "update"])
def test_gone_between_answer_and_commit(far: Runner, line: Proxy, action: str, after: bool) -> None:
    """The error carries the record id, and the next run neither loses nor repeats it."""
    if action == "update":
        far.did(**{**TASK, "port": 1})
    before = len(far.requests())
    line.cut_at(ANSWER, after=after, down=True)
    result = far.did(**TASK)
    _tells_the_id(result)
    assert len(far.requests()) == before + 1
    line.up()
    end_leases(far)
    if action == "create":
        assert far.both(**TASK)["error"]["kind"] == "unknown_outcome"
        assert far.both(**TASK, record_id=13)["action"] == "adopt"
    else:
        assert far.both(**TASK)["action"] == "update"
    _as_declared(far)


@in_postgresql
def test_gone_while_the_answer_is_committed(
    far: Runner, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has it, and the run does not know: it tells the id, and the next run finds nothing to do."""
    confirm = PostgresqlDatabase.retry

    def cut_at_the_commit(
        self: Any, work: Callable[[], Any], *, records_outcome: bool = False
    ) -> Any:
        if records_outcome:
            line.cut_at(COMMIT, after=True, down=True)
        return confirm(self, work, records_outcome=records_outcome)

    monkeypatch.setattr(PostgresqlDatabase, "retry", cut_at_the_commit)
    _tells_the_id(far.did(**TASK))
    monkeypatch.undo()
    line.up()
    _as_declared(far)


@in_postgresql
@pytest.mark.parametrize("statement", [LOOK, INTENT, LAST_LOOK])
@pytest.mark.parametrize("action", ["create", "update"])
def test_gone_before_a_repetition(
    far: Runner, line: Proxy, monkeypatch: pytest.MonkeyPatch, statement: bytes, action: str
) -> None:
    """What was refused was not applied; what got no answer may have been, though it could not be sent again."""
    if action == "update":
        far.did(**{**TASK, "port": 1})
    before = len(far.requests())
    far.simulator.fault("throttle" if action == "create" else "drop_after")

    def wait(*_arguments: Any) -> None:
        line.cut_at(statement, down=True)

    monkeypatch.setattr(stop.Stop, "wait", wait)
    result = far.did(**TASK, retries=1)
    assert line.cuts == 1
    assert len(far.requests()) == before + 1
    assert "registry" in result["msg"] and "DID 1166" in result["msg"]
    if action == "create":
        assert result["error"]["kind"] == "registry_unavailable", result
    else:
        assert (result["error"]["kind"], result["error"]["record_id"]) == ("unknown_outcome", 13)
        assert "may or may not" in result["msg"] and "othing was sent" not in result["msg"]
    line.up()
    end_leases(far)
    if statement == LAST_LOOK and action == "create":
        assert "forgotten" in result["msg"]
        assert far.both(**TASK)["error"]["kind"] == "unknown_outcome"
        assert far.forget("1166")["changed"]
    assert far.both(**TASK)["action"] == action
    _as_declared(far)


@in_postgresql
def test_gone_while_one_of_many_waits(
    far: Runner, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends where it stands, and the platform is not asked for anything that could not be recorded."""
    wanted = [{"did_number": str(number)} for number in range(1000, 1005)]
    far.simulator.fault("throttle")

    def wait(*_arguments: Any) -> None:
        line.cut(down=True)

    monkeypatch.setattr(stop.Stop, "wait", wait)
    result = far.dids(dids=wanted, retries=1, details=True)
    assert [did["outcome"] for did in result["dids"]] == ["failed", *["not_attempted"] * 4]
    assert result["error"]["kind"] == "registry_unavailable"
    assert "could not be read" in result["msg"]
    assert len(far.requests()) == 1
    line.up()
    assert far.both_dids(dids=wanted)["summary"]["create"] == 5
    assert far.simulator.duplicates() == {}


def _tells_the_id(result: Result) -> None:
    assert result["error"]["kind"] == "unrecorded", result
    assert result["error"]["record_id"] == 13
    assert "record 13" in result["msg"]
    assert result["changed"] is True


@in_postgresql
def test_a_server_that_stops_in_the_middle_of_many(far: Runner, line: Proxy) -> None:
    """The run stops; what it was told is known, or told again in the result with its id."""
    far.simulator.switch(latency_ms=10)
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1060)]
    line.cut_at(inserting(1030), down=True)
    result = far.dids(dids=wanted, concurrency=4, details=True)
    assert result["failed"] and "dids" in result, result
    told = {did["did_number"]: did.get("error") or {} for did in result["dids"]}
    line.up()
    end_leases(far)
    known = {did["did_number"] for did in far.did_info()["dids"] if did["outcome"] == "confirmed"}
    held = {fields["did_number"]: key for key, fields in far.simulator.dids().items() if fields}
    assert len(held) > 20
    for number, record_id in held.items():
        assert number in known or told[number].get("record_id") == record_id
    assert far.simulator.duplicates() == {}
    for did in far.did_info(outcome="unknown")["dids"]:
        number = did["did_number"]
        state, entry = (
            ("recorded", {"record_id": held[number]})
            if number in held
            else ("forgotten", {"attempt": did["attempt"]})
        )
        assert far.did_registry(state=state, dids=[{"did_number": number, **entry}])["changed"]
    assert not far.dids(dids=wanted).get("failed")
    assert len(far.simulator.created()) == len(wanted)
    assert far.simulator.duplicates() == {}


@in_postgresql
def test_a_server_that_is_gone_for_a_moment_in_the_middle_of_many(far: Runner, line: Proxy) -> None:
    """An answer and the next claim, which would have been written together, are written one after the other."""
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1010)]
    line.cut_at(inserting(1005))
    result = far.dids(dids=wanted)
    assert line.cuts == 1
    assert "failed" not in result and result["summary"]["create"] == 10
    assert len(far.requests("PUT")) == len(far.simulator.created()) == 10
    assert far.both_dids(dids=wanted)["summary"]["none"] == 10


@in_postgresql
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_claim_that_is_a_moment_old_needs_no_last_look(
    far: Runner, line: Proxy, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    monkeypatch.undo()
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1010)]
    line.cut_at(LAST_LOOK)
    result = far.dids(dids=wanted, concurrency=concurrency)
    assert "failed" not in result and result["summary"]["create"] == 10
    assert line.cuts == 0


@in_postgresql
def test_a_claim_that_is_refused_beside_others(far: Runner) -> None:
    """Where one of several cannot be recorded, the others are not sent either, and none is left open."""
    far.write(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
        "CREATE TRIGGER refuse AFTER INSERT ON numbers FOR EACH ROW WHEN (NEW.number = '1001') EXECUTE FUNCTION refuse()",
    )
    wanted = [{"did_number": str(number)} for number in range(1000, 1004)]
    result = far.dids(dids=wanted, concurrency=4, details=True)
    expected = ["not_attempted", "failed", "not_attempted", "not_attempted"]
    assert [did["outcome"] for did in result["dids"]] == expected
    assert "cannot be recorded first" in result["dids"][1]["error"]["msg"]
    assert far.requests() == []
    assert far.rows("SELECT * FROM records") == []
    far.write("DROP TRIGGER refuse ON numbers")
    assert far.both_dids(dids=wanted)["summary"]["create"] == 4


@in_a_database
def test_eight_processes_and_the_same_500_dids(
    runner: Runner, start: Callable[..., Process]
) -> None:
    wanted = [{"did_number": str(number), "port": 5060} for number in range(10000, 10500)]
    processes = [
        start(module="dids", dids=wanted[shift:] + wanted[:shift], concurrency=2)
        for shift in range(0, 400, 50)
    ]
    results = [process.result(lambda: len(runner.requests())) for process in processes]
    assert [result.get("msg") for result in results] == [None] * 8
    assert len(runner.simulator.created()) == len(runner.requests("PUT")) == 500
    assert sum(result["summary"]["create"] for result in results) == 500
    ids = {did["did_number"]: did["record_id"] for did in runner.did_info()["dids"]}
    assert len(ids) == 500
    for result in results:
        assert all(ids[did["did_number"]] == did["record_id"] for did in result["dids"])
    for shift in (0, 200):
        seen = runner.dids(check=True, dids=wanted[shift:] + wanted[:shift])
        assert seen["summary"]["none"] == 500
