# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Text that others wrote, as Markdown and in the direction of its letters."""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ansible_collections.nextbilling.did.plugins.module_utils._planning.visible import visible

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection

_TICKS = re.compile(r"`+")


def cut(text: str, limit: int) -> str:
    """Return a text no longer than the limit in characters, an ellipsis at its end where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def turns(text: str) -> bool:
    """Tell whether a text has letters that run from right to left, which would turn an arrow beside them."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text
    )


def code_span(text: str, limit: int, unlike: Collection[int] = ()) -> str:
    """Return a text as Markdown that shows it to the letter: inside a code span nothing is a link, a mention, a tag or a table.

    :param unlike: places of characters to show by their codes.
    """
    shown = cut(visible(text, unlike), limit) or '""'
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
