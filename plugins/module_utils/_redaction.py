# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Takes secrets out of text that others wrote."""

from __future__ import annotations

import re
import typing as t
import unicodedata
from urllib.parse import unquote

from ._secrets import DISTINCT, MASK

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterable

REASON_LIMIT = 500
_DEPTH = 4
# How often what was escaped may have been escaped again. Without a bound, a long row of backslashes would take for ever.
_AGAIN = "{0,7}"
# The path of every request holds the token and the key, which an answer may cut short. Its slash may be escaped too.
_LOGIN = "|".join(
    rf"(?<=manageDID{slash})" for slash in ("/", r"\\/", r"\\{2}/", r"\\{3}/", "%2F", "%252F")
)


class Redactor:
    """Takes secrets out of text that others wrote, in each spelling in which an answer may echo them."""

    def __init__(self, secrets: Iterable[str], others: Iterable[str] = ()) -> None:
        """C(secrets): what the answer may well echo. C(others): what is looked for as it is, and only if it is distinct."""
        self._secrets = [secret for secret in secrets if secret]
        self._others = others

    def _expression(self, text: str) -> re.Pattern[str]:
        # Made where an answer is cleaned, which is seldom: thousands of other DIDs' passwords would slow every request.
        found = [other for other in self._others if len(other) >= DISTINCT and other in text]
        # The longest first: where one secret is part of another, nothing of the longer one may stay.
        ordered = sorted(filter(_readable, {*self._secrets, *found}), key=len, reverse=True)
        parts = [rf"(?:{_LOGIN})\S+", *map(_pattern, ordered)]
        return re.compile("|".join(parts), re.IGNORECASE)

    def clean(self, text: str, limit: int = REASON_LIMIT) -> str:
        """Return the text on one line, without secrets or control characters, and no longer than the limit in characters.

        What is invisible goes first, as it may stand inside a secret; the cut comes last, as it could leave a part of one.
        """
        import html  # only where an answer is cleaned: it brings a table of thousands of entities

        visible = _readable(text)
        expression = self._expression(visible)
        candidate = visible
        for _depth in range(_DEPTH):
            if expression.search(candidate):
                visible = candidate = expression.sub(MASK, candidate)
            candidate = _readable(html.unescape(unquote(candidate)))
        visible = " ".join(visible.split())
        return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def _pattern(secret: str) -> str:
    """Match a secret however its characters were escaped on the way, each by its own rule, and however often.

    An answer may hold a body in JSON that was put into JSON, or into a URL, or into a quotation of SQL, once more.
    """
    return "".join(_run(found[0]) for found in re.finditer(r"\s+|\\+|'+|.", secret, re.DOTALL))


def _run(run: str) -> str:
    """Match one character; or several of a kind, whose number may have changed."""
    character, length = run[0], len(run)
    if run.isspace():
        escaped = "|".join(map(_escaped, {" ", *run}))
        return rf"(?:\s|\+|\\{{1,7}}[nrtfv]|{escaped}){{1,64}}"
    if character == "\\":
        return rf"(?:\\|{_escaped(character)}){{{length},{8 * length}}}"
    before = "" if character.isalnum() else rf"\\{_AGAIN}"
    literal = rf"(?:{before}{re.escape(character)}|{_escaped(character)})"
    if character == "'":
        return literal + f"{{{length},{8 * length}}}"
    # What is invisible is taken out of the text before, unless it is escaped.
    return literal if _visible(character) else f"(?:{literal})?"


def _escaped(character: str) -> str:
    """Match a character as JSON, a URL and HTML write it by its number."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    in_json = "".join(rf"\\{{1,7}}u{units[at : at + 4]}" for at in range(0, len(units), 4))
    octets = character.encode("utf-8", "surrogatepass")
    in_url = "".join(rf"%(?:25){_AGAIN}{octet:02x}" for octet in octets)
    code = ord(character)
    return rf"{in_json}|{in_url}|&(?:amp;){_AGAIN}#(?:0{_AGAIN}{code}|x0{_AGAIN}{code:x});"


def _readable(text: str) -> str:
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    # Cc and Cf: control characters, and invisible ones such as those which turn the direction of text.
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character
