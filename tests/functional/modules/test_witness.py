# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that has lost its newest writes between two runs, or is another one than before, is refused; and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.support.backups import Backup
from ansible_collections.nextbilling.did.tests.support.modules import (
    Result,
    Runner,
    in_both_ways,
)
from ansible_collections.nextbilling.did.tests.support.processes import Process
from ansible_collections.nextbilling.did.tests.support.stores import (
    FileStore,
    in_postgresql,
    on_both_backends,
)

NUMBER, OTHER, NEW = "1130001000", "1130001001", "1130001002"
HEADER = "did_number,record_id,confirmed_at,record_key,version"


@contextlib.contextmanager
def runner_of(runner: Runner, folder: Path | str) -> Iterator[Runner]:
    """The tasks of another host: the same registry and platform, another witness."""
    yield Runner(
        runner.simulator, runner.store, {**runner.options, "witness": str(folder)}, runner.way
    )


@pytest.fixture
def elsewhere(runner: Runner, tmp_path: Path) -> Iterator[Runner]:
    """Another host."""
    with runner_of(runner, tmp_path / "other host") as other:
        yield other


def folder() -> Path:
    """The folder of the witness."""
    return Path(os.environ["NEXTBILLING_WITNESS"])


def witness_file() -> Path:
    """The only file with entries."""
    (found,) = folder().glob("*/*.csv")
    return found


def warnings_of(result: Result) -> str:
    """The texts of a task's warnings."""
    return str(result.get("warnings", ""))


def lines() -> list[list[str]]:
    """The entries: number, id, version of each."""
    head, *rows = witness_file().read_text().splitlines()
    assert head == HEADER
    return [[row.split(",")[0], row.split(",")[1], row.split(",")[4]] for row in rows]


def traces() -> dict[str, tuple[bytes, int]]:
    """All files of the witness."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder().rglob("*")
        if path.is_file()
    }


def refused(runner: Runner, *words: str, number: str = NUMBER, **parameters: Any) -> Result:
    """Require that did and dids refuse, in check mode too, and that nothing is sent or written."""
    seen, stored, kept = len(runner.requests()), runner.traces(), traces()
    results = [
        runner.did(check=check, did_number=number, port=5099, **parameters)
        for check in (True, False)
    ] + [
        runner.dids(check=check, dids=[{"did_number": number}], **parameters)
        for check in (True, False)
    ]
    for result in results:
        assert result.get("failed"), result
        assert result["error"]["kind"] == "registry_mismatch", result
        for word in words:
            assert word in result["msg"], result["msg"]
    assert len(runner.requests()) == seen
    assert runner.traces() == stored
    assert traces() == kept
    return results[0]


def plays_of(result: Result) -> list[dict[str, Any]]:
    """The options of the tasks in the plays of a message."""
    text = result["msg"][result["msg"].index("- name:") :]
    return [
        next(value for name, value in play["tasks"][0].items() if name != "name")
        for play in yaml.safe_load(text)
    ]


def run_play(runner: Runner, options: dict[str, Any]) -> Result:
    """Run a play's task as it stands."""
    names = ("api_url", "api_token", "api_key", "retries")
    left_out: dict[str, Any] = dict.fromkeys(names, ...)
    return runner.did_registry(**{**left_out, **options})


def created(runner: Runner, number: str, **fields: Any) -> int:
    """Create a DID."""
    result = runner.did(did_number=number, **fields)
    assert result["action"] == "create", result
    return int(result["record_id"])


# What is lost


@on_both_backends
@in_both_ways
def test_a_registry_that_has_lost_a_create_is_refused_until_it_is_recorded_again(
    runner: Runner,
) -> None:
    created(runner, OTHER)
    before = Backup(runner.store)
    record_id = created(runner, NUMBER, port=5060)
    before.restore()
    result = refused(
        runner, f"{NUMBER} (record {record_id})", "of the last 2 DIDs", "1 are missing"
    )
    record, accept = plays_of(result)
    assert (record["state"], record["src"]) == ("recorded", str(witness_file()))
    assert (accept["state"], accept["accept_older"]) == ("present", True)
    predicted = runner.did_registry(**record, check=True)
    done = run_play(runner, record)
    assert predicted["changed"] and done["changed"], (predicted, done)
    assert runner.did(did_number=NUMBER, port=5060)["action"] == "update"
    assert len(runner.requests("PUT")) == 2
    assert not run_play(runner, record)["changed"]


