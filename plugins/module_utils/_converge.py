# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Brings DIDs to their desired state: plan, claim, request, confirm. The only way in which a request ever leaves."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import time
import typing as t

from . import _errors, _exchange
from ._errors import (
    Conflict,
    DidError,
    InvalidParameter,
    RegistryBusy,
    UnknownOutcome,
    Unreachable,
    pasteable_task,
)
from ._plan import CREATE, Desired, Plan, Policy, decide, recorded
from ._registry._records import Intent, LateAnswer
from ._registry._store import timestamp
from ._registry._waiting import find_unclaimed

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    from ._exchange import Connection, Outcome
    from ._platform import Platform
    from ._registry._records import Record, Registry
    from ._secrets import Fingerprints

_LEASE_MARGIN = 30.0
_RETRY_AFTER_LIMIT = 120.0
_PAUSE_BASE, _PAUSE_LIMIT = 0.5, 30.0
_RACES, _RACE_PAUSE = 100, 0.1

_ERRORS: dict[str, type[DidError]] = {
    kind.kind: kind
    for kind in (_errors.Unreachable, _errors.Refused, _errors.Throttled, _errors.UnknownOutcome)
}


class Settings(t.NamedTuple):
    """How a run converges its DIDs. Times in seconds.

    C(platform): the name under which records are kept. C(retries): further attempts after the first one.
    """

    platform: str
    connection: Connection
    policy: Policy
    retries: int = 3
    registry_timeout: float = 90.0


class Converged(t.NamedTuple):
    """What was done for one DID. C(record): what the registry holds now."""

    plan: Plan
    record: Record


