# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module dids: many DIDs at once, what it sends, what it says, and where it stops."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    RegistryMismatch,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Module
from ansible_collections.nextbilling.did.plugins.module_utils._platform.client import Client
from ansible_collections.nextbilling.did.plugins.module_utils._platform.transport import Transport
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.modules import did, dids
from ansible_collections.nextbilling.did.tests.support.modules import (
    MODULE,
    Result,
    Runner,
    in_both_ways,
)
from ansible_collections.nextbilling.did.tests.support.processes import end_leases
from ansible_collections.nextbilling.did.tests.support.stores import (
    on_both_backends,
    on_every_store,
)
from ansible_collections.nextbilling.did.tests.support.workbooks import by_excel

DidList = list[dict[str, Any]]


def lines(*numbers: int, **fields: Any) -> DidList:
    """Declare a DID for each number."""
    return [{"did_number": f"11300{number:05}", "port": 5060, **fields} for number in numbers]


def summary(result: Result, **expected: int) -> None:
    """Require the summary to count this, and nothing else; and the entries to agree with it."""
    counts = {name: count for name, count in result["summary"].items() if count}
    assert counts == {name: count for name, count in expected.items() if count}, result.get("msg")
    outcomes = Counter(entry["outcome"] for entry in result["dids"])
    for grouped in ("applied", "not_attempted"):
        outcomes[grouped] += result.get(f"{grouped}_omitted", 0) + sum(
            count for group in result.get(grouped, []) for _first, _last, count in group["ranges"]
        )
    done = sum(expected.get(action, 0) for action in ("create", "update", "adopt"))
    assert outcomes["applied"] + outcomes["planned"] == done
    assert outcomes["not_attempted"] == expected.get("not_attempted", 0)
    failed = ("failed", "unknown", "unrecorded")
    assert sum(outcomes[outcome] for outcome in failed) + result.get("dids_omitted", 0) == sum(
        expected.get(outcome, 0) for outcome in failed
    )


def name(runner: Runner) -> str:
    """Return the platform's name."""
    return runner.simulator.url.split("//")[1]


def numbers(requests: DidList) -> list[str]:
    """Return the numbers that requests or entries speak of."""
    return [entry.get("json", entry)["did_number"] for entry in requests]


# What is done


@in_both_ways
@on_every_store
def test_a_life_of_a_list(runner: Runner) -> None:
    three = lines(1, 2, 3, host_additional=["10.0.0.1", "10.0.0.2"])
    created = runner.both_dids(dids=three)
    summary(created, total=3, create=3)
    assert [entry["record_id"] for entry in created["dids"]] == [13, 14, 15]
    assert [json.loads(request["body"]) for request in runner.requests()] == three

    again = runner.both_dids(dids=three)
    assert (again["changed"], again["dids"]) == (False, [])
    summary(again, total=3, none=3)

    three[1] = {**three[1], "port": 5061}
    edited = runner.both_dids(dids=three)
    summary(edited, total=3, update=1, none=2)
    (entry,) = edited["dids"]
    assert (entry["index"], entry["source"], entry["record_id"]) == (1, None, 14)
    assert entry["changes"] == {"port": {"before": 5060, "after": 5061}}
    assert [len(edited["diff"]), "-port" in edited["diff"][0]["before"]] == [1, False]

    respelt = [{**item, "host_additional": ["10.0.0.2", "10.0.0.1"]} for item in reversed(three)]
    assert runner.both_dids(dids=respelt)["changed"] is False
    assert len(runner.requests()) == 4


@in_both_ways
def test_a_list_does_for_each_did_what_the_module_did_does(runner: Runner) -> None:
    fields = {"did_number": "1", "port": 5060, "password": "geheim", "did_type": "queue"}
    one = runner.did(check=True, **fields, did_type_id=7)
    (entry,) = runner.dids(check=True, dids=[{**fields, "did_type_id": 7}], details=True)["dids"]
    shared = one.keys() & entry.keys()
    assert {key: entry[key] for key in shared} == {key: one[key] for key in shared}
    documented = yaml.safe_load(did.RETURN)
    assert shared >= documented.keys() - {"diff", "registry", "platform", "run", "error", "msg"}


@in_both_ways
def test_the_result_is_as_documented(runner: Runner) -> None:
    documented = yaml.safe_load(dids.RETURN)
    result = runner.dids(dids=lines(1), report_unlisted=True, details=True)
    always = {"changed", "diff", "invocation"}
    on_failure = {"error", "applied", "applied_omitted", "not_attempted", "not_attempted_omitted"}
    on_failure.add("dids_omitted")
    assert result.keys() - always == documented.keys() - on_failure
    # A key that Jinja takes for a method of dictionaries is documented in words alone.
    summary_keys = documented["summary"]["contains"].keys() | {"update"}
    assert result["summary"].keys() == documented["summary"]["sample"].keys() == summary_keys
    (entry,) = result["dids"]
    assert entry.keys() == documented["dids"]["contains"].keys()
    assert runner.dids(dids=lines(1, 2), max_creates=0)["error"]["kind"] == "limit_exceeded"
    assert runner.dids(dids=lines(1, 2), max_creates=0).keys() >= documented.keys() - {"unlisted"}


@in_both_ways
def test_absent_is_explained(runner: Runner) -> None:
    for task in (runner.did, runner.dids, runner.did_registry):
        message = task(state="absent")["msg"]
        assert "deletes nothing" in message and "Retiring a number" in message
    assert runner.requests() == []


@in_both_ways
def test_a_type_that_needs_a_field_which_a_sheet_does_not_have(runner: Runner) -> None:
    known = {"did_number": "1", "record_id": 12, "did_type": "line"}
    assert runner.did_registry(state="recorded", dids=[known])["changed"]
    assert runner.both_dids(dids=[known])["changed"] is False
    described = runner.both_dids(dids=[{**known, "description": "x"}])
    assert described["dids"][0]["changes"].keys() == {"description"}
    # A type that changes needs its field, unless that is known.
    for item in ({**known, "did_type": "queue"}, {"did_number": "2", "did_type": "line"}):
        refused = runner.both_dids(dids=[item])
        assert refused["error"]["kind"] == "invalid_parameter"
        assert "needs d" in refused["msg"] and "dids[0]: did_type: " in refused["msg"]
    recorded = runner.did_registry(state="recorded", dids=[{**known, "did_type_id": 7}])
    assert recorded["changed"]
    assert runner.both_dids(dids=[{**known, "did_type": "queue"}])["changed"]
    assert len(runner.requests("POST")) == len(runner.requests()) == 2


