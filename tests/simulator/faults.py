# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: what may happen to a request between a client and a platform that works.

A fault is a JSON object: ``{"fault": name, "times": 1, "match": {...}, ...parameters}``. Faults
form a queue; a request meets the first one that matches it, and that one is used up by one time.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .api import Answer, phrase, record_id_of, vendor_json
from .exchange import Exchange
from .fields import digits
from .state import Entry

Params = Mapping[str, Any]
Act = Callable[[Exchange, Params], Awaitable[web.StreamResponse]]

_FOREVER = 3600
_HTML = "text/html; charset=utf-8"


class FaultError(ValueError):
    """A fault that does not exist, or a parameter which it does not take."""


@dataclass(frozen=True)
class Param:
    """A parameter of a fault: the check of its value, and its default (none: it must be given)."""

    accepts: Callable[[Any], bool]
    expected: str
    default: Any = None
    required: bool = False


@dataclass
class Fault:
    """A fault in the queue. ``times`` is how often it is still to strike; None is for ever."""

    name: str
    times: int | None
    match: dict[str, Any]
    params: dict[str, Any]

    def fits(self, entry: Entry) -> bool:
        """Whether the request of this ledger entry is one that the fault is meant for."""
        return all(_MATCHES[key](entry, wanted) for key, wanted in self.match.items())

    def shown(self) -> dict[str, Any]:
        """The fault as JSON, in the form in which it is given."""
        given = {key: value for key, value in self.params.items() if value is not None}
        return {"fault": self.name, "times": self.times, "match": self.match, **given}

    async def strike(self, exchange: Exchange) -> web.StreamResponse:
        """Do to the request what the fault is there for."""
        return await FAULTS[self.name].act(exchange, self.params)


@dataclass(frozen=True)
class Kind:
    """What a fault of this name does, and its parameters."""

    act: Act
    params: Mapping[str, Param]


# --- what the faults do -----------------------------------------------------------------------


async def _latency(exchange: Exchange, params: Params) -> web.StreamResponse:
    await exchange.work(params["seconds"])
    return exchange.send(exchange.process())


async def _status(exchange: Exchange, params: Params) -> web.StreamResponse:
    return exchange.send(_with_status(exchange, params))


async def _status_after(exchange: Exchange, params: Params) -> web.StreamResponse:
    exchange.process()
    return exchange.send(_with_status(exchange, params))


async def _error_body(exchange: Exchange, params: Params) -> web.StreamResponse:
    members = {"error": params["error"], "reason": params["reason"]}
    if params["new_record"] is not None:
        members["new_record"] = params["new_record"]
    return exchange.send(Answer(200, vendor_json(exchange.state, members)))


async def _drop_before(exchange: Exchange, params: Params) -> web.StreamResponse:
    return exchange.close()


async def _drop_after(exchange: Exchange, params: Params) -> web.StreamResponse:
    exchange.process()
    return exchange.close()


async def _reset_before(exchange: Exchange, params: Params) -> web.StreamResponse:
    return exchange.reset()


async def _reset_after(exchange: Exchange, params: Params) -> web.StreamResponse:
    exchange.process()
    return exchange.reset()


async def _hang_before(exchange: Exchange, params: Params) -> web.StreamResponse:
    await exchange.wait(params["seconds"])
    return exchange.close("hung")


async def _hang_after(exchange: Exchange, params: Params) -> web.StreamResponse:
    exchange.process()
    return await _hang_before(exchange, params)


async def _slow_drip(exchange: Exchange, params: Params) -> web.StreamResponse:
    answer = exchange.process()
    await exchange.send_raw(answer.raw(), answer.status, params["seconds_per_byte"])
    return exchange.close(done=None)


async def _throttle(exchange: Exchange, params: Params) -> web.StreamResponse:
    answer = _with_status(exchange, {"status": 429, "body": None, "headers": None})
    if params["retry_after"] is not None:
        answer.headers["Retry-After"] = str(params["retry_after"])
    return exchange.send(answer)


async def _truncate(exchange: Exchange, params: Params) -> web.StreamResponse:
    answer = exchange.process()
    keep = len(answer.body) // 2 if params["bytes"] is None else params["bytes"]
    cut = Answer(answer.status, answer.body[:keep], answer.headers)
    data = answer.raw(keep) if params["keep_length"] else cut.raw()
    await exchange.send_raw(data, answer.status)
    return exchange.close(done=None)


