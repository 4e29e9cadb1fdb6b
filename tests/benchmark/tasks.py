# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task of ``did`` costs that finds nothing to do.

The yardsticks are ``ping``, which is what any module costs here, and ``uri``, which asks a server on loopback. The tasks of
the three alternate, in an order that changes from round to round, so that whatever else the machine does meets all of
them alike. Times are from a task's start to its result as ansible-playbook sees them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from .processes import BenchmarkError
from .ratios import Ratio
from .workload import declared
from .world import DID, PING, URI, Task, World

KINDS = (DID, URI, PING)
# The seconds of each task, by module.
Seconds = dict[str, list[float]]


def measure_tasks(
    world: World, rounds: int, repetitions: int, progress: Callable[[str], None]
) -> list[Seconds]:
    """Run all three modules in each of so many rounds; return one result for each run of ansible-playbook."""
    simulator = world.simulator
    simulator.reset()
    registry = world.fresh_registry()
    world.play([{DID: declared(0)}], registry=registry)
    kinds: list[Task] = [
        {DID: declared(0)},
        {URI: {"url": f"{simulator.admin}/switches"}},
        {PING: {}},
    ]
    tasks = [task for turn in range(rounds) for task in kinds[turn % 3 :] + kinds[: turn % 3]]
    runs = []
    for number in range(repetitions):
        played = world.play(tasks, registry=registry, expected=len(tasks))
        if any(result["changed"] for result in played.results):
            raise BenchmarkError("a task had something to do")
        runs.append(
            {
                kind: [result["seconds"] for result in played.results if result["action"] == kind]
                for kind in KINDS
            }
        )
        progress(f"tasks in a row, run {number + 1} of {repetitions}: {played.seconds:.1f} s")
    if len(simulator.requests()) != 1:
        raise BenchmarkError("a request was sent to the platform where there was nothing to do")
    return runs


def task_ratios(runs: list[Seconds]) -> list[Ratio]:
    """Return what the project demands of a task with nothing to do."""

    def ratio(other: str, target: float) -> Ratio:
        values = [statistics.median(run[DID]) / statistics.median(run[other]) for run in runs]
        name = other.rpartition(".")[2]
        return Ratio(f"a task of did with nothing to do ÷ a task of {name}", values, "<", target)

    return [ratio(URI, 0.85), ratio(PING, 1.3)] if runs else []
