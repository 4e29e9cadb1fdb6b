# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs, inline or from a file: read and checked as a whole, every problem with its place."""

from __future__ import annotations

import os
import re
import typing as t

from .. import _fields
from . import ranges as _ranges

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterable, Sequence

    from .files import Found

FIELD_NAMES = {*_fields.BY_NAME, "record_id"}
# Of a statement to the registry: which create it speaks of.
ATTEMPT = "attempt"
_STATEMENT_NAMES = {*FIELD_NAMES, ATTEMPT}
_RANGE_NAMES = {*FIELD_NAMES, _ranges.LAST_NUMBER}
# How many unknown keys of one entry are told.
_SHOWN_KEYS = 5


class Entry(t.NamedTuple):
    """One declaration as it was given.

    C(place): where it stands, such as C(dids[3]) or C(dids.csv, line 4). C(source): the same, None for an option of the task.
    C(problems): what is wrong with how it is written in its file.
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
        """Return where it was declared."""
        return self.entry.place

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, or None for one that is named by its record id alone."""
        number = self.values.get("did_number")
        return None if number is None else _fields.identity(number)

    def __repr__(self) -> str:
        return f"Item({self.entry.place})"


def inline(declared: Sequence[object], name: str) -> list[Entry]:
    """Return the entries of a list that is an option of a task."""
    return [Entry(index, f"{name}[{index}]", None, entry) for index, entry in enumerate(declared)]


def read_file(path: str, *, ranges: bool = False) -> list[Entry]:
    """Read a file of DIDs: C(.csv), C(.json), C(.yml) or C(.yaml), in UTF-8. C(ranges): whether entries may name ranges.

    :raises InvalidParameter: it cannot be read, is no such file, or is written wrongly; with the line, where there is one.
    """
    from .files import read_text, unusable

    if not os.path.isabs(path):
        raise unusable(
            path, 'is a relative path; give an absolute one, such as "{{ playbook_dir }}/dids.csv"'
        )
    reader = _reader(os.path.splitext(path)[1].lower())
    if reader is None:
        raise unusable(path, "is none of .csv, .json, .yml")
    found = reader(path, read_text(path), _RANGE_NAMES if ranges else _STATEMENT_NAMES)
    name = os.path.basename(path)
    return [
        Entry(index, f"{name}{place}", f"{name}{place}", declared, problems)
        for index, (place, declared, problems) in enumerate(found)
    ]


def _reader(suffix: str) -> Callable[[str, str, set[str]], list[Found]] | None:
    """Return what reads files of a kind. Only what is needed is imported."""
    if suffix == ".csv":
        from .csv_reader import read_csv

        return read_csv
    if suffix in (".json", ".yml", ".yaml"):
        from .json_reader import read_json
        from .yaml_reader import read_yaml

        return read_json if suffix == ".json" else read_yaml
    return None


def check(
    entries: Sequence[Entry],
    name: str,
    *,
    defaults: t.Mapping[str, t.Any] | None = None,
    ranges: bool = False,
) -> tuple[list[Item], list[str]]:
    """Check a list of declarations. Returns its valid items, and a line for each problem; none of them holds a secret.

    :param name: the option that the list comes from.
    :param defaults: values as declared, for fields that an entry does not name.
    :param ranges: whether an entry may name a range of numbers, and stand for all of them.
    """
    items: list[Item] = []
    wires, problems = _check_defaults(defaults or {})
    if not entries:
        problems.append(f"{name}: is empty, which is more likely a mistake than a wish")
    names = _RANGE_NAMES if ranges else _STATEMENT_NAMES
    for entry in entries:
        found, invalid = _check(entry, wires, names)
        problems.extend(f"{entry.place}: {problem}" for problem in invalid)
        items.extend(found)
    return items, problems + _repeated(items)


