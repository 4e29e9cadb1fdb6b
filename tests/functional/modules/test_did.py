# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module did: what it sends, what it says, and what it leaves alone."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import trustme
import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._module import stop
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.tests.support.modules import (
    VENDOR_CREATE,
    VENDOR_EDIT,
    Runner,
    as_a_module,
    in_both_ways,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    on_both_backends,
    on_every_store,
)


@in_both_ways
def test_the_vendors_create_sample_is_sent_as_the_page_has_it(runner: Runner) -> None:
    predicted = runner.did(check=True, **VENDOR_CREATE)
    assert predicted["request"] == {
        "method": "PUT",
        "path": "/api/manageDID/***/***",
        "body": VENDOR_CREATE,
    }
    assert runner.requests() == []

    result = runner.did(**VENDOR_CREATE)
    (request,) = runner.requests()
    assert request["method"] == "PUT"
    assert request["path"] == f"/api/manageDID/{runner.simulator.token}/{runner.simulator.key}"
    assert json.loads(request["body"]) == VENDOR_CREATE
    assert list(json.loads(request["body"])) == list(VENDOR_CREATE)
    assert result["record_id"] == 13
    assert result["request"] == predicted["request"]


@in_both_ways
def test_the_vendors_edit_sample_is_sent_as_the_page_has_it(runner: Runner) -> None:
    predicted = runner.did(check=True, record_id=12, **VENDOR_EDIT)
    assert runner.requests() == []
    result = runner.did(record_id=12, **VENDOR_EDIT)
    (request,) = runner.requests()
    assert request["method"] == "POST"
    assert request["path"] == f"/api/manageDID/{runner.simulator.token}/{runner.simulator.key}/12"
    assert json.loads(request["body"]) == VENDOR_EDIT
    assert result["action"] == predicted["action"] == "adopt"
    assert predicted["request"]["path"] == "/api/manageDID/***/***/12"
    assert (result["record_id"], result["did_number"]) == (12, None)
    assert runner.both(record_id=12, **VENDOR_EDIT)["changed"] is False


@in_both_ways
@on_every_store
def test_a_life_of_a_did(runner: Runner) -> None:
    created = runner.both(**VENDOR_CREATE)
    assert (created["action"], created["changed"]) == ("create", True)
    assert runner.both(**VENDOR_CREATE)["action"] == "none"
    assert len(runner.requests()) == 1

    edited = runner.both(**{**VENDOR_CREATE, "port": 5061})
    assert (edited["action"], edited["changed"], edited["record_id"]) == ("update", True, 13)
    assert edited["changes"] == {"port": {"before": 5060, "after": 5061}}
    assert "-port: 5060" in _changed_lines(edited) and "+port: 5061" in _changed_lines(edited)
    assert [request["method"] for request in runner.requests()] == ["PUT", "POST"]

    again = runner.both(**{**VENDOR_CREATE, "port": 5061})
    assert (again["action"], again["changed"], again["changes"]) == ("none", False, {})
    reordered = {**VENDOR_CREATE, "port": 5061, "host_additional": ["192.168.0.3", "192.168.0.1"]}
    assert runner.both(**reordered)["changed"] is False
    assert len(runner.requests()) == 2
    assert "request" not in runner.did(**reordered)


def _changed_lines(result: dict[str, Any]) -> list[str]:
    before, after = (result["diff"][side].splitlines() for side in ("before", "after"))
    return [f"-{line}" for line in before if line not in after] + [
        f"+{line}" for line in after if line not in before
    ]


