# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Makes text visible: invisible characters, and those in which two texts that look alike differ, are shown by their codes. Pure."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterator

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Characters that Unicode calls printable and that show nothing: fillers, joiners and variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0").union(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)

# Up to so many characters, two texts are compared character by character: that takes quadratic time.
_COMPARED = 2_000


def split_at_invisible(text: str, unlike: Collection[int] = ()) -> Iterator[tuple[str, bool]]:
    """Split a text into what may be shown as it is, and (marked with true) the codes of invisible characters.

    :param unlike: places of further characters to show by their codes, as C(look_alikes) returns them.
    """
    if not unlike and text.isascii() and text.isprintable():
        yield text, False
        return
    plain = ""
    for place, character in enumerate(text):
        if place not in unlike and character.isprintable() and character not in _BLANK:
            plain += character
            continue
        if plain:
            yield plain, False
            plain = ""
        yield _code(character), True
    if plain:
        yield plain, False


def _code(character: str) -> str:
    number = ord(character)
    return _NAMED.get(character) or (f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")


def escape_invisible(text: str, unlike: Collection[int] = ()) -> str:
    """Return a text in which nothing is invisible. Its backslashes are doubled, so that it cannot imitate a code."""
    return "".join(
        piece if is_code else piece.replace("\\", "\\\\")
        for piece, is_code in split_at_invisible(text, unlike)
    )


def look_alikes(one: str, other: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the places in two texts at which they differ in characters that a person may take for others.

    These are the characters beyond ASCII, where the texts differ in nothing else that can be seen: composed and combining accents
    (Unicode's normalization forms), kinds of spaces and dashes, letters of another script that look like Latin ones.
    """
    if one == other or (one.isascii() and other.isascii()):
        return frozenset(), frozenset()
    if _appearance(one) != _appearance(other):
        return frozenset(), frozenset()
    places: tuple[set[int], set[int]] = set(), set()
    for ends in _differences(one, other):
        for side, text, (start, end) in zip(places, (one, other), (ends[:2], ends[2:])):
            side.update(place for place in range(start, end) if not text[place].isascii())
    return frozenset(places[0]), frozenset(places[1])


def _differences(one: str, other: str) -> Iterator[tuple[int, ...]]:
    """Yield start and end in the first text, and start and end in the second, of what differs."""
    if max(len(one), len(other)) > _COMPARED:
        yield 0, len(one), 0, len(other)
        return
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    for operation, *ends in matcher.get_opcodes():
        if operation != "equal":
            yield tuple(ends)


# Greek and Cyrillic letters, in this order, that a person takes for Latin ones (Unicode Technical Standard 39, confusables).
_LATIN = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03f2\u03f3"
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
    "\u0430\u0435\u0456\u0458\u043e\u0440\u0441\u0443\u0445\u0455\u04bb\u0501\u051b\u051d",
    "ABEZHIKMNOPTYXaiknoptuxcjABESIJKMHOPCTXaeijopcyxshdqw",
)


def _appearance(text: str) -> str:
    """Return roughly how a text looks to a person; only for comparison."""
    seen = []
    for character in unicodedata.normalize("NFKC", text).translate(_LATIN):
        category = unicodedata.category(character)
        if category.startswith("Z"):
            seen.append(" ")
        elif category == "Pd" or character == "\u2212":
            seen.append("-")
        elif category in ("Pi", "Pf"):
            seen.append("'" if "SINGLE" in unicodedata.name(character) else '"')
        elif character.isprintable() and character not in _BLANK:
            seen.append(character)
    return "".join(seen)
