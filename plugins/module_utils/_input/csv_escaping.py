# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""How a text stands in a cell of a CSV: no spreadsheet runs it as a formula, and it reads back as it was. Pure.

An empty text is a cell of two quote characters, as an empty cell is "not managed". An apostrophe is written before a text that would
be read as something else, and removed when it is read: at the beginning of the text, and wherever a cell would begin if a spreadsheet
took another separator or a line break of the text for the end of a cell (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import re
import typing as t

from .._spreadsheets import is_error_value
from .names import NO_VALUES

EMPTY = '""'
MARK = "'"
# What begins a formula, also in the width that East Asian keyboards have.
_OPERATORS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_SEPARATORS = ";,|"
_ENDS_OF_CELL = frozenset(f"{_SEPARATORS}\t\r\n")
# A whole run of what may end a cell, and of what a spreadsheet may skip before an operator.
_SKIPPED = rf"""{_SEPARATORS}'"\s\ufeff\u200b\u200e\u200f\u2060"""
_RUN = re.compile(rf"\A[{_SKIPPED}]*|[{_SKIPPED}]+")
# Whatever does not begin with a letter or a digit, or has an operator after anything else. Most texts are not like that.
_SUSPECT = re.compile("\\A[^A-Za-z0-9]|[^A-Za-z0-9][-=+@\uff1d\uff0b\uff0d\uff20]")


def write_text(text: str) -> str:
    """Return the cell that stands for a text. C(read_text) returns the text again."""
    if not text:
        return EMPTY
    if not _SUSPECT.search(text) and not _is_misread(text):
        return text
    return _RUN.sub(_add_marks, text)


def read_text(cell: str) -> str:
    """Return the text that a cell stands for."""
    if cell == EMPTY:
        return ""
    return _RUN.sub(_remove_marks, cell) if MARK in cell else cell


def _add_marks(match: re.Match[str]) -> str:
    run, pieces, done = match[0], [], 0
    for at in _marked_positions(match):
        pieces.append(run[done:at] + MARK)
        done = at
    return "".join(pieces) + run[done:]


def _remove_marks(match: re.Match[str]) -> str:
    run, pieces, done = match[0], [], 0
    for at in _marked_positions(match):
        if run.startswith(MARK, at):
            pieces.append(run[done:at])
            done = at + 1
    return "".join(pieces) + run[done:]


def _marked_positions(match: re.Match[str]) -> t.Iterator[int]:
    """Yield the positions in a run before which a mark stands. They are the same with and without the marks."""
    run, text = match[0], match.string
    is_formula = text[match.end() : match.end() + 1] in _OPERATORS
    # What stands before a separator does not begin the cell of the operator.
    first = 1 + max(map(run.rfind, _SEPARATORS))
    for at in range(len(run) + 1):
        is_start = at + match.start() == 0
        begins_cell = is_start or run[max(at - 1, 0) : at] in _ENDS_OF_CELL
        if (is_start and _is_misread(text)) or (is_formula and at >= first and begins_cell):
            yield at


def _is_misread(text: str) -> bool:
    """Tell whether the reader of CSV would take a text for something else, or refuse it. Marks before it make no difference."""
    bare = text.lstrip(MARK)
    has_spaced_quote = bare[:1].isspace() and bare.lstrip().startswith('"')
    plain = bare.strip()
    return (
        bare == EMPTY
        or bare.isspace()
        or has_spaced_quote
        or is_error_value(plain)
        or plain in NO_VALUES
    )
