# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs, inline or from a file: read and checked as a whole, every problem with its place."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import typing as t

from . import _fields, _ranges
from ._errors import InvalidParameter

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence


FIELD_NAMES = {*_fields.BY_NAME, "record_id"}
# Of a statement to the registry: which create it speaks of.
ATTEMPT = "attempt"
_STATEMENT_NAMES = {*FIELD_NAMES, ATTEMPT}
_RANGE_NAMES = {*FIELD_NAMES, _ranges.LAST_NUMBER}
_NUMBER_MARK = "{number}"


class Entry(t.NamedTuple):
    """One declaration as it was given.

    C(place): where it stands, such as C(dids[3]) or C(dids.csv, line 4). C(source): the same, None for an option of the task.
    """

    position: int
    place: str
    source: str | None
    declared: object

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


_ENCRYPTED = (
    "is encrypted by Ansible Vault, which only Ansible itself can read. Leave src out, and "
)
_ENCRYPTED_FILE = (
    _ENCRYPTED
    + "give its content, as YAML or JSON, by dids: \"{{ lookup('ansible.builtin.file', 'dids.yml') | from_yaml }}\""
)
# The filter from_yaml cannot read such a value, but whatever reads variables can.
_ENCRYPTED_VALUE = (
    f"holds a value that {_ENCRYPTED}make the list a variable in a file for vars_files or"
    " ansible.builtin.include_vars, to be given by dids; or encrypt the file as a whole"
)


def inline(declared: Sequence[object], name: str) -> list[Entry]:
    """Return the entries of a list that is an option of a task."""
    return [Entry(index, f"{name}[{index}]", None, entry) for index, entry in enumerate(declared)]


def read_file(path: str, *, ranges: bool = False) -> list[Entry]:
    """Read a file of DIDs: C(.csv), C(.json), C(.yml) or C(.yaml), in UTF-8. C(ranges): whether entries may name ranges.

    :raises InvalidParameter: it cannot be read, is no such file, or is written wrongly; with the line, where there is one.
    """
    if not os.path.isabs(path):
        raise _unusable(
            path, 'is a relative path; give an absolute one, such as "{{ playbook_dir }}/dids.csv"'
        )
    suffix = os.path.splitext(path)[1].lower()
    reader = {".csv": _read_csv, ".json": _read_json, ".yml": _read_yaml, ".yaml": _read_yaml}.get(
        suffix
    )
    if reader is None:
        raise _unusable(path, "is none of .csv, .json, .yml")
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise _unusable(path, f"cannot be read ({reason}: {path!r})") from None
    if content.startswith(b"$ANSIBLE_VAULT;"):
        raise _unusable(path, _ENCRYPTED_FILE)
    found = reader(path, _text(path, content), _RANGE_NAMES if ranges else _STATEMENT_NAMES)
    name = os.path.basename(path)
    return [
        Entry(index, f"{name}{place}", f"{name}{place}", declared)
        for index, (place, declared) in enumerate(found)
    ]


def _unusable(path: str, words: str, line: int | None = None) -> InvalidParameter:
    place = os.path.basename(path) if line is None else f"{os.path.basename(path)}, line {line}"
    return InvalidParameter(f"src: {place}: {words}")