@on_both_backends
def test_all_that_is_lost_is_recorded_though_only_the_newest_is_looked_up(runner: Runner) -> None:
    before = Backup(runner.store)
    dids = [{"did_number": str(1130002000 + index)} for index in range(250)]
    assert runner.dids(dids=dids)["summary"]["create"] == 250
    before.restore()
    result = refused(runner, "of the last 100 DIDs", "100 are missing")
    info = runner.did_info()
    assert info["witness"] == {"path": str(witness_file()), "entries": 250, "missing": 250}
    assert "has lost 250 DIDs" in warnings_of(info)
    run_play(runner, plays_of(result)[0])
    assert runner.did_info()["witness"]["missing"] == 0
    again = runner.dids(dids=dids)
    assert again["summary"]["create"] == 0 and len(runner.requests("PUT")) == 250


def renumbered(runner: Runner, record_id: int, number: str) -> None:
    """Give a record another number."""
    result = runner.did(did_number=number, record_id=record_id, renumber=True)
    assert result["action"] == "update", result


@on_both_backends
def test_a_lost_renumbering_is_missed_though_the_id_is_still_there(runner: Runner) -> None:
    record_id = created(runner, OTHER)
    before = Backup(runner.store)
    renumbered(runner, record_id, NUMBER)
    before.restore()
    result = refused(runner, f"{NUMBER} (record {record_id})")
    contradicted = run_play(runner, plays_of(result)[0])
    assert "overwrite" in contradicted["msg"], contradicted
    assert run_play(runner, {**plays_of(result)[0], "overwrite": True})["changed"]
    assert runner.did(did_number=NUMBER)["action"] == "none"
    assert len(runner.requests("PUT")) == 1


@on_both_backends
def test_a_lost_renumbering_is_missed_behind_another_hosts_edits(
    runner: Runner, elsewhere: Runner
) -> None:
    """They raise the version of the older record, and leave the platform the number that it has."""
    record_id = created(runner, OTHER)
    before = Backup(runner.store)
    renumbered(runner, record_id, NUMBER)
    before.restore()
    for description in ("first", "second"):
        edit = elsewhere.did(did_number=None, record_id=record_id, description=description)
        assert edit["action"] == "update", edit
    refused(runner, f"{NUMBER} (record {record_id})")
    assert len(runner.requests("PUT")) == 1


@on_both_backends
def test_a_lost_adoption_is_missed(runner: Runner) -> None:
    before = Backup(runner.store)
    assert runner.did(did_number=NUMBER, record_id=12)["action"] == "adopt"
    before.restore()
    refused(runner, f"{NUMBER} (record 12)")


@on_both_backends
def test_a_lost_statement_is_missed(runner: Runner) -> None:
    before = Backup(runner.store)
    runner.did_registry(state="recorded", dids=[{"did_number": NUMBER, "record_id": 78}])
    before.restore()
    refused(runner, f"{NUMBER} (record 78)")


def test_many_updates_do_not_hide_a_lost_create(runner: Runner) -> None:
    dids = [{"did_number": str(1130002000 + index)} for index in range(120)]
    assert runner.dids(dids=dids[:1])["changed"]
    before = Backup(runner.store)
    assert runner.dids(dids=dids[1:])["changed"]
    kept = lines()
    for port in (5061, 5062):
        assert runner.dids(dids=dids, defaults={"port": port})["summary"]["update"] == 120
    assert lines() == kept
    before.restore()
    refused(runner, "100 are missing")


def test_an_answer_that_could_not_be_recorded_is_kept(runner: Runner, tmp_path: Path) -> None:
    process = Process(runner, tmp_path, "make_read_only at confirm", did_number=NUMBER)
    result = process.result()
    assert result["error"]["kind"] == "unrecorded", result
    record_id = result["error"]["record_id"]
    assert lines() == [[NUMBER, str(record_id), "2"]]
    # As long as the registry knows the attempt, it stops for this DID by itself.
    assert runner.did(did_number=OTHER)["action"] == "create"
    runner.write("DELETE FROM numbers", "DELETE FROM records")
    refused(runner, f"{NUMBER} (record {record_id})")


