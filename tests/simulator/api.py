# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one endpoint of the vendor's page: what a request means, and what it is answered."""

from __future__ import annotations

import http
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from .fields import first_fault
from .state import Entry, State

# "413 body over 128 kB" on the vendor's error page.
BODY_LIMIT = 128_000
JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer before it goes on the wire."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})

    def raw(self, keep: int | None = None) -> bytes:
        """The answer as bytes of HTTP/1.1; of the body only the first ``keep`` bytes, if given."""
        lines = [f"HTTP/1.1 {self.status} {phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8") + self.body[:keep]


class Refusal(Exception):
    """A request that the platform refuses.

    ``status`` is the one on the vendor's error page. With ``in_body`` the switch ``failures`` may
    turn it into a 200 with ``"error":1``: the vendor documents both and does not say which is when.
    """

    def __init__(self, status: int, reason: str, in_body: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.in_body = in_body


@dataclass(frozen=True)
class Access:
    """The token and key that the platform takes."""

    token: str
    key: str


def phrase(status: int) -> str:
    """The standard phrase of a status, or a word for one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def parse_body(body: bytes) -> Any:
    """Return the JSON value of a body, whatever its Content-Type. Raises ValueError.

    Both curl samples on the vendor's page lack the closing brace of the object, and are shown as
    commands that work. So a body that is JSON once a final ``}`` is added is taken as that.
    """
    text = body.decode("utf-8")
    try:
        return _loads(text)
    except ValueError:
        return _loads(text + "}")


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def record_id_of(path: str) -> int | None:
    """The record id at the end of an API path, or None where there is none."""
    found = re.fullmatch(r"/api/manageDID/[^/]+/[^/]+/([0-9]{1,18})", path.partition("?")[0])
    return int(found.group(1)) if found else None


def process(state: State, access: Access, entry: Entry) -> Answer:
    """Do what the request of ``entry`` asks, and return the platform's answer.

    The entry's body is None where it was over the limit, its json is None where the body is not
    JSON. Never raises for anything that a client may send.
    """
    entry["processed"] = True
    try:
        return _carry_out(state, access, entry)
    except Refusal as refusal:
        return refused(state, entry, refusal)


def _carry_out(state: State, access: Access, entry: Entry) -> Answer:
    record_id = _route(access, entry)
    if entry["body"] is None:
        raise Refusal(413, "body over 128 kB")
    fields = entry["json"]
    if not isinstance(fields, dict):
        raise Refusal(400, "request incomplete")
    _validate(state, fields, record_id)
    if record_id is None:
        entry["record_id"] = state.create(fields, entry["sequence"])
        return answered(state, entry["record_id"])
    state.edit(record_id, fields, entry["sequence"])
    entry["record_id"] = record_id
    return answered(state, record_id if state.switches["post_new_record"] == "same" else None)


def _route(access: Access, entry: Entry) -> int | None:
    """Check path, method, token and key; return the record id of a POST, None for a PUT."""
    parts = entry["path"].partition("?")[0].split("/")
    if parts[:3] != ["", "api", "manageDID"] or len(parts) not in (5, 6):
        raise Refusal(404, "no such option")
    with_id = len(parts) == 6
    if entry["method"] != ("POST" if with_id else "PUT"):
        raise Refusal(404, "no such option")
    record_id = record_id_of(entry["path"])
    if with_id and record_id is None:
        raise Refusal(404, "no such option")
    if (unquote(parts[3]), unquote(parts[4])) != (access.token, access.key):
        raise Refusal(403, "wrong token or key", in_body=True)
    return record_id


def _validate(state: State, fields: dict[str, Any], record_id: int | None) -> None:
    required = state.switches["required_fields"] if record_id is None else []
    takes_unknown = state.switches["unknown_parameters"] == "accept"
    problem = first_fault(fields, required, takes_unknown=takes_unknown)
    if problem is not None:
        raise Refusal(422, problem, in_body=True)
    if record_id is not None and record_id not in state.dids:
        raise Refusal(404, f"record {record_id} does not exist", in_body=True)
    refuse = state.switches["duplicates"] == "refuse" and "did_number" in fields
    if refuse and state.bears(fields["did_number"], but=record_id):
        raise Refusal(422, "did_number already exists", in_body=True)


def answered(state: State, new_record: int | None) -> Answer:
    """The answer to a request that was carried out, in the vendor's shape."""
    members: dict[str, Any] = {"error": 0, "reason": "OK"}
    if new_record is not None:
        members["new_record"] = new_record
    return Answer(200, vendor_json(state, members))


def refused(state: State, entry: Entry, refusal: Refusal) -> Answer:
    """The answer to a request that was not carried out."""
    entry["reason"] = refusal.reason
    body = vendor_json(state, {"error": 1, "reason": refusal.reason})
    in_body = refusal.in_body and state.switches["failures"] == "body"
    return Answer(200 if in_body else refusal.status, body)


def vendor_json(state: State, members: dict[str, Any]) -> bytes:
    """An object as the vendor's sample writes it; switches decide on comma, strings and BOM."""
    as_strings = state.switches["ids_as_strings"]
    lines = []
    for name, value in members.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        shown = str(value) if as_strings and whole else value
        lines.append(f'   "{name}":{json.dumps(shown, ensure_ascii=False)}')
    comma = "," if state.switches["trailing_comma"] else ""
    text = "{\n" + ",\n".join(lines) + comma + "\n}\n"
    return text.encode("utf-8-sig" if state.switches["bom"] else "utf-8")
