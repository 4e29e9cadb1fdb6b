# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of a registry and back into one: what was exported, in each format, is what dids and did_registry read."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given

from ansible_collections.nextbilling.did.plugins.filter.to_csv import to_csv
from ansible_collections.nextbilling.did.plugins.filter.to_entries import to_entries
from ansible_collections.nextbilling.did.plugins.filter.to_yaml import to_yaml
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner, in_both_ways
from ansible_collections.nextbilling.did.tests.support.registries import (
    DIDS,
    EXAMPLE_PASSWORD,
    Did,
)
from ansible_collections.nextbilling.did.tests.support.stores import FileStore, on_both_backends

FORMATS = ("csv", "json", "yml")


def exported(dids: list[Result], path: Path) -> str:
    """Write DIDs as the playbook does; return the file's name."""
    if path.suffix == ".csv":
        text = to_csv(dids)
    elif path.suffix == ".json":
        text = json.dumps(to_entries(dids), ensure_ascii=False)
    else:
        text = to_yaml(dids)
    path.write_text(text, "utf-8", newline="")
    return str(path)


def lines(path: str) -> list[str]:
    """Return the lines of an export, in any order."""
    text = Path(path).read_text("utf-8")
    return sorted(map(repr, json.loads(text)) if path.endswith(".json") else text.splitlines())


def known(runner: Runner) -> list[Result]:
    """Return what a registry knows of its DIDs, but for secrets and times."""
    dids: list[Result] = runner.did_info()["dids"]
    for did in dids:
        del did["confirmed_at"]
        did["fields"].pop("password", None)
    return dids


@pytest.mark.parametrize("form", FORMATS)
@hypothesis.settings(max_examples=25)
@given(dids=DIDS)
def test_an_export_is_read_back(running: Simulator, form: str, dids: list[Did]) -> None:
    sent = len(running.requests())
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(running, FileStore(Path(folder) / "one" / "registry.db"))
        other = Runner(running, FileStore(Path(folder) / "other" / "registry.db"))
        for each in (runner, other):
            assert each.did_registry()["changed"]
        recorded = runner.did_registry(state="recorded", dids=dids)
        assert recorded.get("changed"), recorded
        src = f"{folder}/dids.{form}"
        assert runner.did_registry(state="exported", dest=src)["changed"]
        assert EXAMPLE_PASSWORD not in Path(src).read_text("utf-8")
        by_filter = exported(runner.did_info()["dids"], Path(folder) / f"by_filter.{form}")
        # The filters keep the order of did_info, which is that of the numbers.
        assert lines(src) == lines(by_filter)

        # Into an empty registry of the same platform.
        result = other.did_registry(state="recorded", src=src)
        assert result.get("changed"), result
        assert known(other) == known(runner)
        assert not other.did_registry(state="recorded", src=src)["changed"]

        # And as a declaration.
        result = runner.dids(src=src)
        assert (result["changed"], result.get("summary", {}).get("none")) == (
            False,
            len(dids),
        ), result
    assert len(running.requests()) == sent


@on_both_backends
@pytest.mark.parametrize("form", FORMATS)
def test_the_open_dids_are_settled_from_an_export(
    runner: Runner, tmp_path: Path, form: str
) -> None:
    for fault, number in (
        *(("reset_after", "0166"), ("reset_before", "+5511"), ("reset_before", "0168")),
        ("reset_before", "0169"),
    ):
        runner.simulator.fault(fault)
        runner.did(did_number=number, port=5060, description="=x", password="geheim")
    runner.did(did_number="1", port=5060)
    dids = runner.did_info(outcome="unknown")["dids"]
    entries = {entry["did_number"]: entry for entry in to_entries(dids)}
    assert {entry["port"] for entry in entries.values()} == {5060}
    # What a person finds on the platform.
    found = {**dids[[did["did_number"] for did in dids].index("0166")], "record_id": 13}
    absent = [
        {**did, "outcome": "absent"} for did in dids if did["did_number"] in ("+5511", "0168")
    ]
    left = [did for did in dids if did["did_number"] == "0169"]
    src = exported([found, *absent, *left], tmp_path / f"open.{form}")

    done = both_settled(runner, src)
    assert done["changed"] and done["summary"] == {"recorded": 1, "forgotten": 2, "open": 1}
    assert [each["did_number"] for each in done["open"]] == ["0169"]
    assert Path(src).name in done["open"][0]["source"]
    assert not both_settled(runner, src)["changed"]
    # Nothing but number and id is stated, so the fields are sent once more.
    assert runner.both(did_number="0166", port=5060)["action"] == "update"
    assert runner.both(did_number="+5511", port=5060)["action"] == "create"
    assert runner.both(did_number="0169")["error"]["kind"] == "unknown_outcome"
    # It speaks of what is over.
    assert not both_settled(runner, src)["changed"]
    assert runner.simulator.duplicates() == {}
    events = [line["event"] for line in runner.did_info(history=True)["history"]]
    stated = [event for event in events if event != "applied"]
    assert sorted(stated) == ["forgotten", "forgotten", "recorded"]


