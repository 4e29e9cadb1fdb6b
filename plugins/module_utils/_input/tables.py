# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is common to the tables of all formats: a header that names fields, and rows of cells.

A cell becomes a declared field here: its column's header names the field, and an empty cell declares nothing. What its text means
is for C(_fields.normalise), as in any other source.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Sequence

from .files import file_error
from .mapping import HOSTS, FieldMapping, hosts_of, split_hosts
from .names import NO_VALUES, fold, list_of_fields, positions, quotable_name, suggestion

# How many unknown columns a message names. What is no table may have any number of them.
_NAMED_COLUMNS = 10
UNNAMED = ""


def fields_of_header(
    path: str,
    header: Sequence[str],
    mapping: FieldMapping,
    place: int | str,
    label: Callable[[int], str] = str,
) -> list[str | None]:
    """Return the field of each column: None for one that is left out, C(UNNAMED) for one without a header.

    :param place: the place of the header in the file.
    :param label: what a message calls a column, by its position from 1.
    :raises InvalidParameter: a header is unknown, two name one field, or there is none of a DID.
    """
    fields: list[str | None] = []
    unknown: list[int] = []
    first: dict[str, int] = {}
    twice: dict[str, list[int]] = {}
    for position, title in enumerate(header, 1):
        name: str | None = UNNAMED
        if title:
            try:
                name = mapping.field_of(title)
            except KeyError:
                unknown.append(position)
        if name and first.setdefault(name, position) != position:
            twice.setdefault(name, [first[name]]).append(position)
        fields.append(name)
    problems = _unknown_columns(header, unknown, mapping.names, label)
    problems += [
        f"{name} stands twice (columns {', '.join(map(label, columns[:2]))})"
        for name, columns in sorted(twice.items())
    ]
    problems += mapping.missing_headers(fold(title) for title in header if title)
    if not {"did_number", "record_id"} & first.keys():
        problems.append(
            "neither did_number nor record_id is there; the first row must be the names of the fields"
        )
    advice = ""
    if unknown:
        advice = (
            ". Rename such a column, or map it by the option columns, where null leaves it out."
            f" {list_of_fields(mapping.names)}"
        )
    if problems:
        raise file_error(path, "; ".join(problems) + advice, place)
    return fields


def _unknown_columns(
    header: Sequence[str],
    unknown: Sequence[int],
    names: frozenset[str],
    label: Callable[[int], str],
) -> list[str]:
    """Return the problems of columns whose names are no field."""
    quotable = {
        position: name
        for position in unknown[:_NAMED_COLUMNS]
        if (name := quotable_name(header[position - 1], names)) is not None
    }
    problems = [
        f"{name} (column {label(position)}) is no field of a DID{suggestion(name, names)}"
        for position, name in quotable.items()
    ]
    others = [position for position in unknown if position not in quotable]
    if len(others) == 1:
        problems.append(f"the name of column {label(others[0])} is no field of a DID")
    elif others:
        problems.append(f"the names of columns {positions(others)} are no fields of a DID")
    return problems


def finish_row(declared: dict[t.Any, t.Any], mapping: FieldMapping) -> dict[str, t.Any]:
    """Return the declared fields of a row. C(declared): its cells that are not empty, by field."""
    declared.pop(None, None)
    mapping.translate(declared)
    split_hosts(declared)
    return declared


def may_hold_no_values(table: str) -> bool:
    """Tell whether a cell of a table in one text may be one without a value. Few texts hold a word that needs the search, which takes long."""
    if not any(map(table.__contains__, NO_VALUES)):
        return False
    words = "|".join(map(re.escape, sorted(NO_VALUES)))
    return re.search(rf'(?:\A|(?<=[\s;,|"]))(?:{words})(?=[\s;,|"]|\Z)', table) is not None


def failed_cells(declared: t.Mapping[str, t.Any], mapping: FieldMapping) -> tuple[str, ...]:
    """Return a problem for each cell that holds an error value of a spreadsheet, or what a program writes for no value.

    What the option C(values) lists is meant.
    """
    from .._spreadsheets import is_error_value

    problems = []
    for name, value in declared.items():
        if isinstance(value, str) and fold(value) in mapping.values.get(name, ()):
            continue
        words = hosts_of(value) if name == HOSTS else (value,)
        for cell in (word.strip() for word in words if isinstance(word, str)):
            if is_error_value(cell):
                problems.append(
                    f"{name}: {cell} is what a spreadsheet shows where a formula has failed"
                )
            elif cell in NO_VALUES:
                problems.append(
                    f"{name}: {cell} is what programs write for a cell without a value. Leave the cell empty, or give the option values"
                    " what it stands for"
                )
    return tuple(problems)
