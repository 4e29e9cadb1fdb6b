# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Groups DIDs by identical change, for C(applied) of a result, for C(--diff) and for the review. Pure."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from .._fields import PLACEHOLDER, identity

_T = t.TypeVar("_T")
# Python refuses to read thousands of digits as one number.
_MOST_DIGITS = 100


@dataclasses.dataclass(frozen=True)
class Group(t.Generic[_T]):
    """DIDs with an identical change, by their numbers. C(ranges): the DIDs of each range of contiguous numbers. Neither is ever empty."""

    ranges: tuple[tuple[_T, ...], ...]

    @property
    def members(self) -> tuple[_T, ...]:
        """Return all DIDs."""
        return tuple(member for members in self.ranges for member in members)

    @property
    def count(self) -> int:
        """Return how many DIDs it has."""
        return sum(map(len, self.ranges))


def group(
    dids: Iterable[_T], name: Callable[[_T], str], content: Callable[[_T], Hashable]
) -> list[Group[_T]]:
    """Group DIDs by what C(content) returns. The groups are in the order of their first DIDs.

    :param name: returns what a DID is called, as C(did_name) does.
    """
    groups: dict[Hashable, list[_T]] = {}
    for did in dids:
        groups.setdefault(content(did), []).append(did)
    return [Group(_split(members, name)) for members in groups.values()]


def _split(members: list[_T], name: Callable[[_T], str]) -> tuple[tuple[_T, ...], ...]:
    """Sort DIDs, and split them into ranges."""
    members = sorted(members, key=lambda member: number_order(name(member)))
    starts = [
        place
        for place, member in enumerate(members)
        if not (place and _is_next(name(members[place - 1]), name(member)))
    ]
    return tuple(
        tuple(members[start:end]) for start, end in zip(starts, [*starts[1:], len(members)])
    )


def did_name(did_number: str | None, record_id: int | None) -> str:
    """Return what a DID is called: its number, or C(record 12)."""
    return did_number or f"record {record_id}"


def number_order(name: str) -> tuple[t.Any, ...]:
    """Return the sort key of a name: numbers come first, by their length and digits."""
    digits = identity(name)
    return (not _is_number(digits), len(digits), digits, name)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS


def _is_next(one: str, other: str) -> bool:
    """Tell whether a number is the next one, of the same length and with or without a plus as the first."""
    before, after = identity(one), identity(other)
    return (
        _is_number(before)
        and _is_number(after)
        and len(one) == len(other)
        and len(before) == len(after)
        and int(after) == int(before) + 1
    )


def numbers_between(first: str, last: str, count: int) -> list[str] | None:
    """Return the names of a range that C(first) and C(last) enclose; None if C(count) is not how many there are."""
    if first == last:
        return [first] if count == 1 else None
    digits, end = identity(first), identity(last)
    plus = first[: len(first) - len(digits)]
    if not (_is_number(digits) and _is_number(end) and len(digits) == len(end)):
        return None
    if last != f"{plus}{end}" or int(end) - int(digits) + 1 != count:
        return None
    return [f"{plus}{number:0{len(end)}d}" for number in range(int(digits), int(end) + 1)]


# Changes of several DIDs, in which the number of each is replaced with the placeholder of ranges


def to_pattern(field: str, value: t.Any, name: str) -> t.Any:
    """Return a field's value with the placeholder in place of the DID's own number. Other fields than number and description stay."""
    own = _own_number(field, name)
    if own is None or not isinstance(value, str) or PLACEHOLDER in value:
        return value
    return value.replace(own, PLACEHOLDER)


def from_pattern(field: str, value: t.Any, name: str) -> t.Any:
    """Return the value of the DID for which C(to_pattern) returned this."""
    own = _own_number(field, name)
    if own is None or not isinstance(value, str):
        return value
    return value.replace(PLACEHOLDER, own)


def _own_number(field: str, name: str) -> str | None:
    """Return what the placeholder stands for in a field: in a range's description the number as declared, in the number its digits."""
    if field not in ("did_number", "description") or not _is_number(identity(name)):
        return None
    return identity(name) if field == "did_number" else name


def pattern_of(
    changes: Iterable[tuple[str, t.Any, t.Any]], name: str
) -> tuple[tuple[str, t.Any, t.Any], ...]:
    """Return changes (field, before, after) as patterns, so that those of several DIDs can be compared."""
    return tuple(
        (field, to_pattern(field, before, name), to_pattern(field, after, name))
        for field, before, after in changes
    )


def shared_values(
    dids: Sequence[tuple[str, Mapping[str, t.Any]]],
) -> dict[str, t.Any]:
    """Return what DIDs (name, values by field) have in common, as patterns; None for a field in which they differ."""
    (first, values), *others = dids
    if not others:
        return dict(values)
    shared = {field: to_pattern(field, value, first) for field, value in values.items()}
    for name, other in others:
        for field, value in shared.items():
            if value is not None and to_pattern(field, other.get(field), name) != value:
                shared[field] = None
    return shared