def test_an_edit_sends_every_declared_field(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.did(did_number="1166", description="x", port=5060)
    assert runner.requests("POST")[0]["json"] == {
        "description": "x",
        "did_number": "1166",
        "port": 5060,
    }


@in_both_ways
@on_both_backends
def test_omitted_is_not_null_is_not_empty(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE, annotations="note", max_calls=3, enable_ddi=True)
    assert runner.both(did_number="1166")["action"] == "none"
    assert runner.both(did_number="1166", annotations=None, max_calls=None)["action"] == "none"
    emptied = runner.both(
        did_number="1166", annotations="", max_calls=0, enable_ddi=False, host_additional=[]
    )
    assert runner.requests("POST")[0]["json"] == {
        "did_number": "1166",
        "max_calls": 0,
        "enable_ddi": 0,
        "annotations": "",
        "host_additional": [],
    }
    assert emptied["fields"]["description"] == "Número Entrante"
    assert runner.both(did_number="1166", annotations="", enable_ddi=False)["action"] == "none"


def test_a_plus_comes_and_goes_without_a_change(runner: Runner) -> None:
    assert runner.both(did_number="+55 (11) 3000-1000", port=5060)["action"] == "create"
    assert runner.requests()[0]["json"]["did_number"] == "+551130001000"
    assert runner.both(did_number="551130001000", port=5060)["action"] == "none"
    edited = runner.both(did_number="551130001000", port=5061)
    assert runner.requests("POST")[0]["json"]["did_number"] == "551130001000"
    assert edited["changes"] == {
        "did_number": {"before": "+551130001000", "after": "551130001000"},
        "port": {"before": 5060, "after": 5061},
    }
    assert '-did_number: "+551130001000"' in _changed_lines(edited)


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("host", "sip.example.com", "SIP.example.com."),
        ("ip_address1", "2001:db8::1", "2001:DB8:0::1"),
        ("host_additional", ["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"]),
    ],
)
def test_a_spelling_is_no_reason_for_an_edit_and_is_told_where_one_is_sent(
    runner: Runner, field: str, before: Any, after: Any
) -> None:
    runner.did(did_number="1", port=1, **{field: before})
    assert runner.both(did_number="1", port=1, **{field: after})["action"] == "none"
    edited = runner.both(did_number="1", port=2, **{field: after})
    assert edited["changes"] == {
        "port": {"before": 1, "after": 2},
        field: {"before": before, "after": after},
    }
    assert edited["request"]["body"][field] == after
    assert runner.both(did_number="1", port=2, **{field: after})["action"] == "none"


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("S\u00e3o", "Sa\u0303o", ("S\\u00e3o", "Sa\\u0303o")),
        ("Sales", "Sales\u200b", ("Sales", "Sales\\u200b")),
        ("Sales desk", "Sales\u00a0desk", ("Sales desk", "Sales\\u00a0desk")),
        ("Sales", "S\u0430les", ("Sales", "S\\u0430les")),
        ("São\u2013Paulo", "São-Paulo", ("São\\u2013Paulo", "São-Paulo")),
        ("São", "Sao", ("São", "Sao")),
        ("a", "a\nb", ("a", "a\\nb")),
    ],
)
def test_what_looks_alike_is_shown_by_its_codes_where_it_differs(
    runner: Runner, before: str, after: str, shown: tuple[str, str]
) -> None:
    runner.did(did_number="1", description=before)
    changed = _changed_lines(runner.both(did_number="1", description=after))
    assert changed == [f'-description: "{shown[0]}"', f'+description: "{shown[1]}"']


@in_both_ways
def test_types_go_as_codes_and_are_shown_by_name(runner: Runner) -> None:
    runner.both(did_number="1", did_type="queue", did_type_id=7)
    assert runner.requests()[0]["json"]["did_type"] == 5
    assert runner.both(did_number="1", did_type=5, did_type_id=7)["action"] == "none"
    changed = runner.both(did_number="1", did_type="line", device_id=3)
    assert changed["changes"]["did_type"] == {"before": 5, "after": 1}
    assert '-did_type: "queue (5)"' in _changed_lines(changed)
    assert '+did_type: "line (1)"' in _changed_lines(changed)


# What each answer means is tested apart, on the function that says so: here is one of each outcome.


def test_a_reply_that_is_accepted(runner: Runner) -> None:
    runner.simulator.fault("raw_body", body='{"error":"0","reason":"OK","new_record":"13",}')
    result = runner.did(**VENDOR_CREATE)
    assert (result["changed"], result["record_id"]) == (True, 13)
    assert runner.did(**VENDOR_CREATE)["changed"] is False


@on_both_backends
def test_a_reply_that_is_no_success(runner: Runner) -> None:
    runner.simulator.fault("raw_body", body='{"error":0,"reason":"OK"}')
    result = runner.did(**VENDOR_CREATE, retries=3)
    assert result["error"]["kind"] == "unknown_outcome"
    assert len(runner.requests()) == 1
    again = runner.both(**VENDOR_CREATE)
    assert again["error"]["kind"] == "unknown_outcome"
    assert len(runner.requests()) == 1


@in_both_ways
def test_an_error_in_a_200_is_a_refusal(runner: Runner) -> None:
    runner.simulator.fault("raw_body", body='{"error":"1","reason":"no",}', process=False)
    result = runner.did(**VENDOR_CREATE, retries=3)
    assert (result["error"]["kind"], result["error"]["reason"]) == ("refused", "no")
    assert result["error"]["http_status"] == 200
    assert result["error"]["did_number"] == "1166"
    assert len(runner.requests()) == 1
    assert runner.rows("SELECT * FROM records") == []
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


@in_both_ways
@on_every_store
def test_two_faults_end_differently(runner: Runner) -> None:
    unreachable = runner.did(**VENDOR_CREATE, api_url="http://127.0.0.1:9", platform=_name(runner))
    assert unreachable["error"]["kind"] == "unreachable"
    assert "refused" in unreachable["msg"]
    assert runner.did(**VENDOR_CREATE)["action"] == "create"

    other = {**VENDOR_CREATE, "did_number": "1167"}
    runner.simulator.fault("reset_after")
    unknown = runner.did(**other, retries=3)
    assert unknown["error"]["kind"] == "unknown_outcome"
    for word in ("1167", "record_id", "nextbilling.did.did_registry", _name(runner), "forgotten"):
        assert word in unknown["msg"]
    seen = len(runner.requests())
    stopped = runner.both(**other)
    assert stopped["error"]["kind"] == "unknown_outcome"
    assert "record_id" in stopped["msg"] and "forgotten" in stopped["msg"]
    assert len(runner.requests()) == seen
    adopted = runner.both(**other, record_id=14)
    assert (adopted["action"], adopted["record_id"]) == ("adopt", 14)
    assert runner.both(**other)["action"] == "none"
    assert runner.simulator.duplicates() == {}


