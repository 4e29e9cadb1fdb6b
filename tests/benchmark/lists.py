# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole runs over long lists with nothing to do: from CSV beside a single ``ping``, from workbooks, and inline with and without passwords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .cases import NOTHING, Case, Sample, measure
from .processes import BenchmarkError
from .ratios import Ratio
from .workload import NARROW, USUAL, WIDE
from .world import DIDS, PING, Played, Task, World

SMALL, LARGE = 10_000, 100_000
FROM_SMALL, FROM_LARGE = (Case(NOTHING, DIDS, 0, 1, size) for size in (SMALL, LARGE))


# Tables of two widths, each as CSV and as a workbook.
TABLES = [(width, suffix) for width in (NARROW, WIDE) for suffix in (".csv", ".xlsx")]


class Lists(NamedTuple):
    """What a ``ping`` showed, lists from CSV, inline lists, and each of ``TABLES``; a sample for each round."""

    ping: list[Sample]
    small: list[Sample]
    large: list[Sample]
    with_passwords: list[Sample]
    without_passwords: list[Sample]
    narrow_csv: list[Sample]
    narrow_xlsx: list[Sample]
    wide_csv: list[Sample]
    wide_xlsx: list[Sample]


def measure_lists(world: World, repetitions: int, progress: Callable[[str], None]) -> Lists:
    """Measure all of it in rounds, so that what else the machine does meets all alike."""
    lists = Lists(*([] for _field in Lists._fields))

    def note(samples: list[Sample], name: object, sample: Sample) -> None:
        samples.append(sample)
        progress(f"{name}: {sample.seconds:.1f} s")

    for _repetition in range(repetitions):
        note(lists.ping, "one ping", _sample(world.play([{PING: {}}])))
        for case, samples in ((FROM_SMALL, lists.small), (FROM_LARGE, lists.large)):
            note(samples, case, measure(world, case, expected=case.size / 1000))
        note(lists.with_passwords, "inline, with passwords", _inline(world, True))
        note(lists.without_passwords, "inline, without passwords", _inline(world, False))
        for table, samples in zip(TABLES, lists[-len(TABLES) :]):
            note(samples, " columns, ".join(map(str, table)), _table(world, *table))
    return lists


def _sample(played: Played) -> Sample:
    return Sample(played.seconds, played.memory, requests=0, rate=None, busy=None)


def _table(world: World, width: int, suffix: str) -> Sample:
    task = {DIDS: {"src": str(world.table(SMALL, width, suffix))}}
    return _unchanged(world, task, width)


def _inline(world: World, with_passwords: bool) -> Sample:
    path = world.document(SMALL, with_passwords=with_passwords)
    dids = f"{{{{ lookup('ansible.builtin.file', '{path}') | from_json }}}}"
    return _unchanged(world, {DIDS: {"dids": dids}}, USUAL)


def _unchanged(world: World, task: Task, width: int) -> Sample:
    """Run a task for DIDs that are as declared. C(width): the columns of the table that declared them."""
    registry = world.full_registry(SMALL, width)
    played = world.play([task], registry=registry, expected=SMALL / 1000)
    if played.results[0]["changed"]:
        raise BenchmarkError(f"{task}: there was something to do")
    return _sample(played)


def list_ratios(lists: Lists) -> list[Ratio]:
    """Return the ratios of long lists with nothing to do."""
    ping, small, large, with_passwords, without_passwords, *tables = map(_seconds, lists)
    narrow_csv, narrow_xlsx, wide_csv, wide_xlsx = tables
    net_small = [own - start for own, start in zip(small, ping)]
    net_large = [own - start for own, start in zip(large, ping)]
    memory = [sample.memory / 2**20 for sample in lists.large if sample.memory is not None]
    fewer = SMALL / LARGE
    ratios = [
        Ratio(f"{SMALL:,} DIDs from CSV, nothing to do ÷ one ping", _each(small, ping), "≤", 2.5),
        Ratio(f"{LARGE:,} DIDs from CSV, nothing to do ÷ one ping", _each(large, ping), "≤", 3.5),
        Ratio(
            f"{SMALL:,} DIDs inline by from_json, with passwords ÷ without",
            _each(with_passwords, without_passwords),
            "≤",
            2.0,
        ),
        Ratio(
            f"a DID of {LARGE:,} from CSV ÷ a DID of {SMALL:,}",
            _each(large, small, fewer),
            "≤",
            1.0,
        ),
        Ratio("  the same, less a ping each", _each(net_large, net_small, fewer)),
        Ratio(
            f"{SMALL:,} DIDs from .xlsx ÷ from CSV, {NARROW} columns",
            _each(narrow_xlsx, narrow_csv),
            "≤",
            3.0,
        ),
        Ratio(f"  the same, {WIDE} columns", _each(wide_xlsx, wide_csv)),
    ]
    if memory:
        ratios.append(Ratio(f"memory with {LARGE:,} DIDs from CSV", memory, "≤", 200.0, " MiB"))
    return ratios


def _seconds(samples: Sequence[Sample]) -> list[float]:
    return [sample.seconds for sample in samples]


def _each(
    numerators: Sequence[float], denominators: Sequence[float], by: float = 1.0
) -> list[float]:
    return [by * above / below for above, below in zip(numerators, denominators)]
