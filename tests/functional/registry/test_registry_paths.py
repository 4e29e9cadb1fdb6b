# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry in a file is one file under one path: with two paths, runs would not see each other's locks and journals."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryUnavailable
from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite_file import (
    check_file,
)
from ansible_collections.nextbilling.did.tests.support.modules import (
    VENDOR_CREATE,
    Result,
    Runner,
)
from ansible_collections.nextbilling.did.tests.support.stores import FileStore

AT = "2026-01-31T12:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """A place for a registry in a file."""
    return FileStore(tmp_path / "state" / "registry.db")


def _tasks(runner: Runner, location: str, spare: str) -> list[Callable[[], Result]]:
    """All that could be asked of a registry at a location."""
    recorded: dict[str, Any] = {"dids": [{"did_number": "5", "record_id": 99}]}
    return [
        lambda: runner.both(**VENDOR_CREATE, registry=location),
        lambda: runner.dids(dids=[VENDOR_CREATE], registry=location),
        lambda: runner.dids(check=True, dids=[VENDOR_CREATE], registry=location),
        lambda: runner.did_info(registry=location),
        lambda: runner.did_registry(registry=location),
        lambda: runner.did_registry(check=True, registry=location),
        lambda: runner.did_registry(state="recorded", **recorded, registry=location),
        lambda: runner.did_registry(state="forgotten", **recorded, registry=location),
        lambda: runner.did_registry(state="copied", copy_from=location, registry=spare),
        lambda: runner.did_registry(check=True, state="copied", copy_from=location, registry=spare),
    ]


def _refused(runner: Runner, location: str, tmp_path: Path, *words: str) -> None:
    spare = tmp_path / "spare.db"
    for task in _tasks(runner, location, str(spare)):
        result = task()
        assert result.get("failed") and result["error"]["kind"] == "registry_unavailable", result
        for word in words:
            assert word in result["msg"], result["msg"]
    assert not spare.exists()
    assert runner.requests() == []


def test_a_file_with_two_names(runner: Runner, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    os.link(runner.registry, link)
    for location in (runner.store.location, str(link)):
        _refused(runner, location, tmp_path, "hard links", "created twice", "cp -p", "One file")
    # As a target, too.
    other = str(tmp_path / "other.db")
    assert runner.did_registry(registry=other)["changed"]
    copied = runner.did_registry(state="copied", copy_from=other, registry=str(link))
    assert "hard links" in copied["msg"]
    # And the message's own way out.
    path = str(runner.registry)
    subprocess.run(f"cp -p {path} {path}.new && mv {path}.new {path}", shell=True, check=True)
    assert runner.both(**VENDOR_CREATE)["action"] == "create"


def test_what_another_run_has_not_brought_to_rest_is_created_twice_under_another_name(
    runner: Runner, tmp_path: Path
) -> None:
    """What such a file is refused for: the write-ahead log lies beside the other name."""
    platform = runner.did_registry()["platform"]
    registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    registry.begin_bulk()
    intent = Intent("create", None, "1166", None, {"did_number": "1166"}, 60)
    token = registry.journal.claim(platform, intent)
    assert token is not None
    registry.journal.confirm(token, platform, intent, 13, AT)
    link = tmp_path / "link.db"
    os.link(runner.registry, link)
    # Within one process, SQLite would notice.
    tasks = [_task(runner, "did", link, did_number="1166")]
    done = subprocess.run(
        [sys.executable, "-c", TASKS, json.dumps(tasks)], check=True, capture_output=True, text=True
    )
    result = json.loads(done.stdout)
    assert result.get("action") != "create"
    assert result["error"]["kind"] == "registry_unavailable"
    assert runner.requests() == []
    link.unlink()
    registry.close()
    assert runner.both(did_number="1166")["action"] == "none"


def test_a_second_name_that_appears_while_a_run_is_at_work(runner: Runner, tmp_path: Path) -> None:
    """Nothing new is sent; what was sent already is recorded, as the file is still the right one."""
    platform = runner.did_registry()["platform"]
    registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    intent, other = (
        Intent("create", None, number, None, {"did_number": number}, 60) for number in ("1", "2")
    )
    token = registry.journal.claim(platform, intent)
    assert token is not None and registry.journal.is_claim_valid(token, 1)
    link = tmp_path / "link.db"
    os.link(runner.registry, link)
    for work in (
        lambda: registry.journal.claim(platform, other),
        lambda: registry.journal.is_claim_valid(token, 1),
        lambda: registry.find(platform, "1", None) and registry.journal.claim(platform, other),
    ):
        with pytest.raises(RegistryUnavailable, match="hard links"):
            work()
    assert registry.journal.confirm(token, platform, intent, 13, AT).record_id == 13
    link.unlink()
    assert registry.journal.claim(platform, other) is not None
    registry.close()


def test_a_registry_that_is_just_being_created(
    bare: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a second name for a moment, its draft's, and keeps it where the run is killed then. No other path leads there."""
    seen: list[Result] = []

    def look(draft: str) -> None:
        assert os.path.samefile(draft, bare.store.location)
        seen.append(bare.did_info())

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", look)
        assert bare.did_registry()["changed"]
    assert [result["registry"]["counts"]["confirmed"] for result in seen] == [0]
    assert os.stat(bare.store.location).st_nlink == 2
    assert bare.both(**VENDOR_CREATE)["action"] == "create"
    os.link(bare.store.location, bare.registry.with_name("third.db"))
    assert "hard links" in bare.did(**VENDOR_CREATE)["msg"]


def _replaced(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            folder = os.open(path.parent, os.O_RDONLY)
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
            os.close(folder)
    elif kind == "a device":
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["a FIFO", "a folder", "a socket", "a device"])
def test_what_is_no_file(runner: Runner, tmp_path: Path, kind: str) -> None:
    """A FIFO would block whoever opens it, a device may do anything."""
    _replaced(runner.registry, kind)
    _refused(runner, runner.store.location, tmp_path, kind, "not a file")


