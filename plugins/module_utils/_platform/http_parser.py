# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""An answer of the platform, out of the bytes that came. Pure functions.

An HTTP library is lenient where a create may depend on it: with two lengths, a chunk that is missing, a line that is no header. So
an answer counts as read whole only if its bytes are one message by RFC 9112.
"""

from __future__ import annotations

import re
import typing as t
import zlib

ANSWER_LIMIT = 1_000_000

TRUNCATED = "broke off before its end"
TRAILING_DATA = "was followed by bytes that belong to no request"
_MALFORMED = "is not one answer by the rules of HTTP"
_TOO_LONG = "is too long"
_COMPRESSED = "is compressed, which was not asked for, and cannot be read"

_Headers = tuple[tuple[str, str], ...]


class KeepAlive(t.NamedTuple):
    """For how many seconds, and how many requests in all, a server keeps a connection. None: it does not say; 0: it does not."""

    timeout: float | None = None
    max_requests: int | None = None


class Answer(t.NamedTuple):
    """An answer of the platform.

    C(headers): names in small letters. C(problem): why it does not count as read whole, or an empty string. C(framed): whether its
    own head says where it ends; if not, that is where the connection ended.
    """

    status: int
    headers: _Headers = ()
    content: bytes = b""
    problem: str = ""
    framed: bool = True
    keep_alive: KeepAlive = KeepAlive()

    def header(self, name: str) -> str | None:
        """Return a header's value, or None; those of several headers of one name with commas between them."""
        found = [value for each, value in self.headers if each == name]
        return ", ".join(found) if found else None


_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n")
_FOLDED_LINE = re.compile(rb"[ \t]+([^\r\n]*)\r?\n")
_BLANK_LINE = re.compile(rb"\r?\n")
# RFC 1952, 2.3.1. No text begins so.
_GZIP = b"\x1f\x8b"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class _Malformed(Exception):
    pass


class _Truncated(Exception):
    pass


def read_answer(received: bytes) -> Answer:
    """Read the answer in all that came after a request. Interim answers (RFC 9110, 15.2) before it are passed over."""

    status, at = 0, 0
    headers: _Headers = ()
    try:
        while True:
            minor, status, headers, at = _read_head(received, at)
            if not 100 <= status < 200 or status == 101:
                break
        content, end, framed = _read_content(received, at, minor, status, headers)
    except _Malformed:
        return Answer(status, headers, problem=_MALFORMED)
    except _Truncated:
        return Answer(status, headers, problem=TRUNCATED)
    answer = Answer(status, headers, content, framed=framed, keep_alive=_keep_alive(minor, headers))
    if received[end:]:
        answer = answer._replace(keep_alive=KeepAlive(0, 0))
    if received[end:].strip(b"\r\n"):
        return answer._replace(problem=TRAILING_DATA)
    if len(content) > ANSWER_LIMIT:
        return answer._replace(content=b"", problem=_TOO_LONG)
    return _decompress(answer)


def _read_head(received: bytes, at: int) -> tuple[int, int, _Headers, int]:
    line = _STATUS_LINE.match(received, at)
    if line is None:
        raise _bad_line(received, at)
    headers: list[tuple[str, str]] = []
    at = line.end()
    while True:
        blank = _BLANK_LINE.match(received, at)
        if blank is not None:
            return int(line[1]), int(line[2]), tuple(headers), blank.end()
        field = _HEADER_LINE.match(received, at)
        folded = _FOLDED_LINE.match(received, at) if field is None and headers else None
        if field is not None:
            headers.append((_latin(field[1]).lower(), _latin(field[2]).rstrip(" \t")))
            at = field.end()
        elif folded is not None:
            name, value = headers[-1]
            headers[-1] = name, f"{value} {_latin(folded[1])}".rstrip(" \t")
            at = folded.end()
        else:
            raise _bad_line(received, at)


def _bad_line(received: bytes, at: int) -> _Malformed | _Truncated:
    """Return what is wrong where no line of the expected form begins: the line, or that it has no end."""
    return _Malformed() if b"\n" in received[at:] else _Truncated()


def _read_content(
    received: bytes, at: int, minor: int, status: int, headers: _Headers
) -> tuple[bytes, int, bool]:
    """Return the content, where the message ends, and whether its head says so (RFC 9112, 6.3)."""
    codings = [value for name, value in headers if name == "transfer-encoding"]
    lengths = {
        length.strip()
        for name, value in headers
        if name == "content-length"
        for length in value.split(",")
    }
    if codings and (lengths or minor == 0 or [each.lower() for each in codings] != ["chunked"]):
        raise _Malformed
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,15}", length) for length in lengths):
        raise _Malformed
    if status in (101, 204, 304):
        return b"", at, True
    if codings:
        return (*_read_chunks(received, at), True)
    if not lengths:
        return received[at:], len(received), False
    end = at + int(lengths.pop())
    if end > len(received):
        raise _Truncated
    return received[at:end], end, True


def _read_chunks(received: bytes, at: int) -> tuple[bytes, int]:
    chunks: list[bytes] = []
    while True:
        head = _CHUNK.match(received, at)
        if head is None:
            raise _bad_line(received, at)
        at, length = head.end(), int(head[1], 16)
        if not length:
            return b"".join(chunks), _read_trailers(received, at)
        chunks.append(received[at : at + length])
        at += length
        if len(received) < at + 2:
            raise _Truncated
        if received[at : at + 2] != b"\r\n":
            raise _Malformed
        at += 2


def _read_trailers(received: bytes, at: int) -> int:
    while True:
        blank = _BLANK_LINE.match(received, at)
        if blank is not None:
            return blank.end()
        field = _HEADER_LINE.match(received, at)
        if field is None:
            raise _bad_line(received, at)
        at = field.end()


def _keep_alive(minor: int, headers: _Headers) -> KeepAlive:
    """Return how long, and for how many requests, a connection stays open after an answer (RFC 9112, 9.3; RFC 2068, 19.7.1.1)."""
    fields = {"connection": "", "proxy-connection": "", "keep-alive": ""}
    for name, value in headers:
        if name in fields:
            fields[name] += "," + value.lower()
    options = {
        each.strip() for each in (fields["connection"] + fields["proxy-connection"]).split(",")
    }
    if minor == 0 or "close" in options:
        return KeepAlive(0, 0)
    declared = dict(
        re.findall(r"(?<![^\s,])(timeout|max)\s*=\s*\"?([0-9]{1,9})", fields["keep-alive"])
    )
    return KeepAlive(
        float(declared["timeout"]) if "timeout" in declared else None,
        int(declared["max"]) if "max" in declared else None,
    )


def _decompress(answer: Answer) -> Answer:
    """Return an answer with its content decompressed. Compression was not asked for, and a server may use it without saying so."""
    coding = (answer.header("content-encoding") or "").strip().lower()
    if coding in ("", "identity"):
        if not answer.content.startswith(_GZIP):
            return answer
        coding = "gzip"
    # 47: the formats of gzip and zlib, told apart by their heads.
    reader = zlib.decompressobj(47)
    try:
        content = reader.decompress(answer.content, ANSWER_LIMIT)
    except zlib.error:
        content = b""
    whole = coding in ("gzip", "x-gzip", "deflate") and reader.eof and not reader.unused_data
    if not whole:
        return answer._replace(content=b"", problem=_COMPRESSED)
    return answer._replace(content=content)


def _latin(octets: bytes) -> str:
    return octets.decode("latin-1")
