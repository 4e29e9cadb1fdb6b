# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated endpoint against the vendor's page."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.nextbilling.did.tests.support.waiting import until

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.functional.simulator.conftest import Caller
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator

# As on the vendor's page: both bodies lack the closing brace of the object.
VENDOR_PATH = (
    "/api/manageDID/7cb40d54-4ebf-55a6-875a-5f57234e97cc-9990"
    "/b12c87a7-6dd6-5f99-9b47-c7c3be66fe73-8629"
)
VENDOR_PUT = (
    '{"customer_id": 13, "description": "Número Entrante", "did_number": "1166", '
    '"host": "192.168.0.2", "port": 5060, "host_additional": ["192.168.0.1","192.168.0.3"]'
)
VENDOR_POST = (
    '{"description": "Número Entrante Editado", "host": "192.168.0.2", "port": 5060, '
    '"host_additional": ["192.168.0.1","192.168.0.3"]'
)
VENDOR_ANSWER = b'{\n   "error":0,\n   "reason":"OK",\n   "new_record":13,\n}\n'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_vendors_two_commands_work(sim: Simulator, call: Caller) -> None:
    put = call("PUT", VENDOR_PUT, path=VENDOR_PATH, headers=FORM)
    assert (put.status, put.body) == (200, VENDOR_ANSWER)
    post = call("POST", VENDOR_POST, path=VENDOR_PATH + "/12", headers=FORM)
    assert (post.status, post.body) == (200, b'{\n   "error":0,\n   "reason":"OK",\n}\n')
    held = sim.dids()
    assert held[13] == json.loads(VENDOR_PUT + "}")
    assert held[12] == json.loads(VENDOR_POST + "}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    ("method", "body", "path"),
    [("PUT", VENDOR_PUT, VENDOR_PATH), ("POST", VENDOR_POST, VENDOR_PATH + "/12")],
)
def test_the_vendors_commands_work_with_curl_itself(
    sim: Simulator, method: str, body: str, path: str
) -> None:
    command = ["curl", "-sS", "--noproxy", "*", "--max-time", "10"]
    command += ["-X", method, "-d", body, sim.url + path]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert b'"error":0' in done.stdout
    (seen,) = sim.requests()
    assert seen["headers"]["Content-Type"] == FORM["Content-Type"]
    assert seen["body"] == body


def test_put_creates_and_post_edits(sim: Simulator, call: Caller) -> None:
    call.put({"did_number": "1166", "port": 5060})
    call.put({"did_number": "1167"})
    call.post(13, {"port": 5061})
    assert sim.dids() == {
        12: {},
        13: {"did_number": "1166", "port": 5061},
        14: {"did_number": "1167"},
    }


@pytest.mark.parametrize("body", ["", "   ", '{"did_number": "1', "null", '["did_number"]', "1"])
def test_an_incomplete_request(sim: Simulator, call: Caller, body: str) -> None:
    assert call.put(body).status == 400
    assert sim.created() == []


@pytest.mark.parametrize("body", [b'{"did_number": "\xff"}', b'{"port": NaN}', b"[" * 100_000])
def test_a_body_that_is_no_json(sim: Simulator, call: Caller, body: bytes) -> None:
    reply = call.put(body)
    assert reply.status == 400
    assert b'"error":1' in reply.body
    assert sim.requests()[0]["json"] is None


def test_a_body_over_the_limit(sim: Simulator, call: Caller) -> None:
    start = '{"did_number": "1", "annotations": "'
    fits = start + "x" * (128_000 - len(start) - 2) + '"}'
    assert len(fits) == 128_000
    assert call.put(fits).status == 200
    assert call.put(fits + " ").status == 413
    assert call.put("x" * 3_000_000).status == 413
    assert len(sim.created()) == 1


@pytest.mark.parametrize("place", ["token", "key"])
def test_a_wrong_token_or_key(sim: Simulator, call: Caller, place: str) -> None:
    path = sim.path().replace(getattr(sim, place), "wrong")
    assert call("PUT", {"did_number": "1"}, path=path).status == 403
    assert sim.created() == []


@pytest.mark.parametrize(
    ("method", "end"),
    [
        ("PUT", "/12"),
        ("POST", ""),
        ("POST", "/twelve"),
        ("POST", "/"),
        ("POST", "/-1"),
        ("POST", "/99"),
        ("GET", ""),
        ("DELETE", "/12"),
        ("PATCH", "/12"),
    ],
)
def test_no_such_option(sim: Simulator, call: Caller, method: str, end: str) -> None:
    assert call(method, {"did_number": "1"}, path=sim.path() + end).status == 404
    assert sim.dids() == {12: {}}


