# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every switch of the simulator, and its refusals."""

from __future__ import annotations

import http.client
import json
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.nextbilling.did.tests.support.waiting import until

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.functional.simulator.conftest import Caller
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator

DID = {"did_number": "1166", "port": 5060}


def test_duplicates(sim: Simulator, call: Caller) -> None:
    assert [call.put(DID).status, call.put(DID).status] == [200, 200]
    sim.switch(duplicates="refuse")
    assert call.put({"did_number": "+1166"}).status == 422
    assert call.put({"did_number": "1167"}).status == 200
    assert call.post(15, {"did_number": "1166"}).status == 422
    assert call.post(15, {"did_number": "1167"}).status == 200
    assert sorted(sim.dids()) == [12, 13, 14, 15]


def test_post(sim: Simulator, call: Caller) -> None:
    call.put(DID)
    call.post(13, {"description": "a"})
    assert sim.dids()[13] == {**DID, "description": "a"}
    sim.switch(post="replace")
    call.post(13, {"description": "b"})
    assert sim.dids()[13] == {"description": "b"}


def test_trailing_comma(sim: Simulator, call: Caller) -> None:
    with pytest.raises(json.JSONDecodeError):
        call.put(DID).json()
    sim.switch(trailing_comma=False)
    assert call.put(DID).json() == {"error": 0, "reason": "OK", "new_record": 14}


def test_ids_as_strings(sim: Simulator, call: Caller) -> None:
    sim.switch(ids_as_strings=True, trailing_comma=False)
    assert call.put(DID).json() == {"error": "0", "reason": "OK", "new_record": "13"}


def test_post_new_record(sim: Simulator, call: Caller) -> None:
    sim.switch(trailing_comma=False)
    assert call.post(12, DID).json() == {"error": 0, "reason": "OK"}
    sim.switch(post_new_record="same")
    assert call.post(12, DID).json() == {"error": 0, "reason": "OK", "new_record": 12}


def test_failures(sim: Simulator, call: Caller) -> None:
    sim.switch(failures="body", trailing_comma=False, duplicates="refuse")
    call.put(DID)
    wrong = "/api/manageDID/wrong/wrong"
    replies = [
        call.put({"port": 5060}),
        call.put({**DID, "port": -1}),
        call.put(DID),
        call.post(99, DID),
        call("PUT", DID, path=wrong),
    ]
    assert [(reply.status, reply.json()["error"]) for reply in replies] == [(200, 1)] * 5
    assert all(reply.json()["reason"] for reply in replies)
    assert call.put("").status == 400
    assert len(sim.created()) == 1


def test_host_additional(sim: Simulator, call: Caller) -> None:
    call.put({"did_number": "1166", "host_additional": ["a", "b"]})
    call.post(13, {"host_additional": ["c"]})
    assert sim.dids()[13]["host_additional"] == ["c"]
    sim.switch(host_additional="append")
    call.post(13, {"host_additional": ["c", "d"]})
    assert sim.dids()[13]["host_additional"] == ["c", "d"]
    call.post(13, {"host_additional": []})
    assert sim.dids()[13]["host_additional"] == ["c", "d"]


def test_unknown_parameters(sim: Simulator, call: Caller) -> None:
    body = {"did_number": "1166", "colour": "red"}
    assert call.put(body).status == 422 and sim.created() == []
    sim.switch(unknown_parameters="accept")
    assert call.put(body).status == 200 and sim.dids()[13] == body
    # The known ones are checked all the same.
    assert call.put({**body, "port": "x"}).status == 422


@pytest.mark.parametrize(
    ("value", "status", "retry_after"),
    [("allow", 200, None), ("refuse", 429, None), ("refuse_with_retry_after", 429, "7")],
)
def test_simultaneous(
    sim: Simulator, call: Caller, value: str, status: int, retry_after: str | None
) -> None:
    sim.switch(simultaneous=value, retry_after=7)
    sim.fault("hang_before", match={"did_number": "1"})
    with call.open() as held:
        held.sendall(call.request({"did_number": "1"}))
        until(lambda: has_arrived(sim))
        reply = call.put({"did_number": "2"})
    assert (reply.status, reply.headers["Retry-After"]) == (status, retry_after)
    assert len(sim.created()) == int(status == 200)


def test_one_after_the_other_is_not_simultaneous(sim: Simulator, call: Caller) -> None:
    sim.switch(simultaneous="refuse")
    assert {call.put({"did_number": str(number)}).status for number in range(20)} == {200}


def has_arrived(sim: Simulator) -> bool:
    """Whether a request has arrived whole."""
    return any(entry["body"] is not None for entry in sim.requests())


