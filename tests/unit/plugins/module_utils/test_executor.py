# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does when other runs, the registry or a signal come between plan and request. No server, no database, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.executor import Executor
from ansible_collections.nextbilling.did.plugins.module_utils._engine.planner import (
    Planner,
    Settings,
)
from ansible_collections.nextbilling.did.plugins.module_utils._engine.throttle import Pacing
from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    DidError,
    RegistryMismatch,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    UNKNOWN,
    Claim,
    Desired,
    Job,
    LookupResult,
    Policy,
    Record,
    RunResult,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import Connection
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import (
    APPLIED,
    NOT_APPLIED,
    NotPermitted,
    Outcome,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import LateAnswer
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.runs import RunWriter
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints

REFUSED = Outcome(NOT_APPLIED, "no", kind="refused", http_status=422)
THROTTLED = Outcome(NOT_APPLIED, "too many", kind="throttled", http_status=429, retryable=True)
UNREACHABLE = Outcome(NOT_APPLIED, "nobody there", kind="unreachable", retryable=True)
LOST = Outcome("unknown", "no answer", kind="unknown_outcome", retryable=True)
BROKEN = RegistryUnavailable("the disk is full")
SETTINGS = Settings("platform", Connection("https://x", "t", "k"), Policy())
AT_ONCE = Pacing(retry_pause=0.0, race_pause=0.0, max_races=2)


def record(number: str, record_id: int | None, claim: Claim | None = None) -> Record:
    """Return what is known of a DID."""
    outcome = CONFIRMED if record_id is not None else UNKNOWN
    fields = {"did_number": number, "port": 1} if record_id is not None else {}
    return Record(f"key {number}", 1, record_id, outcome, (number,), fields, {}, None, claim)


def claimed(number: str) -> Record:
    """Return what is known of a DID that another run holds."""
    return record(number, None, Claim("other", "create", "ana@runner", 1000.0))


def updated(number: str) -> Job:
    """Return a DID that is known as record 12, with another port than is declared."""
    job = Job(Desired({"did_number": number, "port": 2}))
    known = record(number, 12)
    return _planned(job, (known, known))


def created(number: str) -> Job:
    """Return a DID that the registry does not know."""
    return _planned(Job(Desired({"did_number": number})), (None, None))


def adopted(number: str) -> Job:
    """Return a DID that the registry does not know, and of which the task says that it is record 12."""
    return _planned(Job(Desired({"did_number": number, "port": 2}, 12)), (None, None))


def _planned(job: Job, found: LookupResult) -> Job:
    World().planner.plan_job(job, found)
    assert job.sends
    return job


@dataclass
class World:
    """A platform and a registry that answer what a test says, and note what happens to them.

    C(claims), C(found), C(answers): what comes of each claim, look-up and request, in turn; what is left over goes well. An exception
    is raised.
    """

    claims: list[Any] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    valid: bool = True
    settings: Settings = SETTINGS
    log: list[str] = field(default_factory=list)
    leases: list[float] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    closed: int = 0
    ends: list[str] = field(default_factory=list)
    runs: RunWriter = field(default_factory=RunWriter)

    location = "/state/registry.db"
    registry_id = "id"
    restored = 0

    def set(self, **settings: Any) -> None:
        """Change settings of the run."""
        self.settings = self.settings._replace(**settings)

    @property
    def planner(self) -> Planner:
        """Return a planner of this world."""
        return Planner(cast(Registry, self), self.settings, Fingerprints("key", "id"))

    def run(
        self,
        *jobs: Job,
        stop_reason: Callable[[], str | None] = lambda: None,
        pacing: Pacing = AT_ONCE,
    ) -> RunResult:
        """Carry out jobs."""
        make_client = cast(Any, lambda: self)
        executor = Executor(
            self.planner,
            make_client,
            jobs,
            sleep=self.slept.append,
            stop_reason=stop_reason,
            pacing=pacing,
        )
        return executor.run()

    def _next(self, what: str, scripted: list[Any], usual: Any) -> Any:
        self.log.append(what)
        result = scripted.pop(0) if scripted else usual
        if isinstance(result, BaseException):
            raise result
        return result

    def _note(self, what: str) -> None:
        self.log.append(what)
        if what in self.failing:
            raise self.failing[what]

    # The registry and its journal

    @property
    def journal(self) -> World:
        """Return what writes."""
        return self

    def begin_bulk(self) -> None:
        """Note that many writes follow."""
        self._note("begin_bulk")

    def find(self, _platform: str, number: str | None, _record_id: int | None) -> LookupResult:
        """Look up a DID."""
        found = self._next(f"find {number}", self.found, None)
        return (found, None)

    def find_many(self, platform: str, wanted: Sequence[tuple[Any, Any]]) -> list[LookupResult]:
        """Look up DIDs."""
        return [self.find(platform, *each) for each in wanted]

    def atomic(self, work: Callable[[], Any]) -> Any:
        """Write all or nothing."""
        self.log.append("begin")
        result = work()
        self._note("commit")
        return result

    def claim(self, _platform: str, intent: Any) -> str | None:
        """Claim a DID."""
        self.leases.append(intent.lease)
        token: str | None = self._next(f"claim {intent.number}", self.claims, intent.number)
        return token

    def is_claim_valid(self, token: str, _seconds: float) -> bool:
        """Tell whether a claim still holds."""
        self._note(f"check {token}")
        return self.valid

    def confirm(self, token: str, _platform: str, _intent: Any, record_id: int, _at: str) -> Record:
        """Record an answer."""
        self._note(f"confirm {token}")
        return record(token, record_id)

    def rollback(self, token: str) -> None:
        """Undo a claim."""
        self._note(f"rollback {token}")

    def end_run(self, result: str) -> None:
        """Record the end of the run."""
        self.ends.append(result)

    def mark_unknown(self, token: str) -> None:
        """Leave a claim open."""
        self._note(f"mark_unknown {token}")

    # The platform

    bytes_sent = False

    def create(self, _body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Answer a PUT."""
        return self._answer("PUT", before_send)

    def edit(self, _record_id: int, _body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Answer a POST."""
        return self._answer("POST", before_send)

    def _answer(self, method: str, before_send: Callable[[float], None]) -> Outcome:
        try:
            before_send(60.0)
        except NotPermitted:
            return Outcome(NOT_APPLIED, "its claim is over", kind="unreachable")
        outcome: Outcome = self._next(method, self.answers, Outcome(APPLIED, record_id=77))
        return outcome

    def close(self) -> None:
        """Close the connection."""
        self.closed += 1

    @property
    def sent(self) -> list[str]:
        """Return the methods of the requests."""
        return [each for each in self.log if each in ("PUT", "POST")]


def error_of(job: Job) -> DidError:
    """Return what stopped a DID."""
    assert job.error is not None
    return job.error


def not_attempted(*jobs: Job) -> bool:
    """Tell whether nothing became of DIDs, good or bad."""
    return all(job.record is None and job.error is None for job in jobs)


def test_the_intent_is_written_before_the_request_and_the_answer_after_it() -> None:
    world, job = World(), created("1")
    assert world.run(job) == RunResult()
    assert world.log == ["claim 1", "check 1", "PUT", "confirm 1"]
    assert (job.record, job.error) == (record("1", 77), None)
    # A claim outlasts its request.
    assert world.leases[0] > world.settings.connection.timeout + 20


def test_an_answer_and_the_next_intent_are_one_transaction() -> None:
    world, jobs = World(), [created("1"), updated("2")]
    world.run(*jobs)
    between = ["begin", "confirm 1", "claim 2", "commit"]
    assert world.log == ["claim 1", "check 1", "PUT", *between, "check 2", "POST", "confirm 2"]
    assert all(job.record and not job.error for job in jobs)


@pytest.mark.parametrize(("count", "prepared"), [(19, 0), (20, 1)])
def test_the_registry_is_prepared_for_many_requests(count: int, prepared: int) -> None:
    world = World()
    world.run(*(created(str(number)) for number in range(count)))
    assert world.log.count("begin_bulk") == prepared


# Other runs


def test_a_claim_that_another_run_took_first_is_planned_anew() -> None:
    world, job = World(claims=[None, None]), created("1")
    world.run(job)
    assert world.log[:4] == ["claim 1", "find 1", "claim 1", "find 1"]
    assert world.sent == ["PUT"] and job.record


def test_other_runs_that_are_always_first() -> None:
    world, job = World(claims=[None, None, None]), created("1")
    assert world.run(job).stopped is None
    assert error_of(job).kind == "registry_busy" and world.sent == []
    assert "DID 1" in error_of(job).message and "Nothing was sent" in error_of(job).message


def test_what_another_run_did_meanwhile_decides_what_is_left_to_do() -> None:
    world, job = World(claims=[None], found=[record("1", 12)]), created("1")
    world.run(job)
    assert world.sent == [] and job.error is None
    assert job.record == record("1", 12)


def test_a_create_of_unknown_outcome_that_another_run_left_stops_this_one() -> None:
    world, job = World(claims=[None], found=[record("1", None)]), created("1")
    world.run(job)
    assert error_of(job).kind == "unknown_outcome" and world.sent == []


@pytest.mark.parametrize("bound", [False, True])
def test_another_plan_than_the_reviewed_one_is_not_carried_out(bound: bool) -> None:
    world, job = World(claims=[None], found=[None]), updated("1")
    world.set(plan_is_binding=bound)
    world.run(job)
    if bound:
        assert error_of(job).kind == "plan_changed" and world.sent == []
    else:
        assert job.error is None and world.sent == ["PUT"]


def test_the_same_plan_for_another_record_is_not_the_reviewed_one() -> None:
    world, job = World(claims=[None], found=[record("1", 13)]), updated("1")
    world.set(plan_is_binding=True)
    world.run(job)
    assert error_of(job).kind == "plan_changed" and world.sent == []


def test_the_reviewed_plan_is_carried_out_after_a_lost_race() -> None:
    world, job = World(claims=[None], found=[record("1", 12)]), updated("1")
    world.set(plan_is_binding=True)
    world.run(job)
    assert job.error is None and world.sent == ["POST"]


def test_an_adoption_that_may_have_been_applied_goes_on_as_an_update() -> None:
    world, job = World(answers=[LOST], found=[record("1", 12)]), adopted("1")
    world.set(plan_is_binding=True)
    world.run(job)
    assert job.error is None and world.sent == ["POST", "POST"]


def test_another_run_that_keeps_its_claim() -> None:
    world, job = World(claims=[None], found=[claimed("1")]), created("1")
    world.set(registry_timeout=0.0)
    world.run(job)
    assert error_of(job).kind == "registry_busy" and "ana@runner" in error_of(job).message
    assert world.sent == []


def test_another_run_is_waited_for_with_longer_and_longer_pauses() -> None:
    world, job = World(claims=[None], found=[claimed("1")] * 8), created("1")
    world.run(job)
    assert world.sent == ["PUT"] and job.record
    # 0.1, 0.2, 0.4, 0.8, 1.6 and thrice 2 seconds, with a report after each second.
    doubling = [0.1, 0.2, 0.4, 0.8, 1.0, 0.6 + 1e-9, *[1.0] * 6]
    # Less is left of a pause where the machine is busy.
    assert all(slept <= pause for slept, pause in zip(world.slept, doubling, strict=True))
    assert sum(world.slept) > 6.0


def test_pauses_are_short_again_once_another_run_has_ended() -> None:
    found = [claimed("1"), claimed("1"), None, claimed("1")]
    world, job = World(claims=[None, None], found=found), created("1")
    world.run(job)
    assert job.record and len(world.slept) == 3
    assert world.slept[2] <= 0.1


# The registry fails


def test_a_registry_that_cannot_be_read_before_a_retry_ends_the_run() -> None:
    world, jobs = World(claims=[None], found=[BROKEN]), [created("1"), created("2")]
    result = world.run(*jobs)
    assert "could not be read" in str(result.stopped)
    assert world.sent == [] and not_attempted(jobs[1])
    assert error_of(jobs[0]).kind == "registry_unavailable"
    assert "not applied" in error_of(jobs[0]).message
    assert "state: forgotten" not in error_of(jobs[0]).message, "no intent was written"


def test_nothing_is_sent_that_cannot_be_recorded_first() -> None:
    world, jobs = World(claims=[BROKEN]), [created("1"), created("2")]
    result = world.run(*jobs)
    assert "could not be written" in str(result.stopped)
    assert error_of(jobs[0]).kind == "registry_unavailable" and world.sent == []
    assert not_attempted(jobs[1])


def test_a_registry_that_moved_is_named() -> None:
    moved = RegistryMismatch("it was moved")
    moved.moved_to = "/elsewhere/registry.db"
    assert World(claims=[moved]).run(created("1")).moved_to == "/elsewhere/registry.db"


def test_an_id_that_cannot_be_recorded_is_in_the_error() -> None:
    world, jobs = World(failing={"confirm 1": BROKEN}), [created("1"), created("2")]
    result = world.run(*jobs)
    assert "could not be written" in str(result.stopped)
    error = error_of(jobs[0])
    assert (error.kind, error.record_id, error.changed) == ("unrecorded", 77, True)
    assert "77" in error.message and "state: recorded" in error.message
    assert not_attempted(jobs[1]) and world.sent == ["PUT"]


def test_an_answer_that_contradicts_the_registry_is_an_error_and_ends_no_run() -> None:
    late = LateAnswer(record("1", 13))
    world, jobs = World(failing={"confirm 1": late}), [created("1"), created("2")]
    assert world.run(*jobs).stopped is None
    error = error_of(jobs[0])
    assert (error.kind, error.record_id, error.changed) == ("conflict", 77, True)
    assert jobs[1].record


def test_what_one_commit_cannot_hold_is_committed_one_by_one() -> None:
    world, jobs = World(failing={"commit": BROKEN}), [created("1"), created("2")]
    result = world.run(*jobs)
    assert result.stopped is None
    assert world.sent == ["PUT", "PUT"] and all(job.record for job in jobs)
    assert world.log[-3:] == ["check 2", "PUT", "confirm 2"]


def test_a_refusal_that_cannot_be_recorded_leaves_an_intent() -> None:
    world, job = World(answers=[REFUSED], failing={"rollback 1": BROKEN}), created("1")
    assert world.run(job).stopped
    error = error_of(job)
    assert error.kind == "registry_unavailable"
    assert "not applied (no)" in error.message and "state: forgotten" in error.message


def test_a_claim_that_cannot_be_checked_keeps_its_request_from_being_sent() -> None:
    world, jobs = World(failing={"check 1": BROKEN}), [created("1"), created("2")]
    world.run(*jobs)
    error = error_of(jobs[0])
    assert error.kind == "registry_unavailable" and "could not be sent" in error.message
    assert "state: forgotten" not in error.message, "its intent was rolled back"
    assert "rollback 1" in world.log and "mark_unknown 1" not in world.log
    assert world.sent == ["PUT"] and jobs[1].record


def test_a_claim_that_can_neither_be_checked_nor_undone_leaves_an_intent() -> None:
    failing: dict[str, Exception] = {"check 1": BROKEN, "rollback 1": BROKEN}
    world, job = World(failing=failing), created("1")
    world.run(job)
    assert "could not be sent" in error_of(job).message
    assert "state: forgotten" in error_of(job).message and world.sent == []


def test_nothing_is_sent_under_a_claim_that_is_over() -> None:
    world, job = World(valid=False), created("1")
    world.run(job)
    assert world.sent == [] and error_of(job).kind == "unreachable"
    assert world.log[-1] == "rollback 1"


# Signals


def test_a_run_that_is_told_to_stop_claims_nothing_more() -> None:
    world, jobs = World(), [created("1"), created("2")]
    assert world.run(*jobs, stop_reason=lambda: "SIGTERM").stopped == "SIGTERM"
    assert world.log == [] and not_attempted(*jobs)


def after(calls: int) -> Callable[[], str | None]:
    """Tell a run to stop when it has asked so often."""
    left = [None] * calls

    def stopping() -> str | None:
        return left.pop() if left else "SIGTERM"

    return stopping


def test_a_run_that_is_told_to_stop_after_a_claim_undoes_it() -> None:
    world, job = World(), created("1")
    assert world.run(job, stop_reason=after(1)).stopped == "SIGTERM"
    assert world.log == ["claim 1", "rollback 1"] and not_attempted(job)


def test_a_claim_that_cannot_be_undone_is_an_error() -> None:
    world, job = World(failing={"rollback 1": BROKEN}), created("1")
    world.run(job, stop_reason=after(1))
    assert error_of(job).kind == "registry_unavailable" and world.sent == []
    assert "state: forgotten" in error_of(job).message


def test_an_answer_is_recorded_although_the_run_is_told_to_stop() -> None:
    world, jobs = World(), [created("1"), created("2")]
    assert world.run(*jobs, stop_reason=after(2)).stopped == "SIGTERM"
    assert jobs[0].record and not_attempted(jobs[1])
    assert world.sent == ["PUT"] and "confirm 1" in world.log


def test_what_was_to_be_tried_again_has_failed_when_the_run_is_told_to_stop() -> None:
    world, job = World(answers=[UNREACHABLE]), created("1")
    world.run(job, stop_reason=after(3))
    assert error_of(job).kind == "unreachable" and world.sent == ["PUT"]


# Retries


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_request_is_retried_so_often(retries: int) -> None:
    world, job = World(answers=[UNREACHABLE] * 9), created("1")
    world.set(retries=retries)
    world.run(job)
    assert len(world.sent) == 1 + retries and error_of(job).kind == "unreachable"


def test_a_refused_request_is_not_retried() -> None:
    world, job = World(answers=[REFUSED]), created("1")
    world.run(job)
    assert world.sent == ["PUT"] and error_of(job).kind == "refused"


def test_a_create_of_unknown_outcome_is_never_sent_again() -> None:
    world, job = World(answers=[LOST]), created("1")
    world.run(job)
    assert world.sent == ["PUT"] and error_of(job).kind == "unknown_outcome"
    assert (error_of(job).attempt, world.log[-1]) == ("1", "mark_unknown 1")


def test_an_edit_of_unknown_outcome_is_sent_again() -> None:
    known = record("1", 12)
    world, job = World(answers=[LOST], found=[known]), updated("1")
    planned = job.plan
    world.run(job)
    assert world.sent == ["POST", "POST"] and job.error is None and job.record
    # What the first attempt may have changed is what the run has changed.
    assert job.plan is planned


@pytest.mark.parametrize(
    ("later", "why"),
    [([None] * 9, "other runs keep changing it"), ([BROKEN], "the disk is full")],
)
def test_an_edit_of_unknown_outcome_stays_one_when_it_cannot_be_sent_again(
    later: Sequence[Any], why: str
) -> None:
    known = record("1", 12)
    world, job = World(answers=[LOST], claims=["1", *later], found=[known] * 9), updated("1")
    world.run(job)
    assert world.sent == ["POST"]
    error = error_of(job)
    assert error.kind == "unknown_outcome"
    assert f"This run could not send it again: {why}" in error.message


def test_what_was_certainly_not_applied_is_not_spoken_of_afterwards() -> None:
    world, job = World(answers=[UNREACHABLE], claims=["1", None, None, None]), created("1")
    world.run(job)
    assert error_of(job).kind == "registry_busy" and world.sent == ["PUT"]


def test_what_may_have_been_applied_is_the_error_whatever_failed_since() -> None:
    world, job = World(answers=[LOST, UNREACHABLE], found=[record("1", 12)]), updated("1")
    world.set(retries=1)
    world.run(job)
    assert world.sent == ["POST", "POST"] and error_of(job).kind == "unknown_outcome"


# Several at once


def several(world: World, concurrency: int = 2) -> World:
    """Return a world in which several requests may be in flight."""
    world.set(concurrency=concurrency, retries=1)
    return world


def test_several_requests_at_once() -> None:
    world, jobs = several(World(), 3), [created(str(number)) for number in range(7)]
    assert world.run(*jobs) == RunResult(None, None, 0, 3)
    assert [job.record for job in jobs] == [record(str(number), 77) for number in range(7)]
    assert len(world.sent) == 7 and world.closed == 3


def test_a_refusal_beside_other_requests_is_no_retry() -> None:
    world, jobs = several(World(answers=[THROTTLED] * 6)), [created("1"), created("2")]
    result = world.run(*jobs)
    # Each of them once beside the other one, and then twice alone.
    assert [error_of(job).kind for job in jobs] == ["throttled", "throttled"]
    assert len(world.sent) == 6
    assert (result.refusals, result.least_concurrency) == (2, 1)


def test_a_refusal_of_the_only_request_lowers_nothing() -> None:
    world, job = several(World(answers=[THROTTLED] * 9)), created("1")
    result = world.run(job)
    assert error_of(job).kind == "throttled" and len(world.sent) == 2
    assert (result.refusals, result.least_concurrency) == (0, 2)


def test_another_failure_beside_other_requests_lowers_nothing() -> None:
    world, jobs = several(World(answers=[UNREACHABLE] * 2)), [created("1"), created("2")]
    result = world.run(*jobs)
    assert all(job.record for job in jobs) and len(world.sent) == 4
    assert (result.refusals, result.least_concurrency) == (0, 2)


# What ends a run


def test_an_interrupt_before_the_first_byte_undoes_the_claim_and_closes_the_connection() -> None:
    world = World(answers=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        world.run(created("1"), created("2"))
    assert world.log[:4] == ["claim 1", "check 1", "PUT", "rollback 1"] and world.closed == 1


@pytest.mark.parametrize("max_failures", [0, 1, 2])
def test_a_run_ends_when_more_fail_than_may(max_failures: int) -> None:
    jobs = [created(str(number)) for number in range(9)]
    world = World(answers=[REFUSED] * 9)
    world.set(max_failures=max_failures)
    result = world.run(*jobs)
    assert "max_failures" in str(result.stopped)
    assert len(world.sent) == max_failures + 1
    assert not_attempted(*jobs[max_failures + 1 :])


def test_a_run_ends_after_ten_dids_in_a_row_without_a_clear_answer() -> None:
    jobs = [created(str(number)) for number in range(30)]
    world = World(answers=[LOST] * 9 + [REFUSED] + [LOST] * 20)
    result = world.run(*jobs)
    assert str(result.stopped).startswith("10 DIDs in a row")
    assert len(world.sent) == 20 and not_attempted(*jobs[20:])


def test_an_applied_request_among_lost_ones_starts_their_count_anew() -> None:
    jobs = [created(str(number)) for number in range(30)]
    world = World(answers=[LOST] * 9 + [Outcome(APPLIED, record_id=77)] + [LOST] * 20)
    assert world.run(*jobs).stopped
    assert len(world.sent) == 20


def test_where_the_platform_was_unreachable_the_next_are_tried_once() -> None:
    jobs = [created(str(number)) for number in range(3)]
    world = World(answers=[UNREACHABLE] * 9)
    world.set(retries=2)
    world.run(*jobs)
    assert len(world.sent) == 3 + 1 + 1