def _name(runner: Runner) -> str:
    return runner.simulator.url.split("//")[1]


@in_both_ways
def test_a_failure_names_the_registry_and_the_did(runner: Runner) -> None:
    made = runner.did(did_number="1130001000", customer_id=7, description="Sales")
    known = {name: made[name] for name in ("platform", "registry", "label")}
    conflict = runner.did(did_number="1130001000", record_id=made["record_id"] + 1, customer_id=8)
    assert conflict["error"]["kind"] == "conflict"
    runner.simulator.fault("status", status=422)
    refused = runner.did(did_number="1130001000", customer_id=8)
    assert refused["error"]["kind"] == "refused"
    assert {name: refused[name] for name in known} == known
    # Without a plan, the DID is as the task declares it.
    declared = {"customer_id": 8, "description": None}
    assert {name: conflict[name] for name in known} == {**known, "label": declared}
    # Before the registry is open, nothing is known of either.
    assert not runner.did(did_number="1130001000", port="x").keys() & known.keys()


@in_both_ways
@on_both_backends
def test_an_edit_of_unknown_outcome_is_repeated(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.simulator.fault("reset_after")
    edit = {**VENDOR_CREATE, "port": 5061}
    assert runner.did(**edit)["error"]["kind"] == "unknown_outcome"
    # Whatever the task now declares: what the platform holds is not known.
    assert runner.both(**VENDOR_CREATE)["action"] == "update"
    assert runner.both(**VENDOR_CREATE)["action"] == "none"

    runner.simulator.fault("status_after", status=502)
    assert runner.did(**edit, retries=1)["action"] == "update"
    assert [request["method"] for request in runner.requests()] == ["PUT", *["POST"] * 4]


@on_both_backends
def test_a_refused_repetition_does_not_settle_the_first_try(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.simulator.fault("reset_after")
    runner.simulator.fault("status", status=422)
    result = runner.did(**{**VENDOR_CREATE, "port": 5061}, retries=1)
    assert result["error"]["kind"] == "unknown_outcome"
    assert "Run again" in result["msg"]
    assert runner.both(**VENDOR_CREATE)["action"] == "update"
    assert runner.simulator.dids()[13]["port"] == 5060


@on_both_backends
def test_what_an_uncertain_edit_may_have_changed_is_not_known_until_it_is_declared(
    runner: Runner,
) -> None:
    runner.did(**VENDOR_CREATE)
    runner.simulator.fault("reset_after")
    runner.did(did_number="1166", port=5061)
    runner.did(did_number="1166", description="x")
    assert runner.simulator.dids()[13]["port"] == 5061
    restored = runner.both(did_number="1166", port=5060)
    assert restored["changes"]["port"] == {"before": None, "after": 5060}


@in_both_ways
def test_throttling_is_waited_out(runner: Runner) -> None:
    runner.simulator.fault("throttle", times=2)
    assert runner.did(**VENDOR_CREATE, retries=3)["action"] == "create"
    assert len(runner.requests("PUT")) == 3
    assert runner.simulator.duplicates() == {}
    runner.simulator.fault("throttle", times=None, retry_after=0)
    result = runner.did(did_number="1", retries=2)
    assert (result["error"]["kind"], result["error"]["http_status"]) == ("throttled", 429)
    assert "run again later" in result["msg"]
    assert len(runner.requests("PUT")) == 6
    runner.simulator.clear_faults()
    assert runner.did(did_number="1")["action"] == "create"


@pytest.mark.parametrize(
    ("retry_after", "shortest", "longest"),
    [
        (7, 6.5, 7),
        (timedelta(hours=-1), 0, 0),
        (timedelta(seconds=100), 95, 100),
        (timedelta(hours=1), 119, 120),
        ("soon", 0.2, 0.5),
        ("9999999999", 0.2, 0.5),
    ],
)
def test_a_pause_is_as_long_as_the_platform_asks_for(
    runner: Runner,
    monkeypatch: pytest.MonkeyPatch,
    retry_after: int | str | timedelta,
    shortest: float,
    longest: float,
) -> None:
    """In seconds, or until a date; within limits, and for a while where nobody can read it."""
    waits: list[float] = []
    monkeypatch.setattr(stop.Stop, "wait", lambda _stop, seconds: waits.append(seconds))
    if isinstance(retry_after, timedelta):
        retry_after = formatdate(time.time() + retry_after.total_seconds(), usegmt=True)
    runner.simulator.fault("throttle", retry_after=retry_after)
    assert runner.did(**VENDOR_CREATE, retries=1)["action"] == "create"
    assert shortest <= sum(waits) <= longest, waits
    assert len(runner.requests("PUT")) == 2


def test_an_adoption_that_needs_a_second_try_is_still_one(runner: Runner) -> None:
    task: dict[str, Any] = {"did_number": "1166", "port": 5060, "record_id": 12}
    predicted = runner.did(check=True, **task)
    runner.simulator.fault("reset_after")
    done = runner.did(**task, retries=1)
    assert (done["action"], done["diff"]) == (predicted["action"], predicted["diff"])
    assert predicted["action"] == "adopt"


def test_an_edit_that_is_answered_with_another_record_tells_both(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.simulator.fault("reply", json={"error": 0, "new_record": 77}, times=None)
    result = runner.did(did_number="1166", port=1, retries=3)
    assert result["error"]["kind"] == "unknown_outcome"
    assert "record 13" in result["msg"] and "record 77" in result["msg"]
    assert len(runner.requests("POST")) == 1


@on_both_backends
def test_a_create_that_is_answered_with_the_record_of_another_did(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.simulator.fault("reply", json={"error": 0, "new_record": 13})
    result = runner.did(did_number="1167")
    assert result["error"]["kind"] == "conflict"
    assert result["error"]["record_id"] == 13
    assert "1166" in result["msg"] and "1167" in result["msg"]
    assert runner.rows("SELECT number, record_id FROM history WHERE event = 'answered'") == [
        ("1167", 13)
    ]
    assert runner.did(did_number="1167")["error"]["kind"] == "unknown_outcome"


@in_both_ways
@on_every_store
def test_without_a_registry_nothing_is_sent(bare: Runner) -> None:
    result = bare.both(**VENDOR_CREATE)
    assert result["error"]["kind"] == "registry_mismatch"
    assert "nextbilling.did.did_registry" in result["msg"] and bare.store.location in result["msg"]
    assert bare.store.is_empty()
    assert bare.requests() == []


@on_both_backends
def test_a_platform_that_the_registry_does_not_know(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    renamed = runner.simulator.url.replace("127.0.0.1", "localhost")
    result = runner.both(**VENDOR_CREATE, api_url=renamed)
    assert result["error"]["kind"] == "registry_mismatch"
    assert renamed.split("//")[1] in result["msg"]
    assert "nextbilling.did.did_registry" in result["msg"] and "platform" in result["msg"]
    assert len(runner.requests()) == 1
    same = runner.both(**VENDOR_CREATE, api_url=renamed, platform=_name(runner))
    assert same["action"] == "none"


@on_both_backends
def test_another_registry_is_refused(runner: Runner) -> None:
    right = runner.did_registry()["registry"]["id"]
    assert runner.both(**VENDOR_CREATE, registry_id=right)["action"] == "create"
    result = runner.both(**VENDOR_CREATE, registry_id="0" * 32, max_calls=1)
    assert result["error"]["kind"] == "registry_mismatch"
    assert right in result["msg"] and "0" * 32 in result["msg"]
    assert len(runner.requests()) == 1


def test_a_body_that_is_too_long(runner: Runner) -> None:
    result = runner.both(**VENDOR_CREATE, annotations="x" * 130_000)
    assert (result["error"]["kind"], "128" in result["msg"]) == ("invalid_parameter", True)
    assert runner.requests() == []
    assert runner.rows("SELECT * FROM records") == []


@on_both_backends
def test_number_and_id_that_do_not_belong_together(runner: Runner) -> None:
    runner.did(did_number="1", port=1)
    runner.did(did_number="2", port=2)
    for parameters, words in (
        ({"did_number": "1", "record_id": 14}, ("1", "13", "2", "14")),
        ({"did_number": "1", "record_id": 99}, ("1", "13", "99")),
        ({"did_number": "3", "record_id": 13}, ("3", "13", "1", "renumber")),
        ({"did_number": "2", "record_id": 13, "renumber": True}, ("2", "14", "13")),
    ):
        result = runner.both(port=3, **parameters)
        assert result["error"]["kind"] == "conflict"
        assert all(word in result["msg"] for word in words)
    assert len(runner.requests()) == 2


@in_both_ways
@on_both_backends
def test_a_record_gets_a_new_number(runner: Runner) -> None:
    runner.did(did_number="1", port=1)
    result = runner.both(did_number="3", record_id=13, renumber=True)
    assert (result["action"], result["did_number"], result["record_id"]) == ("update", "3", 13)
    assert runner.both(did_number="3", port=1)["action"] == "none"
    assert runner.both(did_number="1")["action"] == "create"


@on_both_backends
def test_both_numbers_belong_to_a_record_while_it_is_renumbered(runner: Runner) -> None:
    runner.did(did_number="1")
    runner.simulator.fault("reset_after")
    runner.did(did_number="3", record_id=13, renumber=True)
    for number in ("1", "3"):
        assert runner.did(check=True, did_number=number)["action"] == "update"
    assert runner.did(did_number="3")["record_id"] == 13
    assert runner.did(check=True, did_number="1")["action"] == "create"


@on_both_backends
def test_a_record_without_a_number_gets_one(runner: Runner) -> None:
    runner.did(record_id=12, port=1)
    created = runner.did(did_number="1")
    assert "12" in json.dumps(created["warnings"])
    result = runner.both(did_number="2", record_id=12, port=1)
    assert (result["action"], result["changes"]["did_number"]["after"]) == ("update", "2")
    assert runner.both(did_number="2", port=1)["action"] == "none"


@on_both_backends
def test_an_adoption_that_is_refused_leaves_nothing(runner: Runner) -> None:
    result = runner.did(did_number="5", record_id=999, port=1)
    assert result["error"]["kind"] == "refused"
    assert runner.did(check=True, did_number="5")["action"] == "create"
    runner.simulator.fault("reset_after")
    runner.did(did_number="6")
    assert runner.did(did_number="6", record_id=999)["error"]["kind"] == "refused"
    assert runner.did(did_number="6")["error"]["kind"] == "unknown_outcome"


@in_both_ways
def test_nothing_to_declare(runner: Runner) -> None:
    assert runner.both(record_id=12)["error"]["kind"] == "invalid_parameter"
    runner.did(record_id=12, port=1)
    assert runner.both(record_id=12)["action"] == "none"


@in_both_ways
@on_both_backends
def test_force_edits_and_never_creates(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    forced = runner.both(**VENDOR_CREATE, force=True)
    assert (forced["action"], forced["changed"], forced["changes"]) == ("update", True, {})
    sent = [line for line in _changed_lines(forced) if line.startswith("+")]
    assert [line[1:].split(":")[0] for line in sent] == list(runner.requests("POST")[0]["json"])
    assert all(line.endswith("  # sent again") for line in sent)
    assert yaml.safe_load(forced["diff"]["after"])["port"] == 5060
    changed = runner.both(**{**VENDOR_CREATE, "port": 1, "password": "geheim"}, force=True)
    assert "+port: 1" in _changed_lines(changed)
    assert "+customer_id: 13  # sent again" in _changed_lines(changed)
    same = runner.both(**{**VENDOR_CREATE, "port": 1, "password": "geheim"}, force=True)
    assert '+password: "***"  # sent again' in _changed_lines(same)
    runner.simulator.fault("reset_after")
    runner.did(did_number="2")
    assert runner.both(did_number="2", force=True)["error"]["kind"] == "unknown_outcome"


@in_both_ways
def test_a_password_that_looks_like_an_id_leaves_results_readable(runner: Runner) -> None:
    parameters = {**VENDOR_CREATE, "port": 1300, "password": "13"}
    for result in (runner.did(check=True, **parameters), runner.did(**parameters)):
        assert result["fields"]["port"] == 1300
        assert result["fields"]["customer_id"] == 13
        assert result["fields"]["password"] == "***"
        assert result["invocation"]["module_args"]["password"] == "***"
        assert result["invocation"]["module_args"]["port"] == 1300
        assert "VALUE_SPECIFIED" not in json.dumps(result)
        assert '"13"' not in json.dumps(result)
    assert result["record_id"] == 13
    assert runner.requests()[0]["json"]["password"] == "13"
    assert '"13"' not in str(runner.rows("SELECT fields, attempted, claim_before FROM records"))


@in_both_ways
@on_both_backends
def test_a_password_is_compared_and_never_shown(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE, password="geheim-1")
    assert runner.both(**VENDOR_CREATE, password="geheim-1")["action"] == "none"
    changed = runner.both(**VENDOR_CREATE, password="geheim-2")
    assert list(changed["changes"]) == ["password"]
    assert "geheim" not in json.dumps(changed)
    assert len(_changed_lines(changed)) == 2
    assert "geheim" not in repr(runner.traces())


@on_both_backends
def test_a_password_recorded_with_another_key_counts_as_changed(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE, password="geheim")
    result = runner.did(check=True, **VENDOR_CREATE, password="geheim", api_key="another-key")
    assert result["action"] == "update"
    assert "another api_key" in json.dumps(result["warnings"])
    assert "another api_key" in result["changes"]["password"]["before"]
    # Not declared, it is not compared.
    assert runner.did(check=True, **VENDOR_CREATE, api_key="another-key")["action"] == "none"


def test_a_password_that_is_set_on_create_alone(runner: Runner) -> None:
    runner.both(**VENDOR_CREATE, password="one", update_password="on_create")
    assert runner.requests("PUT")[0]["json"]["password"] == "one"
    assert (
        runner.both(**VENDOR_CREATE, password="two", update_password="on_create")["action"]
        == "none"
    )
    runner.both(**{**VENDOR_CREATE, "port": 1}, password="two", update_password="on_create")
    assert "password" not in runner.requests("POST")[0]["json"]
    assert runner.both(**VENDOR_CREATE, password="one")["changes"].keys() == {"port"}


@pytest.mark.parametrize(
    ("fault", "options", "status"),
    [("reply", {"json": {}}, 200), ("status_after", {"status": 502}, 502), ("throttle", {}, 429)],
)
def test_the_status_of_an_answer_is_told_once(
    runner: Runner, fault: str, options: dict[str, Any], status: int
) -> None:
    runner.simulator.fault(fault, **options)
    message = runner.did(**VENDOR_CREATE)["msg"].partition(". ")[0]
    assert message.count(f"HTTP {status}") == 1, message


@in_both_ways
def test_what_the_platform_says_is_shown_where_no_secret_is_in_it(runner: Runner) -> None:
    simulator = runner.simulator
    simulator.fault("error_body", reason="no: \x1b[31m\u202e " + "x" * 900)
    result = runner.did(**VENDOR_CREATE, password="geheim&co")
    assert result["error"]["reason"].startswith("no: [31m xxx")
    assert len(result["error"]["reason"]) <= 500
    assert result["error"]["reason"] in result["msg"]
    assert "\x1b" not in result["msg"] and "\u202e" not in result["msg"]


@pytest.mark.parametrize(
    "echo", ["{token}", "{key:.15}...", "geheim&amp;co", "Z2VoZWltJmNv", "retsiger-drowssap"]
)
def test_what_the_platform_says_is_withheld_where_a_part_of_a_secret_is_in_it(
    runner: Runner, echo: str
) -> None:
    """A secret of the login, of the DID, or of the registry."""
    simulator = runner.simulator
    echo = echo.format(token=simulator.token, key=simulator.key)
    simulator.fault("error_body", reason=f"#0 /var/www/api.php(12): manageDID('{echo}')")
    result = runner.did(
        **VENDOR_CREATE, password="geheim&co", registry_password="password-register"
    )
    assert (result["error"]["kind"], result["error"]["reason"]) == ("refused", None)
    assert "withheld" in result["msg"] and "secret" in result["msg"]
    assert echo not in json.dumps(result)


@on_both_backends
def test_a_documented_refusal_is_certain(runner: Runner) -> None:
    runner.simulator.fault("status", status=422)
    result = runner.did(**VENDOR_CREATE, retries=3)
    assert (result["error"]["kind"], result["error"]["http_status"]) == ("refused", 422)
    assert len(runner.requests()) == 1
    assert runner.rows("SELECT * FROM records") == []


@pytest.mark.parametrize(
    ("fault", "parameters"),
    [
        ("drop_before", {}),
        ("drop_after", {}),
        ("reset_before", {}),
        ("reset_after", {}),
        ("hang_before", {}),
        ("hang_after", {}),
        ("slow_drip", {"seconds_per_byte": 0.3}),
        ("truncate", {}),
        ("truncate", {"bytes": 20}),
        ("garbage", {}),
        ("status", {"status": 500}),
        ("status_after", {"status": 503}),
        ("redirect", {"status": 302, "location": "/login"}),
    ],
    ids=str,
)
def test_whatever_leaves_a_create_open_stops_it(
    runner: Runner, fault: str, parameters: dict[str, Any]
) -> None:
    runner.simulator.fault(fault, **parameters)
    result = runner.did(**VENDOR_CREATE, retries=3, timeout=1)
    assert result["error"]["kind"] == "unknown_outcome", result
    assert len(runner.requests()) == 1
    assert runner.did(**VENDOR_CREATE)["error"]["kind"] == "unknown_outcome"
    assert len(runner.requests()) == 1


def test_a_refusal_that_is_none_is_not_created_again(runner: Runner) -> None:
    runner.simulator.fault("raw_body", status=403, body='{"error":0}')
    assert runner.did(**VENDOR_CREATE, retries=3)["error"]["kind"] == "unknown_outcome"
    assert runner.did(**VENDOR_CREATE)["error"]["kind"] == "unknown_outcome"
    assert len(runner.simulator.created()) == 1


def test_a_refusal_that_tells_an_id_is_no_refusal(runner: Runner) -> None:
    runner.simulator.fault("raw_body", status=429, body='{"error":1,"new_record":13}')
    result = runner.did(**VENDOR_CREATE, retries=3)
    assert (result["error"]["kind"], result["error"]["record_id"]) == ("unknown_outcome", 13)
    assert "record 13" in result["msg"]
    assert len(runner.requests()) == 1


def test_an_id_beside_an_unclear_error_is_told(runner: Runner) -> None:
    runner.simulator.fault("raw_body", body='{"new_record":13}')
    assert runner.did(**VENDOR_CREATE)["error"]["record_id"] == 13


def test_a_refusal_that_breaks_off_in_its_headers_is_no_refusal(
    runner: Runner, half_answer: str
) -> None:
    result = runner.did(**VENDOR_CREATE, api_url=half_answer, platform=_name(runner), retries=2)
    assert result["error"]["kind"] == "unknown_outcome", result


CHUNKED = "HTTP/1.1 {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n"
CREATED = '{"error":0,"reason":"OK","new_record":13}'
REFUSED = '{"error":1,"reason":"no"}'


def test_an_answer_in_chunks(runner: Runner) -> None:
    """As a proxy before the platform may send it: whole when its last chunk has come, and not before."""
    task: dict[str, Any] = {**VENDOR_CREATE, "platform": _name(runner)}
    first = CHUNKED.format("422 no", len(REFUSED), REFUSED)
    for answer in (first, first[:-9], first + "5\r\n"):
        with _answering(answer) as url:
            result = runner.did(**{**task, "did_number": str(len(answer))}, api_url=url)
        assert result["error"]["kind"] == "unknown_outcome", (answer, result)
    with _answering(first + "0\r\n\r\n") as url:
        assert runner.did(**task, api_url=url)["error"]["kind"] == "refused"
    with _answering(CHUNKED.format("200 OK", len(CREATED), CREATED) + "0\r\n\r\n") as url:
        assert runner.did(**task, api_url=url)["record_id"] == 13
    assert runner.both(**VENDOR_CREATE)["action"] == "none"


@pytest.fixture(params=["HTTP/1.1 422", "HTTP/1.1 429\r\n", "HTTP/1.1 403 no\r\nContent-Ty"])
def half_answer(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server whose answer ends in the middle of its headers."""
    with _answering(request.param) as url:
        yield url


@contextlib.contextmanager
def _answering(answer: str) -> Iterator[str]:
    """A server that answers this to whatever it is asked, and then closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                while b"host_additional" not in connection.recv(65536):
                    pass
                connection.sendall(answer.encode())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_connection_that_is_reset_before_the_first_byte(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: bool
) -> None:
    """Nothing was written, so nothing was applied, and the next run creates."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    # Not before it stands: else it would not be one.
    stands, was_reset = threading.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        with listener:
            connection = listener.accept()[0]
        if tls:
            connection = context.wrap_socket(connection, server_side=True)
        assert stands.wait(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        was_reset.set()

    holds = Journal.is_claim_valid

    def holds_after_that(self: Journal, token: str, seconds: float) -> bool:
        stands.set()
        assert was_reset.wait(10)
        return holds(self, token, seconds)

    monkeypatch.setattr(Journal, "is_claim_valid", holds_after_that)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=serve, args=[listener])
    thread.start()
    there: dict[str, Any] = {
        "api_url": url,
        "ca_path": str(tmp_path / "ca.pem"),
        "platform": _name(runner),
    }
    result = runner.did(**VENDOR_CREATE, **there)
    thread.join()
    assert result["error"]["kind"] == "unreachable", result
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
    assert len(runner.simulator.created()) == 1


def test_a_host_whose_name_cannot_be_resolved(runner: Runner) -> None:
    # An address in a zone that is not there: no name server is asked.
    there: dict[str, Any] = {"api_url": "https://[fe80::1%nosuchzone]", "platform": _name(runner)}
    result = runner.did(**VENDOR_CREATE, **there)
    assert (result["error"]["kind"], "resolved" in result["msg"]) == ("unreachable", True)
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


def test_a_redirect_to_the_same_path_is_told_and_not_followed(runner: Runner) -> None:
    runner.simulator.fault("redirect", status=301, location="https://other.example:8443{path}")
    result = runner.did(**VENDOR_CREATE)
    assert result["error"]["kind"] == "refused"
    assert "another host" in result["msg"] and "api_url" in result["msg"]
    assert "other.example" not in json.dumps(result)
    assert runner.simulator.token not in json.dumps(result)
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


@in_both_ways
def test_https_trusts_the_authority_of_ca_path_alone(tls_runner: Runner) -> None:
    runner = tls_runner
    unknown = runner.did(**VENDOR_CREATE, ca_path=..., retries=3)
    assert unknown["error"]["kind"] == "unreachable"
    assert "ca_path" in unknown["msg"]
    assert runner.requests() == []
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
    careless = runner.both(did_number="2", ca_path=..., validate_certs=False)
    assert careless["action"] == "create"
    assert "validate_certs" in json.dumps(careless["warnings"])


def test_authorities_from_the_environment(
    tls_runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_runner.simulator.ca_path))
    assert tls_runner.did(**VENDOR_CREATE, ca_path=...)["action"] == "create"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    assert tls_runner.did(did_number="2", ca_path=...)["error"]["kind"] == "unreachable"
    assert tls_runner.did(did_number="2", ca_path=..., validate_certs=False)["action"] == "create"


def test_tls_that_fails_before_and_after_the_request_was_written(
    tls_runner: Runner, runner: Runner
) -> None:
    # The same class of exception, ssl.SSLError, in both.
    plain = runner.simulator.url.replace("http://", "https://")
    before = runner.did(**VENDOR_CREATE, api_url=plain)
    assert (before["error"]["kind"], "TLS" in before["msg"]) == ("unreachable", True)
    tls_runner.simulator.fault("garbage")
    after = tls_runner.did(**VENDOR_CREATE)
    assert (after["error"]["kind"], "TLS" in after["msg"]) == ("unknown_outcome", True)


class _Proxy(BaseHTTPRequestHandler):
    """Passes plain HTTP on, and keeps what it saw."""

    seen: ClassVar[list[str]] = []

    def do_PUT(self) -> None:
        self.seen.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, body, dict(self.headers.items()), method="PUT")
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            content = answer.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_CONNECT(self) -> None:
        self.seen.append(self.path)
        if "slow" in self.seen:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            with contextlib.suppress(OSError):
                for _turn in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            return
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as platform:
            self.send_response(200)
            self.end_headers()
            _pass_on(self.connection, platform)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on between two connections until one of them ends."""
    peers = {one: other, other: one}
    while True:
        for source in select.select(list(peers), [], [], 10)[0]:
            data = source.recv(65536)
            if not data:
                return
            peers[source].sendall(data)


@pytest.fixture
def proxy() -> Iterator[str]:
    """A proxy on loopback."""
    _Proxy.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_proxies_are_honoured(runner: Runner, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
    assert len(_Proxy.seen) == 1
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert runner.did(did_number="2")["action"] == "create"
    assert len(_Proxy.seen) == 1


def test_https_goes_through_a_tunnel(
    tls_runner: Runner, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    assert tls_runner.did(**VENDOR_CREATE)["action"] == "create"
    assert _Proxy.seen == [tls_runner.simulator.url.split("//")[1]]
    tls_runner.simulator.fault("garbage")
    assert tls_runner.did(did_number="2")["error"]["kind"] == "unknown_outcome"
    # A proxy that lets its answer drip in does so within the deadline, and nothing was sent to the platform.
    _Proxy.seen.append("slow")
    begun = time.monotonic()
    slow = tls_runner.did(did_number="3", timeout=1)
    assert slow["error"]["kind"] == "unreachable"
    assert time.monotonic() - begun < 4
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    absent = tls_runner.did(did_number="3")
    assert (absent["error"]["kind"], "proxy" in absent["msg"]) == ("unreachable", True)


def test_plain_http_does_not_leave_this_machine_through_a_proxy(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    result = runner.did(**VENDOR_CREATE)
    assert result["error"]["kind"] == "unreachable"
    assert "proxy" in result["msg"]


def test_netrc_is_not_read(runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password geheim\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    runner.did(**VENDOR_CREATE)
    assert "Authorization" not in runner.requests()[0]["headers"]


@in_both_ways
def test_the_environment_gives_what_the_task_does_not(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTBILLING_API_URL", runner.simulator.url)
    monkeypatch.setenv("NEXTBILLING_API_TOKEN", runner.simulator.token)
    monkeypatch.setenv("NEXTBILLING_API_KEY", runner.simulator.key)
    monkeypatch.setenv("NEXTBILLING_REGISTRY", runner.store.location)
    for absent in (..., "", None):
        result = runner.did(
            **VENDOR_CREATE,
            api_url=absent,
            api_token=absent,
            api_key=absent,
            # ansible-core 2.18 itself refuses null for an option that has a default.
            registry="" if absent is None else absent,
        )
        assert result.get("registry", {}).get("location") == runner.store.location, result
        assert runner.simulator.key not in json.dumps(result)
    monkeypatch.setenv("NEXTBILLING_API_TOKEN", "")
    assert "NEXTBILLING_API_TOKEN" in runner.did(**VENDOR_CREATE, api_token=...)["msg"]


@in_both_ways
def test_a_run_with_nothing_to_do_does_not_need_requests(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.did(**VENDOR_CREATE)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "requests" else find_spec(name, *rest),
    )
    assert runner.both(**VENDOR_CREATE)["action"] == "none"
    result = runner.both(**VENDOR_CREATE, force=True)
    assert "requests" in result["msg"]
    assert result["error"]["kind"] == "unreachable"


def test_a_client_that_cannot_be_made_leaves_nothing(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (
        "ansible_collections.nextbilling.did.plugins.module_utils._platform.client.Client.__init__"
    )
    with monkeypatch.context() as patch:
        patch.setattr(place, lambda *_arguments: 1 / 0)
        assert runner.did(**VENDOR_CREATE)["error"]["kind"] == "internal_error"
    assert runner.rows("SELECT * FROM records") == []


@in_both_ways
def test_short_secrets_leave_ids_readable(runner: Runner) -> None:
    simulator = runner.simulator
    result = runner.did(**VENDOR_CREATE, registry_password="13")
    assert (result["record_id"], result["fields"]["customer_id"]) == (13, 13)
    assert simulator.key not in json.dumps(result)


@as_a_module
def test_outside_the_main_thread(runner: Runner) -> None:
    """Where somebody runs modules within a program, signals are not the module's to hear."""
    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(lambda: runner.did(**VENDOR_CREATE)).result(timeout=30)
    assert result["action"] == "create"


@in_both_ways
def test_a_defect_tells_its_place_and_no_values(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_args: Any) -> None:
        raise RuntimeError("geheim")

    place = "ansible_collections.nextbilling.did.plugins.module_utils._engine.planner.decide"
    monkeypatch.setattr(place, defect)
    result = runner.did(**VENDOR_CREATE)
    assert result["error"]["kind"] == "internal_error"
    assert "RuntimeError" in result["msg"] and "geheim" not in json.dumps(result)


@on_both_backends
def test_time_that_is_up_before_the_first_byte(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the registry, asked whether the claim still holds, answers late."""
    holds = Journal.is_claim_valid

    def late(self: Journal, token: str, seconds: float) -> bool:
        time.sleep(0.4)
        return holds(self, token, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "is_claim_valid", late)
        result = runner.did(**VENDOR_CREATE, timeout=0.3)
    assert result["error"]["kind"] == "unreachable", result["msg"]
    assert (runner.rows("SELECT * FROM records"), runner.requests()) == ([], [])
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


@in_both_ways
@on_both_backends
def test_an_interrupted_run_leaves_the_truth(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = (
        "ansible_collections.nextbilling.did.plugins.module_utils._platform.transport.read_answer"
    )

    def interrupt(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(answered, interrupt)
        with pytest.raises(KeyboardInterrupt):
            runner.did(**VENDOR_CREATE)
    assert runner.rows("SELECT outcome FROM records") == [("unknown",)]
    assert runner.did(**VENDOR_CREATE)["error"]["kind"] == "unknown_outcome"


@in_both_ways
def test_it_runs_in_any_folder(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


# Ansible itself does not start there.
@as_a_module
def test_it_runs_in_a_folder_that_is_gone(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
