# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The values that the parts of the collection hand to each other. Pure data: nothing is read, written or sent here."""

from __future__ import annotations

import math
import time
import typing as t
from collections.abc import Mapping
from types import MappingProxyType

from ._errors import DidError
from ._fields import identity, mask_secrets

# The actions of a plan.
CREATE = "create"
UPDATE = "update"
ADOPT = "adopt"
NONE = "none"

CONFIRMED = "confirmed"
"""The platform confirmed the last request; the known values are those that it was sent."""
UNKNOWN = "unknown"
"""A create was begun and no usable answer is known: the DID may or may not exist on the platform."""
UNCERTAIN = "uncertain"
"""The record exists; whether the last edit was applied is not known."""
UNDER_WAY = "under_way"
"""A run holds the record and may still be at work on it. Only shown, never stored."""

# The fields by which people know a DID.
LABEL = ("customer_id", "description")

# The statements of people, and the events of history that they leave.
RECORDED = "recorded"
FORGOTTEN = "forgotten"
# The outcomes of records, as they are shown.
OUTCOMES = (CONFIRMED, UNKNOWN, UNCERTAIN, UNDER_WAY)

# The events of history that requests leave: one that was applied, and an answer that no longer fitted its record.
APPLIED_EVENT = "applied"
ANSWERED = "answered"


def timestamp(seconds: float | None = None) -> str:
    """Return a time, or else the current one, in UTC, ISO 8601 with seconds. C(seconds): since 1970."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# What the registry holds


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

    @property
    def ends_at(self) -> str:
        """Return when the lease is over, in UTC, ISO 8601: a claim whose run is dead ends at this time, another one may end sooner.

        The time is rounded up, so that a run that starts then does not meet the claim.
        """
        return timestamp(math.ceil(time.time() + self.seconds_left))


class Record(t.NamedTuple):
    """What is known of one DID on one platform.

    C(numbers): identities (digits alone) that lead here; two while a renumbering is under way or uncertain, none for a record
    known by its id alone. C(fields): wire values last confirmed, fingerprints for secrets. C(attempted): values that requests of
    unknown outcome have sent since. C(version) rises with every write.
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
    def did_number(self) -> str | None:
        """Return the number as it was last written, or None for a record known by its id alone."""
        declared = self.fields.get("did_number") or self.attempted.get("did_number")
        return declared or (self.numbers[0] if self.numbers else None)

    @property
    def attempt(self) -> str | None:
        """Return the create whose outcome is unknown, by the key of the record that it made; None for any other record.

        Each create makes its own record. While a create is under way its attempt is not shown: the platform may change until it
        ends, so nobody can state an outcome before looking at the platform again.
        """
        return self.key if self.outcome == UNKNOWN and not self.is_held else None

    @property
    def is_held(self) -> bool:
        """Tell whether a run may still be at work on it."""
        return self.claim is not None and self.claim.live

    @property
    def shown_outcome(self) -> str:
        """Return the outcome as people see it: it is under way while a run holds the record."""
        return UNDER_WAY if self.is_held else self.outcome


LookupResult = tuple[t.Optional[Record], t.Optional[Record]]
"""The result of a look-up: the record of the number, and the record that bears the record id."""


def live_claim(found: LookupResult) -> Claim | None:
    """Return the live claim on one of the records that were found, or None."""
    for record in found:
        if record is not None and record.claim is not None and record.claim.live:
            return record.claim
    return None


class ForgottenHistory(t.NamedTuple):
    """What people have forgotten of one identity, by the history: creates that were not applied, and record ids."""

    attempts: set[str]
    record_ids: set[int]


# What a task asks for


class LookupKey(t.Protocol):
    """A DID to look up: by its identity, by its record id, or by both."""

    @property
    def label(self) -> str:
        """Return how messages call it."""

    @property
    def number(self) -> str | None:
        """Return its identity."""

    @property
    def did_number(self) -> str | None:
        """Return its number as declared."""

    @property
    def record_id(self) -> int | None:
        """Return its record id."""


class Desired(t.NamedTuple):
    """One DID as a task declares it: wire forms by field name, secrets in the clear, and the record id if it was given."""

    values: Mapping[str, t.Any]
    record_id: int | None = None

    @property
    def did_number(self) -> str | None:
        """Return the number as declared, or None."""
        return self.values.get("did_number")

    @property
    def number(self) -> str | None:
        """Return the identity of the DID: the digits of its number."""
        return None if self.did_number is None else identity(self.did_number)

    @property
    def label(self) -> str:
        """Return how messages call this DID."""
        return (
            f"DID {self.did_number}" if self.did_number is not None else f"record {self.record_id}"
        )

    def __repr__(self) -> str:
        return f"Desired({self.label})"


class Policy(t.NamedTuple):
    """The options of a task that decide what is sent."""

    force: bool = False
    renumber: bool = False
    update_password: str = "on_change"


# What is planned, and what comes of it


class Change(t.NamedTuple):
    """A field's value before and after, in wire form; secrets as marks. Null before: not known."""

    before: t.Any
    after: t.Any