def test_an_unknown_path(sim: Simulator, call: Caller) -> None:
    assert call("PUT", {"did_number": "1"}, path="/api/manageDevice/a/b").status == 404
    assert call("PUT", {"did_number": "1"}, path="/").status == 404
    assert [entry["path"] for entry in sim.requests()] == ["/api/manageDevice/a/b", "/"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", 65536),
        ("port1", -1),
        ("port2", "5060"),
        ("customer_id", -1),
        ("max_calls", 1.5),
        ("register", True),
        ("enable_ddi", 2),
        ("status", "1"),
        ("did_type", 2),
        ("did_type", "queue"),
        ("did_number", ""),
        ("did_number", "12a"),
        ("did_number", 1166),
        ("description", 5),
        ("password", None),
        ("host_additional", "192.168.0.1"),
        ("host_additional", [1]),
        ("tenant", "x"),
    ],
)
def test_an_invalid_field(sim: Simulator, call: Caller, field: str, value: Any) -> None:
    reply = call.put({"did_number": "1166", field: value})
    assert reply.status == 422
    assert field.encode() in reply.body
    assert call.post(12, {field: value}).status == 422
    assert sim.dids() == {12: {}}


def test_every_field_of_the_vendors_page_is_taken(sim: Simulator, call: Caller) -> None:
    fields = {
        "customer_id": 0,
        "description": "",
        "rate_id": 1,
        "rate_cost_id": 2,
        "did_number": "+551140001166",
        "did_type": 5,
        "did_type_id": 3,
        "device_id": 4,
        "host": "192.0.2.1",
        "port": 0,
        "username": "u",
        "password": "p",
        "techprefix1": "1",
        "ip_address1": "192.0.2.2",
        "port1": 65535,
        "techprefix2": "2",
        "ip_address2": "192.0.2.3",
        "port2": 5060,
        "callerid_add": "0",
        "max_calls": 10,
        "play_audio": 0,
        "hide_from_reseller": 1,
        "enable_fixed": 1,
        "enable_mobile": 1,
        "enable_ddi": 0,
        "register": 0,
        "status": 1,
        "annotations": "ação",
        "host_additional": [],
    }
    assert len(fields) == 29
    assert call.put(fields).status == 200
    assert sim.dids()[13] == fields


def test_a_put_without_a_number(sim: Simulator, call: Caller) -> None:
    reply = call.put({"description": "x"})
    assert reply.status == 422
    assert b"did_number" in reply.body


def test_the_ledger_tells_what_came_and_what_was_done(sim: Simulator, call: Caller) -> None:
    call("PUT", '{"did_number": "1166"', headers={"X-Trace": "7"})
    call.post(13, {"port": 5060})
    call.post(99, {"port": 5060})
    ledger = sim.ledger()
    put, post, refused = ledger["requests"]
    assert [put["sequence"], post["sequence"], refused["sequence"]] == [1, 2, 3]
    assert (put["method"], put["path"]) == ("PUT", sim.path())
    assert post["path"] == sim.path(13)
    assert put["headers"]["X-Trace"] == "7"
    assert put["body"] == '{"did_number": "1166"'
    assert put["json"] == {"did_number": "1166"}
    assert put["remote_port"] > 0
    assert (put["status"], put["done"], put["record_id"]) == (200, "answered", 13)
    assert (put["fault"], put["processed"], put["reason"]) == (None, True, None)
    assert (refused["status"], refused["record_id"]) == (404, None)
    assert "99" in refused["reason"]
    (created,) = ledger["created"]
    assert (created["record_id"], created["did_number"], created["request"]) == (13, "1166", 1)
    (edited,) = ledger["edited"]
    assert (edited["record_id"], edited["did_number"], edited["request"]) == (13, "1166", 2)


def test_a_request_is_in_the_ledger_from_its_head_on(sim: Simulator, call: Caller) -> None:
    with call.open() as sock:
        head = f"PUT {sim.path()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        sock.sendall(head.encode() + b'{"did')
        seen = until(sim.requests)
        assert (seen[0]["done"], seen[0]["body"], seen[0]["processed"]) == (
            "in flight",
            None,
            False,
        )
    until(lambda: sim.requests()[0]["done"] == "client gone")
    assert sim.created() == []


def test_duplicates_are_counted_by_digits(sim: Simulator, call: Caller) -> None:
    for number in ("+1166", "1166", "1167"):
        call.put({"did_number": number})
    assert sim.duplicates() == {"1166": [13, 14]}


def test_keep_alive(sim: Simulator) -> None:
    connection = sim.connect(timeout=10)
    try:
        for number in ("1", "2"):
            connection.request("PUT", sim.path(), json.dumps({"did_number": number}))
            assert connection.getresponse().read()
    finally:
        connection.close()
    first, second = sim.requests()
    assert first["remote_port"] == second["remote_port"]