def _check_defaults(defaults: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    own = ("did_number", "record_id", _ranges.LAST_NUMBER)
    problems = [f"{name} is each DID's own" for name in own if defaults.get(name) is not None]
    problems += _unknown(defaults, _RANGE_NAMES)
    wires, invalid = _fields.wire_forms({**defaults, "did_number": None}, {})
    return wires, [f"defaults: {problem}" for problem in problems + invalid]


def _check(
    entry: Entry, defaults: t.Mapping[str, t.Any], names: set[str]
) -> tuple[list[Item], list[str]]:
    declared = entry.declared
    if not isinstance(declared, dict):
        return [], [*entry.problems, "must be a dictionary of fields"]
    problems = [*entry.problems, *_unknown(declared, names)]
    if declared.get("did_number") is None and declared.get("record_id") is None:
        problems.append("needs did_number, or record_id, or both")
    last = declared.get(_ranges.LAST_NUMBER) if _ranges.LAST_NUMBER in names else None
    values, invalid = _fields.normalise(declared, defaults, is_range=last is not None)
    problems += invalid
    record_id = None
    if declared.get("record_id") is not None:
        try:
            record_id = _fields.normalise_record_id(declared["record_id"])
        except ValueError as error:
            problems.append(f"record_id: {error}")
    attempt = declared.get(ATTEMPT) if ATTEMPT in names else None
    if attempt is not None and not is_attempt(attempt):
        problems.append(
            f"{ATTEMPT}: must be the 32 hexadecimal digits that did_info and the error message show, in quotes"
        )
    if last is None:
        return ([] if problems else [Item(entry, values, record_id, attempt)]), problems
    return _check_range(entry, values, last, problems)


def is_attempt(value: object) -> bool:
    """Tell whether a value has the shape of an attempt."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _check_range(
    entry: Entry, values: dict[str, t.Any], last: object, problems: list[str]
) -> tuple[list[Item], list[str]]:
    """Return an item for each number of a range."""
    first = values.get("did_number")
    if isinstance(entry.declared, dict) and entry.declared.get("record_id") is not None:
        problems.append("last_number: names a range, which has no single record_id")
    elif first is None:
        problems.append("last_number: needs a valid did_number beside it, the first of the range")
    numbers: list[str] = []
    if first is not None:
        try:
            _fields.check_no_mark(last)
            numbers = _ranges.numbers_of_range(first, last)
        except ValueError as error:
            problems.append(f"last_number: {error}")
    if problems:
        return [], problems
    return [Item(entry, _numbered(values, number), None) for number in numbers], []


def _numbered(values: t.Mapping[str, t.Any], number: str) -> dict[str, t.Any]:
    numbered = {**values, "did_number": number}
    if _fields.PLACEHOLDER in numbered.get("description", ""):
        numbered["description"] = numbered["description"].replace(_fields.PLACEHOLDER, number)
    return numbered


def _unknown(declared: Iterable[object], names: set[str]) -> list[str]:
    """Return a line for each key that is no field, with its position where the key itself may not be shown."""
    unknown = [(position, key) for position, key in enumerate(declared, 1) if key not in names]
    if not unknown:
        return []
    from .names import shown_name

    problems = []
    for position, key in unknown[:_SHOWN_KEYS]:
        shown = shown_name(key, names)
        words = f"{shown or 'a key'} is no field of a DID"
        problems.append(words if shown else f"{words} (key {position} of the entry)")
    if len(unknown) > _SHOWN_KEYS:
        problems.append(f"and {len(unknown) - _SHOWN_KEYS} more keys are none")
    return problems


def _repeated(items: Sequence[Item]) -> list[str]:
    """Return a line for every two places that declare the same DID, however many numbers they share."""
    first: dict[tuple[str, object], str] = {}
    shared: dict[tuple[str, str, str], list[object]] = {}
    for item in items:
        for what, value in (
            ("did_number", item.number),
            ("record_id", item.record_id),
            (ATTEMPT, item.attempt),
        ):
            if value is None:
                continue
            place = first.setdefault((what, value), item.place)
            if place != item.place:
                shared.setdefault((place, item.place, what), []).append(value)
    return [
        f"{place} and {other}: have the same {what} {values[0]}"
        + (f" and {len(values) - 1} more" if len(values) > 1 else "")
        for (place, other, what), values in shared.items()
    ]