async def _raw_body(exchange: Exchange, params: Params) -> web.StreamResponse:
    if params["process"]:
        exchange.process()
    encoded = params["body_base64"]
    body = params["body"].encode("utf-8") if encoded is None else base64.b64decode(encoded)
    return exchange.send(Answer(params["status"], body, {"Content-Type": params["content_type"]}))


async def _reply(exchange: Exchange, params: Params) -> web.StreamResponse:
    exchange.process()
    return exchange.send(Answer(200, json.dumps(params["json"]).encode("utf-8")))


async def _redirect(exchange: Exchange, params: Params) -> web.StreamResponse:
    if params["process"]:
        exchange.process()
    location = params["location"].replace("{path}", exchange.path)
    return exchange.send(
        Answer(params["status"], b"", {"Content-Type": _HTML, "Location": location})
    )


async def _garbage(exchange: Exchange, params: Params) -> web.StreamResponse:
    if params["process"]:
        exchange.process()
    exchange.write_beneath(b"\x00\x01this is neither TLS nor HTTP\r\n\r\n")
    return exchange.abort()


async def _raw_answer(exchange: Exchange, params: Params) -> web.StreamResponse:
    if params["process"]:
        exchange.process()
    answer = params["answer"].replace("{path}", exchange.path)
    await exchange.send_raw(answer.encode("utf-8"), None)
    return exchange.close(done=None)


async def _late_answer(exchange: Exchange, params: Params) -> web.StreamResponse:
    answer = exchange.process()
    late = Answer(params["status"], params["body"].encode("utf-8"))
    if await exchange.send_raw(answer.raw(), answer.status):
        await exchange.wait(params["seconds"])
        await exchange.send_raw(late.raw(), answer.status)
        await exchange.wait(params["open"])
    return exchange.close(done=None)


async def _close_idle(exchange: Exchange, params: Params) -> web.StreamResponse:
    answer = exchange.process()
    if await exchange.send_raw(answer.raw(), answer.status):
        await exchange.wait(params["seconds"])
    return exchange.close(done=None)


def _with_status(exchange: Exchange, params: Params) -> Answer:
    """An answer with the status, body and headers that a fault asks for."""
    headers = params["headers"] or {}
    if params["body"] is not None:
        return Answer(
            params["status"], params["body"].encode("utf-8"), {**_typed(_HTML), **headers}
        )
    members = {"error": 1, "reason": phrase(params["status"])}
    answer = Answer(params["status"], vendor_json(exchange.state, members))
    answer.headers.update(headers)
    return answer


def _typed(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type}


# --- their parameters ---------------------------------------------------------------------------


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_header_text(value: Any) -> bool:
    return isinstance(value, str) and not set(value) & set("\r\n\0")


def _is_headers(value: Any) -> bool:
    texts = isinstance(value, dict) and all(map(_is_header_text, [*value, *value.values()]))
    # A length of one's own would make the server wait for a body that never comes.
    return texts and "content-length" not in {name.lower() for name in value}


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except (binascii.Error, ValueError):
        return False


def _seconds(default: float | None = None) -> Param:
    return Param(_is_seconds, "a number of seconds", default, required=default is None)


def _status_param(default: int | None = None) -> Param:
    return Param(
        lambda value: _is_whole(value) and 200 <= value <= 599,
        "a status from 200 to 599",
        default,
        required=default is None,
    )


def _process(default: bool) -> Param:
    return Param(lambda value: isinstance(value, bool), "true or false", default)


_BODY = Param(_is_text, "a string")
_BODY_OF_ANOTHER = Param(_is_text, "a string", '{"error":0,"reason":"OK","new_record":999}')
_HEADERS = Param(_is_headers, "an object of strings, without Content-Length")

