# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creates DIDs with a registry in PostgreSQL, on the same machine and with a line in between that delays what passes."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import psycopg

from ansible_collections.nextbilling.did.tests.support.stores import Proxy, running_server

from .cases import applied_times
from .ratios import Ratio
from .workload import declared
from .world import DIDS, REGISTRY, World

_SIZE = 200
# Milliseconds of a round trip.
_DISTANCE = 5
# For how many round trips a create of release 1.0 waits.
_FORMER_ROUND_TRIPS = 6
# Numbers that no other measurement uses.
_FIRST = 5_000_000


class Distance(NamedTuple):
    """What was measured, in each round: seconds of a create without and with distance, and of a round trip; and how many of these a create takes."""

    near: list[float]
    far: list[float]
    round_trip: list[float]
    trips: list[float]


def measure_distance(world: World, repetitions: int, progress: Callable[[str], None]) -> Distance:
    """Measure all of it in rounds, with one registry."""
    world.simulator.reset()
    distance = Distance(*([] for _field in Distance._fields))
    with contextlib.ExitStack() as stack:
        witness = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(running_server())
        proxy = stack.enter_context(contextlib.closing(Proxy(server.port, delay=_DISTANCE / 2000)))
        server.fresh("benchmark")
        near, far = (server.url("benchmark", port=port) for port in (server.port, proxy.port))
        world.play([{REGISTRY: {"registry": near, "witness": "false"}}])
        first = _FIRST
        for number in range(repetitions):
            for url, samples, folder in ((near, distance.near, "near"), (far, distance.far, "far")):
                before = proxy.round_trips
                samples.append(_create(world, first, url, f"{witness}/{folder}"))
                first += _SIZE
            distance.trips.append((proxy.round_trips - before) / _SIZE)
            distance.round_trip.append(_round_trip(far))
            progress(
                f"PostgreSQL, run {number + 1} of {repetitions}: {distance.far[-1] * 1000:.1f} ms a create"
            )
    return distance


def _create(world: World, first: int, url: str, witness: str) -> float:
    """Create some DIDs. Returns the seconds of each, from the first request to the last."""
    dids = [declared(first + place) for place in range(_SIZE)]
    task = {DIDS: {"dids": "{{ dids }}", "registry": url, "witness": witness}}
    world.play([task], variables={"dids": dids}, expected=_SIZE / 10)
    # Without a reset of the simulator before, as it would give record ids that the registry knows.
    times = applied_times(world)[-_SIZE:]
    return (times[-1] - times[0]) / (_SIZE - 1)


def _round_trip(url: str) -> float:
    """Return the seconds of a statement that does nothing."""
    with psycopg.connect(url, autocommit=True) as connection:
        samples = []
        for _sample in range(50):
            began = time.perf_counter()
            connection.execute("SELECT 1")
            samples.append(time.perf_counter() - began)
    return statistics.median(samples)


def distance_ratios(distance: Distance) -> list[Ratio]:
    """Return the ratio that has a target: to what a create would take if it waited for as many round trips as one of release 1.0."""
    former = [
        near + _FORMER_ROUND_TRIPS * round_trip
        for near, round_trip in zip(distance.near, distance.round_trip)
    ]
    name = f"creating {_SIZE} on PostgreSQL {_DISTANCE} ms away: DIDs/s ÷ with {_FORMER_ROUND_TRIPS} round trips each"
    ratios = [above / own for above, own in zip(former, distance.far)]
    return [
        Ratio(name, ratios, "≥", 2.5),
        Ratio("  round trips a create, with those of the start of the run", distance.trips),
    ]