# What is not lost


@on_both_backends
def test_what_another_host_makes_of_a_did_is_no_loss(runner: Runner, elsewhere: Runner) -> None:
    ids = {number: created(runner, number) for number in (NUMBER, OTHER, NEW)}
    forgotten = [{"did_number": NUMBER, "record_id": ids[NUMBER]}]
    assert elsewhere.did_registry(state="forgotten", dids=forgotten)["changed"]
    renumbered(elsewhere, ids[OTHER], "1130001009")
    overwritten = [{"did_number": NEW, "record_id": 900}]
    assert elsewhere.did_registry(state="recorded", dids=overwritten, overwrite=True)["changed"]
    assert runner.did_info()["witness"]["missing"] == 0
    assert runner.did(did_number="1130001008")["action"] == "create"
    # Not even where what was made of it is forgotten in turn.
    later = [{"did_number": "1130001009", "record_id": ids[OTHER]}, *overwritten]
    assert elsewhere.did_registry(state="forgotten", dids=later)["changed"]
    assert runner.did_info()["witness"]["missing"] == 0
    assert runner.did(did_number="1130001007")["action"] == "create"


@on_both_backends
def test_a_did_that_another_host_has_recorded_again_is_no_loss(
    runner: Runner, elsewhere: Runner
) -> None:
    before = Backup(runner.store)
    record_id = created(runner, NUMBER)
    before.restore()
    statement = [{"did_number": NUMBER, "record_id": record_id}]
    assert elsewhere.did_registry(state="recorded", dids=statement)["changed"]
    assert runner.did(did_number=NUMBER)["action"] in ("none", "update")
    # Or under another record, where it was forgotten first.
    elsewhere.did_registry(state="forgotten", dids=statement)
    elsewhere.did_registry(state="recorded", dids=statement)
    assert not runner.did(did_number=NUMBER).get("failed")


def test_a_loss_behind_a_forgotten_and_recorded_did_is_missed(
    runner: Runner, elsewhere: Runner
) -> None:
    """Lines of history that are older than what was lost prove nothing, whatever the clocks say."""
    statement = [{"did_number": NUMBER, "record_id": 800}]
    elsewhere.did_registry(state="recorded", dids=statement)
    elsewhere.did_registry(state="forgotten", dids=statement)
    runner.write("UPDATE history SET at = '2999-01-01T00:00:00Z', entry_key = 'f' || entry_key")
    before = Backup(runner.store)
    runner.did_registry(state="recorded", dids=statement)
    before.restore()
    refused(runner, f"{NUMBER} (record 800)")


def test_the_order_of_processes_does_not_matter(runner: Runner) -> None:
    record_id = created(runner, OTHER)
    renumbered(runner, record_id, NUMBER)
    head, first, second = witness_file().read_text().splitlines()
    witness_file().write_text(f"{head}\n{second}\n{first}\n")
    assert runner.did(did_number=NUMBER)["action"] == "none"


def test_what_this_host_has_forgotten_is_not_recorded_again(runner: Runner) -> None:
    before = Backup(runner.store)
    record_id = created(runner, NUMBER)
    created(runner, OTHER)
    runner.did_registry(state="forgotten", dids=[{"did_number": NUMBER, "record_id": record_id}])
    assert [number for number, *_rest in lines()] == [OTHER]
    before.restore()
    run_play(runner, plays_of(refused(runner, OTHER))[0])
    assert [known["did_number"] for known in runner.did_info()["dids"]] == [OTHER]


# A registry that is accepted as it is


@on_both_backends
def test_an_older_registry_is_accepted_knowingly(runner: Runner) -> None:
    before = Backup(runner.store)
    record_id = created(runner, NUMBER)
    before.restore()
    accept = plays_of(refused(runner, NUMBER))[1]
    kept = traces()
    predicted = runner.did_registry(**accept, check=True)
    assert predicted["changed"] and "1 DIDs" in predicted["diff"]["after"]
    assert traces() == kept
    done = run_play(runner, accept)
    assert done["diff"] == predicted["diff"]
    (aside,) = folder().glob("*/*.set-aside.csv")
    assert f"{NUMBER},{record_id}," in aside.read_text()
    assert not run_play(runner, accept)["changed"]
    assert runner.did(did_number=NUMBER)["action"] == "create"


