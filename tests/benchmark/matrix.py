# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All clients, for creating and for nothing to do, under all circumstances: which cases are run, in which order, how often."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .cases import BARE, CREATE, NOTHING, Case, Sample, measure
from .ratios import Ratio
from .world import DID, DIDS, URI, World

LATENCIES = (0, 20, 50)
CONCURRENCIES = (1, 8)
SIZES = (100, 500, 10_000, 100_000)
CIRCUMSTANCES = [(latency, at_once) for latency in LATENCIES for at_once in CONCURRENCIES]
# The targets of creating: latency, concurrency and number of DIDs, and the ratio to the bare client. Without latency, it is that of whole processes.
TARGETS = {(20, 1, 500): 0.95, (20, 8, 500): 0.9, (0, 1, 10_000): 0.7}
# The same of did in a loop. Its speed is that of a connection and a commit for each DID.
_LOOP, _LOOP_TARGET = Case(CREATE, DID, 20, 1, 100), 0.5
REFUSED = Case(CREATE, DIDS, 20, 8, 500, refuses=True)
# After so many seconds, cases without a target are not repeated.
_LONG = 15.0


class Effort(NamedTuple):
    """How much is measured: rounds, the seconds above which a run is not begun, how many DIDs a loop has, and whether all cases are run."""

    repetitions: int
    limit: float
    loop: int
    all_cases: bool = True


class Figures(NamedTuple):
    """What the table says of a case; ``spread``: the least and the most seconds; ``measured``: False where extrapolated."""

    seconds: float
    spread: tuple[float, float]
    runs: int
    memory: float | None
    requests: int
    rate: float | None
    busy: float | None
    measured: bool


class Matrix:
    """The measurements, and what can be concluded from them of others."""

    def __init__(self, world: World, effort: Effort, progress: Callable[[str], None]) -> None:
        self.samples: dict[Case, list[Sample]] = {}
        self._world = world
        self._effort = effort
        self._progress = progress
        self._start = 0.0

    def run(self, start: float) -> None:
        """Measure. ``start``: the seconds of a whole ansible-playbook that does next to nothing."""
        self._start = start
        for latency, concurrency in CIRCUMSTANCES:
            for work in (CREATE, NOTHING):
                for size in (self._effort.loop, *SIZES):
                    self._group(list(self._cases(work, latency, concurrency, size)))

    def _cases(self, work: str, latency: int, concurrency: int, size: int) -> Iterator[Case]:
        """Return what is measured side by side."""
        if concurrency == 1 and size == self._effort.loop:
            yield from self._worth(Case(work, URI, latency, concurrency, size))
        if size not in SIZES:
            return
        in_a_loop = (DID,) if concurrency == 1 and size == _LOOP.size else ()
        for client in (BARE, DIDS, *in_a_loop):
            yield from self._worth(Case(work, client, latency, concurrency, size))
        if (work, latency, concurrency, size) == (CREATE, 20, 1, REFUSED.size):
            yield REFUSED

    def _worth(self, case: Case) -> Iterator[Case]:
        """Yield a case that is to be run: it differs from all before, and ends in reasonable time."""
        if normal(case) != case or case in self.samples:
            return
        short = self._effort.all_cases and self._expected(case) <= self._effort.limit
        if short or has_target(case):
            yield case

    def _expected(self, case: Case) -> float:
        figures = self.figures(case)
        return 0.0 if figures is None else figures.seconds

    def _group(self, cases: list[Case]) -> None:
        """Run cases in turns, in an order that changes from round to round."""
        targeted = any(map(has_target, cases))
        until = time.monotonic() + _LONG
        for turn in range(self._effort.repetitions):
            if turn and not targeted and time.monotonic() > until:
                break
            shift = turn % max(1, len(cases))
            for case in cases[shift:] + cases[:shift]:
                sample = measure(self._world, case, self._expected(case))
                self.samples.setdefault(case, []).append(sample)
                self._progress(f"{case}: {sample.seconds:.1f} s")

    def figures(self, case: Case) -> Figures | None:
        """Return what was measured of a case, or else what follows from the largest list below it that was; None if there is none."""
        case = normal(case)
        if case in self.samples:
            return summary(self.samples[case])
        alike = [
            other
            for other in self.samples
            if other.size < case.size and other._replace(size=case.size) == case
        ]
        if not alike:
            return None
        largest = max(alike, key=lambda other: other.size)
        return self._extrapolated(case, largest.size, summary(self.samples[largest]))

    def _extrapolated(self, case: Case, size: int, known: Figures) -> Figures:
        """Take each further DID to cost what the requests took from the first to the last, or what the run took beyond its start."""
        each = 1 / known.rate if known.rate else max(0.0, known.seconds - self._start) / size
        seconds = known.seconds + (case.size - size) * each
        requests = case.size if case.sends else 0
        return Figures(seconds, (seconds, seconds), 0, None, requests, None, None, measured=False)


