# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs, from an option or a file: read and validated as a whole, every problem with its place."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Callable, Iterable, Sequence

from .. import _fields
from .ranges import LAST_NUMBER, expand_range

if t.TYPE_CHECKING:  # pragma: no cover
    from .raw_entries import RawEntry

FIELD_NAMES = {*_fields.BY_NAME, "record_id"}
# The create that a statement about the registry is about.
ATTEMPT = "attempt"
# What an export says of a DID beside its fields. Only a task that settles open DIDs reads the outcome.
OUTCOME = "outcome"
_EXPORT_NAMES = {ATTEMPT, "confirmed_at", OUTCOME}
_STATEMENT_NAMES = {*FIELD_NAMES, *_EXPORT_NAMES}
_DEFAULT_NAMES = {*FIELD_NAMES, LAST_NUMBER}
_RANGE_NAMES = {*_DEFAULT_NAMES, *_EXPORT_NAMES}
# How many unknown keys of one entry a message names.
_NAMED_KEYS = 5


class Entry(t.NamedTuple):
    """One declaration as the option or the file has it.

    C(place): where it stands, such as C(dids[3]) or C(dids.csv, line 4). C(source): the same, None for an option of the task.
    C(problems): the problems of its notation in the file.
    """

    position: int
    place: str
    source: str | None
    declared: object
    problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Entry({self.place})"


class Item(t.NamedTuple):
    """One DID of a valid declaration. C(values): wire forms, secrets in the clear."""

    entry: Entry
    values: t.Mapping[str, t.Any]
    record_id: int | None
    attempt: str | None = None

    @property
    def place(self) -> str:
        """Return the place of its entry."""
        return self.entry.place

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, or None for one that is named by its record id alone."""
        number = self.values.get("did_number")
        return None if number is None else _fields.identity(number)

    def __repr__(self) -> str:
        return f"Item({self.entry.place})"


def read_items(
    dids: Sequence[object] | None,
    src: str | None,
    *,
    defaults: t.Mapping[str, t.Any] | None = None,
    ranges: bool = False,
    attempts: bool = False,
) -> tuple[list[Item], list[str]]:
    """Return what C(validate) returns for the list that a task gives, by the option C(dids) or the option C(src)."""
    if dids is None:
        name, entries = "src", entries_of_file(str(src), ranges=ranges)
    else:
        name, entries = "dids", entries_of_option(dids, "dids")
    return validate(entries, name, defaults=defaults, ranges=ranges, attempts=attempts)


def entries_of_option(declared: Sequence[object], name: str) -> list[Entry]:
    """Return the entries of a list that is an option of a task."""
    return [Entry(index, f"{name}[{index}]", None, entry) for index, entry in enumerate(declared)]


def entries_of_file(path: str, *, ranges: bool = False) -> list[Entry]:
    """Read a file of DIDs: C(.csv), C(.json), C(.yml) or C(.yaml), in UTF-8. C(ranges): entries may name ranges.

    :raises InvalidParameter: it cannot be read, is no such file, or has a syntax error; with the line, if there is one.
    """
    from .files import file_error, read_text

    if not os.path.isabs(path):
        raise file_error(
            path, 'is a relative path; give an absolute one, such as "{{ playbook_dir }}/dids.csv"'
        )
    reader = _reader_of(os.path.splitext(path)[1].lower())
    if reader is None:
        raise file_error(path, "is none of .csv, .json, .yml")
    raw_entries = reader(path, read_text(path), _RANGE_NAMES if ranges else _STATEMENT_NAMES)
    name = os.path.basename(path)
    return [
        Entry(index, f"{name}{place}", f"{name}{place}", declared, problems)
        for index, (place, declared, problems) in enumerate(raw_entries)
    ]


def _reader_of(suffix: str) -> Callable[[str, str, set[str]], list[RawEntry]] | None:
    """Return the reader of a format, or None. Only that reader is imported."""
    if suffix == ".csv":
        from .csv_reader import read_csv

        return read_csv
    if suffix in (".json", ".yml", ".yaml"):
        from .json_reader import read_json
        from .yaml_reader import read_yaml

        return read_json if suffix == ".json" else read_yaml
    return None


def validate(
    entries: Sequence[Entry],
    name: str,
    *,
    defaults: t.Mapping[str, t.Any] | None = None,
    ranges: bool = False,
    attempts: bool = False,
) -> tuple[list[Item], list[str]]:
    """Validate a list of declarations. Returns its valid items, and a line for each problem; no line holds a secret.

    :param name: the option that the list comes from.
    :param defaults: declared values for the fields that an entry does not name.
    :param ranges: an entry may name a range of numbers, and stands for all of them.
    :param attempts: an entry may name the attempt that it is about. Otherwise, an attempt is ignored.
    """
    items: list[Item] = []
    wires, problems = _validate_defaults(defaults or {})
    if not entries:
        problems.append(f"{name}: is empty: give at least one DID")
    names = _RANGE_NAMES if ranges else _STATEMENT_NAMES
    for entry in entries:
        valid, invalid = _validate_entry(entry, wires, names, attempts)
        problems.extend(f"{entry.place}: {problem}" for problem in invalid)
        items.extend(valid)
    return items, problems + _duplicates(items)


def _validate_defaults(defaults: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    own_fields = ("did_number", "record_id", LAST_NUMBER)
    problems = [
        f"{name} is each DID's own" for name in own_fields if defaults.get(name) is not None
    ]
    problems += _unknown_keys(defaults, _DEFAULT_NAMES)
    wires, invalid = _fields.wire_forms({**defaults, "did_number": None}, {})
    return wires, [f"defaults: {problem}" for problem in problems + invalid]


def _validate_entry(
    entry: Entry, defaults: t.Mapping[str, t.Any], names: set[str], attempts: bool
) -> tuple[list[Item], list[str]]:
    declared = entry.declared
    if not isinstance(declared, dict):
        return [], [*entry.problems, "must be a dictionary of fields"]
    problems = [*entry.problems, *_unknown_keys(declared, names)]
    if declared.get("did_number") is None and declared.get("record_id") is None:
        problems.append("needs did_number, or record_id, or both")
    last = declared.get(LAST_NUMBER) if LAST_NUMBER in names else None
    values, invalid = _fields.normalise(declared, defaults, is_range=last is not None)
    problems += invalid
    record_id = None
    if declared.get("record_id") is not None:
        try:
            record_id = _fields.normalise_record_id(declared["record_id"])
        except ValueError as error:
            problems.append(f"record_id: {error}")
    attempt = declared.get(ATTEMPT) if attempts else None
    if attempt is not None and not is_attempt(attempt):
        problems.append(
            f"{ATTEMPT}: must be the 32 hexadecimal digits that did_info and the error message show, in quotes"
        )
    if last is None:
        return ([] if problems else [Item(entry, values, record_id, attempt)]), problems
    return _expand(entry, values, last, problems)


def stated_outcome(item: Item) -> str:
    """Return the outcome that an item states, in small letters and without the space around it; "" if it states none."""
    outcome = t.cast("dict[str, object]", item.entry.declared).get(OUTCOME)
    return "" if outcome is None else str(outcome).strip().lower()


def is_attempt(value: object) -> bool:
    """Tell whether a value has the shape of an attempt."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _expand(
    entry: Entry, values: dict[str, t.Any], last: object, problems: list[str]
) -> tuple[list[Item], list[str]]:
    """Return an item for each number of the range that an entry names, or the problems of the entry."""
    first = values.get("did_number")
    if isinstance(entry.declared, dict) and entry.declared.get("record_id") is not None:
        problems.append("last_number: names a range, which has no single record_id")
    elif first is None:
        problems.append("last_number: needs a valid did_number beside it, the first of the range")
    numbers: list[str] = []
    if first is not None:
        try:
            _fields.check_no_mark(last)
            numbers = expand_range(first, last)
        except ValueError as error:
            problems.append(f"last_number: {error}")
    if problems:
        return [], problems
    return [Item(entry, _with_number(values, number), None) for number in numbers], []