class Converger:
    """Plans and applies, one DID after the other. A preview takes the same path as far as it goes without a trace."""

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        fingerprints: Fingerprints,
        client: Callable[[], Platform],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._fingerprints = fingerprints
        self._client = client
        self._sleep = sleep
        self._verified = False

    def preview(self, desired: Desired) -> Plan:
        """Return what C(apply) would do, or raise what it would raise before sending. Reads only."""
        plan = self._plan(desired)
        if plan.sends:
            self._registry.ready_to_write()
        return plan

    def warnings(self, plan: Plan) -> list[str]:
        """Return what a person should know of this plan."""
        found = list(plan.notes)
        numberless = (
            self._registry.numberless(self._settings.platform) if plan.action == CREATE else []
        )
        if numberless:
            ids = ", ".join(map(str, numberless[:20])) + (", …" if len(numberless) > 20 else "")
            found.append(
                f"{plan.desired.label} is new to the registry, which also holds records whose number is not known (ids {ids}). If it is one"
                " of these, it is created a second time: give the task that record_id"
            )
        return found

    def apply(self, desired: Desired) -> Converged:
        """Bring one DID to its desired state, or raise C(DidError). Each attempt is planned anew from the registry."""
        attempt = lost = 0
        doubtful: tuple[Plan, Outcome] | None = None  # the first attempt that may have been applied
        while True:
            plan = self._plan(desired)
            if not plan.sends:
                return Converged(plan, t.cast("Record", plan.known))
            intent = self._intent(plan)
            token = self._registry.claim(self._settings.platform, intent)
            if token is None:
                lost = self._lost_race(desired, lost)
                continue
            outcome = self._attempt(plan, intent, token)
            if outcome.state == _exchange.APPLIED:
                record = self._confirm(plan, intent, token, t.cast("int", outcome.record_id))
                return Converged(plan if doubtful is None else doubtful[0], record)
            if outcome.state == _exchange.UNKNOWN and doubtful is None:
                doubtful = plan, outcome
            self._settle(plan, token, outcome)
            if not self._may_repeat(plan, outcome) or attempt >= self._settings.retries:
                raise self._failure(*(doubtful or (plan, outcome)))
            self._sleep(_pause(attempt, outcome.retry_after))
            attempt += 1

    def _lost_race(self, desired: Desired, lost: int) -> int:
        """Another run wrote between look and claim: what it did decides what is left to do."""
        if lost >= _RACES:
            raise RegistryBusy(
                f"{desired.label}: other runs change it all the time. Nothing was sent. Run again later"
            )
        self._sleep(random.uniform(0.0, _RACE_PAUSE))
        return lost + 1

    def _plan(self, desired: Desired) -> Plan:
        """Plan from what the registry knows once no other run holds the DID; check what can be checked before sending."""
        by_number, by_id = find_unclaimed(
            self._registry,
            self._settings.platform,
            desired.number,
            desired.record_id,
            label=desired.label,
            until=time.monotonic() + self._settings.registry_timeout,
            sleep=self._sleep,
        )
        try:
            plan = decide(desired, by_number, by_id, self._settings.policy, self._fingerprints)
        except UnknownOutcome as error:
            raise self._with_ways_on(error, desired) from None
        if plan.sends:
            self._check(plan)
        return plan

    def _check(self, plan: Plan) -> None:
        if not plan.payload:
            raise InvalidParameter(
                f"{plan.desired.label}: the task declares no field, so there is nothing to send. Declare at least one field",
                record_id=plan.record_id,
            )
        try:
            _exchange.encode(plan.payload)
        except InvalidParameter as error:
            raise InvalidParameter(
                f"{plan.desired.label}: {error.message}", did_number=plan.desired.did_number
            ) from None
        if importlib.util.find_spec("requests") is None:
            raise Unreachable(
                f"{plan.desired.label}: the Python library 'requests' is missing for the interpreter that runs this task. Nothing was sent."
                " Install it (python -m pip install requests), or set ansible_python_interpreter to a Python that has it"
            )
        if plan.action == CREATE and not self._verified:
            self._registry.verify()
            self._verified = True

    def _intent(self, plan: Plan) -> Intent:
        return Intent(
            action=plan.action,
            known=plan.known,
            number=plan.desired.number,
            record_id=plan.record_id,
            sending=recorded(plan.payload, self._fingerprints),
            lease=self._settings.connection.timeout + _LEASE_MARGIN,
        )

    def _attempt(self, plan: Plan, intent: Intent, token: str) -> Outcome:
        """Send one request under a claim. Whatever interrupts it, the registry is left with the truth."""
        failures: list[DidError] = []

        def permit(seconds: float) -> None:
            # The last look before the first byte: a runner that was held up must not send under a claim that has ended.
            try:
                held = self._registry.holds(token, seconds)
            except DidError as error:
                failures.append(error)
                held = False
            if not held:
                raise _exchange.NotPermitted

        client: Platform | None = None
        try:
            client = self._client()
            if intent.record_id is None:
                outcome = client.create(plan.payload, permit)
            else:
                outcome = client.edit(intent.record_id, plan.payload, permit)
        except BaseException:
            with contextlib.suppress(DidError):
                began = client is not None and client.began
                settle = self._registry.leave if began else self._registry.withdraw
                settle(token)
            raise
        if failures:
            with contextlib.suppress(DidError):
                self._registry.withdraw(token)
            raise failures[0]
        return outcome

    def _confirm(self, plan: Plan, intent: Intent, token: str, record_id: int) -> Record:
        """Record the answer. Its id is told whatever happens: the platform never tells it again."""
        try:
            return self._registry.confirm(
                token, self._settings.platform, intent, record_id, timestamp()
            )
        except LateAnswer as late:
            other = late.record
        except DidError as error:
            raise self._unrecorded(plan, record_id, error) from None
        raise self._astray(plan, record_id, other)

    def _unrecorded(self, plan: Plan, record_id: int, error: DidError) -> DidError:
        done = "created it as" if plan.action == CREATE else "applied the edit to"
        failure = type(error)(
            f"{plan.desired.label}: the platform {done} record {record_id}, but that could not be recorded: {error.message}. Keep the id"
            f" {record_id}. Once the registry works again, run this task with record_id: {record_id}",
            did_number=plan.desired.did_number,
            record_id=record_id,
        )
        failure.changed = True
        return failure

    def _astray(self, plan: Plan, record_id: int, other: Record) -> Conflict:
        if other.record_id == record_id:
            called = "known without a number" if other.number is None else f"DID {other.number}"
            held = f"in the registry record {record_id} is {called}"
        else:
            held = f"the registry holds it by now as record {other.record_id or 'not known'}"
        failure = Conflict(
            f"{plan.desired.label}: the platform answered with record {record_id}, and {held}. The answer is kept in the registry's history."
            " Look both up on the platform, then run this task with the record_id that is right",
            did_number=plan.desired.did_number,
            record_id=record_id,
        )
        failure.changed = True
        return failure

    def _settle(self, plan: Plan, token: str, outcome: Outcome) -> None:
        """End the claim as the outcome demands. An unknown one needs no write to stay unknown: its lease just ends later."""
        if outcome.state == _exchange.NOT_APPLIED:
            try:
                self._registry.withdraw(token)
            except DidError as error:
                raise type(error)(
                    f"{plan.desired.label}: not applied ({outcome.words}), but that could not be recorded: {error.message}",
                    did_number=plan.desired.did_number,
                    record_id=plan.record_id,
                ) from None
        else:
            with contextlib.suppress(DidError):
                self._registry.leave(token)

    def _may_repeat(self, plan: Plan, outcome: Outcome) -> bool:
        """A create is sent again only where it certainly was not applied; an edit may be repeated."""
        certain = outcome.state == _exchange.NOT_APPLIED
        return outcome.retryable and (certain or plan.action != CREATE)

    def _failure(self, plan: Plan, outcome: Outcome) -> DidError:
        desired = plan.desired
        reason = (
            f": {outcome.reason}" if outcome.reason and outcome.kind != "unknown_outcome" else ""
        )
        status = f" (HTTP {outcome.http_status})" if outcome.http_status is not None else ""
        what = {CREATE: "the create (PUT)"}.get(
            plan.action, f"the edit (POST) of record {plan.record_id}"
        )
        error = _ERRORS[outcome.kind](
            f"{desired.label}: {what} {_VERBS[outcome.kind]}: {outcome.words}{status}{reason}",
            did_number=desired.did_number,
            record_id=plan.record_id if outcome.record_id is None else outcome.record_id,
            http_status=outcome.http_status,
            reason=outcome.reason,
        )
        if outcome.state == _exchange.NOT_APPLIED:
            error.message += ". Nothing was applied and nothing stays open in the registry: run again when it is corrected"
            return error
        if plan.action == CREATE:
            if outcome.record_id is not None:
                error.message += f". The answer names record {outcome.record_id}"
            return self._with_ways_on(error, desired)
        error.message += ". It may or may not have been applied. Run again: an edit may be repeated, and the registry knows that it has to be"
        return error

    def _with_ways_on(self, error: DidError, desired: Desired) -> DidError:
        """Complete the message of a create of unknown outcome with both ways on, as tasks."""
        place = {"platform": self._settings.platform, "registry": self._registry.location}
        number = desired.did_number
        exists = pasteable_task(
            f"{desired.label} exists on the platform, under the record id that stands here in place of 0",
            "did_registry",
            {"state": "recorded", "dids": [{"did_number": number, "record_id": 0}], **place},
        )
        does_not = pasteable_task(
            f"{desired.label} does not exist on the platform",
            "did_registry",
            {"state": "forgotten", "dids": [{"did_number": number}], **place},
        )
        error.message += (
            f". {number} may or may not exist on the platform, and is not created again until that is known. Look it up there, run one of"
            " these two tasks once, and run again. (If it exists, adding its record_id to this task does the same.)"
            f"\n{exists}\n{does_not}"
        )
        return error


_VERBS = {
    "unreachable": "was not sent",
    "refused": "was refused",
    "throttled": "was refused",
    "unknown_outcome": "has an unknown outcome",
}


def _pause(attempt: int, retry_after: float | None) -> float:
    """Return how long to wait before the next attempt, in seconds: what the platform asks for, or ever longer, with jitter."""
    if retry_after is not None:
        return min(retry_after, _RETRY_AFTER_LIMIT)
    return min(_PAUSE_BASE * 2.0**attempt, _PAUSE_LIMIT) * random.uniform(0.5, 1.0)
