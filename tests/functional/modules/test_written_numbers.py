# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as people and spreadsheets write them, in runs that come to the platform or the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.nextbilling.did.tests.support.modules import Runner

NUMBER = "1130031000"
DAMAGED = f"{NUMBER}.0"


def test_the_right_number_is_recorded_then_and_not_created(runner: Runner, tmp_path: Path) -> None:
    """What was recorded under eleven digits was created a second time under the ten that were meant."""
    record_id = runner.did(did_number=NUMBER)["record_id"]
    known = {"did_number": NUMBER, "record_id": record_id}
    assert runner.did_registry(state="forgotten", dids=[known])["changed"]
    path = tmp_path / "dids.csv"
    path.write_text(f"record_id;did_number\n{record_id};{DAMAGED}\n", encoding="utf-8")
    assert runner.did_registry(state="recorded", src=str(path))["failed"]
    path.write_text(f"record_id;did_number\n{record_id};11 3003-1000\n", encoding="utf-8")
    assert runner.did_registry(state="recorded", src=str(path))["changed"]
    done = runner.did(did_number=NUMBER, port=5060)
    assert (done["action"], done["record_id"]) == ("update", record_id)
    assert [request["method"] for request in runner.requests()] == ["PUT", "POST"]


def test_space_around_is_dropped_but_refused_around_a_password(runner: Runner) -> None:
    values: dict[str, Any] = {
        "username": "0042",
        "callerid_add": "+5511",
        "techprefix1": "55",
        "techprefix2": "#",
    }
    spaced: dict[str, Any] = {name: f" {value}\u00a0\n" for name, value in values.items()}
    runner.did(did_number=f" {NUMBER} ", **spaced)
    (request,) = runner.requests("PUT")
    assert request["json"] == {"did_number": NUMBER, **values}
    assert runner.did(did_number=NUMBER, **values)["changed"] is False
    for password in (" geheim", "geheim\n", "geheim\u00a0"):
        refused = runner.did(did_number="1130031001", password=password)
        assert "password: begins or ends with space" in refused["msg"]
        assert "geheim" not in json.dumps(refused)
    assert len(runner.requests()) == 1


LONG = [f"{NUMBER}{number:010d}" for number in range(30)]


def test_more_digits_than_a_number_has_give_one_warning(runner: Runner) -> None:
    for check in (True, False):
        result = runner.dids(check=check, dids=[{"did_number": number} for number in [*LONG, "1"]])
        (warning,) = result["warnings"]
        assert "more than 15 digits" in str(warning) and "and 10 more" in str(warning)
        assert result["summary"]["create"] == 31
    assert "warnings" not in runner.dids(dids=[{"did_number": number} for number in LONG])
    recorded = runner.did_registry(
        state="recorded",
        dids=[{"did_number": f"+{'9' * 16}", "record_id": 5000}],
    )
    assert "more than 15 digits" in str(recorded["warnings"])
    assert "warnings" not in runner.did(did_number="9" * 15)
    assert "more than 15 digits" in str(runner.did(did_number=f"+1{'9' * 15}")["warnings"])