FAULTS: Mapping[str, Kind] = {
    "latency": Kind(_latency, {"seconds": _seconds()}),
    "status": Kind(_status, {"status": _status_param(), "body": _BODY, "headers": _HEADERS}),
    "status_after": Kind(
        _status_after, {"status": _status_param(), "body": _BODY, "headers": _HEADERS}
    ),
    "error_body": Kind(
        _error_body,
        {
            "reason": Param(lambda value: True, "any JSON value", "Error"),
            "new_record": Param(lambda value: True, "any JSON value"),
            "error": Param(lambda value: True, "any JSON value", 1),
        },
    ),
    "drop_before": Kind(_drop_before, {}),
    "drop_after": Kind(_drop_after, {}),
    "reset_before": Kind(_reset_before, {}),
    "reset_after": Kind(_reset_after, {}),
    "hang_before": Kind(_hang_before, {"seconds": _seconds(_FOREVER)}),
    "hang_after": Kind(_hang_after, {"seconds": _seconds(_FOREVER)}),
    "slow_drip": Kind(_slow_drip, {"seconds_per_byte": _seconds(0.5)}),
    "throttle": Kind(
        _throttle,
        {
            "retry_after": Param(
                lambda value: _is_seconds(value) or _is_header_text(value),
                "a number of seconds or an HTTP date",
            )
        },
    ),
    "truncate": Kind(
        _truncate,
        {
            "bytes": Param(lambda value: _is_whole(value) and value >= 0, "a number of bytes"),
            "keep_length": _process(True),
        },
    ),
    "raw_body": Kind(
        _raw_body,
        {
            "body": Param(_is_text, "a string", ""),
            "body_base64": Param(_is_base64, "base64"),
            "status": _status_param(200),
            "process": _process(True),
            "content_type": Param(_is_header_text, "a string", _HTML),
        },
    ),
    "reply": Kind(
        _reply, {"json": Param(lambda value: isinstance(value, dict), "an object", required=True)}
    ),
    "redirect": Kind(
        _redirect,
        {
            "status": Param(lambda value: value in (301, 302, 303, 307, 308), "a redirect", 307),
            "location": Param(_is_header_text, "a URL", required=True),
            "process": _process(False),
        },
    ),
    "garbage": Kind(_garbage, {"process": _process(True)}),
    "raw_answer": Kind(
        _raw_answer,
        {"answer": Param(_is_text, "a string", required=True), "process": _process(True)},
    ),
    "late_answer": Kind(
        _late_answer,
        {
            "seconds": _seconds(0),
            "status": _status_param(200),
            "body": _BODY_OF_ANOTHER,
            "open": _seconds(1),
        },
    ),
    "close_idle": Kind(_close_idle, {"seconds": _seconds(0)}),
}


# --- from JSON ----------------------------------------------------------------------------------

_MATCHES: Mapping[str, Callable[[Entry, Any], bool]] = {
    "method": lambda entry, wanted: bool(entry["method"] == wanted),
    "did_number": lambda entry, wanted: _number_in(entry) == digits(wanted),
    "record_id": lambda entry, wanted: record_id_of(entry["path"]) == wanted,
}
_MATCH_TYPES: Mapping[str, type] = {"method": str, "did_number": str, "record_id": int}


def _number_in(entry: Entry) -> str:
    """The digits of the did_number in a request's body; empty where there is none."""
    fields = entry["json"]
    return digits(fields.get("did_number")) if isinstance(fields, dict) else ""


def read(given: Any) -> Fault:
    """Make a fault from JSON. Raises FaultError, which says what is wrong."""
    if not isinstance(given, dict):
        raise FaultError("a fault is a JSON object")
    rest = dict(given)
    name = rest.pop("fault", None)
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(name, str):
        raise FaultError(f"unknown fault {name!r}; there are: {', '.join(FAULTS)}")
    times = rest.pop("times", 1)
    if times is not None and not (_is_whole(times) and times >= 1):
        raise FaultError("times must be a whole number from 1, or null for ever")
    match = _read_match(rest.pop("match", None))
    return Fault(name, times, match, _read_params(name, kind, rest))


def _read_match(match: Any) -> dict[str, Any]:
    if match is None:
        return {}
    if not isinstance(match, dict):
        raise FaultError("match must be an object")
    for key, value in match.items():
        wanted = _MATCH_TYPES.get(key)
        if wanted is None:
            raise FaultError(f"unknown match {key!r}; there are: {', '.join(_MATCH_TYPES)}")
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise FaultError(f"match {key!r} must be of type {wanted.__name__}")
    return dict(match)


def _read_params(name: str, kind: Kind, given: Params) -> dict[str, Any]:
    for key in given:
        if key not in kind.params:
            takes = ", ".join(kind.params) or "none"
            raise FaultError(f"fault {name!r} has no parameter {key!r}; it takes: {takes}")
    params = {}
    for key, param in kind.params.items():
        value = given.get(key)
        if value is None and param.required:
            raise FaultError(f"fault {name!r} needs {key!r}: {param.expected}")
        if value is not None and not param.accepts(value):
            raise FaultError(f"{key!r} of fault {name!r} must be {param.expected}, not {value!r}")
        params[key] = param.default if value is None else value
    return params


def take(faults: list[Fault], entry: Entry) -> Fault | None:
    """The first fault in the queue that fits this request, used up by one time; or None."""
    for index, fault in enumerate(faults):
        if fault.fits(entry):
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    del faults[index]
            return fault
    return None
