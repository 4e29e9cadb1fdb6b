# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof: tests that attack the promises, with real processes and real databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.environment import plain_environment
from ansible_collections.nextbilling.did.tests.support.fixtures import (
    bare,
    empty_store,
    installed,
    line,
    pooler,
    runner,
    running,
    server,
    simulator,
    store,
    tarball,
    way,
)
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.processes import Process

__all__ = [
    "bare",
    "empty_store",
    "installed",
    "line",
    "plain_environment",
    "pooler",
    "runner",
    "running",
    "server",
    "simulator",
    "start",
    "store",
    "tarball",
    "way",
]


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
