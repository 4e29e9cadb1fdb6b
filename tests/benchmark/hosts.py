# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same DIDs in a loop of one host and in loops of four hosts at once, delegated to this machine.

Each host has a worker process of its own, and all of them use one registry.
"""

from __future__ import annotations

from collections.abc import Callable

from .cases import CREATE, NOTHING, Case, loop_task
from .processes import BenchmarkError
from .ratios import Ratio
from .workload import declared
from .world import DID, World

_HOSTS = 4
_DIDS = 100
_SHARE = "{{ dids[ansible_play_hosts.index(inventory_hostname)::ansible_play_hosts | length] }}"
# The seconds of the task: on one host, and on several.
Pair = tuple[float, float]


def measure_hosts(
    world: World, repetitions: int, progress: Callable[[str], None]
) -> dict[str, list[Pair]]:
    """Measure both in turns; return the seconds of each repetition, by what there is to do."""
    found: dict[str, list[Pair]] = {NOTHING: [], CREATE: []}
    for number in range(repetitions):
        for work, pairs in found.items():
            one, several = (_seconds(world, work, hosts) for hosts in (1, _HOSTS))
            pairs.append((one, several))
            progress(f"hosts, {work}, run {number + 1} of {repetitions}: {one + several:.1f} s")
    return found


def _seconds(world: World, work: str, hosts: int) -> float:
    world.simulator.reset()
    played = world.play(
        [
            {
                **loop_task(world, Case(work, DID, 0, 1, _DIDS)),
                "loop": _SHARE,
                "delegate_to": "localhost",
            }
        ],
        registry=world.fresh_registry() if work == CREATE else world.full_registry(_DIDS),
        variables={"dids": [declared(index) for index in range(_DIDS)]},
        expected=_DIDS,
        hosts=hosts,
    )
    if len(world.simulator.requests()) != (_DIDS if work == CREATE else 0):
        raise BenchmarkError(f"{hosts} hosts, {work}: not as many requests were sent as had to be")
    return float(max(result["seconds"] for result in played.results))


def host_ratios(pairs: dict[str, list[Pair]]) -> list[Ratio]:
    """Return what the project demands of several hosts."""
    return [
        Ratio(
            f"did in a loop, {'creating' if work == CREATE else work}, {_HOSTS} hosts ÷ one",
            [several / one for one, several in found],
            "≤",
            1.0,
        )
        for work, found in pairs.items()
    ]
