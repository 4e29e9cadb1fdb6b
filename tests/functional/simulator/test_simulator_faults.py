# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of the simulator, seen by a client that repairs nothing."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.nextbilling.did.tests.support.waiting import until

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.functional.simulator.conftest import Caller
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator

DID = {"did_number": "1166"}
ANSWER = b'{\n   "error":0,\n   "reason":"OK",\n   "new_record":13,\n}\n'


@pytest.fixture(name="any_call", params=["http", "https"])
def _any_call(request: pytest.FixtureRequest, caller: Callable[[Any], Caller]) -> Caller:
    """A client of a simulator without TLS, then of one with it."""
    name = "sim" if request.param == "http" else "tls_sim"
    return caller(request.getfixturevalue(name))


def last(sim: Simulator) -> dict[str, Any]:
    """The ledger's last request."""
    return sim.requests()[-1]


def has_met_a_fault(sim: Simulator) -> bool:
    """Whether a fault has been chosen for the ledger's last request."""
    return any(entry["fault"] for entry in sim.requests()[-1:])


def test_latency(sim: Simulator, call: Caller) -> None:
    sim.fault("latency", seconds=0.1)
    before = time.monotonic()
    assert call.put(DID).body == ANSWER
    assert time.monotonic() - before >= 0.1


def test_status(sim: Simulator, call: Caller) -> None:
    sim.fault("status", status=503, body="<h1>busy</h1>", headers={"X-From": "proxy"})
    reply = call.put(DID)
    assert (reply.status, reply.body) == (503, b"<h1>busy</h1>")
    assert (reply.headers["X-From"], reply.headers["Content-Type"][:9]) == ("proxy", "text/html")
    sim.fault("status", status=408)
    reply = call.put(DID)
    assert reply.status == 408
    assert b'"error":1' in reply.body
    assert sim.created() == []
    assert (last(sim)["fault"], last(sim)["processed"], last(sim)["status"]) == (
        "status",
        False,
        408,
    )


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_status_after(sim: Simulator, call: Caller, status: int) -> None:
    sim.fault("status_after", status=status)
    assert call.put(DID).status == status
    assert len(sim.created()) == 1
    assert (last(sim)["processed"], last(sim)["record_id"]) == (True, 13)


def test_error_body(sim: Simulator, call: Caller) -> None:
    sim.switch(trailing_comma=False)
    sim.fault("error_body", reason="DID exists")
    reply = call.put(DID)
    assert (reply.status, reply.json()) == (200, {"error": 1, "reason": "DID exists"})
    sim.fault("error_body", reason="half", new_record=9, error="2")
    assert call.put(DID).json() == {"error": "2", "reason": "half", "new_record": 9}
    assert sim.created() == []


@pytest.mark.parametrize(("name", "made"), [("drop_before", 0), ("drop_after", 1)])
def test_drop(any_call: Caller, name: str, made: int) -> None:
    sim = any_call.simulator
    sim.fault(name)
    assert any_call.raw(DID) == b""
    assert len(sim.created()) == made
    assert (last(sim)["done"], last(sim)["status"]) == ("closed", None)
    assert any_call.put(DID).status == 200


@pytest.mark.parametrize(("name", "made"), [("reset_before", 0), ("reset_after", 1)])
def test_reset(any_call: Caller, name: str, made: int) -> None:
    sim = any_call.simulator
    sim.fault(name)
    with any_call.open() as sock:
        sock.sendall(any_call.request(DID))
        # Beneath TLS, because Python's ssl module may report a reset as an end.
        with socket.socket(fileno=os.dup(sock.fileno())) as bare:
            bare.settimeout(10)
            with pytest.raises(ConnectionResetError):
                while bare.recv(65536):
                    pass
    assert len(sim.created()) == made
    assert last(sim)["done"] == "reset"
    assert any_call.put(DID).status == 200


@pytest.mark.parametrize(("name", "made"), [("hang_before", 0), ("hang_after", 1)])
def test_hang_until_the_client_leaves(sim: Simulator, call: Caller, name: str, made: int) -> None:
    sim.fault(name)
    with call.open() as held:
        held.sendall(call.request(DID))
        until(lambda: has_met_a_fault(sim) and len(sim.created()) == made)
        held.settimeout(0.1)
        with pytest.raises(TimeoutError):
            held.recv(1)
    until(lambda: last(sim)["done"] == "hung")
    assert len(sim.created()) == made
    assert (last(sim)["status"], last(sim)["processed"]) == (None, bool(made))


def test_hang_for_some_time(any_call: Caller) -> None:
    any_call.simulator.fault("hang_before", seconds=0.05)
    assert any_call.raw(DID) == b""
    assert last(any_call.simulator)["done"] == "hung"


