# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a table of DIDs: CSV as spreadsheets save it.

A cell becomes a declared field here: its column's header names the field, and an empty cell declares nothing. What its text means
is for C(_fields.normalise), as in any other source.
"""

from __future__ import annotations

import collections
import csv
import io
import re
import typing as t

from .files import file_error, line_of
from .names import quotable_name
from .raw_entries import RawEntry

_SEPARATORS = ";,\t|"
# How many unknown columns a message names. What is no table may have any number of them.
_NAMED_COLUMNS = 10
_HEAD = 200
_OTHER_FORMATS = (
    ("<", "HTML or XML"),
    ("[", "JSON; name it .json"),
    ("{", "JSON; name it .json"),
    ("---", "YAML; name it .yml"),
)
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"


def read_csv(path: str, text: str, names: set[str]) -> list[RawEntry]:
    """Read a table with a header row of field names. An empty cell is "not managed"; C(csv_cells) says what stands for an empty value."""
    for start, name in _OTHER_FORMATS:
        if text[:_HEAD].lstrip().startswith(start):
            raise file_error(path, f"is not CSV but {name}", 1)
    position, separator = _find_header(path, text)
    lines = io.StringIO(text, newline="")
    lines.seek(position)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    first_line = line_of(text, position)
    # Without these characters, each cell is the text that it stands for.
    has_marks = "'" in text or '"""' in text
    has_spaced_quotes = re.search(r'[;,|\t\r\n][ \xa0]+"', text) is not None
    entries: list[RawEntry] = []
    line = first_line
    try:
        header = [_strip(name) for name in next(reader)]
        _check_header(path, header, names, line)
        line = first_line + reader.line_num
        for row in reader:
            if any(row):
                declared = _fields_of_row(path, header, row, line)
                if has_spaced_quotes:
                    _check_quotes(path, row, line)
                if declared:
                    problems = _failed_formulas(declared)
                    if has_marks:
                        declared = _read_marks(declared)
                    entries.append(RawEntry(f", line {line}", declared, problems))
            line = first_line + reader.line_num
    except csv.Error:
        raise file_error(
            path,
            "cannot be read as CSV from here on; is a quotation mark missing or too many? (A cell has at most"
            f" {csv.field_size_limit()} characters)",
            line,
        ) from None
    return entries


def _strip(name: str) -> str:
    return name.strip().strip(_INVISIBLE).strip()


def _find_header(path: str, text: str) -> tuple[int, str]:
    """Return the position of the first row with a name, and the character that separates its cells.

    Spreadsheets leave empty rows above a table. Some programs write a first line C(sep=;), which Excel heeds.
    """
    separator = None
    for match in re.finditer(r"[^\r\n]+", text):
        line = match[0]
        directive = re.fullmatch(r'"?sep=(.)"?[;,|\s]*', line.strip(_INVISIBLE), re.IGNORECASE)
        if directive is not None and separator is None:
            separator = directive[1]
            if separator not in _SEPARATORS:
                raise file_error(
                    path,
                    "asks by 'sep=' for a separator that is none of ';', ',', '|' and the tab",
                    line_of(text, match.start()),
                )
        elif line.strip(f'{_SEPARATORS}"{_INVISIBLE} \u00a0'):
            start = match.start() + len(line) - len(line.lstrip(_INVISIBLE))
            return start, separator or next(filter(line.__contains__, _SEPARATORS), ",")
    raise file_error(path, "is empty: it has no names of fields, and no DIDs")


def _check_header(path: str, header: list[str], names: set[str], line: int) -> None:
    unknown = [
        (column, name) for column, name in enumerate(header, 1) if name and name not in names
    ]
    problems = [
        f"{quotable_name(name, names) or f'the name of column {column}'} is no field of a DID"
        for column, name in unknown[:_NAMED_COLUMNS]
    ]
    if len(unknown) > _NAMED_COLUMNS:
        problems.append(f"and the names of {len(unknown) - _NAMED_COLUMNS} more columns are none")
    counts = collections.Counter(header)
    problems += [f"{name} stands twice" for name in sorted(names) if counts[name] > 1]
    if not {"did_number", "record_id"} & set(header):
        problems.append(
            "neither did_number nor record_id is there; the first row must be the names of the fields"
        )
    if problems:
        raise file_error(path, "; ".join(problems), line)


def _check_quotes(path: str, row: list[str], line: int) -> None:
    """Refuse a cell with a space before its quotation marks: they would be read as part of its text."""
    if any(cell[:1].isspace() and cell.lstrip().startswith('"') for cell in row):
        raise file_error(
            path, "has a space before a quotation mark that begins a cell; remove the space", line
        )


def _failed_formulas(declared: dict[str, t.Any]) -> tuple[str, ...]:
    """Return a problem for each cell that holds an error value of a spreadsheet."""
    suspects = {
        name: cell.strip()
        for name, cell in declared.items()
        if isinstance(cell, str) and cell.lstrip().startswith(("#", "Err:"))
    }
    if not suspects:
        return ()
    from .._spreadsheets import is_error_value

    return tuple(
        f"{name}: {cell} is what a spreadsheet shows where a formula has failed"
        for name, cell in suspects.items()
        if is_error_value(cell)
    )


def _read_marks(declared: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what the cells of a row stand for, also where they hold marks. A list is a cell that was split into hosts."""
    from .csv_cells import EMPTY, read_text

    return {
        name: read_text(cell) if isinstance(cell, str) else [] if cell == [EMPTY] else cell
        for name, cell in declared.items()
    }


_SHORT_ROW = ". If a spreadsheet left out empty cells at the end, make a column the last one that is never empty"


def _fields_of_row(path: str, header: list[str], row: list[str], line: int) -> dict[str, t.Any]:
    """Return the declared fields of a row: the text of each cell that is not empty, by the name in its column's header."""
    if len(header) == 1 and set(row[0]).intersection(_SEPARATORS):
        # Read as one cell, a password in it would be quoted as part of an invalid number.
        raise file_error(
            path,
            "has more cells than the header, which has one name; the same character must separate the cells in all rows",
            line,
        )
    if len(row) != len(header):
        # A missing cell may have stood in the middle: then the cells after it are in the wrong columns.
        hint = "" if len(row) > len(header) else _SHORT_ROW
        raise file_error(
            path, f"has {len(row)} cells, and the header has {len(header)}{hint}", line
        )
    declared: dict[str, t.Any] = {
        name: cell for name, cell in zip(header, row) if cell and not cell.isspace()
    }
    if "" in declared:
        raise file_error(path, "has a cell in a column without a name in the header", line)
    hosts = declared.get("host_additional")
    if hosts is not None:
        declared["host_additional"] = [host for host in re.split(r"[\s|]+", hosts) if host]
    return declared
