# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ratios of measurements that alternate in one run, and their targets."""

from __future__ import annotations

import operator
import statistics
from typing import NamedTuple

_HOLDS = {"<": operator.lt, "≤": operator.le, "≥": operator.ge}


class Ratio(NamedTuple):
    """What was measured, its value in each round, and its target, where there is one: ``relation`` and ``target``."""

    name: str
    values: list[float]
    relation: str = ""
    target: float | None = None
    unit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the median meets the target, or None if there is none."""
        return (
            None if self.target is None else bool(_HOLDS[self.relation](self.median, self.target))
        )
