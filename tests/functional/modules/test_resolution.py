# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person tells the registry, and what it tells: did_registry recorded and forgotten, did_info."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.tests.support.modules import (
    PROCESS,
    VENDOR_CREATE,
    Result,
    Runner,
    in_both_ways,
)
from ansible_collections.nextbilling.did.tests.support.processes import end_leases
from ansible_collections.nextbilling.did.tests.support.stores import (
    in_a_file,
    on_both_backends,
    on_every_store,
)
from ansible_collections.nextbilling.did.tests.support.waiting import until

# Storage can affect what a correction finds and what it leaves.
pytestmark = on_both_backends


def _unknown(runner: Runner, number: str = "1166") -> None:
    runner.simulator.fault("reset_after")
    assert runner.did(did_number=number, port=5060)["error"]["kind"] == "unknown_outcome"


def _tasks_of(message: str) -> list[dict[str, Any]]:
    """Return the tasks of the plays that a message tells to paste."""
    plays: list[dict[str, Any]] = yaml.safe_load(message[message.index("\n") :])
    return [task["nextbilling.did.did_registry"] for play in plays for task in play["tasks"]]


def test_an_unknown_create_that_exists(runner: Runner) -> None:
    runner.simulator.fault("reset_after")
    message = runner.did(did_number="0166", port=5060)["msg"]
    exists, _does_not = _tasks_of(message)
    assert runner.did_registry(**exists)["error"]["kind"] == "invalid_parameter"  # 0 is no id
    exists["dids"][0]["record_id"] = 13
    assert runner.both_registry(exists.pop("state"), *exists.pop("dids"), **exists)["changed"]
    # What it holds is not known, so it is sent once more.
    assert runner.both(did_number="0166", port=5060)["action"] == "update"
    assert runner.both(did_number="0166", port=5060)["action"] == "none"
    assert runner.did(did_number="0166", port=5061)["record_id"] == 13
    assert runner.simulator.duplicates() == {}


def test_an_unknown_create_that_does_not_exist(runner: Runner) -> None:
    runner.simulator.fault("reset_before")
    message = runner.did(did_number="0166", port=5060)["msg"]
    _exists, does_not = _tasks_of(message)
    state, dids, *_options = does_not.values()
    options = {name: does_not[name] for name in does_not.keys() - {"state", "dids"}}
    assert runner.both_registry(state, *dids, **options)["changed"]
    assert not runner.both_registry("forgotten", {"did_number": "0166"})["changed"]
    assert not runner.did_registry(**does_not)["changed"]
    assert runner.both(did_number="0166", port=5060)["action"] == "create"
    # Left in a playbook, it is about what is over.
    assert not runner.did_registry(**does_not)["changed"]
    assert runner.both(did_number="0166", port=5060)["action"] == "none"
    assert runner.simulator.duplicates() == {}


def test_what_is_recorded_counts_as_last_applied(runner: Runner) -> None:
    dids = [
        {"did_number": "1", "record_id": 12, "port": 5060, "host": "a.b"},
        {"record_id": 20, "port": 1},
    ]
    assert runner.both_registry("recorded", *dids)["changed"]
    assert not runner.both_registry("recorded", *dids)["changed"]
    assert runner.both(did_number="1", port=5060)["action"] == "none"
    assert runner.both(record_id=20, port=1)["action"] == "none"
    changed = runner.both(did_number="1", port=5061, host="a.b")
    assert list(changed["changes"]) == ["port"]
    assert runner.both_registry("recorded", {"did_number": "2", "record_id": 20})["changed"]
    assert runner.did(check=True, did_number="2", port=1)["action"] == "none"


def test_a_recorded_password_is_a_fingerprint_or_not_known(runner: Runner) -> None:
    did = {"did_number": "1", "record_id": 12, "password": "geheim"}
    done = runner.both_registry("recorded", did)
    assert "geheim" not in json.dumps(done)
    assert runner.did(check=True, did_number="1", password="geheim")["action"] == "none"
    without = runner.both_registry(
        "recorded", {**did, "did_number": "2", "record_id": 13}, api_key=...
    )
    assert "api_key" in json.dumps(without["warnings"]) and "geheim" not in json.dumps(without)
    assert runner.did(check=True, did_number="2", password="geheim")["action"] == "update"
    assert "geheim" not in repr(runner.traces())


