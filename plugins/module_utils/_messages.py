# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Error texts for people: what happened to a DID, what was done, what to do next."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from . import _errors
from ._errors import Conflict, DidError, PlanChanged, RegistryBusy, Unrecorded
from ._model import CREATE, UNKNOWN, Claim, Desired, LookupKey, Plan, Record
from ._platform.outcome import NOT_APPLIED, Outcome
from ._snippets import RECORD_ID, Target, render_command, render_play

# By the kind of an outcome.
_ERRORS: dict[str, tuple[type[DidError], str]] = {
    "unreachable": (_errors.Unreachable, "was not sent"),
    "refused": (_errors.Refused, "was refused"),
    "throttled": (_errors.Throttled, "was refused"),
    "unknown_outcome": (_errors.UnknownOutcome, "has an unknown outcome"),
}
_OPEN_DIDS = "open.csv"


# Plays and commands


def resolution(number: str, attempt: str, target: Target) -> str:
    """Return what resolves a create of unknown outcome: one of two plays."""
    recorded = _play(
        f"DID {number} exists on the platform (set record_id to its id)",
        "recorded",
        [{"did_number": number, "record_id": RECORD_ID}],
        target,
    )
    return (
        "Look it up there, run one of these two plays once, and run again. (If it exists, you can add its record_id to this task instead.)"
        f"\n{recorded}\n{forgetting_play(number, attempt, target)}"
    )


def forgetting_play(number: str, attempt: str, target: Target) -> str:
    """Return the play that states of a create that it was not applied."""
    dids = [{"did_number": number, "attempt": attempt}]
    return _play(f"DID {number} does not exist on the platform", "forgotten", dids, target)


def settling_commands(target: Target) -> str:
    """Return what resolves several creates of unknown outcome: the command that lists them, and the one that takes the list filled in."""
    export = render_command("export", {"dest": _OPEN_DIDS, "outcome": UNKNOWN, **target.options()})
    password = (
        "\nIf the registry needs a password, give it by PGPASSWORD or in ~/.pgpass."
        if target.registry.startswith("postgresql://")
        else ""
    )
    settle = render_command("settle", {"src": _OPEN_DIDS, **target.options()})
    return (
        f"Several DIDs are open. List them in the file {_OPEN_DIDS} by this command:\n{export}\n"
        "Look each one up on the platform. If it is there, write its id into the column record_id. If it is not there, write absent into"
        f" the column outcome. A row that is left as it is stays open. Then settle them, and run again:\n{settle}{password}"
    )


def recording_play(created: Sequence[tuple[str, int]], target: Target) -> str:
    """Return the play that records what was created and could not be recorded: numbers and record ids."""
    dids = [{"did_number": number, "record_id": record_id} for number, record_id in created]
    return _play("Record what the platform has created", "recorded", dids, target)


def _play(name: str, state: str, dids: Sequence[t.Mapping[str, t.Any]], target: Target) -> str:
    return render_play(name, "did_registry", {"state": state, "dids": dids, **target.options()})


# What the platform answered


def request_failed(plan: Plan, outcome: Outcome, attempt: str, target: Target) -> DidError:
    """Return the error for a request that was not applied, or whose outcome is unknown."""
    desired = plan.desired
    reason = f": {outcome.reason}" if outcome.reason and outcome.kind != "unknown_outcome" else ""
    named = f"HTTP {outcome.http_status}"
    status = "" if outcome.http_status is None or named in outcome.message else f" ({named})"
    what = (
        "the create (PUT)"
        if plan.action == CREATE
        else f"the edit (POST) of record {plan.record_id}"
    )
    error_type, verb = _ERRORS[outcome.kind]
    error = error_type(
        f"{desired.label}: {what} {verb}: {outcome.message}{status}{reason}",
        did_number=desired.did_number,
        record_id=plan.record_id if outcome.record_id is None else outcome.record_id,
        http_status=outcome.http_status,
        reason=outcome.reason,
    )
    if outcome.state == NOT_APPLIED:
        when = "later" if outcome.kind == "throttled" else "when it is corrected"
        error.message += f". Nothing was applied, and nothing stays open: run again {when}"
    elif plan.action == CREATE:
        if outcome.record_id is not None:
            error.message += f". The answer names record {outcome.record_id}"
        error.attempt = attempt
        add_resolution(error, desired, target)
    else:
        error.message += ". It may or may not have been applied. Run again: the registry knows that the edit must be repeated, which does no harm"
    return error


def add_resolution(error: DidError, desired: Desired, target: Target) -> DidError:
    """Add what resolves a create of unknown outcome to its error."""
    error.resolution = f". {resolution(str(desired.did_number), str(error.attempt), target)}"
    error.message += (
        ". It may or may not exist on the platform, and is not created again until that is known"
        + error.resolution
    )
    return error


