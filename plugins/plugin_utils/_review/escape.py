# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Escapes text that others wrote for Markdown, and finds the direction of its letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from ansible_collections.nextbilling.did.plugins.module_utils._planning.invisible import (
    escape_invisible,
)

_TICKS = re.compile(r"`+")


def cut(text: str, limit: int) -> str:
    """Return a text of at most so many characters, with an ellipsis at the end if it was longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def has_right_to_left(text: str) -> bool:
    """Tell whether a text has letters that run from right to left, which reverse an arrow beside them."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text
    )


def code_span(text: str, limit: int, unlike: Collection[int] = ()) -> str:
    """Return a text as a code span of Markdown, in which nothing is a link, a mention, a tag or a table.

    :param unlike: positions of characters to show by their codes.
    """
    code = cut(escape_invisible(text, unlike), limit) or '""'
    fence = _fence(code, 1)
    # Markdown takes one space off at both ends, which a backtick or a space of the text's own needs.
    pad = " " if code[0] in "` " or code[-1] in "` " else ""
    return f"{fence}{pad}{code}{pad}{fence}"


def code_block(text: str, indent: str, limit: int) -> str:
    """Return a text of several lines as a fenced block of Markdown, which nothing in the text can end."""
    lines = [escape_invisible(line) for line in cut(text, limit).split("\n")]
    fence = _fence("\n".join(lines), 3)
    return "\n".join(f"{indent}{line}".rstrip() for line in (f"{fence}text", *lines, fence))


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