def test_a_contradiction_refuses_the_whole_list(runner: Runner) -> None:
    runner.did(did_number="1")
    runner.did(did_number="2")
    before = runner.traces()
    refused = runner.both_registry(
        "recorded",
        {"did_number": "3", "record_id": 30},
        {"did_number": "1", "record_id": 99},
        {"did_number": "4", "record_id": 14},
    )
    assert refused["error"]["kind"] == "conflict"
    for word in ("dids[1]", "dids[2]", "13", "99", "overwrite"):
        assert word in refused["msg"]
    assert "dids[0]" not in refused["msg"]
    assert runner.traces() == before
    assert runner.both_registry("recorded", {"did_number": "1", "record_id": 99}, overwrite=True)[
        "changed"
    ]
    assert runner.did(check=True, did_number="1", record_id=99)["action"] == "none"
    # Two records become one, and numbers change hands.
    swapped = runner.both_registry("recorded", {"did_number": "1", "record_id": 14}, overwrite=True)
    assert swapped["changed"]
    assert runner.did(check=True, did_number="2")["action"] == "create"
    assert not runner.both_registry("recorded", {"did_number": "1", "record_id": 14})["changed"]


def test_a_number_and_an_id_that_are_two_records(runner: Runner) -> None:
    """An id that is known without a number, and a create of unknown outcome: that they are one is for a person to say."""
    runner.did(record_id=12, port=1)
    _unknown(runner)
    both = {"did_number": "1166", "record_id": 12}
    for state, words in (("recorded", "overwrite"), ("forgotten", "is another")):
        refused = runner.both_registry(state, both)
        assert (refused["error"]["kind"], words in refused["msg"]) == ("conflict", True), refused
        assert "record 12" in refused["msg"]
    assert len(runner.did_info()["dids"]) == 2
    assert runner.both_registry("recorded", both, overwrite=True)["changed"]
    (known,) = runner.did_info()["dids"]
    assert (known["did_number"], known["record_id"]) == ("1166", 12)
    assert [
        entry[0]
        for entry in runner.rows(
            "SELECT event FROM history WHERE event <> 'applied' ORDER BY entry_key"
        )
    ] == [
        "forgotten",
        "recorded",
    ]
    assert runner.both(did_number="1166", port=1)["action"] == "none"


def test_a_create_of_unknown_outcome_has_no_id_to_be_forgotten_by(runner: Runner) -> None:
    _unknown(runner)
    refused = runner.both_registry("forgotten", {"did_number": "1166", "record_id": 13})
    assert refused["error"]["kind"] == "conflict" and "no record id is known" in refused["msg"]
    assert runner.both(did_number="1166", port=5060)["error"]["kind"] == "unknown_outcome"


def test_a_confirmed_record_is_forgotten_by_its_id_too(runner: Runner) -> None:
    runner.did(did_number="1")
    refused = runner.both_registry("forgotten", {"did_number": "1"})
    assert refused["error"]["kind"] == "conflict" and "13" in refused["msg"]
    assert (
        runner.both_registry("forgotten", {"did_number": "1", "record_id": 14})["error"]["kind"]
        == "conflict"
    )
    assert (
        runner.both_registry("forgotten", {"did_number": "9", "record_id": 13})["error"]["kind"]
        == "conflict"
    )
    assert runner.both_registry("forgotten", {"did_number": "1", "record_id": 13})["changed"]
    runner.did(record_id=12, port=1)
    assert runner.both_registry("forgotten", {"record_id": 12})["changed"]


@on_every_store
def test_a_live_claim_is_waited_for_to_record(runner: Runner) -> None:
    platform = runner.simulator.url.split("//")[1]
    registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    registry.journal.claim(platform, Intent("create", None, "1", None, {"did_number": "1"}, 1.0))
    recorded: dict[str, Any] = {"state": "recorded", "dids": [{"did_number": "1", "record_id": 13}]}
    busy = runner.did_registry(**recorded, registry_timeout=0.1)
    assert busy["error"]["kind"] == "registry_busy"
    assert runner.did_registry(**recorded)["changed"]
    registry.close()


