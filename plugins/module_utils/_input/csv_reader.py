# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a table of DIDs: CSV as spreadsheets save it."""

from __future__ import annotations

import csv
import io
import re
import typing as t
from collections.abc import Iterator

from .files import file_error, line_of
from .mapping import FieldMapping
from .names import INVISIBLE, strip
from .raw_entries import RawEntry
from .tables import UNNAMED, failed_formulas, fields_of_header, finish_row

_SEPARATORS = ";,\t|"
_HEAD = 200
# So many characters at a time are split into lines.
_PIECE = 1 << 16
_OTHER_FORMATS = (
    ("<", "HTML or XML"),
    ("[", "JSON; name it .json"),
    ("{", "JSON; name it .json"),
    ("---", "YAML; name it .yml"),
)


def read_csv(path: str, text: str, mapping: FieldMapping) -> Iterator[RawEntry]:
    """Yield the rows of a table with a header row. An empty cell is "not managed"; C(csv_cells) says what stands for an empty value."""
    for start, name in _OTHER_FORMATS:
        if text[:_HEAD].lstrip().startswith(start):
            raise file_error(path, f"is not CSV but {name}", 1)
    position, separator = _find_header(path, text)
    reader = csv.reader(_lines(text, position), delimiter=separator, strict=True)
    first_line = line_of(text, position)
    # Without these characters, no cell is an error value, and each one is the text that it stands for.
    has_errors = "#" in text or "Err:" in text
    has_marks = "'" in text or '"""' in text
    has_spaced_quotes = re.search(r'[;,|\t\r\n][ \xa0]+"', text) is not None
    line = first_line
    try:
        fields = fields_of_header(path, [strip(name) for name in next(reader, [])], mapping, line)
        line = first_line + reader.line_num
        for row in reader:
            if any(row):
                declared = _fields_of_row(path, fields, row, line)
                if first_line + reader.line_num > line + 1:
                    _check_lines(path, fields, row, separator, line)
                if has_spaced_quotes:
                    _check_quotes(path, row, line)
                problems = failed_formulas(declared) if has_errors else ()
                if has_marks:
                    from .csv_cells import read_marks

                    read_marks(declared)
                if finish_row(declared, mapping):
                    yield RawEntry(f", line {line}", declared, problems)
            line = first_line + reader.line_num
    except csv.Error:
        raise file_error(
            path,
            "cannot be read as CSV from here on; is a quotation mark missing or too many? (A cell has at most"
            f" {csv.field_size_limit()} characters)",
            line,
        ) from None


def _lines(text: str, position: int) -> Iterator[str]:
    """Yield the lines of a text from a position on, with their ends. A copy of the whole text would take four bytes for a character."""
    while position < len(text):
        # A piece ends where a line does, so that no CR is parted from its LF.
        end = text.find("\n", position + _PIECE) + 1 or len(text)
        yield from io.StringIO(text[position:end], newline="")
        position = end


def _find_header(path: str, text: str) -> tuple[int, str]:
    """Return the position of the first row with a name, and the character that separates its cells.

    Spreadsheets leave empty rows above a table. Some programs write a first line C(sep=;), which Excel heeds.
    """
    separator = None
    for match in re.finditer(r"[^\r\n]+", text):
        line = match[0]
        directive = re.fullmatch(r'"?sep=(.)"?[;,|\s]*', line.strip(INVISIBLE), re.IGNORECASE)
        if directive is not None and separator is None:
            separator = directive[1]
            if separator not in _SEPARATORS:
                raise file_error(
                    path,
                    "asks by 'sep=' for a separator that is none of ';', ',', '|' and the tab",
                    line_of(text, match.start()),
                )
        elif line.strip(f'{_SEPARATORS}"{INVISIBLE} \u00a0'):
            start = match.start() + len(line) - len(line.lstrip(INVISIBLE))
            # A name in quotation marks may have line breaks in it.
            row = re.match(r'(?:"[^"]*"|[^"\r\n])*', text[start:])
            names = line if row is None else row[0]
            return start, separator or next(filter(names.__contains__, _SEPARATORS), ",")
    raise file_error(path, "is empty: it has no names of fields, and no DIDs")


def _check_quotes(path: str, row: list[str], line: int) -> None:
    """Refuse a cell with a space before its quotation marks: they would be read as part of its text."""
    if any(cell[:1].isspace() and cell.lstrip().startswith('"') for cell in row):
        raise file_error(
            path, "has a space before a quotation mark that begins a cell; remove the space", line
        )


def _check_lines(
    path: str, fields: list[str | None], row: list[str], separator: str, line: int
) -> None:
    """Refuse a cell that has taken in rows, as between two cells of one column that each lack one of their quotation marks.

    It then holds the rest of its own row, whole rows, and the beginning of the row where it ends: together as many cells as rows have.
    """
    own = fields.index("did_number" if "did_number" in fields else "record_id")
    for column, cell in enumerate(row):
        first, *others = (text.split(separator) for text in re.split(r"\r\n|\r|\n", cell))
        if not others or len(first) != len(fields) - column or len(others[-1]) != column + 1:
            continue
        number = others[-1][own] if own <= column else first[own - column]
        if all(len(cells) == len(fields) for cells in others[:-1]) and _is_digits(number):
            raise file_error(
                path,
                "has a cell with a line break that reads as the end of one row and the beginning of another; is a quotation mark missing or too many?",
                line,
            )


def _is_digits(cell: str) -> bool:
    from .._numbers import FEWEST_DIGITS

    digits = re.sub(r"[\s+().-]", "", cell.strip("\"'"))
    return len(digits) >= FEWEST_DIGITS and digits.isascii() and digits.isdigit()


_SHORT_ROW = ". If a spreadsheet left out empty cells at the end, make a column the last one that is never empty"


def _fields_of_row(
    path: str, fields: list[str | None], row: list[str], line: int
) -> dict[t.Any, t.Any]:
    """Return the declared fields of a row: the text of each cell that is not empty, by the field of its column."""
    if len(fields) == 1 and set(row[0]).intersection(_SEPARATORS):
        # Read as one cell, a password in it would be quoted as part of an invalid number.
        raise file_error(
            path,
            "has more cells than the header, which has one name; the same character must separate the cells in all rows",
            line,
        )
    if len(row) != len(fields):
        # A missing cell may have stood in the middle: then the cells after it are in the wrong columns.
        hint = "" if len(row) > len(fields) else _SHORT_ROW
        raise file_error(
            path, f"has {len(row)} cells, and the header has {len(fields)}{hint}", line
        )
    declared = {name: cell for name, cell in zip(fields, row) if cell and not cell.isspace()}
    if UNNAMED in declared:
        raise file_error(path, "has a cell in a column without a name in the header", line)
    return declared
