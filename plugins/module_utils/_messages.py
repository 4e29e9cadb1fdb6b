# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a person is told of a DID that could not be brought to its desired state: what happened, what was done, what comes next."""

from __future__ import annotations

import typing as t

from . import _errors
from ._errors import Conflict, DidError, PlanChanged, RegistryBusy, Unrecorded
from ._model import CREATE
from ._platform import outcome as _outcome
from ._snippets import RECORD_ID, Target, render_play

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    from ._model import Claim, Desired, Plan, Record, Wanted
    from ._platform.outcome import Outcome

_ERRORS: dict[str, type[DidError]] = {
    kind.kind: kind
    for kind in (_errors.Unreachable, _errors.Refused, _errors.Throttled, _errors.UnknownOutcome)
}
_VERBS = {
    "unreachable": "was not sent",
    "refused": "was refused",
    "throttled": "was refused",
    "unknown_outcome": "has an unknown outcome",
}


def failure(plan: Plan, outcome: Outcome, attempt: str, target: Target) -> DidError:
    """Return the error for an attempt that was not applied, or whose outcome is unknown."""
    desired = plan.desired
    reason = f": {outcome.reason}" if outcome.reason and outcome.kind != "unknown_outcome" else ""
    named = f"HTTP {outcome.http_status}"
    status = "" if outcome.http_status is None or named in outcome.message else f" ({named})"
    what = (
        "the create (PUT)"
        if plan.action == CREATE
        else f"the edit (POST) of record {plan.record_id}"
    )
    error = _ERRORS[outcome.kind](
        f"{desired.label}: {what} {_VERBS[outcome.kind]}: {outcome.message}{status}{reason}",
        did_number=desired.did_number,
        record_id=plan.record_id if outcome.record_id is None else outcome.record_id,
        http_status=outcome.http_status,
        reason=outcome.reason,
    )
    if outcome.state == _outcome.NOT_APPLIED:
        when = "later" if outcome.kind == "throttled" else "when it is corrected"
        error.message += (
            f". Nothing was applied and nothing stays open in the registry: run again {when}"
        )
        return error
    if plan.action == CREATE:
        if outcome.record_id is not None:
            error.message += f". The answer names record {outcome.record_id}"
        error.attempt = attempt
        return with_ways_on(error, desired, target)
    error.message += ". It may or may not have been applied. Run again: an edit may be repeated, and the registry knows that it has to be"
    return error


def with_ways_on(error: DidError, desired: Desired, target: Target) -> DidError:
    """Complete the message of a create of unknown outcome with both ways on, as plays."""
    number = str(desired.did_number)
    error.message += (
        f". {number} may or may not exist on the platform, and is not created again until that is known. Look it up there, run one of"
        " these two plays once, and run again. (If it exists, adding its record_id to this task does the same.)"
        f"\n{ways_on([(number, str(error.attempt))], target)}"
    )
    return error


def ways_on(creates: Sequence[tuple[str, str]], target: Target) -> str:
    """Return the two plays of which one settles creates of unknown outcome.

    :param creates: the number and the attempt of each.
    """
    one = len(creates) == 1
    named = f"DID {creates[0][0]} exists" if one else "The DIDs that exist"
    settled = render_play(
        f"{named} on the platform, under the record id that stands here in place of {RECORD_ID}",
        "did_registry",
        {
            "state": "recorded",
            "dids": [
                {"did_number": number, "record_id": RECORD_ID} for number, _attempt in creates
            ],
            **target.options(),
        },
    )
    return f"{settled}\n{undone(creates, target)}"


def undone(creates: Sequence[tuple[str, str]], target: Target) -> str:
    """Return the play that says of creates that they were not applied."""
    one = len(creates) == 1
    named = f"DID {creates[0][0]} does" if one else "The DIDs that do"
    return render_play(
        f"{named} not exist on the platform",
        "did_registry",
        {
            "state": "forgotten",
            "dids": [{"did_number": number, "attempt": attempt} for number, attempt in creates],
            **target.options(),
        },
    )


