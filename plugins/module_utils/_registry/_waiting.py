# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Waiting for another run that holds a DID: one way for those who send, and for those who correct the registry."""

from __future__ import annotations

import time
import typing as t

from .._errors import RegistryBusy

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    from ._records import Record, Registry

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


def find_unclaimed(
    registry: Registry,
    platform: str,
    number: str | None,
    record_id: int | None,
    *,
    label: str,
    until: float,
    sleep: Callable[[float], None],
) -> tuple[Record | None, Record | None]:
    """Return what C(Registry.find) does, once no live claim is on either record.

    :param label: how messages call the DID.
    :param until: the time by the monotonic clock, in seconds, at which to give up.
    :raises RegistryBusy: a run holds it still.
    """
    pause = _FIRST_PAUSE
    while True:
        found = registry.find(platform, number, record_id)
        claims = [
            record.claim for record in found if record is not None and record.claim is not None
        ]
        live = next((claim for claim in claims if claim.live), None)
        if live is None:
            return found
        left = until - time.monotonic()
        if left <= 0:
            raise RegistryBusy(
                f"{label}: another run ({live.holder}) holds it for its own {live.action}, for {live.seconds_left:.0f} more seconds at the"
                " most. It was waited for (registry_timeout). Nothing was written and nothing was sent. Run again when that run has"
                " ended",
                did_number=number,
                record_id=record_id,
            )
        sleep(max(0.01, min(pause, live.seconds_left, left)))
        pause = min(pause * 2, _LONGEST_PAUSE)
