# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often a run waits for the server of its registry: a server may be far away."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.stores import Proxy, Server, in_postgresql

pytestmark = in_postgresql


@pytest.fixture
def far(runner: Runner, server: Server, line: Proxy) -> Runner:
    """A registry at the other end of that line."""
    runner.options["registry"] = server.url("registry", port=line.port)
    return runner


def _round_trips(far: Runner, line: Proxy, first: int, count: int, **options: Any) -> int:
    """Apply a list; return how many round trips that took."""
    wanted = [{"did_number": str(number), "port": 5060} for number in range(first, first + count)]
    before = line.round_trips
    result = far.dids(dids=wanted, **options)
    assert "failed" not in result, result
    return line.round_trips - before


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_create_takes_two_round_trips(far: Runner, line: Proxy, concurrency: int) -> None:
    """What opens the registry and ends the run comes once."""
    few = _round_trips(far, line, 1000, 10, concurrency=concurrency)
    many = _round_trips(far, line, 2000, 60, concurrency=concurrency)
    # A runner that is held up for a second asks whether its claim still holds.
    assert many - few <= 2.1 * 50


def test_a_library_that_cannot_send_statements_together(
    far: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a libpq before 14."""
    import psycopg

    monkeypatch.setattr(psycopg.Pipeline, "is_supported", lambda: False)
    monkeypatch.delattr(psycopg.Connection, "pipeline")
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1010)]
    assert far.dids(dids=wanted)["summary"]["create"] == 10
    assert far.both_dids(dids=wanted)["summary"]["none"] == 10


def test_an_update_takes_two_round_trips(far: Runner, line: Proxy) -> None:
    for count in (10, 60):
        _round_trips(far, line, count * 100, count)
    few = _round_trips(far, line, 1000, 10, defaults={"description": "x"})
    many = _round_trips(far, line, 6000, 60, defaults={"description": "x"})
    assert many - few <= 2.1 * 50


def test_nothing_to_do(far: Runner, line: Proxy) -> None:
    wanted = [
        {"did_number": str(number), "record_id": number, "port": 5060}
        for number in range(10_000, 14_000)
    ]
    assert far.did_registry(state="recorded", dids=wanted)["changed"]
    for count in (1, 4_000):
        assert _round_trips(far, line, 10_000, count) <= count / 2_000 + 12
