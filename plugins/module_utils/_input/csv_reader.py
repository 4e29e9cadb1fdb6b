# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tables of DIDs: CSV as spreadsheets save it."""

from __future__ import annotations

import collections
import csv
import io
import re
import typing as t

from .files import Found, line_of, unusable
from .names import shown_name

_SEPARATORS = ";,\t|"
# How many columns of a header are told to be wrong. A table that is none may have any number.
_SHOWN_COLUMNS = 10
_HEAD = 200
_OTHERS = (
    ("<", "HTML or XML"),
    ("[", "JSON; name it .json"),
    ("{", "JSON; name it .json"),
    ("---", "YAML; name it .yml"),
)
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"


def read_csv(path: str, text: str, names: set[str]) -> list[Found]:
    """Read a table with a header row of field names. An empty cell is "not managed"."""
    for start, words in _OTHERS:
        if text[:_HEAD].lstrip().startswith(start):
            raise unusable(path, f"is not CSV but {words}", 1)
    position, separator = _find_header(path, text)
    lines = io.StringIO(text, newline="")
    lines.seek(position)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    before = line_of(text, position)
    spaced = re.search(r'[;,|\t\r\n][ \xa0]+"', text) is not None
    found: list[Found] = []
    line = before
    try:
        header = [_stripped(name) for name in next(reader)]
        _check_header(path, header, names, line)
        line = before + reader.line_num
        for row in reader:
            if any(row):
                declared = _row(path, header, row, line)
                if spaced:
                    _check_quotes(path, row, line)
                if declared:
                    found.append(Found(f", line {line}", declared, _failed_formulas(declared)))
            line = before + reader.line_num
    except csv.Error:
        raise unusable(
            path,
            "cannot be read as CSV from here on; is a quotation mark missing or too many? (A cell has at most"
            f" {csv.field_size_limit()} characters)",
            line,
        ) from None
    return found


def _stripped(name: str) -> str:
    return name.strip().strip(_INVISIBLE).strip()


def _find_header(path: str, text: str) -> tuple[int, str]:
    """Return where the first row with a name begins, and what separates its cells.

    Spreadsheets leave empty rows above a table. Excel takes a first line C(sep=;) for what it says, and some programs write it.
    """
    separator = None
    for found in re.finditer(r"[^\r\n]+", text):
        line = found[0]
        told = re.fullmatch(r'"?sep=(.)"?[;,|\s]*', line.strip(_INVISIBLE), re.IGNORECASE)
        if told is not None and separator is None:
            separator = told[1]
            if separator not in _SEPARATORS:
                raise unusable(
                    path,
                    "asks by 'sep=' for a separator that is none of ';', ',', '|' and the tab",
                    line_of(text, found.start()),
                )
        elif line.strip(f'{_SEPARATORS}"{_INVISIBLE} \u00a0'):
            start = found.start() + len(line) - len(line.lstrip(_INVISIBLE))
            return start, separator or next(filter(line.__contains__, _SEPARATORS), ",")
    raise unusable(path, "is empty: it has no names of fields, and no DIDs")


def _check_header(path: str, header: list[str], names: set[str], line: int) -> None:
    unknown = [
        (column, name) for column, name in enumerate(header, 1) if name and name not in names
    ]
    problems = [
        f"{shown_name(name, names) or f'the name of column {column}'} is no field of a DID"
        for column, name in unknown[:_SHOWN_COLUMNS]
    ]
    if len(unknown) > _SHOWN_COLUMNS:
        problems.append(f"and the names of {len(unknown) - _SHOWN_COLUMNS} more columns are none")
    counts = collections.Counter(header)
    problems += [f"{name} stands twice" for name in sorted(names) if counts[name] > 1]
    if not {"did_number", "record_id"} & set(header):
        problems.append(
            "neither did_number nor record_id is there; the first row must be the names of the fields"
        )
    if problems:
        raise unusable(path, "; ".join(problems), line)


def _check_quotes(path: str, row: list[str], line: int) -> None:
    """Refuse what would be read as a cell without quotation marks, and with them in its text."""
    if any(cell[:1].isspace() and cell.lstrip().startswith('"') for cell in row):
        raise unusable(
            path, "has a space before a quotation mark that begins a cell; remove the space", line
        )


def _failed_formulas(declared: dict[str, t.Any]) -> tuple[str, ...]:
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


_SHORT = ". If a spreadsheet left out empty cells at the end, make a column the last one that is never empty"


def _row(path: str, header: list[str], row: list[str], line: int) -> dict[str, t.Any]:
    if len(header) == 1 and set(row[0]).intersection(_SEPARATORS):
        # Read as one cell, a password in it would be shown as a part of a wrong number.
        raise unusable(
            path,
            "has more cells than the header, which has one name; the same character must separate the cells in all rows",
            line,
        )
    if len(row) != len(header):
        # Cells that are missing at the end might as well be missing in the middle: the others would stand in the wrong columns.
        hint = "" if len(row) > len(header) else _SHORT
        raise unusable(path, f"has {len(row)} cells, and the header has {len(header)}{hint}", line)
    declared: dict[str, t.Any] = {
        name: cell for name, cell in zip(header, row) if cell and not cell.isspace()
    }
    if "" in declared:
        raise unusable(path, "has a cell in a column without a name in the header", line)
    hosts = declared.get("host_additional")
    if hosts is not None:
        declared["host_additional"] = [host for host in re.split(r"[\s|]+", hosts) if host]
    return declared
