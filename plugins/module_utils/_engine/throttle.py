# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""When the next request may be sent, and how many at once."""

from __future__ import annotations

import collections
import heapq
import itertools
import random
import time
import typing as t
from collections.abc import Iterable

# So many requests in a row must not be refused before one more is sent at once.
_SUCCESSES = 20

T = t.TypeVar("T")


class Pacing(t.NamedTuple):
    """How a run spaces its attempts, and when it gives up. Times in seconds.

    C(retry_pause): before the first retry; it doubles up to C(longest_retry_pause). C(longest_retry_after): the longest pause that the
    platform may ask for. C(max_races): how often another run may take a claim first. C(race_pause): the longest pause after that.
    """

    retry_pause: float = 0.5
    longest_retry_pause: float = 30.0
    longest_retry_after: float = 120.0
    max_races: int = 100
    race_pause: float = 0.1

    def pause_before_retry(self, retries: int, retry_after: float | None) -> float:
        """Return the pause after so many retries: what the platform asks for, or exponential backoff with jitter."""
        if retry_after is not None:
            return min(retry_after, self.longest_retry_after)
        pause = min(self.retry_pause * 2.0**retries, self.longest_retry_pause)
        return pause * random.uniform(0.5, 1.0)


class ConcurrencyLimit:
    """How many requests may be in flight at once. The vendor's error page: 429 for several requests at the same time.

    A refusal lowers the limit to the last one that worked, at first 1. Twenty successes raise it by one, and each refusal doubles that
    number. Of requests that were sent under one limit, only the first refusal counts: they are refused together.
    """

    def __init__(self, highest: int) -> None:
        self.current = self.lowest = self._highest = highest
        self.refusals = 0
        self._proven = 1
        self._successes = 0
        self._needed = _SUCCESSES

    def note_refusal(self, limit: int) -> None:
        """Note a refusal of one among several requests, and the limit under which it was sent."""
        self.refusals += 1
        if limit != self.current:
            return
        self.current = self._proven if self._proven < self.current else 1
        self._proven = min(self._proven, self.current)
        self.lowest = min(self.lowest, self.current)
        self._successes = 0
        self._needed *= 2

    def note_success(self, limit: int) -> None:
        """Note a request that was applied, and the limit under which it was sent."""
        if limit != self.current or not self.refusals:
            return
        self._successes += 1
        if self._successes >= self._needed and self.current < self._highest:
            self._proven = self.current
            self.current += 1
            self._successes = 0


class Schedule(t.Generic[T]):
    """What is still to be done: the new items in their order, and the deferred ones once they are due, which go first."""

    def __init__(self, items: Iterable[T]) -> None:
        self._new = collections.deque(items)
        # (when it is due, number, item)
        self._deferred: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()
        self._paused_until = 0.0

    def __len__(self) -> int:
        return len(self._new) + len(self._deferred)

    def defer(self, item: T, seconds: float) -> None:
        """Put an item back for so many seconds."""
        heapq.heappush(self._deferred, (time.monotonic() + seconds, next(self._numbers), item))

    def pause(self, seconds: float) -> None:
        """Let nothing be ready for a while."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def next_ready(self, now: float) -> T | None:
        """Take the next item that is ready, if there is one."""
        if now < self._paused_until:
            return None
        if self._deferred and self._deferred[0][0] <= now:
            return heapq.heappop(self._deferred)[2]
        return self._new.popleft() if self._new else None

    def seconds_until_ready(self) -> float | None:
        """Return the seconds until the next item is ready, or None where there is none."""
        if self._new:
            due = self._paused_until
        elif self._deferred:
            due = max(self._deferred[0][0], self._paused_until)
        else:
            return None
        return max(0.001, due - time.monotonic())

    def end_wait(self) -> None:
        """Make the next item ready, whatever the clock says: somebody has slept until then."""
        self._paused_until = 0.0
        if self._deferred:
            _due, number, item = self._deferred[0]
            heapq.heapreplace(self._deferred, (0.0, number, item))

    def clear(self) -> list[T]:
        """Drop everything. Returns the deferred items in their order."""
        deferred = sorted(self._deferred, key=lambda entry: entry[:2])
        self._new.clear()
        self._deferred.clear()
        return [item for _due, _number, item in deferred]
