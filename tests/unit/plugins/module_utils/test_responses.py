# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: its bytes go in, an outcome comes out. No server, no registry."""

from __future__ import annotations

import email.utils
import gzip
import json
import time
import zlib
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._platform.http_parser import (
    ANSWER_LIMIT,
    read_answer,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import Outcome
from ansible_collections.nextbilling.did.plugins.module_utils._platform.responses import (
    SentRequest,
    interpret,
)

APPLIED, NOT_APPLIED, MAYBE_APPLIED = "applied", "not_applied", "unknown"
PATH = "/api/manageDID/token/key"
CREATED = '{"error":0,"reason":"OK","new_record":77}'
REFUSED = '{"error":1,"reason":"no"}'
CERTAIN = (
    *(400, 401, 403, 404, 405, 407, 409, 410, 411, 413, 414, 415, 417, 421, 422, 426, 428),
    *(429, 431, 451),
)
# All that a client may be answered, and some of what it may not.
OTHERS = sorted({100, 101, 199, 206, 226, *range(300, 1000)} - {*CERTAIN})


def outcome_of(received: bytes, record_id: int | None = None) -> Outcome:
    """Interpret the answer to a create, or to the edit of a record."""
    path = PATH if record_id is None else f"{PATH}/{record_id}"
    request = SentRequest("https://sip.example.com", path, record_id)
    return interpret(read_answer(received), request, lambda reason: reason)


def message(status: int, body: str | bytes, *headers: str, length: bool = True) -> bytes:
    """Return an answer as it comes."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", *headers]
    if length:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


@pytest.mark.parametrize("body", [REFUSED, "", "<html><h1>No</h1></html>", '{"message":"no"}'])
@pytest.mark.parametrize("status", CERTAIN)
def test_a_refusal_is_certain(status: int, body: str) -> None:
    outcome = outcome_of(message(status, body))
    assert (outcome.state, outcome.http_status) == (NOT_APPLIED, status)
    assert outcome.kind == ("throttled" if status == 429 else "refused")
    assert outcome.retryable is (status == 429)


@pytest.mark.parametrize("body", [REFUSED, "", "<html><h1>No</h1></html>", CREATED])
def test_all_other_statuses_tell_nothing(body: str) -> None:
    for status in OTHERS:
        assert outcome_of(message(status, body)).state == MAYBE_APPLIED, status


def _in_entities(text: str, depth: int) -> str:
    for _layer in range(depth):
        # Each second character is enough to hide all words, and keeps the text short.
        text = "".join(f"&#{ord(c)};" if at % 2 else c for at, c in enumerate(text))
    return text


# What says that the request was applied, however it says it.
CONTRADICTIONS = {
    # The name of a record, of any kind.
    "id": '{"error":1,"new_record":77}',
    "fraction": '{"error":1,"new_record":77.0}',
    "zero as a fraction": '{"error":1,"new_record":0.0}',
    "text": '{"error":1,"new_record":"77abc"}',
    "object": '{"new_record":{"id":77}}',
    "array": '{"error":1,"new_record":[77]}',
    "empty array": '{"error":1,"new_record":[]}',
    "empty object": '{"error":1,"new_record":{}}',
    "true": '{"error":1,"new_record":true}',
    "negative": '{"error":1,"new_record":-77}',
    "huge": '{"error":1,"new_record":99999999999999999999}',
    "more digits than a number has": '{"error":1,"new_record":' + "9" * 5000 + "}",
    "infinite": '{"error":1,"new_record":1e999}',
    # An error that is none.
    "the documented success": CREATED,
    "0": '{"error":0}',
    "0 and a fraction": '{"error":0,"new_record":77.0}',
    "-0": '{"error":-0}',
    "0.0": '{"error":0.0}',
    "0e5": '{"error":0e5}',
    "'0'": '{"error":"0"}',
    "'00'": '{"error":"00"}',
    "' 0 '": '{"error":" 0 "}',
    "'+0.00'": '{"error":"+0.00"}',
    "error false": '{"error":false}',
    "error null": '{"error":null}',
    "error empty": '{"error":""}',
    "error an empty array": '{"error":[]}',
    "error 'none'": '{"error":"None"}',
    "trailing comma": '{"error":0,"reason":"OK","new_record":77,}',
    # In another envelope, or under another spelling of the name.
    "envelope": '{"data":{"error":0,"new_record":77}}',
    "envelope of a failure": '{"error":1,"data":{"new_record":77}}',
    "array of answers": '[{"error":0,"new_record":77}]',
    "deep": '{"error":1,"a":' + '{"a":[' * 40 + '{"new_record":7}' + "]}" * 40 + "}",
    "deeper than Python goes": '{"error":1,"a":' + "[" * 5000 + '{"error":0}' + "]" * 5000 + "}",
    "case": '{"Error":0,"New_Record":77}',
    "camel case": '{"error":1,"newRecord":77}',
    "hyphen": '{"error":1,"new-record":77}',
    "longer name": '{"error":1,"new_record_id":77}',
    "several": '{"error":1,"newRecords":[77]}',
    "spaces": '{" error ":0," new_record ":77}',
    "escaped name": '{"error":1,"new\\u005frecord":77}',
    "JSON within JSON": json.dumps({"error": 1, "reason": f"upstream: {CREATED}"}),
    "JSON within JSON within JSON": json.dumps({"error": 1, "body": json.dumps([CREATED])}),
    # Twice.
    "error twice": '{"error":1,"error":0}',
    "error twice, the failure last": '{"error":0,"error":1}',
    "error twice in two spellings": '{"error":1,"Error":0}',
    "record twice": '{"error":1,"new_record":77,"new_record":null}',
    # No JSON, or not only.
    "two documents": REFUSED + CREATED,
    "two lines": CREATED + "\n" + REFUSED,
    "rubbish behind": CREATED + "<br>",
    "rubbish before": "Warning: x in y on line 3\n" + CREATED,
    "JSONP": f"callback({CREATED});",
    "cut off": CREATED[:-1],
    "single quotes": "{'error': 0, 'new_record': 77}",
    "no quotes": "{error: 0}",
    "false without quotes": "{error: false}",
    "form": "error=0&new_record=77",
    "form with an error alone": "error=0&reason=OK",
    "XML": "<answer><error>0</error><new_record>77</new_record></answer>",
    "XML with an error alone": "<error>0</error>",
    "page with JSON": f"<html><pre>{CREATED}</pre></html>",
    "page with a name": '<html><p>"new_record":77</p></html>',
    "page with escaped JSON": "<pre>{&quot;error&quot;:0,&quot;new_record&quot;:77}</pre>",
    "page with tags within": "<p>new<b>_record</b>: 77</p>",
    "URL": "%7B%22error%22%3A0%2C%22new_record%22%3A77%7D",
    "NaN": '{"error":NaN,"new_record":77}',
    "byte-order mark": "\ufeff" + CREATED,
    "a string without end": '{"error":0,"' + '\\"' * 100_000,
    # Of the last two, the layers are too many to be read.
    **{f"entities, {depth} times": _in_entities(CREATED, depth) for depth in (1, 3, 4, 6)},
}
WIDE = {
    encoding: CREATED.encode(encoding)
    for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be")
}


@pytest.mark.parametrize("status", [200, 400, 403, 409, 422, 429, 301])
@pytest.mark.parametrize(
    "body", [*CONTRADICTIONS.values(), *WIDE.values()], ids=[*CONTRADICTIONS, *WIDE]
)
def test_a_refusal_that_says_that_it_was_applied_is_none(status: int, body: str | bytes) -> None:
    """One rule for all that would be a certain refusal without that body: an edit is not told as refused either."""
    headers = [f"Location: https://elsewhere.example{PATH}"] if status == 301 else []
    outcome = outcome_of(message(status, body, *headers))
    if status == 200 and body in (CREATED, CONTRADICTIONS["trailing comma"], "\ufeff" + CREATED):
        assert (outcome.state, outcome.record_id) == (APPLIED, 77)
        return
    assert (outcome.state, outcome.kind) == (MAYBE_APPLIED, "unknown_outcome")
    headers = [f"Location: https://elsewhere.example{PATH}/77"] if status == 301 else []
    edited = outcome_of(message(status, body, *headers), record_id=77)
    assert edited.state != NOT_APPLIED


# What the platform may answer to a create that worked, beside its own shape.
GOOD_REPLIES = {
    "trailing commas": '{"error":0,"reason":"OK","new_record":13,}',
    "trailing commas with space": '{"error":0, "x":[1, ], "new_record":13 ,\n }',
    "byte-order mark": '\ufeff{"error":0,"reason":"OK","new_record":13}',
    "error as a string": '{"error":"0","reason":"OK","new_record":13}',
    "id as a string": '{"error":0,"reason":"OK","new_record":"13"}',
    "comma inside text": '{"error":0,"reason":"a,}","new_record":13,}',
}
# And what says nothing of whether the create worked.
UNCLEAR_REPLIES = {
    "HTML page": "<html><body>Manutenção</body></html>",
    "empty body": "",
    "new_record missing": '{"error":0,"reason":"OK"}',
    "new_record 0": '{"error":0,"reason":"OK","new_record":0}',
    "new_record negative": '{"error":0,"reason":"OK","new_record":-1}',
    "new_record null": '{"error":0,"reason":"OK","new_record":null}',
    "new_record a word": '{"error":0,"reason":"OK","new_record":"abc"}',
    "new_record a fraction": '{"error":0,"reason":"OK","new_record":13.5}',
    "new_record true": '{"error":0,"reason":"OK","new_record":true}',
    "new_record too large": '{"error":0,"reason":"OK","new_record":99999999999999999999}',
    "error with a record": '{"error":1,"reason":"?","new_record":13}',
    "error missing": '{"reason":"OK","new_record":13}',
    "error null": '{"error":null,"new_record":13}',
    "a list": '[{"error":0,"new_record":13}]',
    "error twice": '{"error":1,"error":0,"new_record":13}',
    "not a number at all": '{"error":NaN,"new_record":13}',
    "nested too deep": "[" * 100_000,
    "error a float": '{"error":0.0,"reason":"OK"}',
    "error a word": '{"error":"none","reason":"OK"}',
    "error twice zero": '{"error":"00","reason":"OK"}',
    "a string without end": '{"' + '\\"' * 200_000,
}


@pytest.mark.parametrize("body", GOOD_REPLIES.values(), ids=GOOD_REPLIES)
def test_a_reply_that_is_accepted(body: str) -> None:
    outcome = outcome_of(message(200, body))
    assert (outcome.state, outcome.record_id) == (APPLIED, 13)


@pytest.mark.parametrize("body", UNCLEAR_REPLIES.values(), ids=UNCLEAR_REPLIES)
def test_a_reply_that_is_no_success(body: str) -> None:
    outcome = outcome_of(message(200, body))
    assert (outcome.state, outcome.kind) == (MAYBE_APPLIED, "unknown_outcome")


@pytest.mark.parametrize(
    "body",
    [
        '{"error":1,"reason":"no"}',
        '{"error":"1","reason":"no",}',
        '{"error":2,"reason":"no","new_record":0}',
        '{"error":true,"reason":"no"}',
    ],
)
def test_an_error_in_a_200_is_a_refusal(body: str) -> None:
    outcome = outcome_of(message(200, body))
    assert (outcome.state, outcome.kind, outcome.reason) == (NOT_APPLIED, "refused", "no")
    assert outcome.http_status == 200


def test_a_refusal_in_another_character_set() -> None:
    body = '{"error":1,"reason":"Número já existe"}'.encode("latin-1")
    outcome = outcome_of(message(200, body))
    assert (outcome.state, outcome.reason) == (NOT_APPLIED, "Número já existe")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (499, '{"error":1,"reason":"client closed request"}'),
        (460, ""),
        (402, '{"error":1}'),
        (418, '{"error":1}'),
        (423, '{"error":1}'),
        (422, '{"error":0,"new_record":77.0}'),
        (400, '{"new_record":{"id":77}}'),
        (403, '{"error":0}'),
        (409, '<p>"new_record": 77</p>'),
        (429, '{"data":{"error":"0"}}'),
        (200, '{"error":1,"data":{"new_record":77}}'),
    ],
)
def test_a_refusal_that_is_none(status: int, body: str) -> None:
    outcome = outcome_of(message(status, body))
    assert (outcome.state, outcome.kind) == (MAYBE_APPLIED, "unknown_outcome")


@pytest.mark.parametrize("status", [400, 422, 429])
def test_a_refusal_that_tells_an_id_is_no_refusal(status: int) -> None:
    outcome = outcome_of(message(status, '{"error":1,"new_record":13}'))
    assert (outcome.state, outcome.record_id) == (MAYBE_APPLIED, 13)


# What says nothing of that kind.
PLAIN_REFUSALS = {
    "documented": REFUSED,
    "no record, null": '{"error":1,"new_record":null}',
    "no record, 0": '{"error":2,"new_record":0,}',
    "no record, '0'": '{"error":"1","new_record":"0"}',
    "no record, empty": '{"error":true,"new_record":""}',
    "no record, false": '{"error":-1,"new_record":false}',
    "another record": '{"error":1,"reason":"cannot insert a new record: record 77 has it"}',
    "errors": '{"error":1,"reason":"Error 1062: 0 rows changed","errors":{"port":["x"]}}',
}


@pytest.mark.parametrize("body", PLAIN_REFUSALS.values(), ids=PLAIN_REFUSALS)
@pytest.mark.parametrize("status", [200, 201, 400, 422])
def test_a_body_that_only_refuses(status: int, body: str) -> None:
    assert outcome_of(message(status, body)).state == NOT_APPLIED


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"Forbidden"}',
        '{"error":{"code":403,"message":"Forbidden"}}',
        '{"status":403,"errors":["a"]}',
        "<html><head><title>403 Forbidden</title></head><body><img onerror=null></body></html>",
        "<h1>Error 404</h1>",
        "[]",
        "null",
        '"' * 1000,
    ],
)
def test_a_refusal_of_a_gateway(body: str) -> None:
    assert outcome_of(message(403, body)).state == NOT_APPLIED
    assert outcome_of(message(200, body)).state == MAYBE_APPLIED


@pytest.mark.parametrize("error", ['"duplicate"', "null", "1.5", '"none"', "[1]", "{}", '"1x"'])
def test_an_error_in_a_success_that_does_not_count(error: str) -> None:
    assert outcome_of(message(200, f'{{"error":{error}}}')).state == MAYBE_APPLIED


def test_a_success_that_says_it_twice() -> None:
    for more in ('"data":{"new_record":78}', '"result":[{"error":1}]', '"New_Record":78'):
        body = f'{{"error":0,"new_record":77,{more}}}'
        assert outcome_of(message(200, body)).state == MAYBE_APPLIED, more
        assert outcome_of(message(200, body), record_id=77).state == MAYBE_APPLIED, more


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://elsewhere.example{path}", "another host"),
        ("https://sip.example.com:8443{path}", "another host or port"),
        ("http://sip.example.com{path}", "http:// on the same host"),
        ("http://evil.example{path}", "another host"),
    ],
)
def test_a_redirect_of_scheme_or_host_alone(location: str, words: str) -> None:
    for status in (301, 302, 307, 308):
        target = location.format(path=PATH)
        outcome = outcome_of(message(status, "<a>Moved</a>", f"Location: {target}"))
        assert (outcome.state, outcome.kind) == (NOT_APPLIED, "refused")
        assert words in outcome.message and "api_url" in outcome.message
        # The host is what others wrote.
        assert "elsewhere" not in outcome.message and "evil" not in outcome.message
    moved = message(303, "", f"Location: https://elsewhere.example{PATH}")
    assert outcome_of(moved).state == MAYBE_APPLIED


@pytest.mark.parametrize(
    "location",
    [
        "/login",
        PATH,
        f"https://sip.example.com{PATH}",
        f"https://SIP.example.com:443{PATH}",
        f"https://elsewhere.example{PATH}/77",
        f"https://elsewhere.example{PATH}?done=1",
        f"https://elsewhere.example{PATH}#done",
        f"https://me:pw@elsewhere.example{PATH}",
        f"https://[elsewhere{PATH}",
        f"https://elsewhere:port{PATH}",
        f"ftp://elsewhere.example{PATH}",
        f"https://else\twhere.example{PATH}",
        f"https://elsewhere.example{PATH}\r\nLocation: /created/77",
        "",
    ],
)
def test_any_other_redirect_tells_nothing(location: str) -> None:
    assert outcome_of(message(302, "", f"Location: {location}")).state == MAYBE_APPLIED


@pytest.mark.parametrize(
    ("status", "location"),
    [
        (302, "/login"),
        (303, f"https://other.example{PATH}"),
        (307, "https://other.example/other"),
        (307, f"https://other.example{PATH}?x=1"),
        (302, f"http://127.0.0.1:8080{PATH}"),
        (302, f"HTTP://127.0.0.1:8080{PATH}"),
        (302, f"http://127.0.0.1:8080.{PATH}"),
    ],
)
def test_a_redirect_to_itself_or_to_another_path_tells_nothing(status: int, location: str) -> None:
    answer = read_answer(message(status, "", f"Location: {location}"))
    outcome = interpret(
        answer, SentRequest("http://127.0.0.1:8080", PATH, None), lambda reason: reason
    )
    assert outcome.state == MAYBE_APPLIED


CHUNKS = "HTTP/1.1 {} X\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(status: int, body: str) -> bytes:
    return (CHUNKS.format(status) + f"{len(body):x}\r\n{body}\r\n0\r\n\r\n").encode()


WHOLE = {
    "a length": message(422, REFUSED),
    "two equal lengths": message(422, REFUSED, f"Content-Length: {len(REFUSED)}"),
    "lines that end in LF": message(422, REFUSED).replace(b"\r\n", b"\n"),
    "folded header": message(422, REFUSED, "X: a\r\n  b"),
    "chunks": chunked(422, REFUSED),
    "chunks with extensions": chunked(422, REFUSED).replace(b"19\r", b"19 ;a=b\r"),
    "chunks with trailers": chunked(422, REFUSED)[:-2] + b"X: y\r\n\r\n",
    "interim answers": b"HTTP/1.1 100 X\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n"
    + message(422, REFUSED),
    "no phrase": message(422, REFUSED).replace(b" X\r", b"\r"),
    "HTTP/1.0": message(422, REFUSED).replace(b"1.1", b"1.0"),
    "no length, but a document": message(422, REFUSED, length=False),
    "line ends behind it": message(422, REFUSED) + b"\r\n",
    "gzip": message(422, gzip.compress(REFUSED.encode()), "Content-Encoding: gzip"),
    "deflate": message(422, zlib.compress(REFUSED.encode()), "Content-Encoding: Deflate"),
}


@pytest.mark.parametrize("received", WHOLE.values(), ids=WHOLE)
def test_an_answer_that_is_whole(received: bytes) -> None:
    outcome = outcome_of(received)
    assert (outcome.state, outcome.reason) == (NOT_APPLIED, "no")


def _cut(received: bytes) -> dict[str, bytes]:
    return {f"cut at {at}": received[:at] for at in range(len(received))}


def _compressed(body: str) -> bytes:
    return gzip.compress(body.encode())


NOT_WHOLE = {
    **_cut(message(422, "x")),
    **{f"chunks, {name}": part for name, part in _cut(chunked(422, "x")).items()},
    "length too long": message(422, REFUSED, length=False).replace(
        b"\r\n\r\n", b"\r\nContent-Length: 99\r\n\r\n"
    ),
    "length too short": message(422, REFUSED, length=False).replace(
        b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"
    ),
    "another answer behind it": message(422, REFUSED) + message(200, CREATED),
    "another answer behind chunks": chunked(422, REFUSED) + message(200, CREATED),
    "a half answer behind it": message(422, REFUSED) + b"HTTP/1.1 2",
    "two lengths": message(422, REFUSED, "Content-Length: 3"),
    "two lengths in one": message(422, REFUSED, "Content-Length: 3, 25", length=False),
    "length and chunks": chunked(422, REFUSED).replace(b"X\r\n", b"X\r\nContent-Length: 25\r\n"),
    "length no number": message(422, REFUSED, "Content-Length: +25", length=False),
    "length empty": message(422, "", "Content-Length:", length=False),
    "another coding": chunked(422, REFUSED).replace(b"chunked", b"gzip, chunked"),
    "chunks twice": chunked(422, REFUSED).replace(b"chunked", b"chunked, chunked"),
    "chunks in HTTP/1.0": chunked(422, REFUSED).replace(b"1.1", b"1.0"),
    "chunk of a negative length": chunked(422, REFUSED).replace(b"19\r", b"-19\r"),
    "chunk longer than told": chunked(422, REFUSED).replace(b"19\r", b"18\r"),
    "chunk without its end": chunked(422, REFUSED).replace(b"}\r\n", b"}"),
    "no last chunk": chunked(422, REFUSED)[:-5],
    "no line behind the last chunk": chunked(422, REFUSED)[:-2],
    "page without a length": message(422, "<html>no</html>", length=False),
    "nothing without a length": message(422, "", length=False),
    "space before a colon": message(422, REFUSED, "X : y"),
    "line that is no header": message(422, REFUSED, "nonsense"),
    "HTTP/0.9": REFUSED.encode(),
    "HTTP/2": message(422, REFUSED).replace(b"HTTP/1.1", b"HTTP/2"),
    "status of four digits": message(4220, REFUSED),
    "status in another spelling": message(422, REFUSED).replace(b"422", b"4_2"),
    "interim answer alone": b"HTTP/1.1 103 X\r\n\r\n",
    "rubbish before it": b"\0" + message(422, REFUSED),
    "gzip cut off": message(422, _compressed(REFUSED)[:-4], "Content-Encoding: gzip"),
    "gzip that is none": message(422, REFUSED, "Content-Encoding: gzip"),
    "gzip twice": message(422, _compressed(REFUSED) * 2, "Content-Encoding: gzip"),
    "unknown coding": message(422, REFUSED, "Content-Encoding: br"),
    "too long": message(422, "x" * (ANSWER_LIMIT + 1)),
    "too long once unpacked": message(
        422, _compressed("x" * (ANSWER_LIMIT + 1)), "Content-Encoding: gzip"
    ),
}


@pytest.mark.parametrize("received", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_a_refusal_that_was_not_read_whole_is_none(received: bytes) -> None:
    assert outcome_of(received).state == MAYBE_APPLIED
    assert outcome_of(received, record_id=12).state == MAYBE_APPLIED


def test_compressed_content_that_says_that_it_was_applied() -> None:
    body = _compressed(CREATED)
    for header in ("Content-Encoding: gzip", "Content-Encoding: identity", "X-Cache: MISS"):
        # A gateway may drop the header and leave the content as it is.
        assert outcome_of(message(422, body, header)).state == MAYBE_APPLIED, header
    assert outcome_of(message(422, body[:-4], "X-Cache: MISS")).state == MAYBE_APPLIED
    applied = outcome_of(message(200, body, "Content-Encoding: x-gzip"))
    assert (applied.state, applied.record_id) == (APPLIED, 77)


@pytest.mark.parametrize("status", [200, 302, 422])
def test_a_body_that_is_no_text_refuses_nothing(status: int) -> None:
    """A gateway may compress or recode an answer, and drop the header that says so."""
    headers = ["Location: https://other.example" + PATH] if status == 302 else []
    for body in (zlib.compress(CREATED.encode()), CREATED.encode("cp500"), b"\0\1"):
        assert outcome_of(message(status, body, *headers)).state == MAYBE_APPLIED
    for body in ("<p>\tN\u00e3o</p>\r\n".encode("cp1252"), "<p>no</p>".encode("utf-16")):
        expected = MAYBE_APPLIED if status == 200 else NOT_APPLIED
        assert outcome_of(message(status, body, *headers)).state == expected


def test_a_success_before_another_answer_is_unknown_and_its_id_is_told() -> None:
    outcome = outcome_of(message(200, CREATED) + message(502, ""))
    assert (outcome.state, outcome.record_id) == (MAYBE_APPLIED, 77)


@pytest.mark.parametrize(
    ("headers", "keep_alive"),
    [
        ([], (None, None)),
        (["Connection: close"], (0, 0)),
        (["Connection: keep-alive", "Connection: Close"], (0, 0)),
        (["Connection: x, close"], (0, 0)),
        (["Proxy-Connection: close"], (0, 0)),
        (["Keep-Alive: timeout=5, max=100"], (5, 100)),
        (["Keep-Alive: max=0"], (None, 0)),
        (["Keep-Alive: TIMEOUT = 2"], (2, None)),
        (["Keep-Alive: xtimeout=2"], (None, None)),
    ],
)
def test_for_how_long_a_connection_is_kept(headers: list[str], keep_alive: tuple[Any, Any]) -> None:
    received = message(200, CREATED, *headers)
    assert read_answer(received).keep_alive == keep_alive
    assert read_answer(received.replace(b"HTTP/1.1", b"HTTP/1.0")).keep_alive == (0, 0)
    assert read_answer(received + b"\r\n").keep_alive == (0, 0)


@pytest.mark.parametrize(
    "body",
    [
        REFUSED,
        '{"error":1,"reason":"no","new_record":null}',
        '{"error":0,"reason":"no"}',
        '{"reason":"no"}',
    ],
)
def test_the_documented_reason_is_shown_and_nothing_else(body: str) -> None:
    for status in (200, 422, 500):
        assert outcome_of(message(status, body)).reason == "no"


@pytest.mark.parametrize(
    "body",
    [
        "<html>geheim</html>",
        "geheim",
        '{"error":1,"reason":["geheim"]}',
        '{"error":1,"reason":{"a":"geheim"}}',
        '{"error":1,"reason":17}',
        '{"error":1,"message":"geheim"}',
        '{"error":1,"Reason":"geheim"}',
        '[{"error":1,"reason":"geheim"}]',
        '{"error":1,"reason":"geheim"',
        '{"error":1,"reason":"geheim","reason":"x"}',
        '{"error":1,"reason":null}',
        '{"error":1,"reason":""}',
    ],
)
def test_nothing_but_a_documented_reason_is_shown(body: str) -> None:
    for status in (200, 301, 422, 500):
        headers = (f"Location: https://geheim.example{PATH}", "X-Powered-By: geheim")
        received = message(status, body, *headers).replace(b" X\r", b" geheim\r")
        outcome = outcome_of(received)
        assert outcome.reason is None
        assert "geheim" not in repr(outcome)


def test_a_reason_that_may_not_be_shown_is_withheld_and_that_is_told() -> None:
    for status in (200, 422, 500):
        answer = read_answer(message(status, REFUSED))
        outcome = interpret(
            answer, SentRequest("https://sip.example.com", PATH, None), lambda reason: None
        )
        assert outcome.reason is None
        assert "withheld" in outcome.message and "secret" in outcome.message


def test_the_longest_answers_are_interpreted_soon() -> None:
    """Each of these took more than a minute where reading it was quadratic."""
    for body in (
        "<" * 900_000,
        "&amp;" * 200_000,
        "\\" * 900_000,
        "error " * 150_000,
        "[" * 900_000,
    ):
        assert outcome_of(message(422, body)).state == NOT_APPLIED, body[:6]
    head = b"HTTP/1.1 422 X\r\n" + b"A: b\r\n" * 100_000
    assert outcome_of(head).state == MAYBE_APPLIED


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        # A date that has passed asks for no pause.
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("-7", None),
        ("7.5", None),
        ("soon", None),
        ("", None),
        ("1" * 10, None),
        ("Thu, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_the_pause_that_the_platform_asks_for(header: str, seconds: float | None) -> None:
    outcome = outcome_of(message(429, REFUSED, f"Retry-After: {header}"))
    assert outcome.retry_after == seconds


def test_a_date_asks_for_the_seconds_until_then() -> None:
    at = email.utils.formatdate(time.time() + 100_000, usegmt=True)
    seconds = outcome_of(message(429, REFUSED, f"Retry-After: {at}")).retry_after
    assert seconds is not None and 90_000 < seconds <= 100_000
