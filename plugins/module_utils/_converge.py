# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Brings DIDs to their desired state: what is to be done, for one DID or for many at once. C(_dispatch) then does it."""

from __future__ import annotations

import importlib.util
import time
import typing as t

from ._errors import DidError, Interrupted, InvalidParameter, UnknownOutcome, Unreachable
from ._exchange import encode
from ._plan import CREATE, NONE, Desired, Plan, Policy, decide
from ._registry._waiting import find_unclaimed

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from ._exchange import Connection
    from ._platform import Platform
    from ._registry._records import Found, Record, Registry
    from ._secrets import Fingerprints


class Settings(t.NamedTuple):
    """How a run converges its DIDs. Times in seconds.

    C(platform): the name under which records are kept. C(retries): further attempts after the first one. C(concurrency): how
    many requests may be under way at once. C(max_failures): how many DIDs may fail before the run stops. C(bound): whether what
    is done must be what was planned first, as somebody has reviewed or limited that.
    """

    platform: str
    connection: Connection
    policy: Policy
    retries: int = 3
    registry_timeout: float = 90.0
    concurrency: int = 1
    max_failures: int | None = None
    bound: bool = False


class Job:
    """One DID of a run: what is wanted, what is planned, and what came of it.

    C(plan) is None where no plan can be made; C(error) then says why. C(record): what the registry holds in the end, None for a
    DID that was not attempted.
    """

    __slots__ = ("desired", "error", "plan", "record")

    def __init__(self, desired: Desired) -> None:
        self.desired = desired
        self.plan: Plan | None = None
        self.record: Record | None = None
        self.error: DidError | None = None

    @property
    def sends(self) -> bool:
        """Tell whether this DID is brought to its state by a request."""
        return self.error is None and self.plan is not None and self.plan.sends


class Backoff(t.NamedTuple):
    """How the platform's refusals of simultaneous requests were met: how many there were, and the least concurrency used."""

    refusals: int
    concurrency: int


class Report(t.NamedTuple):
    """How a run went as a whole. C(stopped): why it did not come to all of its DIDs, or None."""

    stopped: str | None
    backoff: Backoff | None = None


class Converged(t.NamedTuple):
    """What was done for one DID. C(record): what the registry holds now."""

    plan: Plan
    record: Record


