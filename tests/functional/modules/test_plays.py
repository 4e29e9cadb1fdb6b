# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays that messages hold, taken from there as they stand and run by ansible-playbook."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.move_marks import Move
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program
from ansible_collections.nextbilling.did.tests.support.stores import (
    FileStore,
    on_both_backends,
)

# What Ansible, YAML and JSON would each take for something of their own.
ODD = "{{7*7}}\"'\\{%x%}:é"
ODD_FOLDER = f"{ODD} {{#y "
Play = Callable[[str], tuple[int, str]]


@pytest.fixture
def play(simulator: Simulator, tmp_path: Path) -> Play:
    """Runs a play, with nothing in the environment that says which platform or registry is meant."""
    folder = tmp_path / "playing"
    folder.mkdir()
    environment = {
        name: value
        for name, value in surroundings(simulator, folder, configuration=QUIET).items()
        if not name.startswith("NEXTBILLING_")
    }

    def run(text: str) -> tuple[int, str]:
        (folder / "play.yml").write_text(text, "utf-8")
        return output_of([program("ansible-playbook"), "play.yml"], folder, environment)

    return run


def plays(result: Result) -> list[str]:
    """Return the plays of a message, each as the text that stands there."""
    message = result["msg"]
    return re.split(r"^(?=- name: )", message[message.index("\n- name: ") + 1 :], flags=re.M)[1:]


def _worked(done: tuple[int, str], changed: int = 1) -> None:
    code, output = done
    assert (code, f"changed={changed} " in output) == (0, True), output


@on_both_backends
def test_the_plays_that_settle_a_create(runner: Runner, play: Play) -> None:
    runner.simulator.fault("drop_before")
    _exists, does_not = plays(runner.did(did_number="0166"))
    _worked(play(does_not))
    assert runner.did_info()["dids"] == []

    runner.simulator.fault("drop_after")
    runner.did(did_number="0166")
    exists, _does_not = plays(runner.did(did_number="0166"))  # of an earlier run
    assert "set record_id" in exists
    code, output = play(exists)
    assert code != 0 and "record_id" in output
    assert runner.did_info()["dids"][0]["outcome"] == "unknown"
    _worked(play(exists.replace("record_id: 0", "record_id: 13")))
    assert runner.both(did_number="0166", port=5060)["action"] == "update"
    assert runner.simulator.duplicates() == {}


def test_whoever_pastes_both_plays_gets_nowhere(runner: Runner, play: Play) -> None:
    """The first is refused as it stands, so the second, which allows a create, is not come to."""
    runner.simulator.fault("drop_after")
    result = runner.did(did_number="1166")
    code, _output = play("".join(plays(result)))
    assert code != 0
    assert runner.attempt("1166") == result["error"]["attempt"]


@pytest.mark.slow
def test_names_and_paths_with_odd_characters(
    simulator: Simulator, tmp_path: Path, play: Play
) -> None:
    store = FileStore(tmp_path / ODD_FOLDER / "registry.db")
    runner = Runner(simulator, store, {"platform": ODD})
    assert runner.did_registry()["changed"]
    simulator.fault("drop_before")
    exists, does_not = plays(runner.did(did_number="1166"))
    _worked(play(does_not))
    assert runner.did_info()["dids"] == []
    assert "record_id" in play(exists)[1]
    # The same of one that is missing.
    missing = Runner(
        simulator, FileStore(tmp_path / f"{ODD_FOLDER}2" / "registry.db"), runner.options
    )
    (create,) = plays(missing.did(did_number="1166"))
    _worked(play(create))
    assert missing.did_info()["registry"]["platforms"] == [ODD]


def test_the_play_that_creates_a_registry_demands_a_platform(bare: Runner, play: Play) -> None:
    """Which one is meant only a person knows where the task did not name one: the stand-in makes none of its own."""
    (create,) = plays(bare.did_info(api_url=..., api_token=..., api_key=...))
    code, output = play(create)
    assert code != 0 and "platform" in output
    assert bare.store.is_empty()
    _worked(play(create.replace("NAME OF THE PLATFORM", "sip.example.com:443")))
    assert bare.did_info()["registry"]["platforms"] == ["sip.example.com:443"]


def test_the_play_that_completes_a_move(runner: Runner, play: Play, tmp_path: Path) -> None:
    target = str(tmp_path / "there {{ 7*7 }}" / "registry.db")
    move = Move(
        "0" * 32, runner.store.location, target, socket.gethostname(), "2026-01-31T12:00:00Z"
    )
    runner.write(f"INSERT INTO meta (name, value) VALUES ('moving', '{move.dump()}')")
    complete, take = plays(runner.did(did_number="1166"))
    assert "overwrite: true" in take and runner.store.location in take
    _worked(play(complete))
    there = Runner(runner.simulator, FileStore(Path(target)))
    assert there.both(did_number="1166")["action"] == "create"
    assert runner.did(did_number="1166")["error"]["kind"] == "registry_mismatch"


def test_a_play_settles_nothing_in_another_registry(runner: Runner, tmp_path: Path) -> None:
    """It runs where it is pasted, and another registry may lie there at the same path."""
    runner.simulator.fault("drop_before")
    _exists, does_not = plays(runner.did(did_number="1166"))
    identity = runner.did_info()["registry"]["id"]
    assert f'registry_id: "{identity}"' in does_not
    other: dict[str, Any] = {"registry": str(tmp_path / "other" / "registry.db")}
    assert runner.did_registry(**other)["changed"]
    said = {"state": "forgotten", "dids": [{"did_number": "1166"}], "registry_id": identity}
    assert runner.did_registry(**said, **other)["error"]["kind"] == "registry_mismatch"
