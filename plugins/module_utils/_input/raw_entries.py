# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the readers of all formats share: the entries that they return, and what they make of a number, a key or a list."""

from __future__ import annotations

import re
import types
import typing as t

from .._fields import FRACTION, Unsupported

NOT_A_LIST = "must hold a list of DIDs"
# A decimal number that is whole, of digits that a binary one keeps.
_WHOLE = re.compile(r"[-+]?[0-9]{1,15}\.0+")
# Python refuses to read integers of thousands of digits, or takes very long for it.
_INTEGER_DIGITS = 30
_TOO_LARGE = Unsupported("a number that is too large")


class RawEntry(t.NamedTuple):
    """An entry as its file has it: its place in the file, what it declares, and the problems of its notation.

    C(columns): in a sheet, the column of each field, such as C(Plan1!B).
    """

    place: str
    declared: object
    problems: tuple[str, ...] = ()
    columns: t.Mapping[str, str] = types.MappingProxyType({})


def read_integer(digits: str) -> int | Unsupported:
    """Return the whole number that decimal digits stand for, or what stands for one that is too large."""
    return int(digits) if len(digits) <= _INTEGER_DIGITS else _TOO_LARGE


def read_decimal(text: str) -> float | Unsupported:
    """Return the number that decimal text stands for if it is whole, as C(13.0) is; else what stands for a fraction."""
    return float(text) if _WHOLE.fullmatch(text) else FRACTION


def duplicate_key(name: object, names: t.Container[object], where: str) -> str:
    """Return the problem of a key that a mapping has twice. One that is no field may hold a secret."""
    key = name if isinstance(name, str) and name in names else "a key"
    return f"{key} stands twice ({where}); keep the one that is meant"
