# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the collection as its users get it."""

from __future__ import annotations

from ansible_collections.nextbilling.did.tests.support.fixtures import (
    installed,
    running,
    server,
    simulator,
    tarball,
)

__all__ = [
    "installed",
    "running",
    "server",
    "simulator",
    "tarball",
]
