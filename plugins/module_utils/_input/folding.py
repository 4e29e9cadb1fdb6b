# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Folds the problems of a list: one line for all entries that have the same one. Pure."""

from __future__ import annotations

import collections
import re
import typing as t
from collections.abc import Iterable, Sequence

from .._fields import QUOTED_CHARACTERS

# What the lines about a list may have, and all lines of a task, and how many separate places and pairs of entries they name.
_CHARACTERS, _ALL_CHARACTERS = 1200, 2500
_NAMED_PLACES = 6
NAMED_PAIRS = 5
_PLACE = re.compile(r"(?P<start>.*?)(?P<number>[0-9]+)(?P<end>\]?)", re.DOTALL)
# The place of an entry, and not the name of a field such as port1.
_PLACE_OF_ENTRY = re.compile(
    r"(?P<start>.*(?:\[|line |row |entry ))(?P<number>[0-9]+)(?P<end>\]?)", re.DOTALL
)
_PLURALS = {"line ": "lines ", "row ": "rows "}


class Problem(t.NamedTuple):
    """A problem of an entry.

    C(position): the entry's position in the list. C(place): where it stands, such as C(dids.csv, line 4). C(text): what is wrong, in words
    that quote no value. C(quoted): the same words with the value in them. C(value): the value in quotes, if it may be shown.
    """

    position: int
    place: str
    text: str
    quoted: str
    value: str | None = None


def fold_problems(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each kind of problem with its places, and one for the rest if there are too many."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        start = _PLACE.fullmatch(problem.place)
        key = (problem.place if start is None else start["start"], problem.text)
        groups.setdefault(key, []).append(problem)
    return _limit([(_line(group), len(group)) for group in groups.values()], _CHARACTERS)


def fold_lines(lines: Iterable[str]) -> list[str]:
    """Return the problems of a task, a line each, with one line for equal problems of several entries, and one for the rest if there are too many."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for line in lines:
        place, _colon, text = line.partition(": ")
        match = _PLACE_OF_ENTRY.fullmatch(place)
        if match is None:
            groups.setdefault(("", line), []).append(Problem(0, "", line, line))
        else:
            problem = Problem(int(match["number"]), place, text, text)
            groups.setdefault((match["start"], text), []).append(problem)
    folded = [
        (_line(group) if group[0].place else group[0].text, len(group)) for group in groups.values()
    ]
    return _limit(folded, _ALL_CHARACTERS)


def _limit(lines: Sequence[tuple[str, int]], most: int) -> list[str]:
    """Return as many lines as have C(most) characters together, and one that counts the problems of the rest. C(lines): with their problems."""
    length = 0
    for place, (line, _count) in enumerate(lines):
        length += len(line)
        if place and length > most:
            rest = sum(count for _line, count in lines[place:])
            return [
                *(line for line, _count in lines[:place]),
                f"and {rest} more problem{'s' if rest > 1 else ''} of other kinds, reported once these are corrected",
            ]
    return [line for line, _count in lines]


def _line(group: Sequence[Problem]) -> str:
    first = group[0]
    if len(group) == 1:
        return f"{first.place}: {first.quoted}"
    example = _example(group)
    shown = f" (for example {example})" if example else ""
    places = fold_places([(problem.position, problem.place) for problem in group])
    return f"{places}: {first.text}{shown}"


def _example(group: Sequence[Problem]) -> str | None:
    """Return a value to show: one that is shown for a single entry, too, or a word that several entries have. A password is one DID's own."""
    first = group[0]
    if first.quoted != first.text:
        return first.value
    counts = collections.Counter(problem.value for problem in group if problem.value is not None)
    return next((value for value, count in counts.most_common(1) if count > 1), None)


def fold_places(places: Sequence[tuple[int, str]]) -> str:
    """Return several places of one file in words, neighbours in the list as a range: C(dids.csv, lines 2–3001).

    :param places: the position of each entry in the list, and where it stands. They are all alike but for the number at their end.
    """
    runs: list[list[tuple[int, str]]] = []
    for place in places:
        if runs and place[0] - runs[-1][1][0] in (0, 1):
            runs[-1][1] = place
        else:
            runs.append([place, place])
    match = _PLACE.fullmatch(places[0][1])
    if match is None:
        return places[0][1]
    start, end = match["start"], match["end"]
    column = re.search(r"![A-Z]+\Z", start)
    for singular, plural in _PLURALS.items():
        if start.endswith(singular):
            start = start[: -len(singular)] + plural
    letters = column[0][1:] if column else ""
    separator = f":{letters}" if column else "–"
    names = [
        _number_of(first) if first is last else f"{_number_of(first)}{separator}{_number_of(last)}"
        for first, last in runs[:_NAMED_PLACES]
    ]
    rest = len(places) - sum(last[0] - first[0] + 1 for first, last in runs[:_NAMED_PLACES])
    more = f" and {rest} more" if rest > 0 else ""
    return f"{start}{f', {letters}'.join(names)}{more}{end}"


def _number_of(place: tuple[int, str]) -> str:
    """Return the number at the end of a place: of a line, a row or a position."""
    match = _PLACE.fullmatch(place[1])
    return "" if match is None else match["number"]


def quotation(value: str, words: str) -> str | None:
    """Return how the words of a problem quote its value, or None if they do not."""
    for quote in (repr, ascii):
        for text in (quote(value), f"{quote(value[:QUOTED_CHARACTERS])}…"):
            if text in words:
                return text
    return None
