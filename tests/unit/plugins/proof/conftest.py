# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests with real processes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.unit.plugins.conftest import Runner
from ansible_collections.nextbilling.did.tests.unit.plugins.proof.processes import Process


@pytest.fixture
def start(runner: Runner, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts tasks in processes of their own, and ends those that are left over."""
    processes: list[Process] = []

    def started(happening: str = "", **parameters: Any) -> Process:
        processes.append(Process(runner, tmp_path, happening, **parameters))
        return processes[-1]

    yield started
    for process in processes:
        process.end()
