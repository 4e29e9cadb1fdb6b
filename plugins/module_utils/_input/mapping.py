# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the headers and the cells of a list stand for: the options C(columns), C(values) and C(empty_text). Pure."""

from __future__ import annotations

import functools
import re
import types
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from .names import fold, quotable_header, quotable_name, suggestion

VALUE, UNMANAGED = "value", "unmanaged"
# The field of several hosts, which a cell of a table separates by spaces, commas or bars.
HOSTS = "host_additional"
# How JSON, and with it a module, writes a key that is no text in YAML. Yes, No, On and Off are booleans there.
_KEYS_OF_YAML = ("true", "false", "null")
_QUOTE_IT = "YAML reads a key such as Yes, No, On or Off as a boolean: quote it. For a cell that holds the word true, write TRUE"
# How many unknown keys of one entry a message names.
_NAMED_KEYS = 5

Meanings = Mapping[str, object]


class FieldMapping(t.NamedTuple):
    """How the names and the values of a list are read.

    C(names): the fields that an entry may have. C(columns): the field of each folded header, None for a column that is left out.
    C(headers): each folded header as the task has it. C(values): by field, what each folded cell means. C(is_text): all values are
    text, and an empty one is not managed, as in a table.
    """

    names: frozenset[str]
    columns: Mapping[str, str | None] = types.MappingProxyType({})
    headers: Mapping[str, str] = types.MappingProxyType({})
    values: Mapping[str, Meanings] = types.MappingProxyType({})
    is_text: bool = False

    def field_of(self, header: object) -> str | None:
        """Return the field that a header names, or None for a column that is left out. Raises C(KeyError) for an unknown one."""
        if not isinstance(header, str):
            raise KeyError
        folded = fold(header)
        if folded in self.columns:
            return self.columns[folded]
        if folded not in self.names:
            raise KeyError
        return folded

    def translate(self, declared: dict[str, t.Any]) -> None:
        """Replace each value that the option C(values) lists by what it means. A meaning of null is "not managed"."""
        for name in self.values.keys() & declared.keys():
            declared[name] = self.meaning_of(name, declared[name])

    def meaning_of(self, name: str, value: t.Any) -> t.Any:
        """Return what a value of a field means: the value itself if the option C(values) does not list it."""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            return value
        return self.values[name].get(fold(str(value)), value)

    def missing_headers(self, found: Iterable[str]) -> list[str]:
        """Return a problem for each header of the option C(columns) that a list does not have. C(found): its folded headers."""
        missing = self.columns.keys() - set(found)
        return [
            f"columns: {quotable_header(header) or f'the header of entry {position}'} is no header of the list"
            for position, (folded, header) in enumerate(self.headers.items(), 1)
            if folded in missing
        ]

    def map_entry(
        self, declared: dict[object, t.Any], found: set[str]
    ) -> tuple[dict[str, t.Any], list[str]]:
        """Return the declared fields of an entry that is a dictionary, and the problems of its keys. C(found): takes its folded keys."""
        if (
            not self.columns
            and not self.values
            and not self.is_text
            and declared.keys() <= self.names
        ):
            return t.cast("dict[str, t.Any]", declared), []
        fields: dict[str, t.Any] = {}
        problems: list[str] = []
        unknown: list[tuple[int, object]] = []
        for position, (key, value) in enumerate(declared.items(), 1):
            try:
                name = self.field_of(key)
            except KeyError:
                unknown.append((position, key))
                continue
            found.add(fold(str(key)))
            if name in fields:
                problems.append(
                    f"{name} stands twice, under keys that mean the same; keep the one that is meant"
                )
            elif name is not None and not (
                self.is_text and isinstance(value, str) and not value.strip()
            ):
                fields[name] = value
        self.translate(fields)
        if self.is_text:
            split_hosts(fields)
        return fields, [*unknown_keys(unknown, self.names), *problems]


def read_mapping(
    names: frozenset[str],
    columns: Mapping[str, object] | None,
    values: Mapping[str, object] | None,
    *,
    is_text: bool = False,
) -> tuple[FieldMapping, list[str]]:
    """Return the mapping that the options of a task describe, and a line for each problem of theirs."""
    problems: list[str] = []
    fields: dict[str, str | None] = {}
    headers: dict[str, str] = {}
    for position, (header, name) in enumerate((columns or {}).items(), 1):
        label = f"columns: {quotable_header(header) or f'entry {position}'}"
        folded = fold(header)
        if header in _KEYS_OF_YAML:
            problems.append(f"columns: entry {position}: {_QUOTE_IT}")
        elif folded in fields:
            problems.append(f"{label} stands twice, as headers are compared without case")
        elif name is not None and name not in names:
            problems.append(f"{label} leads to no field of a DID{_meant(name, names)}")
        fields[folded] = t.cast("str | None", name)
        headers[folded] = header
    meanings: dict[str, Meanings] = {}
    for position, (name, cells) in enumerate((values or {}).items(), 1):
        if name not in names:
            label = quotable_name(name, names) or f"entry {position}"
            problems.append(f"values: {label} is no field of a DID{_meant(name, names)}")
        elif not isinstance(cells, dict):
            problems.append(
                f"values: {name}: must be a dictionary of what the list says and what is meant"
            )
        else:
            problems += [f"values: {name}: {problem}" for problem in _check_meanings(cells)]
            meanings[name] = {fold(cell): meaning for cell, meaning in cells.items()}
    return FieldMapping(names, fields, headers, meanings, is_text), problems


def _meant(name: object, names: frozenset[str]) -> str:
    return suggestion(name, names) if isinstance(name, str) else ""


def _check_meanings(cells: Mapping[str, object]) -> list[str]:
    if any(cell in _KEYS_OF_YAML for cell in cells):
        return [_QUOTE_IT]
    if len({fold(cell) for cell in cells}) < len(cells):
        return ["two keys are the same, as cells are compared without case"]
    return []


def split_hosts(declared: dict[str, t.Any]) -> None:
    """Make a list of the hosts that a cell of a table holds."""
    if HOSTS in declared:
        declared[HOSTS] = hosts_of(declared[HOSTS])


def hosts_of(cell: t.Any) -> t.Any:
    """Return the hosts that a cell of a table holds, and any other value as it is."""
    return _split(cell) if isinstance(cell, str) else cell


@functools.lru_cache(maxsize=256)
def _split(hosts: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[\s|,]+", hosts)))


def unknown_keys(unknown: Sequence[tuple[int, object]], names: frozenset[str]) -> list[str]:
    """Return a line for each key that is no field, with its position. One that may be a secret is named by its position alone."""
    problems = []
    for position, key in unknown[:_NAMED_KEYS]:
        name = quotable_name(key, names)
        problems.append(
            f"{name} is no field of a DID{suggestion(name, names)}"
            if name
            else f"a key is no field of a DID (key {position} of the entry)"
        )
    if len(unknown) > _NAMED_KEYS:
        problems.append(f"and {len(unknown) - _NAMED_KEYS} more keys are none")
    return problems
