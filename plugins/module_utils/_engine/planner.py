# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Brings DIDs to their desired state: what is to be done, for one DID or for many at once. C(executor) then does it."""

from __future__ import annotations

import time
import typing as t

from .._errors import DidError, Interrupted, UnknownOutcome
from .._model import Claim, Desired, Job, Policy
from .._planning.decide import decide
from .._registry.claims import find_unclaimed

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from .._model import Found
    from .._platform.client import Client
    from .._platform.connection import Connection
    from .._registry.registry import Registry
    from .._secrets import Fingerprints
    from .._snippets import Target


class Settings(t.NamedTuple):
    """How a run converges its DIDs. Times in seconds.

    C(platform): the name under which records are kept. C(retries): further attempts after the first one. C(concurrency): how
    many requests may be under way at once. C(max_failures): how many of the DIDs that are sent may fail before the run
    stops. C(bound): whether what is done must be what was planned first, as somebody has reviewed or limited that.
    """

    platform: str
    connection: Connection
    policy: Policy
    retries: int = 3
    registry_timeout: float = 90.0
    concurrency: int = 1
    max_failures: int | None = None
    bound: bool = False


class Converger:
    """Plans and applies, for one DID or for many.

    C(stopped): why a run did not come to all of its DIDs, or None. C(moved_to): where the registry was moved meanwhile, or None.
    C(refusals): how many of several simultaneous requests the platform refused. C(least_concurrency): how many were then allowed
    at once, at the least.

    :param sleep: waits for so many seconds, or until the run is told to stop.
    :param stopping: returns why the run has been told to stop, or None.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        fingerprints: Fingerprints,
        client: Callable[[], Client],
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
        self.stopped: str | None = None
        self.moved_to: str | None = None
        self.refusals = 0
        self.least_concurrency = settings.concurrency

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
            if isinstance(each, Claim):
                from .._messages import busy

                job.error = busy(job.desired, each)
            else:
                self.decide(job, each)
        if any(job.sends for job in jobs):
            from .preflight import check_means

            check_means(self.registry, jobs)
        return jobs

    def carry_out(self, jobs: Sequence[Job], *, check: bool) -> None:
        """Do what is planned, or look whether it could be done. How each DID ended is in its job; nothing is raised for one of them."""
        sending = any(job.sends for job in jobs)
        if not (sending and not check):
            for job in jobs:
                job.record = None if job.plan is None or job.sends else job.plan.known
            if sending:
                self.registry.check_writable()
            return
        # A run with nothing to do does not pay for what sending needs.
        from .executor import Dispatcher

        Dispatcher(self).run(jobs)

    def decide(self, job: Job, found: Found) -> None:
        """Plan for one DID from what the registry knows of it."""
        try:
            plan = decide(job.desired, *found, self.settings.policy, self.fingerprints)
            if plan.sends:
                from .preflight import encode_body

                job.body = encode_body(plan)
        except UnknownOutcome as error:
            from .._messages import with_ways_on

            job.error = with_ways_on(error, job.desired, self.target)
        except DidError as error:
            job.error = error
        else:
            job.plan = plan

    @property
    def target(self) -> Target:
        """Return what the plays in errors are about: the registry where it is by now."""
        from .._snippets import Target

        location = self.moved_to or self.registry.location
        return Target(self.settings.platform, location, self.registry.registry_id)

    def _wait(self, seconds: float) -> None:
        self.sleep(seconds)
        reason = self.stopping()
        if reason is not None:
            raise Interrupted(
                f"{reason} while the run waited for other runs to let go of DIDs. Nothing was sent. Run again"
            )
