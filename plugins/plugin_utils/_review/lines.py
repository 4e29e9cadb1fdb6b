# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The lines of a review: DIDs with an identical change share one, wherever their numbers are."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import typing as t
from collections.abc import Iterator, Sequence

from ansible_collections.nextbilling.did.plugins.module_utils._fields import identity
from ansible_collections.nextbilling.did.plugins.module_utils._planning import grouping

from .model import SECTIONS, Change, Entry, Label, Review, Value, sort_key

Range = tuple[Entry, ...]
"""DIDs with contiguous numbers. Never empty."""


@dataclasses.dataclass(frozen=True)
class Line:
    """An identical change of DIDs: one line for a person to read. C(ranges) is never empty."""

    ranges: tuple[Range, ...]

    @property
    def first(self) -> Entry:
        """Return the first DID, which represents all of them."""
        return self.ranges[0][0]

    @property
    def dids(self) -> int:
        """Return how many DIDs it is about."""
        return sum(map(len, self.ranges))

    @property
    def entries(self) -> Iterator[Entry]:
        """Return all DIDs."""
        return itertools.chain.from_iterable(self.ranges)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what changes, with the placeholder of ranges where each of several DIDs has its own number."""
        if self.dids == 1:
            return self.first.listed_changes
        return tuple(Change(*change) for change in _patterns(self.first))

    @functools.cached_property
    def label(self) -> Label:
        """Return the customer and the description that all DIDs have in common."""
        return share_label(tuple(self.entries))

    @property
    def customers(self) -> int:
        """Return how many customers are known to have these DIDs."""
        return len({entry.label.customer_id for entry in self.entries} - {None})

    @functools.cached_property
    def parts(self) -> tuple[Range, ...]:
        """Return the ranges, split where the customer or the description is another one."""
        return tuple(
            tuple(members)
            for one in self.ranges
            for _label, members in itertools.groupby(one, _label_pattern)
        )

    @property
    def known_since(self) -> tuple[str, str] | None:
        """Return the earliest and the latest time at which the platform confirmed the values before; null where nothing is known."""
        times = {entry.before_confirmed_at for entry in self.entries} - {None}
        return (min(filter(None, times)), max(filter(None, times))) if times else None


def fold_sections(review: Review) -> dict[str, list[Line]]:
    """Return the lines of each section of a review."""
    sections: dict[str, list[Entry]] = {section: [] for section in SECTIONS}
    for entry in review.entries:
        sections[entry.section].append(entry)
    return {section: fold(entries) for section, entries in sections.items()}


def fold(entries: Sequence[Entry]) -> list[Line]:
    """Fold DIDs with an identical change. The lines are in the order of their first DIDs."""
    groups = grouping.group(entries, lambda entry: entry.name, _content)
    return sorted((Line(group.ranges) for group in groups), key=lambda line: sort_key(line.first))


def share_label(entries: Sequence[Entry]) -> Label:
    """Return the customer and the description that DIDs have in common, with the placeholder of ranges where there are several."""
    return Label(
        **grouping.shared_values([(entry.name, entry.label._asdict()) for entry in entries])
    )


def _label_pattern(entry: Entry) -> tuple[int | None, Value]:
    description = grouping.to_pattern("description", entry.label.description, entry.name)
    return entry.label.customer_id, description


def _patterns(entry: Entry) -> tuple[tuple[str, Value, Value], ...]:
    changes = ((change.field, change.before, change.after) for change in entry.listed_changes)
    return grouping.pattern_of(changes, entry.name)


def _content(entry: Entry) -> tuple[t.Any, ...]:
    """Return what is equal for two DIDs that share a line: all but which DID it is, and when it was last applied."""
    error = entry.error
    return (
        entry.run,
        entry.outcome,
        entry.action,
        repr(_patterns(entry)),
        (entry.has_age, entry.before_confirmed_at is None),
        tuple(_difference(number, entry.did_number or "") for number in entry.similar_to),
        (
            None
            if error is None
            else (
                error.kind,
                error.http_status,
                _without_names(error.reason, entry),
                _without_names(error.msg, entry),
            )
        ),
    )


def _difference(number: str, other: str) -> tuple[str, int]:
    """Return how a number begins where another one ends in the same digits, and how long it is: equal for neighbours."""
    pairs = zip(reversed(number), reversed(other))
    common = sum(1 for _pair in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return number[: len(number) - common], len(number)


def _without_names(text: str | None, entry: Entry) -> str | None:
    """Return a message without the DID and the attempt that it names, so that equal messages about different DIDs are equal."""
    for name in (
        # The attempt comes first, as its digits may hold a short number.
        None if entry.error is None else entry.error.attempt,
        entry.did_number,
        None if entry.did_number is None else identity(entry.did_number),
    ):
        if text and name:
            text = text.replace(name, "\0")
    return text