def test_reset_route_lets_go_of_what_hangs(sim: Simulator, call: Caller) -> None:
    sim.fault("hang_before")
    with call.open() as held:
        held.sendall(call.request(DID))
        until(lambda: has_met_a_fault(sim))
        sim.reset()
        assert held.recv(100) == b""
    assert sim.requests() == []


def test_a_request_of_before_a_reset_touches_nothing_after_it(sim: Simulator, call: Caller) -> None:
    sim.switch(latency_ms=300)
    with call.open() as left:
        left.sendall(call.request(DID))
        until(lambda: sim.requests() and last(sim)["body"])
    sim.reset()
    time.sleep(0.4)
    assert (sim.dids(), sim.requests(), sim.created()) == ({12: {}}, [], [])


def test_slow_drip(any_call: Caller) -> None:
    any_call.simulator.fault("slow_drip", seconds_per_byte=0.001)
    with any_call.open() as sock:
        sock.sendall(any_call.request(DID))
        pieces = list(iter(lambda: sock.recv(65536), b""))
    assert len(pieces) > 20
    assert b"".join(pieces).startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"".join(pieces).endswith(b"\r\n\r\n" + ANSWER)
    assert len(any_call.simulator.created()) == 1


def test_slow_drip_when_the_client_leaves(sim: Simulator, call: Caller) -> None:
    sim.fault("slow_drip", seconds_per_byte=0.02)
    with call.open() as sock:
        sock.sendall(call.request(DID))
        assert sock.recv(1) == b"H"
    until(lambda: last(sim)["done"] == "client gone")
    assert len(sim.created()) == 1


@pytest.mark.parametrize("retry_after", [None, 3, "Wed, 21 Oct 2037 07:28:00 GMT"])
def test_throttle(sim: Simulator, call: Caller, retry_after: Any) -> None:
    sim.fault("throttle", retry_after=retry_after)
    reply = call.put(DID)
    wanted = None if retry_after is None else str(retry_after)
    assert (reply.status, reply.headers["Retry-After"]) == (429, wanted)
    assert sim.created() == []


def test_truncate(any_call: Caller) -> None:
    sim = any_call.simulator
    sim.fault("truncate", bytes=10)
    head, _blank, body = any_call.raw(DID).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(ANSWER)}".encode() in head
    assert body == ANSWER[:10]
    sim.fault("truncate", keep_length=False)
    head, _blank, body = any_call.raw(DID).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert 0 < len(body) < len(ANSWER)
    assert len(sim.created()) == 2


@pytest.mark.parametrize("process", [True, False])
def test_raw_body(sim: Simulator, call: Caller, process: bool) -> None:
    bom = b'\xef\xbb\xbf{"error":0}'
    sim.fault("raw_body", body="<html>", process=process)
    sim.fault(
        "raw_body",
        body_base64=base64.b64encode(bom).decode(),
        status=201,
        content_type="application/json",
        process=process,
    )
    sim.fault("raw_body", process=process)
    replies = [call.put(DID) for _turn in range(3)]
    assert [reply.body for reply in replies] == [b"<html>", bom, b""]
    assert [reply.status for reply in replies] == [200, 201, 200]
    assert replies[1].headers["Content-Type"] == "application/json"
    assert len(sim.created()) == 3 * process


@pytest.mark.parametrize("new_record", [0, -1, "abc", 99, None, [1]])
def test_reply(sim: Simulator, call: Caller, new_record: Any) -> None:
    sim.fault("reply", json={"error": 0, "new_record": new_record})
    assert call.put(DID).json() == {"error": 0, "new_record": new_record}
    assert [entry["record_id"] for entry in sim.created()] == [13]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("process", [False, True])
def test_redirect(sim: Simulator, call: Caller, status: int, process: bool) -> None:
    sim.fault("redirect", status=status, location="https://127.0.0.1:9{path}?a=b", process=process)
    reply = call.put(DID)
    assert reply.status == status
    assert reply.headers["Location"] == f"https://127.0.0.1:9{sim.path()}?a=b"
    assert len(sim.created()) == int(process)


@pytest.mark.parametrize("process", [True, False])
def test_garbage(sim: Simulator, call: Caller, process: bool) -> None:
    sim.fault("garbage", process=process)
    data = call.raw(DID)
    assert data
    assert not data.startswith(b"HTTP")
    assert len(sim.created()) == int(process)


def test_garbage_beneath_tls(tls_sim: Simulator, caller: Callable[[Any], Caller]) -> None:
    tls_sim.fault("garbage")
    with pytest.raises(ssl.SSLError):
        caller(tls_sim).raw(DID)
    assert len(tls_sim.created()) == 1
    assert last(tls_sim)["done"] == "aborted"


