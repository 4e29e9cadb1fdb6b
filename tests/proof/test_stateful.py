# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens, in whatever order: no DID twice, and registry and platform agree.

C(PROOF_STEPS) sets how many steps are taken in all, C(make proof) sets it to many.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ansible_collections.nextbilling.did.plugins.module_utils._errors import DidError
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    UNKNOWN,
    Plan,
    Policy,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.diff import diff
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints
from ansible_collections.nextbilling.did.tests.proof.world import (
    AFTER_ANSWER,
    BEFORE_REQUEST,
    Converged,
    Killed,
    World,
)
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.backups import Backup
from ansible_collections.nextbilling.did.tests.support.stores import (
    POOLER,
    POSTGRESQL,
    SQLITE,
    Store,
    pooler_at_length,
)

STEPS = int(os.environ.get("PROOF_STEPS", "1200"))
STEPS_OF_A_STORY = 40
# A step takes longer in a database.
SHARES = {SQLITE: 1, POSTGRESQL: 2, POOLER: 4}
ALL_NUMBERS = ("1130001000", "1130001001", "1130001002")
NUMBERS = st.sampled_from(ALL_NUMBERS)
LEASE_AND_MORE = 1000.0

# What a run may meet: a fault of the platform with its parameters, or None.
FAULTS: list[dict[str, Any] | None] = [
    None,
    None,
    {"name": "drop_before"},
    {"name": "drop_after"},
    {"name": "reset_before"},
    {"name": "reset_after"},
    {"name": "status", "status": 422},
    {"name": "status", "status": 500},
    {"name": "status_after", "status": 502},
    {"name": "error_body", "reason": "no"},
    {"name": "throttle"},
    {"name": "truncate"},
    {"name": "raw_body", "body": "<html>"},
    {"name": "raw_body", "body": '{"error":0}'},
    {"name": "redirect", "status": 302, "location": "https://other.example{path}"},
]
MOMENTS = st.sampled_from([BEFORE_REQUEST, AFTER_ANSWER])


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """What a task declares beside the number."""
    declared: dict[str, Any] = {}
    if draw(st.booleans()):
        declared["port"] = draw(st.integers(5060, 5062))
    if draw(st.booleans()):
        declared["description"] = draw(st.sampled_from(["", "a", "b"]))
    if draw(st.integers(0, 3)) == 0:
        declared["password"] = draw(st.sampled_from(["one", "two"]))
    return declared


