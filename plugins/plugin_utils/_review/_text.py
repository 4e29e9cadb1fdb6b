# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Text that others wrote, made visible: what a person cannot see, or what turns the direction of text, is shown by its code."""

from __future__ import annotations

import re
import typing as t
import unicodedata

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterator

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Characters that Unicode calls printable and that show nothing: fillers, joiners and variation selectors.
_BLANK = frozenset(
    map(
        chr,
        (
            0x034F,
            0x115F,
            0x1160,
            0x17B4,
            0x17B5,
            *range(0x180B, 0x1810),
            0x2800,
            0x3164,
            *range(0xFE00, 0xFE10),
            0xFFA0,
            *range(0xE0100, 0xE01F0),
        ),
    )
)
_TICKS = re.compile(r"`+")


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Split a text into what may be shown as it is, and (marked with true) the codes of characters that nobody would see."""
    if text.isascii() and text.isprintable():
        yield text, False
        return
    plain = ""
    for character in text:
        if character.isprintable() and character not in _BLANK:
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


def visible(text: str) -> str:
    """Return a text in which nothing is invisible. A backslash of its own is doubled, so that a code cannot be feigned."""
    return "".join(
        piece if is_code else piece.replace("\\", "\\\\") for piece, is_code in pieces(text)
    )


def cut(text: str, limit: int) -> str:
    """Return a text no longer than the limit in characters, an ellipsis at its end where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def turns(text: str) -> bool:
    """Tell whether a text has letters that run from right to left, which would turn an arrow beside them."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text
    )


def code_span(text: str, limit: int) -> str:
    """Return a text as Markdown that shows it to the letter: inside a code span nothing is a link, a mention, a tag or a table."""
    shown = cut(visible(text), limit) or '""'
    fence = _longer_than_any_in(shown, 1)
    # Markdown takes one space off at both ends, which a backtick or a space of the text's own needs.
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def code_block(text: str, indent: str, limit: int) -> str:
    """Return a text of several lines as a fenced block of Markdown that nothing in it can end."""
    lines = [visible(line) for line in cut(text, limit).split("\n")]
    fence = _longer_than_any_in("\n".join(lines), 3)
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"{fence}text", *lines, fence))


def _longer_than_any_in(text: str, least: int) -> str:
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