def test_bom(sim: Simulator, call: Caller) -> None:
    assert not call.put(DID).body.startswith(b"\xef\xbb\xbf")
    sim.switch(bom=True)
    assert call.put(DID).body.startswith(b"\xef\xbb\xbf{")


def test_latency_goes_on_when_the_client_has_left(sim: Simulator, call: Caller) -> None:
    sim.switch(latency_ms=500)
    with call.open() as left:
        left.sendall(call.request(DID))
        until(lambda: has_arrived(sim))
    assert sim.created() == []
    until(sim.created)
    until(lambda: sim.requests()[0]["done"] == "client gone")
    assert len(sim.created()) == 1


def test_first_id(sim: Simulator, call: Caller) -> None:
    call.put(DID)
    sim.switch(first_id=11)
    for _turn in range(2):
        call.put(DID)
    # 12 and 13 are taken.
    assert sorted(sim.dids()) == [11, 12, 13, 14]


def test_existing_ids(sim: Simulator, call: Caller) -> None:
    call.put(DID)
    sim.switch(existing_ids=[13, 20])
    assert sim.dids() == {13: DID, 20: {}}
    assert call.post(20, DID).status == 200
    sim.switch(existing_ids=[])
    assert sim.dids() == {13: DID}


def test_required_fields(sim: Simulator, call: Caller) -> None:
    sim.switch(required_fields=["did_number", "customer_id"])
    assert call.put(DID).status == 422
    assert call.put({**DID, "customer_id": 1}).status == 200
    assert call.post(13, {"port": 1}).status == 200
    sim.switch(required_fields=[])
    assert call.put({"port": 1}).status == 200


def test_reset_brings_back_the_values_of_the_start(
    client: ModuleType, caller: type[Caller]
) -> None:
    access = {"token": "t", "key": "k"}
    start = {"first_id": 100, "existing_ids": [], "trailing_comma": False, "post": "replace"}
    with client.Simulator.start(switches=start, **access) as sim:
        assert sim.path(1) == "/api/manageDID/t/k/1"
        call = caller(sim)
        assert call.put(DID).json()["new_record"] == 100
        sim.switch(first_id=5, bom=True, required_fields=["host"])
        sim.fault("drop_before", times=None)
        sim.reset()
        assert {name: sim.switches()[name] for name in start} == start
        assert (sim.switches()["bom"], sim.faults(), sim.dids()) == (False, [], {})
        assert sim.ledger() == {"requests": [], "created": [], "edited": []}
        assert call.put(DID).json()["new_record"] == 100


def test_reset_by_either_route(sim: Simulator, call: Caller) -> None:
    for method, route in (("DELETE", ""), ("DELETE", "/"), ("POST", "/reset")):
        call.put(DID)
        assert ask(sim, method, route)[0] == 200
        assert sim.requests() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, ["colour", "duplicates"]),
        ({"duplicates": "maybe"}, ["duplicates", "accept", "refuse"]),
        ({"bom": 1}, ["bom", "true or false"]),
        ({"first_id": 0}, ["first_id", "whole number"]),
        ({"first_id": True}, ["first_id", "whole number"]),
        ({"latency_ms": "1"}, ["latency_ms", "milliseconds"]),
        ({"existing_ids": ["1"]}, ["existing_ids", "list"]),
        ({"required_fields": "did_number"}, ["required_fields", "list"]),
        ({"retry_after": -1}, ["retry_after", "seconds"]),
        ([], ["object"]),
    ],
)
def test_a_bad_switch_is_refused_whole(sim: Simulator, change: Any, words: list[str]) -> None:
    before = sim.switches()
    both = {"post": "replace", **change} if isinstance(change, dict) else change
    status, answer = ask(sim, "PATCH", "/switches", both)
    assert status == 400
    assert all(word in answer["error"] for word in words)
    assert sim.switches() == before


def test_the_client_says_why_a_switch_is_refused(client: ModuleType, sim: Simulator) -> None:
    with pytest.raises(client.SimulatorError, match="colour"):
        sim.switch(colour="red")


def test_admin_routes_that_do_not_exist(sim: Simulator) -> None:
    status, answer = ask(sim, "GET", "/nothing")
    assert status == 404
    assert "/_simulator/ledger" in answer["error"]
    status, answer = ask(sim, "POST", "/ledger")
    assert status == 405
    assert "GET" in answer["error"]
    assert ask(sim, "PATCH", "/switches", "{")[0] == 400
    assert "GET /_simulator/dids" in ask(sim, "GET", "")[1]["routes"]
    assert sim.requests() == []


def ask(sim: Simulator, method: str, route: str, body: Any = None) -> tuple[int, Any]:
    """An admin request as any HTTP client makes it; a str is sent as it is."""
    connection: http.client.HTTPConnection = sim.connect(timeout=10)
    try:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        connection.request(method, f"/_simulator{route}", text)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