def both_settled(runner: Runner, src: str) -> Result:
    """Settle in check mode, which leaves no trace, and in earnest; both say the same."""
    stored = runner.traces()
    predicted = runner.did_registry(check=True, state="settled", src=src)
    assert runner.traces() == stored
    done = runner.did_registry(state="settled", src=src)
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    return done


def test_a_list_is_settled_as_a_whole_or_not_at_all(runner: Runner) -> None:
    """A row that was moved, and one of a create that came later, refuse the others too."""
    dids: list[dict[str, Any]] = []
    for number in ("0166", "0167"):
        runner.simulator.fault("reset_before")
        runner.did(did_number=number)
        dids.append({"did_number": number, "outcome": "absent", "attempt": runner.attempt(number)})
    first, second = dids[0], dids[1]
    wrong = {"did_number": "0167", "record_id": 99, "attempt": first["attempt"]}
    for rows in ([wrong], [{**first, "attempt": "0" * 32}, second]):
        before = runner.traces()
        refused = runner.did_registry(state="settled", dids=rows)
        assert refused["error"]["kind"] == "conflict" and "Nothing was written" in refused["msg"]
        assert runner.traces() == before
    for row in (
        {"did_number": "0166", "outcome": "absent"},
        {"record_id": 12, "outcome": "absent", "attempt": first["attempt"]},
        {"did_number": "0166", "outcome": "gone", "attempt": first["attempt"]},
    ):
        before = runner.traces()
        refused = runner.did_registry(state="settled", dids=[row, second])
        assert refused["error"]["kind"] == "invalid_parameter", refused
        assert "dids[0]: outcome: " in refused["msg"] and runner.traces() == before
    runner.forget("0167")
    runner.simulator.fault("reset_after")
    runner.did(did_number="0167")
    stale = {"did_number": "0167", "record_id": 99, "attempt": second["attempt"]}
    refused = runner.did_registry(state="settled", dids=[first, stale])
    assert "another one than this attempt" in refused["msg"]
    assert len(runner.did_info(outcome="unknown")["dids"]) == 2


def test_an_open_did_is_not_recorded_unseen(runner: Runner, tmp_path: Path) -> None:
    runner.did(did_number="1")
    runner.simulator.fault("reset_after")
    runner.did(did_number="0166")
    src = exported(runner.did_info()["dids"], tmp_path / "dids.csv")
    refused = runner.did_registry(state="recorded", src=src)
    assert "line 2: needs record_id" in refused["msg"] and "line 3" not in refused["msg"]
    again = runner.dids(src=src)
    assert (again["summary"]["none"], again["summary"]["unknown"]) == (1, 1)
    assert len(runner.requests()) == 2


