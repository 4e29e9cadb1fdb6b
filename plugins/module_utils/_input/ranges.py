# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Ranges of numbers: the numbers that an entry with C(did_number) and C(last_number) stands for."""

from __future__ import annotations

from .._fields import identity, normalise_did_number

LAST_NUMBER = "last_number"
RANGE_LIMIT = 100_000
# Python refuses to read thousands of digits as one number.
_MOST_DIGITS = 100


def expand_range(first: str, last: object) -> list[str]:
    """Return the numbers from C(first), in wire form, to C(last), as declared; or raise C(ValueError).

    C(first) alone decides whether they have a C(+): spreadsheets drop it, and it does not make another number.
    """
    end = identity(normalise_did_number(last))
    digits = identity(first)
    plus = first[: len(first) - len(digits)]
    if len(digits) != len(end):
        raise ValueError(
            f"{_shorten(last)} has {len(end)} digits, and did_number has {len(digits)}. Write both in full"
        )
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"has {len(digits)} digits, which no telephone number has")
    count = int(end) - int(digits) + 1
    if count < 1:
        raise ValueError(f"{_shorten(last)} is before did_number {digits}")
    if count > RANGE_LIMIT:
        raise ValueError(f"a range of {count} numbers; {RANGE_LIMIT} are the most")
    return [f"{plus}{number:0{len(end)}d}" for number in range(int(digits), int(end) + 1)]


def _shorten(last: object) -> str:
    """Return a number as it was written, cut to a length that a message may have."""
    text = str(last).strip()
    return text if len(text) <= _MOST_DIGITS else f"{text[:_MOST_DIGITS]}…"
