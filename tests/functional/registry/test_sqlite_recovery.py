# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed process left is read as SQLite itself would recover it, and a look that is killed leaves nothing behind."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryUnavailable
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite_recovery import (
    recover,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite_snapshot import (
    take_snapshot,
)

SUFFIXES = ("", "-journal", "-wal")
# Writes what spills to the disk before it is committed, and dies after so many statements.
WRITER = """
import os, random, sqlite3, sys
path, mode, page_size, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
chance = random.Random(seed)
connection = sqlite3.connect(path, isolation_level=None)
connection.execute(f"PRAGMA page_size = {page_size}")
connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)")
connection.execute(f"PRAGMA journal_mode = {mode}")
connection.execute("PRAGMA cache_size = 1")
connection.execute("PRAGMA wal_autocheckpoint = 20")
for step in range(steps):
    if not connection.in_transaction and chance.random() < 0.4:
        connection.execute("BEGIN IMMEDIATE")
    choice = chance.random()
    if choice < 0.6:
        connection.execute("INSERT INTO t (v) VALUES (?)", [chance.randbytes(chance.randint(1, 3 * page_size))])
    elif choice < 0.8:
        connection.execute("UPDATE t SET v = ? WHERE k % 3 = 0", [chance.randbytes(chance.randint(1, 200))])
    elif choice < 0.9:
        connection.execute("DELETE FROM t WHERE k % 5 = 1")
    elif connection.in_transaction:
        connection.execute(chance.choice(["COMMIT", "ROLLBACK"]))
    else:
        connection.execute("VACUUM")
os.kill(os.getpid(), 9)
"""


def _left_by(folder: Path, mode: str, page_size: int, seed: int, steps: int) -> list[bytes]:
    path = folder / "registry.db"
    arguments = [str(path), mode, str(page_size), str(seed), str(steps)]
    done = subprocess.run([sys.executable, "-c", WRITER, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    return [_content(folder / f"registry.db{suffix}") for suffix in SUFFIXES]


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return connection.execute("SELECT * FROM t ORDER BY k").fetchall()


def _as_sqlite_does(folder: Path, contents: list[bytes]) -> list[tuple[object, ...]] | None:
    """Return the rows after SQLite's own recovery; None where it finds nothing that it can read."""
    path = folder / "other.db"
    for suffix, content in zip(SUFFIXES, contents, strict=True):
        if content or not suffix:
            Path(f"{path}{suffix}").write_bytes(content)
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return _rows(connection)
    except (sqlite3.Error, AssertionError):
        return None
    finally:
        for left in folder.glob("other.db*"):
            left.unlink()


def _as_recovered(contents: list[bytes]) -> list[tuple[object, ...]]:
    connection: Any  # mypy knows the sqlite3 of Python 3.10, which has no deserialize
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(recover(*contents))
        return _rows(connection)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# A journal that ends within its first header.
@example(mode="DELETE", page_size=512, seed=0, steps=20, cuts=[0.0078125])
@given(
    mode=st.sampled_from(["DELETE", "PERSIST", "WAL"]),
    page_size=st.sampled_from([512, 4096]),
    seed=st.integers(0, 2**32),
    steps=st.integers(1, 60),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_a_database_is_recovered_as_by_sqlite(
    mode: str, page_size: int, seed: int, steps: int, cuts: list[float]
) -> None:
    """Wherever the process died, and wherever the end of a journal never reached the disk, or did so garbled."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contents = _left_by(folder, mode, page_size, seed, steps)
        assert _as_recovered(contents) == _as_sqlite_does(folder, contents)
        for cut in cuts:
            for which in (1, 2):
                torn = list(contents)
                place = int(len(torn[which]) * cut)
                for end in (b"", bytes(len(torn[which]) - place)):
                    torn[which] = torn[which][:place] + end
                    expected = _as_sqlite_does(folder, torn)
                    if expected is not None:
                        assert _as_recovered(torn) == expected


def _hot(folder: Path, mode: str) -> list[bytes]:
    """Return what a process left that is another state, or none, without its journals."""
    for seed in range(40):
        database, *journals = _left_by(folder, mode, 512, seed, 60)
        complete = _as_sqlite_does(folder, [database, *journals])
        assert complete is not None
        if _as_sqlite_does(folder, [database, b"", b""]) != complete:
            return [database, *journals]
        for left in folder.glob("registry.db*"):
            left.unlink()
    raise AssertionError("no process died at the right moment")


def _die_after(folder: Path, *statements: str) -> list[bytes]:
    """Return what a process leaves that dies after these statements."""
    path = folder / "registry.db"
    script = (
        "import os, sqlite3, sys; path, *statements = sys.argv[1:]; c = sqlite3.connect(path, isolation_level=None);"
        " [c.execute(each).fetchall() for each in statements]; os.kill(os.getpid(), 9)"
    )
    first = ("PRAGMA page_size = 512", "PRAGMA auto_vacuum = FULL", "PRAGMA cache_size = 1", TABLE)
    command = [sys.executable, "-c", script, str(path), *first, *statements]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    return [_content(folder / f"registry.db{suffix}") for suffix in SUFFIXES]


def _file_of_sqlite(folder: Path, contents: list[bytes]) -> bytes:
    """Return the database as SQLite's own recovery leaves it, without what says how it is written."""
    path = folder / "other.db"
    for suffix, content in zip(SUFFIXES, contents, strict=True):
        Path(f"{path}{suffix}").write_bytes(content)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # What it finds after the recovery may be damaged.
        with contextlib.suppress(sqlite3.DatabaseError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute("SELECT * FROM t").fetchall()
    recovered = path.read_bytes()
    for left in folder.glob("other.db*"):
        left.unlink()
    return _without_versions(recovered)


def _without_versions(database: bytes) -> bytes:
    return database[:18] + database[20:]


TABLE = "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)"
MANY = "WITH RECURSIVE n(k) AS (VALUES (1) UNION ALL SELECT k + 1 FROM n WHERE k < 60) INSERT INTO t SELECT k + {}, randomblob({}) FROM n"
FEW = MANY.format(0, 200)
CHANGE = "UPDATE t SET v = randomblob(200)"
WAL = "PRAGMA journal_mode = WAL"


def _with_word(content: bytes, place: int, change: Callable[[int], int]) -> bytes:
    """Return what a journal holds with another number, of four bytes, at a place."""
    number = change(int.from_bytes(content[place : place + 4], "big"))
    return content[:place] + number.to_bytes(4, "big") + content[place + 4 :]


def _of_other_machine(log: bytes) -> bytes:
    """Return a write-ahead log with checksums as a machine of the other byte order computes them."""
    magic, *rest = struct.unpack(">6I", log[:24])
    order = "<" if magic & 1 else ">"
    sums = (0, 0)

    def signed(head: bytes, summed: bytes) -> bytes:
        nonlocal sums
        first, second = sums
        words = struct.unpack(f"{order}{len(summed) // 4}I", summed)
        for one, two in zip(words[::2], words[1::2], strict=True):
            first = (first + one + second) % 2**32
            second = (second + two + first) % 2**32
        sums = first, second
        return head + struct.pack(">2I", *sums)

    head = struct.pack(">6I", magic ^ 1, *rest)
    parts = [signed(head, head)]
    size = 24 + 512
    for place in range(32, len(log) - size + 1, size):
        frame = log[place : place + size]
        parts += [signed(frame[:16], frame[:8] + frame[24:]), frame[24:]]
    return b"".join(parts)


@pytest.mark.parametrize(
    "kind",
    [
        "a journal that was never synchronised",
        "a journal with pages beyond the end",
        "a journal with a page number that is none",
        "a log that shrinks the database",
        "a log of a machine with the other byte order",
        "a log with a wrong header",
    ],
)
def test_what_seldom_is_left_is_recovered_as_by_sqlite(tmp_path: Path, kind: str) -> None:
    """Byte by byte, as some of it is no sound database."""
    if kind.startswith("a journal"):
        synchronous = "OFF" if "never" in kind else "FULL"
        contents = _die_after(tmp_path, f"PRAGMA synchronous = {synchronous}", FEW, "BEGIN", CHANGE)
        assert contents[1] and (contents[1][8:12] == b"\xff" * 4) == ("never" in kind)
        if "beyond" in kind:
            # The size of the database before the transaction.
            contents[1] = _with_word(contents[1], 16, lambda pages: pages - 5)
        elif "none" in kind:
            # That of the second page, behind its header: both begin at a multiple of 512 bytes.
            contents[1] = _with_word(contents[1], 4 * 512, lambda page: 0)
    else:
        grow, shrink = MANY.format(100, 900), "DELETE FROM t WHERE k > 50"
        contents = _die_after(tmp_path, WAL, FEW, "BEGIN", grow, shrink, "COMMIT")
        if "byte order" in kind:
            contents[2] = _of_other_machine(contents[2])
        elif "header" in kind:
            contents[2] = _with_word(contents[2], 24, lambda checksum: checksum ^ 1)
    expected = _file_of_sqlite(tmp_path, contents)
    assert (expected != _without_versions(contents[0])) == ("wrong header" not in kind)
    assert _without_versions(recover(*contents)) == expected


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_hot_journal_makes_a_difference(tmp_path: Path, mode: str) -> None:
    contents = _hot(tmp_path, mode)
    assert _as_recovered(contents) == _as_sqlite_does(tmp_path, contents)


def test_a_transaction_over_several_databases_is_not_guessed(tmp_path: Path) -> None:
    database, journal, _log = _hot(tmp_path, "DELETE")
    with pytest.raises(RegistryUnavailable, match="several databases"):
        recover(database, journal + bytes.fromhex("d9d505f920a163d7"), b"")


class OlderConnection(sqlite3.Connection):
    """Before Python 3.11, SQLite cannot be given a database in memory."""

    @property
    def deserialize(self) -> Any:
        """Return nothing: there is no such method."""
        raise AttributeError("deserialize")


def test_a_copy_of_an_older_python_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = _hot(tmp_path, "WAL")
    expected = _as_sqlite_does(tmp_path, contents)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    connect = functools.partial(sqlite3.connect, factory=OlderConnection)
    monkeypatch.setattr(sqlite3, "connect", connect)
    connection, _state = take_snapshot(str(tmp_path / "registry.db"))
    with contextlib.closing(connection):
        assert list(scratch.iterdir()) == []
        assert _rows(connection) == expected


LOOKER = """
import os, sys
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends import sqlite_snapshot
place = sys.argv[2]
counted = [0]
def die(event, arguments):
    if event.split(".")[0] in ("open", "os", "sqlite3", "tempfile", "shutil"):
        counted[0] += 1
        if counted[0] == int(place):
            os.kill(os.getpid(), 9)
sys.addaudithook(die)
sqlite_snapshot.take_snapshot(sys.argv[1])
os._exit(0)
"""


def test_a_look_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    """At each step that the interpreter tells of: when a file is opened, made or removed, and when a database is."""
    folder, scratch = tmp_path / "state", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    _hot(folder, "DELETE")
    environment = {**os.environ, "TMPDIR": str(scratch)}
    killed = 0
    while True:
        command = [sys.executable, "-c", LOOKER, str(folder / "registry.db"), str(killed + 1)]
        ended = subprocess.run(command, check=False, env=environment).returncode
        assert list(scratch.iterdir()) == []
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        killed += 1
    assert killed > 5
    shutil.rmtree(folder)
