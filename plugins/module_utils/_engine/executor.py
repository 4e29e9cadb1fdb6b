# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Carries plans out: claim, request, confirm; for one DID after the other, or for several at once. Here alone requests leave.

One thread decides and writes; requests are made by it too, or by a few workers where several may be under way. What an answer
means and the next intent become durable in one transaction, so that an intent costs no commit of its own.
"""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import queue
import random
import threading
import time
import typing as t

from .. import _messages as _telling
from .._errors import DidError, RegistryBusy, RegistryMismatch, defect
from .._fields import with_fingerprints
from .._model import ADOPT, CREATE, NONE, UPDATE, Intent, timestamp
from .._platform import outcome as _outcome
from .._registry.claims import FIRST_PAUSE, LONGEST_PAUSE, live_claim, pause_before_look
from .._registry.journal import LateAnswer

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from .._model import Job, Plan, Record
    from .._platform.client import Platform
    from .._platform.outcome import Outcome
    from .._registry.registry import Registry
    from .planner import Converger

_LEASE_MARGIN = 30.0
_RETRY_AFTER_LIMIT = 120.0
_PAUSE_BASE, _PAUSE_LIMIT = 0.5, 30.0
_RACES, _RACE_PAUSE = 100, 0.1
# So many DIDs in a row that got no clear answer end a run: the others would only wait for the same, or become unknown too.
_LOST_LIMIT = 10
# So many requests must go well before one more is tried at once.
_CALM = 20
# From so many requests on, it pays to prepare the registry for them.
_MANY = 20


class _Crash(t.NamedTuple):
    """An attempt that ended in an exception. C(bytes_sent): whether a byte of the request may have been written."""

    error: BaseException
    bytes_sent: bool


class _Attempts:
    """The attempts for one DID.

    C(repeats): attempts that failed and count. C(races): claims that another run was quicker to take. C(doubtful): the first
    attempt that may have been applied. C(last): the last one that failed. C(stale): whether what is planned must be looked at
    again. C(crowd): how many requests were under way at once during this one, at the most. C(patience): when to give up on
    another run's claim.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.planned = self.plan = t.cast("Plan", job.plan)
        self.repeats = self.races = 0
        self.doubtful: tuple[Plan, Outcome] | None = None
        self.last: tuple[Plan, Outcome] | None = None
        self.stale = False
        self.intent: Intent | None = None
        self.token = ""
        self.crowd = 1
        self.limit = 1
        self.patience: float | None = None
        self.pause = FIRST_PAUSE


class _Pace:
    """How many requests may be under way at once. The vendor's error page: 429 for several requests at the same time.

    A refusal among several leads back to what is known to be taken, one at first; success leads up again by one, after ever longer
    spells of it where that was refused before.
    """

    def __init__(self, most: int) -> None:
        self.limit = self.least = self._most = most
        self.refusals = 0
        self._proven = 1
        self._successes = 0
        self._spell = _CALM

    def refused(self) -> None:
        """Note a refusal of one among several requests."""
        self.refusals += 1
        self.limit = self._proven if self._proven < self.limit else 1
        self._proven = min(self._proven, self.limit)
        self.least = min(self.least, self.limit)
        self._successes = 0
        self._spell *= 2

    def went_well(self, limit: int) -> None:
        """Note a request that was not refused, begun under a limit."""
        if limit != self.limit or not self.refusals:
            return
        self._successes += 1
        if self._successes >= self._spell and self.limit < self._most:
            self._proven = self.limit
            self.limit += 1
            self._successes = 0


