# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that are refused before they come to a platform or a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.fixtures import way
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.stores import FileStore

__all__ = [
    "way",
]


class Unreached(Simulator):
    """A platform that is not there."""

    def requests(self, method: str | None = None, **_more: Any) -> list[dict[str, Any]]:
        """Nothing came."""
        return []


@pytest.fixture
def runner(tmp_path: Path, way: str) -> Runner:
    """A runner without a platform and without a registry: whoever looks for one is told so."""
    platform = Unreached("http://127.0.0.1:9", "token-of-a-test", "key-of-a-test")
    return Runner(platform, FileStore(tmp_path / "state" / "registry.db"), way=way)