@in_both_ways
@on_both_backends
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_written_once_and_as_a_whole(runner: Runner, tmp_path: Path, form: str) -> None:
    runner.did(did_number="1", port=5060)
    runner.simulator.fault("reset_before")
    runner.did(did_number="2")
    folder = tmp_path / "exports"
    folder.mkdir()
    dest = folder / f"DIDs.{form.upper()}"
    changed = both_exported(runner, dest)
    assert changed["changed"] and f"write 2 DIDs to {dest}" in changed["diff"]["after"]
    assert changed["exported"] == {"confirmed": 1, "unknown": 1, "uncertain": 0, "under_way": 0}
    assert dest.stat().st_mode & 0o777 == 0o600
    written = dest.stat()
    assert not both_exported(runner, dest)["changed"]
    assert (dest.stat().st_ino, dest.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    before = dest.read_bytes()
    # Another mode alone, a file that goes on, one that breaks off, one with fewer DIDs.
    assert "set the mode" in both_exported(runner, dest, mode="0640")["diff"]["after"]
    assert (dest.stat().st_mode & 0o777, dest.stat().st_ino) == (0o640, written.st_ino)
    for other in (before + b"\n", before[:-1], b""):
        dest.write_bytes(other)
        assert both_exported(runner, dest)["changed"]
        assert (dest.read_bytes(), dest.stat().st_mode & 0o777) == (before, 0o600)
    assert both_exported(runner, dest, outcome="confirmed")["exported"]["unknown"] == 0
    assert b"unknown" not in dest.read_bytes()
    assert list(folder.iterdir()) == [dest]


def both_exported(runner: Runner, dest: Path, **options: Any) -> Result:
    """Export in check mode, which leaves no trace, and in earnest; both say the same. The file has what the registry knows."""
    options = {"state": "exported", "dest": str(dest), **options}
    stored, held = runner.traces(), dest.read_bytes() if dest.exists() else None
    predicted = runner.did_registry(check=True, **options)
    assert held == (dest.read_bytes() if dest.exists() else None)
    done = runner.did_registry(**options)
    assert {**predicted, "invocation": None} == {**done, "invocation": None}
    assert runner.traces() == stored and not done.get("failed"), done
    return done


def test_check_mode_makes_no_file_beside_the_exported_one(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for a moment, on a file system that gives each file a name."""
    monkeypatch.setattr(os, "O_TMPFILE", 0)
    folder = tmp_path / "out"
    folder.mkdir()
    os.utime(folder, (0, 0))
    runner.did(did_number="1")
    options: dict[str, Any] = {"state": "exported", "dest": str(folder / "dids.csv")}
    assert runner.did_registry(check=True, **options)["changed"]
    assert folder.stat().st_mtime == 0
    assert runner.did_registry(**options)["changed"]


@on_both_backends
def test_every_did_of_many_pages_is_exported_once(runner: Runner, tmp_path: Path) -> None:
    """Also one with two numbers, as the outcome of its renumbering is not known, wherever it is on its page."""
    dids = [{"did_number": f"1130{index:06}", "record_id": 100 + index} for index in range(2002)]
    assert runner.did_registry(state="recorded", dids=dids)["changed"]
    for index in (998, 999, 1000, 2001):
        runner.simulator.fault("reset_before")
        runner.did(record_id=100 + index, did_number=f"1131{index:06}", renumber=True)
    dest = tmp_path / "dids.json"
    counts = both_exported(runner, dest)["exported"]
    assert (counts["confirmed"], counts["uncertain"]) == (1998, 4)
    entries = json.loads(dest.read_text("utf-8"))
    assert [entry["record_id"] for entry in entries] == [100 + index for index in range(2002)]
    assert [entries[index]["did_number"] for index in (998, 999, 1000, 2001)] == [None] * 4
    assert [entries[index]["did_number"] for index in (997, 1001)] == ["1130000997", "1130001001"]


def test_a_file_that_cannot_be_exported_to_is_refused(runner: Runner, tmp_path: Path) -> None:
    runner.did(did_number="1")
    made = tmp_path / "made.csv"
    made.mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there.csv")
    dest = str(tmp_path / "dids.csv")
    for options, words in (
        ({}, "dest: is required"),
        ({"dest": "dids.csv"}, "dest: is a relative path"),
        ({"dest": str(tmp_path / "dids.txt")}, "dest: must end in"),
        ({"dest": str(made)}, "no regular file"),
        ({"dest": str(link)}, "no regular file"),
        ({"dest": str(tmp_path / "nowhere" / "dids.csv")}, "cannot be written (No such file"),
        ({"dest": dest, "mode": 384}, "mode: must be octal digits in quotes"),
        ({"dest": dest, "mode": "u=rw"}, "mode: must be octal digits in quotes"),
        ({"dest": dest, "outcome": "open"}, "outcome: must be one of"),
        ({"dest": dest, "dids": []}, "dids: goes with state recorded"),
        ({"dest": dest, "state": "present"}, "dest: goes with state exported"),
        ({"dest": dest, "platform": "other:443"}, "The registry knows 127.0.0.1"),
    ):
        for check in (True, False):
            refused = runner.did_registry(check=check, **{"state": "exported", **options})
            assert refused.get("failed") and words in refused["msg"], refused
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["link.csv", "made.csv"]


def test_what_the_collection_needs_is_not_exported_over(
    simulator: Simulator, tmp_path: Path
) -> None:
    runner = Runner(simulator, FileStore(tmp_path / "registry.json"))
    runner.options["witness"] = str(tmp_path / "witness")
    runner.did_registry()
    runner.did(did_number="1")
    (witness,) = (tmp_path / "witness").glob("*/*.csv")
    for dest in (runner.registry, witness):
        before = dest.read_bytes()
        refused = runner.did_registry(state="exported", dest=str(dest))
        assert refused["error"]["kind"] == "invalid_parameter", refused
        assert dest.read_bytes() == before


def test_a_registry_with_several_platforms_is_exported_by_the_one_that_is_named(
    runner: Runner, tmp_path: Path
) -> None:
    runner.did(did_number="1")
    assert runner.did_registry(platform="other", another_platform=True)["changed"]
    dids = [{"did_number": "2", "record_id": 7}]
    assert runner.did_registry(state="recorded", platform="other", dids=dids)["changed"]
    dest = tmp_path / "dids.json"
    refused = runner.did_registry(state="exported", dest=str(dest), api_url=...)
    assert "platform: name one" in refused["msg"] and "other" in refused["msg"]
    assert not dest.exists()
    assert both_exported(runner, dest, platform="other")["platform"] == "other"
    assert [did["did_number"] for did in json.loads(dest.read_text("utf-8"))] == ["2"]


def test_a_registry_that_was_moved_is_exported_where_it_is_now(
    runner: Runner, tmp_path: Path
) -> None:
    runner.did(did_number="1")
    there = Runner(runner.simulator, FileStore(tmp_path / "there" / "registry.db"))
    assert there.did_registry(state="copied", copy_from=runner.store.location)["changed"]
    dest = tmp_path / "dids.csv"
    for check in (True, False):
        refused = runner.did_registry(check=check, state="exported", dest=str(dest))
        assert refused["error"]["kind"] == "registry_mismatch"
        assert f"Export {there.store.location}" in refused["msg"]
    assert not dest.exists()
    assert both_exported(there, dest)["exported"]["confirmed"] == 1


def test_check_mode_says_that_a_folder_may_not_be_written(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.did(did_number="1")
    folder = tmp_path / "out"
    folder.mkdir()
    access = os.access
    # As for a user who is not root.
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(folder) and access(path, mode))
    for check in (True, False):
        refused = runner.did_registry(check=check, state="exported", dest=str(folder / "dids.csv"))
        assert "dids.csv cannot be written (Permission denied). Nothing" in refused["msg"], refused
    assert not list(folder.iterdir())


def test_a_text_that_a_format_cannot_hold_is_refused_by_the_name_of_its_did(
    runner: Runner, tmp_path: Path
) -> None:
    """A reader of CSV takes no cell of this length."""
    dids = [{"did_number": "1", "record_id": 12, "annotations": "x" * 140_000}]
    assert runner.did_registry(state="recorded", dids=dids)["changed"]
    dest = tmp_path / "dids.csv"
    for check in (True, False):
        refused = runner.did_registry(check=check, state="exported", dest=str(dest))
        assert refused["error"]["kind"] == "invalid_parameter", refused
        assert "dest: 1: annotations holds" in refused["msg"] and "JSON" in refused["msg"]
    assert not dest.exists()
    both_exported(runner, dest.with_suffix(".yml"))


def test_a_full_disk_leaves_the_file_that_was_exported_before(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.did(did_number="1")
    folder = tmp_path / "out"
    folder.mkdir()
    dest = folder / "dids.csv"
    dest.write_text("before")

    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    refused = runner.did_registry(state="exported", dest=str(dest))
    assert refused.get("failed") and "No space left on device" in refused["msg"], refused
    assert [(path, path.read_text()) for path in folder.iterdir()] == [(dest, "before")]
