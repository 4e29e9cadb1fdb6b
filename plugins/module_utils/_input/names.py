# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Names that a list uses: how they are compared, and which of those that are no field a message may quote."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable

_SIMILARITY = 0.75
# Names that other lists and results have.
_NAMES_ELSEWHERE = frozenset({"attempt", "confirmed_at", "last_number", "outcome", "platform"})
# What an export and the witness say of a DID beside its fields. Lists may have it, and need not.
EXPORT_NAMES = frozenset({"attempt", "confirmed_at", "outcome", "record_key", "version"})
_NAME = re.compile(r"(?=.{1,24}\Z)[A-Za-z_]+[12]?")
# What databases, table libraries and programs write for a cell without a value, and a spreadsheet on the web for one that is not there yet.
NO_VALUES = frozenset(
    (
        *("NULL", "null", "(null)", r"\N", "NaN", "nan", "NaT", "<NA>", "None", "undefined"),
        *("Loading...", "Carregando..."),
    )
)
INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"
# A header that somebody wrote into a playbook. A secret mostly has digits or other signs.
_HEADER = re.compile(r"[^\W\d_][^\W\d_ /().ºª-]{0,20}(?:[ /().-]{1,3}[^\W\d_ºª]{1,20}){0,4}[.)ºª]?")
# How many separate positions a message names.
_NAMED_POSITIONS = 10


def strip(name: str) -> str:
    """Return a name without the space and the invisible characters around it."""
    return name.strip().strip(INVISIBLE).strip()


@functools.lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Return the form in which names and cells are compared: without case and surrounding space, in Unicode NFC.

    A line break in it, as sheets have them in headers, or several spaces are as good as one space.
    """
    composed = unicodedata.normalize("NFC", " ".join(strip(text).split()))
    return unicodedata.normalize("NFC", composed.casefold())


def quotable_name(name: object, fields: Collection[str]) -> str | None:
    """Return a name if it resembles the name of a field, or a name that the collection uses elsewhere; else None.

    Another name may be a value, and the value may be a secret: in a table without a header, or in a list with a wrong indentation.
    So a name may end in a digit only where the field's name does: C(Password1) is a password.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    nearest = _nearest(name.lower(), _NAMES_ELSEWHERE.union(fields))
    if nearest is None or (name[-1].isdigit() and not nearest[-1].isdigit()):
        return None
    return name


def suggestion(name: str, fields: Collection[str]) -> str:
    """Return the question after a name that is no field, or nothing if no field's name resembles it."""
    nearest = _nearest(fold(name), frozenset(fields))
    return "" if nearest is None else f" (is {nearest} meant?)"


def quotable_header(header: str) -> str | None:
    """Return a header of the option C(columns) in quotes, or None if it does not look like one."""
    header = strip(header)
    return repr(header) if _HEADER.fullmatch(header) else None


def list_of_fields(fields: Iterable[str]) -> str:
    """Return the sentence that names all fields."""
    return f"The fields are {', '.join(sorted({*fields} - EXPORT_NAMES))}"


def positions(numbers: Iterable[int]) -> str:
    """Return ascending positions in words, neighbours as a range: C(1–3, 7)."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    named = ", ".join(
        str(first) if first == last else f"{first}–{last}"
        for first, last in runs[:_NAMED_POSITIONS]
    )
    rest = sum(last - first + 1 for first, last in runs[_NAMED_POSITIONS:])
    return f"{named} and {rest} more" if rest else named


# A list has the same typing error in each of its entries.
@functools.lru_cache(maxsize=256)
def _nearest(name: str, fields: frozenset[str]) -> str | None:
    # Seldom needed, and slow to compile.
    import difflib

    return next(iter(difflib.get_close_matches(name, fields, 1, _SIMILARITY)), None)
