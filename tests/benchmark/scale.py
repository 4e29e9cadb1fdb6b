# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a large registry costs: one create, a loop of creates, a look at one DID, and a list of a million with nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .processes import BenchmarkError
from .ratios import Ratio
from .workload import USUAL, declared
from .world import DID, DIDS, INFO, PING, Played, World

MILLION = 1_000_000
_LOOP, _SMALL, _LARGE = 100, 100, 100_000
# Far from the ids that the simulator gives.
_FIRST_RECORD = 1_000_000_000
# A registry that is filled directly has no passwords, which are the last column.
_WIDTH = USUAL - 1


class Scale(NamedTuple):
    """What was measured, in each round: whole runs, and the seconds of a task that loops."""

    ping: list[Played]
    first_create: list[Played]
    create: list[Played]
    info: list[Played]
    million: list[Played]
    small_loop: list[float]
    large_loop: list[float]


class _Creator:
    """Creates DIDs that were not created before."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next = 2 * MILLION

    def one(self, registry: Path) -> Played:
        """Create one DID."""
        self._next += 1
        return self._world.play([{DID: declared(self._next)}], registry=registry)

    def loop(self, registry: Path) -> float:
        """Create some in a loop; return the seconds of the task."""
        names = declared(0)
        task = {DID: {name: f"{{{{ item.{name} }}}}" for name in names}, "loop": "{{ dids }}"}
        dids = [declared(self._next + 1 + place) for place in range(_LOOP)]
        self._next += _LOOP
        played = self._world.play([task], registry=registry, variables={"dids": dids})
        return float(played.results[0]["seconds"])


def measure_scale(world: World, repetitions: int, progress: Callable[[str], None]) -> Scale:
    """Measure all of it in rounds. The first create, which verifies a registry that was filled by other means as a whole, does not count."""
    world.simulator.reset()
    creator = _Creator(world)
    large = world.filled_registry(MILLION, _FIRST_RECORD)
    loops = [world.filled_registry(size, _FIRST_RECORD) for size in (_SMALL, _LARGE)]
    for registry in (large, *loops):
        progress(f"first create, {registry.stem}: {creator.one(registry).seconds:.1f} s")
    scale = Scale(*([] for _field in Scale._fields))
    table = world.table(MILLION, _WIDTH)
    one = {INFO: {"did_number": declared(MILLION // 2)["did_number"], "history": True}}
    for number in range(repetitions):
        scale.ping.append(world.play([{PING: {}}]))
        scale.first_create.append(creator.one(world.fresh_registry()))
        scale.create.append(creator.one(large))
        scale.info.append(world.play([one], registry=large))
        played = world.play([{DIDS: {"src": str(table)}}], registry=large, expected=MILLION / 10000)
        if played.results[0]["changed"]:
            raise BenchmarkError("there was something to do in a list of a million")
        scale.million.append(played)
        for seconds, registry in zip((scale.small_loop, scale.large_loop), loops):
            seconds.append(creator.loop(registry))
        progress(f"large registries, run {number + 1} of {repetitions}: {played.seconds:.1f} s")
    return scale


def scale_ratios(scale: Scale) -> list[Ratio]:
    """Return the ratios that have targets."""

    def each(own: list[Played], other: list[Played]) -> list[float]:
        return [above.seconds / below.seconds for above, below in zip(own, other)]

    name = f"{MILLION:,} DIDs"
    loops = [large / small for large, small in zip(scale.large_loop, scale.small_loop)]
    ratios = [
        Ratio(
            f"one create, {name} in the registry ÷ none",
            each(scale.create, scale.first_create),
            "≤",
            1.3,
        ),
        Ratio(
            f"did in a loop of {_LOOP}, creating, {_LARGE:,} in the registry ÷ {_SMALL}",
            loops,
            "≤",
            1.2,
        ),
        Ratio(f"did_info of one of {name} ÷ one ping", each(scale.info, scale.ping), "≤", 1.4),
        Ratio(
            f"{name} from CSV, nothing to do ÷ one ping", each(scale.million, scale.ping), "≤", 25.0
        ),
    ]
    memory = [played.memory / 2**20 for played in scale.million if played.memory is not None]
    if memory:
        ratios.append(Ratio(f"memory with {name} from CSV", memory, "≤", 700.0, " MiB"))
    return ratios
