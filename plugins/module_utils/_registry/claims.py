# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Waits for the claims of other runs.

A claim ends when its run records what became of the request (C(Journal.confirm), C(rollback), C(mark_unknown)), and at the latest when its
lease is over (C(Claim.seconds_left)).
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Sequence

from .._model import Claim, LookupKey, LookupResult, live_claim
from .registry import Registry

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


def wait_for_claims(
    registry: Registry,
    platform: str,
    wanted: Sequence[LookupKey],
    *,
    until: float,
    sleep: Callable[[float], None],
) -> list[LookupResult | Claim]:
    """Return for each DID what the registry knows once no live claim is on it, or the claim that is still live at the end.

    :param until: the time by the monotonic clock, in seconds, at which to stop waiting.
    """
    pause = FIRST_PAUSE
    looked_up = registry.find_many(platform, [(did.number, did.record_id) for did in wanted])
    found: list[LookupResult | Claim] = [*looked_up]
    claimed = {index: claim for index, each in enumerate(looked_up) if (claim := live_claim(each))}
    while claimed:
        left = until - time.monotonic()
        if left <= 0:
            for index, claim in claimed.items():
                found[index] = claim
            break
        sleep(poll_delay(claimed.values(), pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)
        again = [(wanted[index].number, wanted[index].record_id) for index in claimed]
        for index, each in zip(list(claimed), registry.find_many(platform, again)):
            found[index] = each
            claim = live_claim(each)
            if claim is None:
                del claimed[index]
            else:
                claimed[index] = claim
    return found


def poll_delay(claims: t.Iterable[Claim], pause: float, left: float) -> float:
    """Return the seconds to wait before claims are read again."""
    return max(0.01, min(pause, left, *(claim.seconds_left for claim in claims)))
