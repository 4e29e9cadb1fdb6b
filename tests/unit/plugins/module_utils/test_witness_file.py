# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the witness: what is read of them, how they are compacted, and who takes turns."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness import Witness
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness_file import (
    HEADER,
    Entry,
    WitnessError,
    WitnessFile,
    file_name,
    is_witness,
    latest,
    lock,
    read_entries,
)

AT = "2026-01-31T12:00:00Z"


def entry(number: str | None, record_id: int, key: str = "a", version: int = 2) -> Entry:
    """An entry."""
    return Entry(number, record_id, AT, key, version)


@pytest.fixture
def file(tmp_path: Path) -> WitnessFile:
    """A file that is not there yet."""
    return WitnessFile(str(tmp_path / "witness" / "id" / "platform.csv"))


def test_the_last_entry_of_each_record_and_number_counts() -> None:
    first, renumbered = entry("1", 10), entry("2", 10, version=4)
    assert latest([first, renumbered]) == [renumbered]
    assert latest([renumbered, first]) == [renumbered]
    replaced, other = entry("+3", 11, "b"), entry("3", 12, "c")
    assert latest([replaced, entry(None, 13, "d"), other]) == [entry(None, 13, "d"), other]


def test_what_is_appended_is_read(file: WitnessFile) -> None:
    assert list(file.entries()) == [] and file.count() == 0 and file.newest(5) == []
    entries = [entry(str(number), number, f"{number:032x}") for number in range(1, 1000)]
    file.append(entries)
    assert list(file.entries()) == entries
    assert file.count() == 999
    assert file.newest(100) == entries[-100:]


def test_entries_are_written_together_and_all_of_them_at_the_end(tmp_path: Path) -> None:
    witness = Witness(str(tmp_path / "witness"), write=True)
    witness.bind("id")
    entries = [entry(str(number), number, f"{number:032x}") for number in range(150)]
    for each in entries:
        witness.append("platform", [each])
    assert witness.count("platform") > 0
    witness.close()
    assert witness.entries("platform") == entries


def test_a_file_is_compacted_once_it_has_doubled(tmp_path: Path) -> None:
    size = 0
    for version in range(2, 6):
        witness = Witness(str(tmp_path / "witness"), write=True)
        witness.bind("id")
        entries = [entry(str(number), number, f"{number:032x}", version) for number in range(9000)]
        witness.append("platform", entries)
        witness.close()
        assert witness.warnings == []
        path = Path(witness.path("platform"))
        assert witness.newest("platform")[-1] == entries[-1]
        assert not size or path.stat().st_size <= 2.1 * size
        size = size or path.stat().st_size
    assert not list(path.parent.glob("*.new"))