@in_postgresql
def test_a_server_on_an_earlier_timeline_is_refused_until_it_is_accepted(runner: Runner) -> None:
    """Another server has taken its place, as a run on this host has seen: what is written there would be lost."""
    created(runner, OTHER)
    notes = json.loads((folder() / "notes.json").read_text())
    ((system, timeline),) = notes["timelines"].items()
    notes["timelines"][system] = timeline + 3
    (folder() / "notes.json").write_text(json.dumps(notes))
    (accept,) = plays_of(
        refused(runner, f"it is on timeline {timeline}", f"has seen timeline {timeline + 3}")
    )
    kept = traces()
    predicted = runner.did_registry(**accept, check=True)
    assert predicted["changed"] and f"timeline {timeline}" in predicted["diff"]["after"]
    assert traces() == kept
    assert run_play(runner, accept)["diff"] == predicted["diff"]
    assert not run_play(runner, accept)["changed"]
    created(runner, NUMBER)


def test_present_alone_does_not_accept_it(runner: Runner) -> None:
    before = Backup(runner.store)
    created(runner, NUMBER)
    before.restore()
    assert not runner.did_registry()["changed"]
    refused(runner, NUMBER)


@pytest.mark.parametrize("state", ["recorded", "forgotten", "copied"])
def test_accept_older_goes_with_present(runner: Runner, state: str) -> None:
    result = runner.did_registry(state=state, accept_older=True)
    assert "accept_older: goes with state present" in result["msg"]
    result = runner.did_registry(accept_older=True, witness="false")
    assert "accept_older: needs the witness" in result["msg"]


# Another registry


def test_another_registry_at_the_place_is_refused(runner: Runner) -> None:
    created(runner, NUMBER)
    before = runner.did_info()["registry"]["id"]
    runner.registry.unlink()
    result = runner.did(did_number=NUMBER)
    assert before in result["msg"] and "Look for it first" in result["msg"]
    made = runner.did_registry()["registry"]["id"]
    result = refused(runner, before, made)
    (accept,) = plays_of(result)
    # Who pins the id knows which registry it is.
    assert runner.did(did_number=OTHER, registry_id=made, check=True)["action"] == "create"
    refused(runner, before)
    assert run_play(runner, accept)["changed"]
    assert runner.did(did_number=OTHER)["action"] == "create"


def test_a_pinned_id_is_noted(runner: Runner) -> None:
    runner.registry.unlink()
    made = runner.did_registry()["registry"]["id"]
    refused(runner, made)
    assert runner.did(did_number=NUMBER, registry_id=made)["action"] == "create"
    assert runner.did(did_number=OTHER)["action"] == "create"


def test_a_lost_registry_is_recorded_in_a_new_one(runner: Runner) -> None:
    numbers = [NUMBER, OTHER, NEW]
    for number in numbers:
        created(runner, number)
    old = witness_file()
    runner.registry.unlink()
    made = runner.did_registry()["registry"]["id"]
    runner.did_registry(state="recorded", src=str(old))
    result = runner.dids(dids=[{"did_number": number} for number in numbers], registry_id=made)
    assert result["summary"]["create"] == 0 and not result.get("failed"), result


def test_an_older_backup_of_the_file_is_refused(runner: Runner, tmp_path: Path) -> None:
    created(runner, OTHER)
    shutil.copyfile(runner.registry, tmp_path / "backup.db")
    created(runner, NUMBER)
    shutil.copyfile(tmp_path / "backup.db", runner.registry)
    refused(runner, NUMBER)


def test_the_file_of_another_registry_is_refused(runner: Runner, tmp_path: Path) -> None:
    created(runner, NUMBER)
    other = Runner(runner.simulator, FileStore(tmp_path / "other" / "registry.db"))
    other.did_registry()
    shutil.copyfile(other.registry, runner.registry)
    refused(runner, "another registry than before")


