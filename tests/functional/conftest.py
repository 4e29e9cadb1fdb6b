# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functional tests: modules, registry, requests and review against the simulator and real databases."""

from __future__ import annotations

from ansible_collections.nextbilling.did.tests.support.environment import plain_environment
from ansible_collections.nextbilling.did.tests.support.fixtures import (
    bare,
    empty_store,
    line,
    pooler,
    runner,
    running,
    running_tls,
    server,
    simulator,
    store,
    tls_runner,
    tls_simulator,
    way,
)

__all__ = [
    "bare",
    "empty_store",
    "line",
    "plain_environment",
    "pooler",
    "runner",
    "running",
    "running_tls",
    "server",
    "simulator",
    "store",
    "tls_runner",
    "tls_simulator",
    "way",
]