def _with_number(values: t.Mapping[str, t.Any], number: str) -> dict[str, t.Any]:
    numbered = {**values, "did_number": number}
    if _fields.PLACEHOLDER in numbered.get("description", ""):
        numbered["description"] = numbered["description"].replace(_fields.PLACEHOLDER, number)
    return numbered


def _unknown_keys(declared: Iterable[object], names: set[str]) -> list[str]:
    """Return a line for each key that is no field. A key that may be a secret is named by its position alone."""
    unknown = [(position, key) for position, key in enumerate(declared, 1) if key not in names]
    if not unknown:
        return []
    from .names import quotable_name

    problems = []
    for position, key in unknown[:_NAMED_KEYS]:
        name = quotable_name(key, names)
        problems.append(
            f"{name} is no field of a DID"
            if name
            else f"a key is no field of a DID (key {position} of the entry)"
        )
    if len(unknown) > _NAMED_KEYS:
        problems.append(f"and {len(unknown) - _NAMED_KEYS} more keys are none")
    return problems


def _duplicates(items: Sequence[Item]) -> list[str]:
    """Return a line for every two places that declare the same DID, however many numbers they share."""
    first: dict[tuple[str, object], str] = {}
    shared: dict[tuple[str, str, str], list[object]] = {}
    for item in items:
        for name, value in (
            ("did_number", item.number),
            ("record_id", item.record_id),
            (ATTEMPT, item.attempt),
        ):
            if value is None:
                continue
            place = first.setdefault((name, value), item.place)
            if place != item.place:
                shared.setdefault((place, item.place, name), []).append(value)
    return [
        f"{place} and {other}: have the same {name} {values[0]}"
        + (f" and {len(values) - 1} more" if len(values) > 1 else "")
        for (place, other, name), values in shared.items()
    ]
