# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Takes secrets out of text that others wrote."""

from __future__ import annotations

import json
import re
import typing as t
import unicodedata
from urllib.parse import quote, quote_plus

from ._secrets import DISTINCT, MASK

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterable

REASON_LIMIT = 500


class Redactor:
    """Takes secrets out of text that others wrote, in each spelling in which an answer may echo them."""

    def __init__(self, secrets: Iterable[str], others: Iterable[str] = ()) -> None:
        """C(secrets): what the answer may well echo. C(others): what is looked for as it is, and only if it is distinct."""
        self._secrets = [secret for secret in secrets if secret]
        self._others = others

    def _expression(self, text: str) -> re.Pattern[str]:
        # Made where an answer is cleaned, which is seldom: thousands of other DIDs' passwords would slow every request.
        found = [other for other in self._others if len(other) >= DISTINCT and other in text]
        spellings = {
            spelling for secret in (*self._secrets, *found) for spelling in _spellings(secret)
        }
        # The longest first: where one secret is part of another, nothing of the longer one may stay.
        ordered = sorted(filter(None, spellings), key=len, reverse=True)
        # The path of every request holds the token and the key, which an answer may cut short.
        parts = [r"(?<=manageDID/)\S+", *map(_pattern, ordered)]
        return re.compile("|".join(parts), re.IGNORECASE)

    def clean(self, text: str, limit: int = REASON_LIMIT) -> str:
        """Return the text on one line, without secrets or control characters, and no longer than the limit in characters.

        What is invisible goes first, as it may stand inside a secret; the cut comes last, as it could leave a part of one.
        """
        import html  # only where an answer is cleaned: it brings a table of thousands of entities

        visible = "".join(map(_visible, text))
        expression = self._expression(visible)
        for candidate in (visible, html.unescape(visible)):
            if expression.search(candidate):
                visible = expression.sub(MASK, candidate)
        visible = " ".join(visible.split())
        return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def _pattern(spelling: str) -> str:
    """Match a spelling however its white space was changed on the way."""
    words = spelling.split()
    return r"\s+".join(map(re.escape, words)) if words else re.escape(spelling)


def _spellings(secret: str) -> set[str]:
    escaped, readable = (json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False))
    return {
        secret,
        "".join(map(_visible, secret)),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        escaped,
        escaped.replace("/", "\\/"),
        readable,
        readable.replace("/", "\\/"),
        secret.replace("'", "''"),
        secret.replace("'", "\\'"),
    }


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    # Cc and Cf: control characters, and invisible ones such as those which turn the direction of text.
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character
