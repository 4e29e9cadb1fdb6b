# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables in which the benchmark's results are printed, as plain text."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from .cases import BARE, CREATE, NOTHING, Case
from .lists import LARGE, SMALL, TABLES, Lists
from .matrix import CIRCUMSTANCES, SIZES, Figures, Matrix, summary
from .ratios import Ratio
from .tasks import LOOPS, Seconds
from .world import DID, DIDS, URI, World

CLIENTS = (BARE, DIDS, DID, URI)
# From this share of one processor on, the simulator may be what limits a client.
_BUSY = 0.85
_NAMES = {BARE: "bare client", DIDS: "dids", DID: "did, loop", URI: "uri, loop"}
_HEAD = (
    "client",
    "DIDs",
    "time",
    "spread",
    "runs",
    "requests",
    "memory",
    "DIDs/s",
    "÷ bare",
    "sent ÷ bare",
    "simulator",
)
_WORK = {CREATE: "Creating", NOTHING: "Nothing to do"}


def surrounding(world: World) -> list[str]:
    """Say what the benchmark runs on."""
    return [
        f"Python {platform.python_version()}, ansible-core {version('ansible-core')}, requests {version('requests')},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        f"load before: {os.getloadavg()[0]:.1f}; a durable write of 4 KiB where the registry is:"
        f" {world.seconds_to_disk() * 1000:.2f} ms",
    ]


def matrix_tables(matrix: Matrix) -> Iterator[str]:
    """Show all clients under all circumstances."""
    for work in (CREATE, NOTHING):
        for latency, concurrency in CIRCUMSTANCES:
            rows = list(_rows(matrix, work, latency, concurrency))
            if not rows:
                continue
            yield f"{_WORK[work]}; the platform answers in {latency} ms; requests at once: {concurrency}"
            yield from _table([_HEAD, *rows])
            yield ""
    busy = [case for case in matrix.samples if case.client == BARE and _is_busy(matrix, case)]
    if busy:
        yield "The simulator was busy for most of the time, and may have limited even the bare client, in:"
        yield from (f"  {case}" for case in busy)
    else:
        yield "The simulator was not what limited the bare client in any case (see the last column)."


def _is_busy(matrix: Matrix, case: Case) -> bool:
    figures = matrix.figures(case)
    return figures is not None and figures.busy is not None and figures.busy >= _BUSY


def _rows(matrix: Matrix, work: str, latency: int, concurrency: int) -> Iterator[Sequence[str]]:
    for size in SIZES:
        bare = matrix.figures(Case(work, BARE, latency, concurrency, size))
        # A loop makes one request after the other.
        for client in CLIENTS if concurrency == 1 else CLIENTS[:2]:
            figures = matrix.figures(Case(work, client, latency, concurrency, size))
            if figures is not None and bare is not None:
                yield _row(_NAMES[client], size, figures, bare)


def _row(name: str, size: int, figures: Figures, bare: Figures) -> Sequence[str]:
    mark = "" if figures.measured else "~"
    either = "" if figures.measured and bare.measured else "~"
    return (
        name,
        f"{size:,}",
        f"{mark}{_seconds(figures.seconds)} s",
        _spread(figures),
        str(figures.runs or ""),
        f"{figures.requests:,}",
        _memory(figures),
        f"{mark}{size / figures.seconds:,.1f}",
        f"{either}{_ratio(bare.seconds / figures.seconds)}",
        _ratio(figures.rate / bare.rate) if figures.rate and bare.rate else "",
        "" if figures.busy is None else f"{figures.busy:.0%}",
    )


def _spread(figures: Figures) -> str:
    low, high = figures.spread
    return f"{_seconds(low)} to {_seconds(high)}" if figures.runs > 1 else ""


def _memory(figures: Figures) -> str:
    return "" if figures.memory is None else f"{figures.memory / 2**20:.0f} MiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < 100 else f"{seconds:,.0f}"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def task_table(runs: list[Seconds]) -> Iterator[str]:
    """Show what an item of a loop costs."""
    rows = [("loop", "DIDs", "loops", "an item", "quartiles")]
    for loop in LOOPS:
        seconds = [second for run in runs for second in run[loop]]
        low, middle, high = (f"{value * 1000:.0f}" for value in statistics.quantiles(seconds))
        count = str(len(seconds))
        rows.append((loop.name, str(loop.size), count, f"{middle} ms", f"{low} to {high}"))
    yield "Loops in turns, nothing to do but where it says creating (uri sends the edit all the same)"
    yield from _table(rows)


def list_table(lists: Lists) -> Iterator[str]:
    """Show what whole runs over long lists cost that find nothing to do."""
    names = (
        "one ping",
        f"{SMALL:,} DIDs from CSV",
        f"{LARGE:,} DIDs from CSV",
        f"{SMALL:,} DIDs inline",
        f"{SMALL:,} DIDs inline, without passwords",
        *(f"{SMALL:,} DIDs from {suffix}, {width} columns" for width, suffix in TABLES),
    )
    rows: list[Sequence[str]] = [("ansible-playbook", "median", "spread", "memory")]
    for name, samples in zip(names, lists):
        found = summary(samples)
        rows.append((name, f"{_seconds(found.seconds)} s", _spread(found), _memory(found)))
    yield "Whole runs, nothing to do"
    yield from _table(rows)


def ratio_table(ratios: Sequence[Ratio]) -> Iterator[str]:
    """Show the ratios, each with its target beside it."""
    rows = [("ratio", "median", "spread", "target", "met")]
    for ratio in ratios:
        low, high = (_value(value, ratio.unit) for value in (min(ratio.values), max(ratio.values)))
        target = (
            ""
            if ratio.target is None
            else f"{ratio.relation} {_value(ratio.target, ratio.unit)}{ratio.unit}"
        )
        met = {None: "", True: "yes", False: "no"}[ratio.is_met]
        rows.append(
            (
                ratio.name,
                f"{_value(ratio.median, ratio.unit)}{ratio.unit}",
                f"{low} to {high}",
                target,
                met,
            )
        )
    yield from _table(rows)


def _value(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit else f"{value:.2f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Align the first column left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        first, *others = (
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths))
        )
        yield "  ".join([first, *others]).rstrip()
