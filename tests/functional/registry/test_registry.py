# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry in a file: how it is born, what it refuses, and that a look leaves no trace."""

from __future__ import annotations

import contextlib
import errno
import functools
import getpass
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    RegistryMismatch,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    UNCERTAIN,
    UNKNOWN,
    Correction,
    Intent,
    NewState,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry import history as _history
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry import provision as _making
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    SCHEMA,
    Schema,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite_snapshot import (
    take_snapshot,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import (
    Journal,
    LateAnswer,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.tests.support.modules import (
    VENDOR_CREATE,
    Result,
    Runner,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    Store,
    in_a_file,
    on_every_store,
)

PLATFORM = "sip.nextbilling.com.br:443"
AT = "2026-01-31T12:00:00Z"


pytestmark = on_every_store


@pytest.fixture
def registry(store: Store) -> Iterator[Registry]:
    """An empty registry that knows one platform."""
    location = store.location
    _making.make_present(location, PLATFORM, registry_id=None, timeout=5, apply=True)
    registry = _open.open_registry(location, PLATFORM, registry_id=None, write=True, timeout=5)
    yield registry
    registry.close()


def _create(number: str = "1166", lease: float = 60) -> Intent:
    return Intent("create", None, number, None, {"did_number": number, "port": 5060}, lease)


def _edit(known: Record, lease: float = 60, **sending: Any) -> Intent:
    return Intent("update", known, known.numbers[0], known.record_id, sending, lease)


def _confirmed(registry: Registry, number: str = "1166", record_id: int = 13) -> Record:
    intent = _create(number)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    return registry.journal.confirm(token, PLATFORM, intent, record_id, AT)


def _found(registry: Registry, number: str = "1166") -> Record:
    record, _by_id = registry.find(PLATFORM, number, None)
    assert record is not None
    return record


# How it is born


@in_a_file
def test_present_creates_and_then_has_nothing_to_do(bare: Runner) -> None:
    predicted = bare.did_registry(check=True)
    assert predicted["changed"] and predicted["registry"]["id"] is None
    assert not bare.registry.parent.exists()
    made = bare.did_registry()
    assert made["diff"] == predicted["diff"]
    assert made["platform"] == bare.simulator.url.split("//")[1]
    assert bare.registry.stat().st_mode & 0o777 == 0o600
    assert bare.registry.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(bare.registry.parent) == ["registry.db"]
    for check in (True, False):
        again = bare.did_registry(check=check)
        assert (again["changed"], again["registry"]["id"]) == (False, made["registry"]["id"])


def test_present_adds_a_platform_and_keeps_what_is_known(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    another: dict[str, Any] = {"platform": "other:443", "another_platform": True}
    assert runner.did_registry(check=True, **another)["changed"]
    assert runner.did_registry(**another)["changed"]
    assert not runner.did_registry(**another)["changed"]
    assert not runner.did_registry(platform="other:443")["changed"]
    assert runner.did(**VENDOR_CREATE)["action"] == "none"
    assert runner.did(check=True, **VENDOR_CREATE, platform="other:443")["action"] == "create"


def test_a_second_name_for_a_platform_is_asked_about(runner: Runner) -> None:
    """Under a second name every DID would be created again: so the message asks, and its task alone does not add it."""
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
    known = runner.did_registry()["platform"]
    stopped = runner.both(**VENDOR_CREATE, platform="10.0.0.1:443")
    assert stopped["error"]["kind"] == "registry_mismatch"
    question, task = stopped["msg"].index(f"set 'platform: \"{known}\"'"), stopped["msg"].index(
        "state: present"
    )
    assert question < task and "another_platform: true" in stopped["msg"][task:]
    assert "If you mean this one under another name" in stopped["msg"]
    # The play creates no registry elsewhere, nor adds the platform to another one.
    assert f'registry_id: "{runner.did_registry()["registry"]["id"]}"' in stopped["msg"][task:]
    before = runner.traces()
    for check in (True, False):
        refused = runner.did_registry(check=check, platform="10.0.0.1:443")
        assert refused["error"]["kind"] == "registry_mismatch"
        for words in (f'platform: "{known}"', "created again", "another_platform: true"):
            assert words in refused["msg"], refused["msg"]
        recorded = [{"did_number": "5", "record_id": 99}]
        for state in ("recorded", "forgotten"):
            refused = runner.did_registry(
                check=check, platform="10.0.0.1:443", state=state, dids=recorded
            )
            assert refused["error"]["kind"] == "registry_mismatch"
            # This task does not compare the registry with the witness, so its id may be that of a wrong one.
            assert "registry_id" not in refused["msg"]
    assert runner.traces() == before
    assert len(runner.requests()) == 1
    assert runner.did_info()["registry"]["platforms"] == [known]


@pytest.mark.parametrize(
    "name", ["SIP.NextBilling.com.br:443", "sip.nextbilling.com.br", "sip.nextbilling.com.br.:443"]
)
def test_a_name_that_is_only_written_otherwise(runner: Runner, name: str) -> None:
    """It is asked about even where no platform has a record yet."""
    assert runner.did_registry(platform=PLATFORM, another_platform=True)["changed"]
    runner.did_registry(platform="a.other:443", another_platform=True)
    stopped = runner.both(**VENDOR_CREATE, platform=name)
    refused = runner.did_registry(platform=name)
    for result in (stopped, refused):
        assert result["error"]["kind"] == "registry_mismatch"
        # The one that it is like comes first.
        assert f"'platform: \"{PLATFORM}\"', or the right one" in result["msg"], result["msg"]
        assert "another_platform: true" in result["msg"]
    assert runner.did_registry(platform=name, another_platform=True)["changed"]


def test_a_second_name_is_asked_about_before_there_are_records(runner: Runner) -> None:
    """Added without a question, it could be used first. The name that was there before would then create every DID again."""
    known = runner.did_registry()["platform"]
    stopped = runner.both(**VENDOR_CREATE, platform="10.0.0.1:443")
    assert stopped["error"]["kind"] == "registry_mismatch"
    assert "another_platform: true" in stopped["msg"].partition("state: present")[2]
    for check in (True, False):
        refused = runner.did_registry(check=check, platform="10.0.0.1:443")
        assert refused["error"]["kind"] == "registry_mismatch"
        assert f'platform: "{known}"' in refused["msg"] and "another_platform" in refused["msg"]
    assert runner.did_info()["registry"]["platforms"] == [known]
    assert runner.did_registry(platform="other:443", another_platform=True)["changed"]


@in_a_file
def test_a_registry_that_knows_no_platform_is_not_written(runner: Runner) -> None:
    """Somebody has deleted the row: the task names no other one in its place."""
    runner.write("DELETE FROM platforms")
    refused = runner.both(**VENDOR_CREATE)
    assert refused["error"]["kind"] == "registry_mismatch"
    assert "nor any other" in refused["msg"] and "another_platform" not in refused["msg"]
    assert runner.requests() == []
    assert runner.did_registry()["changed"]
    assert runner.both(**VENDOR_CREATE)["action"] == "create"


def test_consent_to_a_further_platform_goes_with_present_alone(runner: Runner) -> None:
    refused = runner.did_registry(
        state="forgotten", dids=[{"did_number": "1"}], another_platform=True
    )
    assert refused["error"]["kind"] == "invalid_parameter" and "another_platform" in refused["msg"]


@in_a_file
def test_present_takes_permissions_from_others(runner: Runner) -> None:
    runner.registry.chmod(0o644)
    assert runner.did_registry(check=True)["changed"]
    assert runner.registry.stat().st_mode & 0o777 == 0o644
    assert runner.did_registry()["changed"]
    assert runner.registry.stat().st_mode & 0o777 == 0o600


def test_present_needs_a_platform_and_no_login(bare: Runner) -> None:
    nothing: dict[str, Any] = {"api_url": ..., "api_token": ..., "api_key": ...}
    refused = bare.did_registry(**nothing)
    assert refused["error"]["kind"] == "invalid_parameter" and "platform" in refused["msg"]
    assert bare.did_registry(**nothing, platform="x:443")["changed"]


def test_a_new_registry_never_bears_a_demanded_id(bare: Runner) -> None:
    result = bare.did_registry(registry_id="0" * 32)
    assert result["error"]["kind"] == "registry_mismatch"
    assert bare.store.is_empty()


@in_a_file
def test_present_never_replaces_what_is_there(bare: Runner) -> None:
    bare.registry.parent.mkdir()
    for content in (b"", b"not a database at all" * 99):
        bare.registry.write_bytes(content)
        result = bare.did_registry()
        assert result["error"]["kind"] == "registry_unavailable"
        assert bare.registry.read_bytes() == content
        assert os.listdir(bare.registry.parent) == ["registry.db"]


@in_a_file
def test_a_folder_that_cannot_be_made(bare: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = bare.did_registry(registry=str(tmp_path / "file" / "registry.db"))
    assert result["error"]["kind"] == "registry_unavailable"


@in_a_file
@pytest.mark.parametrize("place", ["file/x/registry.db", "n" * 300 + "/registry.db"])
def test_present_predicts_that_it_cannot_create(bare: Runner, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    location = str(tmp_path / place)
    for check in (True, False):
        result = bare.did_registry(check=check, registry=location)
        assert result["error"]["kind"] == "registry_unavailable", result


@in_a_file
def test_a_place_where_nothing_can_be_made(bare: Runner) -> None:
    """Whoever may do anything else may not make a folder there, and only sees it by trying."""
    result = bare.did_registry(registry="/proc/nextbilling-did/registry.db")
    assert result["error"]["kind"] == "registry_unavailable"
    assert "cannot be created" in result["msg"]


@in_a_file
def test_a_file_system_without_hard_links(bare: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry appears under its name complete or not at all, and no draft stays behind."""

    def refuse(*_names: str) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    refused = bare.did_registry()
    assert refused["error"]["kind"] == "registry_unavailable", refused
    assert "cannot be created" in refused["msg"] and os.strerror(errno.EPERM) in refused["msg"]
    assert os.listdir(bare.registry.parent) == []


@in_a_file
def test_a_folder_of_somebody_else(bare: Runner, tmp_path: Path) -> None:
    _open_to_others(tmp_path)
    tmp_path.chmod(0o555)
    for check in (True, False):
        result = _as_nobody(functools.partial(bare.did_registry, check=check))
        assert result["error"]["kind"] == "registry_unavailable"
        assert "no permission" in result["msg"]
    assert list(tmp_path.iterdir()) == []


@in_a_file
@pytest.mark.parametrize("place", ["n" * 300 + ".db", "loop.db"])
def test_a_path_that_leads_nowhere(bare: Runner, tmp_path: Path, place: str) -> None:
    (tmp_path / "loop.db").symlink_to(tmp_path / "loop.db")
    result = bare.both(**VENDOR_CREATE, registry=str(tmp_path / place))
    assert result["error"]["kind"] == "registry_unavailable"
    assert "cannot be read" in result["msg"]
    assert bare.requests() == []


@in_a_file
def test_a_link_to_nothing_is_no_place_for_a_new_registry(bare: Runner, tmp_path: Path) -> None:
    """What it leads to may be on a disk that is not mounted."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "disk" / "registry.db")
    for result in (
        bare.both(**VENDOR_CREATE, registry=str(link)),
        bare.did_registry(registry=str(link)),
    ):
        assert result["error"]["kind"] == "registry_unavailable"
        assert str(tmp_path / "disk" / "registry.db") in result["msg"]
        assert "did_registry" not in result["msg"]
    assert bare.requests() == []


@in_a_file
def test_a_registry_behind_a_link(runner: Runner, tmp_path: Path) -> None:
    runner.did(**VENDOR_CREATE)
    link = tmp_path / "link.db"
    link.symlink_to(runner.registry)
    assert runner.did(check=True, **VENDOR_CREATE, registry=str(link))["action"] == "none"
    _crash_while_writing(runner)
    before = runner.traces()
    result = runner.did(check=True, **VENDOR_CREATE, registry=str(link))
    assert (result["action"], result["registry"]["location"]) == ("none", str(link))
    assert runner.traces() == before
    assert runner.did(**VENDOR_CREATE, registry=str(link))["action"] == "none"
    assert os.listdir(tmp_path / "state") == ["registry.db"]


@in_a_file
def test_statistics_of_sqlite_are_no_damage(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.write("ANALYZE")
    assert runner.both(**VENDOR_CREATE)["action"] == "none"
    assert runner.both(did_number="2")["action"] == "create"


@in_a_file
def test_a_path_from_home(bare: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = bare.did_registry(registry=...)
    assert made["registry"]["location"] == str(
        tmp_path / ".local" / "state" / "nextbilling-did" / "registry.db"
    )
    assert bare.did(registry=..., **VENDOR_CREATE)["action"] == "create"


# What is no registry, or is damaged


@in_a_file
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("other content", "not a registry"),
        ("empty", "not a registry"),
        ("another database", "not a registry"),
        ("folder", "not a file"),
        ("truncated", "damaged"),
        ("garbled", "damaged"),
        ("no id", "damaged"),
        ("table lost", "damaged"),
        ("index lost", "damaged"),
    ],
)
def test_a_damaged_registry_is_refused(runner: Runner, damage: str, words: str) -> None:
    for number in range(200):
        runner.write(
            "INSERT INTO records (record_key, platform, version, outcome, fields, attempted, changed_at)"
            f" SELECT 'k{number}', name, 1, 'unknown', '{{}}', '{{}}', '' FROM platforms",
            f"INSERT INTO numbers SELECT name, '9{number}', 'k{number}' FROM platforms",
        )
    _damage(runner, damage)
    before = runner.traces()
    result = runner.both(**VENDOR_CREATE)
    assert result["error"]["kind"] == "registry_unavailable", result
    assert words in result["msg"] and str(runner.registry) in result["msg"]
    assert runner.requests() == []
    assert {name: trace[0] for name, trace in runner.traces().items()} == {
        name: trace[0] for name, trace in before.items()
    }


def _damage(runner: Runner, damage: str) -> None:
    path = runner.registry
    content = path.read_bytes()
    if damage == "other content":
        path.write_bytes(b"x" * 5000)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another database":
        path.unlink()
        runner.write("CREATE TABLE meta (name, value)")
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbled":
        path.write_bytes(content[:-8192] + bytes(range(256)) * 32)
    else:
        runner.write(
            {
                "no id": "DELETE FROM meta WHERE name = 'registry_id'",
                "table lost": "DROP TABLE history",
                "index lost": "DROP INDEX numbers_by_record",
            }[damage]
        )


def test_a_number_that_lost_its_record_is_noticed_before_a_create(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.write("DELETE FROM numbers")
    result = runner.both(**VENDOR_CREATE)
    assert result["error"]["kind"] == "registry_unavailable"
    assert len(runner.requests()) == 1


def test_values_that_cannot_be_read(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.write("UPDATE records SET fields = 'no JSON'")
    assert runner.both(**VENDOR_CREATE)["error"]["kind"] == "registry_unavailable"


# Versions of the schema


def test_a_newer_schema_is_refused_by_every_task(runner: Runner) -> None:
    runner.write("UPDATE meta SET value = '99' WHERE name = 'schema'")
    for result in (
        runner.both(**VENDOR_CREATE),
        runner.did_registry(),
        runner.did_registry(check=True),
    ):
        assert result["error"]["kind"] == "registry_mismatch"
        assert "99" in result["msg"] and "release" in result["msg"]
    assert runner.requests() == []


def _later(*statements: str) -> Schema:
    return Schema((*SCHEMA.versions, statements))


def _present(store: Store, schema: Schema, *, apply: bool = True) -> list[str]:
    return _making.make_present(
        store.location, PLATFORM, registry_id=None, timeout=5, apply=apply, schema=schema
    ).changes


def test_an_older_schema_is_migrated_by_present_alone(registry: Registry, store: Store) -> None:
    _confirmed(registry)
    schema = _later("CREATE TABLE later (x TEXT)", "UPDATE records SET confirmed_at = 'then'")

    def opened() -> Registry:
        return _open.open_registry(
            store.location, PLATFORM, registry_id=None, write=True, timeout=5, schema=schema
        )

    before, after = SCHEMA.version, SCHEMA.version + 1
    refusal = rf"(?s)schema {before}; .* needs schema {after}.*did_registry"
    with pytest.raises(RegistryMismatch, match=refusal):
        opened()
    assert _present(store, schema, apply=False) == [
        f"migrate the registry from schema {before} to {after}"
    ]
    assert store.rows("SELECT value FROM meta WHERE name = 'schema'") == [(str(before),)]
    assert _present(store, schema) == [f"migrate the registry from schema {before} to {after}"]
    assert store.rows("SELECT value FROM meta WHERE name = 'schema'") == [(str(after),)]
    with contextlib.closing(opened()) as migrated:
        assert _found(migrated).confirmed_at == "then"
        assert migrated.reports.summary().schema == after
    assert _present(store, schema) == []


@in_a_file
def test_a_migration_that_fails_changes_nothing(registry: Registry, store: Store) -> None:
    before = store.rows("SELECT sql FROM sqlite_master")
    with pytest.raises(RegistryUnavailable):
        _present(store, _later("CREATE TABLE later (x TEXT)", "NOT SQL AT ALL"))
    assert store.rows("SELECT sql FROM sqlite_master") == before
    assert store.rows("SELECT value FROM meta WHERE name = 'schema'") == [(str(SCHEMA.version),)]


# A look leaves no trace


@in_a_file
def test_a_look_after_a_crash_reads_a_private_copy(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runner.did(**VENDOR_CREATE)
    _crash_while_writing(runner)
    journal = runner.registry.with_name("registry.db-journal")
    assert journal.stat().st_size > 0
    # In memory: there is not even a place for a file.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    before = runner.traces()
    assert runner.did(check=True, **VENDOR_CREATE)["action"] == "none"
    assert runner.did(check=True, **{**VENDOR_CREATE, "port": 1})["action"] == "update"
    assert runner.traces() == before
    # A run in earnest recovers the registry itself.
    assert runner.did(**VENDOR_CREATE)["action"] == "none"
    assert not journal.exists()


@in_a_file
def test_a_registry_that_is_written_all_the_time(runner: Runner) -> None:
    """No copy of it would be of one moment, so none is read."""
    runner.did(**VENDOR_CREATE)
    runner.write("PRAGMA journal_mode = WAL")
    attempts: list[float] = []

    def read_before_a_write(path: str) -> bytes:
        content = Path(path).read_bytes() if os.path.exists(path) else b""
        os.utime(runner.registry, (1, len(attempts)))
        return content

    with pytest.raises(RegistryBusy, match="written all the time"):
        take_snapshot(str(runner.registry), read=read_before_a_write, sleep=attempts.append)
    assert len(attempts) > 10
    assert runner.did(check=True, **VENDOR_CREATE)["action"] == "none"


@in_a_file
def test_a_registry_that_is_recovered_and_written_while_it_is_copied(runner: Runner) -> None:
    """The copy is made anew, and without the journal that is no more: it would undo what was written since."""
    runner.did(**VENDOR_CREATE)
    _crash_while_writing(runner)
    journal = runner.registry.with_name("registry.db-journal")
    read: list[str] = []

    def read_and_write(path: str) -> bytes:
        content = Path(path).read_bytes() if os.path.exists(path) else b""
        if path.endswith("-journal") and path not in read:
            runner.write("UPDATE records SET record_id = 99")
            assert not journal.exists()
        read.append(path)
        return content

    connection, _state = take_snapshot(str(runner.registry), read=read_and_write)
    assert len(read) == 6
    with contextlib.closing(connection):
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT record_id FROM records").fetchall() == [(99,)]


@in_a_file
def test_a_registry_that_disappears_while_it_is_looked_at(registry: Registry) -> None:
    looking = _open.open_registry(
        registry.location, PLATFORM, registry_id=None, write=False, timeout=5
    )
    os.unlink(registry.location)
    with pytest.raises(RegistryUnavailable, match="cannot be read"):
        looking.find(PLATFORM, "1166", None)
    looking.close()


def _crash_while_writing(runner: Runner) -> None:
    """Die in the middle of a transaction that has reached the file: what it wrote must not be seen."""
    program = (
        "import os, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute(\"UPDATE records SET fields = '{}'\")\n"
        "connection.execute('CREATE TABLE filler (x)')\n"
        "for _ in range(500):\n"
        "    connection.execute('INSERT INTO filler VALUES (randomblob(4000))')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(runner.registry)], check=False)
    assert done.returncode == -signal.SIGKILL


@in_a_file
def test_a_registry_in_wal_mode_is_looked_at_without_a_trace(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    runner.write("PRAGMA journal_mode = WAL")
    assert runner.both(**VENDOR_CREATE)["action"] == "none"
    assert os.listdir(runner.registry.parent) == ["registry.db"]


@in_a_file
def test_a_registry_that_cannot_be_written(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.did(**VENDOR_CREATE)
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: not str(path).endswith("registry.db") and access(path, mode),
    )
    assert runner.did(check=True, **VENDOR_CREATE)["action"] == "none"
    result = runner.did(check=True, **{**VENDOR_CREATE, "port": 1})
    assert result["error"]["kind"] == "registry_unavailable"


@in_a_file
def test_a_registry_in_a_folder_that_cannot_be_written(runner: Runner) -> None:
    runner.did(**VENDOR_CREATE)
    folder = runner.registry.parent
    _open_to_others(folder)
    folder.chmod(0o555)
    runner.registry.chmod(0o444)

    def task(check: bool, port: int) -> dict[str, Any]:
        return _as_nobody(lambda: runner.did(check=check, **{**VENDOR_CREATE, "port": port}))

    for check in (True, False):
        assert task(check, 5060)["action"] == "none"
        result = task(check, 1)
        assert result["error"]["kind"] == "registry_unavailable", result
        assert "Nothing was sent" in result["msg"] or "no permission" in result["msg"]
    assert len(runner.requests()) == 1


def _open_to_others(folder: Path) -> None:
    for parent in (folder, *folder.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)


def _as_nobody(work: Callable[[], Result]) -> Result:
    """Run something as somebody to whom permissions apply: root does it as another user, in a process that ends with it."""
    if os.geteuid() != 0:
        return work()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            os.write(writer, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    result: Result = json.loads(text)
    return result


@in_a_file
def test_another_process_that_writes_is_waited_for(runner: Runner) -> None:
    connection = sqlite3.connect(runner.registry, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    result = runner.did(**VENDOR_CREATE, registry_timeout=0.2)
    assert result["error"]["kind"] == "registry_busy"
    connection.execute("ROLLBACK")
    connection.close()
    assert runner.requests() == []
    assert runner.did(**VENDOR_CREATE)["action"] == "create"


@in_a_file
def test_a_copy_of_the_file_is_the_registry(runner: Runner, tmp_path: Path) -> None:
    runner.did(**VENDOR_CREATE)
    copy = tmp_path / "copy.db"
    shutil.copy(runner.registry, copy)
    assert runner.both(**VENDOR_CREATE, registry=str(copy))["action"] == "none"


# Claims


def test_a_user_without_a_name(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: a claim and the history then tell the number."""

    def unknown(_number: int) -> None:
        raise KeyError

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    _history.actor.cache_clear()
    try:
        assert registry.journal.claim(PLATFORM, _create()) is not None
        claim = _found(registry).claim
    finally:
        _history.actor.cache_clear()
    assert claim is not None and claim.holder == f"{os.getuid()}@{socket.gethostname()}"


def test_an_intent_is_there_before_the_answer(registry: Registry) -> None:
    token = registry.journal.claim(PLATFORM, _create())
    assert token is not None
    record = _found(registry)
    assert (record.outcome, record.record_id, record.fields) == (UNKNOWN, None, {})
    assert record.attempted == {"did_number": "1166", "port": 5060}
    assert record.claim is not None and record.claim.live
    assert "@" in record.claim.holder
    assert registry.journal.is_claim_valid(token, 55) and not registry.journal.is_claim_valid(
        token, 65
    )


def test_only_confirmed_records_without_a_claim_are_found_as_they_are_stored(
    registry: Registry,
) -> None:
    _confirmed(registry)
    claimed = _confirmed(registry, "2", 14)
    uncertain = _confirmed(registry, "3", 15)
    registry.journal.claim(PLATFORM, _edit(claimed, port=5061))
    token = registry.journal.claim(PLATFORM, _edit(uncertain, port=5061))
    assert token is not None
    registry.journal.mark_unknown(token)
    registry.journal.claim(PLATFORM, _create("4"))
    found = registry.find_confirmed(PLATFORM, ["1166", "2", "3", "4", "5"])
    assert found == {"1166": (13, '{"did_number":"1166","port":5060}')}
    assert registry.find_confirmed("other", ["1166"]) == {}


def test_a_create_is_confirmed(registry: Registry) -> None:
    record = _confirmed(registry)
    assert (record.outcome, record.record_id, record.confirmed_at) == (CONFIRMED, 13, AT)
    assert (record.attempted, record.claim, record.did_number) == ({}, None, "1166")
    assert registry.find(PLATFORM, "1166", 13) == (record, record)


@pytest.mark.parametrize(
    "intent",
    [
        _create(),
        Intent("adopt", None, "1166", 13, {"did_number": "+1166", "port": 1}, 60),
        Intent("adopt", None, None, 13, {"port": 1}, 60),
    ],
    ids=["create", "adoption", "adoption without a number"],
)
def test_an_answer_leaves_the_same_as_claimed_or_not(
    registry: Registry, store: Store, intent: Intent
) -> None:
    """The record as the claim left it is confirmed without a look at it."""
    records = []
    for as_claimed in (True, False):
        token = registry.journal.claim(PLATFORM, intent)
        assert token is not None
        if not as_claimed:
            store.write("UPDATE records SET version = version + 1")
        record = registry.journal.confirm(token, PLATFORM, intent, 13, AT)
        assert record == registry.find(PLATFORM, None, 13)[1]
        assert record.version == (2 if as_claimed else 3)
        records.append(record._replace(key="", version=0))
        assert registry.journal.apply_corrections(PLATFORM, [Correction("forgotten", record, None)])
    assert records[0] == records[1]


@pytest.mark.parametrize("sent", [{"port": 1}, {"did_number": "2"}, {"did_number": "1166"}])
def test_an_edit_leaves_the_same_as_claimed_or_not(
    registry: Registry, store: Store, sent: dict[str, Any]
) -> None:
    records = []
    for as_claimed in (True, False):
        known = _confirmed(registry)
        number = sent.get("did_number", "1166")
        intent = Intent("update", known, number, 13, sent, 60)
        token = registry.journal.claim(PLATFORM, intent)
        assert token is not None
        if not as_claimed:
            store.write("UPDATE records SET version = version + 1")
        record = registry.journal.confirm(token, PLATFORM, intent, 13, AT)
        assert record == registry.find(PLATFORM, number, 13)[1]
        assert record.numbers == (number,)
        records.append(record._replace(key="", version=0))
        assert registry.journal.apply_corrections(PLATFORM, [Correction("forgotten", record, None)])
    assert records[0] == records[1]


def test_an_answer_that_names_the_record_of_another_did(registry: Registry) -> None:
    first = _confirmed(registry)
    intent = _create("2")
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    with pytest.raises(LateAnswer) as caught:
        registry.journal.confirm(token, PLATFORM, intent, 13, AT)
    assert caught.value.record == first == registry.find(PLATFORM, None, 13)[1]
    open_still = _found(registry, "2")
    assert (open_still.outcome, open_still.record_id) == (UNKNOWN, None)
    events = [(entry.event, entry.number) for entry in registry.reports.history(PLATFORM)]
    assert sorted(events) == [("answered", "2"), ("applied", "1166")]


def test_a_claim_that_comes_too_late_leaves_nothing(registry: Registry) -> None:
    """Neither where the number is taken, nor where the record is; and the writes beside it hold."""
    first = _confirmed(registry)
    intents = [
        _create(),
        Intent("adopt", None, "2", 13, {"port": 1}, 60),
        Intent("adopt", None, "1166", 14, {"port": 1}, 60),
        _create("3"),
    ]
    tokens = registry.journal.atomic(
        lambda: [registry.journal.claim(PLATFORM, intent) for intent in intents]
    )
    assert [token is not None for token in tokens] == [False, False, False, True]
    assert registry.reports.count_records(PLATFORM) == 2
    assert registry.find(PLATFORM, "1166", 13) == (first, first)
    assert registry.find(PLATFORM, "2", 14) == (None, None)


def test_one_of_two_gets_the_claim(registry: Registry) -> None:
    assert registry.journal.claim(PLATFORM, _create()) is not None
    assert registry.journal.claim(PLATFORM, _create()) is None
    record = _confirmed(registry, "2", 14)
    assert registry.journal.claim(PLATFORM, _edit(record, port=1)) is not None
    assert registry.journal.claim(PLATFORM, _edit(record, port=2)) is None
    # Even one who looks again: the claim is live.
    assert registry.journal.claim(PLATFORM, _edit(_found(registry, "2"), port=2)) is None
    adopted = Intent("adopt", None, None, 14, {"port": 1}, 60)
    assert registry.journal.claim(PLATFORM, adopted) is None


def test_a_claim_that_ended_leaves_the_outcome_open(registry: Registry) -> None:
    assert registry.journal.claim(PLATFORM, _create(lease=-1)) is not None
    record = _found(registry)
    assert record.outcome == UNKNOWN
    assert record.claim is not None and not record.claim.live
    assert registry.journal.claim(PLATFORM, _create()) is None

    known = _confirmed(registry, "2", 14)
    assert registry.journal.claim(PLATFORM, _edit(known, lease=-1, port=1)) is not None
    assert _found(registry, "2").outcome == UNCERTAIN


def test_a_renumbering_that_comes_too_late_leaves_nothing(registry: Registry) -> None:
    first = _confirmed(registry)
    _confirmed(registry, "2", 14)
    renumbering = Intent("update", first, "2", 13, {"did_number": "2"}, 60)
    assert registry.journal.claim(PLATFORM, renumbering) is None
    tokens = registry.journal.atomic(
        lambda: [registry.journal.claim(PLATFORM, each) for each in (renumbering, _create("3"))]
    )
    assert [token is not None for token in tokens] == [False, True]
    assert registry.find(PLATFORM, "1166", 13) == (first, first)
    assert _found(registry, "2").record_id == 14
    assert _found(registry, "3").outcome == UNKNOWN


def test_a_renumbering_of_a_record_that_has_changed_leaves_nothing(registry: Registry) -> None:
    """Its new number, which was free, stays free; and what is written beside it holds."""
    first = _confirmed(registry)
    token = str(registry.journal.claim(PLATFORM, _edit(first, port=1)))
    second = registry.journal.confirm(token, PLATFORM, _edit(first, port=1), 13, AT)
    renumbering = Intent("update", first, "2", 13, {"did_number": "2"}, 60)
    assert registry.journal.claim(PLATFORM, renumbering) is None
    tokens = registry.journal.atomic(
        lambda: [registry.journal.claim(PLATFORM, each) for each in (renumbering, _create("3"))]
    )
    assert [token is not None for token in tokens] == [False, True]
    assert registry.find(PLATFORM, "1166", 13) == (second, second)
    assert registry.journal.claim(PLATFORM, _create("2")) is not None


def test_what_was_not_applied_is_undone(registry: Registry) -> None:
    token = registry.journal.claim(PLATFORM, _create())
    assert token is not None
    registry.journal.rollback(token)
    assert registry.find(PLATFORM, "1166", None) == (None, None)

    record = _confirmed(registry)
    token = registry.journal.claim(
        PLATFORM, Intent("update", record, "77", 13, {"did_number": "77"}, 60)
    )
    assert token is not None
    assert _found(registry, "77").key == _found(registry, "1166").key == record.key
    registry.journal.rollback(token)
    restored = _found(registry)
    assert (restored.outcome, restored.numbers, restored.fields) == (
        CONFIRMED,
        ("1166",),
        record.fields,
    )
    assert registry.find(PLATFORM, "77", None) == (None, None)


def test_an_adoption_that_was_not_applied_leaves_the_create_open(registry: Registry) -> None:
    token = registry.journal.claim(PLATFORM, _create())
    assert token is not None
    registry.journal.mark_unknown(token)
    intent = Intent("adopt", _found(registry), "1166", 99, {"port": 1}, 60)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    assert (_found(registry).outcome, _found(registry).record_id) == (UNCERTAIN, 99)
    registry.journal.rollback(token)
    record = _found(registry)
    assert (record.outcome, record.record_id) == (UNKNOWN, None)
    assert record.attempted == {"did_number": "1166", "port": 5060}


def test_a_late_answer_finds_its_record(registry: Registry) -> None:
    intent = _create(lease=0)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    time.sleep(0.01)
    assert not registry.journal.is_claim_valid(token, 0)
    assert registry.journal.confirm(token, PLATFORM, intent, 13, AT).record_id == 13


def test_every_write_to_a_record_is_a_new_version(registry: Registry) -> None:
    """So that who has looked before it does not write after it."""
    intent = _create()
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    registry.journal.mark_unknown(token)
    looked_at = _found(registry)
    confirmed = registry.journal.confirm(token, PLATFORM, intent, 13, AT)
    assert confirmed.version > looked_at.version
    assert not registry.journal.apply_corrections(
        PLATFORM, [Correction("forgotten", looked_at, None)]
    )
    assert _found(registry) == confirmed


def test_a_late_answer_to_a_record_that_went_another_way_is_history(registry: Registry) -> None:
    intent = _create(lease=-1)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    adoption = Intent("adopt", _found(registry), "1166", 20, {"did_number": "1166"}, 60)
    adopting = registry.journal.claim(PLATFORM, adoption)
    assert adopting is not None
    adopted = registry.journal.confirm(adopting, PLATFORM, adoption, 20, AT)
    with pytest.raises(LateAnswer) as caught:
        registry.journal.confirm(token, PLATFORM, intent, 21, AT)
    assert caught.value.record == adopted == _found(registry)
    registry.journal.rollback(token)
    registry.journal.mark_unknown(token)
    assert _found(registry) == adopted


@pytest.mark.parametrize(
    "intent",
    [_create(lease=-1), Intent("adopt", None, None, 13, {"port": 1}, -1)],
    ids=["create", "adoption without a number"],
)
def test_a_late_answer_to_a_forgotten_did_is_recorded(registry: Registry, intent: Intent) -> None:
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    by_number, by_id = registry.find(PLATFORM, intent.number, intent.record_id)
    assert registry.journal.apply_corrections(
        PLATFORM, [Correction("forgotten", by_number or by_id, None)]
    )
    record = registry.journal.confirm(token, PLATFORM, intent, 13, AT)
    assert record == registry.find(PLATFORM, None, 13)[1]
    assert (record.did_number, record.outcome) == (intent.number, CONFIRMED)
    assert [entry.event for entry in registry.reports.history(PLATFORM)] == [
        "forgotten",
        "answered",
    ]


def test_a_late_answer_that_agrees_is_no_conflict(registry: Registry) -> None:
    intent = _create(lease=-1)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    adoption = Intent("adopt", _found(registry), "1166", 13, {"did_number": "1166"}, 60)
    # Another run has adopted the very record, and is still at work on it.
    assert registry.journal.claim(PLATFORM, adoption) is not None
    assert registry.journal.confirm(token, PLATFORM, intent, 13, AT).record_id == 13


def test_a_statement_that_another_person_made_first_changes_nothing(registry: Registry) -> None:
    """Both looked while the registry did not know the DID."""
    states = [NewState("1166", record_id, {"did_number": "1166"}) for record_id in (13, 14)]
    other = NewState("77", 15, {"did_number": "77"})
    first, *second = (
        Correction("recorded", None, state) for state in (states[0], other, states[1])
    )
    assert registry.journal.apply_corrections(PLATFORM, [first])
    assert not registry.journal.apply_corrections(PLATFORM, second)
    assert _found(registry).record_id == 13
    assert registry.find(PLATFORM, "77", 14) == (None, None)
    assert len(registry.reports.history(None)) == 1


@in_a_file
def test_what_an_answer_means_is_written_patiently(registry: Registry, tmp_path: Path) -> None:
    impatient = _open.open_registry(
        registry.location, PLATFORM, registry_id=None, write=True, timeout=0
    )
    intent = _create()
    token = impatient.journal.claim(PLATFORM, intent)
    assert token is not None
    other = sqlite3.connect(registry.location, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    thread = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    thread.start()
    assert impatient.journal.confirm(token, PLATFORM, intent, 13, AT).record_id == 13
    thread.join()
    other.close()
    impatient.close()


@pytest.fixture
def no_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no clock of this host, so that each last look is one at the registry."""
    monkeypatch.setattr(Journal, "clocks", staticmethod(lambda: None))


@in_a_file
@pytest.mark.parametrize("hurried", [False, True])
@pytest.mark.parametrize("fate", ["removed", "replaced"])
def test_a_registry_that_leaves_its_path_takes_nothing_more(
    registry: Registry, hurried: bool, fate: str
) -> None:
    """What is written to a file that nobody finds again would be created once more by the next run."""
    older = Path(registry.location).read_bytes()
    if hurried:
        registry.begin_bulk()
    token = registry.journal.claim(PLATFORM, _create())
    assert token is not None and registry.journal.is_claim_valid(token, 1.0)
    os.unlink(registry.location)
    if fate == "replaced":
        Path(registry.location).write_bytes(older)
    for work in (
        lambda: registry.journal.is_claim_valid(token, 1.0),
        lambda: registry.journal.claim(PLATFORM, _create("1167")),
        lambda: registry.journal.confirm(token, PLATFORM, _create(), 13, AT),
    ):
        with pytest.raises(RegistryUnavailable, match="removed, moved or replaced"):
            work()


@pytest.mark.usefixtures("no_clocks")
@pytest.mark.parametrize("hurried", [False, True])
def test_many_threads_take_a_last_look_at_once(registry: Registry, hurried: bool) -> None:
    """Each sees the claim that was durable before it looked, whatever the others are looking at."""
    if hurried:
        registry.begin_bulk()
    first = registry.journal.claim(PLATFORM, _create())
    ended = threading.Event()

    def look_on() -> None:
        while not ended.is_set():
            assert first is not None and registry.journal.is_claim_valid(first, 1.0)

    with ThreadPoolExecutor(4) as threads:
        onlookers = [threads.submit(look_on) for _thread in range(4)]
        try:
            for number in range(1000, 1100):
                token = registry.journal.claim(PLATFORM, _create(str(number)))
                assert token is not None
                assert registry.journal.is_claim_valid(token, 1.0)
        finally:
            ended.set()
        for onlooker in onlookers:
            onlooker.result(timeout=30)


def test_platforms_do_not_see_each_other(registry: Registry) -> None:
    _making.make_present(
        registry.location,
        "other:443",
        registry_id=None,
        timeout=5,
        apply=True,
        another_platform=True,
    )
    _confirmed(registry)
    assert registry.find("other:443", "1166", 13) == (None, None)
    intent = _create()
    token = registry.journal.claim("other:443", intent)
    assert token is not None
    assert registry.journal.confirm(token, "other:443", intent, 13, AT).record_id == 13
