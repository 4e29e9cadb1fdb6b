# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Carries plans out: claim, send, record. For one DID after the other, or for several at once.

One thread decides and writes. Requests are sent by it too, or by a few threads where several may be in flight. What an answer means
and the next intents are committed in one transaction, so that an intent costs no commit of its own.
"""

from __future__ import annotations

import random
import time
import typing as t
from collections.abc import Callable, Sequence

from .. import _messages
from .._errors import DidError, RegistryBusy, RegistryMismatch, defect
from .._model import (
    ADOPT,
    NONE,
    UPDATE,
    Claim,
    Intent,
    Job,
    LookupResult,
    Plan,
    Record,
    RunResult,
    live_claim,
    timestamp,
)
from .._platform.outcome import Outcome
from .._registry.claims import FIRST_PAUSE, LONGEST_PAUSE, poll_delay
from .._registry.journal import LateAnswer
from .planner import Planner
from .progress import Execution, Progress
from .sender import InlineSender, Request, SendResult, ThreadedSender, is_applied
from .throttle import ConcurrencyLimit, Pacing, Schedule

if t.TYPE_CHECKING:  # pragma: no cover
    from .._platform.client import Client

# From so many requests on, it pays to prepare the registry for them.
_BULK = 20
# The longest wait between two reports, in seconds.
_REPORT_INTERVAL = 1.0

ExecutionResult = tuple[Execution, "SendResult"]
# What became of answers in the registry, and the tokens of claims; None for a claim that was not granted.
_Written = tuple[list[t.Union[Record, LateAnswer, None]], list[t.Optional[str]]]


class Executor:
    """Carries out the plans of one run. Each attempt after the first is planned anew from the registry.

    :param make_client: returns a client for one thread.
    :param sleep: waits for so many seconds, or until the run is told to stop.
    :param stop_reason: returns why the run has been told to stop, or None.
    :param report: is told often how far the run is: how many requests are done, how many there are, how many of those done have failed.
    """

    def __init__(
        self,
        planner: Planner,
        make_client: Callable[[], Client],
        jobs: Sequence[Job],
        *,
        sleep: Callable[[float], None] = time.sleep,
        stop_reason: Callable[[], str | None] = lambda: None,
        report: Callable[[int, int, int], None] = lambda done, total, failed: None,
        pacing: Pacing | None = None,
    ) -> None:
        self._planner = planner
        self._registry = planner.registry
        self._settings = planner.settings
        self._make_client = make_client
        self._sleep = sleep
        self._stop_reason = stop_reason
        self._report = report
        self._pacing = pacing or Pacing()
        self._limit = ConcurrencyLimit(planner.settings.concurrency)
        self._schedule = Schedule(Execution(job) for job in jobs if job.sends)
        self._total = len(self._schedule)
        self._progress = Progress(planner, self._schedule, self._limit, self._pacing)
        # By the token of the claim.
        self._in_flight: dict[str, Execution] = {}

    def run(self) -> RunResult:
        """Carry out all plans, or as many as can be before something stops the run. What became of each DID is in its job."""
        if self._total >= _BULK:
            self._registry.begin_bulk()
        threads = min(self._settings.concurrency, self._total)
        journal = self._registry.journal
        sender = (
            ThreadedSender(self._make_client, journal, threads)
            if threads > 1
            else InlineSender(self._make_client, journal)
        )
        try:
            self._send_all(sender)
        except BaseException:
            sender.abandon()
            raise
        sender.close()
        return self._progress.finish(journal)

    def _send_all(self, sender: InlineSender | ThreadedSender) -> None:
        answers: list[ExecutionResult] = []
        while True:
            # A failure may end the run or slow it down: it is judged before the next requests are chosen.
            failed = [each for each in answers if not is_applied(each[1])]
            if failed:
                self._commit_batch(failed, [])
            applied = [each for each in answers if is_applied(each[1])]
            chosen = self._choose_next()
            if applied or chosen:
                self._plan_end(applied, chosen)
                for execution in self._commit_batch(applied, chosen):
                    sender.start(self._request(execution))
            elif not self._in_flight and not failed:
                if not self._schedule:
                    return
                self._wait(t.cast("float", self._schedule.seconds_until_ready()))
                self._schedule.end_wait()
            self._report_progress()
            full = len(self._in_flight) >= self._limit.current
            ready = None if full else self._schedule.seconds_until_ready()
            timeout = _REPORT_INTERVAL if ready is None else min(ready, _REPORT_INTERVAL)
            answers = [
                (self._in_flight.pop(token), answer) for token, answer in sender.answers(timeout)
            ]

    def _wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until the run is told to stop."""
        while seconds > 0 and not self._stop_reason():
            self._sleep(min(seconds, _REPORT_INTERVAL))
            seconds -= _REPORT_INTERVAL
            self._report_progress()

    def _report_progress(self) -> None:
        done = self._total - len(self._schedule) - len(self._in_flight)
        self._report(done, self._total, self._progress.failures)

    def _request(self, execution: Execution) -> Request:
        execution.limit = self._limit.current
        execution.in_flight = 1
        self._in_flight[execution.token] = execution
        for each in self._in_flight.values():
            each.in_flight = max(each.in_flight, len(self._in_flight))
        job = execution.job
        # A retry is planned anew.
        body, job.body = job.body, b""
        return Request(execution.token, execution.plan.record_id, body)

    # What is sent next

    def _choose_next(self) -> list[Execution]:
        """Return what may be sent now, as much as the limit allows."""
        progress = self._progress
        progress.stopped = progress.stopped or self._stop_reason()
        if progress.stopped:
            for deferred in self._schedule.clear():
                progress.abandon(deferred)
            return []
        now = time.monotonic()
        chosen: list[Execution] = []
        while len(chosen) + len(self._in_flight) < self._limit.current and not progress.stopped:
            execution = self._schedule.next_ready(now)
            if execution is None:
                break
            if not execution.is_stale or self._replan(execution, now):
                chosen.append(execution)
        return chosen

    def _replan(self, execution: Execution, now: float) -> bool:
        """Look up what the registry knows now, and tell whether there is still something to send."""
        desired = execution.job.desired
        try:
            found = self._registry.find(self._settings.platform, desired.number, desired.record_id)
        except DidError as error:
            self._progress.fail_by_registry(execution, error, intent_remains=False)
            self._progress.stop(f"the registry could not be read ({error.message})")
            return False
        claim = live_claim(found)
        if claim is not None:
            self._wait_for_claim(execution, claim, now)
            return False
        execution.claim_deadline, execution.claim_pause = None, FIRST_PAUSE
        execution.is_stale = False
        return self._replace_plan(execution, found)

    def _wait_for_claim(self, execution: Execution, claim: Claim, now: float) -> None:
        if execution.claim_deadline is None:
            execution.claim_deadline = now + self._settings.registry_timeout
        left = execution.claim_deadline - now
        if left <= 0:
            error = _messages.claim_held(execution.job.desired, claim)
            self._progress.fail_not_applied(
                execution, error, f"another run ({claim.holder}) holds it"
            )
        else:
            pause = poll_delay([claim], execution.claim_pause, left)
            self._progress.defer(execution, pause)
            execution.claim_pause = min(execution.claim_pause * 2, LONGEST_PAUSE)

    def _replace_plan(self, execution: Execution, found: LookupResult) -> bool:
        job, planned = execution.job, execution.planned
        self._planner.plan_job(job, found)
        if job.error is not None:
            self._progress.fail_not_applied(execution, job.error)
            return False
        plan = execution.plan
        if plan.action == NONE:
            return False
        if self._settings.plan_is_binding and _differs(planned, plan):
            self._progress.fail(execution, _messages.plan_drifted(planned, plan))
            return False
        return True

    # What is written

    def _commit_batch(
        self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution]
    ) -> list[Execution]:
        """Record in one transaction what answers mean and what is sent next. Returns what may be sent.

        If that fails, record each of them alone, so that as much as possible of what is known is kept.
        """
        if len(answers) + len(chosen) == 1:
            return self._rollback_if_stopped(self._commit_one(answers, chosen))
        try:
            written = self._registry.journal.atomic(lambda: self._write(answers, chosen))
        # Each is tried alone, and tells of its own failure. If the transaction took effect all the same, an answer that is recorded already
        # is recognised, and a claim that is there already is not granted again.
        except Exception:  # pylint: disable=broad-exception-caught
            claimed = self._commit_each(answers, chosen)
        else:
            claimed = self._conclude(answers, chosen, written)
        return self._rollback_if_stopped(claimed)

    def _write(self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution]) -> _Written:
        ends = [self._record(execution, answer) for execution, answer in answers]
        return ends, [self._claim(execution) for execution in chosen]

    def _conclude(
        self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution], written: _Written
    ) -> list[Execution]:
        ends, tokens = written
        if self._registry.journal.runs.final_result is not None:
            self._progress.note_end()
        for (execution, answer), end in zip(answers, ends):
            self._progress.conclude(execution, answer, end)
        return [each for each, token in zip(chosen, tokens) if self._is_granted(each, token)]

    def _commit_each(
        self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution]
    ) -> list[Execution]:
        self._registry.journal.runs.final_result = None
        for answer in answers:
            self._commit_one([answer], [])
        claimed: list[Execution] = []
        for execution in chosen:
            if self._progress.stopped:
                self._progress.abandon(execution)
            else:
                claimed += self._commit_one([], [execution])
        return claimed

    def _commit_one(
        self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution]
    ) -> list[Execution]:
        """Record one answer, or one claim. A failure ends its job, and the run."""
        try:
            written = self._write(answers, chosen)
        # Whatever it is, the id that the platform has just answered must be shown.
        except Exception as failure:  # pylint: disable=broad-exception-caught
            error = failure if isinstance(failure, DidError) else defect(failure)
            if isinstance(error, RegistryMismatch):
                self._progress.moved_to = error.moved_to
            for execution, answer in answers:
                self._progress.conclude(execution, answer, error)
            for execution in chosen:
                unclaimed = _messages.claim_failed(execution.plan, error)
                self._progress.fail_not_applied(execution, unclaimed, error.message)
            self._progress.stop_by_registry(error)
            return []
        return self._conclude(answers, chosen, written)

    def _plan_end(self, answers: Sequence[ExecutionResult], chosen: Sequence[Execution]) -> None:
        """Have the end of the run recorded with these answers, if nothing is left to do after them."""
        runs = self._registry.journal.runs
        is_done = not (chosen or self._in_flight or self._schedule) and runs.has_begun
        runs.final_result = self._progress.result if answers and is_done else None

    def _rollback_if_stopped(self, claimed: list[Execution]) -> list[Execution]:
        """Return what was claimed; or roll it back, if an answer recorded with it has ended the run, or it has been told to stop since."""
        self._progress.stopped = self._progress.stopped or self._stop_reason()
        if not self._progress.stopped:
            return claimed
        for execution in claimed:
            try:
                self._registry.journal.rollback(execution.token)
            except DidError as error:
                self._progress.fail_by_registry(execution, error, intent_remains=True)
            else:
                self._progress.abandon(execution)
        return []

    def _claim(self, execution: Execution) -> str | None:
        run = self._registry.journal.runs.key
        execution.intent = self._planner.make_intent(execution.plan, run)
        return self._registry.journal.claim(self._settings.platform, execution.intent)

    def _is_granted(self, execution: Execution, token: str | None) -> bool:
        """Tell whether a claim was granted. If not, another run has written since the look-up: plan anew."""
        if token is not None:
            execution.token = token
            return True
        execution.lost_races += 1
        if execution.lost_races > self._pacing.max_races:
            words = "other runs keep changing it"
            message = f"{execution.job.desired.label}: {words}. Nothing was sent. Run again later"
            self._progress.fail_not_applied(execution, RegistryBusy(message), words)
        else:
            self._progress.defer(execution, random.uniform(0.0, self._pacing.race_pause))
        return False

    def _record(self, execution: Execution, answer: SendResult) -> Record | LateAnswer | None:
        """End the claim as the answer demands. Where an unknown outcome cannot be recorded, the claim holds the record until its lease is over."""
        journal = self._registry.journal
        if is_applied(answer):
            try:
                return journal.confirm(
                    execution.token,
                    self._settings.platform,
                    t.cast(Intent, execution.intent),
                    t.cast("int", t.cast(Outcome, answer).record_id),
                    timestamp(),
                )
            except LateAnswer as late:
                return late
        if answer.may_be_applied:
            journal.mark_unknown(execution.token)
        else:
            journal.rollback(execution.token)
        return None


def _differs(planned: Plan, plan: Plan) -> bool:
    """Tell whether something else would be done than was planned. An adoption that may have been applied goes on as an update."""
    if planned.record_id != plan.record_id:
        return True
    return plan.action != planned.action and (planned.action, plan.action) != (ADOPT, UPDATE)
