# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a claim is so young that its lease needs no look at the registry."""

from __future__ import annotations

import time

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.leases import (
    Lease,
    read_clocks,
)

BEGAN = (1000.0, 5000.0)


@pytest.mark.parametrize(
    ("now", "seconds", "needed", "holds"),
    [
        ((1000.0, 5000.0), 90.0, 60.0, True),
        ((1000.9, 5000.9), 90.0, 60.0, True),
        # The host was held up, or suspended.
        ((1001.1, 5001.1), 90.0, 60.0, False),
        # A virtual machine was paused, and its time of day is right again.
        ((1000.1, 5600.0), 90.0, 60.0, False),
        # Somebody has set the time of day back.
        ((1000.1, 1400.0), 90.0, 60.0, True),
        ((1001.1, 1400.0), 90.0, 60.0, False),
        # The lease is too short for the request.
        ((1000.5, 5000.5), 60.4, 60.0, False),
        ((1000.0, 5000.0), 0.0, 0.1, False),
    ],
)
def test_a_lease_surely_holds_while_it_is_young_and_long_enough(
    now: tuple[float, float], seconds: float, needed: float, holds: bool
) -> None:
    assert Lease(seconds, BEGAN, 1).surely_holds(needed, now) is holds


def test_the_clocks_of_this_host() -> None:
    assert Lease(90.0, read_clocks(), 1).surely_holds(60.0, read_clocks())


def test_a_host_without_a_clock_that_counts_while_it_is_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert read_clocks() is None
    assert not Lease(90.0, None, 1).surely_holds(60.0, None)
