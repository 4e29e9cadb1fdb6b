# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks export and settle, run as a user runs them."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program
from ansible_collections.nextbilling.did.tests.support.stores import FileStore

Playbook = Callable[..., tuple[int, str]]
PASSWORD = "pwd-7e1f-geheim"
ODD: list[dict[str, Any]] = [
    {"did_number": "+551130001000", "record_id": 12, "description": "=1+1", "annotations": ""},
    {"did_number": "0800123456", "record_id": 13, "description": "{{ 7*7 }} é\n- x;=y"},
    {"record_id": 14, "did_type": "queue", "did_type_id": 7, "password": PASSWORD, "status": -1},
    {"did_number": "0300123456", "record_id": 15, "host_additional": [], "annotations": "[1, 2]"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder where the user stands."""
    made = tmp_path / "where the user stands"
    made.mkdir()
    return made


@pytest.fixture
def playbook(runner: Runner, simulator: Simulator, folder: Path, tmp_path: Path) -> Playbook:
    """Runs a command of the user's, or a playbook of the collection with variables."""
    home = tmp_path / "home"
    home.mkdir()
    environment = surroundings(
        simulator, home, configuration=QUIET, NEXTBILLING_REGISTRY=runner.store.location
    )

    def run(name: str, *arguments: str, **variables: str) -> tuple[int, str]:
        given = [f"-e{key}={value}" for key, value in variables.items()]
        command = [name, *arguments]
        if not name.startswith("ansible-playbook "):
            command = ["ansible-playbook", f"nextbilling.did.{name}", *arguments, *given]
        else:
            command = shlex.split(name)
        return output_of([program(command[0]), *command[1:]], folder, environment)

    return run


def worked(done: tuple[int, str], changed: int) -> str:
    """Check that a playbook has changed so much; return what it printed."""
    code, printed = done
    assert (code, f"changed={changed} " in printed) == (0, True), printed
    return printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "form", ["csv", *(pytest.param(name, marks=pytest.mark.long) for name in ("json", "yml"))]
)
def test_a_registry_is_exported_once_and_read_back(
    runner: Runner, playbook: Playbook, folder: Path, tmp_path: Path, form: str
) -> None:
    assert runner.did_registry(state="recorded", dids=ODD)["changed"]
    dest = f"dids.{form}"
    before = runner.traces()
    printed = worked(playbook("export", "--check", "--diff", export_dest=dest), 1)
    assert not (folder / dest).exists() and PASSWORD not in printed
    assert f"0 are not confirmed: {dest} (check mode: not written)" in " ".join(printed.split())
    printed = worked(playbook("export", export_dest=dest), 1)
    assert "check mode" not in printed
    assert "4 DIDs of 127.0.0.1:" in printed and "0 are not confirmed" in printed
    worked(playbook("export", export_dest=dest), 0)
    assert runner.traces() == before
    content = (folder / dest).read_text("utf-8")
    assert PASSWORD not in content and "***" not in content

    other = Runner(runner.simulator, FileStore(tmp_path / "other" / "registry.db"))
    other.did_registry()
    assert other.did_registry(state="recorded", src=str(folder / dest))["changed"]
    for there, here in zip(other.did_info()["dids"], runner.did_info()["dids"], strict=True):
        here["fields"].pop("password", None)
        assert there == here
    unchanged = runner.dids(src=str(folder / dest))
    assert (unchanged["changed"], unchanged["summary"]["none"]) == (False, 4)


@pytest.mark.slow
def test_several_open_dids_are_settled_by_the_commands_of_the_message(
    runner: Runner, playbook: Playbook, folder: Path
) -> None:
    numbers = [str(number) for number in range(1130001000, 1130001012)]
    for _number in numbers[:6]:
        runner.simulator.fault("drop_after")
    for _number in numbers[6:8]:
        runner.simulator.fault("drop_before")
    dids = [{"did_number": number, "port": 5060} for number in numbers]
    failed = runner.dids(dids=dids, max_failures=99)
    assert failed["summary"]["unknown"] == 8
    export, settle = re.findall(r"^ansible-playbook .*$", failed["msg"], re.M)
    for part in ("nextbilling.did.export", "nextbilling.did.settle", "record_id", "absent"):
        assert part in failed["msg"]
    assert "state: forgotten" not in failed["msg"] and len(failed["msg"]) < 4000

    worked(playbook(export), 1)
    with (folder / "open.csv").open(encoding="utf-8-sig", newline="") as table:
        header, *rows = csv.reader(table, delimiter=";")
    assert [row[0] for row in rows] == numbers[:8]
    ids = {each["did_number"]: 13 + index for index, each in enumerate(runner.simulator.created())}
    for row in rows[:7]:
        # The last one is left as it is.
        if row[0] in ids:
            row[header.index("record_id")] = str(ids[row[0]])
        else:
            row[header.index("outcome")] = "absent"
    with (folder / "open.csv").open("w", encoding="utf-8-sig", newline="") as table:
        csv.writer(table, delimiter=";").writerows([header, *rows])

    printed = worked(playbook(f"{settle} --check"), 1)
    assert "(check mode: nothing was recorded or forgotten)" in " ".join(printed.split())
    assert len(runner.did_info(outcome="unknown")["dids"]) == 8
    printed = worked(playbook(settle), 1)
    assert "check mode" not in printed
    for words in ("DIDs that exist: 6.", "DIDs that do not exist: 1.", f"open: {numbers[7]}"):
        assert words in " ".join(printed.split()), printed
    worked(playbook(settle), 0)
    (left,) = runner.did_info(outcome="unknown")["dids"]
    assert left["did_number"] == numbers[7]
    result = runner.dids(dids=dids)
    assert (result["summary"]["create"], result["summary"]["unknown"]) == (1, 1)
    assert runner.simulator.duplicates() == {}


def test_the_commands_are_typed_as_they_stand_whatever_the_registry_is_called(
    simulator: Simulator, playbook: Playbook, tmp_path: Path, folder: Path
) -> None:
    odd = "{{7*7}}\"'\\{%x%}:é $HOME"
    runner = Runner(
        simulator, FileStore(tmp_path / odd / "registry.db"), {"platform": "a{{7*7}}'b"}
    )
    assert runner.did_registry()["changed"]
    for _number in range(2):
        simulator.fault("drop_before")
    failed = runner.dids(dids=[{"did_number": "1"}, {"did_number": "2"}])
    export, settle = re.findall(r"^ansible-playbook .*$", failed["msg"], re.M)
    worked(playbook(export), 1)
    path = folder / "open.csv"
    path.write_text(path.read_text("utf-8").replace(";unknown", ";absent"), "utf-8")
    worked(playbook(settle), 1)
    assert runner.did_info()["dids"] == []


@pytest.mark.parametrize("form", ["csv", "json", "yml"])
def test_a_template_shows_the_fields_and_is_applied_by_nobody(
    runner: Runner, playbook: Playbook, folder: Path, form: str
) -> None:
    dest = f"template.{form}"
    worked(
        playbook(
            "export", export_dest=dest, export_template="true", export_registry="/nowhere/x.db"
        ),
        1,
    )
    path = folder / dest
    if form == "csv":
        with path.open(encoding="utf-8-sig", newline="") as table:
            header, *rows = csv.reader(table, delimiter=";")
        assert set(header) == {*BY_NAME, "record_id"} and len(rows) == 2
    refused = runner.dids(src=str(path))
    assert refused["error"]["kind"] == "invalid_parameter"
    assert ": did_number: holds" in refused["msg"] and "EXAMPLE" not in refused["msg"]
    path.write_text(path.read_text("utf-8").replace("EXAMPLE ", ""), "utf-8")
    assert runner.dids(check=True, src=str(path))["summary"]["total"] == 2
    recorded = runner.did_registry(state="recorded", src=str(path))
    assert "needs record_id" in recorded["msg"]


@pytest.mark.slow
def test_what_is_missing_is_said(runner: Runner, playbook: Playbook, folder: Path) -> None:
    runner.did(did_number="1")
    for name, variables, words in (
        ("export", {}, "No file is given"),
        ("export", {"export_dest": "dids.txt"}, "export_dest is no .csv, .json or .yml file"),
        ("export", {"export_dest": "x.csv", "export_platform": "other:1"}, "The registry knows"),
        ("export", {"export_dest": "x.csv", "export_outcome": "open"}, "outcome: must be one of"),
        ("settle", {}, "No file is given"),
        ("settle", {"settle_src": "nowhere.csv"}, "where the user stands/nowhere.csv"),
    ):
        code, printed = playbook(name, **variables)
        assert code != 0 and words in " ".join(printed.split()), printed
    runner.did_registry(platform="other:443", another_platform=True)
    code, printed = playbook("export", export_dest="x.csv")
    assert code != 0 and "export_platform=NAME" in printed and "other:443" in printed, printed
    assert list(folder.iterdir()) == []
    worked(playbook("export", export_dest="x.csv", export_platform="other:443"), 1)


def test_a_registry_that_was_moved_is_not_exported(
    runner: Runner, playbook: Playbook, folder: Path, tmp_path: Path
) -> None:
    there = str(tmp_path / "there" / "registry.db")
    moved = runner.did_registry(
        state="copied", registry=there, copy_from=runner.store.location, api_url=...
    )
    assert moved["changed"], moved
    code, printed = playbook("export", export_dest="x.csv")
    assert code != 0 and there in " ".join(printed.split()), printed
    assert list(folder.iterdir()) == []