@pytest.mark.parametrize("process", [True, False])
def test_raw_answer(any_call: Caller, process: bool) -> None:
    sim = any_call.simulator
    sim.fault("raw_answer", answer="HTTP/1.1 299 {path}\r\n\r\nx", process=process)
    assert any_call.raw(DID) == f"HTTP/1.1 299 {sim.path()}\r\n\r\nx".encode()
    assert len(sim.created()) == int(process)


def test_late_answer(any_call: Caller) -> None:
    sim = any_call.simulator
    sim.fault("late_answer", seconds=0.05, status=422, open=0.05)
    before = time.monotonic()
    received = any_call.raw(DID)
    assert time.monotonic() - before >= 0.1
    first, second = received.split(ANSWER)
    assert first.startswith(b"HTTP/1.1 200 OK") and second.startswith(b"HTTP/1.1 422 ")
    assert second.endswith(b'"new_record":999}')
    assert len(sim.created()) == 1


def test_close_idle(any_call: Caller) -> None:
    sim = any_call.simulator
    sim.fault("close_idle")
    head, _blank, body = any_call.raw(DID).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"connection:" not in head.lower()
    assert body == ANSWER
    assert (last(sim)["done"], last(sim)["status"]) == ("answered", 200)


def test_close_idle_swallows_the_next_request(sim: Simulator, call: Caller) -> None:
    sim.fault("close_idle", seconds=0.1)
    with call.open() as sock:
        sock.sendall(call.request(DID))
        assert sock.recv(65536).endswith(ANSWER)
        sock.sendall(call.request({"did_number": "1167"}))
        assert sock.recv(65536) == b""
    assert [entry["did_number"] for entry in sim.created()] == ["1166"]


def test_faults_strike_in_order_and_as_often_as_told(sim: Simulator, call: Caller) -> None:
    sim.fault("status", status=500, times=2)
    sim.fault("status", status=502)
    assert [fault["times"] for fault in sim.faults()] == [2, 1]
    assert [call.put(DID).status for _turn in range(4)] == [500, 500, 502, 200]
    assert sim.faults() == []
    sim.fault("status", status=500, times=None)
    assert {call.put(DID).status for _turn in range(5)} == {500}
    sim.clear_faults()
    assert call.put(DID).status == 200


def test_faults_strike_only_what_they_match(sim: Simulator, call: Caller) -> None:
    sim.fault("status", status=500, match={"method": "POST", "record_id": 12})
    sim.fault("status", status=502, match={"did_number": "1167"})
    sim.fault("status", status=503, match={"method": "POST", "did_number": "1168"})
    assert call.put(DID).status == 200
    assert call.post(13, {"port": 1}).status == 200
    assert call.post(12, {"port": 1}).status == 500
    assert call.put({"did_number": "+1167"}).status == 502
    assert call.put({"did_number": "1168"}).status == 200
    assert [fault["status"] for fault in sim.faults()] == [503]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({}, ["unknown fault", "drop_after"]),
        ({"fault": "explode"}, ["explode", "drop_after"]),
        ({"fault": "status"}, ["status", "needs"]),
        ({"fault": "status", "status": "500"}, ["status", "500"]),
        ({"fault": "status", "status": 100}, ["status", "100"]),
        ({"fault": "status", "status": 500, "headers": {"A": "x\r\ny"}}, ["headers"]),
        ({"fault": "status", "status": 500, "headers": {"Content-Length": "1"}}, ["headers"]),
        ({"fault": "drop_after", "seconds": 1}, ["drop_after", "seconds", "none"]),
        ({"fault": "drop_after", "times": 0}, ["times"]),
        ({"fault": "drop_after", "match": []}, ["match", "object"]),
        ({"fault": "drop_after", "match": {"path": "/"}}, ["match", "path", "did_number"]),
        ({"fault": "drop_after", "match": {"record_id": "1"}}, ["record_id", "int"]),
        ({"fault": "hang_after", "seconds": -1}, ["seconds"]),
        ({"fault": "raw_body", "body_base64": "?"}, ["body_base64"]),
        ({"fault": "reply"}, ["json"]),
        ({"fault": "redirect", "location": "/", "status": 200}, ["redirect"]),
        ("drop_after", ["object"]),
    ],
)
def test_a_bad_fault_is_refused(sim: Simulator, fault: Any, words: list[str]) -> None:
    connection = sim.connect(timeout=10)
    try:
        # One that is right comes first: all of a list is taken, or nothing.
        connection.request("POST", "/_simulator/faults", json.dumps([{"fault": "garbage"}, fault]))
        answer = connection.getresponse()
        message = json.loads(answer.read())["error"]
    finally:
        connection.close()
    assert answer.status == 400
    assert all(word in message for word in words)
    assert sim.faults() == []
