# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What spreadsheets, libraries for tables and copying make of numbers, and what a person can do then. Pure.

Imported only for a value that is refused, or may have to be: see C(_fields.py). A message never holds digits that were joined from
the refused text, and says "write its digits alone" only where that leads to the number that was meant.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

from . import _numbers

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

_SHOWN_CHARACTERS = 60
_NAMED_CHARACTERS = 3
# No damage that has a name of its own is longer.
_SEARCHED_CHARACTERS = 200

_ALONE = "Write its digits alone"
_ONE = (
    "If it is one number, write its digits alone. A range has did_number for its first number and last_number for its last one;"
    " several numbers are several entries"
)
_AGAIN = "Look it up, give the column the format 'text' (in pandas: dtype=str), and enter it again: the digits that stand here may be wrong"
_NO_VALUE = "Give the number, or leave the field out"
_NO_ADDRESS = "Give the number of the DID; addresses have fields of their own, such as host"


class Damage(t.NamedTuple):
    """A kind of text that is no number. C(pattern) fits its whole text, without regard to case; None where C(_numbers) tells it."""

    what: str
    advice: str
    pattern: str | None = None


# What is no value of any field whose values look like numbers, a user name or a prefix included.
_CELLS = (
    Damage(
        "is a spreadsheet's error value",
        "Correct the formula, or enter the value as text",
        r"#(?:N/?[AD]|¡?(?:REF|VALUE|NUM|DIV/0|NULL|SPILL|CALC|FIELD|VALOR|N[UÚ]M|NULO|DESPEJAR)!|¿?(?:NAME|NOME|NOMBRE)\?|GETTING_DATA|##+)"
        r"|Err:[0-9]{3}",
    ),
    Damage(
        "is what a spreadsheet makes of a long number (scientific notation), and its last digits are lost",
        _AGAIN,
        # Without a sign only beside a decimal point: 1e5 may be a user name.
        r"[+-]?[0-9](?:[.,][0-9]*)?E[+-][0-9]+|[+-]?[0-9]+[.,][0-9]+E[+-]?[0-9]+|[0-9]+E[+][0-9]+",
    ),
    Damage(
        "is a decimal number, which spreadsheets and pandas make of digits that are not read as text",
        _AGAIN,
        r"[+-]?[0-9]+[.,]0+",
    ),
    Damage(
        'has a spreadsheet\'s mark of text in it (an apostrophe before it, or ="…")',
        "Write the value alone, without the mark",
        r"'[+(]?[0-9][0-9 .()-]*|=\"[^\"]*\"",
    ),
)
_ERROR_VALUE = re.compile(str(_CELLS[0].pattern), re.IGNORECASE)
_CELL = re.compile("|".join(str(damage.pattern) for damage in _CELLS), re.IGNORECASE)

_OBJECTIONS = {
    _numbers.ADDRESS: Damage("is an IP address", _NO_ADDRESS),
    _numbers.AMOUNT: Damage("is an amount, with a dot before each three digits", _AGAIN),
    _numbers.DATE: Damage(
        "reads as a date",
        "If a spreadsheet made a date of a number, look the number up, and enter it as text. If it is a number, write its digits alone",
    ),
    _numbers.DECIMAL: Damage("is a decimal number", _AGAIN),
    _numbers.EXTENSION: Damage(
        "goes on after the last four digits of a number, with an extension, a note or another number",
        _ONE,
    ),
    _numbers.POSTAL_CODE: Damage(
        "reads as a postal code (CEP)", "If it is a number, write its digits alone"
    ),
    _numbers.RANGE: Damage("may be a range, or several numbers", _ONE),
    _numbers.TAIL: Damage(
        "ends in one or two digits of their own: a check digit, an extension, the end of a range, or pairs of digits",
        "Write the digits of the number alone, without what is not dialled. A range has did_number and last_number, both in full",
    ),
    _numbers.TOO_MANY: Damage(
        f"has more than {_numbers.MOST_DIGITS} digits, as a range and several numbers have", _ONE
    ),
    _numbers.TOO_FEW: Damage(
        f"has separators, and fewer than {_numbers.FEWEST_DIGITS} digits", _ALONE
    ),
    _numbers.TRUNK: Damage(
        "has a zero in brackets, which some dial and others do not",
        "Write the digits alone, as they are dialled",
    ),
}

