# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays tasks with the callback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.players import Player, empty_player


@pytest.fixture
def player(simulator: Simulator, tmp_path: Path) -> Player:
    """Plays tasks against the simulator, with an empty registry."""
    return empty_player(simulator, tmp_path)