def normal(case: Case) -> Case:
    """Return the case under which a case is measured: where nothing is sent, the platform's ways do not matter."""
    return case if case.sends else case._replace(latency=0, concurrency=1)


def has_target(case: Case) -> bool:
    """Tell whether a case has a target."""
    circumstances = (case.latency, case.concurrency, case.size)
    known = case.client in (BARE, DIDS) and case.work == CREATE
    loop = case in (_LOOP, _LOOP._replace(client=BARE))
    return loop or case == REFUSED or (known and circumstances in TARGETS)


def summary(samples: Sequence[Sample]) -> Figures:
    """Return the figures of some runs of one case."""
    seconds = [sample.seconds for sample in samples]
    return Figures(
        seconds=statistics.median(seconds),
        spread=(min(seconds), max(seconds)),
        runs=len(samples),
        memory=max((sample.memory for sample in samples if sample.memory), default=None),
        requests=max(sample.requests for sample in samples),
        rate=_median(sample.rate for sample in samples),
        busy=_median(sample.busy for sample in samples),
        measured=True,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def create_ratios(samples: dict[Case, list[Sample]]) -> list[Ratio]:
    """Return the ratios of creating."""
    ratios = []
    for (latency, concurrency, size), target in TARGETS.items():
        case = Case(CREATE, DIDS, latency, concurrency, size)
        dids, bare = samples[case], samples[case._replace(client=BARE)]
        name = f"creating {case.size:,}, {latency} ms, concurrency {concurrency}: dids ÷ bare, in DIDs/s"
        rates = [_rate(own) / _rate(other) for own, other in zip(dids, bare)]
        whole = [other.seconds / own.seconds for own, other in zip(dids, bare)]
        ratios.append(Ratio(name, rates, "≥", target if latency else None))
        name = "  the same by the whole processes, with their start"
        ratios.append(Ratio(name, whole, "≥", None if latency else target))
    memory = _memory_of_creating(samples)
    if memory:
        name = f"memory of creating {SIZES[-1]:,}, extrapolated from 500 and 10,000"
        ratios.append(Ratio(name, memory, "≤", 450.0, " MiB"))
    alone = samples[REFUSED._replace(concurrency=1, refuses=False)]
    refused = [own.seconds / other.seconds for own, other in zip(samples[REFUSED], alone)]
    loop, bare = samples[_LOOP], samples[_LOOP._replace(client=BARE)]
    rates = [_rate(own) / _rate(other) for own, other in zip(loop, bare)]
    name = f"creating {_LOOP.size}, {_LOOP.latency} ms: did in a loop ÷ bare, in DIDs/s"
    ratios.append(Ratio(name, rates, "≥", _LOOP_TARGET))
    name = f"creating {REFUSED.size:,}, 20 ms, 429 to simultaneous requests: concurrency 8 ÷ 1"
    return [*ratios, Ratio(name, refused, "≤", 1.1)]


def _memory_of_creating(samples: dict[Case, list[Sample]]) -> list[float]:
    """Return the memory of the longest list in MiB, in each round, as what each further DID takes is the same."""
    short, long = Case(CREATE, DIDS, 20, 1, 500), Case(CREATE, DIDS, 0, 1, 10_000)
    return [
        (
            above.memory
            + (above.memory - below.memory) * (SIZES[-1] - long.size) / (long.size - short.size)
        )
        / 2**20
        for below, above in zip(samples[short], samples[long])
        if below.memory is not None and above.memory is not None
    ]


def _rate(sample: Sample) -> float:
    assert sample.rate is not None  # more than one request was applied
    return sample.rate