@in_both_ways
def test_a_list_with_words_of_its_own(runner: Runner, tmp_path: Path) -> None:
    table = tmp_path / "dids.csv"
    table.write_text("Número;Tipo;Fila\n1130001000;FILA;7\n", "utf-8")
    mapping: dict[str, Any] = {
        "columns": {"Número": "did_number", "Tipo": "did_type", "Fila": "did_type_id"},
        "values": {"did_type": {"Fila": "queue"}},
    }
    created = runner.both_dids(src=str(table), **mapping)
    summary(created, total=1, create=1)
    assert created["dids"][0]["source"] == "dids.csv, line 2"
    recorded = runner.did_registry(state="recorded", src=str(table), **mapping)
    assert "needs record_id" in recorded["msg"]
    assert [json.loads(request["body"]) for request in runner.requests()] == [
        {"did_number": "1130001000", "did_type": 5, "did_type_id": 7}
    ]


def test_the_examples_hold_valid_lists(runner: Runner, tmp_path: Path) -> None:
    table = tmp_path / "dids.csv"
    table.write_text("did_number;port\n1;5060\n")
    for task in yaml.safe_load(dids.EXAMPLES):
        options = {
            key: value
            for key, value in task["nextbilling.did.dids"].items()
            if not key.startswith("api_") and key != "plan_checksum"
        }
        if "src" in options:
            options["src"] = str(table)
        if "columns" in options:
            rows: list[list[object]] = [
                ["Número", "Assinante", "Situação", "Observações"],
                ["2", 13, "Ativo", "x"],
            ]
            options["src"] = str(by_excel(tmp_path / "numeros.xlsx", rows))
        assert runner.dids(check=True, **options)["changed"], task["name"]


@on_both_backends
def test_records_without_a_number_and_records_that_get_one(runner: Runner) -> None:
    adopted = runner.both_dids(dids=[{"record_id": 12, "port": 1}])
    summary(adopted, total=1, adopt=1)
    assert (adopted["dids"][0]["did_number"], adopted["dids"][0]["record_id"]) == (None, 12)
    assert runner.both_dids(dids=[{"record_id": 12, "port": 1}])["changed"] is False

    # What is new might be the one whose number is not known.
    warned = runner.dids(check=True, dids=lines(1, 2))
    assert "ids 12" in json.dumps(warned["warnings"])
    numbered = runner.both_dids(dids=[{"record_id": 12, "did_number": "1", "port": 1}])
    summary(numbered, total=1, update=1)
    assert "warnings" not in runner.dids(check=True, dids=lines(1, 2))


def test_check_mode_warns_of_records_without_a_number_as_a_run_does(runner: Runner) -> None:
    runner.dids(dids=[{"record_id": 12, "port": 1}])
    # One record gets its number, and another one becomes known without it.
    dids = [{"record_id": 12, "did_number": "1"}, {"record_id": 14, "port": 1}, *lines(2)]
    runner.simulator.switch(existing_ids=[12, 14])
    predicted = runner.dids(check=True, dids=dids)
    done = runner.dids(dids=dids)
    assert predicted["warnings"] == done["warnings"]
    assert "(ids 14)" in json.dumps(done["warnings"])


def test_force_sends_and_never_creates(runner: Runner) -> None:
    runner.dids(dids=lines(1, 2))
    summary(runner.both_dids(dids=lines(1, 2, 3), force=True), total=3, update=2, create=1)
    runner.simulator.fault("reset_after")
    runner.dids(dids=lines(4))
    forced = runner.both_dids(dids=lines(4), force=True)
    assert forced["error"]["kind"] == "unknown_outcome"
    assert len(runner.simulator.created()) == 4


@in_both_ways
def test_passwords_on_change_and_on_create(runner: Runner) -> None:
    both = [{"did_number": "1", "password": "a-geheim"}, {"did_number": "2", "password": "b"}]
    summary(runner.both_dids(dids=both, update_password="on_create"), total=2, create=2)
    both[0]["password"] = "c-geheim"
    summary(runner.both_dids(dids=both, update_password="on_create"), total=2, none=2)
    changed = runner.both_dids(dids=both)
    summary(changed, total=2, update=1, none=1)
    assert runner.simulator.dids()[13]["password"] == "c-geheim"


@in_both_ways
def test_defaults_and_ranges_are_applied(runner: Runner) -> None:
    result = runner.both_dids(
        dids=[
            {"did_number": "1130001000", "last_number": "1130001004"},
            {"did_number": "1130002000", "port": None, "description": "x"},
        ],
        defaults={"port": 5062, "description": "Linha {number}", "password": "geheim"},
    )
    summary(result, total=6, create=6)
    assert [entry["index"] for entry in result["dids"]] == [0] * 5 + [1]
    held = [fields for fields in runner.simulator.dids().values() if fields]
    assert [(fields["did_number"], fields["description"]) for fields in held] == [
        *((f"113000100{digit}", f"Linha 113000100{digit}") for digit in range(5)),
        ("1130002000", "x"),
    ]
    assert {fields["port"] for fields in held} == {5062}


@in_both_ways
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_file_is_kept_with_lines_for_places(
    runner: Runner, tmp_path: Path, concurrency: int
) -> None:
    table = tmp_path / "dids.csv"
    table.write_text(
        "did_number;last_number;record_id;port\r\n1;;;5060\r\n\r\n20;22;;5060\r\n3;;12;5060\r\n",
        newline="",
    )
    result = runner.both_dids(src=str(table), concurrency=concurrency)
    summary(result, total=5, create=4, adopt=1)
    assert [(entry["index"], entry["source"]) for entry in result["dids"]] == [
        (0, "dids.csv, line 2"),
        *[(1, "dids.csv, line 4")] * 3,
        (2, "dids.csv, line 5"),
    ]
    assert runner.both_dids(src=str(table))["changed"] is False


# What refuses the whole list


def test_a_record_of_which_nothing_is_declared(runner: Runner) -> None:
    result = runner.both_dids(dids=[*lines(1), {"record_id": 9}])
    assert result["error"]["kind"] == "invalid_parameter", result
    assert "dids[1]: there is no field to send" in result["msg"]
    assert runner.requests() == [] and runner.rows("SELECT * FROM records") == []


