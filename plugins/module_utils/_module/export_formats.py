# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Turns what C(did_info) returns into entries that C(dids) and C(did_registry) read back, and these into CSV, JSON or YAML. Pure."""

from __future__ import annotations

import csv
import json
import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .._fields import BY_NAME, DID_TYPES, DidType, is_same
from .._input.csv_escaping import EMPTY, write_text
from .._snippets import quote

Entry = dict[str, t.Any]
# The last column has a value in each row of an export: some programs leave out empty cells at the end of a row.
_LAST_COLUMNS = ("confirmed_at", "attempt", "outcome")
_TYPES: dict[object, DidType] = {entry.code: entry for entry in DID_TYPES}


class ExportError(ValueError):
    """What was given cannot be exported. The message holds no value of a field."""


def entry_of(did: Mapping[str, t.Any]) -> Entry:
    """Return the entry of a DID as C(did_info) returns it: number, record id, fields without secrets, and what is known of it."""
    fields = _known_fields(did)
    # By its id alone where a renumbering has an unknown outcome: another run that declared the other number would create it.
    is_renumbered = "did_number" in did["fields"] and "did_number" not in fields
    return {
        "did_number": None if is_renumbered else did["did_number"],
        "record_id": did["record_id"],
        **{name: _declared(name, value) for name, value in fields.items() if name != "did_number"},
        **{name: did.get(name) for name in _LAST_COLUMNS},
    }


def _known_fields(did: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the wire values of a DID that are known, without secrets, in the order of the vendor's page.

    Those of a create that is open are what it has sent. A value that an edit of unknown outcome may have changed is not known.
    """
    known, attempted = dict(did["fields"]), did.get("attempted") or {}
    if did["record_id"] is None:
        known.update(attempted)
        attempted = {}
    values = {
        name: known[name]
        for name, field in BY_NAME.items()
        if name in known
        and not field.secret
        and (name not in attempted or is_same(name, known[name], attempted[name]))
    }
    did_type = _TYPES.get(values["did_type"]) if "did_type" in values else None
    if did_type is not None and did_type.needs is not None and did_type.needs not in values:
        del values["did_type"]  # no entry may declare it alone
    return values


def _declared(name: str, wire: t.Any) -> t.Any:
    """Return a value as a person declares it."""
    if name == "did_type":
        return _TYPES[wire].name if wire in _TYPES else wire
    return list(wire) if isinstance(wire, Sequence) and not isinstance(wire, str) else wire


def used_names(entry: Entry) -> set[str]:
    """Return the names of what an entry has a value of."""
    return {name for name, value in entry.items() if value is not None}


def csv_lines(
    entries: Iterable[Entry],
    used: Collection[str],
    *,
    separator: str = ";",
    bom: bool = True,
    all_fields: bool = False,
) -> Iterator[str]:
    """Yield the lines of a table with a header row, as C(_input/csv_reader) reads it.

    :param used: the C(used_names) of all entries. Only these have a column.
    :param bom: whether it begins with a byte order mark, without which Excel does not read it as UTF-8.
    :param all_fields: whether there is a column for each field, also for secrets, whose cells are empty.
    """
    if separator not in (";", ",", "\t", "|"):
        raise ExportError("separator: must be one of ';', ',', '|' and the tab")
    columns = ["did_number", "record_id"]
    columns += [name for name in BY_NAME if name != "did_number" and (all_fields or name in used)]
    columns += [name for name in _LAST_COLUMNS if name in used]
    # Its writerow returns what this write returns.
    writer = csv.writer(_Echo(), delimiter=separator, lineterminator="\r\n")
    yield ("\ufeff" if bom else "") + t.cast(str, writer.writerow(columns))
    for entry in entries:
        yield t.cast(str, writer.writerow([_cell(entry, name) for name in columns]))


class _Echo:
    """A file that returns what is written to it."""

    def write(self, text: str) -> str:
        return text


def _cell(entry: Entry, name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, list):
        cell = " ".join(value) or EMPTY
    else:
        cell = write_text(value) if isinstance(value, str) else str(value)
    if "\0" in cell or len(cell) > csv.field_size_limit():
        did = entry["did_number"] or f"record {entry['record_id']}"
        raise ExportError(
            f"{did}: {name} holds a NUL character, or more than {csv.field_size_limit()} characters, which CSV cannot hold. Use JSON"
            " or YAML"
        )
    return cell


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a JSON list, some at a time."""
    opening = "[\n"
    for entry in entries:
        yield opening + json.dumps([entry], indent=4, ensure_ascii=False)[2:-2]
        opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"


def yaml_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a YAML list. All text is in quotes, so that a number that a person edits stays text."""
    yield "---\n"
    is_empty = True
    for entry in entries:
        for index, (name, value) in enumerate(entry.items()):
            yield f"{'  ' if index else '- '}{name}: {_yaml(value)}\n"
        is_empty = False
    if is_empty:
        yield "[]\n"


def _yaml(value: t.Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    return quote(value) if isinstance(value, str) else json.dumps(value)