class Story(RuleBasedStateMachine):
    """Operators, runs, faults and deaths around one platform and one registry."""

    simulator: ClassVar[Simulator]
    empty_store: ClassVar[Callable[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.simulator.reset()
        self.world = World(self.simulator, type(self).empty_store())
        # What was seen of open DIDs: number, state, and the record id or the attempt.
        self.kept: list[tuple[str, str, int | None, str | None]] = []
        self.backups: list[Backup] = []
        # Whether edits were lost: then the registry does not know what fields there are.
        self.has_lost_edits = False

    def teardown(self) -> None:
        self.world.reset_clock()

    # What happens

    @rule(
        number=NUMBERS, declared=fields(), fault=st.sampled_from(FAULTS), retries=st.integers(0, 2)
    )
    def run(self, number: str, declared: dict[str, Any], fault: Any, retries: int) -> None:
        """A run, with a prediction before it that must come true when nothing interferes."""
        task = {"did_number": number, **declared}
        predicted = self._check(task)
        self._fault(fault)
        done = self.world.converge(task, retries=retries)
        self.simulator.clear_faults()
        if fault is None:
            self._came_true(predicted, done)

    @rule(number=NUMBERS, declared=fields(), force=st.booleans())
    def force(self, number: str, declared: dict[str, Any], force: bool) -> None:
        """A run that is told to edit whatever is known."""
        self.world.converge({"did_number": number, **declared}, policy=Policy(force=force))

    @rule(number=NUMBERS, declared=fields(), moment=MOMENTS, fault=st.sampled_from(FAULTS))
    def kill(self, number: str, declared: dict[str, Any], moment: str, fault: Any) -> None:
        """A run that dies; if at all, its claim stays until its lease has ended."""
        self._fault(fault)
        self.world.converge({"did_number": number, **declared}, kill=moment)
        self.simulator.clear_faults()

    @rule()
    def wait(self) -> None:
        """Long enough for every lease to end."""
        self.world.pass_time(LEASE_AND_MORE)

    @rule(
        number=NUMBERS,
        declared=fields(),
        other=fields(),
        moment=MOMENTS,
        late=st.booleans(),
        fault=st.sampled_from(FAULTS),
    )
    def meet(
        self,
        number: str,
        declared: dict[str, Any],
        other: dict[str, Any],
        moment: str,
        late: bool,
        fault: Any,
    ) -> None:
        """A run during whose attempt another one wants the same DID; the first may be held up beyond its lease."""

        def between() -> None:
            if late:
                self.world.pass_time(LEASE_AND_MORE)
            self.world.converge({"did_number": number, **other})
            self._settle_if_open(number)
            self.world.converge({"did_number": number, **other})

        self._fault(fault)
        self.world.converge({"did_number": number, **declared}, moments={moment: between})
        self.simulator.clear_faults()

    @rule(number=NUMBERS, declared=fields())
    def unreachable(self, number: str, declared: dict[str, Any]) -> None:
        """A run that does not reach the platform leaves no trace of its own."""
        before = self.world.record(number)
        done = self.world.converge({"did_number": number, **declared}, api_url="http://127.0.0.1:9")
        after = self.world.record(number)
        if isinstance(done, DidError) and done.kind == "unreachable":
            assert (before is None) == (after is None)
            assert before is None or after is None or before.fields == after.fields

    @rule(number=NUMBERS)
    def look_up(self, number: str) -> None:
        """A person looks at the platform, and tells the registry what is there."""
        self._settle_if_open(number)

    @rule(number=NUMBERS)
    def look_for_later(self, number: str) -> None:
        """A person looks at an open DID, and keeps what is to be said of it: in a playbook, or in mind."""
        record = self.world.record(number)
        if record is not None and record.shown_outcome == UNKNOWN:
            held = self.world.held(number)
            said = ("recorded", held[0], None) if held else ("forgotten", None, record.attempt)
            self.kept.append((number, *said))

    @rule(data=st.data())
    def speak_late(self, data: st.DataObject) -> None:
        """A person says what was seen at any time before, once more, and perhaps without the attempt."""
        if self.kept:
            number, state, record_id, attempt = data.draw(st.sampled_from(self.kept))
            before = self.world.record(number)
            if state == "forgotten" and data.draw(st.booleans()):
                attempt = None
            self.world.resolve(state, number, record_id, attempt)
            if before is not None and (before.attempt != attempt or attempt is None):
                assert state == "recorded" or self.world.record(number) is not None

    @rule(number=NUMBERS, declared=fields())
    def adopt(self, number: str, declared: dict[str, Any]) -> None:
        """A person looks at the platform, and gives the task the id."""
        held = self.world.held(number)
        if held:
            self.world.converge({"did_number": number, **declared}, held[0])

    @rule(number=NUMBERS, new=NUMBERS, fault=st.sampled_from(FAULTS))
    def renumber(self, number: str, new: str, fault: Any) -> None:
        """A record gets a number that no other record has."""
        held = self.world.held(number)
        if held and not self.world.held(new):
            self._fault(fault)
            self.world.converge({"did_number": new}, held[0], policy=Policy(renumber=True))
            self.simulator.clear_faults()

    @rule()
    def change_key(self) -> None:
        """The API key is changed: fingerprints made with the old one cannot be compared."""
        self.world.api_key += "+"

    @rule(steps=st.integers(1, STEPS_OF_A_STORY))
    def lose(self, steps: int) -> None:
        """The registry loses its newest commits, and a run that would create a DID again is refused until it is recorded."""
        self.wait()
        for number in ALL_NUMBERS:
            self._settle_if_open(number)
        if any(record.outcome != CONFIRMED for record in self.world.records()):
            # What a request of unknown outcome has done is known to nobody but the registry.
            return
        self.backups[-min(steps, len(self.backups))].restore()
        self.has_lost_edits = True
        unknown = [number for number in ALL_NUMBERS if not self._is_known(number)]
        for number in unknown:
            for check in (True, False):
                done = self.world.converge({"did_number": number}, check=check)
                assert isinstance(done, DidError) and done.kind == "registry_mismatch", done
        self.world.record_missing()
        assert all(map(self._is_known, ALL_NUMBERS))

    def _is_known(self, number: str) -> bool:
        """Whether no run creates it again: it is not on the platform, or the registry has it."""
        record = self.world.record(number)
        held = self.world.held(number)
        return not held or (record is not None and record.record_id in (None, *held))

    # What must hold

    @invariant()
    def back_up(self) -> None:
        """Keep what the registry holds."""
        self.backups.append(Backup(self.world.store))

    @invariant()
    def no_did_exists_twice(self) -> None:
        """Promise 1."""
        for number in ALL_NUMBERS:
            assert len(self.world.held(number)) <= 1, number

    @invariant()
    def registry_and_platform_agree(self) -> None:
        """What the registry takes for confirmed is so, and nothing that exists is unknown to it."""
        held = self.simulator.dids()
        records = self.world.records()
        known = {number for record in records for number in record.numbers}
        assert {fields["did_number"] for fields in held.values() if fields} <= known
        with self.world.registry() as registry:
            fingerprints = Fingerprints(self.world.api_key, registry.registry_id)
        for record in records:
            if record.outcome == UNKNOWN:
                assert record.record_id is None
                continue
            assert record.record_id in held
            live = record.claim is not None and record.claim.live
            if record.outcome == CONFIRMED and not live and not self.has_lost_edits:
                assert not record.attempted
                for name, value in record.fields.items():
                    there = held[record.record_id][name]
                    if name != "password":
                        assert value == there, name
                    elif fingerprints.is_comparable(value):
                        assert value == fingerprints.of(name, there)

    # How

    def _fault(self, fault: dict[str, Any] | None) -> None:
        if fault is not None:
            self.simulator.fault(**fault)

    def _check(self, task: dict[str, Any]) -> Any:
        stored, seen = self.world.traces(), len(self.simulator.requests())
        predicted = self.world.converge(task, check=True)
        assert self.world.traces() == stored
        assert len(self.simulator.requests()) == seen
        return predicted

    def _came_true(self, predicted: Any, done: Any) -> None:
        if isinstance(predicted, DidError):
            assert isinstance(done, DidError)
            assert done.kind == predicted.kind
            return
        assert isinstance(predicted, Plan)
        assert isinstance(done, Converged), done
        assert done.plan.action == predicted.action
        assert diff(done.plan) == diff(predicted)

    def _settle_if_open(self, number: str) -> None:
        record = self.world.record(number)
        if record is None or record.outcome != UNKNOWN:
            return
        held = self.world.held(number)
        if held:
            self.world.resolve("recorded", number, held[0])
        else:
            self.world.resolve("forgotten", number, attempt=record.attempt)


@pytest.fixture
def _story_places(running: Simulator, empty_store: Callable[[], Store]) -> None:
    Story.simulator = running
    Story.empty_store = empty_store


@pooler_at_length
@pytest.mark.usefixtures("_story_places")
def test_whatever_happens_no_did_exists_twice(request: pytest.FixtureRequest) -> None:
    steps = STEPS // SHARES[request.node.callspec.params["empty_store"]]
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=max(1, steps // STEPS_OF_A_STORY),
            stateful_step_count=STEPS_OF_A_STORY,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )


@pooler_at_length
def test_a_death_is_a_death(running: Simulator, store: Store) -> None:
    """The stories' own means: what is killed does not clean up."""
    running.reset()
    world = World(running, store)
    for moment, seen in ((BEFORE_REQUEST, 0), (AFTER_ANSWER, 1)):
        done: Callable[[], Any] | Any = world.converge({"did_number": str(seen)}, kill=moment)
        assert isinstance(done, Killed)
        record = world.record(str(seen))
        assert record is not None and record.outcome == UNKNOWN
        assert record.claim is not None and record.claim.live
        assert len(running.requests()) == seen
