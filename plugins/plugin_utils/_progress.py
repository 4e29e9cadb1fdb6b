# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""The lines of a long run: how far it is, and its totals at the end. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from ._review.phrases import join_counts
from ._review.translations import CLOSING_ORDER, Translations

# Seconds before the first line about progress, and between two of them.
FIRST, INTERVAL = 5.0, 10.0


class ProgressLines:
    """The lines about the progress of one run: when the next is due, and what it says.

    :param counts: whether a line may name counts. With C(no_log) it may not.
    """

    def __init__(
        self,
        *,
        counts: bool = True,
        clock: Callable[[], float] = time.monotonic,
        first: float = FIRST,
        interval: float = INTERVAL,
    ) -> None:
        self._counts = counts
        self._clock = clock
        self._interval = interval
        self._due = clock() + first
        self._begun: float | None = None

    def next_line(self, done: int, total: int, failed: int) -> str | None:
        """Return the line that is due now, or None. The first call begins the time in which something is done."""
        now = self._clock()
        if self._begun is None:
            self._begun = now
        if now < self._due or done >= total:
            return None
        self._due = now + self._interval
        if not self._counts:
            return "still at work (no_log hides the counts)"
        return progress_text(done, total, failed, now - self._begun)


def progress_text(done: int, total: int, failed: int, seconds: float) -> str:
    """Return how far a run is: done of total, per second, time left, failures. C(seconds): how long it has taken so far."""
    parts = [f"{done:,} of {total:,} DIDs"]
    if done and seconds > 0:
        rate = done / seconds
        parts += [
            f"{rate:,.1f}/s" if rate >= 1 else f"{rate:.2g}/s",
            f"{duration((total - done) / rate)} left",
        ]
    if failed:
        parts.append(f"{failed:,} failed")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def totals_text(summary: Mapping[str, int] | None, remarks: Sequence[str]) -> str:
    """Return the totals of a task in the words of a review's closing line.

    :param summary: what its result counts; None if no counts may be named.
    :param remarks: what is to be known of it beside them.
    """
    if summary is None:
        return f"ended ({'; '.join(['no_log hides the counts', *remarks])})"
    counts = {name: summary[name] for name in CLOSING_ORDER if name in summary}
    text = join_counts(counts, Translations("en"))
    return f"{text} ({'; '.join(remarks)})" if remarks else text
