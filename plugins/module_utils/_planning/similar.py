# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tells which numbers may be one number with another prefix, such as C(1130001000) and C(+551130001000). Pure.

To the platform, and to C(_fields.identity), they are different numbers. All numbers here are identities: digits alone.
"""

from __future__ import annotations

# A number with so many digits has a country code. Brazil's national numbers have 10 or 11.
_INTERNATIONAL = 12
# Shorter numbers, such as those of an internal plan, are too often equal by chance.
_FEWEST_DIGITS = 8
# Dialled before a country code, and before an area code.
_INTERNATIONAL_PREFIX, _TRUNK_PREFIX = "00", "0"


def base(number: str, country_code: str) -> str:
    """Return a number without international prefix and country code, or else without its trunk prefix."""
    if number.startswith(_INTERNATIONAL_PREFIX):
        return number[len(_INTERNATIONAL_PREFIX) :].removeprefix(country_code)
    if len(number) >= _INTERNATIONAL and number.startswith(country_code):
        return number[len(country_code) :]
    return number.removeprefix(_TRUNK_PREFIX)


def similar_numbers(number: str, country_code: str) -> list[str]:
    """Return all other numbers that have the same base, if that is long enough. There are at most four."""
    common = base(number, country_code)
    if len(common) < _FEWEST_DIGITS:
        return []
    prefixes = (
        "",
        _TRUNK_PREFIX,
        country_code,
        _INTERNATIONAL_PREFIX,
        _INTERNATIONAL_PREFIX + country_code,
    )
    candidates = (prefix + common for prefix in prefixes)
    return [each for each in candidates if each != number and base(each, country_code) == common]