def test_every_correction_leaves_a_line(runner: Runner) -> None:
    _unknown(runner)
    runner.both_registry("recorded", {"did_number": "1166", "record_id": 13, "password": "geheim"})
    runner.both_registry("forgotten", {"did_number": "1166", "record_id": 13})
    told = runner.did_info(did_number="1166", history=True)
    assert told["dids"] == []
    recorded, forgotten = told["history"]
    assert (recorded["event"], forgotten["event"]) == ("recorded", "forgotten")
    assert recorded["details"]["before"]["outcome"] == "unknown"
    assert forgotten["details"]["before"]["record_id"] == 13
    assert forgotten["details"]["before"]["fields"]["password"] == "***"
    assert "@" in recorded["actor"] and recorded["at"].endswith("Z")


@on_every_store
def test_did_info_selects_by_number_record_id_outcome_and_platform(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE, password="geheim")
    runner.did(record_id=12, port=1)
    _unknown(runner, "2")
    runner.did_registry(platform="other:443", another_platform=True)
    runner.did_registry(
        platform="other:443", state="recorded", dids=[{"did_number": "1166", "record_id": 7}]
    )
    stored = runner.traces()
    login: dict[str, Any] = {"api_url": ..., "api_token": ..., "api_key": ...}

    def told(**options: Any) -> list[tuple[Any, Any]]:
        result = runner.did_info(**login, **options)
        assert result["changed"] is False and "geheim" not in json.dumps(result)
        return [(did["did_number"], did["record_id"]) for did in result["dids"]]

    here = runner.simulator.url.split("//")[1]
    assert sorted(told(), key=str) == [("1166", 13), ("1166", 7), ("2", None), (None, 12)]
    assert told(did_number="+1166", platform=here) == [("1166", 13)]
    assert told(record_id=12) == [(None, 12)]
    assert told(outcome="unknown") == [("2", None)]
    assert told(outcome="uncertain") == []
    assert told(did_number="5") == []
    info = runner.did_info(**login)
    assert info["registry"]["counts"] == {
        "confirmed": 3,
        "unknown": 1,
        "uncertain": 0,
        "under_way": 0,
    }
    assert info["registry"]["platforms"] == sorted([here, "other:443"])
    assert info["registry"]["schema"] == 2 and info["registry"]["changed_at"].endswith("Z")
    (did,) = runner.did_info(did_number="1166", platform=here)["dids"]
    assert did["fields"] == {**VENDOR_CREATE, "password": "***"}
    assert runner.did_info(outcome="unknown")["dids"][0]["attempted"]["port"] == 5060
    assert runner.traces() == stored
    assert len(runner.requests()) == 3


def test_info_creates_nothing(bare: Runner) -> None:
    result = bare.did_info(api_url=..., api_token=..., api_key=...)
    assert result["error"]["kind"] == "registry_mismatch"
    assert bare.store.is_empty()


def test_an_unsettled_renumbering_keeps_both_numbers(runner: Runner) -> None:
    runner.did(did_number="1", port=5060)
    runner.simulator.fault("reset_before")
    runner.did(did_number="2", record_id=13, renumber=True)
    refused = runner.both_registry("recorded", {"record_id": 13, "port": 5060})
    assert refused["error"]["kind"] == "conflict"
    assert "1 and 2" in refused["msg"]
    assert runner.both(did_number="1", port=5060)["action"] == "update"
    assert runner.simulator.duplicates() == {}


def test_entries_that_depend_on_each_other_are_refused(runner: Runner) -> None:
    runner.did(did_number="1")
    runner.did(did_number="2")
    for dids in (
        [{"did_number": "1", "record_id": 14}, {"did_number": "2", "record_id": 13}],
        [{"did_number": "1", "record_id": 20}, {"record_id": 13, "port": 1}],
    ):
        refused = runner.both_registry("recorded", *dids, overwrite=True)
        assert refused["error"]["kind"] == "conflict" and "two entries" in refused["msg"]


