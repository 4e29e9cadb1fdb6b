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

from .._errors import InvalidParameter
from .files import file_error, line_of
from .raw_entries import NOT_A_LIST, RawEntry, duplicate_key, read_decimal, read_integer


def read_json(path: str, text: str, names: t.AbstractSet[str]) -> list[RawEntry]:
    """Read a list in JSON, entry by entry, so that each problem has a line."""
    duplicates: list[str] = []

    def read_mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
        mapping = dict(pairs)
        if len(mapping) != len(pairs):
            counts = collections.Counter(name for name, _value in pairs)
            duplicates.extend(name for name, count in counts.items() if count > 1)
        return mapping

    decoder = json.JSONDecoder(
        object_pairs_hook=read_mapping,
        parse_int=read_integer,
        parse_float=read_decimal,
    )
    entries: list[RawEntry] = []
    line, counted = 1, 0
    for position, value in _read_elements(path, text, decoder):
        problems: tuple[str, ...] = ()
        if duplicates:
            between = text[counted:position]
            line, counted = line - 1 + line_of(between, len(between)), position
            where = f"in the entry that begins in line {line}"
            problems = tuple(duplicate_key(name, names, where) for name in sorted(set(duplicates)))
            duplicates.clear()
        entries.append(RawEntry(f"[{len(entries)}]", value, problems))
    return entries


def _read_elements(
    path: str, text: str, decoder: json.JSONDecoder
) -> t.Iterator[tuple[int, object]]:
    """Yield the elements of the list in a text, each with the position where it begins."""
    blank = re.compile(r"[ \t\r\n]*")

    def skip_blank(position: int) -> int:
        return t.cast("re.Match[str]", blank.match(text, position)).end()

    def syntax_error(position: int) -> InvalidParameter:
        return file_error(
            path,
            "is not JSON from here on; is a comma, a bracket or a quotation mark missing or too many?",
            line_of(text, position),
        )

    position = skip_blank(0)
    if text[position] != "[":
        raise file_error(path, f"{NOT_A_LIST}, which begins with '['", line_of(text, position))
    position = skip_blank(position + 1)
    closed = text[position : position + 1] == "]"
    while not closed:
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise syntax_error(error.pos) from None
        except RecursionError:
            raise file_error(
                path, "cannot be read: it is nested too deeply", line_of(text, position)
            ) from None
        yield position, value
        position = skip_blank(end)
        closed = text[position : position + 1] == "]"
        if not closed:
            if text[position : position + 1] != ",":
                raise syntax_error(position)
            position = skip_blank(position + 1)
    position = skip_blank(position + 1)
    if position != len(text):
        raise syntax_error(position)
