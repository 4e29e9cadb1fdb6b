# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's statement at every step of a create, about what was seen at every step before: whatever was said, no DID exists twice.

An interleaving is a way in which the create ends, the step at which the person looks, the step at which the person speaks, and what
is said. It then stands in a playbook: it is said again before each later run, and at each step of the next one, whose answer is
lost. All of them are run; C(INTERLEAVINGS) says how many there are.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import DidError
from ansible_collections.nextbilling.did.plugins.module_utils._model import UNDER_WAY, Record
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.tests.proof.relay import (
    Happening,
    Relay,
    relaying,
)
from ansible_collections.nextbilling.did.tests.proof.world import (
    AFTER_ANSWER,
    BEFORE_INTENT,
    BEFORE_REQUEST,
    World,
)
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.stores import (
    Store,
    on_both_backends,
)

AFTER_BYTES = "after the bytes"
AFTER_WORK = "after the platform's work"
AFTER_COMMIT = "after the commit"
LEASE_OVER = "after the lease"
STEPS = (
    BEFORE_INTENT,
    BEFORE_REQUEST,
    AFTER_BYTES,
    AFTER_WORK,
    AFTER_ANSWER,
    AFTER_COMMIT,
    LEASE_OVER,
)
LEASE_AND_MORE = 1000.0


