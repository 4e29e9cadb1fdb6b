# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tells without a look at the registry whether the lease of a claim still holds: only for a claim that is a moment old."""

from __future__ import annotations

import time
import typing as t

# A claim is young for so many seconds. Its request usually begins within a few milliseconds.
_YOUNG = 1.0

Clocks = tuple[float, float]


def read_clocks() -> Clocks | None:
    """Return the seconds by two clocks: one that also counts while the host is suspended, and the time of day.

    A virtual machine that was paused may notice that by neither clock at first; the time of day is set right later. None where a system
    has no clock of the first kind: C(time.monotonic) stands still on a suspended Linux.
    """
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else (time.clock_gettime(clock), time.time())


class Lease(t.NamedTuple):
    """The lease of a claim, in seconds, the clocks before it was written, and how often the database had connected."""

    seconds: float
    clocks: Clocks | None
    connections: int

    def surely_holds(self, needed: float, now: Clocks | None) -> bool:
        """Tell whether the lease is sure to hold for so many seconds, as it was written a moment ago. C(now): the clocks, None if they cannot tell."""
        if self.clocks is None or now is None:
            return False
        age = max(after - before for before, after in zip(self.clocks, now))
        return age <= _YOUNG and self.seconds - age >= needed
