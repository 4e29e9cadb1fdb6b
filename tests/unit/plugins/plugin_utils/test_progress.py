# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run says how far it is, and in which words."""

from __future__ import annotations

import pytest

from ansible_collections.nextbilling.did.plugins.plugin_utils._progress import (
    ProgressLines,
    duration,
    progress_text,
    totals_text,
)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(lines: ProgressLines, clock: Clock, seconds: list[float]) -> list[float]:
    """Return at which of these seconds a line was due."""
    due = []
    for second in seconds:
        clock.now = 1000.0 + second
        if lines.next_line(1, 1000, 0) is not None:
            due.append(second)
    return due


def test_the_first_line_comes_after_5_seconds_and_others_every_10() -> None:
    clock = Clock()
    seconds = [step / 10 for step in range(400)]
    assert said(ProgressLines(clock=clock), clock, seconds) == [5.0, 15.0, 25.0, 35.0]


def test_a_late_line_moves_the_next_one() -> None:
    clock = Clock()
    lines = ProgressLines(clock=clock)
    assert said(lines, clock, [0, 4.9, 70, 75, 79.9, 80, 81]) == [70, 80]


def test_intervals_are_a_choice() -> None:
    clock = Clock()
    lines = ProgressLines(clock=clock, first=1, interval=2)
    assert said(lines, clock, [0, 0.5, 1, 2, 3, 4, 5]) == [1, 3, 5]


def test_the_rate_is_that_since_the_first_request() -> None:
    clock = Clock()
    lines = ProgressLines(clock=clock)
    clock.now += 4  # for the list to be read
    assert lines.next_line(0, 100, 0) is None
    clock.now += 10
    assert lines.next_line(20, 100, 0) == "20 of 100 DIDs, 2.0/s, 40 s left"


def test_a_run_that_is_done_says_nothing_of_its_progress() -> None:
    clock = Clock()
    lines = ProgressLines(clock=clock)
    clock.now += 60
    assert lines.next_line(7, 7, 1) is None


def test_without_counts_a_line_has_no_digit() -> None:
    clock = Clock()
    lines = ProgressLines(counts=False, clock=clock)
    clock.now += 60
    line = lines.next_line(20, 100, 3)
    assert line and not any(character.isdigit() for character in line)


@pytest.mark.parametrize(
    ("done", "total", "failed", "seconds", "text"),
    [
        (1200, 10000, 2, 29.925, "1,200 of 10,000 DIDs, 40.1/s, 3 min 39 s left, 2 failed"),
        (0, 10, 0, 8.0, "0 of 10 DIDs"),
        (0, 10, 0, 0.0, "0 of 10 DIDs"),
        (3, 10, 3, 0.0, "3 of 10 DIDs, 3 failed"),
        (1, 3, 0, 16.0, "1 of 3 DIDs, 0.062/s, 32 s left"),
        (1, 2001, 1200, 9.0, "1 of 2,001 DIDs, 0.11/s, 5 h 0 min left, 1,200 failed"),
        (50000, 100000, 0, 10.0, "50,000 of 100,000 DIDs, 5,000.0/s, 10 s left"),
    ],
)
def test_a_line_says_how_far_a_run_is(
    done: int, total: int, failed: int, seconds: float, text: str
) -> None:
    assert progress_text(done, total, failed, seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (220, "3 min 40 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (3_600_000, "1,000 h 0 min"),
    ],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


SUMMARY = {
    "total": 1500,
    "create": 3,
    "update": 2,
    "adopt": 0,
    "none": 1494,
    "failed": 0,
    "unknown": 1,
    "unrecorded": 0,
    "not_attempted": 0,
    "unlisted": 12,
}
COUNTS = "3 create, 2 update, 1 unknown, 1,494 unchanged, 12 unlisted"


@pytest.mark.parametrize(
    ("summary", "remarks", "text"),
    [
        (SUMMARY, [], COUNTS),
        (SUMMARY, ["check mode"], f"{COUNTS} (check mode)"),
        (SUMMARY, ["check mode", "a reason"], f"{COUNTS} (check mode; a reason)"),
        ({"total": 10000, "create": 9997, "failed": 3}, [], "9,997 create, 3 failed"),
        ({"total": 0, "create": 0}, [], "none"),
        (None, [], "ended (no_log hides the counts)"),
        (None, ["check mode"], "ended (no_log hides the counts; check mode)"),
    ],
)
def test_the_totals_are_in_the_words_of_the_review(
    summary: dict[str, int] | None, remarks: list[str], text: str
) -> None:
    assert totals_text(summary, remarks) == text