class Converger:
    """Plans and applies. A preview takes the same path as far as it goes without a trace.

    :param sleep: waits for so many seconds, or until the run is told to stop.
    :param stopping: returns why the run has been told to stop, or None.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        fingerprints: Fingerprints,
        client: Callable[[], Platform],
        *,
        sleep: Callable[[float], None] = time.sleep,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.fingerprints = fingerprints
        self.client = client
        self.sleep = sleep
        self.stopping = stopping

    def preview(self, desired: Desired) -> Plan:
        """Return what C(apply) would do for one DID, or raise what it would raise before sending. Reads only."""
        (job,) = self.plan([desired])
        if job.error is not None:
            raise job.error
        if job.sends:
            self.registry.ready_to_write()
        return t.cast("Plan", job.plan)

    def apply(self, desired: Desired) -> Converged:
        """Bring one DID to its desired state, or raise C(DidError)."""
        (job,) = jobs = self.plan([desired])
        report = self.apply_all(jobs)
        if job.error is not None:
            raise job.error
        if job.record is None:
            raise Interrupted(
                f"{desired.label}: {report.stopped}. It was not attempted: nothing was sent for it. Run again"
            )
        return Converged(t.cast("Plan", job.plan), job.record)

    def plan(self, wanted: Sequence[Desired]) -> list[Job]:
        """Plan from what the registry knows once no other run holds any of the DIDs. Reads only.

        What stops a single DID is in its job; what stops all of them is raised, before anything is sent.
        """
        jobs = [Job(desired) for desired in wanted]
        found = find_unclaimed(
            self.registry,
            self.settings.platform,
            wanted,
            until=time.monotonic() + self.settings.registry_timeout,
            sleep=self._wait,
        )
        for job, each in zip(jobs, found):
            if isinstance(each, DidError):
                job.error = each
            else:
                self.decide(job, each)
        self._check_means(jobs)
        return jobs

    def apply_all(self, jobs: Sequence[Job]) -> Report:
        """Carry out what is planned. How each DID ended is in its job, and nothing is raised for a single one."""
        if not any(job.sends for job in jobs):
            for job in jobs:
                if job.plan is not None:
                    job.record = job.plan.known
            return Report(self.too_many_failures(jobs))
        # A run with nothing to do does not pay for what sending needs.
        from ._dispatch import Dispatcher

        return Dispatcher(self).run(jobs)

    def listed(self, jobs: Sequence[Job]) -> set[str]:
        """Return the keys of the registry's records that planned DIDs are about."""
        known = (job.plan.known for job in jobs if job.plan is not None)
        keys = {record.key for record in known if record is not None}
        wanted = [(job.desired.number, job.desired.record_id) for job in jobs if job.plan is None]
        for found in self.registry.find_many(self.settings.platform, wanted):
            keys.update(record.key for record in found if record is not None)
        return keys

    def too_many_failures(self, jobs: Sequence[Job]) -> str | None:
        """Return the words for a run that stops because more DIDs failed than it allows, or None."""
        limit = self.settings.max_failures
        if limit is None or sum(job.error is not None for job in jobs) <= limit:
            return None
        return f"more DIDs failed than max_failures ({limit}) allows"

    def decide(self, job: Job, found: Found) -> None:
        """Plan for one DID from what the registry knows of it."""
        try:
            plan = decide(job.desired, *found, self.settings.policy, self.fingerprints)
            if plan.sends:
                _check_payload(plan)
        except UnknownOutcome as error:
            from ._telling import with_ways_on

            job.error = with_ways_on(
                error, job.desired, self.settings.platform, self.registry.location
            )
        except DidError as error:
            job.error = error
        else:
            job.plan = plan

    def _check_means(self, jobs: Sequence[Job]) -> None:
        """Check once for all DIDs what can be checked before sending."""
        actions = {job.plan.action for job in jobs if job.sends and job.plan is not None}
        if actions and importlib.util.find_spec("requests") is None:
            raise Unreachable(
                "The Python library 'requests' is missing for the interpreter that runs this task. Nothing was sent."
                " Install it (python -m pip install requests), or set ansible_python_interpreter to a Python that has it"
            )
        if CREATE in actions:
            self.registry.verify()

    def _wait(self, seconds: float) -> None:
        self.sleep(seconds)
        reason = self.stopping()
        if reason is not None:
            raise Interrupted(
                f"{reason} while the run waited for other runs to let go of DIDs. Nothing was sent. Run again"
            )

    def warnings(self, jobs: Sequence[Job]) -> list[str]:
        """Return what a person should know of these plans."""
        plans = [job.plan for job in jobs if job.plan is not None and job.plan.action != NONE]
        found = _notes(plans)
        creates = [plan for plan in plans if plan.action == CREATE]
        numberless = self.registry.numberless(self.settings.platform) if creates else []
        if numberless:
            new = (
                f"{creates[0].desired.label} is"
                if len(creates) == 1
                else f"{len(creates)} DIDs ({_few([plan.desired.label for plan in creates])}) are"
            )
            found.append(
                f"{new} new to the registry, which also holds records whose number is not known (ids {_few(numberless)}). What is one of"
                " these would be created a second time: give it that record_id"
            )
        return found


def _notes(plans: Sequence[Plan]) -> list[str]:
    """Return the notes of plans; where many plans have one, with a few of the DIDs that it speaks of."""
    by_note: dict[str, list[str]] = {}
    for plan in plans:
        for note in plan.notes:
            by_note.setdefault(note, []).append(plan.desired.label)
    return [f"{_few(labels)}: {note}" for note, labels in by_note.items()]


def _few(things: Sequence[object]) -> str:
    return ", ".join(map(str, things[:20])) + (
        f" and {len(things) - 20} more" if len(things) > 20 else ""
    )


def _check_payload(plan: Plan) -> None:
    if not plan.payload:
        raise InvalidParameter(
            f"{plan.desired.label}: the task declares no field, so there is nothing to send. Declare at least one field",
            record_id=plan.record_id,
        )
    try:
        encode(plan.payload)
    except InvalidParameter as error:
        raise InvalidParameter(
            f"{plan.desired.label}: {error.message}", did_number=plan.desired.did_number
        ) from None
