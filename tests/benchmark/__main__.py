# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure how fast the collection's modules are, side by side with other ways to do the same, on this machine.

Run by ``make benchmark``. Prints tables on stdout, as plain text, and its progress on stderr. Nothing is asserted about times,
as they depend on the machine and its load. The targets are ratios of measurements that alternate in one run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator, SimulatorError

from . import report
from .database import distance_ratios, measure_distance
from .hosts import host_ratios, measure_hosts
from .lists import FROM_LARGE, FROM_SMALL, list_ratios, measure_lists
from .matrix import Effort, Matrix, create_ratios
from .processes import BenchmarkError
from .scale import measure_scale, scale_ratios
from .tasks import measure_tasks, task_ratios
from .world import World

_ROUNDS = 3
# The ratios take a quarter of an hour.
_QUICK = Effort(repetitions=3, limit=20.0, loop=10)
_RATIOS = Effort(repetitions=2, limit=20.0, loop=10, all_cases=False)
_FULL = Effort(repetitions=3, limit=600.0, loop=100)


def main() -> int:
    """Measure and print; return the exit code."""
    options = _options()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever the encoding is able to show
    try:
        with _world(options.registry_folder) as world:
            for line in _benchmark(world, _effort(options)):
                print(line)
    except (BenchmarkError, SimulatorError) as problem:
        # What the simulator says may be a traceback: its last line tells why.
        print(f"benchmark: {str(problem).splitlines()[-1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmark", description="How fast the collection is, side by side with other ways."
    )
    parser.add_argument(
        "--full", action="store_true", help="longer lists, hours instead of minutes"
    )
    parser.add_argument(
        "--ratios", action="store_true", help="only what the ratios need, in a quarter of an hour"
    )
    parser.add_argument(
        "--repetitions", type=_several, help="of each measurement (3, or 2 for ratios)"
    )
    parser.add_argument(
        "--registry-folder", type=Path, help="where registries are made (a temporary folder)"
    )
    return parser.parse_args()


def _effort(options: argparse.Namespace) -> Effort:
    effort = _RATIOS if options.ratios else _FULL if options.full else _QUICK
    if options.repetitions is None:
        return effort
    return effort._replace(repetitions=options.repetitions)


def _several(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("a number from 1 to 100 is needed")
    return int(text)


@contextlib.contextmanager
def _world(registries: Path | None) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        own = stack.enter_context(tempfile.TemporaryDirectory(dir=registries))
        simulator = stack.enter_context(Simulator.start())
        yield World(simulator, Path(folder), Path(own))


def _benchmark(world: World, effort: Effort) -> Iterator[str]:
    """Return the lines of all tables. They come when all is measured, so that progress does not tear them apart."""
    progress = _stopwatch()
    surrounding = report.surrounding(world)
    tasks = measure_tasks(world, _ROUNDS, effort.repetitions, progress)
    hosts = measure_hosts(world, effort.repetitions, progress)
    lists = measure_lists(world, effort.repetitions, progress)
    scale = measure_scale(world, effort.repetitions, progress)
    distance = measure_distance(world, effort.repetitions, progress)
    matrix = Matrix(world, effort, progress)
    matrix.samples.update({FROM_SMALL: lists.small, FROM_LARGE: lists.large})
    matrix.run(statistics.median(sample.seconds for sample in lists.ping))
    yield from (*surrounding, "")
    yield from (*report.task_table(tasks), "")
    yield from (*report.list_table(lists), "")
    yield from (*report.matrix_tables(matrix), "")
    ratios = [*list_ratios(lists), *create_ratios(matrix.samples), *task_ratios(tasks)]
    ratios += [*host_ratios(hosts), *scale_ratios(scale), *distance_ratios(distance)]
    yield from report.ratio_table(ratios)


def _stopwatch() -> Callable[[str], None]:
    """Return how progress is told: with the time since now."""
    began = time.monotonic()

    def progress(text: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {text}", file=sys.stderr, flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(main())
