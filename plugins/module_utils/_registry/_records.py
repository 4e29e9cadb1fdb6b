# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the registry knows of a DID."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

CONFIRMED = "confirmed"
"""The platform confirmed the last request; the known values are those that it was sent."""
UNKNOWN = "unknown"
"""A create was begun and no usable answer is known: the DID may or may not exist on the platform."""
UNCERTAIN = "uncertain"
"""The record exists; whether the last edit was applied is not known."""
UNDER_WAY = "under_way"
"""A run holds the record and may still be at work on it. Only shown, never stored."""


class Claim(t.NamedTuple):
    """One run's hold on a record for one attempt. C(seconds_left) is by the registry's clock; at 0 the claim is over."""

    token: str
    action: str
    holder: str
    seconds_left: float

    @property
    def live(self) -> bool:
        """Tell whether the run that holds the claim may still be at work."""
        return self.seconds_left > 0


class Record(t.NamedTuple):
    """What is known of one DID on one platform.

    C(numbers): identities (digits alone) that lead here; two while a renumbering is under way or uncertain, none for a record
    known by its id alone. C(fields): wire values last confirmed, fingerprints for secrets. C(attempted): those which requests
    of unknown outcome have sent since. C(version) rises with every write.
    """

    key: str
    version: int
    record_id: int | None
    outcome: str
    numbers: tuple[str, ...]
    fields: Mapping[str, t.Any]
    attempted: Mapping[str, t.Any]
    confirmed_at: str | None
    claim: Claim | None

    @property
    def number(self) -> str | None:
        """Return the number as it was last written, or None for a record known by its id alone."""
        declared = self.fields.get("did_number") or self.attempted.get("did_number")
        return declared or (self.numbers[0] if self.numbers else None)

    @property
    def attempt(self) -> str | None:
        """Return which create this record stands for, once that has ended and it is not known to exist; else None.

        Each create makes its own record. While it is under way nobody is told which one it is: what a person sees of the platform then
        may be otherwise when it ends, so nothing can be said of it before somebody has looked again.
        """
        return self.key if self.outcome == UNKNOWN and not self.is_held else None

    @property
    def is_held(self) -> bool:
        """Tell whether a run may still be at work on it."""
        return self.claim is not None and self.claim.live

    @property
    def shown_outcome(self) -> str:
        """Return the outcome as people see it: nothing is settled about a record that a run still holds."""
        return UNDER_WAY if self.is_held else self.outcome


Found = tuple[t.Optional[Record], t.Optional[Record]]
"""What a look-up leads to: the record of the number, and the one that bears the record id."""
