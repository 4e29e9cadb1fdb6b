# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage that hides a DID is found before a create of it, and a registry is read as a whole only after other hands have written to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._errors import DidError
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    Correction,
    Intent,
    NewState,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry import provision as _making
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite import (
    SqliteBackend,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.tests.support.modules import VENDOR_CREATE, Runner
from ansible_collections.nextbilling.did.tests.support.stores import on_both_backends
from ansible_collections.nextbilling.did.tests.support.waiting import until

PLATFORM = "sip.nextbilling.com.br:443"
AT = "2026-01-31T12:00:00Z"
CONFIRMED, OPEN = 300, 10
DAY = 86_400


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction of another program."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        with connection:
            yield connection


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[Registry]:
    """A registry, to be written."""
    with contextlib.closing(
        _open.open_registry(str(path), PLATFORM, registry_id=None, write=True, timeout=5)
    ) as registry:
        yield registry


def create(registry: Registry, number: str, record_id: int | None) -> None:
    """Record a create, whose outcome is open if there is no record id."""
    intent = Intent("create", None, number, None, {"did_number": f"+{number}", "port": 5060}, 60)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None
    if record_id is None:
        registry.journal.mark_unknown(token)
    else:
        registry.journal.confirm(token, PLATFORM, intent, record_id, AT)


def known(registry: Registry, number: str) -> Record:
    """The record of a number."""
    record, _by_id = registry.find(PLATFORM, number, None)
    assert record is not None
    return record


def renumber(registry: Registry, number: str, new: str) -> None:
    """Record that a DID has got another number."""
    record = known(registry, number)
    intent = Intent("update", record, new, record.record_id, {"did_number": new}, 60)
    token = registry.journal.claim(PLATFORM, intent)
    assert token is not None and record.record_id is not None
    registry.journal.confirm(token, PLATFORM, intent, record.record_id, AT)


def state(registry: Registry, event: str, number: str, new: NewState | None) -> None:
    """Record a person's statement about a DID."""
    correction = Correction(event, known(registry, number), new)
    assert registry.journal.apply_corrections(PLATFORM, [correction])


class Sound(NamedTuple):
    """A registry that is not damaged. C(numbers): those that it knows. C(gone): those that it knew and does not know any more."""

    path: Path
    numbers: list[str]
    gone: list[str]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """A registry with a history."""
    path = tmp_path_factory.mktemp("sound") / "registry.db"
    _making.make_present(str(path), PLATFORM, registry_id=None, timeout=5, apply=True)
    numbers = [f"551130{place:06}" for place in range(CONFIRMED + OPEN)]
    gone = numbers[:3]
    with opened(path) as registry:
        registry.begin_bulk()
        for place, number in enumerate(numbers):
            create(registry, number, 100 + place if place < CONFIRMED else None)
        state(registry, "forgotten", numbers[0], None)
        renumber(registry, numbers[1], "5511888888")
        # Number and record id at once: nothing but the record's key connects it with what it was.
        state(
            registry,
            "recorded",
            numbers[2],
            NewState("5511999999", 9999, {"did_number": "5511999999"}),
        )
    return Sound(path, [*numbers[3:], "5511888888", "5511999999"], gone)


def hidden(registry: Registry, numbers: list[str]) -> list[str]:
    """The numbers of which a look-up finds nothing, and which would be created."""
    found = []
    for number in numbers:
        with contextlib.suppress(DidError):
            if registry.find(PLATFORM, number, None) == (None, None):
                found.append(number)
    return found


def test_what_is_gone_on_purpose_or_was_never_there_is_new(sound: Sound) -> None:
    with opened(sound.path) as registry:
        assert hidden(registry, [*sound.numbers, *sound.gone, "1"]) == [*sound.gone, "1"]
        registry.reports.verify_new(PLATFORM, [*sound.gone, "1"])


# Damage by a disk, which no counter tells of


def restamp(path: Path) -> None:
    """Have a copy pass for a registry that only this code has written, so that it is not read as a whole."""
    with connected(path) as connection:
        counter = int.from_bytes(path.read_bytes()[24:28], "big") + 1
        now, inode = time.time(), path.stat().st_ino
        connection.execute("DELETE FROM meta WHERE name = 'stamp'")
        connection.execute(
            "INSERT INTO meta VALUES ('stamp', ?)", [f"{counter} {inode} {now} {now}"]
        )


def pages(path: Path) -> int:
    """How many pages a registry has."""
    return path.stat().st_size // 4096


def read_page(path: Path, page: int) -> bytes:
    """The content of a page, which are counted from 0."""
    with path.open("rb") as file:
        file.seek(page * 4096)
        return file.read(4096)


def write_page(path: Path, page: int, content: bytes, offset: int = 0) -> None:
    """Write past SQLite."""
    with path.open("r+b") as file:
        file.seek(page * 4096 + offset)
        file.write(content)


@given(data=st.data())
@settings(max_examples=60)
def test_a_did_that_a_disk_has_lost_is_not_created_again(
    sound: Sound, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "registry.db"
    shutil.copyfile(sound.path, path)
    restamp(path)
    # The first page is the header and the schema: damage there is found on opening.
    page = data.draw(st.integers(1, pages(path) - 1), "page")
    kind = data.draw(st.sampled_from(["zeros", "another page", "bytes", "older"]), "kind")
    if kind == "zeros":
        write_page(path, page, bytes(4096))
    elif kind == "another page":
        other = data.draw(st.integers(1, pages(path) - 1), "other page")
        write_page(path, page, read_page(path, other))
    elif kind == "bytes":
        offset = data.draw(st.integers(0, 4090), "offset")
        write_page(path, page, data.draw(st.binary(min_size=1, max_size=6), "bytes"), offset)
    else:
        # A page of which a write was lost: its last cells are missing.
        content = bytearray(read_page(path, page))
        cells = int.from_bytes(content[3:5], "big")
        content[3:5] = (cells // 2).to_bytes(2, "big")
        write_page(path, page, bytes(content))
    check_nothing_hidden_is_created(path, sound.numbers)
    shutil.rmtree(path.parent)


def check_nothing_hidden_is_created(path: Path, numbers: list[str]) -> None:
    """Do for each number what a create does before it sends anything."""
    with contextlib.suppress(DidError), opened(path) as registry:
        for number in hidden(registry, numbers):
            with pytest.raises(DidError):
                registry.reports.verify_new(PLATFORM, [number])


INDEXES = (
    "sqlite_autoindex_numbers_1",
    "numbers_by_record",
    "sqlite_autoindex_records_1",
    "history_by_number",
    "records_open",
)


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_has_lost_all_entries_hides_no_did(
    sound: Sound, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "registry.db"
    shutil.copyfile(sound.path, path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        ((root,),) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", [name]
        ).fetchall()
    restamp(path)
    empty = bytearray(4096)
    empty[0], empty[5:7] = 10, (4096).to_bytes(2, "big")
    write_page(path, root - 1, bytes(empty))
    with opened(path) as registry:
        lost = hidden(registry, sound.numbers)
        assert bool(lost) == (name in ("sqlite_autoindex_numbers_1", "sqlite_autoindex_records_1"))
    check_nothing_hidden_is_created(path, sound.numbers)


# Damage by other hands


@given(
    places=st.lists(st.integers(0, CONFIRMED), min_size=1, max_size=20, unique=True),
    tables=st.sets(st.sampled_from(["numbers", "records"]), min_size=1),
    is_noticed=st.booleans(),
)
@settings(max_examples=30)
def test_a_did_of_which_rows_were_deleted_is_not_created_again(
    sound: Sound,
    tmp_path_factory: pytest.TempPathFactory,
    places: list[int],
    tables: set[str],
    is_noticed: bool,
) -> None:
    path = tmp_path_factory.mktemp("deleted") / "registry.db"
    shutil.copyfile(sound.path, path)
    lost = [sound.numbers[place] for place in places]
    listed = ", ".join(f"'{number}'" for number in lost)
    with connected(path) as connection:
        if "records" in tables:
            connection.execute(
                f"DELETE FROM records WHERE record_key IN (SELECT record_key FROM numbers WHERE number IN ({listed}))"
            )
        if "numbers" in tables:
            connection.execute(f"DELETE FROM numbers WHERE number IN ({listed})")
    if not is_noticed:
        restamp(path)
    with opened(path) as registry:
        assert set(hidden(registry, sound.numbers)) == set(lost)
        both = len(tables) == 2
        for number in lost:
            # Of an open create that is gone altogether nothing is left.
            if both and sound.numbers.index(number) >= CONFIRMED - len(sound.gone):
                continue
            with pytest.raises(DidError, match="damaged"):
                registry.reports.verify_new(PLATFORM, [number])
    shutil.rmtree(path.parent)


@on_both_backends
def test_only_the_did_that_was_lost_is_refused_where_nothing_tells_of_other_hands(
    runner: Runner,
) -> None:
    # A witness would tell of this loss, too.
    runner.options["witness"] = "false"
    for number in ("1166", "1167"):
        assert runner.did(**{**VENDOR_CREATE, "did_number": number})["changed"]
    runner.write(
        "DELETE FROM numbers WHERE number = '1166'", "DELETE FROM records WHERE record_id = 13"
    )
    for _try in range(2):
        refused = runner.both(**VENDOR_CREATE)
        assert refused["error"]["kind"] == "registry_unavailable"
        assert "1166" in refused["msg"] and "restore it" in refused["msg"]
    assert runner.both(did_number="2", port=1)["action"] == "create"
    assert len(runner.requests()) == 3


# When a registry is read as a whole


def is_verified(path: Path) -> bool:
    """Whether the next create does not read the registry as a whole."""
    with contextlib.closing(SqliteBackend(str(path)).open(write=False, timeout=5)) as database:
        return database.is_verified()


def sql(path: Path, statement: str) -> None:
    """Write with another program."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def replace(path: Path) -> None:
    """Put a copy in the place of the file."""
    shutil.copy2(path, f"{path}.copy")
    os.replace(f"{path}.copy", path)


def overwrite(path: Path) -> None:
    """Write the same content past SQLite, later than a commit lasts, and keep the time of the last change."""
    found = path.stat()
    until(lambda: time.time() > found.st_ctime + 2.5)
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(
    "meddle",
    [
        lambda path: sql(path, "UPDATE records SET version = version + 1"),
        lambda path: sql(path, "VACUUM"),
        lambda path: sql(path, "ANALYZE"),
        lambda path: sql(path, "PRAGMA journal_mode = wal"),
        lambda path: sql(path, "DELETE FROM meta WHERE name = 'stamp'"),
        lambda path: sql(path, "UPDATE meta SET value = 'x' WHERE name = 'stamp'"),
        replace,
        overwrite,
    ],
    ids=["rows", "vacuum", "statistics", "journal", "no stamp", "stamp", "replaced", "overwritten"],
)
def test_a_registry_is_read_as_a_whole_once_after_other_hands(
    runner: Runner, meddle: Callable[[Path], None]
) -> None:
    path = runner.registry
    runner.did(**VENDOR_CREATE)
    assert is_verified(path)
    meddle(path)
    assert not is_verified(path)
    # What does not create needs no verification, and does not pretend that there was one.
    assert runner.did(**{**VENDOR_CREATE, "port": 5061})["action"] == "update"
    assert not is_verified(path)
    assert runner.both(did_number="2", port=1)["action"] == "create"
    assert is_verified(path)


def test_runs_of_all_kinds_leave_a_stamp(runner: Runner) -> None:
    path = runner.registry
    runner.did(**VENDOR_CREATE)
    for options in (
        {"dids": [{"did_number": str(number)} for number in range(100, 125)]},
        {"dids": [{"did_number": str(number), "port": 1} for number in range(100, 125)]},
        {"dids": [{"did_number": str(number)} for number in range(200, 225)], "concurrency": 4},
    ):
        assert runner.dids(**options)["changed"]
        assert is_verified(path)
    runner.did_registry(state="recorded", dids=[{"did_number": "3", "record_id": 999}])
    assert is_verified(path)


def test_a_verification_is_not_for_ever(runner: Runner) -> None:
    path = runner.registry
    runner.did(**VENDOR_CREATE)
    for age, expected in ((6 * DAY, True), (8 * DAY, False), (-DAY, False)):
        restamp(path)
        ((stamp,),) = runner.rows("SELECT value FROM meta WHERE name = 'stamp'")
        counter, inode, now, _verified = stamp.split()
        changed = f"{int(counter) + 1} {inode} {now} {float(now) - age}"
        sql(path, f"UPDATE meta SET value = '{changed}' WHERE name = 'stamp'")
        assert is_verified(path) == expected


def test_hands_that_write_during_a_long_run_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    _making.make_present(str(path), PLATFORM, registry_id=None, timeout=5, apply=True)
    for meddles in (False, True):
        with opened(path) as registry:
            registry.reports.verify_new(PLATFORM, ["1"])
            registry.begin_bulk()
            create(registry, f"1{meddles:d}", 1 + meddles)
            if meddles:
                sql(path, "UPDATE records SET version = version + 1")
            create(registry, f"2{meddles:d}", 3 + meddles)
        assert is_verified(path) != meddles


def test_an_older_copy_that_is_written_over_the_file_during_a_long_run_is_noticed(
    tmp_path: Path,
) -> None:
    """SQLite goes on: it has the newest pages in its write-ahead log, and the others are older then."""
    path = tmp_path / "registry.db"
    _making.make_present(str(path), PLATFORM, registry_id=None, timeout=5, apply=True)
    with opened(path) as registry:
        registry.reports.verify_new(PLATFORM, ["1"])
        create(registry, "1", 1)
    older = path.read_bytes()
    with opened(path) as registry:
        create(registry, "2", 2)
        registry.begin_bulk()
        create(registry, "3", 3)
        path.write_bytes(older)
        create(registry, "4", 4)
    assert not is_verified(path)


def test_a_run_that_was_killed_leaves_no_stamp(tmp_path: Path) -> None:
    path, copy = tmp_path / "registry.db", tmp_path / "killed.db"
    _making.make_present(str(path), PLATFORM, registry_id=None, timeout=5, apply=True)
    with opened(path) as registry:
        registry.reports.verify_new(PLATFORM, ["1"])
        registry.begin_bulk()
        create(registry, "1", 1)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    assert is_verified(path)
    assert not is_verified(copy)
    with opened(copy) as registry:
        registry.reports.verify_new(PLATFORM, ["2"])
    assert is_verified(copy)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE report (number TEXT)", "the table report"),
        ("CREATE VIEW report AS SELECT * FROM records", "the view report"),
        ("CREATE INDEX more ON records (confirmed_at)", "the index more"),
        (
            "CREATE TRIGGER t AFTER INSERT ON history BEGIN SELECT RAISE(IGNORE); END",
            "the trigger t",
        ),
    ],
)
def test_what_somebody_has_added_to_the_file_is_named_and_calls_for_no_backup(
    runner: Runner, statement: str, named: str
) -> None:
    runner.did(**VENDOR_CREATE)
    runner.write(statement)
    refused = runner.both(did_number="1")
    assert refused["error"]["kind"] == "registry_unavailable"
    assert f"holds more than a registry: {named}. " in refused["msg"]
    assert "backup" not in refused["msg"]
    runner.write(f"DROP {named.removeprefix('the ')}")
    assert runner.both(did_number="1")["action"] == "create"
