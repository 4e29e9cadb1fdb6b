# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a list of DIDs in JSON."""

from __future__ import annotations

import collections
import json
import re
import typing as t

from .._fields import FRACTION
from .files import _DIGITS, _LARGE, _NO_LIST, Found, line_of, repeated, unusable

if t.TYPE_CHECKING:  # pragma: no cover
    from .._errors import InvalidParameter


def read_json(path: str, text: str, names: set[str]) -> list[Found]:
    """Read a list in JSON, entry by entry, so that each fault is told with a line."""
    twice: list[str] = []

    def mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
        read = dict(pairs)
        if len(read) != len(pairs):
            counts = collections.Counter(name for name, _value in pairs)
            twice.extend(name for name, count in counts.items() if count > 1)
        return read

    decoder = json.JSONDecoder(
        object_pairs_hook=mapping,
        parse_int=lambda digits: int(digits) if len(digits) <= _DIGITS else _LARGE,
        parse_float=lambda _digits: FRACTION,
        parse_constant=lambda _word: FRACTION,
    )
    found: list[Found] = []
    line, counted = 1, 0
    for position, value in _json_entries(path, text, decoder):
        problems: tuple[str, ...] = ()
        if twice:
            between = text[counted:position]
            line, counted = line - 1 + line_of(between, len(between)), position
            where = f"in the entry that begins in line {line}"
            problems = tuple(repeated(name, names, where) for name in sorted(set(twice)))
            twice.clear()
        found.append(Found(f"[{len(found)}]", value, problems))
    return found


def _json_entries(
    path: str, text: str, decoder: json.JSONDecoder
) -> t.Iterator[tuple[int, object]]:
    """Return where each element of the list in a text begins, and the element."""
    blank = re.compile(r"[ \t\r\n]*")

    def after_blank(position: int) -> int:
        return t.cast("re.Match[str]", blank.match(text, position)).end()

    def broken(position: int) -> InvalidParameter:
        return unusable(
            path,
            "is not JSON from here on; is a comma, a bracket or a quotation mark missing or too many?",
            line_of(text, position),
        )

    position = after_blank(0)
    if text[position] != "[":
        raise unusable(path, f"{_NO_LIST}, which begins with '['", line_of(text, position))
    position = after_blank(position + 1)
    closed = text[position : position + 1] == "]"
    while not closed:
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise broken(error.pos) from None
        except RecursionError:
            raise unusable(
                path, "cannot be read: it is nested too deeply", line_of(text, position)
            ) from None
        yield position, value
        position = after_blank(end)
        closed = text[position : position + 1] == "]"
        if not closed:
            if text[position : position + 1] != ",":
                raise broken(position)
            position = after_blank(position + 1)
    position = after_blank(position + 1)
    if position != len(text):
        raise broken(position)
