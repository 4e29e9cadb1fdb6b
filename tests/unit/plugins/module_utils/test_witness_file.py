# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the witness: what is read of them, how they are compacted, and who takes turns."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness import Witness
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness_file import (
    HEADER,
    Entry,
    WitnessFile,
    file_name,
    latest,
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


def test_platforms_have_names_of_their_own() -> None:
    names = ["a:1", "a_1", "a%3A1", "..", "é" * 100, "é" * 99 + "e", "A:1"]
    files = {file_name(name) for name in names}
    assert len(files) == len(names)
    assert all("/" not in name and len(name) < 200 and name not in ("..", ".") for name in files)