def test_a_password_that_cannot_be_recorded_is_not_known(runner: Runner) -> None:
    runner.did(did_number="1", password="old")
    did = {"did_number": "1", "record_id": 13, "password": "new"}
    assert runner.both_registry("recorded", did, api_key=...)["changed"]
    assert runner.did(check=True, did_number="1", password="old")["action"] == "update"


def test_the_same_in_other_words_is_no_change(runner: Runner) -> None:
    did = {"did_number": "+1", "record_id": 13, "host_additional": ["a", "b"], "host": "X.y"}
    runner.both_registry("recorded", did)
    other = {"did_number": "1", "record_id": 13, "host_additional": ["b", "a"], "host": "x.y."}
    assert not runner.both_registry("recorded", other)["changed"]


CSV = 'did_number;record_id;description;host_additional;port\r\n"0300123456";12;Olá;10.0.0.1 b.c|d;5060\r\n1;13;;;\r\n'
JSON = """[
  {"did_number": "0300123456", "record_id": 12, "description": "Olá", "host_additional": ["10.0.0.1", "b.c", "d"], "port": 5060},
  {"did_number": "1", "record_id": 13}
]"""
YAML = """---
- did_number: '0300123456'
  record_id: 12
  description: Olá
  host_additional: [10.0.0.1, b.c, d]
  port: 5060
- {did_number: '1', record_id: 13}
"""


@in_a_file
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dids.csv", CSV.encode()),
        ("dids.csv", CSV.encode("utf-8-sig")),
        ("dids.csv", CSV.replace(";", ",").replace("\r", "").encode()),
        ("dids.CSV", CSV.replace("\r\n1", "\r\n\r\n;;;;\r\n1").encode()),
        ("dids.json", JSON.encode()),
        ("dids.yml", YAML.encode()),
        ("dids.yaml", YAML.encode("utf-8-sig")),
    ],
)
def test_a_file_is_recorded(runner: Runner, tmp_path: Path, name: str, content: bytes) -> None:
    src = tmp_path / name
    src.write_bytes(content)
    assert runner.did_registry(check=True, state="recorded", src=str(src))["changed"]
    assert runner.did_registry(state="recorded", src=str(src))["changed"]
    assert not runner.did_registry(state="recorded", src=str(src))["changed"]
    (did,) = runner.did_info(record_id=12)["dids"]
    assert did["fields"] == {
        "description": "Olá",
        "did_number": "0300123456",
        "port": 5060,
        "host_additional": ["10.0.0.1", "b.c", "d"],
    }
    (other,) = runner.did_info(record_id=13)["dids"]
    assert other["fields"] == {"did_number": "1"}


# Statements about a create of unknown outcome


def _held_by_another_run(runner: Runner) -> Registry:
    """Let another run hold a DID; return its registry."""
    platform = runner.simulator.url.split("//")[1]
    registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    known, _by_id = registry.find(platform, "1166", None)
    action, record_id = "create", None
    if known is not None:
        action, record_id = "update", known.record_id or 12
    values = {"did_number": "1166", "port": 5060}
    assert registry.journal.claim(platform, Intent(action, known, "1166", record_id, values, 60.0))
    return registry


@pytest.mark.parametrize("action", ["create", "update"])
def test_nothing_is_forgotten_while_a_run_is_at_work(runner: Runner, action: str) -> None:
    """It would be about what nobody has seen yet: the whole list is refused, at once."""
    entry: dict[str, Any] = {"did_number": "1166"}
    if action == "update":
        runner.did(did_number="1166")
        entry["record_id"] = 13
    _unknown(runner, "2")
    other = {"did_number": "2", "attempt": runner.attempt("2")}
    registry = _held_by_another_run(runner)
    if action == "create":
        ((entry["attempt"],),) = runner.rows("SELECT record_key FROM records WHERE claim_until > 0")
    began = time.monotonic()
    refused = runner.both_registry("forgotten", other, entry)
    assert time.monotonic() - began < 30, "it waited"
    assert (refused["error"]["kind"], refused["changed"]) == ("registry_busy", False)
    (shown,) = runner.did_info(outcome="under_way")["dids"]
    for words in ("dids[1]", "@", f"its {action}", "until 2", "under_way", "look it up"):
        assert words in refused["msg"], refused["msg"]
    assert "dids[0]" not in refused["msg"] and "Nothing was written" in refused["msg"]
    assert shown["claim"]["ends_at"][:16] in refused["msg"]
    assert len(runner.did_info()["dids"]) == 2
    registry.close()


