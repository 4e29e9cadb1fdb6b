# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes a declaration as the registry stores it: JSON of the wire forms, in the order of the vendor's page. Pure.

The columns of a list hold few different cells, so each cell is normalised and encoded once. What is not plainly valid has no stored
text: C(entries.DidList.validate) says what it is.
"""

from __future__ import annotations

import functools
import json
import typing as t
from collections.abc import Mapping

from .. import _fields
from .._secrets import Fingerprints
from .ranges import LAST_NUMBER

_ENCODER = json.JSONEncoder(separators=(",", ":"))
# So many cells of a column are remembered, and as many sets of keys. A column with more different cells gains nothing by it.
_REMEMBERED = 4096
_NUMBER, _TYPE, _DESCRIPTION = "did_number", "did_type", "description"
_BEFORE_NUMBER = len(f'"{_NUMBER}":"')

# By cell, or by the cells of a list, what it adds to the stored text. No key is a number, as 1, 1.0 and true are equal.
_Fragments = dict[t.Any, str]


class StoredText(t.NamedTuple):
    """A declaration of one DID. C(number): its identity. C(text): its values as the registry stores them, fingerprints for secrets."""

    number: str
    record_id: int | None
    text: str

    def __repr__(self) -> str:
        return f"StoredText({self.number})"


class StoredTextWriter:
    """Writes the declarations of one list.

    :param defaults: wire forms for the fields that a declaration does not name.
    """

    def __init__(self, defaults: Mapping[str, t.Any], fingerprints: Fingerprints) -> None:
        self._fingerprints = fingerprints
        self._defaults = defaults
        self._fragments: dict[str, _Fragments] = {name: {} for name in _fields.BY_NAME}
        # By the keys of a declaration, the fields that it may add, in the order of the vendor's page.
        self._orders: dict[tuple[object, ...], list[tuple[str, _Fragments]]] = {}

    def write(self, declared: object) -> StoredText | None:
        """Return the stored text of a declaration that is valid, has a number and is no range; else None."""
        if not isinstance(declared, dict) or declared.get(_NUMBER) is None:
            return None
        if declared.get(LAST_NUMBER) is not None:
            return None
        fragments = []
        number = ""
        try:
            record_id = declared.get("record_id")
            if record_id is not None:
                record_id = _fields.normalise_record_id(record_id)
            for name, remembered in self._order(declared):
                value = declared.get(name)
                if value.__class__ is list:
                    value = tuple(value)
                fragment = remembered.get(value)
                if fragment is None:
                    fragment = self._fragment(name, value)
                    if name == _NUMBER:
                        number = fragment[_BEFORE_NUMBER:-1]
                if fragment:
                    fragments.append(fragment)
            if record_id is None and self._lacks_companion(declared):
                return None
        except (ValueError, TypeError):
            return None  # a list or dictionary in a list is not hashable
        return StoredText(_fields.identity(number), record_id, f"{{{','.join(fragments)}}}")

    def _order(self, declared: Mapping[object, object]) -> list[tuple[str, _Fragments]]:
        keys = tuple(declared)
        order = self._orders.get(keys)
        if order is None:
            names = {*keys, *self._defaults}
            order = [(name, found) for name, found in self._fragments.items() if name in names]
            _remember(self._orders, keys, order)
        return order

    def _fragment(self, name: str, value: object) -> str:
        """Return what a field adds to the stored text, nothing for one that is not managed. Raises C(ValueError)."""
        if value is None and name not in self._defaults:
            return ""
        field = _fields.BY_NAME[name]
        wire = self._defaults[name] if value is None else _fields.wire_form(field, value)
        if name == _DESCRIPTION and "{" in str(wire):
            raise ValueError  # it may be a placeholder
        if field.secret:
            return f'"{name}":{self._fingerprints.json_of(name, str(wire))}'
        fragment = f'"{name}":{_ENCODER.encode(wire)}'
        # A number is hardly ever met twice, and a secret is kept nowhere.
        if isinstance(value, (str, tuple)) and name != _NUMBER:
            _remember(self._fragments[name], value, fragment)
        return fragment

    def _lacks_companion(self, declared: Mapping[str, object]) -> bool:
        value = declared.get(_TYPE)
        if value is None and _TYPE not in self._defaults:
            return False
        wires = dict(self._defaults)
        if value is not None:
            wires[_TYPE] = _type_code(value) if isinstance(value, str) else _wire_type(value)
        return _fields.missing_companion(wires, declared) is not None


def _wire_type(value: object) -> _fields.Wire:
    return _fields.wire_form(_fields.BY_NAME[_TYPE], value)


_type_code = functools.lru_cache(maxsize=64)(_wire_type)


def _remember(remembered: dict[t.Any, t.Any], key: object, value: object) -> None:
    if len(remembered) >= _REMEMBERED:
        remembered.clear()
    remembered[key] = value