def test_a_registry_on_another_disk_is_the_same(runner: Runner, tmp_path: Path) -> None:
    created(runner, NUMBER)
    shutil.move(runner.registry.parent, tmp_path / "disk")
    moved = Runner(runner.simulator, FileStore(tmp_path / "disk" / "registry.db"))
    assert moved.did(did_number=NUMBER)["action"] == "none"
    # An older copy is refused wherever it is.
    moved.write("DELETE FROM numbers", "DELETE FROM records")
    refused(moved, NUMBER)


def test_a_move_is_noted(runner: Runner, tmp_path: Path) -> None:
    created(runner, NUMBER)
    target = Runner(runner.simulator, FileStore(tmp_path / "target" / "registry.db"))
    assert target.did_registry()["changed"]
    target.registry.unlink()
    source = str(runner.registry)
    assert target.did_registry(state="copied", copy_from=source, platform=...)["changed"]
    assert target.did(did_number=NUMBER)["action"] == "none"
    assert target.did_info()["witness"]["entries"] == 1


# The file


def test_nothing_of_it_is_readable_by_others_and_no_secret_is_in_it(runner: Runner) -> None:
    created(runner, NUMBER, password="s3cret-of-a-did", username="somebody")
    modes = {path.name: path.stat().st_mode & 0o777 for path in [folder(), *folder().rglob("*")]}
    assert all(mode == (0o700 if "." not in name else 0o600) for name, mode in modes.items())
    kept = b"".join(content for content, _time in traces().values())
    for secret in (b"s3cret-of-a-did", b"somebody", runner.simulator.key.encode()):
        assert secret not in kept


def test_each_platform_has_a_file(runner: Runner) -> None:
    created(runner, NUMBER)
    runner.did_registry(platform="../other", another_platform=True)
    runner.did_registry(platform="é" * 100, another_platform=True)
    for platform in ("é" * 100,):
        assert runner.did(did_number=NUMBER, platform=platform)["action"] == "create"
    assert len(list(folder().glob("*/*.csv"))) == 2
    info = runner.did_info()["witness"]
    assert info == {"path": str(next(folder().glob("*/"))), "entries": 2, "missing": 0}


def test_a_line_that_was_not_completed_is_taken_away(runner: Runner) -> None:
    created(runner, NUMBER)
    whole = witness_file().read_bytes()
    for torn in (b"11300", b"1130001005,13,2026-01-01T00:00:00Z,abc", b"\0" * 5000):
        witness_file().write_bytes(whole + torn)
        assert runner.did(did_number=NUMBER)["action"] == "none"
        assert not run_play(
            runner, {"state": "recorded", "src": str(witness_file()), **_login(runner)}
        ).get("failed")
    created(runner, OTHER)
    assert [number for number, *_rest in lines()] == [NUMBER, OTHER]


def _login(runner: Runner) -> dict[str, Any]:
    return {"registry": runner.store.location, "api_url": runner.simulator.url}


def test_half_a_header_is_taken_away(runner: Runner) -> None:
    created(runner, NUMBER)
    witness_file().write_bytes(HEADER[:9].encode())
    created(runner, OTHER)
    assert [number for number, *_rest in lines()] == [OTHER]


def _unwritable(path: Path) -> None:
    path.write_text("a file")


def _foreign(path: Path) -> None:
    path.mkdir()
    (path / "notes.json").write_text("[]")


def _pipe(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "notes.json")


@pytest.mark.parametrize("make", [_unwritable, _foreign, _pipe])
def test_a_witness_that_cannot_be_used_is_a_warning_once(
    runner: Runner, make: Callable[[Path], None]
) -> None:
    shutil.rmtree(folder())
    make(folder())
    dids = [{"did_number": number} for number in (NUMBER, OTHER)]
    for check in (True, False):
        result = runner.dids(dids=dids, check=check)
        assert result["summary"]["create"] == 2 and not result.get("failed"), result
        assert len(result["warnings"]) == 1
        assert f"The witness in {folder()} cannot be used" in warnings_of(result)
    assert runner.did_info()["witness"]["missing"] == 0


