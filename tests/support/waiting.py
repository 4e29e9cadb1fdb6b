# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for other threads and processes by looking, as a length of time that suits one machine is too short on another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Seconds after which what others do is not going to happen any more.
TIMEOUT = 60.0


def until(look: Callable[[], T]) -> T:
    """Look until there is something to see, and return that."""
    deadline = time.monotonic() + TIMEOUT
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
    return seen
