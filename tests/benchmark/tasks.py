# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an item of a loop costs: of ``did`` in Ansible's own process and as a module, and of two yardsticks.

The yardsticks are ``ping``, which is what any module costs here, and ``uri`` with the edit that a playbook without a registry would
send, as it cannot know that there is nothing to do. The loops alternate, in an order that changes from round to round, so that whatever
else the machine does meets all of them alike. Their times do not include the start of the play.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .cases import CREATE, NOTHING, Case, loop_task
from .processes import BenchmarkError
from .ratios import Ratio
from .workload import FIRST_RECORD, declared
from .world import DID, PING, URI, Task, World


class Loop(NamedTuple):
    """A loop that is measured. ``in_process``: whether the task may run in Ansible's own process."""

    name: str
    client: str
    size: int
    work: str = NOTHING
    in_process: bool = True


# What a module costs is known after a few items. Of an item in process, the start of a short loop would be a large part.
INSIDE = Loop("did", DID, 100)
CREATING = Loop("did, creating", DID, 100, CREATE)
MODULE = Loop("did as a module", DID, 10, in_process=False)
SENDING = Loop("uri", URI, 10)
PINGING = Loop("ping", PING, 10)
LOOPS = (INSIDE, CREATING, MODULE, SENDING, PINGING)
_LARGEST = max(loop.size for loop in LOOPS)
# The seconds of an item in each round of one run of ansible-playbook.
Seconds = dict[Loop, list[float]]


def measure_tasks(
    world: World, rounds: int, repetitions: int, progress: Callable[[str], None]
) -> list[Seconds]:
    """Run each loop in each of so many rounds; return one result for each run of ansible-playbook."""
    kinds = len(LOOPS)
    order = [LOOPS[(turn + place) % kinds] for turn in range(rounds) for place in range(kinds)]
    runs = []
    for number in range(repetitions):
        world.simulator.reset()
        world.simulator.switch(existing_ids=list(range(FIRST_RECORD, FIRST_RECORD + _LARGEST)))
        played = world.play(
            [_task(world, loop, place) for place, loop in enumerate(order)],
            registry=world.copied_registry(_LARGEST),
            variables=_variables(order),
            expected=sum(loop.size for loop in order),
        )
        for loop, result in zip(order, played.results):
            # uri says changed of no answer.
            if result["changed"] != (loop.work == CREATE):
                raise BenchmarkError(f"{loop.name}: changed is {result['changed']}")
        if len(world.simulator.requests()) != rounds * (CREATING.size + SENDING.size):
            raise BenchmarkError("other requests were sent than those of uri and of creates")
        runs.append(seconds_by_loop(order, [result["seconds"] for result in played.results]))
        progress(f"loops in turns, run {number + 1} of {repetitions}: {played.seconds:.1f} s")
    return runs


def _task(world: World, loop: Loop, place: int) -> Task:
    task = loop_task(world, Case(loop.work, loop.client, 0, 1, loop.size))
    dids = _created(place) if loop.work == CREATE else f"dids[:{loop.size}]"
    variables = {"nextbilling_did_in_process": loop.in_process}
    return {**task, "loop": f"{{{{ {dids} }}}}", "vars": variables}


def _variables(order: Sequence[Loop]) -> dict[str, Any]:
    """Return what the tasks loop over. Each task that creates has DIDs of its own."""
    variables = {"dids": [declared(index) for index in range(_LARGEST)]}
    for place, loop in enumerate(order):
        if loop.work == CREATE:
            first = (place + 1) * _LARGEST
            variables[_created(place)] = [declared(first + index) for index in range(loop.size)]
    return variables


def _created(place: int) -> str:
    return f"created{place}"


def seconds_by_loop(order: Sequence[Loop], seconds: Sequence[float]) -> Seconds:
    """Return what an item of each loop took, given the loops in the order in which they ran and what each took as a whole."""
    found: Seconds = {loop: [] for loop in order}
    for loop, whole in zip(order, seconds):
        found[loop].append(whole / loop.size)
    return found


def task_ratios(runs: list[Seconds]) -> list[Ratio]:
    """Return the ratios of loops that have targets."""

    def ratio(loop: Loop, other: Loop, relation: str, target: float) -> Ratio:
        values = [statistics.median(run[loop]) / statistics.median(run[other]) for run in runs]
        work = loop.name if loop.work == CREATE else f"{loop.name}, nothing to do"
        return Ratio(f"{work}, in a loop ÷ {other.name} in a loop", values, relation, target)

    return [
        ratio(INSIDE, PINGING, "≤", 0.10),
        ratio(CREATING, PINGING, "≤", 0.15),
        ratio(MODULE, SENDING, "<", 0.85),
        ratio(MODULE, PINGING, "<", 1.3),
    ]