def test_a_create_of_unknown_outcome_is_forgotten_by_its_attempt_alone(runner: Runner) -> None:
    _unknown(runner)
    attempt = runner.attempt("1166")
    another = attempt[:-1] + ("0" if attempt[-1] != "0" else "1")
    for given, words in (
        ({}, "the attempt that did_info shows"),
        ({"attempt": another}, "another one than this attempt"),
        ({"attempt": attempt, "record_id": 13}, "no record id is known"),
    ):
        refused = runner.both_registry("forgotten", {"did_number": "1166", **given})
        assert refused["error"]["kind"] == "conflict", refused
        assert words in refused["msg"] and attempt not in refused["msg"]
    assert runner.both(did_number="1166", port=5060)["error"]["attempt"] == attempt
    done = runner.both_registry("forgotten", {"did_number": "+1166", "attempt": attempt})
    assert done["changed"]
    (line,) = runner.did_info(history=True)["history"]
    assert line["details"]["attempt"] == attempt


@pytest.mark.parametrize(
    "since", ["open again", "under way", "confirmed", "recorded under another id"]
)
def test_a_forgotten_attempt_stays_forgotten(runner: Runner, since: str) -> None:
    """As in a playbook in which it was left: it is about what is over, and says nothing of what came after."""
    runner.simulator.fault("drop_before")
    runner.did(did_number="1166")
    said = {"did_number": "1166", "attempt": runner.attempt("1166")}
    assert runner.both_registry("forgotten", said)["changed"]
    if since == "open again":
        runner.simulator.fault("drop_after")
        assert runner.did(did_number="1166")["error"]["attempt"] != said["attempt"]
    elif since == "under way":
        _held_by_another_run(runner).close()
    elif since == "confirmed":
        assert runner.did(did_number="1166")["action"] == "create"
    else:
        runner.both_registry("recorded", {"did_number": "1166", "record_id": 77})
    before = runner.rows("SELECT record_key, version FROM records")
    again = runner.both_registry("forgotten", said)
    assert (again["changed"], again.get("failed")) == (False, None), again
    assert runner.rows("SELECT record_key, version FROM records") == before
    # Without it, the same words would be about what is there now.
    refused = runner.both_registry("forgotten", {"did_number": "1166"})
    assert refused["failed"] and not refused["changed"]
    assert runner.simulator.duplicates() == {}


def test_an_attempt_that_has_come_to_something_is_not_forgotten(runner: Runner) -> None:
    _unknown(runner)
    said = {"did_number": "1166", "attempt": runner.attempt("1166")}
    assert runner.both_registry("recorded", {**said, "record_id": 13})["changed"]
    for more in ({}, {"record_id": 13}):
        refused = runner.both_registry("forgotten", {**said, **more})
        assert (refused["error"]["kind"], "record 13" in refused["msg"]) == ("conflict", True)
    # Nor when the record is forgotten as such, and the DID created once more.
    assert runner.both_registry("forgotten", {"did_number": "1166", "record_id": 13})["changed"]
    assert not runner.both_registry("forgotten", said)["changed"]
    runner.simulator.fault("drop_before")
    runner.did(did_number="1166")
    assert "another one" in runner.both_registry("forgotten", said)["msg"]


def test_what_an_older_release_forgot_is_not_taken_for_this_attempt(runner: Runner) -> None:
    """Its history does not say which create it was about."""
    _unknown(runner)
    said = {"did_number": "1166", "attempt": runner.attempt("1166")}
    assert runner.both_registry("forgotten", said)["changed"]
    runner.write("UPDATE history SET details = '{\"before\":null}'")
    assert not runner.both_registry("forgotten", said)["changed"]
    runner.simulator.fault("drop_before")
    runner.did(did_number="1166")
    refused = runner.both_registry("forgotten", said)
    assert (refused["error"]["kind"], refused["changed"]) == ("conflict", False)