_MONTHS = "(?:jan|feb|fev|mar|apr|abr|may|mai|jun|jul|aug|ago|sep|set|oct|out|nov|dec|dez)[a-zç]*"
# What has no form of a number at all.
_TEXTS = (
    Damage("is empty", _NO_VALUE, ""),
    Damage(
        "stands for a cell without a value",
        _NO_VALUE,
        r"nan|nat|none|null|nil|n/?[ad]|undefined|true|false|verdadeiro|falso|[+-]?inf(?:inity)?|[-.?]+",
    ),
    Damage("is a formula", "Save the table with values in place of formulas", "=.*"),
    Damage("is a URI", "Write the digits of the number alone", r"(?:tel|sips?|callto|https?):.*"),
    Damage("is an IP address", _NO_ADDRESS, r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}[:/][0-9]+"),
    Damage(
        "is an amount",
        _AGAIN,
        r"[+-]?[0-9]{1,3}(?:[., ][0-9]{3})+[.,][0-9]{1,2}|[0-9]{1,3}(?:,[0-9]{3})+|(?:R?\$|€) ?[0-9].*",
    ),
    Damage("is a decimal number", _AGAIN, r"[+-]?[0-9]*[.,][0-9]{1,6}|[+-]?[0-9]{1,3}[.,][0-9]+"),
    Damage(
        "reads as a date or a time",
        "If a spreadsheet made it of a number, look the number up, and enter it as text",
        rf"[0-9]{{1,2}}:[0-9]{{2}}(?::.*)?|(?:[0-9]{{1,2}}[ ./-](?:de )?)?{_MONTHS}(?:[ ./-](?:de )?[0-9]{{1,4}}.*)?",
    ),
    Damage(
        "has a placeholder for a carrier's code in it",
        "Write the digits alone, as they are dialled",
        r"\(?0 ?[x*]+.*",
    ),
    Damage(
        "has an extension or a note in it",
        "Write the digits of the number alone, without it",
        r"[^a-z]*[0-9)][ ,;/-]*(?:ramal|ram|r|extension|ext|branch|x|#|;ext=)[.:]? ?[0-9]+\)?|[^(]*[0-9][^(]*\(.*\)",
    ),
    Damage(
        "may be a range, or several numbers",
        _ONE,
        r"[0-9 .()+-]*[0-9)][\s-]*(?:[/,;|&~\n\r\t:]+|\.\.+| -|--+|- |  +| (?:a|à|até|ate|e|to|and|bis|thru|through) )[\s-]*[+(]?[0-9][0-9 .()+-]*",
    ),
)
_STRANGE = Damage("is not written in plain digits", _ALONE)
_UNKNOWN = Damage("is not written as one telephone number is", _ONE)


def explain(text: str) -> str:
    """Return why a text is no number, and what to do, in words for a person."""
    plain = _plain(text[:_SEARCHED_CHARACTERS])
    damage = _damage_of(plain)
    shown = ascii(text[:_SHOWN_CHARACTERS]) + ("…" if len(text) > _SHOWN_CHARACTERS else "")
    strange = [character for character in text if not _is_part_of_number(character)]
    if damage not in (_STRANGE, _UNKNOWN):
        # The characters of "1.13E+09" and "n/a" are no riddle.
        strange = [character for character in strange if not character.isascii()]
    holds = f"holds {_named(strange)}" if strange else ""
    what = holds if holds and damage in (_STRANGE, _UNKNOWN) else damage.what
    if damage is _UNKNOWN and any(character.isascii() for character in strange):
        # What resembles no number may be a secret, as of a table whose cells stand in the wrong columns.
        return f"{what}, and is not shown. {damage.advice}"
    return f"{shown} {what}{f' ({holds})' if holds and what != holds else ''}. {damage.advice}"


def is_error_value(text: str) -> bool:
    """Tell whether a text is what a spreadsheet shows where a formula has failed."""
    return _ERROR_VALUE.fullmatch(text) is not None


def explain_cell(text: str) -> str | None:
    """Return why a text is no value of a field whose values look like numbers, or None. The words hold nothing of it."""
    if text.isascii() and text.isprintable() and not _CELL.fullmatch(text):
        return None
    damage = _find(_CELLS, text)
    if damage is not None:
        return f"{damage.what}. {damage.advice}"
    strange = [
        character
        for character in text
        if not character.isprintable() or (character.isdecimal() and not character.isascii())
    ]
    if strange:
        return f"holds {_named(strange)}. Type the value anew, in plain characters"
    return None


def _damage_of(plain: str) -> Damage:
    damage = _find(_CELLS, plain)
    if damage is not None:
        return damage
    objection = _numbers.objection(plain)
    if objection is None:
        return _STRANGE
    if objection not in (_numbers.OTHER, _numbers.TOO_FEW, _numbers.TOO_MANY):
        return _OBJECTIONS[objection]
    if _numbers.is_date(plain):
        return _OBJECTIONS[_numbers.DATE]
    return _find(_TEXTS, plain) or _OBJECTIONS.get(objection, _UNKNOWN)


def _find(damages: Sequence[Damage], text: str) -> Damage | None:
    for damage in damages:
        if re.fullmatch(damage.pattern or "", text, re.IGNORECASE | re.DOTALL):
            return damage
    return None


def _plain(text: str) -> str:
    """Return what a text looks like, to find out what it is: never to read it so."""
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


def _named(characters: Sequence[str]) -> str:
    """Return characters by code point and name: many look like others, or like nothing."""
    distinct = list(dict.fromkeys(characters))
    names = [
        f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
        for character in distinct[:_NAMED_CHARACTERS]
    ]
    rest = len(distinct) - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest else "")