@in_both_ways
@on_both_backends
def test_two_items_that_are_one_record_are_refused_with_both_places(runner: Runner) -> None:
    runner.dids(dids=lines(1, 2))
    result = runner.both_dids(dids=[*lines(1, 2), {"record_id": 14, "port": 7}, *lines(3)])
    assert result["error"]["kind"] == "invalid_parameter"
    assert "dids[1] and dids[2]: are one and the same in the registry (record 14)" in result["msg"]
    assert len(runner.requests()) == 2


@on_every_store
def test_without_a_registry_nothing_is_sent(bare: Runner) -> None:
    result = bare.both_dids(dids=lines(1, 2), concurrency=8)
    assert result["error"]["kind"] == "registry_mismatch"
    assert bare.requests() == []


# What stops single DIDs


@in_both_ways
@on_both_backends
def test_items_3_and_7_fail_and_the_next_run_sends_them_alone(runner: Runner) -> None:
    nine = lines(*range(1, 10))
    for number in (3, 7):
        match = {"did_number": nine[number]["did_number"]}
        runner.simulator.fault("status", status=422, match=match)
    result = runner.dids(dids=nine)
    assert (result["failed"], result["changed"]) == (True, True)
    summary(result, total=9, create=7, failed=2)
    failed = [entry for entry in result["dids"] if entry["outcome"] == "failed"]
    assert [entry["index"] for entry in failed] == [3, 7]
    assert [entry["error"]["kind"] for entry in failed] == ["refused"] * 2
    assert all(entry["error"]["msg"] for entry in failed)
    assert result["error"] == {
        key: value for key, value in failed[0]["error"].items() if key != "msg"
    }
    for words in (
        "2 of 9 DIDs",
        "2 failed",
        "- 2 DIDs: ",
        "  - dids[3]: DID 1130000004\n",
        "  - dids[7]",
    ):
        assert words in result["msg"]

    seen = len(runner.requests())
    summary(runner.both_dids(dids=nine), total=9, create=2, none=7)
    assert numbers(runner.requests()[seen:]) == ["1130000004", "1130000008"]
    assert runner.simulator.duplicates() == {}


@in_both_ways
def test_a_failing_run_groups_what_it_has_applied(runner: Runner) -> None:
    runner.dids(dids=lines(7, 8, 9, customer_id=1))
    block = {"did_number": "1130000001", "last_number": "1130000006", "description": "No. {number}"}
    runner.simulator.fault("status", status=422, match={"did_number": "1130000003"})
    declared = [block, *lines(7, 9, customer_id=2), {"record_id": 12, "port": 1}]
    result = runner.dids(dids=declared)
    summary(result, total=9, create=5, update=2, adopt=1, failed=1, unlisted=1)
    (failed,) = result["dids"]
    assert failed["label"] == {"customer_id": None, "description": "No. 1130000003"}
    assert not {"fields", "request"} & failed.keys()
    created, updated, adopted = result["applied"]
    assert created == {
        "action": "create",
        "changes": {
            "description": {"before": None, "after": "No. {number}"},
            "did_number": {"before": None, "after": "{number}"},
        },
        "label": {"customer_id": None, "description": "No. {number}"},
        "ranges": [["1130000001", "1130000002", 2], ["1130000004", "1130000006", 3]],
    }
    assert updated["changes"] == {"customer_id": {"before": 1, "after": 2}}
    assert updated["label"] == {"customer_id": 1, "description": None}
    assert updated["ranges"] == [["1130000007", "1130000007", 1], ["1130000009", "1130000009", 1]]
    assert (adopted["action"], adopted["ranges"]) == ("adopt", [["record 12", "record 12", 1]])


def test_a_failing_run_says_little_of_many_different_changes(runner: Runner) -> None:
    many = [
        {**each, "description": f"Customer {place * 7}"}
        for place, each in enumerate(lines(*range(60)))
    ]
    runner.simulator.fault("status", status=422, match={"did_number": many[0]["did_number"]})
    result = runner.dids(dids=many, concurrency=8)
    summary(result, total=60, create=59, failed=1)
    assert 0 < len(result["applied"]) < 40 and result["applied_omitted"] > 0
    assert len(json.dumps(result["applied"])) < 2_000
    detailed = runner.dids(dids=[*many, *lines(70)], max_creates=0, details=True)
    assert "applied" not in detailed


@in_both_ways
@on_both_backends
def test_outcomes_that_nobody_knows_stop_their_dids_alone(runner: Runner) -> None:
    five = lines(1, 2, 3, 4, 5)
    for number, fault in ((1, "reset_after"), (3, "drop_before")):
        runner.simulator.fault(fault, match={"did_number": five[number]["did_number"]})
    result = runner.dids(dids=five, retries=3)
    summary(result, total=5, create=3, unknown=2)
    assert result["error"]["kind"] == "unknown_outcome"
    # One list settles them all.
    assert "ansible-playbook nextbilling.did.export" in result["msg"]
    assert "ansible-playbook nextbilling.did.settle" in result["msg"]
    told = [entry["error"]["attempt"] for entry in result["dids"] if entry["error"]]
    assert told == [runner.attempt(five[number]["did_number"]) for number in (1, 3)]
    again = runner.both_dids(dids=five)
    summary(again, total=5, none=3, unknown=2)
    assert (again["changed"], len(runner.requests())) == (False, 5)

    runner.forget(five[3]["did_number"])
    settled = runner.both_dids(dids=[five[0], {**five[1], "record_id": 14}, *five[2:]])
    summary(settled, total=5, create=1, adopt=1, none=3)
    assert runner.simulator.duplicates() == {}


@on_both_backends
def test_conflicts_stop_their_dids_alone_and_tell_how_to_go_on(runner: Runner) -> None:
    runner.dids(dids=lines(1, 2))
    result = runner.both_dids(
        dids=[
            {**lines(1)[0], "record_id": 99},
            {**lines(3)[0], "record_id": 14},
            *lines(4),
        ]
    )
    summary(result, total=3, create=1, failed=2, unlisted=0)
    first, second, third = result["dids"]
    assert (
        first["error"]["kind"] == second["error"]["kind"] == result["error"]["kind"] == "conflict"
    )
    assert (first["action"], first["record_id"], third["action"]) == (None, 99, "create")
    assert "record 13" in first["error"]["msg"] and "renumber" in second["error"]["msg"]