@dataclass(frozen=True)
class Ending:
    """How a create ends. C(last): the last step that its run comes to. C(killed): whether it dies there."""

    last: str = AFTER_ANSWER
    killed: bool = False
    drops_request: bool = False
    drops_answer: bool = False
    refused: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps at which somebody may come: those of the run, and what follows whether it ended or died."""
        never = {AFTER_WORK} if self.drops_request else set()
        own = [step for step in STEPS[: STEPS.index(self.last) + 1] if step not in never]
        return (*own, AFTER_COMMIT, LEASE_OVER)

    @property
    def kill(self) -> str | None:
        """The moment of its death. Whoever dies while a request is under way does nothing any more with what comes of it."""
        if not self.killed:
            return None
        return BEFORE_REQUEST if self.last == BEFORE_REQUEST else AFTER_ANSWER


ENDINGS = {
    "applied": Ending(),
    "answer lost": Ending(drops_answer=True),
    "request lost": Ending(drops_request=True),
    "refused": Ending(refused=True),
    "killed before the request": Ending(BEFORE_REQUEST, True),
    "killed after the bytes": Ending(AFTER_BYTES, True, drops_request=True),
    "killed after the platform's work": Ending(AFTER_WORK, True, drops_answer=True),
    "killed after the answer": Ending(AFTER_ANSWER, True),
}
FORGOTTEN, FORGOTTEN_ATTEMPT, RECORDED = "forgotten", "forgotten, with attempt", "recorded"
STATEMENTS = (FORGOTTEN, FORGOTTEN_ATTEMPT, RECORDED)
NOTHING_TO_SAY = "nothing to say"


class Ran(NamedTuple):
    """How many interleavings there are of an ending, by statement.

    Whoever looks while the request is under way is not told which attempt it is, and can say nothing of it without another look.
    """

    forgotten: int
    forgotten_attempt: int
    recorded: int


INTERLEAVINGS = {
    "applied": Ran(18, 0, 10),
    "answer lost": Ran(18, 0, 10),
    "request lost": Ran(21, 3, 0),
    "refused": Ran(28, 0, 0),
    "killed before the request": Ran(10, 1, 0),
    "killed after the bytes": Ran(15, 1, 0),
    "killed after the platform's work": Ran(15, 0, 6),
    "killed after the answer": Ran(18, 0, 10),
}


class Seen(NamedTuple):
    """What a person sees of a DID: on the platform, and by did_info."""

    record_id: int | None
    attempt: str | None


class Schedule:
    """One interleaving."""

    def __init__(
        self,
        place: tuple[World, Registry, Relay],
        number: str,
        ending: Ending,
        look: str,
        speak: str,
    ) -> None:
        self.world, self.registry, self.relay = place
        self.number = number
        self.ending, self.look, self.speak = ending, look, speak
        self.seen: Seen | None = None
        self.said = ""

    def run(self, said: str) -> bool:
        """Run it. Returns whether the person had something to say."""
        self.said = said
        world, ending, steps = self.world, self.ending, self.ending.steps
        if ending.refused:
            world.simulator.fault("status", status=422, match={"did_number": self.number})
        self._create(self._come_to, ending)
        for step in (AFTER_COMMIT, LEASE_OVER):
            if step == LEASE_OVER:
                world.pass_time(LEASE_AND_MORE)
            if step in steps:
                self._come_to(step)
        if not self._has_something_to_say():
            return False
        # It stays in the playbook, and the answer to the next create is lost.
        self._say()
        self._create(lambda step: self._say(), Ending(drops_answer=True))
        world.pass_time(LEASE_AND_MORE)
        self._say()
        self._create(lambda step: None, Ending())
        self._say()
        return True

    def _create(self, come_to: Callable[[str], None], ending: Ending) -> None:
        """Run the task, on its way through the relay."""
        relay = self.relay
        relay.forget()
        relay.after_bytes = lambda: come_to(AFTER_BYTES)
        relay.after_work = lambda: come_to(AFTER_WORK)
        relay.drops_request, relay.drops_answer = ending.drops_request, ending.drops_answer
        moments: dict[str, Happening] = {
            step: functools.partial(come_to, step)
            for step in (BEFORE_INTENT, BEFORE_REQUEST, AFTER_ANSWER)
        }
        self.world.converge(
            {"did_number": self.number}, api_url=relay.url, moments=moments, kill=ending.kill
        )
        assert relay.failures == []

    def _come_to(self, step: str) -> None:
        if step not in self.ending.steps:
            return
        if step == self.look:
            record = self._known()
            held = self.world.held(self.number)
            self.seen = Seen(held[0] if held else None, None if record is None else record.attempt)
        if step == self.speak and self._has_something_to_say():
            self._say()

    def _has_something_to_say(self) -> bool:
        """Whoever has found it on the platform records it; whoever has not, forgets it."""
        if self.seen is None:
            return False
        if self.said == RECORDED:
            return self.seen.record_id is not None
        if self.said == FORGOTTEN_ATTEMPT and self.seen.attempt is None:
            return False
        return self.seen.record_id is None

    def _say(self) -> None:
        assert self.seen is not None
        if self.said == RECORDED:
            self.world.resolve("recorded", self.number, self.seen.record_id, registry=self.registry)
            return
        before = self._known()
        live = before is not None and before.shown_outcome == UNDER_WAY
        attempt = self.seen.attempt if self.said == FORGOTTEN_ATTEMPT else None
        done = self.world.resolve("forgotten", self.number, attempt=attempt, registry=self.registry)
        changed = not isinstance(done, DidError) and done != []
        if not changed:
            assert _written(self._known()) == _written(before)
            return
        assert before is not None and not live and before.attempt == attempt

    def _known(self) -> Record | None:
        return self.registry.find(self.world.platform, self.number, None)[0]


def _written(record: Record | None) -> tuple[str, int] | None:
    """What differs when a record has been written."""
    return None if record is None else (record.key, record.version)


@pytest.fixture(scope="session")
def relay(running: Simulator) -> Iterator[Relay]:
    """A relay before the simulator."""
    with relaying(running.url) as relay:
        yield relay


@pytest.fixture(autouse=True)
def _right_clock() -> Iterator[None]:
    yield
    World.reset_clock()


@pytest.mark.parametrize("ending", ENDINGS)
@on_both_backends
def test_a_statement_at_every_step_of_a_create(
    running: Simulator, store: Store, relay: Relay, ending: str
) -> None:
    running.reset()
    world = World(running, store)
    ran: collections.Counter[str] = collections.Counter()
    steps = ENDINGS[ending].steps
    with world.registry(write=True) as person:
        for said in STATEMENTS:
            for look, speak in itertools.combinations_with_replacement(steps, 2):
                number = f"1130{sum(ran.values()):05}"
                place = world, person, relay
                schedule = Schedule(place, number, ENDINGS[ending], look, speak)
                ran[said if schedule.run(said) else NOTHING_TO_SAY] += 1
    del ran[NOTHING_TO_SAY]
    print(f"{ending}: {dict(ran)}")
    assert running.duplicates() == {}
    assert tuple(ran[said] for said in STATEMENTS) == INTERLEAVINGS[ending]


def test_how_many_interleavings_there_are() -> None:
    """On each kind of registry."""
    assert INTERLEAVINGS.keys() == ENDINGS.keys()
    assert sum(sum(ran) for ran in INTERLEAVINGS.values()) == 184
