# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark makes of the times that it measured."""

from __future__ import annotations

import pytest

from ansible_collections.nextbilling.did.tests.benchmark import hosts, tasks
from ansible_collections.nextbilling.did.tests.benchmark.cases import (
    BARE,
    CREATE,
    NOTHING,
    Case,
    Sample,
)
from ansible_collections.nextbilling.did.tests.benchmark.matrix import (
    REFUSED,
    TARGETS,
    create_ratios,
    has_target,
)
from ansible_collections.nextbilling.did.tests.benchmark.ratios import Ratio
from ansible_collections.nextbilling.did.tests.benchmark.tasks import LOOPS, MODULE, PINGING
from ansible_collections.nextbilling.did.tests.benchmark.world import DID, DIDS, URI

LOOP = Case(CREATE, DID, 20, 1, 100)
DEMANDED_CASES = [
    LOOP,
    LOOP._replace(client=BARE),
    REFUSED,
    *(
        Case(CREATE, client, latency, concurrency, size)
        for latency, concurrency, size in TARGETS
        for client in (BARE, DIDS)
    ),
]


def found(ratios: list[Ratio], *words: str) -> Ratio:
    (ratio,) = (ratio for ratio in ratios if all(word in ratio.name for word in words))
    return ratio


def test_an_item_takes_its_share_of_the_loop() -> None:
    order = [MODULE, PINGING, MODULE]
    assert tasks.seconds_by_loop(order, [20.0, 10.0, 30.0]) == {MODULE: [2.0, 3.0], PINGING: [1.0]}


def test_the_ratios_of_loops_are_those_of_their_medians() -> None:
    costs = dict(zip(LOOPS, (0.02, 0.04, 0.24, 0.32, 0.2)))
    # A round that something else disturbed counts no more than another one.
    run = {loop: [cost, cost * 1.1, cost * 0.9, cost, 50 * cost] for loop, cost in costs.items()}
    ratios = tasks.task_ratios([run, run])
    assert [ratio.values for ratio in ratios] == [
        pytest.approx([value] * 2) for value in (0.1, 0.2, 0.75, 1.2)
    ]
    # Creating costs more than is demanded.
    assert [ratio.is_met for ratio in ratios] == [True, False, True, True]


def test_several_hosts_may_not_be_slower_than_one() -> None:
    ratios = hosts.host_ratios({NOTHING: [(2.0, 1.0), (2.0, 1.5)], CREATE: [(2.0, 3.0)]})
    assert found(ratios, NOTHING).values == [0.5, 0.75] and found(ratios, NOTHING).is_met
    assert found(ratios, "creating").values == [1.5] and not found(ratios, "creating").is_met


def test_a_loop_is_compared_with_the_bare_client_by_the_rate_of_requests() -> None:
    def sample(case: Case) -> Sample:
        rate = 50.0 if case.client == BARE else 20.0
        return Sample(seconds=9.0, memory=None, requests=case.size, rate=rate, busy=None)

    ratios = create_ratios({case: [sample(case)] for case in DEMANDED_CASES})
    loop = found(ratios, "did in a loop")
    assert (loop.values, loop.target, loop.is_met) == ([0.4], 0.5, False)


def test_without_latency_the_whole_processes_are_compared() -> None:
    def sample(case: Case) -> Sample:
        own = case.client == DIDS
        return Sample(seconds=4.0 if own else 3.0, memory=None, requests=1, rate=9.0, busy=None)

    ratios = create_ratios({case: [sample(case)] for case in DEMANDED_CASES})
    place = ratios.index(found(ratios, ", 0 ms, concurrency 1"))
    rates, whole = ratios[place : place + 2]
    assert (rates.values, rates.is_met) == ([1.0], None)
    assert (whole.values, whole.target, whole.is_met) == ([0.75], 0.7, True)


@pytest.mark.parametrize("case", DEMANDED_CASES, ids=str)
def test_what_a_ratio_needs_is_measured(case: Case) -> None:
    assert has_target(case)


@pytest.mark.parametrize("change", [{"client": URI}, {"latency": 50}, {"size": 1000}], ids=str)
def test_what_no_ratio_needs_may_be_left_out(change: dict[str, object]) -> None:
    assert not has_target(LOOP._replace(**change))  # type: ignore[arg-type]  # fields of a case