@pytest.mark.parametrize("name", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("what", ["link", "hard link", "a FIFO", "a folder"])
def test_a_journal_that_is_somewhere_else(
    runner: Runner, tmp_path: Path, name: str, what: str
) -> None:
    companion = Path(runner.store.location + name)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    if what == "link":
        companion.symlink_to(elsewhere)
    elif what == "hard link":
        os.link(elsewhere, companion)
    else:
        companion.touch()
        _replaced(companion, what)
    _refused(runner, runner.store.location, tmp_path, name, "beside it")


# Mounts

TASKS = """
import json, sys
from ansible_collections.nextbilling.did.plugins.modules import did, did_info, did_registry
from ansible_collections.nextbilling.did.tests.support.modules import run_module
for module, parameters in json.loads(sys.argv[1]):
    print(json.dumps(run_module({"did": did, "did_info": did_info, "did_registry": did_registry}[module].main, parameters)))
"""


def _in_a_namespace(mounts: list[tuple[Path, Path]], tasks: list[Any]) -> list[Result]:
    """Run tasks where some paths are mounted on others. The mounts are gone with the process."""
    script = "set -e; " + "".join(
        f'mount --bind "${2 * index + 1}" "${2 * index + 2}"; ' for index in range(len(mounts))
    )
    paths = [str(path) for mount in mounts for path in mount]
    script += f'shift {len(paths)}; exec "$@"'
    try:
        probe = subprocess.run(
            ["unshare", "-m", "sh", "-c", "mount --bind /tmp /tmp"],
            check=False,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare (of util-linux)")
    if probe.returncode != 0:
        pytest.skip("mounting is not permitted here")
    done = subprocess.run(
        [
            *("unshare", "-m", "sh", "-c", script, "sh", *paths),
            *(sys.executable, "-c", TASKS, json.dumps(tasks)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _task(runner: Runner, module: str, location: Path, **options: Any) -> tuple[str, Any]:
    shared = {
        "api_url": runner.simulator.url,
        "api_token": runner.simulator.token,
        "api_key": runner.simulator.key,
        "registry": str(location),
    }
    return module, {**shared, **options}


@pytest.mark.parametrize("name", ["registry.db", "a name with 'marks', ünd space.db"])
def test_a_file_that_is_mounted_alone(runner: Runner, tmp_path: Path, name: str) -> None:
    """As docker run -v registry.db:/data/registry.db mounts it, from the same disk or another."""
    folder = tmp_path / "da ta"
    folder.mkdir()
    location = folder / name
    location.touch()
    tasks = [
        _task(runner, "did", location, **VENDOR_CREATE),
        _task(runner, "did", location, **VENDOR_CREATE, _ansible_check_mode=True),
        _task(runner, "did_info", location),
        _task(runner, "did_registry", location),
        _task(runner, "did_registry", tmp_path / "x.db", state="copied", copy_from=str(location)),
    ]
    results = _in_a_namespace([(runner.registry, location)], tasks)
    assert len(results) == len(tasks)
    for result in results:
        assert result["error"]["kind"] == "registry_unavailable", result
        assert "Mount the folder that holds it, never the file" in result["msg"]
    assert runner.requests() == []


def test_a_folder_may_be_mounted(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    location = folder / "registry.db"
    (result,) = _in_a_namespace(
        [(runner.registry.parent, folder)], [_task(runner, "did", location, **VENDOR_CREATE)]
    )
    assert result["action"] == "create", result
    assert runner.both(**VENDOR_CREATE)["action"] == "none"


def test_a_journal_that_is_mounted(runner: Runner, tmp_path: Path) -> None:
    journal = Path(runner.store.location + "-wal")
    other = tmp_path / "other"
    journal.touch()
    other.touch()
    (result,) = _in_a_namespace(
        [(other, journal)], [_task(runner, "did", runner.registry, **VENDOR_CREATE)]
    )
    assert "-wal beside it" in result["msg"], result


@pytest.mark.parametrize("listed", ["a file", "nothing", "no list"])
@pytest.mark.parametrize("system", ["without fdinfo", "without O_PATH"])
def test_a_system_that_does_not_tell_a_file_s_mount(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, system: str, listed: str
) -> None:
    """Then the list of mounts does; spaces in it are octal. Without a list, a file on the disk of its folder is used."""
    location = runner.registry.with_name("a b.db")
    runner.registry.rename(location)
    proc = runner.registry.with_name("proc")
    proc.mkdir()
    if system == "without O_PATH":
        monkeypatch.delattr(os, "O_PATH")
    if listed != "no list":
        mounted = str(location) if listed == "a file" else "/x y"
        told = mounted.replace(" ", "\\040")
        (proc / "mountinfo").write_text(f"36 35 98:0 /r {told} rw - ext4 /dev/x rw\n")
    refused = pytest.raises(RegistryUnavailable, match="never the file")
    with refused if listed == "a file" else contextlib.nullcontext():
        check_file(str(location), str(location), proc=str(proc))


# What SQLite says


def test_a_disk_that_is_full(runner: Runner) -> None:
    """SQLite's own limit is met in the same way. The message does not advise a backup."""
    platform = runner.did_registry()["platform"]
    registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    connection = registry._database._connection  # type: ignore[attr-defined]
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RegistryUnavailable, match="disk is full") as caught:
        for number in range(1000):
            sending = {"did_number": str(number), "annotations": "x" * 999}
            registry.journal.claim(platform, Intent("create", None, str(number), None, sending, 60))
    assert "backup" not in caught.value.message
    registry.close()