def test_an_attempt_of_another_did_or_platform(runner: Runner) -> None:
    """As from a spreadsheet in which a column was sorted alone."""
    _unknown(runner, "1")
    _unknown(runner, "2")
    one, two = runner.attempt("1"), runner.attempt("2")
    crossed = [{"did_number": "1", "attempt": two}, {"did_number": "3", "attempt": one}]
    refused = runner.both_registry("forgotten", *crossed)
    assert refused["error"]["kind"] == "conflict"
    for words in ("dids[0]", "DID 2", "dids[1]", "DID 1"):
        assert words in refused["msg"]
    twice = [{"did_number": "1", "attempt": one}, {"did_number": "2", "attempt": one}]
    refused = runner.both_registry("forgotten", *twice)
    assert refused["error"]["kind"] == "invalid_parameter"
    assert "dids[0] and dids[1]: have the same attempt" in refused["msg"]
    runner.did_registry(platform="other:443", another_platform=True)
    refused = runner.both_registry(
        "forgotten", {"did_number": "1", "attempt": one}, platform="other:443"
    )
    assert (refused["error"]["kind"], "on the platform" in refused["msg"]) == ("conflict", True)
    assert [did["outcome"] for did in runner.did_info()["dids"]] == ["unknown", "unknown"]
    runner.did(record_id=12, port=1)
    ((key,),) = runner.rows("SELECT record_key FROM records WHERE record_id = 12")
    refused = runner.both_registry("forgotten", {"did_number": "9", "attempt": key})
    assert "a record without a number" in refused["msg"]


def test_the_same_number_on_two_platforms_is_two_attempts(runner: Runner) -> None:
    _unknown(runner)
    runner.did_registry(platform="other:443", another_platform=True)
    runner.simulator.fault("drop_before")
    there = runner.did(did_number="1166", platform="other:443")["error"]["attempt"]
    said = {"did_number": "1166", "attempt": there}
    assert runner.both_registry("forgotten", said)["failed"]
    assert runner.both_registry("forgotten", said, platform="other:443")["changed"]
    assert [did["platform"] for did in runner.did_info()["dids"]] == [
        runner.simulator.url.split("//")[1]
    ]


@in_a_file
def test_a_file_of_attempts(runner: Runner, tmp_path: Path) -> None:
    _unknown(runner, "1")
    _unknown(runner, "2")
    csv = tmp_path / "missing.csv"
    csv.write_text(
        f"did_number;attempt\n1;{runner.attempt('1')}\n2;{runner.attempt('2')}\n3;\n", "utf-8"
    )
    assert runner.did_registry(state="forgotten", src=str(csv))["changed"]
    assert runner.did_info()["dids"] == []
    # A list of DIDs to declare may be an export: it means nothing there.
    assert runner.dids(check=True, src=str(csv))["summary"]["create"] == 3
    inline = runner.dids(check=True, dids=[{"did_number": "1", "attempt": "0" * 32}])
    assert inline["summary"]["create"] == 1


@on_every_store
def test_a_record_that_a_run_holds_is_shown_as_under_way(runner: Runner) -> None:
    """Not as unknown: nobody is asked to decide about what is still being done."""
    runner.did(did_number="2")
    _unknown(runner, "3")
    _held_by_another_run(runner).close()
    (shown,) = runner.did_info(outcome="under_way")["dids"]
    assert (shown["did_number"], shown["outcome"]) == ("1166", "under_way")
    assert (
        shown["attempt"] is None
    ), "what is seen of the platform now may be otherwise when it ends"
    assert shown["claim"]["action"] == "create" and "@" in shown["claim"]["holder"]
    ends = datetime.fromisoformat(shown["claim"]["ends_at"])
    left = (ends - datetime.now(timezone.utc)).total_seconds()
    assert 0 < left <= 61 and shown["claim"]["ends_at"].endswith("Z")
    assert [did["did_number"] for did in runner.did_info(outcome="unknown")["dids"]] == ["3"]
    counts = {"confirmed": 1, "unknown": 1, "uncertain": 0, "under_way": 1}
    assert runner.did_info()["registry"]["counts"] == counts
    unlisted = runner.dids(check=True, dids=[{"did_number": "2"}], report_unlisted=True)
    assert [did["outcome"] for did in unlisted["unlisted"]] == ["under_way", "unknown"]
    # A dead run's claim ends, and then it is for a person to decide.
    end_leases(runner)
    shown, other = runner.did_info(outcome="unknown")["dids"]
    assert (shown["did_number"], other["did_number"]) == ("1166", "3")
    assert shown["claim"] is other["claim"] is None
    assert shown["attempt"] != other["attempt"] and len(shown["attempt"]) == 32
    assert runner.did_info(outcome="under_way")["dids"] == []


