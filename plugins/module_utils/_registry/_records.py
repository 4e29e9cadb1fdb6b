# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the registry knows, and the door through which the rest of the collection reads and writes it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    import contextlib
    from collections.abc import Collection, Mapping, Sequence

CONFIRMED = "confirmed"
"""The platform confirmed the last request; the known values are those that it was sent."""
UNKNOWN = "unknown"
"""A create was begun and no usable answer is known: the DID may or may not exist on the platform."""
UNCERTAIN = "uncertain"
"""The record exists; whether the last edit was applied is not known."""


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


class Intent(t.NamedTuple):
    """A request about to be sent, written down before it leaves.

    C(known): the record as planned with, None for one that is new to the registry. C(number): the identity which it will
    bear. C(sending): wire values of the body, fingerprints for secrets. C(lease): seconds after which the claim ends.
    """

    action: str
    known: Record | None
    number: str | None
    record_id: int | None
    sending: Mapping[str, t.Any]
    lease: float


class Holding(t.NamedTuple):
    """What a person says that the platform holds: identity, record id and wire values (fingerprints for secrets)."""

    number: str | None
    record_id: int
    fields: Mapping[str, t.Any]


class Revision(t.NamedTuple):
    """A person's correction of one record, with the line of history that it leaves.

    C(known): the record as looked at, None for one that is new. C(holding): what it becomes, None to forget it.
    """

    event: str
    known: Record | None
    holding: Holding | None

    @property
    def number(self) -> str | None:
        """Return the identity that it speaks of, or None."""
        if self.holding is not None and self.holding.number is not None:
            return self.holding.number
        return self.known.numbers[0] if self.known is not None and self.known.numbers else None


class HistoryEntry(t.NamedTuple):
    """A line of history: who did what to which DID, and what was before. C(actor): user@host. C(at): UTC, ISO 8601."""

    at: str
    actor: str
    event: str
    platform: str
    number: str | None
    record_id: int | None
    details: Mapping[str, t.Any]


class Summary(t.NamedTuple):
    """What a registry holds as a whole. C(counts): records by outcome. C(changed_at): its last change, None if never."""

    schema: int
    platforms: Sequence[str]
    counts: Mapping[str, int]
    changed_at: str | None


class LateAnswer(Exception):
    """The answer to an intent does not fit what the registry holds by now: C(record). It is in the history."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record


Found = tuple[t.Optional[Record], t.Optional[Record]]
"""What a look-up leads to: the record of the number, and the one that bears the record id."""


class Registry(t.Protocol):
    """The last known state of the DIDs of several platforms. All methods raise C(RegistryUnavailable) when it fails.

    What is written is durable when the method returns.
    """

    registry_id: str
    location: str
    moved_to: str | None
    """Where it was moved, None for a registry in use."""

    def platforms(self) -> Collection[str]:
        """Return the names of the platforms that this registry knows."""

    def find(self, platform: str, number: str | None, record_id: int | None) -> Found:
        """Return the record that the identity leads to, and the one that bears the record id."""

    def find_many(
        self, platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> Sequence[Found]:
        """Return what C(find) does for many identities and record ids, as they are at one moment."""

    def size(self, platform: str) -> int:
        """Return how many records of a platform there are."""

    def numberless(self, platform: str) -> Sequence[int]:
        """Return the ids of the records which are known by their id alone."""

    def verify(self) -> None:
        """Read the whole registry and raise C(RegistryUnavailable) if it is damaged: a lost row would look like a new DID."""

    def ready_to_write(self) -> None:
        """Raise C(RegistryUnavailable) if a write would fail, without writing."""

    def hurry(self) -> None:
        """Prepare for many writes by this run."""

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Make the writes inside the block one: all of them are durable when it ends, and not before, or none is.

        C(LateAnswer), and a C(claim) that is not granted, may be dealt with inside it; every other failure must leave it.
        """

    def claim(self, platform: str, intent: Intent) -> str | None:
        """Record an intent and take its claim. Returns its token, or None where the record is no longer as planned with."""

    def holds(self, token: str, seconds: float) -> bool:
        """Tell whether the claim is still this run's and has at least so many seconds left."""

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        """Record that the request was applied, and end the claim. Raises C(LateAnswer) if the record went another way."""

    def withdraw(self, token: str) -> None:
        """Record that the request was certainly not applied: the record is again as before the claim."""

    def leave(self, token: str) -> None:
        """End the claim of a request whose outcome is not known; the record stays unknown or uncertain."""

    def revise(self, platform: str, revisions: Sequence[Revision]) -> bool:
        """Apply all corrections or none. Returns False where a record is no longer as looked at, or is claimed."""

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> Sequence[tuple[str, Record]]:
        """Return the records that match all that is given, each with its platform's name, in the order of their numbers."""

    def history(self, platform: str | None) -> Sequence[HistoryEntry]:
        """Return the lines of history of one platform, or of all, oldest first."""

    def summary(self) -> Summary:
        """Return what the registry holds as a whole."""

    def close(self) -> None:
        """Let go of the registry."""
