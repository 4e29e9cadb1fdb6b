# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a table of DIDs: CSV as spreadsheets save it.

A cell becomes a field's value in these steps: its text (C(csv_escaping)), what the option C(values) makes of it (C(mapping)), its place in an
entry (C(entries)), and the wire form of its field (C(_fields)).
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .chunks import Chunk, Entry
from .files import file_error, line_of
from .mapping import HOSTS, FieldMapping, hosts_of
from .names import INVISIBLE, strip
from .tables import UNNAMED, failed_cells, fields_of_header, may_hold_no_values

_SEPARATORS = ";,\t|"
_HEAD = 200
_Fields = Sequence[t.Optional[str]]
# The number of the first line of a row, and its cells.
_Row = tuple[int, list[str]]
# So many characters at a time are split into lines.
_PIECE = 1 << 16
_OTHER_FORMATS = (
    ("<", "HTML or XML"),
    ("[", "JSON; name it .json"),
    ("{", "JSON; name it .json"),
    ("---", "YAML; name it .yml"),
)


class _Notation(t.NamedTuple):
    """What a table needs to be looked at for. Without such characters, no cell is an error value or none, and each is the text that it stands for."""

    has_errors: bool
    has_marks: bool
    has_spaced_quotes: bool

    @classmethod
    def of(cls, text: str) -> _Notation:
        """Return what the text of a table may hold."""
        return cls(
            "#" in text or "Err:" in text or may_hold_no_values(text),
            "'" in text or '"""' in text,
            # The search takes long, and few tables have what it searches for.
            (' "' in text or '\xa0"' in text)
            and re.search(r'[;,|\t\r\n][ \xa0]+"', text) is not None,
        )


def read_csv(path: str, text: str, mapping: FieldMapping, size: int) -> Iterator[Chunk]:
    """Yield the rows of a table with a header row, so many at a time.

    An empty cell is "not managed". C(csv_escaping) says what stands for an empty value.

    :raises InvalidParameter: the text is no such table; with the line.
    """
    for start, name in _OTHER_FORMATS:
        if text[:_HEAD].lstrip().startswith(start):
            raise file_error(path, f"is not CSV but {name}", 1)
    position, separator = _find_header(path, text)
    rows = _read_rows(path, text, position, separator)
    line, _height, header = next(rows, (1, 1, []))
    fields = fields_of_header(path, [strip(name) for name in header], mapping, line)
    notation = _Notation.of(text)
    checked = _check_rows(path, rows, fields, separator, notation)
    count = 0
    while some := list(itertools.islice(checked, size)):
        chunk = _RowChunk(os.path.basename(path), count, some, fields, mapping, notation)
        count += len(chunk)
        yield chunk


def _read_rows(
    path: str, text: str, position: int, separator: str
) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the rows from a position on: the number of a row's first line, how many lines it takes, and its cells."""
    line = first_line = line_of(text, position)
    reader = csv.reader(_lines(text, position), delimiter=separator, strict=True)
    try:
        for row in reader:
            end = first_line + reader.line_num
            yield line, end - line, row
            line = end
    except csv.Error:
        raise file_error(
            path,
            "cannot be read as CSV from here on; is a quotation mark missing or too many? (A cell has at most"
            f" {csv.field_size_limit()} characters)",
            line,
        ) from None


def _check_rows(
    path: str,
    rows: Iterable[tuple[int, int, list[str]]],
    fields: _Fields,
    separator: str,
    notation: _Notation,
) -> Iterator[_Row]:
    """Yield the rows that are not empty."""
    width = len(fields)
    needs_check = width == 1 or UNNAMED in fields or notation.has_spaced_quotes
    for line, height, row in rows:
        if any(row):
            if needs_check or len(row) != width:
                _check_row(path, row, line, fields, notation)
            if height > 1:
                _check_line_breaks(path, row, line, fields, separator)
            yield line, row


class _RowChunk:
    """Rows of a table. Those that declare nothing are left out."""

    def __init__(
        self,
        name: str,
        position: int,
        rows: Sequence[_Row],
        fields: _Fields,
        mapping: FieldMapping,
        notation: _Notation,
    ) -> None:
        self._name = name
        self._position = position
        self._lines = [line for line, _row in rows]
        columns: dict[str, list[t.Any]] = {
            field: [cell if cell and not cell.isspace() else None for cell in cells]
            for field, cells in zip(fields, zip(*(row for _line, row in rows)))
            if field
        }
        self._problems: dict[int, tuple[str, ...]] = {}
        if notation.has_errors:
            for index in range(len(rows)):
                problems = failed_cells(_declared(columns, index), mapping)
                if problems:
                    self._problems[index] = problems
        if notation.has_marks:
            from .csv_escaping import read_text

            columns = {
                field: [each and read_text(each) for each in cells]
                for field, cells in columns.items()
            }
        for field in mapping.values.keys() & columns.keys():
            columns[field] = [mapping.meaning_of(field, each) for each in columns[field]]
        if HOSTS in columns:
            columns[HOSTS] = list(map(hosts_of, columns[HOSTS]))
        self._columns = columns
        # A table mostly has a column without an empty cell.
        if all(None in cells for cells in columns.values()):
            self._drop_empty()

    def _drop_empty(self) -> None:
        kept = [index for index in range(len(self)) if _declared(self._columns, index)]
        self._problems = {
            place: self._problems[index]
            for place, index in enumerate(kept)
            if index in self._problems
        }
        self._lines = [self._lines[index] for index in kept]
        self._columns = {
            field: [cells[index] for index in kept] for field, cells in self._columns.items()
        }

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Entry]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int, /) -> Entry:
        place = f"{self._name}, line {self._lines[index]}"
        declared = _declared(self._columns, index)
        problems = self._problems.get(index, ())
        return Entry(self._position + index, place, place, declared, problems)

    def columns(self) -> Mapping[str, Sequence[object]]:
        return self._columns

    def refused(self) -> Collection[int]:
        return self._problems


def _declared(columns: Mapping[str, Sequence[t.Any]], index: int) -> dict[str, t.Any]:
    """Return the declared fields of a row."""
    return {name: cells[index] for name, cells in columns.items() if cells[index] is not None}


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


_SHORT_ROW = ". If a spreadsheet left out empty cells at the end, make a column the last one that is never empty"


def _check_row(path: str, row: list[str], line: int, fields: _Fields, notation: _Notation) -> None:
    """Refuse a row whose cells cannot be told apart, or whose columns are not those of the header."""
    problem = None
    if len(fields) == 1 and set(row[0]).intersection(_SEPARATORS):
        # Read as one cell, a password in it would be quoted as part of an invalid number.
        problem = "has more cells than the header, which has one name; the same character must separate the cells in all rows"
    elif len(row) != len(fields):
        # A missing cell may have stood in the middle: then the cells after it are in the wrong columns.
        hint = "" if len(row) > len(fields) else _SHORT_ROW
        problem = f"has {len(row)} cells, and the header has {len(fields)}{hint}"
    elif any(cell.strip() for name, cell in zip(fields, row) if name == UNNAMED):
        problem = "has a cell in a column without a name in the header"
    elif notation.has_spaced_quotes and any(map(_is_spaced_quote, row)):
        problem = "has a space before a quotation mark that begins a cell; remove the space"
    if problem is not None:
        raise file_error(path, problem, line)


def _is_spaced_quote(cell: str) -> bool:
    """Tell whether quotation marks stand behind a space: they would be read as part of the cell's text."""
    return cell[:1].isspace() and cell.lstrip().startswith('"')


def _check_line_breaks(
    path: str, row: list[str], line: int, fields: _Fields, separator: str
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
