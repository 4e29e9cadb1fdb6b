# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Looks up what the registry knows and decides what to do, for one DID or for many. C(executor) does it."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Sequence

from .._errors import DidError, UnknownOutcome
from .._fields import with_fingerprints
from .._model import Claim, Desired, Intent, Job, LookupResult, Plan, Policy
from .._planning.decide import decide
from .._platform.connection import Connection
from .._registry.claims import wait_for_claims
from .._registry.registry import Registry
from .._secrets import Fingerprints

if t.TYPE_CHECKING:  # pragma: no cover
    from .._snippets import Target

# What a claim lasts beyond the request's timeout, in seconds.
_LEASE_MARGIN = 30.0


class Settings(t.NamedTuple):
    """How a run brings its DIDs to their desired state. Times in seconds.

    C(platform): the name under which records are kept. C(retries): further attempts after the first one. C(concurrency): how
    many requests may be in flight at once. C(max_failures): how many of the DIDs that are sent may fail before the run
    stops. C(plan_is_binding): whether only what was planned first may be done, because somebody has reviewed or limited that.
    C(country_code): the one that similar numbers may have, None where these do not matter. C(refuse_similar): whether a create
    whose number is similar to another one is refused.
    """

    platform: str
    connection: Connection
    policy: Policy
    retries: int = 3
    registry_timeout: float = 90.0
    concurrency: int = 1
    max_failures: int | None = None
    plan_is_binding: bool = False
    country_code: str | None = None
    refuse_similar: bool = False


class Planner:
    """Plans what to do for DIDs. Only reads.

    :param sleep: waits for so many seconds. What it raises ends the planning.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        fingerprints: Fingerprints,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.registry = registry
        self.settings = settings
        self.fingerprints = fingerprints
        self._sleep = sleep

    def plan(self, wanted: Sequence[Desired]) -> list[Job]:
        """Plan from what the registry knows once no other run holds any of the DIDs.

        What stops a single DID is in its job; what stops all of them is raised, before anything is sent.
        """
        jobs = [Job(desired) for desired in wanted]
        found = wait_for_claims(
            self.registry,
            self.settings.platform,
            wanted,
            until=time.monotonic() + self.settings.registry_timeout,
            sleep=self._sleep,
        )
        for job, each in zip(jobs, found):
            if isinstance(each, Claim):
                from .._messages import claim_held

                job.error = claim_held(job.desired, each)
            else:
                self.plan_job(job, each)
        if any(job.sends for job in jobs):
            from .preflight import check_requirements, find_similar

            check_requirements(self.registry, self.settings.platform, jobs)
            if self.settings.country_code is not None:
                find_similar(
                    self.registry, self.settings.platform, self.settings.country_code, jobs
                )
        return jobs

    def plan_job(self, job: Job, found: LookupResult) -> None:
        """Plan for one DID from what the registry knows of it; what stops it is in its job."""
        try:
            plan = decide(job.desired, *found, self.settings.policy, self.fingerprints)
            if plan.sends:
                # A run with nothing to do does not pay for what sending needs.
                from .._planning.payload import encode_payload

                job.body = encode_payload(plan)
            else:
                job.record = plan.known
            job.plan = plan
        except UnknownOutcome as error:
            from .._messages import add_resolution

            job.error = add_resolution(error, job.desired, self.target())
        except DidError as error:
            job.error = error

    def make_intent(self, plan: Plan, run: str | None) -> Intent:
        """Return the intent to carry out a plan. C(run): the key of the run."""
        return Intent(
            action=plan.action,
            known=plan.known,
            number=plan.desired.number,
            record_id=plan.record_id,
            stored_payload=with_fingerprints(plan.payload, self.fingerprints),
            lease=self.settings.connection.timeout + _LEASE_MARGIN,
            changes=plan.changes,
            run=run,
        )

    def target(self, moved_to: str | None = None) -> Target:
        """Return the registry and the platform that the plays in errors are about. C(moved_to): where the registry is by now."""
        from .._snippets import Target

        location = moved_to or self.registry.location
        return Target(self.settings.platform, location, self.registry.registry_id)