def unrecorded(plan: Plan, record_id: int, error: DidError, target: Target) -> Unrecorded:
    """Return the error for an answer that could not be recorded. Its id is told: the platform never tells it again."""
    number = plan.desired.did_number
    if plan.action == CREATE:
        done = "created it as"
        next_step = (
            f". Keep the id {record_id}, which the platform never tells again. The DID stays open in the registry, and no run creates it"
            " again. Once the registry works again, run this, and run again:"
            f"\n{recording([(str(number), record_id)], target)}"
        )
    else:
        done = "applied the edit to"
        next_step = (
            ". Run again once the registry works again: the edit is then repeated, and recorded"
        )
    told = Unrecorded(
        f"{plan.desired.label}: the platform {done} record {record_id}, but that could not be recorded: {error.message}{next_step}",
        did_number=number,
        record_id=record_id,
    )
    told.is_create = plan.action == CREATE
    return told


def recording(created: Sequence[tuple[str, int]], target: Target) -> str:
    """Return the play that records what was created and could not be recorded: numbers and record ids."""
    return render_play(
        "Record what the platform has created",
        "did_registry",
        {
            "state": "recorded",
            "dids": [
                {"did_number": number, "record_id": record_id} for number, record_id in created
            ],
            **target.options(),
        },
    )


def unsettled(plan: Plan, outcome: Outcome, error: DidError, left: str) -> DidError:
    """Return the error for a request that was certainly not applied, where that could not be recorded. C(left): as C(still_open)."""
    return type(error)(
        f"{plan.desired.label}: not applied ({outcome.message}), but that could not be recorded: {error.message}{left}",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def unclaimed(plan: Plan, error: DidError) -> DidError:
    """Return the error for an intent that could not be recorded, so that nothing was sent under it."""
    return type(error)(
        f"{plan.desired.label}: not applied, as nothing may be sent that cannot be recorded first: {error.message}",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def unsent(plan: Plan, error: DidError, left: str = "") -> DidError:
    """Return the error for a request that could not be sent. C(left): as C(still_open), if the registry may still hold its intent."""
    return type(error)(
        f"{plan.desired.label}: not applied, as it could not be sent: {error.message}{left}",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def still_open(plan: Plan, attempt: str, target: Target) -> str:
    """Return what to do about an intent that the registry may still hold, though it is certain that nothing came of it."""
    if plan.action != CREATE:
        return ""  # an edit is just sent by the next run
    return (
        ". The registry may still hold the intent, and the next run then calls its outcome unknown. Nothing came of this attempt: when its"
        " claim has ended (until then did_info shows it as under_way), run this play, and run again"
        f"\n{undone([(str(plan.desired.did_number), attempt)], target)}"
    )


def unrepeated(error: DidError, why: str) -> DidError:
    """Complete the error for an edit of unknown outcome with what kept it from being sent again."""
    error.message += f". This run could not send it again: {why}"
    return error


def astray(plan: Plan, record_id: int, other: Record) -> DidError:
    """Return the error for an answer that does not fit what the registry holds by now."""
    if other.record_id == record_id:
        called = "known without a number" if other.number is None else f"DID {other.number}"
        held = f"in the registry record {record_id} is {called}"
    else:
        held = f"the registry holds it by now as record {other.record_id or 'not known'}"
    told = Conflict(
        f"{plan.desired.label}: the platform answered with record {record_id}, and {held}. The answer is kept in the registry's history."
        " Look both up on the platform, then run this task with the record_id that is right",
        did_number=plan.desired.did_number,
        record_id=record_id,
    )
    told.changed = True
    return told


def departed(planned: Plan, plan: Plan) -> DidError:
    """Return the error for a DID for which something else than planned would have to be done now."""
    return PlanChanged(
        f"{plan.desired.label}: planned was {_named(planned)}, and another run has changed the registry since: it would be"
        f" {_named(plan)} now. Nothing more was sent for it. Review the new plan, and apply that",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def _named(plan: Plan) -> str:
    return plan.action if plan.record_id is None else f"{plan.action} of record {plan.record_id}"


def busy(wanted: Wanted, claim: Claim) -> RegistryBusy:
    """Return the error for a DID that another run holds for longer than this one may wait."""
    return RegistryBusy(
        f"{wanted.label}: another run ({claim.holder}) holds it for its own {claim.action}, for {claim.seconds_left:.0f} more seconds at the"
        " most. It was waited for (registry_timeout). Nothing was written and nothing was sent. Run again when that run has ended",
        did_number=wanted.number,
        record_id=wanted.record_id,
    )