class Dispatcher:
    """One run over planned DIDs. Each attempt that is not the first is planned anew from the registry."""

    def __init__(self, converger: Converger) -> None:
        self._converger = converger
        self._registry: Registry = converger.registry
        self._settings = converger.settings
        self._pace = _Pace(converger.settings.concurrency)
        self._fresh: collections.deque[_Attempts] = collections.deque()
        # (when it is due, number, attempts): those which wait for something.
        self._deferred: list[tuple[float, int, _Attempts]] = []
        self._numbers = itertools.count()
        self._quiet_until = 0.0
        self._lost = 0
        self._failures = 0
        self._stopped: str | None = None

    def run(self, jobs: Sequence[Job]) -> None:
        """Carry out all plans, or as many as can be before something stops the run."""
        for job in jobs:
            if job.sends:
                self._fresh.append(_Attempts(job))
            elif job.plan is not None:
                job.record = job.plan.known
        if len(self._fresh) >= _MANY:
            self._registry.begin_bulk()
        count = min(self._settings.concurrency, len(self._fresh))
        senders = _Workers(self, count) if count > 1 else _Alone(self)
        try:
            self._work(senders)
        except BaseException:
            senders.abandon()
            raise
        senders.close()
        self._converger.stopped = self._stopped
        self._converger.refusals = self._pace.refusals
        self._converger.least_concurrency = self._pace.least

    def _work(self, senders: _Senders) -> None:
        answers: list[tuple[_Attempts, Outcome | _Crash]] = []
        while True:
            # What went wrong may end the run or slow it down: it is judged before anything more is chosen.
            wrong = [each for each in answers if not _is_applied(each[1])]
            if wrong:
                self._turn(wrong, [])
            applied = [each for each in answers if _is_applied(each[1])]
            chosen = self._choose(senders.under_way)
            if applied or chosen:
                for attempts in self._turn(applied, chosen):
                    attempts.crowd = senders.under_way + 1
                    attempts.limit = self._pace.limit
                    senders.start(attempts)
            elif not senders.under_way and not wrong:
                if not self._deferred and not self._fresh:
                    return
                self._wait()
            full = senders.under_way >= self._pace.limit
            answers = senders.answers(None if full else self._until_due())

    # What comes next

    def _choose(self, under_way: int) -> list[_Attempts]:
        """Return those that may be sent now, as many as there is room for."""
        self._stopped = self._stopped or self._converger.stopping()
        if self._stopped:
            self._give_up()
            return []
        now = time.monotonic()
        chosen: list[_Attempts] = []
        while len(chosen) + under_way < self._pace.limit and now >= self._quiet_until:
            attempts = self._next(now)
            if attempts is None:
                break
            if not attempts.stale or self._planned_anew(attempts, now):
                chosen.append(attempts)
            if self._stopped:
                break
        return chosen

    def _next(self, now: float) -> _Attempts | None:
        if self._deferred and self._deferred[0][0] <= now:
            return heapq.heappop(self._deferred)[2]
        return self._fresh.popleft() if self._fresh else None

    def _planned_anew(self, attempts: _Attempts, now: float) -> bool:
        """Look at what the registry knows now, and tell whether there is still something to send."""
        desired = attempts.job.desired
        try:
            found = self._registry.find(self._settings.platform, desired.number, desired.record_id)
        except DidError as error:
            told = _telling.unsent(attempts.plan, error)
            self._hold_back(attempts, told, error.message)
            self._stop(f"the registry could not be read ({error.message})")
            return False
        claim = live_claim(found)
        if claim is not None:
            if attempts.patience is None:
                attempts.patience = now + self._settings.registry_timeout
            left = attempts.patience - now
            if left <= 0:
                words = f"another run ({claim.holder}) holds it"
                self._hold_back(attempts, _telling.busy(desired, claim), words)
            else:
                self._defer(attempts, pause_before_look([claim], attempts.pause, left))
                attempts.pause = min(attempts.pause * 2, LONGEST_PAUSE)
            return False
        attempts.patience, attempts.pause, attempts.stale = None, FIRST_PAUSE, False
        return self._replace_plan(attempts, found)

    def _replace_plan(self, attempts: _Attempts, found: t.Any) -> bool:
        job = attempts.job
        self._converger.decide(job, found)
        if job.error is not None:
            self._hold_back(attempts, job.error)
            return False
        plan = attempts.plan = t.cast("Plan", job.plan)
        if plan.action == NONE:
            job.record = plan.known
            return False
        if self._settings.bound and _departs(attempts.planned, plan):
            self._fail(attempts, _telling.departed(attempts.planned, plan))
            return False
        return True

    def _defer(self, attempts: _Attempts, seconds: float) -> None:
        attempts.stale = True
        due = time.monotonic() + seconds
        heapq.heappush(self._deferred, (due, next(self._numbers), attempts))

    def _until_due(self) -> float | None:
        """Return the seconds until somebody who waits may go on, or None."""
        if self._fresh:
            due = self._quiet_until
        elif self._deferred:
            due = max(self._deferred[0][0], self._quiet_until)
        else:
            return None
        return max(0.001, due - time.monotonic())

    def _wait(self) -> None:
        """Sleep until the first of those who wait may go on. With the sleep, its time has come, whatever the clock says."""
        self._converger.sleep(t.cast("float", self._until_due()))
        self._quiet_until = 0.0
        if self._deferred:
            _due, number, attempts = self._deferred[0]
            heapq.heapreplace(self._deferred, (0.0, number, attempts))

    # Writing

    def _turn(
        self,
        answers: Sequence[tuple[_Attempts, Outcome | _Crash]],
        chosen: Sequence[_Attempts],
    ) -> list[_Attempts]:
        """Write down in one transaction what answers mean and what is sent next. Returns those that may be sent.

        Where that fails, each is written alone, so that as much as possible of what is known is kept.
        """
        several = len(answers) + len(chosen) > 1
        try:
            with self._registry.journal.atomic() if several else contextlib.nullcontext():
                written = [self._write(attempts, answer) for attempts, answer in answers]
                tokens = [self._claim(attempts) for attempts in chosen]
        # Whatever it is, the ids that the platform has just answered must be told.
        except Exception as failure:  # pylint: disable=broad-exception-caught
            if several:
                return self._one_by_one(answers, chosen)
            error = failure if isinstance(failure, DidError) else defect(failure)
            if isinstance(error, RegistryMismatch):
                self._converger.moved_to = error.moved_to
            for attempts, answer in answers:
                self._conclude(attempts, answer, error)
            for attempts in chosen:
                told = _telling.unclaimed(attempts.plan, error)
                self._hold_back(attempts, told, error.message)
            self._stop(f"the registry could not be written ({error.message})")
            return []
        for (attempts, answer), what in zip(answers, written):
            self._conclude(attempts, answer, what)
        return self._unless_stopped(
            [attempts for attempts, token in zip(chosen, tokens) if self._claimed(attempts, token)]
        )

    def _unless_stopped(self, claimed: list[_Attempts]) -> list[_Attempts]:
        """Return what was claimed; or take it back, if what was written beside it has ended the run."""
        if not self._stopped:
            return claimed
        for attempts in claimed:
            try:
                self._registry.journal.rollback(attempts.token)
            except DidError as error:
                told = _telling.unsent(attempts.plan, error, self._still_open(attempts))
                self._hold_back(attempts, told, error.message)
            else:
                self._leave_undone(attempts)
        return []

    def _one_by_one(
        self,
        answers: Sequence[tuple[_Attempts, Outcome | _Crash]],
        chosen: Sequence[_Attempts],
    ) -> list[_Attempts]:
        for answer in answers:
            self._turn([answer], [])
        claimed: list[_Attempts] = []
        for attempts in chosen:
            if self._stopped:
                self._leave_undone(attempts)
            else:
                claimed += self._turn([], [attempts])
        return self._unless_stopped(claimed)

    def _claim(self, attempts: _Attempts) -> str | None:
        plan = attempts.plan
        attempts.intent = Intent(
            action=plan.action,
            known=plan.known,
            number=plan.desired.number,
            record_id=plan.record_id,
            sending=with_fingerprints(plan.payload, self._converger.fingerprints),
            lease=self._settings.connection.timeout + _LEASE_MARGIN,
        )
        return self._registry.journal.claim(self._settings.platform, attempts.intent)

    def _claimed(self, attempts: _Attempts, token: str | None) -> bool:
        """Tell whether the claim was granted. If not, another run wrote between look and claim: what it did decides what is left to do."""
        if token is not None:
            attempts.token = token
            return True
        attempts.races += 1
        if attempts.races > _RACES:
            words = "other runs change it all the time"
            told = f"{attempts.job.desired.label}: {words}. Nothing was sent. Run again later"
            self._hold_back(attempts, RegistryBusy(told), words)
        else:
            self._defer(attempts, random.uniform(0.0, _RACE_PAUSE))
        return False

    def _write(self, attempts: _Attempts, answer: Outcome | _Crash) -> Record | LateAnswer | None:
        """End the claim as the answer demands. An unknown outcome stays unknown in any case: its lease just ends later."""
        if isinstance(answer, _Crash):
            (
                self._registry.journal.mark_unknown
                if answer.bytes_sent
                else self._registry.journal.rollback
            )(attempts.token)
        elif answer.state == _outcome.APPLIED:
            try:
                return self._registry.journal.confirm(
                    attempts.token,
                    self._settings.platform,
                    t.cast("Intent", attempts.intent),
                    t.cast("int", answer.record_id),
                    timestamp(),
                )
            except LateAnswer as late:
                return late
        elif answer.state == _outcome.NOT_APPLIED:
            self._registry.journal.rollback(attempts.token)
        else:
            self._registry.journal.mark_unknown(attempts.token)
        return None

    # What an answer means

    def _conclude(
        self,
        attempts: _Attempts,
        answer: Outcome | _Crash,
        written: Record | LateAnswer | DidError | None,
    ) -> None:
        """Take an answer as the end of its DID, or as a reason to try again. C(written): what the registry made of it."""
        if isinstance(answer, _Crash):
            self._crashed(attempts, answer, isinstance(written, DidError))
        elif answer.state == _outcome.APPLIED:
            self._applied(attempts, answer, written)
        elif isinstance(written, DidError) and answer.state == _outcome.NOT_APPLIED:
            left = self._still_open(attempts)
            told = _telling.unsettled(attempts.plan, answer, written, left)
            self._hold_back(attempts, told, f"{answer.words}; {written.message}")
        else:
            self._not_applied(attempts, answer)

    def _crashed(self, attempts: _Attempts, crash: _Crash, claimed: bool) -> None:
        """Fail by an exception. C(claimed): whether the claim could not be ended."""
        error = crash.error
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, DidError):
            # From the last look before the first byte.
            left = self._still_open(attempts) if claimed else ""
            told = _telling.unsent(attempts.plan, error, left)
            self._hold_back(attempts, told, error.message)
        else:
            failure = defect(error)
            failure.is_unknown = crash.bytes_sent
            self._fail(attempts, failure)

    def _applied(
        self, attempts: _Attempts, answer: Outcome, written: Record | LateAnswer | DidError | None
    ) -> None:
        self._lost = 0
        self._pace.went_well(attempts.limit)
        plan = attempts.plan if attempts.doubtful is None else attempts.doubtful[0]
        record_id = t.cast("int", answer.record_id)
        if isinstance(written, DidError):
            target = self._converger.target
            self._fail(attempts, _telling.unrecorded(attempts.plan, record_id, written, target))
        elif isinstance(written, LateAnswer):
            self._fail(attempts, _telling.astray(attempts.plan, record_id, written.record))
        else:
            attempts.job.plan, attempts.job.record = plan, written

    def _not_applied(self, attempts: _Attempts, answer: Outcome) -> None:
        attempts.last = attempts.plan, answer
        if answer.state == _outcome.UNKNOWN and attempts.doubtful is None:
            attempts.doubtful = attempts.last
        if answer.kind == "throttled" and attempts.crowd > 1:
            # Refused for the company it was in: that is no attempt of its own.
            self._pace.refused()
            self._be_quiet(answer.retry_after)
            self._defer(attempts, 0.0)
            return
        if not self._may_repeat(attempts, answer):
            self._fail_with_last(attempts)
            return
        pause = _pause(attempts.repeats, answer.retry_after)
        attempts.repeats += 1
        if answer.kind in ("throttled", "unreachable"):
            self._be_quiet(pause)
        self._defer(attempts, pause)

    def _may_repeat(self, attempts: _Attempts, answer: Outcome) -> bool:
        """A create is sent again only where it certainly was not applied; an edit may be repeated."""
        certain = answer.state == _outcome.NOT_APPLIED
        allowed = answer.retryable and (certain or attempts.plan.action != CREATE)
        # Where the platform was not there for one DID, through all of its retries, the next ones try once.
        hopeless = answer.kind == "unreachable" and self._lost > 0
        return allowed and not hopeless and attempts.repeats < self._settings.retries

    def _be_quiet(self, seconds: float | None) -> None:
        """Send nothing for a while: where the platform refuses or is not there, that holds for the other DIDs too."""
        pause = min(seconds or 0.0, _RETRY_AFTER_LIMIT)
        self._quiet_until = max(self._quiet_until, time.monotonic() + pause)

    def _fail_with_last(self, attempts: _Attempts) -> None:
        plan, answer = attempts.doubtful or t.cast("tuple[Plan, Outcome]", attempts.last)
        self._fail(attempts, self._failure(attempts, plan, answer))
        self._lost = self._lost + 1 if answer.kind in ("unreachable", "unknown_outcome") else 0
        if self._lost >= _LOST_LIMIT:
            self._stop(f"{self._lost} DIDs in a row got no clear answer from the platform")

    def _failure(self, attempts: _Attempts, plan: Plan, answer: Outcome) -> DidError:
        # A create that may have been applied is the last thing that was claimed for its DID.
        return _telling.failure(plan, answer, attempts.token, self._converger.target)

    def _still_open(self, attempts: _Attempts) -> str:
        return _telling.still_open(attempts.plan, attempts.token, self._converger.target)

    def _leave_undone(self, attempts: _Attempts) -> None:
        """Send nothing for a DID any more. What was tried, and was to be tried again, has failed."""
        if attempts.last is not None:
            self._fail_with_last(attempts)

    def _hold_back(self, attempts: _Attempts, error: DidError, why: str | None = None) -> None:
        """Fail a DID by what keeps a request from being sent.

        If an earlier one may have been applied, that is what counts, and C(why), or else the error's message, is told beside it.
        """
        if attempts.doubtful is not None:
            failure = self._failure(attempts, *attempts.doubtful)
            error = _telling.unrepeated(failure, why or error.message)
        self._fail(attempts, error)

    def _fail(self, attempts: _Attempts, error: DidError) -> None:
        attempts.job.error = error
        self._failures += 1
        limit = self._settings.max_failures
        if limit is not None and self._failures > limit:
            self._stop(f"more DIDs failed than max_failures ({limit}) allows")

    def _stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason

    def _give_up(self) -> None:
        self._fresh.clear()
        waiting, self._deferred = self._deferred, []
        for _due, _number, attempts in sorted(waiting, key=lambda entry: entry[:2]):
            self._leave_undone(attempts)

    # Sending

    def perform(self, attempts: _Attempts, platform: Platform) -> Outcome | _Crash:
        """Make one request under its claim. Called by workers too; nothing is raised."""
        failures: list[DidError] = []

        def permit(seconds: float) -> None:
            # The last look before the first byte: a runner that was held up must not send under a claim that has ended.
            try:
                held = self._registry.journal.is_claim_valid(attempts.token, seconds)
            except DidError as error:
                failures.append(error)
                held = False
            if not held:
                raise _outcome.NotPermitted

        try:
            if attempts.plan.record_id is None:
                outcome = platform.create(attempts.plan.payload, permit)
            else:
                outcome = platform.edit(attempts.plan.record_id, attempts.plan.payload, permit)
        # It is raised again where it belongs.
        except BaseException as error:  # pylint: disable=broad-exception-caught
            return _Crash(error, platform.bytes_sent)
        if failures:
            return _Crash(failures[0], False)
        return outcome

    @property
    def client(self) -> Callable[[], Platform]:
        """Return what makes a client."""
        return self._converger.client


