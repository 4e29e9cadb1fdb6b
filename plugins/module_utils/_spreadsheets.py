# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Explains what spreadsheets, table libraries and copying make of numbers, and what a person can do about it. Pure.

C(_fields.py) imports this for a value that it refuses, or may have to refuse. A message never joins digits of the refused text, and it
says "write its digits alone" only where that gives the number that was meant.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata
from collections.abc import Sequence

from . import _numbers

_QUOTED_CHARACTERS = 60
_NAMED_CHARACTERS = 3
# No text that a pattern fits is longer.
_SEARCHED_CHARACTERS = 200

_WRITE_DIGITS = "Write its digits alone"
_WRITE_ONE_NUMBER = (
    "If it is one number, write its digits alone. A range has did_number for its first number and last_number for its last one;"
    " several numbers are several entries"
)
_ENTER_AGAIN = "Look it up, give the column the format 'text' (in pandas: dtype=str), and enter it again: the digits that stand here may be wrong"
_GIVE_NUMBER = "Give the number, or leave the field out"
_GIVE_DID_NUMBER = "Give the number of the DID; addresses have fields of their own, such as host"


class Problem(t.NamedTuple):
    """A kind of text that is no number. C(pattern) fits the whole text and ignores case; None if C(_numbers) recognises the kind."""

    description: str
    advice: str
    pattern: str | None = None


# Texts that are no value of any field whose values look like numbers, such as a user name or a prefix.
_CELLS = (
    Problem(
        "is a spreadsheet's error value",
        "Correct the formula, or enter the value as text",
        r"#(?:N/?[AD]|¡?(?:REF|VALUE|NUM|DIV/0|NULL|SPILL|CALC|FIELD|VALOR|N[UÚ]M|NULO|DESPEJAR)!|¿?(?:NAME|NOME|NOMBRE)\?|GETTING_DATA|##+)"
        r"|Err:[0-9]{3}",
    ),
    Problem(
        "is what a spreadsheet makes of a long number (scientific notation), and its last digits are lost",
        _ENTER_AGAIN,
        # Without a sign only beside a decimal point: 1e5 may be a user name.
        r"[+-]?[0-9](?:[.,][0-9]*)?E[+-][0-9]+|[+-]?[0-9]+[.,][0-9]+E[+-]?[0-9]+|[0-9]+E[+][0-9]+",
    ),
    Problem(
        "is a decimal number, which spreadsheets and pandas make of digits that are not read as text",
        _ENTER_AGAIN,
        r"[+-]?[0-9]+[.,]0+",
    ),
    Problem(
        'has a spreadsheet\'s mark of text in it (an apostrophe before it, or ="…")',
        "Write the value alone, without the mark",
        r"'[+(]?[0-9][0-9 .()-]*|=\"[^\"]*\"",
    ),
)
_ERROR_VALUE = re.compile(str(_CELLS[0].pattern), re.IGNORECASE)
_CELL = re.compile("|".join(str(problem.pattern) for problem in _CELLS), re.IGNORECASE)

_PROBLEMS = {
    _numbers.ADDRESS: Problem("is an IP address", _GIVE_DID_NUMBER),
    _numbers.AMOUNT: Problem("is an amount, with a dot before each three digits", _ENTER_AGAIN),
    _numbers.DATE: Problem(
        "reads as a date",
        "If a spreadsheet made a date of a number, look the number up, and enter it as text. If it is a number, write its digits alone",
    ),
    _numbers.DECIMAL: Problem("is a decimal number", _ENTER_AGAIN),
    _numbers.EXTENSION: Problem(
        "goes on after the last four digits of a number, with an extension, a note or another number",
        _WRITE_ONE_NUMBER,
    ),
    _numbers.POSTAL_CODE: Problem(
        "reads as a postal code (CEP)", "If it is a number, write its digits alone"
    ),
    _numbers.RANGE: Problem("may be a range, or several numbers", _WRITE_ONE_NUMBER),
    _numbers.TAIL: Problem(
        "ends in one or two digits of their own: a check digit, an extension, the end of a range, or pairs of digits",
        "Write the digits of the number alone, without what is not dialled. A range has did_number and last_number, both in full",
    ),
    _numbers.TOO_MANY: Problem(
        f"has more than {_numbers.MOST_DIGITS} digits, as a range and several numbers have",
        _WRITE_ONE_NUMBER,
    ),
    _numbers.TOO_FEW: Problem(
        f"has separators, and fewer than {_numbers.FEWEST_DIGITS} digits", _WRITE_DIGITS
    ),
    _numbers.TRUNK: Problem(
        "has a zero in brackets, which some dial and others do not",
        "Write the digits alone, as they are dialled",
    ),
}