def _text(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(
            path,
            "is not UTF-8 text; save it with the character set UTF-8 (a spreadsheet calls that 'CSV UTF-8', or asks for the character set)",
            line,
        ) from None
    if not text.strip():
        raise _unusable(path, "is empty")
    return text


# What a reader returns: where in its file each entry stands, and the entry as it is written there.
_Found = list[tuple[str, object]]


def _read_csv(path: str, text: str, names: set[str]) -> _Found:
    """Read a table with a header row of field names. An empty cell is "not managed"."""
    header_line = text.splitlines()[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in header_line else ",", strict=True
    )
    found: _Found = []
    line = 1
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(path, header, names)
        line = reader.line_num + 1
        for row in reader:
            if any(row):
                declared = _row(path, header, row, line)
                if declared:
                    found.append((f", line {line}", declared))
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unusable(
            path,
            f"cannot be read as CSV from here on ({error}); is a quotation mark missing or too many?",
            line,
        ) from None
    return found


def _check_header(path: str, header: list[str], names: set[str]) -> None:
    # A table without a header begins with a DID, and any of its words may be the password.
    is_header = bool(names & set(header)) or all(name[:1].isalpha() for name in header if name)
    problems = [
        f"{_name(name if is_header else None, f'the name of column {column}')} is no field of a DID"
        for column, name in enumerate(header, 1)
        if name and name not in names
    ]
    problems += [
        f"{name} stands twice"
        for name in sorted({name for name in header if header.count(name) > 1} & names)
    ]
    if not {"did_number", "record_id"} & set(header):
        problems.append(
            "neither did_number nor record_id is there; the first row must be the names of the fields"
        )
    if problems:
        raise _unusable(path, "; ".join(problems), 1)


_SHORT = ". If a spreadsheet left out empty cells at the end, make a column the last one that is never empty"


def _row(path: str, header: list[str], row: list[str], line: int) -> dict[str, t.Any]:
    if len(row) != len(header):
        # Cells that are missing at the end might as well be missing in the middle: the others would stand in the wrong columns.
        hint = "" if len(row) > len(header) else _SHORT
        raise _unusable(path, f"has {len(row)} cells, and the header has {len(header)}{hint}", line)
    declared: dict[str, t.Any] = {
        name: cell for name, cell in zip(header, row) if cell and not cell.isspace()
    }
    if "" in declared:
        raise _unusable(path, "has a cell in a column without a name in the header", line)
    hosts = declared.get("host_additional")
    if hosts is not None:
        declared["host_additional"] = [host for host in re.split(r"[\s|]+", hosts) if host]
    return declared


def _read_json(path: str, text: str, _names: set[str]) -> _Found:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unusable(path, f"is not JSON ({error.msg})", error.lineno) from None
    except (ValueError, RecursionError):
        raise _unusable(path, "is JSON that cannot be read") from None
    if not isinstance(document, list):
        raise _unusable(path, "must hold a list of DIDs")
    return [(f"[{index}]", entry) for index, entry in enumerate(document)]


def _read_yaml(path: str, text: str, _names: set[str]) -> _Found:
    try:
        import yaml
    except ImportError:
        raise _unusable(
            path, "needs the Python library PyYAML where the module runs; or use JSON or CSV"
        ) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            raise _unusable(path, "must hold a list of DIDs")
        return [
            (f", line {child.start_mark.line + 1}", loader.construct_document(child))
            for child in node.value
        ]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else None
        if "!vault" in str(error.problem):
            raise _unusable(path, _ENCRYPTED_VALUE, line) from None
        raise _unusable(
            path, f"is not YAML ({error.problem or 'it cannot be read'})", line
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _unusable(path, "is not YAML that can be read") from None
    finally:
        loader.dispose()


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
    problems += [
        f"{_name(key)} is no field of a DID" for key in defaults if key not in _RANGE_NAMES
    ]
    wires, invalid = _fields.wire_forms({**defaults, "did_number": None}, {})
    return wires, [f"defaults: {problem}" for problem in problems + invalid]


def _check(
    entry: Entry, defaults: t.Mapping[str, t.Any], names: set[str]
) -> tuple[list[Item], list[str]]:
    declared = entry.declared
    if not isinstance(declared, dict):
        return [], ["must be a dictionary of fields"]
    problems = [f"{_name(key)} is no field of a DID" for key in declared if key not in names]
    if declared.get("did_number") is None and declared.get("record_id") is None:
        problems.append("needs did_number, or record_id, or both")
    values, invalid = _fields.normalise(declared, defaults)
    problems += invalid
    record_id = None
    if declared.get("record_id") is not None:
        try:
            record_id = _fields.record_id(declared["record_id"])
        except ValueError as error:
            problems.append(f"record_id: {error}")
    attempt = declared.get(ATTEMPT) if ATTEMPT in names else None
    if attempt is not None and not is_attempt(attempt):
        problems.append(
            f"{ATTEMPT}: must be the 32 hexadecimal digits that did_info and the error message show, in quotes"
        )
    last = declared.get(_ranges.LAST_NUMBER)
    if last is None or _ranges.LAST_NUMBER not in names:
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
            numbers = _ranges.numbers_of_range(first, last)
        except ValueError as error:
            problems.append(f"last_number: {error}")
    if problems:
        return [], problems
    return [Item(entry, _numbered(values, number), None) for number in numbers], []


def _numbered(values: t.Mapping[str, t.Any], number: str) -> dict[str, t.Any]:
    numbered = {**values, "did_number": number}
    if _NUMBER_MARK in numbered.get("description", ""):
        numbered["description"] = numbered["description"].replace(_NUMBER_MARK, number)
    return numbered


def _name(key: object, otherwise: str = "a key") -> str:
    """Return a mistyped key; but one that is no word may hold a value, and the value may be a secret."""
    return key if isinstance(key, str) and key.isidentifier() and len(key) < 40 else otherwise


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
