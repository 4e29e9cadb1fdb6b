# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""How far a run has come: the state of each job, what an answer means for it, and why the run must stop."""

from __future__ import annotations

import contextlib
import typing as t

from .. import _messages
from .._errors import DidError, defect
from .._model import CREATE, Intent, Job, Plan, Record, RunResult
from .._platform.outcome import APPLIED, MAYBE_APPLIED, NOT_APPLIED, Outcome
from .._registry.claims import FIRST_PAUSE
from .._registry.journal import Journal, LateAnswer
from .._registry.runs import COMPLETED, FAILED, STOPPED
from .planner import Planner
from .sender import SendFailure, SendResult

if t.TYPE_CHECKING:  # pragma: no cover
    from .._snippets import Target
    from .throttle import ConcurrencyLimit, Pacing, Schedule

# So many DIDs in a row without a clear answer end a run: the others would wait for the same, or become unknown too.
_MAX_UNANSWERED = 10

WriteResult = t.Union[Record, LateAnswer, DidError, None]
"""What the registry made of an answer."""


class Execution:
    """The execution of one job: its claim, and what its attempts have come to.

    C(planned): the first plan. C(first_uncertain): plan and outcome of the first attempt that may have been applied.
    C(last_failure): those of the last one that was not known to be applied. C(retries): attempts that failed and count.
    C(lost_races): claims that another run took first. C(is_stale): whether it must be planned anew before it is sent.
    C(in_flight): the highest number of requests in flight during this one. C(limit): how many were allowed when it was sent.
    C(claim_deadline): when to give up waiting for another run's claim. C(claim_pause): before the next look at it.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.planned = self.plan
        self.first_uncertain: tuple[Plan, Outcome] | None = None
        self.last_failure: tuple[Plan, Outcome] | None = None
        self.retries = self.lost_races = 0
        self.is_stale = False
        self.intent: Intent | None = None
        self.token = ""
        self.in_flight = self.limit = 1
        self.claim_deadline: float | None = None
        self.claim_pause = FIRST_PAUSE

    @property
    def plan(self) -> Plan:
        """Return the current plan."""
        return t.cast("Plan", self.job.plan)


class Progress:
    """Ends executions or defers them.

    C(stopped): why the run must stop, or None. C(moved_to): where the registry was moved, or None. C(failures): jobs that ended by an error.
    """

    def __init__(
        self,
        planner: Planner,
        schedule: Schedule[Execution],
        limit: ConcurrencyLimit,
        pacing: Pacing,
    ) -> None:
        self.stopped: str | None = None
        self.moved_to: str | None = None
        self.failures = 0
        self._planner = planner
        self._schedule = schedule
        self._limit = limit
        self._pacing = pacing
        # DIDs in a row that got no clear answer.
        self._unanswered = 0
        # How the run ended, where that was recorded with its last answers.
        self._recorded_result: str | None = None
        self._is_registry_lost = False

    @property
    def result(self) -> str:
        """Return how the run ends, if it ends now."""
        if self.stopped:
            return STOPPED
        return FAILED if self.failures else COMPLETED

    def note_end(self) -> None:
        """Take note that the end of the run is recorded."""
        self._recorded_result = self.result

    def finish(self, journal: Journal) -> RunResult:
        """Record how the run has ended, unless that was recorded with its last answers. Returns it."""
        if self.result != self._recorded_result and not self._is_registry_lost:
            # Without it, the run reads as an interrupted one.
            with contextlib.suppress(DidError):
                journal.end_run(self.result)
        return RunResult(
            self.stopped,
            self.moved_to,
            self._limit.refusals,
            self._limit.lowest,
            journal.restored,
            journal.runs.key if journal.runs.has_begun else None,
        )

    def stop(self, reason: str) -> None:
        """Let nothing more be sent."""
        self.stopped = self.stopped or reason

    def stop_by_registry(self, error: DidError) -> None:
        """Let nothing more be sent, as the registry cannot be written."""
        self._is_registry_lost = True
        self.stop(f"the registry could not be written ({error.message})")

    def defer(self, execution: Execution, seconds: float) -> None:
        """Put an execution back for so many seconds; it is then planned anew."""
        execution.is_stale = True
        self._schedule.defer(execution, seconds)

    # What an answer means

    def conclude(self, execution: Execution, answer: SendResult, written: WriteResult) -> None:
        """Take an answer as the end of its job, or as a reason to try again."""
        if isinstance(answer, SendFailure):
            self._conclude_crash(execution, answer, written)
        elif answer.state == APPLIED:
            self._conclude_applied(execution, t.cast("int", answer.record_id), written)
        elif isinstance(written, DidError) and answer.state == NOT_APPLIED:
            remains = self._intent_remains(execution)
            failure = _messages.rollback_failed(execution.plan, answer, written, remains)
            self.fail_not_applied(execution, failure, f"{answer.message}; {written.message}")
        else:
            self._retry_or_fail(execution, answer)

    def _conclude_crash(
        self, execution: Execution, crash: SendFailure, written: WriteResult
    ) -> None:
        error = crash.error
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, DidError):
            # From the check of the claim before the first byte.
            self.fail_by_registry(execution, error, intent_remains=isinstance(written, DidError))
        else:
            failure = defect(error)
            failure.is_unknown = crash.bytes_sent
            self.fail(execution, failure)

    def _conclude_applied(self, execution: Execution, record_id: int, written: WriteResult) -> None:
        self._unanswered = 0
        self._limit.note_success(execution.limit)
        plan = execution.plan
        if isinstance(written, DidError):
            error = _messages.commit_failed(plan, record_id, written, self._target())
            self.fail(execution, error)
        elif isinstance(written, LateAnswer):
            self.fail(execution, _messages.late_answer(plan, record_id, written.record))
        else:
            if execution.first_uncertain is not None:
                execution.job.plan = execution.first_uncertain[0]
            execution.job.record = written

    def _retry_or_fail(self, execution: Execution, answer: Outcome) -> None:
        execution.last_failure = execution.plan, answer
        if answer.state == MAYBE_APPLIED and execution.first_uncertain is None:
            execution.first_uncertain = execution.last_failure
        if answer.kind == "throttled" and execution.in_flight > 1:
            # Refused because of the other requests: that does not count as a retry.
            self._limit.note_refusal(execution.limit)
            self._schedule.pause(min(answer.retry_after or 0.0, self._pacing.longest_retry_after))
            self.defer(execution, 0.0)
            return
        if not self._may_retry(execution, answer):
            self._fail_by_answer(execution)
            return
        pause = self._pacing.pause_before_retry(execution.retries, answer.retry_after)
        execution.retries += 1
        if answer.kind in ("throttled", "unreachable"):
            # Where the platform refuses or is not there, that holds for the other DIDs too.
            self._schedule.pause(pause)
        self.defer(execution, pause)

    def _may_retry(self, execution: Execution, answer: Outcome) -> bool:
        """A create is sent again only if it certainly was not applied; an edit may always be repeated."""
        certain = answer.state == NOT_APPLIED
        allowed = answer.retryable and (certain or execution.plan.action != CREATE)
        # Once the platform was unreachable for one DID, through all of its retries, the next ones are tried once.
        is_down = answer.kind == "unreachable" and self._unanswered > 0
        return allowed and not is_down and execution.retries < self._planner.settings.retries

    # What fails

    def fail(self, execution: Execution, error: DidError) -> None:
        """End a job by an error."""
        execution.job.error = error
        self.failures += 1
        limit = self._planner.settings.max_failures
        if limit is not None and self.failures > limit:
            self.stop(f"more DIDs failed than max_failures ({limit}) allows")

    def fail_not_applied(
        self, execution: Execution, error: DidError, why: str | None = None
    ) -> None:
        """End a job whose last request was certainly not applied, or cannot be sent, by the reason.

        If an earlier request may have been applied, that is the error, with C(why) or the other error's message added.
        """
        if execution.first_uncertain is not None:
            failure = self._request_failed(execution, *execution.first_uncertain)
            error = _messages.retry_failed(failure, why or error.message)
        self.fail(execution, error)

    def fail_by_registry(
        self, execution: Execution, error: DidError, *, intent_remains: bool
    ) -> None:
        """End a job by the registry's error before its request. C(intent_remains): whether its intent may be in the registry."""
        remains = self._intent_remains(execution) if intent_remains else ""
        failure = _messages.send_failed(execution.plan, error, remains)
        self.fail_not_applied(execution, failure, error.message)

    def abandon(self, execution: Execution) -> None:
        """Give up a job of a stopped run: it has failed if it was to be tried again; else it was not attempted."""
        if execution.last_failure is not None:
            self._fail_by_answer(execution)

    def _fail_by_answer(self, execution: Execution) -> None:
        failed = execution.first_uncertain or t.cast("tuple[Plan, Outcome]", execution.last_failure)
        self.fail(execution, self._request_failed(execution, *failed))
        unclear = failed[1].kind in ("unreachable", "unknown_outcome")
        self._unanswered = self._unanswered + 1 if unclear else 0
        if self._unanswered >= _MAX_UNANSWERED:
            self.stop(f"{self._unanswered} DIDs in a row got no clear answer from the platform")

    def _request_failed(self, execution: Execution, plan: Plan, outcome: Outcome) -> DidError:
        # A create that may have been applied is the last thing that was claimed for its DID.
        return _messages.request_failed(plan, outcome, execution.token, self._target())

    def _intent_remains(self, execution: Execution) -> str:
        return _messages.intent_remains(execution.plan, execution.token, self._target())

    def _target(self) -> Target:
        return self._planner.target(self.moved_to)