@on_both_backends
def test_the_platform_is_down(runner: Runner) -> None:
    thirty = lines(*range(30))
    down: dict[str, Any] = {"api_url": "http://127.0.0.1:9", "platform": name(runner)}
    result = runner.dids(dids=thirty, **down, details=True)
    failed = result["summary"]["failed"]
    assert failed in (10, 11)
    summary(result, total=30, failed=failed, not_attempted=30 - failed)
    assert (result["error"]["kind"], result["changed"]) == ("unreachable", False)
    assert "in a row got no clear answer" in result["msg"]
    outcomes = [entry["outcome"] for entry in result["dids"]]
    assert outcomes == ["failed"] * failed + ["not_attempted"] * (30 - failed)
    assert runner.rows("SELECT * FROM records") == []
    summary(runner.both_dids(dids=thirty), total=30, create=30)


def test_a_platform_that_answers_nonsense_is_left_alone_too(runner: Runner) -> None:
    runner.simulator.fault("status_after", status=502, times=None)
    result = runner.dids(dids=lines(*range(40)), concurrency=4)
    unknown = result["summary"]["unknown"]
    assert 10 <= unknown <= 18 and result["summary"]["not_attempted"] == 40 - unknown
    assert len(runner.requests()) == unknown


@in_both_ways
def test_max_failures_ends_a_run_early(runner: Runner) -> None:
    for number in (2, 4, 5):
        match = {"did_number": lines(number)[0]["did_number"]}
        runner.simulator.fault("status", status=422, match=match, times=None)
    result = runner.dids(dids=lines(*range(8)), max_failures=1)
    assert result["summary"]["failed"] in (2, 3) and "max_failures (1)" in result["msg"]
    assert result["summary"]["not_attempted"] >= 2
    assert result["not_attempted"][-1]["ranges"][-1][1] == lines(7)[0]["did_number"]
    result = runner.dids(dids=lines(*range(8)), max_failures=3)
    assert (result["summary"]["failed"], result["summary"]["not_attempted"]) == (3, 0)
    assert (result["failed"], "ended early" in result["msg"]) == (True, False)


def test_nothing_is_sent_after_the_failure_that_ends_a_run(runner: Runner) -> None:
    match = {"did_number": lines(2)[0]["did_number"]}
    runner.simulator.fault("status", status=422, match=match)
    result = runner.dids(dids=lines(*range(8)), max_failures=0)
    summary(result, total=8, create=2, failed=1, not_attempted=5)


def test_what_a_plan_shows_to_fail_does_not_use_up_max_failures(runner: Runner) -> None:
    runner.simulator.fault("reset_after")
    runner.dids(dids=lines(1))
    runner.did(did_number="99", record_id=12)
    conflict = {"did_number": "99", "record_id": 8}
    waiting = [*lines(1), conflict]
    result = runner.both_dids(dids=[*waiting, *lines(2, 3)], max_failures=0)
    summary(result, total=4, unknown=1, failed=1, create=2)
    runner.simulator.fault("status", status=422, match={"did_number": lines(5)[0]["did_number"]})
    result = runner.dids(dids=[*waiting, *lines(4, 5, 6)], max_failures=1)
    summary(result, total=5, unknown=1, failed=2, create=2, unlisted=2)
    assert "ended early" not in result["msg"]
    runner.simulator.fault("status", status=422, match={"did_number": lines(7)[0]["did_number"]})
    result = runner.dids(dids=[*waiting, *lines(7, 8)], max_failures=0)
    summary(result, total=4, unknown=1, failed=2, not_attempted=1, unlisted=4)
    assert "max_failures (0)" in result["msg"]


# What was applied and could not be recorded


def fail_to_confirm(
    monkeypatch: pytest.MonkeyPatch, error: Exception, *numbers_of_dids: str
) -> None:
    """Let the registry fail at the answers about these DIDs."""
    confirm = Journal.confirm

    def failing(self: Journal, token: str, platform: str, intent: Intent, *more: Any) -> Any:
        if intent.number in numbers_of_dids:
            raise error
        return confirm(self, token, platform, intent, *more)

    monkeypatch.setattr(Journal, "confirm", failing)