def retry_failed(error: DidError, why: str) -> DidError:
    """Add to the error of an edit of unknown outcome what kept it from being sent again."""
    error.message += f". This run could not send it again: {why}"
    return error


def late_answer(plan: Plan, record_id: int, other: Record) -> DidError:
    """Return the error for an answer that contradicts what the registry holds by now."""
    if other.record_id == record_id:
        name = "known without a number" if other.did_number is None else f"DID {other.did_number}"
        held = f"in the registry record {record_id} is {name}"
    else:
        held = f"the registry by now holds it as record {other.record_id or 'not known'}"
    error = Conflict(
        f"{plan.desired.label}: the platform answered with record {record_id}, and {held}. The answer is kept in the registry's history."
        " Look both up on the platform, then run this task with the record_id that is right",
        did_number=plan.desired.did_number,
        record_id=record_id,
    )
    error.changed = True
    return error


# What the registry did not allow


def claim_held(wanted: LookupKey, claim: Claim) -> RegistryBusy:
    """Return the error for a DID that another run holds for longer than this one may wait."""
    return RegistryBusy(
        f"{wanted.label}: another run ({claim.holder}) holds it for its own {claim.action}, for at most {claim.seconds_left:.0f} more"
        " seconds. This run has waited for it as long as registry_timeout allows. Nothing was written and nothing was sent. Run again when"
        " that run has ended",
        did_number=wanted.did_number,
        record_id=wanted.record_id,
    )


def claim_failed(plan: Plan, error: DidError) -> DidError:
    """Return the error for an intent that could not be recorded, so that nothing was sent under it."""
    return _with(
        error, plan, f"not applied: nothing is sent that cannot be recorded first: {error.message}"
    )


def send_failed(plan: Plan, error: DidError, remains: str = "") -> DidError:
    """Return the error for a request that could not be sent. C(remains): as C(intent_remains), if its intent may be in the registry."""
    return _with(
        error, plan, f"not applied, because it could not be sent: {error.message}{remains}"
    )


def rollback_failed(plan: Plan, outcome: Outcome, error: DidError, remains: str) -> DidError:
    """Return the error for a request that was not applied, where that could not be recorded. C(remains): as C(intent_remains)."""
    words = (
        f"not applied ({outcome.message}), but that could not be recorded: {error.message}{remains}"
    )
    return _with(error, plan, words)


def _with(error: DidError, plan: Plan, words: str) -> DidError:
    """Return an error of the registry as one DID's."""
    return type(error)(
        f"{plan.desired.label}: {words}",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def intent_remains(plan: Plan, attempt: str, target: Target) -> str:
    """Return what to do about an intent that may still be in the registry, although its request was certainly not applied."""
    if plan.action != CREATE:
        return ""  # the next run sends the edit
    return (
        ". The registry may still hold the intent; the next run then reports its outcome as unknown. This attempt was not applied: when"
        " its claim has ended (until then did_info shows it as under_way), run this play, and run again"
        f"\n{forgetting_play(str(plan.desired.did_number), attempt, target)}"
    )


def commit_failed(plan: Plan, record_id: int, error: DidError, target: Target) -> Unrecorded:
    """Return the error for an applied request that could not be recorded. It names the id: the platform never shows it again."""
    number = plan.desired.did_number
    if plan.action == CREATE:
        done = "created it as"
        next_step = (
            f". Keep the id {record_id}, which the platform never shows again. The DID stays open in the registry, and no run creates it"
            " again. Once the registry works again, run this play, and run again:"
        )
        play = f"\n{recording_play([(str(number), record_id)], target)}"
    else:
        done, play = "applied the edit to", ""
        next_step = (
            ". Run again once the registry works again: the edit is then repeated, and recorded"
        )
    unrecorded = Unrecorded(
        f"{plan.desired.label}: the platform {done} record {record_id}, but that could not be recorded: {error.message}{next_step}{play}",
        did_number=number,
        record_id=record_id,
    )
    unrecorded.is_create = plan.action == CREATE
    unrecorded.resolution = play
    return unrecorded


def plan_drifted(planned: Plan, plan: Plan) -> DidError:
    """Return the error for a DID for which something else than planned would have to be done now."""
    return PlanChanged(
        f"{plan.desired.label}: the plan was {_action(planned)}, and another run has changed the registry since: now it would be"
        f" {_action(plan)}. Nothing more was sent for it. Review the new plan, and apply that",
        did_number=plan.desired.did_number,
        record_id=plan.record_id,
    )


def _action(plan: Plan) -> str:
    return plan.action if plan.record_id is None else f"{plan.action} of record {plan.record_id}"