def test_an_edit_that_is_under_way(runner: Runner) -> None:
    runner.did(did_number="1166")
    _held_by_another_run(runner).close()
    (shown,) = runner.did_info()["dids"]
    assert (shown["outcome"], shown["attempt"]) == ("under_way", None)
    assert shown["claim"]["action"] == "update"
    assert runner.did_info(outcome="uncertain")["dids"] == []
    end_leases(runner)
    (shown,) = runner.did_info(outcome="uncertain")["dids"]
    assert (shown["attempt"], shown["claim"]) == (None, None)


def test_an_adoption_never_overtakes_a_create_that_is_under_way(runner: Runner) -> None:
    registry = _held_by_another_run(runner)
    for run in (runner.did, lambda **did: runner.dids(dids=[did], registry_timeout=0.1)):
        more: dict[str, Any] = {"registry_timeout": 0.1} if run == runner.did else {}
        busy = run(did_number="1166", record_id=13, port=1, **more)
        assert busy["error"]["kind"] == "registry_busy", busy
    assert runner.requests() == []
    registry.close()


@in_both_ways
def test_a_signal_ends_a_statement_that_waits_for_another_run(runner: Runner) -> None:
    registry = _held_by_another_run(runner)
    stored, delivered = runner.traces(), []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: delivered.append(number))
    handler = signal.getsignal(signal.SIGTERM)

    def stop() -> None:
        until(lambda: signal.getsignal(signal.SIGTERM) is not handler)
        os.kill(os.getpid(), signal.SIGTERM)

    try:
        with ThreadPoolExecutor(1) as threads:
            stopped = threads.submit(stop)
            dids = [{"did_number": "1166", "record_id": 13}]
            result = runner.did_registry(state="recorded", dids=dids, registry_timeout=60)
            stopped.result()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result["error"]["kind"] == "interrupted" and "SIGTERM" in result["msg"]
    assert runner.traces() == stored
    # A module ends with its result, a worker process by the signal.
    assert delivered == ([signal.SIGTERM] if runner.way == PROCESS else [])
    registry.close()


def test_a_recorded_id_that_was_forgotten_does_not_settle_a_later_create(runner: Runner) -> None:
    """As by a task left in a playbook: the later create made another record, and the DID would be edited under a wrong id."""
    runner.did(did_number="1166")
    said = {"did_number": "1166", "record_id": 13}
    assert runner.both_registry("forgotten", said)["changed"]
    runner.simulator.fault("drop_after")
    assert runner.did(did_number="1166")["error"]["kind"] == "unknown_outcome"
    refused = runner.both_registry("recorded", said)
    assert refused["error"]["kind"] == "conflict"
    for words in ("record 13 was forgotten", "overwrite: true", "Look"):
        assert words in refused["msg"]
    assert runner.both(did_number="1166")["error"]["kind"] == "unknown_outcome"
    assert runner.both_registry("recorded", {"did_number": "1166", "record_id": 14})["changed"]
    # What is settled is protected as ever.
    assert "14" in runner.both_registry("recorded", said)["msg"]