def task_in(message: str) -> dict[str, Any]:
    """Return the options of the task in the play that a message holds to record what was created."""
    text = message[message.index('- name: "Record what the platform has created"') :]
    play, *_others = yaml.safe_load(text)
    (task,) = play["tasks"]
    options: dict[str, Any] = task["nextbilling.did.did_registry"]
    return options


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailable("The disk is full"),
        RegistryBusy("It is locked"),
        RegistryMismatch("It was moved"),
        OSError(28, "secret words"),
        RuntimeError("secret words"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_created_and_cannot_be_recorded_is_told_with_its_id(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, error: Exception, concurrency: int
) -> None:
    declared = [{"did_number": "2000", "last_number": "2011", "description": "No. {number}"}]
    lost = [str(number) for number in range(2000, 2012)]
    with monkeypatch.context() as patch:
        fail_to_confirm(patch, error, *lost)
        runner.simulator.switch(latency_ms=50)
        result = runner.dids(dids=declared, concurrency=concurrency, details=True)
    created = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    assert len(created) >= concurrency == result["summary"]["unrecorded"]
    summary(result, total=12, unrecorded=concurrency, not_attempted=12 - concurrency)
    assert (result["error"]["kind"], result["changed"]) == ("unrecorded", True)
    assert result["error"]["record_id"] in created.values()
    assert "secret words" not in json.dumps(result)
    for entry in result["dids"][:concurrency]:
        assert (entry["outcome"], entry["error"]["kind"]) == ("unrecorded", "unrecorded")
        assert entry["record_id"] == entry["error"]["record_id"] == created[entry["did_number"]]
        assert entry["fields"] == {
            "did_number": entry["did_number"],
            "description": f"No. {entry['did_number']}",
        }
        for words in ("could not be recorded", f"Keep the id {entry['record_id']}"):
            assert words in entry["error"]["msg"]

    # The DIDs are open: no run creates them again. The one task of the message settles all of them.
    end_leases(runner)
    again = runner.both_dids(dids=declared)
    summary(again, total=12, unknown=concurrency, create=12 - concurrency)
    settled = runner.did_registry(**task_in(result["msg"]))
    assert settled["changed"], settled
    assert {did["did_number"]: did["record_id"] for did in runner.did_info()["dids"]} == {
        entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()
    }
    summary(runner.both_dids(dids=declared), total=12, update=concurrency, none=12 - concurrency)
    assert runner.simulator.duplicates() == {}


@on_both_backends
def test_what_is_created_and_cannot_be_recorded_counts_for_max_failures_and_comes_first(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.simulator.fault("status", status=422, match={"did_number": lines(1)[0]["did_number"]})
    fail_to_confirm(monkeypatch, RegistryBusy("It is locked"), lines(2)[0]["did_number"])
    result = runner.dids(dids=lines(1, 2, 3), max_failures=1)
    summary(result, total=3, failed=1, unrecorded=1, not_attempted=1)
    # Its id would be lost with the result; what was refused is just refused again.
    assert (result["error"]["kind"], result["error"]["record_id"]) == ("unrecorded", 13)
    assert task_in(result["msg"])["dids"] == [
        {"did_number": lines(2)[0]["did_number"], "record_id": 13}
    ]


@on_both_backends
def test_an_edit_that_cannot_be_recorded_is_repeated_by_the_next_run(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.dids(dids=lines(1))
    edited = lines(1, port=1)
    with monkeypatch.context() as patch:
        fail_to_confirm(patch, RegistryUnavailable("The disk is full"), edited[0]["did_number"])
        result = runner.dids(dids=edited)
    summary(result, total=1, unrecorded=1)
    assert (result["changed"], result["dids"][0]["record_id"]) == (True, 13)
    assert "repeated" in result["msg"] and "did_registry" not in result["msg"]
    end_leases(runner)
    summary(runner.both_dids(dids=edited), total=1, update=1)


@on_both_backends
def test_a_defect_after_the_request_leaves_its_outcome_unknown(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Client.create

    def broken(self: Client, *arguments: Any) -> Any:
        create(self, *arguments)
        raise RuntimeError("secret words")

    with monkeypatch.context() as patch:
        patch.setattr(Client, "create", broken)
        result = runner.dids(dids=lines(1))
    summary(result, total=1, unknown=1)
    assert (result["error"]["kind"], result["changed"]) == ("internal_error", False)
    assert "secret words" not in json.dumps(result)
    summary(runner.both_dids(dids=lines(1)), total=1, unknown=1)
    assert runner.simulator.duplicates() == {}


# Limits, and plans that were reviewed


@in_both_ways
@pytest.mark.parametrize(
    ("limit", "allowed"),
    [
        ({"max_creates": 1}, False),
        ({"max_creates": 2}, True),
        ({"max_creates": 0}, False),
        ({"max_changes": 2}, False),
        ({"max_changes": 3}, True),
        ({"max_creates": 2, "max_changes": 2}, False),
    ],
    ids=str,
)
def test_limits_hold_for_the_whole_plan(
    runner: Runner, limit: dict[str, int], allowed: bool
) -> None:
    runner.dids(dids=lines(1, 2))
    plan = [*lines(1), *lines(2, port=5061), *lines(3, 4)]
    result = runner.both_dids(dids=plan, **limit)
    if allowed:
        summary(result, total=4, none=1, update=1, create=2)
        return
    assert (result["error"]["kind"], result["changed"]) == ("limit_exceeded", False)
    summary(result, total=4, none=1, not_attempted=3)
    assert [entry["action"] for entry in result["dids"]] == ["update", "create", "create"]
    assert len(runner.requests()) == 2


def test_a_plan_beyond_a_limit_is_told_by_its_first_dids(runner: Runner) -> None:
    runner.dids(dids=lines(1))
    plan = [*lines(1, port=5061), *lines(*range(2, 9))]
    creates = runner.both_dids(dids=plan, max_creates=3)["msg"]
    assert "7 creates (DID 1130000002, " in creates and "DID 1130000006 and 2 more)" in creates
    changes = runner.both_dids(dids=plan[:2], max_changes=1)["msg"]
    assert "2 requests (DID 1130000001, DID 1130000002)" in changes
    one = runner.both_dids(dids=plan[:1], max_changes=0)["msg"]
    assert "1 request (DID 1130000001)" in one


@in_both_ways
@on_both_backends
def test_a_list_is_applied_in_parts(runner: Runner) -> None:
    five = lines(1, 2, 3, 4, 5)
    runner.dids(dids=five[:1])
    plan = [{**five[0], "port": 5061}, *five[1:]]
    checksum = runner.dids(check=True, dids=plan)["plan_checksum"]
    first = runner.both_dids(dids=plan, apply_at_most=2, plan_checksum=checksum)
    assert first["changed"] and "failed" not in first
    summary(first, total=5, update=1, create=1, not_attempted=3)
    outcomes = [entry["outcome"] for entry in first["dids"]]
    assert outcomes == ["applied"] * 2 + ["not_attempted"] * 3
    totals, *diffs = first["diff"]
    assert totals["prepared"] == "2 DIDs: 1 update, 1 create\n" and len(diffs) == 2
    (warning,) = first["warnings"]
    assert "apply_at_most is 2, and 5 DIDs" in json.dumps(warning)
    assert runner.dids(check=True, dids=plan, apply_at_most=2)["summary"]["not_attempted"] == 1

    seen = len(runner.requests())
    second = runner.both_dids(dids=plan, apply_at_most=2, concurrency=4)
    summary(second, total=5, none=2, create=2, not_attempted=1)
    assert sorted(numbers(runner.requests()[seen:])) == ["1130000003", "1130000004"]
    last = runner.both_dids(dids=plan, apply_at_most=1)
    summary(last, total=5, none=4, create=1)
    assert "warnings" not in last
    summary(runner.both_dids(dids=plan, apply_at_most=1), total=5, none=5)
    assert runner.simulator.duplicates() == {}


@in_both_ways
def test_a_part_holds_what_fails_once_and_what_needs_no_request_not_at_all(runner: Runner) -> None:
    runner.simulator.fault("reset_after")
    runner.dids(dids=lines(1))
    refused = {"did_number": lines(2)[0]["did_number"]}
    throttled = {"did_number": lines(3)[0]["did_number"]}
    runner.simulator.fault("status", status=422, match=refused)
    runner.simulator.fault("status", status=429, match=throttled, times=2)
    result = runner.dids(dids=lines(1, 2, 3, 4), apply_at_most=2, retries=3)
    summary(result, total=4, unknown=1, failed=1, create=1, not_attempted=1)
    assert "1130000004" not in numbers(runner.requests())


def test_limits_look_beyond_the_part_that_is_applied(runner: Runner) -> None:
    for limit in ("max_creates", "max_changes"):
        result = runner.both_dids(dids=lines(1, 2, 3), apply_at_most=1, **{limit: 2})
        assert result["error"]["kind"] == "limit_exceeded"
        summary(result, total=3, not_attempted=3)
        assert len(result["diff"]) == 2 and "warnings" not in result
    assert runner.requests() == []


@in_both_ways
def test_a_plan_that_was_reviewed_is_applied(runner: Runner) -> None:
    plan = lines(1, 2, password="geheim")
    reviewed = runner.dids(check=True, dids=plan)["plan_checksum"]
    # The order of a list says nothing.
    assert runner.both_dids(dids=plan[::-1], plan_checksum=reviewed)["changed"]
    nothing = runner.dids(check=True, dids=plan)["plan_checksum"]
    assert nothing != reviewed
    assert runner.both_dids(dids=plan, plan_checksum=nothing)["changed"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"dids": lines(1, password="a")},
        {"dids": lines(1, 3, password="a")},
        {"dids": [*lines(1, password="a"), *lines(2, password="b")]},
        {"dids": [*lines(1, password="a"), *lines(2, password="a", port=5061)]},
        {"dids": [*lines(1, password="a"), *lines(2)]},
        {"dids": lines(1, 2, password="b")},
        {"dids": lines(1, 2, password="a", port=5061)},
        {"dids": [*lines(1, password="a"), {**lines(2, password="a")[0], "record_id": 12}]},
        {"defaults": {"description": "x"}},
        {"dids": lines(1, 2, 3, password="a")},
        {"api_key": "another-key-1234"},
        {"force": True},
    ],
    ids=str,
)
def test_another_plan_than_the_reviewed_one_is_not_applied(
    runner: Runner, change: dict[str, Any]
) -> None:
    runner.dids(dids=lines(1, password="a"))
    task: dict[str, Any] = {"dids": lines(1, 2, password="a")}
    reviewed = runner.dids(check=True, **task)["plan_checksum"]
    result = runner.both_dids(**{**task, **change}, plan_checksum=reviewed)
    assert (result["error"]["kind"], result["changed"]) == ("plan_changed", False)
    assert result["plan_checksum"] in result["msg"] and reviewed in result["msg"]
    assert len(runner.requests()) == 1
    assert result["summary"]["create"] == result["summary"]["update"] == 0
    runner.did(**{**lines(2)[0], "port": 1})
    assert runner.dids(**task, plan_checksum=reviewed)["error"]["kind"] == "plan_changed"


def test_a_plan_that_was_applied_already_is_refused_as_such(runner: Runner) -> None:
    task: dict[str, Any] = {"dids": lines(1, 2)}
    reviewed = runner.dids(check=True, **task)["plan_checksum"]
    changed = runner.dids(**task, plan_checksum="v2-" + "0" * 64)
    assert "have changed since" in changed["msg"] and "Nothing is left" not in changed["msg"]
    assert runner.dids(**task, plan_checksum=reviewed)["changed"]
    again = runner.both_dids(**task, plan_checksum=reviewed)
    assert (again["error"]["kind"], again["changed"]) == ("plan_changed", False)
    assert "Nothing is left to do" in again["msg"] and "applied already" in again["msg"]
    assert "have changed since" not in again["msg"]
    assert again["plan_checksum"] in again["msg"] and reviewed in again["msg"]
    assert len(runner.requests()) == 2


def test_a_did_that_cannot_be_planned_is_left_to_do(runner: Runner) -> None:
    runner.simulator.fault("reset_after")
    task: dict[str, Any] = {"dids": lines(1)}
    assert runner.dids(**task)["summary"]["unknown"] == 1
    result = runner.dids(**task, plan_checksum="v2-" + "0" * 64)
    assert result["error"]["kind"] == "plan_changed" and "Nothing is left" not in result["msg"]


def test_a_checksum_of_release_1_is_refused_with_the_reason(runner: Runner) -> None:
    result = runner.dids(dids=lines(1), plan_checksum="0" * 64)
    assert result["error"]["kind"] == "invalid_parameter"
    assert "release 1" in result["msg"]
    assert runner.requests() == []


@pytest.mark.parametrize("reviewed", ["", " "])
def test_an_empty_checksum_reviews_nothing(runner: Runner, reviewed: str) -> None:
    result = runner.both_dids(dids=lines(1), plan_checksum=reviewed)
    assert result["error"]["kind"] == "invalid_parameter"
    assert "plan_checksum" in result["msg"]
    assert runner.requests() == []


@on_both_backends
def test_a_did_that_needs_nothing_is_found_however_it_is_stored(runner: Runner) -> None:
    runner.dids(dids=lines(1, 2, 3, description="x"))
    runner.did(did_number="1130000002", customer_id=7)
    # In the registry, the customer of the second one stands behind its other fields.
    again = [*lines(1, description="x"), *lines(2, customer_id=7), *lines(3)]
    again[0]["did_number"] = "+1130000001"
    result = runner.both_dids(dids=[*again, *lines(4)])
    summary(result, total=4, none=3, create=1)
    assert [entry["index"] for entry in result["dids"]] == [3]
    twice = runner.dids(dids=[*again, {"record_id": 13, "port": 5060}])
    assert "dids[0] and dids[3]: are one and the same in the registry (record 13)" in twice["msg"]


@on_both_backends
def test_a_plan_depends_on_the_registry_and_the_platform(runner: Runner, tmp_path: Path) -> None:
    reviewed = runner.dids(check=True, dids=lines(1))["plan_checksum"]
    runner.did_registry(platform="other", another_platform=True)
    other = runner.both_dids(dids=lines(1), plan_checksum=reviewed, platform="other")
    assert other["error"]["kind"] == "plan_changed"
    registry = str(tmp_path / "other" / "registry.db")
    runner.did_registry(registry=registry)
    elsewhere = runner.dids(dids=lines(1), plan_checksum=reviewed, registry=registry)
    assert elsewhere["error"]["kind"] == "plan_changed"
    assert runner.requests() == []


@in_both_ways
@on_both_backends
def test_what_the_list_does_not_name_is_counted_and_told_on_request(runner: Runner) -> None:
    runner.dids(dids=[*lines(1, 2, 3), {"record_id": 12, "port": 1}])
    runner.simulator.fault("reset_after")
    runner.dids(dids=lines(4))
    runner.did_registry(platform="other", another_platform=True)
    runner.did_registry(state="recorded", dids=[{"record_id": 50}], platform="other")
    quiet = runner.both_dids(dids=lines(1))
    assert (quiet["summary"]["unlisted"], "unlisted" in quiet) == (4, False)
    told = runner.both_dids(dids=lines(1), report_unlisted=True)["unlisted"]
    assert sorted(told, key=str) == sorted(
        [
            {"did_number": "1130000002", "record_id": 14, "outcome": "confirmed"},
            {"did_number": "1130000003", "record_id": 15, "outcome": "confirmed"},
            {"did_number": None, "record_id": 12, "outcome": "confirmed"},
            {"did_number": "1130000004", "record_id": None, "outcome": "unknown"},
        ],
        key=str,
    )
    # What is listed and stopped is listed.
    stopped = [*lines(1, 4), {**lines(2)[0], "record_id": 15}, {"record_id": 12, "port": 1}]
    result = runner.both_dids(dids=stopped, report_unlisted=True)
    assert (result["unlisted"], result["summary"]["unlisted"]) == ([], 0)


# Several requests at once


@in_both_ways
@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize(
    ("switch", "count"), [("refuse", 40), ("refuse_with_retry_after", 9)], ids=str
)
def test_simultaneous_requests_that_are_refused_are_all_sent_once_more(
    runner: Runner, switch: str, count: int, retries: int
) -> None:
    runner.simulator.switch(simultaneous=switch, latency_ms=5)
    many = lines(*range(count))
    result = runner.dids(dids=many, concurrency=8, retries=retries)
    summary(result, total=count, create=count)
    assert "failed" not in result
    created = numbers(runner.simulator.created())
    assert sorted(created) == [item["did_number"] for item in many]
    refused = [entry for entry in runner.requests() if entry["status"] == 429]
    assert result["backoff"] == {"refusals": len(refused), "concurrency": 1} and refused
    assert "HTTP 429" in json.dumps(result["warnings"])
    again = runner.dids(dids=many, concurrency=8)
    assert (again["changed"], again["backoff"]) == (False, None)


@on_both_backends
def test_simultaneous_requests_that_are_allowed_are_made(runner: Runner) -> None:
    runner.simulator.switch(latency_ms=100)
    result = runner.dids(dids=lines(*range(16)), concurrency=8)
    summary(result, total=16, create=16)
    assert (result["backoff"], "warnings" in result) == (None, False)
    assert [entry["index"] for entry in result["dids"]] == list(range(16))
    times = [entry["time"] for entry in runner.requests()]
    assert len({request["remote_port"] for request in runner.requests()}) == 8, times


def test_no_thread_beside_the_main_one_imports_what_ansible_sends(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before Python 3.10 there is no lock on an import from a zip.
    package = did.__name__.partition(".plugins")[0]
    imported: list[str] = []

    class Watch:
        def find_spec(self, name: str, *_args: object) -> None:
            if name.startswith(package) and threading.current_thread() != threading.main_thread():
                imported.append(name)

    monkeypatch.setattr(sys, "meta_path", [Watch(), *sys.meta_path])
    for name in [each for each in sys.modules if each.startswith(f"{package}.plugins.")]:
        monkeypatch.delitem(sys.modules, name)
    # An import also sets an attribute of the package, which has to lead to the old modules again.
    plugins = sys.modules[f"{package}.plugins"]
    for name in ("module_utils", "modules"):
        monkeypatch.setattr(plugins, name, getattr(plugins, name))
    summary(runner.dids(dids=lines(*range(8)), concurrency=4), total=8, create=8)
    assert imported == []


def test_after_a_spell_of_calm_one_more_is_tried_at_once(runner: Runner) -> None:
    """One after the other until it has gone well for a while, then two at once again."""
    runner.simulator.fault("throttle")
    runner.simulator.fault("latency", seconds=0.3, match={"did_number": lines(20)[0]["did_number"]})
    runner.simulator.fault("latency", seconds=0.3, match={"did_number": lines(60)[0]["did_number"]})
    result = runner.dids(dids=lines(*range(80)), concurrency=2)
    summary(result, total=80, create=80)
    assert result["backoff"] == {"refusals": 1, "concurrency": 1}
    # The number of the request that made each record, in the order in which they were made.
    made = [entry["request"] for entry in runner.simulator.created()]
    sent = {entry["json"]["did_number"]: entry["sequence"] for entry in runner.requests("PUT")}
    overtaken = {
        number
        for number, sequence in sent.items()
        if sequence in made and max(made[: made.index(sequence) + 1]) > sequence
    }
    assert lines(20)[0]["did_number"] not in overtaken
    assert lines(60)[0]["did_number"] in overtaken


def test_a_refusal_that_lasts_ends_as_throttled(runner: Runner) -> None:
    runner.simulator.fault("throttle", times=None, retry_after=0)
    result = runner.dids(dids=lines(*range(6)), concurrency=4, retries=1)
    summary(result, total=6, failed=6)
    assert (result["error"]["kind"], result["error"]["http_status"]) == ("throttled", 429)
    runner.simulator.clear_faults()
    summary(runner.both_dids(dids=lines(*range(6)), concurrency=4), total=6, create=6)


@on_every_store
@pytest.mark.parametrize("seed", range(4))
def test_faults_among_many_requests_at_once(runner: Runner, seed: int) -> None:
    rng = random.Random(seed)
    many = lines(*range(60))
    faults = ["drop_before", "drop_after", "reset_before", "reset_after", "truncate", "garbage"]
    for number in rng.sample(numbers(many), 24):
        match = {"did_number": number}
        if rng.random() < 0.4:
            status = rng.choice([400, 422, 429, 500, 503])
            fault = "status" if status < 500 else rng.choice(["status", "status_after"])
            runner.simulator.fault(fault, status=status, match=match)
        else:
            runner.simulator.fault(rng.choice(faults), match=match)
    result = runner.dids(dids=many, concurrency=8, retries=1, details=True)
    assert runner.simulator.duplicates() == {}
    held = {entry["did_number"]: entry["record_id"] for entry in runner.simulator.created()}
    applied = [entry for entry in result["dids"] if entry["outcome"] == "applied"]
    assert all(held[entry["did_number"]] == entry["record_id"] for entry in applied)
    failed = [entry for entry in result["dids"] if entry["outcome"] in ("failed", "not_attempted")]
    assert not held.keys() & set(numbers(failed))

    # Whoever looks up what is not known settles it, and then all is there once.
    unknown = [entry["did_number"] for entry in result["dids"] if entry["outcome"] == "unknown"]
    assert unknown
    for number in unknown:
        if number in held:
            settled = {"did_number": number, "record_id": held[number]}
            runner.did_registry(state="recorded", dids=[settled])
        else:
            runner.forget(number)
    runner.simulator.clear_faults()
    assert "failed" not in runner.dids(dids=many, concurrency=8)
    assert runner.both_dids(dids=many)["changed"] is False
    assert len(runner.simulator.created()) == len(many)
    assert runner.simulator.duplicates() == {}


@on_both_backends
@pytest.mark.parametrize("bound", [{}, {"max_changes": 20}], ids=["free", "bound"])
def test_edits_of_unknown_outcome_are_repeated_among_many(
    runner: Runner, bound: dict[str, Any]
) -> None:
    """They stay what was planned: a run that is bound to its plan repeats them too."""
    many = lines(*range(20))
    runner.dids(dids=many, concurrency=8)
    for fault in ("reset_after", "drop_before", "status_after", "truncate"):
        options = {"status": 502} if fault == "status_after" else {}
        runner.simulator.fault(fault, match={"method": "POST"}, **options)
    edited = [{**item, "port": 5070} for item in many]
    result = runner.dids(dids=edited, concurrency=8, retries=2, **bound)
    summary(result, total=20, update=20)
    assert len(runner.requests("POST")) == 24
    assert {fields["port"] for fields in runner.simulator.dids().values() if fields} == {5070}


def test_a_defect_before_the_first_byte_stops_that_did_alone(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves nothing of it, although a request was written on the same connection before."""
    send = Transport.send

    def defective(self: Transport, exchange: Any, method: str, record_id: Any, body: bytes) -> Any:
        if json.loads(body)["did_number"] == lines(1)[0]["did_number"]:
            raise ImportError("geheim")
        return send(self, exchange, method, record_id, body)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "send", defective)
        result = runner.dids(dids=lines(0, 1, 2))
    summary(result, total=3, create=2, failed=1)
    assert [entry["error"]["kind"] for entry in result["dids"]] == ["internal_error"]
    assert "geheim" not in json.dumps(result)
    summary(runner.dids(dids=lines(0, 1, 2)), total=3, none=2, create=1)


@on_both_backends
def test_an_adoption_that_is_repeated_is_what_was_planned(runner: Runner) -> None:
    runner.simulator.fault("drop_after")
    adopted = [{"record_id": 12, "did_number": "1", "port": 1}]
    result = runner.dids(dids=adopted, retries=1, max_changes=1)
    summary(result, total=1, adopt=1)
    assert len(runner.requests("POST")) == 2


# Secrets


@in_both_ways
@on_both_backends
def test_no_secret_is_in_what_is_returned_or_logged(
    runner: Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(Module, "log", lambda _self, message, **_options: logged.append(message))
    simulator = runner.simulator
    table = tmp_path / "dids.csv"
    table.write_text("did_number;password;port\n5;geheim-csv;1\n6;geheim-csv;x\n")
    several = [
        *lines(1, 2, password="geheim-item"),
        {"did_number": "3", "pasword": "geheim-typo"},
        {"did_number": "4", "annotations": {"password": "geheim-deep"}},
        {"did_number": "5", "geheim-key": 1},
        "did_number=6 password=geheim-text",
    ]
    echo = f"{simulator.token} {simulator.key} geheim-item geheim-other"
    runner.simulator.fault("error_body", reason=echo)
    other = {"password": "geheim-other"}
    results = [
        runner.dids(dids=[*lines(1, password="geheim-item"), *lines(2)], defaults=other),
        runner.dids(dids=lines(1, 2, password="geheim-other"), concurrency=4),
        runner.dids(
            dids=several, defaults={"password": "geheim-default", "pasword": "geheim-typo"}
        ),
        runner.dids(dids=lines(7), defaults={"password": "geheim-default"}, check=True),
        runner.dids(src=str(table)),
        runner.dids(dids=lines(8), registry_password="geheim-registry", platform="unknown"),
        runner.dids(dids=lines(8), registry="postgresql://me:geheim-url@db/x"),
        runner.dids(dids="geheim-list", defaults="geheim-default"),
    ]
    assert [result.get("error", {}).get("kind") for result in results] == [
        "refused",
        None,
        "invalid_parameter",
        None,
        "invalid_parameter",
        "registry_mismatch",
        "invalid_parameter",
        "invalid_parameter",
    ]
    assert "withheld" in json.dumps(results[0])
    printed = json.dumps(results) + "".join(logged) + "".join(capfd.readouterr())
    printed += str(runner.traces())
    for secret in ("geheim", simulator.token, simulator.key):
        assert secret not in printed, printed[max(0, printed.index(secret) - 200) :][:300]
    if runner.way == MODULE:
        assert len(logged) >= 6 and "Invoked with" in logged[0] and "1130000001" in logged[0]


@in_both_ways
def test_a_password_that_looks_like_an_id_leaves_results_readable(runner: Runner) -> None:
    items = [{"did_number": "1166", "customer_id": 13, "password": "13"}, *lines(2, password="0")]
    result = runner.both_dids(dids=items, defaults={"username": "13"})
    assert [entry["record_id"] for entry in result["dids"]] == [13, 14]
    assert result["dids"][0]["fields"]["customer_id"] == 13
    assert result["dids"][0]["fields"]["password"] == "***"


@in_both_ways
def test_an_invocation_shows_the_first_items_alone(runner: Runner) -> None:
    result = runner.dids(check=True, dids=lines(*range(25), password="geheim"))
    shown = result["invocation"]["module_args"]["dids"]
    assert len(shown) == 21 and shown[-1] == "… and 5 more"
    assert shown[19] == {"did_number": "1130000019", "port": 5060, "***": "***"}
    assert len(result["dids"]) == 25
