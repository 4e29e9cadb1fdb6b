# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the body of an answer says: whether the request was applied, and the id of its record. Pure functions.

The vendor's page documents two names for that: C(error), which is 0 after success, and C(new_record), the id of a created record. What a success
says is read strictly, by C(says_failed) and C(usable_id). What may contradict a refusal is searched for in any form, by C(hints_at_success).
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator

from .._decoding import unescape_layers

_ID_LIMIT = 2**63 - 1
# The letters of the two names, and of the text beside them.
_ERROR, _NEW_RECORD, _REASON = "error", "newrecord", "reason"


# Strictly


def read_object(content: bytes) -> dict[str, t.Any] | None:
    """Return the documented JSON object, or None for any other body."""
    try:
        document = _load(_decode(content))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def says_failed(error: t.Any) -> bool | None:
    """Tell whether an C(error) certainly says that the request failed: true, or a whole number other than 0. None where it says neither."""
    if isinstance(error, str):
        if re.fullmatch(r"[+-]?0*[1-9][0-9]*", error.strip()):
            return True
        return False if error.strip() == "0" else None
    return None if error is False or not isinstance(error, int) else error != 0


def names_no_record(new_record: t.Any) -> bool:
    """Tell whether a C(new_record) names no record: it is 0, blank, false or null."""
    if isinstance(new_record, str):
        return new_record.strip() in ("", "0")
    return new_record is None or (isinstance(new_record, int) and new_record == 0)


def usable_id(new_record: t.Any) -> int | None:
    """Return a record id: a whole number of at least 1, or its digits as a string, as sibling endpoints answer. None for anything else."""
    if isinstance(new_record, str) and re.fullmatch(r"[0-9]{1,19}", new_record.strip()):
        new_record = int(new_record)
    is_number = isinstance(new_record, int) and not isinstance(new_record, bool)
    return new_record if is_number and 1 <= new_record <= _ID_LIMIT else None


def has_further_statement(document: dict[str, t.Any]) -> bool:
    """Tell whether an object says at another place than in its own C(error) and C(new_record) whether the request was applied."""
    rest = {key: value for key, value in document.items() if key not in ("error", "new_record")}
    return any(_letters(name) in (_ERROR, _NEW_RECORD) for name, _value in _walk(rest))


# In any form


def hints_at_success(content: bytes) -> bool:
    """Tell whether a body says that the request was applied: a C(new_record) of any kind, or an C(error) that is none.

    In any envelope and any spelling of the two names. What is no JSON is searched as text.
    """
    text = _decode(content)
    try:
        document = _load(text)
    except (ValueError, RecursionError):
        return _text_hints_at_success(text)
    return any(_value_hints_at_success(name, value) for name, value in _walk(document))


def _value_hints_at_success(name: str, value: t.Any) -> bool:
    letters = _letters(name)
    if letters == _ERROR and _is_no_error(value):
        return True
    # Also a name that begins so, such as new_record_id, if it has a value.
    is_record = letters == _NEW_RECORD or (letters.startswith(_NEW_RECORD) and bool(value))
    if is_record and not names_no_record(value):
        return True
    return isinstance(value, str) and _text_hints_at_success(value)


def _is_no_error(value: t.Any) -> bool:
    """Tell whether an C(error) says that there is none: a zero in any spelling, or nothing at all."""
    if not isinstance(value, str):
        return not value
    text = value.strip().casefold()
    try:
        return float(text) == 0
    except ValueError:
        return text in ("", "false", "no", "none", "null", "nil", "ok", "success", "0x0")


_SUCCESS_HINT = re.compile(
    r"new[_-]?record|(?<![a-z])errors?\W{0,12}(?:[+-]?0+(?:\.0*)?(?:e[+-]?\d+)?|false)(?![\w.])"
)


def _text_hints_at_success(text: str) -> bool:
    # NUL: a text of 16 or 32 bits a character, read as one of 8.
    folded = text.replace("\0", "").casefold()
    # What has too many layers is not read, so it may say anything.
    return any(
        reading is None or _SUCCESS_HINT.search(reading) is not None
        for reading in unescape_layers(folded)
    )


def _walk(document: t.Any) -> Iterator[tuple[str, t.Any]]:
    """Yield each value in a document, with its key. Not by recursion: a document may be nested deeper than Python recurses."""
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


# No text holds these control characters, and other bytes seldom lack them. NUL: as above.
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def is_text(content: bytes) -> bool:
    """Tell whether a body is text, which can be searched."""
    return _CONTROLS.search(content) is None


# A comma before the end of an object or array; and strings, in which one is to stay as it is.
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_TOKENS = re.compile(rf'"(?:[^"\\]|\\.?)*(?:"|\Z)|{_TRAILING_COMMA.pattern}', re.DOTALL)


def _load(text: str) -> t.Any:
    """Read JSON; trailing commas, as in the vendor's samples, are allowed. Raises C(ValueError) or C(RecursionError)."""
    if _TRAILING_COMMA.search(text):
        text = _TOKENS.sub(lambda match: "" if match[0] == "," else match[0], text)
    return _READER.decode(text)


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _unambiguous_object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    document = dict(pairs)
    documented = [
        letters
        for name, _value in pairs
        if (letters := _letters(name)) in (_ERROR, _NEW_RECORD, _REASON)
    ]
    if len(document) != len(pairs) or len(documented) != len(set(documented)):
        raise ValueError("a key stands twice")
    return document


def _reject_constant(name: str) -> t.Any:
    raise ValueError(name)


def _parse_int(digits: str) -> int:
    if len(digits) > 40:
        raise ValueError("a number is too long")
    return int(digits)


_READER = json.JSONDecoder(
    object_pairs_hook=_unambiguous_object, parse_constant=_reject_constant, parse_int=_parse_int
)
