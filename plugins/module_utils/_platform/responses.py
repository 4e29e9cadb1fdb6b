# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What an answer of the platform means: from the bytes that came to an outcome. Pure functions.

An HTTP library is lenient where a create may depend on it: with two lengths, a chunk that is missing, a line that is no header. So
an answer counts as read whole only if its bytes are one message by RFC 9112.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
import typing as t
import zlib
from urllib.parse import unquote, urlsplit

from .._decoding import unescaped
from .connection import authority
from .outcome import APPLIED, NOT_APPLIED, UNKNOWN, Outcome

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator

ANSWER_LIMIT = 1_000_000
_ID_LIMIT = 2**63 - 1

# The vendor's error page.
_STATUS_WORDS = {
    400: "the platform calls the request incomplete",
    403: "the token or the key is wrong, or their level does not allow this",
    404: "the platform has no such option: is api_url the platform's address?",
    413: "the body is too large",
    422: "a required parameter is missing or not valid",
    429: "too many requests at the same time",
}
# Those that say by RFC 9110 (428 and 431: RFC 6585; 451: RFC 7725) that the request was refused before any work.
_REFUSALS = frozenset(
    {*_STATUS_WORDS, 401, 405, 407, 409, 410, 411, 414, 415, 417, 421, 426, 428, 431, 451}
)
# Their body is a part of something, or a difference to it (RFC 9110, 15.3.7; RFC 3229).
_PARTIAL = (206, 226)

_BROKEN_OFF = "broke off before its end"
_MALFORMED = "is not one answer by the rules of HTTP"
FOLLOWED = "was followed by bytes that belong to no request"
_TOO_LONG = "is too long"
_COMPRESSED = "is compressed, which was not asked for, and cannot be read"


class Answer(t.NamedTuple):
    """An answer of the platform.

    C(headers): names in small letters. C(flaw): why it does not count as read whole, or an empty string. C(framed): whether its
    own head says where it ends; if not, that is where the connection ended. C(keeps): for how many seconds and how many
    requests in all the server keeps the connection: (0, 0) where it does not, None for what it does not say.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    flaw: str = ""
    framed: bool = True
    keeps: tuple[float | None, int | None] = (None, None)

    def header(self, name: str) -> str | None:
        """Return a header's value, or None; those of several headers of one name with commas between them."""
        found = [value for each, value in self.headers if each == name]
        return ", ".join(found) if found else None


# From bytes to an answer

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n")
_FOLDED_LINE = re.compile(rb"[ \t]+([^\r\n]*)\r?\n")
_BLANK_LINE = re.compile(rb"\r?\n")
# RFC 1952, 2.3.1. No text begins so.
_GZIP = b"\x1f\x8b"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class _Malformed(Exception):
    pass


class _Unfinished(Exception):
    pass


def read_answer(received: bytes) -> Answer:
    """Read the answer in all that came after a request. Interim answers (RFC 9110, 15.2) before it are passed over."""
    # pylint: disable=no-member  # a named tuple has _replace
    status, at = 0, 0
    headers: tuple[tuple[str, str], ...] = ()
    try:
        while True:
            minor, status, headers, at = _read_head(received, at)
            if not 100 <= status < 200 or status == 101:
                break
        content, end, framed = _read_content(received, at, minor, status, headers)
    except _Malformed:
        return Answer(status, headers, flaw=_MALFORMED)
    except _Unfinished:
        return Answer(status, headers, flaw=_BROKEN_OFF)
    answer = Answer(status, headers, content, framed=framed, keeps=_keeps(minor, headers))
    if received[end:]:
        answer = answer._replace(keeps=(0, 0))
    if received[end:].strip(b"\r\n"):
        return answer._replace(flaw=FOLLOWED)
    if len(content) > ANSWER_LIMIT:
        return answer._replace(content=b"", flaw=_TOO_LONG)
    return _decompressed(answer)


def _read_head(received: bytes, at: int) -> tuple[int, int, tuple[tuple[str, str], ...], int]:
    line = _STATUS_LINE.match(received, at)
    if line is None:
        raise _Unfinished if b"\n" not in received[at:] else _Malformed
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
            raise _Unfinished if b"\n" not in received[at:] else _Malformed


