# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decides whether a text with separators is one telephone number. Pure.

To drop all separators would turn C(1130001000.0), a range or a date into another number that looks valid. So a text is read only if
its groups of digits are those in which people write one number, and if it does not read as anything else. Digits without separators
are taken as they are, by C(_fields.normalise_did_number), which imports this file for other texts alone.

Whether two numbers are the same DID is C(_fields.identity); whether they may be one in two notations, C(_planning/similar); whether two
texts look alike, C(_planning/invisible).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# ITU-T E.164, 6.2.1
MOST_DIGITS = 15
FEWEST_DIGITS = 3

# Why a text is no number. _spreadsheets.py has a message for each of them.
ADDRESS = "IP address"
AMOUNT = "amount"
DATE = "date"
DECIMAL = "decimal number"
EXTENSION = "extension or note"
OTHER = "other groups of digits"
POSTAL_CODE = "postal code"
RANGE = "range or several numbers"
TAIL = "one or two digits at the end"
TOO_FEW = "too few digits"
TOO_MANY = "too many digits"
TRUNK = "trunk zero in brackets"

# A group that may end a number on its own, as in "30001000".
_LONG = 6
# National numbers without their area have no more digits.
_LONGEST_SUBSCRIBER = 9

_GROUPS = r"[0-9]+(?:[ .-][0-9]+)*"
# Without "+", only its value tells a country code from a position in a list: "55 (11) 3000-1000" and "1 (212) 555-0100" are
# numbers, "7 (11) 3000-1000" may be the seventh. A trunk prefix may stand there, too.
_BEFORE_BRACKETS = r"(?:\+[0-9]{1,3}|55|0|1(?=[ .-]?\([0-9]{3}\)))[ .-]?"
_WRITTEN = re.compile(
    rf"(?P<prefix>{_BEFORE_BRACKETS})?\((?P<area>\+?[0-9]{{1,4}}|0[0-9]{{4}})\)[ .-]?(?P<rest>{_GROUPS})"
    rf"|(?P<plain>\+?{_GROUPS})"
)
_WITHOUT_SEPARATORS = str.maketrans("", "", "+ .-()")
_ONE_SEPARATOR = str.maketrans(".-", "  ")
# A number ends with its last four digits. What follows them does not belong to it.
_COMPLETE = re.compile(r"(?<![0-9])[1-9][0-9]{2,4}[.-][0-9]{4} ")
_AMOUNT = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
# Two groups with a dot are a number only in the forms "3000.1000", "300.1000", "98765.4321" or an area and the rest.
# Many programs write six digits after the point of a decimal number.
_PAIR = re.compile(
    r"[0-9]{3,4}\.[0-9]{4}|9[0-9]{4}\.[0-9]{4}|0[0-9]{1,4}\.[0-9]{6,}|[1-9][0-9]{1,4}\.[0-9]{7,}"
)
# "+1.2125550100" is how registries of domains write numbers (RFC 5733, 2.5). No national number has fewer digits there.
_SIGNED = re.compile(r"\+[0-9]{1,3}\.[0-9]{1,6}")
# Brazil's CEP.
_POSTAL_CODE = re.compile(r"[0-9]{5}-[0-9]{3}|[0-9]{2}\.[0-9]{3}-[0-9]{3}")


def join(text: str) -> str:
    """Return the digits of a number, and the C(+) before them if it has one."""
    digits = text.translate(_WITHOUT_SEPARATORS)
    return f"+{digits}" if "+" in text else digits


def objection(text: str) -> str | None:
    """Return why a text is not one telephone number as people write it, or None."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return OTHER
    digits = len(text.translate(_WITHOUT_SEPARATORS))
    if not FEWEST_DIGITS <= digits <= MOST_DIGITS:
        return TOO_FEW if digits < FEWEST_DIGITS else TOO_MANY
    if _COMPLETE.search(text):
        return EXTENSION
    prefix, area, rest, plain = match.groups()
    if plain is not None:
        return _objection_to_plain(text)
    return _objection_to_bracketed(prefix, area, _split(rest))


def _split(text: str) -> list[str]:
    return text.translate(_ONE_SEPARATOR).split(" ")


def _objection_to_bracketed(prefix: str | None, area: str, rest: Sequence[str]) -> str | None:
    if area.startswith("+"):
        return OTHER if prefix else _objection_to_order(rest, has_prefix=True)
    # The zero of "+44 (0)20 7946 0018" is not dialled after the country code. Whether it belongs to the number cannot be known.
    if area == "0" or (prefix and area.startswith("0")):
        return TRUNK
    # A single digit in brackets is an area as well.
    return _objection_to_order([area, *rest], has_prefix=bool(prefix))


def _objection_to_plain(text: str) -> str | None:
    groups = _split(text.lstrip("+"))
    if text.startswith("+"):
        if _SIGNED.fullmatch(text):
            return DECIMAL
        if len(groups[0]) <= 3 and len(groups) > 1:
            return _objection_to_order(groups[1:], has_prefix=True)
        return _objection_to_order(groups, joined=True)
    likeness = _likeness(text, groups)
    if likeness is not None:
        return likeness
    if _has_prefix(groups):
        return _objection_to_order(groups[1:], has_prefix=True, may_begin_single=False)
    return _objection_to_order(groups)


def _has_prefix(groups: Sequence[str]) -> bool:
    """Tell whether the first group of digits without "+" is Brazil's country code or a trunk prefix."""
    if groups[0] == "55":
        return len(groups) > 2 or len(groups[1]) in (10, 11)
    return groups[0] == "0" and len(groups) > 2