def test_a_recorded_number_does_not_undo_a_renumbering(runner: Runner) -> None:
    """As by a task left in a playbook: the new number would look new, though the record may bear it by now."""
    runner.did(did_number="1")
    said = {"did_number": "1", "record_id": 13}
    assert not runner.both_registry("recorded", said)["changed"]
    runner.simulator.fault("drop_after")
    renumbering: dict[str, Any] = {"did_number": "2", "record_id": 13, "renumber": True}
    assert runner.did(**renumbering)["error"]["kind"] == "unknown_outcome"
    refused = runner.both_registry("recorded", said)
    assert refused["error"]["kind"] == "conflict"
    for words in ("1 and 2", "not known whether", "overwrite: true"):
        assert words in refused["msg"]
    assert runner.did(check=True, did_number="2")["action"] == "update"
    assert runner.both(**renumbering)["action"] == "update"
    assert "overwrite" in runner.both_registry("recorded", said)["msg"]
    assert list(runner.simulator.dids()) == [12, 13]
    # Whoever has looked says so.
    runner.simulator.fault("drop_before")
    runner.did(did_number="3", record_id=13, renumber=True)
    assert runner.both_registry("recorded", {"did_number": "2", "record_id": 13}, overwrite=True)[
        "changed"
    ]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Lets something happen once, when a statement has been decided about and is not written yet."""
    revise = Journal.apply_corrections

    def set_up(happening: Callable[[], Any]) -> None:
        def late_revise(*arguments: Any) -> bool:
            monkeypatch.setattr(Journal, "apply_corrections", revise)
            happening()
            return revise(*arguments)

        monkeypatch.setattr(Journal, "apply_corrections", late_revise)

    return set_up


def _open_create(runner: Runner) -> dict[str, Any]:
    """Leave a create open that was not applied; return what somebody says who has looked."""
    runner.simulator.fault("drop_before")
    runner.did(did_number="1166")
    return {"did_number": "1166", "attempt": runner.attempt("1166")}


@on_every_store
def test_two_people_forget_at_once(runner: Runner, meanwhile: Callable[..., None]) -> None:
    said = _open_create(runner)
    first: list[Result] = []
    meanwhile(lambda: first.append(runner.did_registry(state="forgotten", dids=[said])))
    second = runner.did_registry(state="forgotten", dids=[said])
    assert (first[0]["changed"], second["changed"], second.get("failed")) == (True, False, None)
    assert runner.rows("SELECT COUNT(*) FROM history") == [(1,)]


@on_every_store
@pytest.mark.parametrize("how", ["adopts it", "is about to adopt it"])
def test_a_run_that_takes_up_what_is_about_to_be_forgotten(
    runner: Runner, meanwhile: Callable[..., None], how: str
) -> None:
    said = _open_create(runner)
    if how == "adopts it":
        meanwhile(lambda: runner.did(did_number="1166", record_id=12))
    else:
        meanwhile(lambda: _held_by_another_run(runner).close())
    refused = runner.did_registry(state="forgotten", dids=[said])
    kind = "conflict" if how == "adopts it" else "registry_busy"
    assert (refused["error"]["kind"], refused["changed"]) == (kind, False)
    assert runner.rows("SELECT * FROM history WHERE event <> 'applied'") == []


def test_another_create_in_place_of_the_one_that_is_about_to_be_forgotten(
    runner: Runner, meanwhile: Callable[..., None]
) -> None:
    said = _open_create(runner)

    def forget_and_create() -> None:
        assert runner.forget("1166")["changed"]
        runner.simulator.fault("drop_after")
        assert runner.did(did_number="1166")["error"]["kind"] == "unknown_outcome"

    meanwhile(forget_and_create)
    assert not runner.did_registry(state="forgotten", dids=[said])["changed"]
    assert runner.attempt("1166") != said["attempt"]
    assert runner.both(did_number="1166")["error"]["kind"] == "unknown_outcome"
    assert runner.simulator.duplicates() == {}


@in_a_file
def test_what_the_servers_of_a_registry_may_lose_is_told_by_whatever_reads_or_writes_it(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.did(did_number="1")
    words = "the newest writes are lost"
    monkeypatch.setattr(Registry, "server_warnings", lambda _registry, **_options: [words])
    did = {"did_number": "2", "record_id": 70}
    for check in (True, False):
        for result in (
            runner.did_registry(check=check, state="recorded", dids=[did]),
            runner.did_registry(check=check, state="exported", dest=str(tmp_path / "dids.csv")),
            runner.did_info(check=check),
        ):
            assert words in str(result["warnings"]), result
