# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates DIDs with a registry in PostgreSQL at a distance, by this release and by release 1.0."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ansible_collections.nextbilling.did.tests.support import first_release
from ansible_collections.nextbilling.did.tests.support.stores import Proxy, running_server

from .cases import applied_times
from .ratios import Ratio
from .workload import declared
from .world import DIDS, REGISTRY, World

_SIZE = 200
# Milliseconds of a round trip.
_DISTANCE = 5
# Numbers that no other measurement uses.
_FIRST = 5_000_000


class Distance(NamedTuple):
    """What was measured, in each round: DIDs created per second by this release and by release 1.0, and round trips that a create takes."""

    own: list[float]
    former: list[float]
    trips: list[float]


def measure_distance(world: World, repetitions: int, progress: Callable[[str], None]) -> Distance:
    """Measure all of it in rounds, with a registry for each release. Nothing is measured where release 1.0 is not at hand."""
    world.simulator.reset()
    distance = Distance([], [], [])
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if first_release.extract(folder) is None:
            progress("PostgreSQL: left out, as the clone lacks the commit of release 1.0.0")
            return distance
        server = stack.enter_context(running_server())
        proxy = stack.enter_context(contextlib.closing(Proxy(server.port, delay=_DISTANCE / 2000)))
        urls = {}
        for name, collections in (("own", None), ("former", folder)):
            server.fresh(name)
            urls[name] = server.url(name, port=proxy.port)
            world.play([{REGISTRY: {"registry": urls[name]}}], collections=collections)
        first = _FIRST
        for number in range(repetitions):
            distance.former.append(_create(world, first, urls["former"], folder))
            before = proxy.round_trips
            distance.own.append(_create(world, first + _SIZE, urls["own"]))
            distance.trips.append((proxy.round_trips - before) / _SIZE)
            first += 2 * _SIZE
            progress(
                f"PostgreSQL, run {number + 1} of {repetitions}: {distance.own[-1]:.0f} DIDs/s"
            )
    return distance


def _create(world: World, first: int, url: str, collections: Path | None = None) -> float:
    """Create some DIDs. Returns how many a second, from the first request to the last."""
    dids = [declared(first + place) for place in range(_SIZE)]
    task = {DIDS: {"dids": "{{ dids }}", "registry": url}}
    world.play([task], variables={"dids": dids}, expected=_SIZE / 10, collections=collections)
    # Without a reset of the simulator before, as it would give record ids that the registry knows.
    times = applied_times(world)[-_SIZE:]
    return (_SIZE - 1) / (times[-1] - times[0])


def distance_ratios(distance: Distance) -> list[Ratio]:
    """Return the ratio that has a target, if it was measured."""
    if not distance.own:
        return []
    name = f"creating {_SIZE} on PostgreSQL {_DISTANCE} ms away: DIDs/s ÷ with release 1.0"
    return [
        Ratio(name, [own / former for own, former in zip(distance.own, distance.former)], "≥", 2.5),
        Ratio("  round trips a create, with those of the start of the run", distance.trips),
    ]
