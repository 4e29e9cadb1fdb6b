# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``did`` costs in a loop that finds nothing to do, for each item.

The yardsticks are ``ping``, which is what any module costs here, and ``uri`` with the edit that a playbook without a registry would
send, as it cannot know that there is nothing to do. The loops of the three alternate, in an order that changes from round to round,
so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from .cases import NOTHING, Case, loop_task
from .processes import BenchmarkError
from .ratios import Ratio
from .workload import FIRST_RECORD, declared
from .world import DID, PING, URI, World

KINDS = (DID, URI, PING)
_ITEMS = 10
# The seconds of an item in each loop, by module.
Seconds = dict[str, list[float]]


def measure_tasks(
    world: World, rounds: int, repetitions: int, progress: Callable[[str], None]
) -> list[Seconds]:
    """Run a loop of each of the three modules in each of so many rounds; return one result for each run of ansible-playbook."""
    simulator = world.simulator
    simulator.reset()
    simulator.switch(existing_ids=list(range(FIRST_RECORD, FIRST_RECORD + _ITEMS)))
    kinds = [loop_task(world, Case(NOTHING, kind, 0, 1, _ITEMS)) for kind in KINDS]
    tasks = [task for turn in range(rounds) for task in kinds[turn % 3 :] + kinds[: turn % 3]]
    runs = []
    for number in range(repetitions):
        played = world.play(
            tasks,
            registry=world.full_registry(_ITEMS),
            variables={"dids": [declared(index) for index in range(_ITEMS)]},
            expected=len(tasks) * _ITEMS,
        )
        if any(result["changed"] for result in played.results):
            raise BenchmarkError("a task had something to do")
        runs.append(
            {
                kind: [
                    result["seconds"] / _ITEMS
                    for result in played.results
                    if result["action"] == kind
                ]
                for kind in KINDS
            }
        )
        progress(f"loops in turns, run {number + 1} of {repetitions}: {played.seconds:.1f} s")
    if len(simulator.requests()) != rounds * repetitions * _ITEMS:
        raise BenchmarkError("other requests were sent than those of uri")
    return runs


def task_ratios(runs: list[Seconds]) -> list[Ratio]:
    """Return the ratios of a loop with nothing to do."""

    def ratio(other: str, target: float) -> Ratio:
        values = [statistics.median(run[DID]) / statistics.median(run[other]) for run in runs]
        name = other.rpartition(".")[2]
        return Ratio(f"did in a loop, nothing to do ÷ {name} in a loop", values, "<", target)

    return [ratio(URI, 0.85), ratio(PING, 1.3)] if runs else []