class Plan(t.NamedTuple):
    """What to do for one DID. C(payload): the request's body by field name, secrets in the clear; empty where nothing is sent.

    C(resends): whether fields are sent although they are as last applied.
    """

    action: str
    desired: Desired
    known: Record | None
    record_id: int | None
    payload: Mapping[str, t.Any]
    changes: Mapping[str, Change]
    notes: tuple[str, ...] = ()
    resends: bool = False

    @property
    def sends(self) -> bool:
        """Tell whether this plan is a request."""
        return self.action != NONE

    @property
    def did_number(self) -> str | None:
        """Return the number that will be known of the DID once the plan is applied, or None."""
        number: str | None = self.payload.get("did_number")
        if number is None and self.known is not None:
            is_certain = not (self.sends and "did_number" in self.known.attempted)
            number = self.known.fields.get("did_number") if is_certain else None
        return number

    @property
    def label(self) -> dict[str, t.Any]:
        """Return by what people know the DID: its customer and its description, as last known, or else as declared."""
        known = {} if self.known is None else self.known.fields
        return {
            name: known[name] if name in known else self.desired.values.get(name) for name in LABEL
        }

    def fields_after(self) -> dict[str, t.Any]:
        """Return what will be known of the DID once the plan is applied: wire forms, secrets as marks."""
        certain = dict(self.known.fields) if self.known is not None else {}
        if self.known is not None and self.sends:
            for name in self.known.attempted:
                certain.pop(name, None)
        return mask_secrets({**certain, **self.payload})

    def __repr__(self) -> str:
        return f"Plan({self.action}, {self.desired.label})"


class Job:
    """One DID of a run: what is wanted, what is planned, and what came of it. The only mutable value here.

    C(plan) is None where no plan can be made; C(error) then says why. C(record): what the registry holds in the end, None for a
    DID that was not attempted. C(similar_to): numbers that may be that of this create in another notation. C(is_postponed): its
    request is left to a later run. C(body): the plan's payload as it is to be sent; it is dropped once it is on its way.
    """

    __slots__ = ("body", "desired", "error", "is_postponed", "plan", "record", "similar_to")

    def __init__(self, desired: Desired) -> None:
        self.desired = desired
        self.plan: Plan | None = None
        self.record: Record | None = None
        self.error: DidError | None = None
        self.similar_to: tuple[str, ...] = ()
        self.is_postponed = False
        self.body = b""

    @property
    def sends(self) -> bool:
        """Tell whether this DID is brought to its state by a request."""
        return self.error is None and self.plan is not None and self.plan.sends

    @property
    def label(self) -> dict[str, t.Any]:
        """Return by what people know the DID, as C(Plan.label) has it. Without a plan, what is known is not looked up."""
        if self.plan is not None:
            return self.plan.label
        return {name: self.desired.values.get(name) for name in LABEL}


class RunResult(t.NamedTuple):
    """How a run over jobs ended; what became of each DID is in its job.

    C(stopped): why the run did not come to all of its DIDs, or None. C(moved_to): where the registry was moved meanwhile, or None.
    C(refusals): how many of several simultaneous requests the platform refused. C(least_concurrency): the lowest number of
    simultaneous requests that was then allowed. C(restored): how many outcomes the registry lost meanwhile, which were recorded again.
    C(run): the key of the run in the registry, None where nothing was to be sent.
    """

    stopped: str | None = None
    moved_to: str | None = None
    refusals: int = 0
    least_concurrency: int = 1
    restored: int = 0
    run: str | None = None


# What is written to the registry


class Intent(t.NamedTuple):
    """A request about to be sent, recorded before it is.

    C(known): the record that the plan was made with, None for a DID that is new to the registry. C(number): the identity that the
    record will bear. C(stored_payload): wire values of the body, fingerprints for secrets. C(lease): seconds after which the claim ends.
    C(changes): those of the plan. C(run): the key of the run that sends it.
    """

    action: str
    known: Record | None
    number: str | None
    record_id: int | None
    stored_payload: Mapping[str, t.Any]
    lease: float
    changes: Mapping[str, Change] = MappingProxyType({})
    run: str | None = None


class NewState(t.NamedTuple):
    """What a person says that the platform holds: identity, record id and wire values (fingerprints for secrets)."""

    number: str | None
    record_id: int
    fields: Mapping[str, t.Any]


class Correction(t.NamedTuple):
    """A person's correction of one record, with the line of history that it leaves.

    C(known): the record as looked at, None for one that is new. C(new_state): what it becomes, None to forget it. C(attempt): the create
    that the person says was not applied, kept in the history.
    """

    event: str
    known: Record | None
    new_state: NewState | None
    attempt: str | None = None

    @property
    def number(self) -> str | None:
        """Return the identity that it speaks of, or None."""
        if self.new_state is not None and self.new_state.number is not None:
            return self.new_state.number
        return self.known.numbers[0] if self.known is not None and self.known.numbers else None
