# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs, inline or from a file: read and checked as a whole, every problem with its place."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import typing as t

from . import _fields
from ._errors import InvalidParameter

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence


FIELD_NAMES = {*_fields.BY_NAME, "record_id"}


class Entry(t.NamedTuple):
    """One declaration as it was given. C(place): where it stands, such as C(dids[3]) or C(dids.csv, line 4)."""

    place: str
    declared: object


@dataclasses.dataclass(frozen=True)
class Item:
    """One declaration that is valid. C(values): wire forms, secrets in the clear."""

    place: str
    values: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    record_id: int | None

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, or None for one that is named by its record id alone."""
        number = self.values.get("did_number")
        return None if number is None else _fields.identity(number)


def inline(declared: Sequence[object], name: str) -> list[Entry]:
    """Return the entries of a list that is an option of a task."""
    return [Entry(f"{name}[{index}]", entry) for index, entry in enumerate(declared)]


def read_file(path: str) -> list[Entry]:
    """Read a file of DIDs: C(.csv), C(.json), C(.yml) or C(.yaml), in UTF-8.

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
        raise _unusable(
            path, f"cannot be read ({getattr(error, 'strerror', None) or 'no such path'})"
        ) from None
    if content.startswith(b"$ANSIBLE_VAULT;"):
        raise _unusable(
            path,
            "is encrypted by Ansible Vault, which only Ansible itself can read. Leave src out, and give its content by dids:"
            " \"{{ lookup('ansible.builtin.file', 'dids.yml') | from_yaml }}\"",
        )
    return reader(path, _text(path, content))


def _unusable(path: str, words: str, line: int | None = None) -> InvalidParameter:
    place = os.path.basename(path) if line is None else f"{os.path.basename(path)}, line {line}"
    return InvalidParameter(f"src: {place}: {words}")


def _text(path: str, content: bytes) -> str:
    if not content.strip():
        raise _unusable(path, "is empty")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(
            path, "is not UTF-8 text; save it with the character set UTF-8", line
        ) from None


def _read_csv(path: str, text: str) -> list[Entry]:
    """Read a table with a header row of field names. An empty cell is "not managed"."""
    header_line = text.splitlines()[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in header_line else ",", strict=True
    )
    entries: list[Entry] = []
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(path, header)
        start = reader.line_num + 1
        for row in reader:
            line, start = start, reader.line_num + 1
            if any(cell.strip() for cell in row):
                entries.append(_row(path, header, row, line))
    except csv.Error as error:
        raise _unusable(
            path,
            f"cannot be read as CSV ({error}); is a quotation mark missing or too many?",
            reader.line_num,
        ) from None
    return entries


def _check_header(path: str, header: list[str]) -> None:
    problems = [f"{_name(name)} is no field of a DID" for name in header if name not in FIELD_NAMES]
    problems += [
        f"{name} stands twice"
        for name in sorted({name for name in header if header.count(name) > 1} & FIELD_NAMES)
    ]
    if not {"did_number", "record_id"} & set(header):
        problems.append(
            "neither did_number nor record_id is there; the first row must be the names of the fields"
        )
    if problems:
        raise _unusable(path, "; ".join(problems), 1)


def _row(path: str, header: list[str], row: list[str], line: int) -> Entry:
    if len(row) != len(header):
        raise _unusable(path, f"has {len(row)} cells, and the header has {len(header)}", line)
    declared: dict[str, t.Any] = {name: cell for name, cell in zip(header, row) if cell.strip()}
    if "host_additional" in declared:
        declared["host_additional"] = [
            host for host in re.split(r"[\s|]+", declared["host_additional"]) if host
        ]
    return Entry(f"{os.path.basename(path)}, line {line}", declared)


def _read_json(path: str, text: str) -> list[Entry]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unusable(path, f"is not JSON ({error.msg})", error.lineno) from None
    except RecursionError:
        raise _unusable(path, "is nested too deeply") from None
    if not isinstance(document, list):
        raise _unusable(path, "must hold a list of DIDs")
    return [
        Entry(f"{os.path.basename(path)}[{index}]", entry) for index, entry in enumerate(document)
    ]


def _read_yaml(path: str, text: str) -> list[Entry]:
    try:
        import yaml
    except ImportError:
        raise _unusable(
            path, "needs the Python library PyYAML where the module runs; or use JSON or CSV"
        ) from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            raise _unusable(path, "must hold a list of DIDs")
        return [
            Entry(
                f"{os.path.basename(path)}, line {child.start_mark.line + 1}",
                loader.construct_document(child),
            )
            for child in node.value
        ]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else None
        raise _unusable(
            path, f"is not YAML ({error.problem or 'it cannot be read'})", line
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _unusable(path, "is not YAML that can be read") from None
    finally:
        loader.dispose()


def check(entries: Sequence[Entry], name: str) -> tuple[list[Item], list[str]]:
    """Check a list of declarations. Returns its valid items, and a line for each problem; none of them holds a secret.

    :param name: the option that the list comes from.
    """
    items: list[Item] = []
    problems: list[str] = (
        [] if entries else [f"{name}: is empty, which is more likely a mistake than a wish"]
    )
    for entry in entries:
        item, found = _check(entry)
        problems.extend(f"{entry.place}: {problem}" for problem in found)
        if item is not None:
            items.append(item)
    return items, problems + _repeated(items)


def _check(entry: Entry) -> tuple[Item | None, list[str]]:
    declared = entry.declared
    if not isinstance(declared, dict):
        return None, ["must be a dictionary of fields"]
    problems = [f"{_name(key)} is no field of a DID" for key in declared if key not in FIELD_NAMES]
    if declared.get("did_number") is None and declared.get("record_id") is None:
        problems.append("needs did_number, or record_id, or both")
    values, invalid = _fields.normalise(declared)
    record_id = None
    if declared.get("record_id") is not None:
        try:
            record_id = _fields.record_id(declared["record_id"])
        except ValueError as error:
            invalid.append(f"record_id: {error}")
    problems += invalid
    return (None if problems else Item(entry.place, values, record_id)), problems


def _name(key: object) -> str:
    """Return a mistyped key; but one that is no word may hold a value, and the value may be a secret."""
    return key if isinstance(key, str) and key.isidentifier() and len(key) < 40 else "a key"


def _repeated(items: Sequence[Item]) -> list[str]:
    problems: list[str] = []
    first: dict[tuple[str, object], str] = {}
    for item in items:
        for what, value in (("did_number", item.number), ("record_id", item.record_id)):
            if value is None:
                continue
            place = first.setdefault((what, value), item.place)
            if place != item.place:
                problems.append(f"{place} and {item.place}: have the same {what} {value}")
    return problems