def _read_content(
    received: bytes, at: int, minor: int, status: int, headers: tuple[tuple[str, str], ...]
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
        raise _Unfinished
    return received[at:end], end, True


def _read_chunks(received: bytes, at: int) -> tuple[bytes, int]:
    chunks: list[bytes] = []
    while True:
        head = _CHUNK.match(received, at)
        if head is None:
            raise _Unfinished if b"\n" not in received[at:] else _Malformed
        at, length = head.end(), int(head[1], 16)
        if not length:
            return b"".join(chunks), _read_trailers(received, at)
        chunks.append(received[at : at + length])
        at += length
        if len(received) < at + 2:
            raise _Unfinished
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
            raise _Unfinished if b"\n" not in received[at:] else _Malformed
        at = field.end()


def _keeps(minor: int, headers: tuple[tuple[str, str], ...]) -> tuple[float | None, int | None]:
    """Return how long, and for how many requests, a connection stays open after an answer (RFC 9112, 9.3; RFC 2068, 19.7.1.1)."""
    fields = {"connection": "", "proxy-connection": "", "keep-alive": ""}
    for name, value in headers:
        if name in fields:
            fields[name] += "," + value.lower()
    options = {
        each.strip() for each in (fields["connection"] + fields["proxy-connection"]).split(",")
    }
    if minor == 0 or "close" in options:
        return 0, 0
    told = dict(re.findall(r"(?<![^\s,])(timeout|max)\s*=\s*\"?([0-9]{1,9})", fields["keep-alive"]))
    return (
        float(told["timeout"]) if "timeout" in told else None,
        int(told["max"]) if "max" in told else None,
    )


def _decompressed(answer: Answer) -> Answer:
    """Return an answer as it was before a server compressed it, though none was asked to, and whether or not it says so."""
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
        return answer._replace(content=b"", flaw=_COMPRESSED)
    return answer._replace(content=content)


def _latin(octets: bytes) -> str:
    return octets.decode("latin-1")


# From an answer to an outcome


class Asked(t.NamedTuple):
    """What an answer is to. C(path): of the request. C(record_id): of the record that it edits; None for a create."""

    api_url: str
    path: str
    record_id: int | None


def judge(answer: Answer, asked: Asked, show: Callable[[str], str | None]) -> Outcome:
    """Return what became of a request, by the vendor's page and its error page.

    :param show: returns the platform's words as they may be shown, or None where they may not.
    """
    return _Judge(answer, asked, show).outcome()


class _Judge:
    def __init__(self, answer: Answer, asked: Asked, show: Callable[[str], str | None]) -> None:
        self._status = answer.status
        self._answer = answer
        self._asked = asked
        self._show = show
        self._document = _parse(answer.content)

    def outcome(self) -> Outcome:
        status, flaw = self._status, self._flaw()
        if flaw:
            named = f"the answer (HTTP {status})" if status else "the answer"
            return self._unknown(f"{named} {flaw}")
        if 200 <= status < 300 and status not in _PARTIAL:
            return self._success()
        if status in (301, 302, 303, 307, 308):
            return self._redirect()
        if status not in _REFUSALS:
            return self._unknown(
                f"the platform answered HTTP {status}, which does not tell whether it had applied the request"
            )
        if says_applied(self._answer.content):
            return self._unknown(
                f"the platform refused the request (HTTP {status}), and its answer says that it was applied"
            )
        if status == 429:
            pause = _retry_after(self._answer.header("retry-after"))
            return self._refused("throttled", _STATUS_WORDS[429], retry_after=pause, retryable=True)
        return self._refused(
            "refused", _STATUS_WORDS.get(status, "the platform refused the request")
        )

    def _flaw(self) -> str:
        # Where nothing says how long an answer is, only a document that is complete shows that it was not cut.
        cut = not self._answer.framed and self._document is None
        return self._answer.flaw or (_BROKEN_OFF if cut else "")

    def _success(self) -> Outcome:
        document = self._document
        if document is None:
            return self._unknown("the answer is not the documented JSON")
        error, answered = document.get("error"), document.get("new_record")
        if _is_failure(error) and not says_applied(self._answer.content):
            return self._refused("refused", "the platform refused the request")
        if not _is_zero(error):
            return self._unknown(
                "the answer's 'error' does not say whether the request was applied"
            )
        rest = {key: value for key, value in document.items() if key not in ("error", "new_record")}
        if any(True for _statement in _statements(rest)):
            return self._unknown("the answer says more than once whether it was applied")
        number = _usable_id(answered)
        if self._asked.record_id is None:
            if number is None:
                return self._unknown(
                    "the answer says that it was created, without a usable new_record"
                )
            return Outcome(APPLIED, record_id=number, http_status=self._status)
        if _is_empty(answered) or number == self._asked.record_id:
            return Outcome(APPLIED, record_id=self._asked.record_id, http_status=self._status)
        # Sent again, it might make a third one of them.
        named = "another record" if number is None else f"record {number}"
        words = f"the edit of record {self._asked.record_id} was answered with {named}"
        return self._unknown(words, record_id=number, retryable=False)

    def _redirect(self) -> Outcome:
        place = _same_path_elsewhere(self._answer, self._asked)
        if place is None or says_applied(self._answer.content):
            return self._unknown(
                f"the platform answered with a redirect (HTTP {self._status}), which is never followed"
            )
        return self._refused(
            "refused",
            f"the platform redirects all of this to {place}, which is never followed: set api_url to the address at which a browser"
            " ends that opens it",
        )

    def _refused(
        self, kind: str, words: str, *, retry_after: float | None = None, retryable: bool = False
    ) -> Outcome:
        reason, remark = self._reason()
        return Outcome(
            NOT_APPLIED,
            words + remark,
            kind=kind,
            http_status=self._status,
            reason=reason,
            retry_after=retry_after,
            retryable=retryable,
        )

    def _unknown(
        self, words: str, *, record_id: int | None = None, retryable: bool = True
    ) -> Outcome:
        told = None if self._document is None else _usable_id(self._document.get("new_record"))
        reason, remark = self._reason()
        return Outcome(
            UNKNOWN,
            words + remark,
            kind="unknown_outcome",
            record_id=told if record_id is None else record_id,
            http_status=self._status or None,
            reason=reason,
            retry_after=_retry_after(self._answer.header("retry-after")),
            retryable=retryable,
        )

    def _reason(self) -> tuple[str | None, str]:
        """Return the documented C(reason) if it may be shown, and a remark if it may not. Nothing else that came is ever shown."""
        reason = None if self._document is None else self._document.get("reason")
        if not isinstance(reason, str):
            return None, ""
        shown = self._show(reason)
        if shown is None:
            return None, "; the reason that it gave is withheld, as a part of a secret is in it"
        return shown or None, ""


# What a body says


def says_applied(content: bytes) -> bool:
    """Tell whether a body says that the request was applied: a C(new_record) of any kind, or an C(error) that is none.

    In any envelope and any spelling of the two names. What is no JSON is searched as text.
    """
    text = _decoded(content)
    try:
        document = _load(text)
    except (ValueError, RecursionError):
        return _says_applied(text)
    return (
        any(_denies_failure(name, value) for name, value in _statements(document))
        or any(_names_record(name, value) for name, value in _members(document))
        or any(map(_says_applied, _texts(document)))
    )


def _denies_failure(name: str, value: t.Any) -> bool:
    return not _is_empty(value) if name == "newrecord" else _is_no_error(value)


def _names_record(name: str, value: t.Any) -> bool:
    """Tell whether a name that begins as C(new_record) does, such as C(new_record_id), has a value."""
    return _letters(name).startswith("newrecord") and bool(value) and not _is_empty(value)


_APPLIED = re.compile(
    r"new[_-]?record|(?<![a-z])errors?\W{0,12}(?:[+-]?0+(?:\.0*)?(?:e[+-]?\d+)?|false)(?![\w.])"
)


def _says_applied(text: str) -> bool:
    # NUL: a text of 16 or 32 bits a character, read as one of 8.
    folded = text.replace("\0", "").casefold()
    return any(_APPLIED.search(reading) is not None for reading in unescaped(folded))


def _statements(document: t.Any) -> Iterator[tuple[str, t.Any]]:
    """Yield what stands under the documented names, however written, anywhere in a document: the name's letters and the value."""
    for name, value in _members(document):
        letters = _letters(name)
        if letters in ("error", "newrecord"):
            yield letters, value


def _texts(document: t.Any) -> Iterator[str]:
    return (value for _name, value in _members(document) if isinstance(value, str))


def _members(document: t.Any) -> Iterator[tuple[str, t.Any]]:
    """Yield all that is in a document, each under its key. Not by recursion: a document may be nested deeper than that goes."""
    queue = [("", document)]
    while queue:
        name, value = queue.pop()
        yield name, value
        if isinstance(value, dict):
            queue.extend(value.items())
        elif isinstance(value, list):
            queue.extend(("", each) for each in value)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


# Strings, which are to stay as they are, and commas before the end of an object or array.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|,(?=\s*[}\]])', re.DOTALL)


def _parse(content: bytes) -> dict[str, t.Any] | None:
    """Read the documented JSON object."""
    try:
        document = _load(_decoded(content))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _load(text: str) -> t.Any:
    """Read JSON; trailing commas, as in the vendor's samples, are allowed. Raises C(ValueError) or C(RecursionError)."""
    try:
        return _READER.decode(text)
    except (ValueError, RecursionError):
        return _READER.decode(_without_trailing_commas(text))


def _without_trailing_commas(text: str) -> str:
    return _TOKENS.sub(lambda match: "" if match[0] == "," else match[0], text)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _unambiguous(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    document = dict(pairs)
    documented = [
        letters
        for letters in (_letters(name) for name, _value in pairs)
        if letters in ("error", "newrecord", "reason")
    ]
    if len(document) != len(pairs) or len(documented) != len(set(documented)):
        raise ValueError("a key stands twice")
    return document


def _no_number(name: str) -> t.Any:
    raise ValueError(name)


def _whole_number(digits: str) -> int:
    if len(digits) > 40:
        raise ValueError("a number is too long")
    return int(digits)


_READER = json.JSONDecoder(
    object_pairs_hook=_unambiguous, parse_constant=_no_number, parse_int=_whole_number
)


def _is_zero(value: t.Any) -> bool:
    return not isinstance(value, bool) and (
        value == 0 if isinstance(value, int) else _stripped(value) == "0"
    )


def _is_failure(value: t.Any) -> bool:
    """Tell whether C(error) certainly says that it failed: true, or a whole number other than 0."""
    if isinstance(value, str):
        return re.fullmatch(r"[+-]?0*[1-9][0-9]*", value.strip()) is not None
    return value is True or (isinstance(value, int) and value != 0)


def _is_no_error(value: t.Any) -> bool:
    """Tell whether an C(error) says that there is none: a zero in any spelling, or nothing at all."""
    if not isinstance(value, str):
        return not value
    text = value.strip().casefold()
    try:
        return float(text) == 0
    except ValueError:
        return text in ("", "false", "no", "none", "null", "nil", "ok", "success", "0x0")


def _is_empty(value: t.Any) -> bool:
    """Tell whether C(new_record) names no record."""
    return value is None or value is False or _is_zero(value) or _stripped(value) == ""


def _stripped(value: t.Any) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _usable_id(value: t.Any) -> int | None:
    """Return a record id: a whole number of at least 1, or its digits as a string, as sibling endpoints answer."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value.strip()):
        value = int(value)
    usable = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _ID_LIMIT
    return value if usable else None


# What headers say


def _retry_after(header: str | None) -> float | None:
    """Return the pause that the platform asks for in seconds (RFC 9110, 10.2.3: seconds or a date)."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _same_path_elsewhere(answer: Answer, asked: Asked) -> str | None:
    """Return in words of our own where a redirect leads that changes scheme or host and nothing else; None for others.

    Not for 303: by RFC 9110, 15.4.4, that is how a server answers after it has done what was asked.
    """
    location = answer.header("location")
    if answer.status == 303 or location is None or not re.fullmatch(r"[!-~]+", location):
        return None
    try:
        parts = urlsplit(location)
        place = authority(parts)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.query or parts.fragment or unquote(parts.path) != unquote(asked.path):
        return None
    here = urlsplit(asked.api_url)
    if (parts.scheme, place) == (here.scheme, authority(here)):
        return None  # to itself: that may also be how a server answers after it has done what was asked
    if parts.scheme != here.scheme and parts.hostname == here.hostname:
        return f"{parts.scheme}:// on the same host"
    return "another host or port"
