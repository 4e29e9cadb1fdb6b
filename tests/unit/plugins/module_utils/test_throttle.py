# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next request may be sent, and how many at once. No test waits: what is due later is asked for by a later time."""

from __future__ import annotations

import math
import time

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.throttle import (
    ConcurrencyLimit,
    Pacing,
    Schedule,
)

# Seconds. Longer than any test takes, however busy the machine is.
LONG = 10_000.0


def in_seconds(seconds: float) -> float:
    """Return a time on the clock of a schedule."""
    return time.monotonic() + seconds


# How long to wait before a retry


@pytest.mark.parametrize(
    ("retries", "longest"), [(0, 0.5), (1, 1.0), (2, 2.0), (5, 16.0), (6, 30.0), (1000, 30.0)]
)
def test_the_pause_doubles_up_to_a_limit(retries: int, longest: float) -> None:
    pauses = [Pacing().pause_before_retry(retries, None) for _each in range(200)]
    assert longest / 2 <= min(pauses) <= max(pauses) <= longest
    assert len(set(pauses)) > 1, "several runs would all try again at the same time"


@pytest.mark.parametrize(
    ("asked", "pause"), [(0.0, 0.0), (3.0, 3.0), (120.0, 120.0), (121.0, 120.0)]
)
@pytest.mark.parametrize("retries", [0, 9])
def test_what_the_platform_asks_for_is_the_pause_up_to_a_limit(
    retries: int, asked: float, pause: float
) -> None:
    assert Pacing().pause_before_retry(retries, asked) == pause


def test_the_pacing_of_a_run_holds_for_its_pauses() -> None:
    pacing = Pacing(retry_pause=2.0, longest_retry_pause=5.0, longest_retry_after=7.0)
    assert 1.0 <= pacing.pause_before_retry(0, None) <= 2.0
    assert 2.5 <= pacing.pause_before_retry(9, None) <= 5.0
    assert pacing.pause_before_retry(0, 8.0) == 7.0


# How many requests at once


def succeed(limit: ConcurrencyLimit, times: int) -> None:
    """Note requests that were applied, each sent under the current limit."""
    for _each in range(times):
        limit.note_success(limit.current)


def test_without_a_refusal_the_limit_stays_as_given() -> None:
    limit = ConcurrencyLimit(8)
    succeed(limit, 1000)
    assert (limit.current, limit.lowest, limit.refusals) == (8, 8, 0)


def test_a_refusal_lowers_the_limit_to_one() -> None:
    limit = ConcurrencyLimit(8)
    limit.note_refusal(limit.current)
    assert (limit.current, limit.lowest, limit.refusals) == (1, 1, 1)


def test_successes_raise_the_limit_by_one_and_never_above_what_was_given() -> None:
    limit = ConcurrencyLimit(3)
    limit.note_refusal(limit.current)
    seen = []
    for _each in range(200):
        limit.note_success(limit.current)
        seen.append(limit.current)
    assert seen == [1] * 39 + [2] * 40 + [3] * 121
    assert limit.lowest == 1


def test_after_each_refusal_a_rise_takes_twice_as_many_successes() -> None:
    limit = ConcurrencyLimit(2)
    for refusals, needed in ((1, 40), (2, 80), (3, 160)):
        limit.note_refusal(limit.current)
        assert (limit.current, limit.refusals) == (1, refusals)
        succeed(limit, needed - 1)
        assert limit.current == 1
        succeed(limit, 1)
        assert limit.current == 2


def test_requests_that_are_refused_together_count_once() -> None:
    limit = ConcurrencyLimit(8)
    for _each in range(8):
        limit.note_refusal(8)
    assert (limit.current, limit.refusals) == (1, 8)
    succeed(limit, 39)
    assert limit.current == 1
    succeed(limit, 1)
    assert limit.current == 2


def test_a_refusal_between_successes_starts_the_count_anew() -> None:
    limit = ConcurrencyLimit(2)
    limit.note_refusal(limit.current)
    succeed(limit, 39)
    limit.note_refusal(limit.current)
    succeed(limit, 79)
    assert limit.current == 1
    succeed(limit, 1)
    assert limit.current == 2


def test_a_refusal_after_a_rise_returns_to_the_last_limit_that_worked() -> None:
    limit = ConcurrencyLimit(8)
    limit.note_refusal(limit.current)
    succeed(limit, 40 + 40 + 40)
    assert limit.current == 4
    limit.note_refusal(limit.current)
    assert (limit.current, limit.lowest) == (3, 1)
    # It was refused at the limit that had worked: nothing but one at a time is known to work.
    limit.note_refusal(limit.current)
    assert limit.current == 1


def test_the_lowest_limit_is_that_of_the_whole_run() -> None:
    limit = ConcurrencyLimit(8)
    assert limit.lowest == 8
    limit.note_refusal(limit.current)
    succeed(limit, 200)
    assert limit.current > limit.lowest == 1


