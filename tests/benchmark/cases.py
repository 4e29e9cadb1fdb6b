# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One measurement: a client, what it is to do, and under which circumstances."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .processes import BenchmarkError, processor_seconds
from .workload import FIRST_RECORD, declared, sent
from .world import DID, DIDS, PING, URI, Task, World

CREATE = "create"
NOTHING = "nothing to do"
BARE = "requests.Session"
# What the platform holds is compared with what was declared up to this many DIDs.
_COMPARED = 1000
# How long the simulator may take to tell its ledger, in seconds: of 100,000 requests it is long.
_LEDGER_LIMIT = 600


class Case(NamedTuple):
    """What is measured.

    ``latency``: milliseconds in which the platform answers. ``concurrency``: requests at once. ``refuses``: whether the platform
    answers 429 to simultaneous requests.
    """

    work: str
    client: str
    latency: int
    concurrency: int
    size: int
    refuses: bool = False

    @property
    def sends(self) -> bool:
        """Whether requests are sent. A client without a registry cannot know that there is nothing to do, so it sends edits."""
        return self.work == CREATE or self.client in (BARE, URI)

    def __str__(self) -> str:
        name = self.client.rpartition(".")[2] if self.client != BARE else self.client
        refuses = ", 429 to simultaneous requests" if self.refuses else ""
        circumstances = f"{self.latency} ms, {self.concurrency} at once{refuses}"
        return f"{self.work}, {name}, {self.size:,} DIDs" + (
            f", {circumstances}" if self.sends else ""
        )


class Sample(NamedTuple):
    """What one run of a case showed.

    ``seconds``: of the whole process. ``memory``: bytes, of all its processes together. ``rate``: applied requests per second,
    from the first to the last one, as the simulator saw them. ``busy``: the simulator's share of one processor in that time.
    """

    seconds: float
    memory: int | None
    requests: int
    rate: float | None
    busy: float | None


def measure(world: World, case: Case, expected: float = 0.0) -> Sample:
    """Run a case once. ``expected``: how many seconds that may take. Raises BenchmarkError if it did not do what it was to do."""
    simulator = world.simulator
    simulator.reset()
    simulator.switch(latency_ms=case.latency, simultaneous="refuse" if case.refuses else "allow")
    if case.work == NOTHING and case.sends:
        simulator.switch(existing_ids=list(range(FIRST_RECORD, FIRST_RECORD + case.size)))
    before = processor_seconds(simulator.pid)
    seconds, memory = _run(world, case, expected)
    after = processor_seconds(simulator.pid)
    requests = _requests(world)
    times = _applied(requests)
    _check(world, case, len(requests), len(times))
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return Sample(
        seconds=seconds,
        memory=memory,
        requests=len(requests),
        rate=(len(times) - 1) / span if span else None,
        busy=(after - before) / span if span and before is not None and after is not None else None,
    )


def _run(world: World, case: Case, expected: float) -> tuple[float, int | None]:
    if case.client == BARE:
        done = world.bare(case.size, case.concurrency, edit=case.work != CREATE, expected=expected)
        return done.seconds, done.memory
    registry = None
    if case.client != URI:
        registry = world.fresh_registry() if case.work == CREATE else world.full_registry(case.size)
    dids = [] if case.client == DIDS else [declared(index) for index in range(case.size)]
    played = world.play(
        [_task(world, case)], registry=registry, variables={"dids": dids}, expected=expected
    )
    if case.work == NOTHING and case.client != URI and played.results[0]["changed"]:
        raise BenchmarkError(f"{case}: there was something to do")
    return played.seconds, played.memory


def _task(world: World, case: Case) -> Task:
    if case.client == DIDS:
        return {DIDS: {"src": str(world.table(case.size)), "concurrency": case.concurrency}}
    return loop_task(world, case)


def loop_task(world: World, case: Case) -> Task:
    """Return a task that loops over the variable ``dids``, with one request or look-up for each."""
    loop = {"loop": "{{ dids }}", "loop_control": {"label": "", "index_var": "index"}}
    if case.client == DID:
        return {DID: {name: f"{{{{ item.{name} }}}}" for name in declared(0)}, **loop}
    if case.client == PING:
        return {PING: {}, **loop}
    url = world.simulator.url + world.simulator.path()
    request = {
        "url": url if case.work == CREATE else f"{url}/{{{{ index + {FIRST_RECORD} }}}}",
        "method": "PUT" if case.work == CREATE else "POST",
        "body": "{{ item | combine({'did_type': 5}) }}",
        "body_format": "json",
    }
    return {URI: request, **loop}


def applied_times(world: World) -> list[float]:
    """Return when the platform applied each request."""
    return _applied(_requests(world))


def _applied(requests: list[dict[str, Any]]) -> list[float]:
    return [request["time"] for request in requests if request["status"] == 200]


def _requests(world: World) -> list[dict[str, Any]]:
    connection = world.simulator.connect(timeout=_LEDGER_LIMIT)
    try:
        connection.request("GET", "/_simulator/ledger")
        requests: list[dict[str, Any]] = json.loads(connection.getresponse().read())["requests"]
    finally:
        connection.close()
    return requests


def _check(world: World, case: Case, requests: int, applied: int) -> None:
    wanted = case.size if case.sends else 0
    if applied != wanted or (requests != wanted and not case.refuses):
        raise BenchmarkError(
            f"{case}: {requests} requests were sent and {applied} applied, and not {wanted}"
        )
    if not wanted or wanted > _COMPARED:
        return
    held = [fields for fields in world.simulator.dids().values() if fields]
    # Requests at once arrive in any order.
    held.sort(key=lambda fields: str(fields["did_number"]))
    if held != [sent(index) for index in range(wanted)]:
        raise BenchmarkError(f"{case}: the platform does not hold what was declared")