class _Senders(t.Protocol):
    under_way: int

    def start(self, attempts: _Attempts) -> None:
        """Begin a request."""

    def answers(self, timeout: float | None) -> list[tuple[_Attempts, Outcome | _Crash]]:
        """Return what has come in; wait for the first, if none has, for so many seconds at the most."""

    def close(self) -> None:
        """End what is idle by now."""

    def abandon(self) -> None:
        """End without waiting for anything."""


class _Alone:
    """Makes one request at a time, in the thread that decides."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.under_way = 0
        self._dispatcher = dispatcher
        self._client = dispatcher.client()
        self._answers: list[tuple[_Attempts, Outcome | _Crash]] = []

    def start(self, attempts: _Attempts) -> None:
        self._answers.append((attempts, self._dispatcher.perform(attempts, self._client)))

    def answers(self, timeout: float | None) -> list[tuple[_Attempts, Outcome | _Crash]]:
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        self._client.close()

    def abandon(self) -> None:
        self.close()


class _Workers:
    """Makes several requests at once, each in a thread with a client of its own."""

    def __init__(self, dispatcher: Dispatcher, most: int) -> None:
        self.under_way = 0
        self._dispatcher = dispatcher
        # Made here, as that imports: a zip, in which Ansible sends modules, is imported from without a lock before Python 3.10,
        # so that one thread may meet what another has not read to its end.
        self._clients = [dispatcher.client() for _each in range(most)]
        self._threads: list[threading.Thread] = []
        self._orders: queue.SimpleQueue[_Attempts | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[_Attempts, Outcome | _Crash]] = queue.SimpleQueue()
        self._running: set[_Attempts] = set()

    def start(self, attempts: _Attempts) -> None:
        self.under_way += 1
        self._running.add(attempts)
        for other in self._running:
            other.crowd = max(other.crowd, self.under_way)
        self._orders.put(attempts)
        if len(self._threads) < min(self.under_way, len(self._clients)):
            client = self._clients[len(self._threads)]
            thread = threading.Thread(target=self._serve, args=[client], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: Platform) -> None:
        while True:
            attempts = self._orders.get()
            if attempts is None:
                break
            self._answers.put((attempts, self._dispatcher.perform(attempts, client)))
        client.close()

    def answers(self, timeout: float | None) -> list[tuple[_Attempts, Outcome | _Crash]]:
        found: list[tuple[_Attempts, Outcome | _Crash]] = []
        with contextlib.suppress(queue.Empty):
            if self.under_way:
                found.append(self._answers.get(timeout=timeout))
            while True:
                found.append(self._answers.get_nowait())
        self.under_way -= len(found)
        self._running.difference_update(attempts for attempts, _answer in found)
        return found

    def close(self) -> None:
        self.abandon()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        for _thread in self._threads:
            self._orders.put(None)


def _is_applied(answer: Outcome | _Crash) -> bool:
    return not isinstance(answer, _Crash) and answer.state == _outcome.APPLIED


def _departs(planned: Plan, plan: Plan) -> bool:
    """Tell whether something else would be done than was planned. An adoption that may have been applied goes on as an update."""
    if planned.record_id != plan.record_id:
        return True
    return plan.action != planned.action and (planned.action, plan.action) != (ADOPT, UPDATE)


def _pause(attempt: int, retry_after: float | None) -> float:
    """Return how long to wait before the next attempt, in seconds: what the platform asks for, or ever longer, with jitter."""
    if retry_after is not None:
        return min(retry_after, _RETRY_AFTER_LIMIT)
    return min(_PAUSE_BASE * 2.0**attempt, _PAUSE_LIMIT) * random.uniform(0.5, 1.0)