def test_another_programs_file_is_left_alone(runner: Runner) -> None:
    created(runner, NUMBER)
    file = witness_file()
    file.write_text("name,value\n1,2\n")
    result = runner.did(did_number=OTHER)
    assert "no part of a witness" in warnings_of(result)
    assert file.read_text() == "name,value\n1,2\n"


def test_a_link_is_not_followed(runner: Runner, tmp_path: Path) -> None:
    created(runner, NUMBER)
    file = witness_file()
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    result = runner.did(did_number=OTHER)
    assert result["action"] == "create" and "cannot be used" in warnings_of(result)
    assert not (tmp_path / "elsewhere").exists()


def test_a_lost_witness_is_a_warning(runner: Runner) -> None:
    created(runner, NUMBER)
    shutil.rmtree(folder())
    assert "warnings" not in runner.did(did_number=NUMBER, check=True)
    assert not folder().exists()
    result = runner.did(did_number=NUMBER)
    assert "There is no witness" in warnings_of(result)
    assert "warnings" not in runner.did(did_number=NUMBER)


@pytest.mark.parametrize("off", [False, "no", "None"])
def test_it_can_be_turned_off(runner: Runner, off: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Backup(runner.store)
    created(runner, NUMBER)
    before.restore()
    kept = traces()
    assert runner.did(did_number=NUMBER, witness=off, check=True)["action"] == "create"
    assert runner.did_info(witness=off)["witness"] is None
    with monkeypatch.context() as environment:
        environment.setenv("NEXTBILLING_WITNESS", str(off))
        assert runner.did(did_number=NUMBER)["action"] == "create"
    assert traces() == kept


@pytest.mark.parametrize(
    "path", ["relative/folder", "postgresql://host/db", "/user:pass-word@host/x"]
)
def test_an_option_that_names_no_folder_is_refused(runner: Runner, path: str) -> None:
    for run in (runner.did_info, runner.did_registry):
        result = run(witness=path)
        assert result["error"]["kind"] == "invalid_parameter"
        assert "witness: must be the path of a folder" in result["msg"]
        assert "pass-word" not in str(result)


def test_looking_and_checking_write_nothing(runner: Runner) -> None:
    shutil.rmtree(folder())
    runner.did_info()
    runner.did(did_number=NUMBER, check=True)
    runner.dids(dids=[{"did_number": NUMBER}], check=True)
    runner.did_registry(check=True)
    statement = [{"did_number": NUMBER, "record_id": 5}]
    runner.did_registry(state="recorded", dids=statement, check=True)
    assert not folder().exists()


def test_several_requests_at_once_are_kept(runner: Runner) -> None:
    dids = [{"did_number": str(1130002000 + index)} for index in range(60)]
    assert runner.dids(dids=dids, concurrency=8)["summary"]["create"] == 60
    assert sorted(number for number, *_rest in lines()) == [did["did_number"] for did in dids]


def test_processes_at_once_and_their_deaths_leave_a_whole_file(
    runner: Runner, tmp_path: Path
) -> None:
    """Each of them appends, and one of them is killed while the others go on."""
    numbers = [[str(1130002000 + 100 * run + index) for index in range(30)] for run in range(3)]
    processes = [
        Process(
            runner,
            tmp_path,
            "kill at claim 20" if run == 0 else "",
            module="dids",
            dids=[{"did_number": number} for number in numbers[run]],
        )
        for run in range(3)
    ]
    for process in processes[1:]:
        assert process.result()["summary"]["create"] == 30
    processes[0].died()
    confirmed = runner.did_info(outcome="confirmed")["dids"]
    written = [row[0] for row in lines()]
    assert len(written) == len(set(written))
    # What the killed run was about to append is in the registry alone.
    assert {*numbers[1], *numbers[2]} <= set(written) <= {did["did_number"] for did in confirmed}
    assert runner.did_info()["witness"]["missing"] == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that root cannot write")
def test_a_witness_that_cannot_be_written_is_not_said_to_be_kept(runner: Runner) -> None:
    runner.did(did_number="1")
    for number in ("2", "3"):
        done = runner.did(did_number=number, witness="/proc/witness")
        assert "cannot be used" in warnings_of(done)
        assert "kept from now on" not in warnings_of(done)
