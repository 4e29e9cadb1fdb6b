# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs as tasks declare them: checked as a whole, every problem with its place."""

from __future__ import annotations

import dataclasses
import typing as t

from . import _fields

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Item:
    """One entry of a list. C(place): where it stands. C(values): wire forms, secrets in the clear."""

    place: str
    values: Mapping[str, t.Any] = dataclasses.field(repr=False)
    record_id: int | None

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, or None for one that is named by its record id alone."""
        number = self.values.get("did_number")
        return None if number is None else _fields.identity(number)


def read_items(entries: Sequence[object], name: str) -> tuple[list[Item], list[str]]:
    """Check a list of declarations. Returns its valid items, and a line for each problem; none of them holds a secret.

    :param name: the option that holds the list, for the places: C(dids[3]).
    """
    items: list[Item] = []
    problems: list[str] = (
        [] if entries else [f"{name}: is empty, which is more likely a mistake than a wish"]
    )
    for index, entry in enumerate(entries):
        place = f"{name}[{index}]"
        item, found = _read_item(entry, place)
        problems.extend(f"{place}: {problem}" for problem in found)
        if item is not None:
            items.append(item)
    return items, problems + _repeated(items)


def _read_item(entry: object, place: str) -> tuple[Item | None, list[str]]:
    if not isinstance(entry, dict):
        return None, ["must be a dictionary of fields"]
    known = {*_fields.BY_NAME, "record_id"}
    problems = [f"{_name(key)} is no field of a DID" for key in entry if key not in known]
    values, invalid = _fields.normalise(entry)
    record_id = None
    if entry.get("record_id") is not None:
        try:
            record_id = _fields.record_id(entry["record_id"])
        except ValueError as error:
            invalid.append(f"record_id: {error}")
    if entry.get("did_number") is None and entry.get("record_id") is None:
        problems.append("needs did_number, or record_id, or both")
    problems += invalid
    return (None if problems else Item(place, values, record_id)), problems


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