_MONTHS = "(?:jan|feb|fev|mar|apr|abr|may|mai|jun|jul|aug|ago|sep|set|oct|out|nov|dec|dez)[a-zç]*"
# Texts that have no form of a number.
_TEXTS = (
    Problem("is empty", _GIVE_NUMBER, ""),
    Problem(
        "stands for a cell without a value",
        _GIVE_NUMBER,
        r"nan|nat|none|null|nil|n/?[ad]|undefined|true|false|verdadeiro|falso|[+-]?inf(?:inity)?|[-.?]+",
    ),
    Problem("is a formula", "Save the table with values in place of formulas", "=.*"),
    Problem("is a URI", "Write the digits of the number alone", r"(?:tel|sips?|callto|https?):.*"),
    Problem("is an IP address", _GIVE_DID_NUMBER, r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}[:/][0-9]+"),
    Problem(
        "is an amount",
        _ENTER_AGAIN,
        r"[+-]?[0-9]{1,3}(?:[., ][0-9]{3})+[.,][0-9]{1,2}|[0-9]{1,3}(?:,[0-9]{3})+|(?:R?\$|€) ?[0-9].*",
    ),
    Problem(
        "is a decimal number", _ENTER_AGAIN, r"[+-]?[0-9]*[.,][0-9]{1,6}|[+-]?[0-9]{1,3}[.,][0-9]+"
    ),
    Problem(
        "reads as a date or a time",
        "If a spreadsheet made it of a number, look the number up, and enter it as text",
        rf"[0-9]{{1,2}}:[0-9]{{2}}(?::.*)?|(?:[0-9]{{1,2}}[ ./-](?:de )?)?{_MONTHS}(?:[ ./-](?:de )?[0-9]{{1,4}}.*)?",
    ),
    Problem(
        "has a placeholder for a carrier's code in it",
        "Write the digits alone, as they are dialled",
        r"\(?0 ?[x*]+.*",
    ),
    Problem(
        "has an extension or a note in it",
        "Write the digits of the number alone, without it",
        r"[^a-z]*[0-9)][ ,;/-]*(?:ramal|ram|r|extension|ext|branch|x|#|;ext=)[.:]? ?[0-9]+\)?|[^(]*[0-9][^(]*\(.*\)",
    ),
    Problem(
        "may be a range, or several numbers",
        _WRITE_ONE_NUMBER,
        r"[0-9 .()+-]*[0-9)][\s-]*(?:[/,;|&~\n\r\t:]+|\.\.+| -|--+|- |  +| (?:a|à|até|ate|e|to|and|bis|thru|through) )[\s-]*[+(]?[0-9][0-9 .()+-]*",
    ),
)
_NOT_PLAIN = Problem("is not written in plain digits", _WRITE_DIGITS)
_NOT_A_NUMBER = Problem("is not written as one telephone number is", _WRITE_ONE_NUMBER)


def explain(text: str) -> str:
    """Return why a text is no number, and what to do about it."""
    problem = _problem_of(_plain(text[:_SEARCHED_CHARACTERS]))
    quoted = ascii(text[:_QUOTED_CHARACTERS]) + ("…" if len(text) > _QUOTED_CHARACTERS else "")
    unusual = [character for character in text if not _is_part_of_number(character)]
    if problem not in (_NOT_PLAIN, _NOT_A_NUMBER):
        # The ASCII characters of "1.13E+09" and "n/a" need no explanation.
        unusual = [character for character in unusual if not character.isascii()]
    holds = f"holds {_name_characters(unusual)}" if unusual else ""
    is_general = problem in (_NOT_PLAIN, _NOT_A_NUMBER)
    description = holds if holds and is_general else problem.description
    if problem is _NOT_A_NUMBER and any(character.isascii() for character in unusual):
        # A text that resembles no number may be a secret, for example of a table whose cells stand in the wrong columns.
        return f"{description}, and is not shown. {problem.advice}"
    note = f" ({holds})" if holds and description != holds else ""
    return f"{quoted} {description}{note}. {problem.advice}"


def is_error_value(text: str) -> bool:
    """Tell whether a text is what a spreadsheet shows for a formula that has failed."""
    return _ERROR_VALUE.fullmatch(text) is not None


def explain_cell(text: str) -> str | None:
    """Return why a text is no value of a field whose values look like numbers, or None. The message quotes nothing of it."""
    if text.isascii() and text.isprintable() and not _CELL.fullmatch(text):
        return None
    problem = _find(_CELLS, text)
    if problem is not None:
        return f"{problem.description}. {problem.advice}"
    unusual = [
        character
        for character in text
        if not character.isprintable() or (character.isdecimal() and not character.isascii())
    ]
    if unusual:
        return f"holds {_name_characters(unusual)}. Type the value anew, in plain characters"
    return None


def _problem_of(plain: str) -> Problem:
    problem = _find(_CELLS, plain)
    if problem is not None:
        return problem
    objection = _numbers.objection(plain)
    if objection is None:
        return _NOT_PLAIN
    if objection not in (_numbers.OTHER, _numbers.TOO_FEW, _numbers.TOO_MANY):
        return _PROBLEMS[objection]
    if _numbers.is_date(plain):
        return _PROBLEMS[_numbers.DATE]
    return _find(_TEXTS, plain) or _PROBLEMS.get(objection, _NOT_A_NUMBER)


def _find(problems: Sequence[Problem], text: str) -> Problem | None:
    for problem in problems:
        if re.fullmatch(problem.pattern or "", text, re.IGNORECASE | re.DOTALL):
            return problem
    return None


def _plain(text: str) -> str:
    """Return a text in plain characters, to recognise its kind. Nothing is ever read from it."""
    return "".join(map(_plain_character, unicodedata.normalize("NFKC", text))).strip()


def _plain_character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    return {"Cf": "", "Zs": " "}.get(category, character)


def _is_part_of_number(character: str) -> bool:
    return character.isascii() and (character.isdigit() or character in " .-+()")


def _name_characters(characters: Sequence[str]) -> str:
    """Return the code points and names of characters. Many look like other characters, or are invisible."""
    distinct = list(dict.fromkeys(characters))
    names = [
        f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
        for character in distinct[:_NAMED_CHARACTERS]
    ]
    rest = len(distinct) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")