@pytest.mark.parametrize("sent_under", [1, 3, 8])
def test_a_success_under_another_limit_says_nothing(sent_under: int) -> None:
    limit = ConcurrencyLimit(8)
    limit.note_refusal(limit.current)
    succeed(limit, 40)
    assert limit.current == 2
    for _each in range(1000):
        limit.note_success(sent_under)
    assert limit.current == 2
    # And does not count for the next rise.
    succeed(limit, 39)
    assert limit.current == 2
    succeed(limit, 1)
    assert limit.current == 3


# What comes next


def test_new_items_come_in_their_order() -> None:
    schedule = Schedule("abc")
    now = in_seconds(0)
    assert len(schedule) == 3
    assert [schedule.next_ready(now) for _each in range(4)] == ["a", "b", "c", None]
    assert len(schedule) == 0


def test_a_deferred_item_comes_when_it_is_due_and_before_new_ones() -> None:
    schedule = Schedule("ab")
    assert schedule.next_ready(in_seconds(0)) == "a"
    schedule.defer("a", LONG)
    assert len(schedule) == 2
    assert schedule.next_ready(in_seconds(0)) == "b"
    assert schedule.next_ready(in_seconds(0)) is None
    assert schedule.next_ready(in_seconds(LONG)) == "a"
    assert len(schedule) == 0
    schedule = Schedule("ab")
    schedule.defer("c", 0.0)
    assert [schedule.next_ready(in_seconds(0)) for _each in range(3)] == ["c", "a", "b"]


def test_deferred_items_come_in_the_order_in_which_they_are_due() -> None:
    schedule: Schedule[str] = Schedule(())
    schedule.defer("late", 2 * LONG)
    schedule.defer("early", LONG)
    assert schedule.next_ready(in_seconds(1.5 * LONG)) == "early"
    assert schedule.next_ready(in_seconds(1.5 * LONG)) is None
    assert schedule.next_ready(in_seconds(2 * LONG)) == "late"


def test_items_that_are_due_at_once_come_in_the_order_in_which_they_were_deferred() -> None:
    schedule: Schedule[object] = Schedule(())
    items = [object() for _each in range(9)]  # which cannot be compared
    for item in items:
        schedule.defer(item, math.inf)
    assert [schedule.next_ready(math.inf) for _each in items] == items


def test_a_pause_holds_for_all_items() -> None:
    schedule = Schedule("a")
    schedule.defer("b", 0.0)
    schedule.pause(LONG)
    assert schedule.next_ready(in_seconds(0)) is None
    assert [schedule.next_ready(in_seconds(LONG)) for _each in range(2)] == ["b", "a"]


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    schedule = Schedule("a")
    schedule.pause(2 * LONG)
    schedule.pause(LONG)
    assert schedule.next_ready(in_seconds(1.5 * LONG)) is None
    assert schedule.next_ready(in_seconds(2 * LONG)) == "a"


def until_ready(schedule: Schedule[str]) -> float:
    """Return the seconds until the next item is ready; there must be one."""
    seconds = schedule.seconds_until_ready()
    assert seconds is not None
    return seconds


def test_how_long_it_takes_until_an_item_is_ready() -> None:
    schedule = Schedule("a")
    # Never zero: whoever waits for so long must give other threads a chance.
    assert 0 < until_ready(schedule) < 0.01
    schedule.defer("b", 3 * LONG)
    assert 0 < until_ready(schedule) < 0.01
    schedule.pause(LONG)
    assert 0.9 * LONG < until_ready(schedule) <= LONG
    assert schedule.next_ready(in_seconds(LONG)) == "a"
    assert 2.9 * LONG < until_ready(schedule) <= 3 * LONG
    schedule.pause(4 * LONG)
    assert 3.9 * LONG < until_ready(schedule) <= 4 * LONG


def test_where_there_is_no_item_nothing_will_be_ready() -> None:
    schedule: Schedule[str] = Schedule(())
    schedule.pause(LONG)
    assert schedule.seconds_until_ready() is None
    schedule.end_wait()
    assert schedule.next_ready(in_seconds(2 * LONG)) is None


def test_the_end_of_a_wait_makes_the_first_item_ready_and_no_other() -> None:
    schedule: Schedule[str] = Schedule(())
    schedule.defer("second", 2 * LONG)
    schedule.defer("first", LONG)
    schedule.pause(LONG)
    schedule.end_wait()
    assert schedule.next_ready(0.0) == "first"
    assert schedule.next_ready(in_seconds(0)) is None
    assert len(schedule) == 1


def test_the_end_of_a_wait_ends_a_pause_for_new_items() -> None:
    schedule = Schedule("a")
    schedule.pause(LONG)
    schedule.end_wait()
    assert schedule.next_ready(0.0) == "a"


def test_what_is_dropped_is_returned_if_it_was_deferred() -> None:
    schedule = Schedule("xyz")
    for item, seconds in (("d", 4.0), ("a", 1.0), ("c", 3.0), ("b", 2.0), ("e", 5.0)):
        schedule.defer(item, LONG * seconds)
    assert schedule.clear() == ["a", "b", "c", "d", "e"]
    assert (len(schedule), schedule.clear()) == (0, [])
    assert schedule.next_ready(in_seconds(9 * LONG)) is None