def _objection_to_order(
    groups: Sequence[str],
    *,
    has_prefix: bool = False,
    may_begin_single: bool = True,
    joined: bool = False,
) -> str | None:
    """Return why the lengths and the order of groups are not those of one number, or None.

    :param has_prefix: a country code or a trunk prefix stands before the groups.
    :param may_begin_single: the first group may be a single digit.
    :param joined: the first group begins with a country code, as in "+5511 3000-1000".
    """
    *before, last = groups
    if len(last) < 3:
        return TAIL
    if before and len(max(before, key=len)) >= _LONG:
        return RANGE
    if len(last) >= _LONG:
        return _objection_to_long(groups, joined)
    for index, group in enumerate(before):
        mobile = group == "9" and len(groups[index + 1]) == 4
        if len(group) == 1 and not mobile and not (may_begin_single and index == 0):
            return OTHER
    return RANGE if _ends_in_range(groups, has_prefix, joined) else None


def _objection_to_long(groups: Sequence[str], joined: bool) -> str | None:
    *before, last = groups
    if not before:
        return None
    # "01632 960001" has a trunk prefix before an area of four digits.
    longest = 5 if joined or before[0].startswith("0") else 4
    if len(before) > 1 or len(before[0]) > longest:
        return OTHER
    # A longer group has an area of its own: "42 1130001000" is two cells in one.
    return OTHER if len(last) > _LONGEST_SUBSCRIBER else None


def _ends_in_range(groups: Sequence[str], has_prefix: bool, joined: bool) -> bool:
    """Tell whether the end may be a range of subscribers, as in "(11) 3000-1000-1009"."""
    if len(groups) < 3 or not _ascend(groups[-2:]):
        return False
    if len(groups[-1]) > 4:
        # "11 3000-3001" may be either. "11 30001-30099" is a range, as no subscriber's number has two groups of five.
        return True
    if min(map(len, groups[-3:])) < 4:
        return False
    # "5511 3000-3500" has the country code and the area in one group, too.
    joined = joined or groups[0].startswith(("55", "0"))
    return has_prefix or len(groups) > 3 or not joined


def _likeness(text: str, groups: Sequence[str]) -> str | None:
    """Return what digits without "+" and brackets may be other than a number, or None."""
    if text.count(".") == 3 and len(groups) == 4 and all(int(group) <= 255 for group in groups):
        # Nobody writes zeros before the numbers of an address.
        padded = any(group != str(int(group)) for group in groups)
        return AMOUNT if padded and _AMOUNT.fullmatch(text) else ADDRESS
    if is_date(text):
        return DATE
    if _AMOUNT.fullmatch(text):
        return AMOUNT
    if len(groups) == 2 and "." in text and (not _PAIR.fullmatch(text) or not int(groups[1])):
        return DECIMAL
    if _POSTAL_CODE.fullmatch(text):
        return POSTAL_CODE
    return RANGE if _are_several(groups) else None


_DATE = re.compile(
    r"(?:(?P<year>[0-9]{4})[ ./-](?P<a>[0-9]{1,2})[ ./-](?P<b>[0-9]{1,2})"
    r"|(?P<c>[0-9]{1,2})[ ./-](?P<d>[0-9]{1,2})[ ./-](?P<last_year>[0-9]{4}|[0-9]{2})"
    r"|(?P<month>[0-9]{1,2})[ ./-](?P<years>[0-9]{4})|(?P<first_years>[0-9]{4})[ ./-](?P<last_month>[0-9]{2}))"
    # A time may follow.
    r"(?P<time>(?<=[./-][0-9]{4}) [0-9]{4}|[T ][0-9]{1,2}[:.].*)?"
)


def is_date(text: str) -> bool:
    """Tell whether a text reads as a date of this or the last century, in one of the orders in which people write dates."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year = match["year"] or match["last_year"] or match["years"] or match["first_years"]
    if len(year) == 4 and not 1900 <= int(year) <= 2099:
        return False
    if match["month"] or match["last_month"]:
        return 1 <= int(match["month"] or match["last_month"]) <= 12
    one, other = int(match["a"] or match["c"]), int(match["b"] or match["d"])
    return 1 <= min(one, other) <= 12 and 1 <= max(one, other) <= 31


def _are_several(groups: Sequence[str]) -> bool:
    """Tell whether groups may be several numbers, or the first and the last of a range."""
    lengths = list(map(len, groups))
    for size in range(1, len(groups) // 2 + 1):
        if lengths[size:] + lengths[:size] != lengths or len(groups) % size:
            continue
        parts = ["".join(groups[start : start + size]) for start in range(0, len(groups), size)]
        # No single number is written as "300 1000 300 1001" is.
        if len(set(lengths[:size])) > 1 or _ascend(parts):
            return True
    return False


def _ascend(numbers: Sequence[str]) -> bool:
    """Tell whether numbers of equal length ascend and begin with the same digit."""
    pairs = list(zip(numbers, numbers[1:]))
    return all(
        len(one) == len(other) and one < other and one[0] == other[0] for one, other in pairs
    )
