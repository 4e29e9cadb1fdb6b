# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a sheet shows for a whole number, by the number format of its cell (ECMA-376, part 1, 18.8.31). Pure."""

from __future__ import annotations

import functools
import re
import typing as t

GENERAL, TEXT = "General", "@"
# Literal text in quotes or behind a backslash, what fills or pads (C(_x), C(*x)), brackets, and single characters.
_TOKEN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|.', re.DOTALL)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[0-9]{1,15})\]")
# A colour, or a language without a currency.
_DECORATION = re.compile(
    r"\[(?:black|blue|cyan|green|magenta|red|white|yellow|colou?r ?[0-9]+|\$-[0-9a-f]+)\]",
    re.IGNORECASE,
)
# Characters that stand for themselves without quotes.
_LITERALS = " -+()"
_COMPARISONS: dict[str, t.Callable[[int, int], bool]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
    "=": int.__eq__,
    "<>": int.__ne__,
}


def show_number(code: str, number: int) -> str | None:
    """Return what a sheet shows for a whole number, or None if it is not certain, or more than signs around and between its digits."""
    if code.lower() in ("general", "", TEXT):
        return str(number)
    found = _section_of(_sections(code), number)
    if found is None:
        return None
    section, keeps_sign = found
    shown = _fill(section, abs(number))
    if shown is None or not any(map(str.isdigit, shown)):
        return None
    return f"{'-' if number < 0 and keeps_sign else ''}{shown}".strip()


@functools.lru_cache(maxsize=256)
def is_date(code: str) -> bool:
    """Tell whether a number format shows a date or a time."""
    return any(
        token.lower() in ("d", "m", "y", "h", "s") or re.fullmatch(r"\[[hms]+\]", token.lower())
        for token in _sections(code)[0]
        if code.lower() != "general"
    )


@functools.lru_cache(maxsize=256)
def shows_text(code: str) -> bool:
    """Tell whether a sheet shows the text of a cell with this format as it is."""
    sections = _sections(code)
    if len(sections) < 4 and TEXT not in sections[-1]:
        return True
    section = [
        token for token in sections[-1] if token[0] not in "_*" and not _DECORATION.fullmatch(token)
    ]
    return section == [TEXT]


@functools.lru_cache(maxsize=256)
def _sections(code: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for token in _TOKEN.findall(code):
        if token == ";":
            sections.append([])
        else:
            sections[-1].append(token)
    return sections


def _section_of(sections: list[list[str]], number: int) -> tuple[list[str], bool] | None:
    """Return the section for a number, and whether a minus stands before a negative one."""
    if any(_CONDITION.fullmatch(token) for section in sections for token in section):
        for section in sections[:3]:
            conditions = [match for token in section if (match := _CONDITION.fullmatch(token))]
            if all(_COMPARISONS[match[1]](number, int(match[2])) for match in conditions):
                # What a spreadsheet does with the sign here depends on the condition.
                plain = [token for token in section if not _CONDITION.fullmatch(token)]
                return None if number < 0 else (plain, False)
        return None
    if number < 0 and len(sections) > 1:
        return sections[1], False
    if number == 0 and len(sections) > 2:
        return sections[2], False
    return sections[0], True


def _fill(section: list[str], number: int) -> str | None:
    """Put the digits of a number into the placeholders of a section, from the right."""
    tokens = [token for token in section if not _DECORATION.fullmatch(token)]
    places = [position for position, token in enumerate(tokens) if token in ("0", "#")]
    if not places:
        return None
    digits = list(str(number)) if number else []
    shown: list[str] = []
    for position in range(len(tokens) - 1, -1, -1):
        token = tokens[position]
        if token in ("0", "#"):
            digit = digits.pop() if digits else token.strip("#")
            if position == places[0]:
                digit = "".join(digits) + digit
            shown.append(digit)
        elif token == "," and places[0] < position < places[-1] and number < 1000:
            continue  # separates thousands
        elif token[0] in '"\\' and len(token) > 1:
            shown.append(token[1:].rstrip('"') if token[0] == '"' else token[1])
        elif token[0] == "_":
            shown.append(" ")
        elif token in _LITERALS:
            shown.append(token)
        else:
            return None
    return "".join(reversed(shown))
