# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Recognises text whose characters are not those that were meant, as where Excel opens a CSV in UTF-8 without a byte order mark. Pure."""

from __future__ import annotations

import re

# The bytes that Windows-1252 does not define. Windows reads them as control characters (https://encoding.spec.whatwg.org/#windows-1252).
_UNDEFINED = re.compile("([\x81\x8d\x8f\x90\x9d])")
# What is a dash or a quotation mark in Windows-1252 is a control character in ISO-8859-1. Nobody writes one.
_CONTROL = re.compile("[\x80-\x9f]")
# What Excel on a Mac, and a command line of Windows, read a file in. A letter with an accent becomes two characters there, of which this is the
# first. A text without it is right, such as "d\u2019\u00e1gua", which by chance is UTF-8 in MacRoman.
_OTHER_SETS = (
    ("mac_roman", "\N{SQUARE ROOT}"),
    ("cp850", "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}"),
    ("cp437", "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}"),
)


def check_characters(text: str) -> None:
    """Raise C(ValueError) for a text that is not valid, has a NUL character, has marks of lost characters, or is UTF-8 read as another character set.

    No table can hold a NUL character.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds characters that are no valid Unicode text") from None
    if "\0" in text:
        raise ValueError("holds a NUL character: enter the text again")
    if not text.isascii() and is_garbled(text):
        raise ValueError(
            "holds characters that a program has read in a wrong character set, such as Ã§ in place of ç: enter the text again, or open the"
            " original file as UTF-8"
        )


def is_garbled(text: str) -> bool:
    """Tell whether a text that is not ASCII has marks of lost characters, or was read as another character set than its own."""
    return (
        "\N{REPLACEMENT CHARACTER}" in text
        or _CONTROL.search(text) is not None
        or _is_utf8(text, "cp1252")
        or any(first in text and _is_utf8(text, name) for name, first in _OTHER_SETS)
    )


def _is_utf8(text: str, character_set: str) -> bool:
    """Tell whether the bytes of a text in a character set are UTF-8. Those of a text that people wrote are not, unless it is ASCII."""
    try:
        pieces = [
            piece.encode("latin-1" if place % 2 else character_set)
            for place, piece in enumerate(_UNDEFINED.split(text))
        ]
        b"".join(pieces).decode("utf-8")
    except UnicodeError:
        return False
    return True