def test_who_waits_while_a_file_is_replaced_writes_to_the_new_one(file: WitnessFile) -> None:
    file.append([entry("1", 1)])
    with open(file.path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = WitnessFile(file.path)
        waiting = threading.Thread(target=other.append, args=([entry("2", 2)],))
        waiting.start()
        draft = Path(f"{file.path}.new")
        draft.write_bytes(HEADER + entry("3", 3).line())
        draft.replace(file.path)
    waiting.join()
    assert [each.did_number for each in file.entries()] == ["3", "2"]


@pytest.mark.parametrize("fate", ["replaced", "removed"])
def test_a_run_that_has_the_file_open_appends_to_the_one_at_the_path(
    file: WitnessFile, fate: str
) -> None:
    """Another run has compacted it since, or somebody has deleted it."""
    file.append([entry("1", 1)])
    if fate == "replaced":
        WitnessFile(file.path).rewrite(lambda each: True)
    else:
        os.unlink(file.path)
    file.append([entry("2", 2)])
    numbers = [each.did_number for each in WitnessFile(file.path).entries()]
    assert numbers == (["1", "2"] if fate == "replaced" else ["2"])


def test_a_file_that_another_process_keeps_locked_is_not_waited_for_without_an_end(
    file: WitnessFile,
) -> None:
    file.append([entry("1", 1)])
    with open(file.path, "rb") as held, open(file.path, "rb") as waiting:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WitnessError, match="locked"):
            lock(waiting.fileno(), timeout=0)


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("work", ["append", "rewrite"])
def test_a_disk_that_is_full_leaves_the_file_as_it_was(file: WitnessFile, work: str) -> None:
    """No part of a line, and no draft."""
    file.append([entry("1", 1, "b"), entry("2", 2, "a" * 32)])
    path = Path(file.path)
    before = path.read_bytes()
    # A part of what is written has a place.
    size = len(before) + 10 if work == "append" else len(before) - 10
    with pytest.raises(OSError), limited(size):
        if work == "append":
            file.append([entry("3", 3, "c" * 32)])
        else:
            file.rewrite(lambda each: True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_what_was_appended_is_on_the_disk_once_the_file_is_closed(
    file: WitnessFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit does not wait for that: a host that crashes loses what other runs find in the registry."""
    synchronised: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda each: synchronised.append(os.fstat(each).st_ino))
    file.append([entry("1", 1)])
    inode = os.stat(file.path).st_ino
    assert inode not in synchronised
    file.close()
    assert inode in synchronised


@pytest.mark.parametrize(
    ("code", "warns"), [(errno.EINVAL, False), (errno.EIO, True)], ids=["cannot", "fails"]
)
def test_a_folder_whose_names_are_not_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, warns: bool
) -> None:
    """A file system that cannot do that for folders is no reason for a warning; a disk that fails is."""
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    witness = Witness(str(tmp_path / "witness"), write=True)
    witness.bind("id")
    witness.append("platform", [entry("1", 1)])
    witness.close()
    if warns:
        assert len(witness.warnings) == 1 and os.strerror(code) in witness.warnings[0]
    else:
        assert witness.warnings == [] and witness.entries("platform") == [entry("1", 1)]


def _damaged(witness: Witness, damage: str) -> Witness:
    path = Path(witness.path("platform"))
    path.parent.mkdir(parents=True)
    if damage == "a FIFO":
        os.mkfifo(path)
    elif damage == "a folder":
        path.mkdir()
    elif damage == "a link":
        path.symlink_to(path.parent / "elsewhere")
    else:
        path.write_text("number;name\n")
    (path.parent.parent / "notes.json").write_text("[]")
    return witness


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("a FIFO", "no regular file"),
        ("a folder", os.strerror(errno.EISDIR)),
        ("a link", os.strerror(errno.ELOOP)),
        ("another program's file", "no part of a witness"),
    ],
)
def test_a_witness_that_cannot_be_read_says_nothing_and_warns_once(
    tmp_path: Path, damage: str, words: str
) -> None:
    """It is neither taken for an empty one in silence, nor does it end the run."""
    witness = Witness(str(tmp_path / "witness"), write=True)
    witness.bind("id")
    _damaged(witness, damage)
    read: list[Callable[[], object]] = [
        lambda: witness.newest("platform"),
        lambda: witness.entries("platform"),
        lambda: witness.count("platform"),
        lambda: witness.locations,
        lambda: witness.timelines,
    ]
    for each in read:
        witness.warnings.clear()
        assert not each()
        assert len(witness.warnings) == 1
        expected = words if each in read[:3] else "notes.json in it is damaged"
        assert expected in witness.warnings[0]
    for each in read:
        each()
    assert len(witness.warnings) == 1


def test_notes_of_which_a_part_is_no_note_keep_the_others(tmp_path: Path) -> None:
    notes = {"locations": ["/a.db"], "timelines": {"system": 3, "other": "4"}}
    (tmp_path / "notes.json").write_text(json.dumps(notes))
    witness = Witness(str(tmp_path), write=True)
    assert (witness.locations, witness.timelines) == ({}, {"system": 3})
    witness.bind("id")
    witness.note_location("/a.db", replace=False)
    assert witness.warnings == []
    again = Witness(str(tmp_path), write=False)
    assert (again.locations, again.timelines) == ({"/a.db": "id"}, {"system": 3})


@pytest.mark.parametrize("kind", ["a folder", "a file that cannot be read"])
def test_what_cannot_be_read_is_no_witness(tmp_path: Path, kind: str) -> None:
    """Linux has a file that not even root can read from its beginning."""
    assert not is_witness(str(tmp_path) if kind == "a folder" else "/proc/self/mem")


def test_a_witness_that_is_gone_by_the_time_that_it_is_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match=r"^src: .* cannot be read"):
        read_entries(str(tmp_path))


def test_platforms_have_names_of_their_own() -> None:
    names = ["a:1", "a_1", "a%3A1", "..", "é" * 100, "é" * 99 + "e", "A:1"]
    files = {file_name(name) for name in names}
    assert len(files) == len(names)
    assert all("/" not in name and len(name) < 200 and name not in ("..", ".") for name in files)
