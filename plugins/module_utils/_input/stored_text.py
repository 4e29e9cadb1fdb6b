# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes declarations as the registry stores them: JSON of the wire forms, in the order of the vendor's page. Pure.

It is done by column, and the stored text of an entry is what its cells add, joined. What a value adds comes from C(_fields.wire_form),
once for equal values. An entry that is not plainly valid has no stored text: C(entries.DidList.validate) says what it is.
"""

from __future__ import annotations

import itertools
import json
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from .. import _fields
from .._secrets import Fingerprints
from .chunks import Chunk
from .ranges import LAST_NUMBER

_ENCODER = json.JSONEncoder(separators=(",", ":"))
# So many values of a column are remembered. A column with more different values gains nothing by it.
_REMEMBERED = 4096
_NUMBER, _TYPE, _DESCRIPTION = "did_number", "did_type", "description"
_BEFORE_NUMBER = len(f'"{_NUMBER}":"')
# In place of what a value adds that is not plainly valid. JSON holds no such character.
_REFUSED = "\0"
# No record has it.
_NO_ID = 0


class StoredTexts(t.NamedTuple):
    """What the entries of a chunk declare, each at its index.

    C(numbers): the identities of the DIDs. C(texts): values as the registry stores them, fingerprints for secrets; None for an entry
    that is not plainly valid, has no number, or is a range.
    """

    numbers: Sequence[str]
    record_ids: Sequence[int | None]
    texts: Sequence[str | None]


class StoredTextWriter:
    """Writes the declarations of one list.

    :param defaults: wire forms for the fields that a declaration does not name.
    """

    def __init__(self, defaults: Mapping[str, t.Any], fingerprints: Fingerprints) -> None:
        self._defaults = defaults
        self._members = {
            name: _Members(field, defaults.get(name), fingerprints)
            for name, field in _fields.BY_NAME.items()
        }

    def write(self, chunk: Chunk) -> StoredTexts:
        """Return the stored texts of the entries of a chunk."""
        columns, nothing = chunk.columns(), [None] * len(chunk)
        if _NUMBER not in columns:
            return StoredTexts([""] * len(chunk), nothing, nothing)
        members = {
            name: remembered.of(columns.get(name, nothing))
            for name, remembered in self._members.items()
            if name in columns or name in self._defaults
        }
        numbers = [_fields.identity(member[_BEFORE_NUMBER:-2]) for member in members[_NUMBER]]
        texts: list[str | None] = [
            f"{{{text[:-1]}}}" if number and _REFUSED not in text else None
            for number, text in zip(numbers, map("".join, zip(*members.values())))
        ]
        record_ids = list(map(_record_id, columns.get("record_id", nothing)))
        last_numbers = columns.get(LAST_NUMBER, ())
        for index in itertools.chain(
            chunk.refused(),
            (index for index, last in enumerate(last_numbers) if last is not None),
            self._without_companion(columns, members.get(_TYPE, ()), record_ids),
        ):
            texts[index] = None
        return StoredTexts(numbers, record_ids, texts)

    def _without_companion(
        self,
        columns: Mapping[t.Any, Sequence[object]],
        types: Sequence[str],
        record_ids: Sequence[int | None],
    ) -> Iterator[int]:
        """Yield the indexes of entries that declare no field which their type needs. C(types): what the types add."""
        for needs in {_NEEDS.get(each) for each in set(types)} - {None, *self._defaults}:
            companions = columns.get(needs, itertools.repeat(None))
            for index, row in enumerate(zip(types, companions, record_ids)):
                # A DID that exists may have it already.
                if row[1:] == (None, None) and _NEEDS.get(row[0]) == needs:
                    yield index


# By what a type adds, the field that it needs beside it.
_NEEDS = {f'"{_TYPE}":{each.code},': each.needs for each in _fields.DID_TYPES}


class _Members(dict[t.Any, str]):
    """By value of a field, what it adds to the stored text: a member of the object and a comma, nothing for a field that is not managed.

    No key is a number, as 1, 1.0 and true are equal.
    """

    def __init__(self, field: _fields.Field, default: object, fingerprints: Fingerprints) -> None:
        super().__init__()
        self._field = field
        self._fingerprints = fingerprints
        self[None] = "" if default is None else self._write(default)
        # A number is hardly ever met twice, and a secret is kept nowhere.
        self._remembers = not field.secret and field.name != _NUMBER

    def of(self, values: Sequence[object]) -> list[str]:
        """Return what values add, C(_REFUSED) for those that are not plainly valid."""
        try:
            return list(map(self.__getitem__, values))
        except TypeError:  # a list has no hash
            return [self._of_any(value) for value in values]

    def _of_any(self, value: object) -> str:
        try:
            return self[tuple(value) if isinstance(value, list) else value]
        except TypeError:
            return _REFUSED

    def __missing__(self, value: object) -> str:
        try:
            member = self._write(_fields.wire_form(self._field, value))
        except ValueError:
            return _REFUSED
        if self._remembers and isinstance(value, (str, tuple)):
            if len(self) > _REMEMBERED:
                nothing = self[None]
                self.clear()
                self[None] = nothing
            self[value] = member
        return member

    def _write(self, wire: t.Any) -> str:
        name, _type, is_secret, _affects_routing = self._field
        if is_secret:
            return f'"{name}":{self._fingerprints.json_of(name, wire)},'
        if name == _DESCRIPTION and "{" in wire:
            return _REFUSED  # it may be a placeholder
        return f'"{name}":{_ENCODER.encode(wire)},'


def _record_id(value: object) -> int | None:
    """Return a record id, None where none is declared, and C(_NO_ID) for what is none."""
    try:
        return None if value is None else _fields.normalise_record_id(value)
    except ValueError:
        return _NO_ID
