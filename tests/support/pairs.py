# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of test cases in which every two values of different dimensions meet."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

Pair = tuple[tuple[int, str], tuple[int, str]]


def extend(rows: Sequence[tuple[str, ...]], *dimensions: Sequence[str]) -> list[tuple[str, ...]]:
    """Extend each row by one value of each dimension: those that make the most pairs that no row before it has.

    The result is the same at each call.
    """
    met: Counter[Pair] = Counter()
    extended = []
    for row in rows:
        candidates = [(*row, *values) for values in itertools.product(*dimensions)]
        chosen = max(
            candidates,
            key=lambda each: (
                sum(not met[pair] for pair in pairs(each)),
                -sum(met[pair] for pair in pairs(each)),
            ),
        )
        met.update(pairs(chosen))
        extended.append(chosen)
    return extended


def pairs(row: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs of values that meet in a row, each value with the index of its dimension."""
    return itertools.combinations(enumerate(row), 2)
