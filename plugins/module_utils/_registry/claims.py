# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Waiting for other runs that hold DIDs: one way for those who send, and for those who correct the registry."""

from __future__ import annotations

import math
import time
import typing as t

from .._model import Wanted

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from .._model import Claim, Found
    from .registry import Registry

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


def find_unclaimed(
    registry: Registry,
    platform: str,
    wanted: Sequence[Wanted],
    *,
    until: float,
    sleep: Callable[[float], None],
) -> list[Found | Claim]:
    """Return for each DID what the registry knows once no live claim is on it, or the claim of a run that still holds it.

    :param until: the time by the monotonic clock, in seconds, at which to give up.
    """
    pause = FIRST_PAUSE
    looked_up = registry.find_many(platform, [(did.number, did.record_id) for did in wanted])
    found: list[Found | Claim] = [*looked_up]
    claimed = {place: claim for place, each in enumerate(looked_up) if (claim := live_claim(each))}
    while claimed:
        left = until - time.monotonic()
        if left <= 0:
            for place, claim in claimed.items():
                found[place] = claim
            break
        sleep(pause_before_look(claimed.values(), pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)
        again = [(wanted[place].number, wanted[place].record_id) for place in claimed]
        for place, each in zip(list(claimed), registry.find_many(platform, again)):
            found[place] = each
            claim = live_claim(each)
            if claim is None:
                del claimed[place]
            else:
                claimed[place] = claim
    return found


def live_claim(found: Found) -> Claim | None:
    """Return the claim of a run that may still be at work on what was found, or None."""
    for record in found:
        if record is not None and record.claim is not None and record.claim.live:
            return record.claim
    return None


def end_of(claim: Claim) -> str:
    """Return when a claim ends at the latest, in UTC, ISO 8601: its run may end sooner, a dead one's claim ends then.

    What counts is how long it lasts by the registry's clock. No second too early, so that whoever comes then does not meet it.
    """
    return time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(time.time() + claim.seconds_left))
    )


def pause_before_look(claims: t.Iterable[Claim], pause: float, left: float) -> float:
    """Return for how many seconds to wait before the next look at claims."""
    return max(0.01, min(pause, left, *(claim.seconds_left for claim in claims)))
