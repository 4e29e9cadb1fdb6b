# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tells whether other hands have written to a registry in SQLite since it was last verified as a whole.

Each transaction of this code leaves a stamp in the table C(meta): the file's change counter as it is once that is committed, the file's
inode, the time, and when the file was last verified. Another program that commits raises the counter and leaves the stamp as it is. One that
writes past SQLite changes the file's ctime, which no program can set, and a copy is another file. So does the recovery after a crash.

While the file has a write-ahead log, the counter says nothing and no stamp is left. A run then knows by its own connection whether others have
committed, and leaves a stamp when it has turned the log off; not where an older copy was written over the file meanwhile.
"""

from __future__ import annotations

import os
import struct
import time
import typing as t

from .interface import STAMP, Transaction

# Seconds. The stamp is written before the commit that sets the ctime. If that takes longer, the file is verified once more than it needs to be.
_LONGEST_COMMIT = 2.0
# Seconds after which a file is verified again, whoever has written: a disk may lose what it holds.
_VERIFIED_FOR = 7 * 86_400.0
# In the file's header (https://www.sqlite.org/fileformat.html, 1.3): whether the file has a write-ahead log, and its change counter.
_HEADER = struct.Struct(">18x B 5x I")
_HAS_LOG = 2


class Stamp(t.NamedTuple):
    """What a transaction of this code leaves. C(written_at), C(verified_at): seconds since 1970."""

    counter: int
    inode: int
    written_at: float
    verified_at: float

    def dump(self) -> str:
        """Return the stamp as it is stored."""
        return f"{self.counter} {self.inode} {self.written_at:.3f} {self.verified_at:.3f}"


def load_stamp(text: str) -> Stamp | None:
    """Return a stored stamp, or None if there is none that can be read."""
    try:
        counter, inode, written_at, verified_at = text.split()
        return Stamp(int(counter), int(inode), float(written_at), float(verified_at))
    except ValueError:
        return None


class Verification:
    """When one open file was last verified as a whole, if no other hands have written to it since."""

    def __init__(self, path: str) -> None:
        # It stays open as long as the connection does: closing it would release the locks that SQLite holds on the file.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._verified_at: float | None = None
        # By C(PRAGMA data_version): it differs once another connection has committed.
        self._version: int | None = None
        # The highest change counter that was seen, with a write-ahead log too, and whether a lower one has been seen after it.
        self._highest = 0
        self._is_overwritten = False

    def is_valid(self, transaction: Transaction) -> bool:
        """Tell whether the file was verified, not long ago, and by now holds only what this code has written since.

        To be asked before a transaction writes.
        """
        ((version,),) = transaction.query("PRAGMA data_version")
        if version != self._version:
            self._version, self._verified_at = version, None
        if self._verified_at is None:
            self._verified_at = self._stamped(transaction)
        if self._is_older_copy():
            return False
        age = time.time() - (self._verified_at or 0)
        return self._verified_at is not None and 0 <= age < _VERIFIED_FOR

    def note(self) -> None:
        """Note that the file was verified since C(is_valid) was last asked."""
        self._verified_at = time.time()

    def forget(self) -> None:
        """Forget what is known, as the connection is another one from now on."""
        self._version = self._verified_at = None

    def keep(self, transaction: Transaction) -> None:
        """Keep what is known, though SQLite tells of a commit by others: it was this connection that changed the kind of journal."""
        ((self._version,),) = transaction.query("PRAGMA data_version")

    def write_stamp(self, transaction: Transaction) -> None:
        """Leave a stamp, as the last thing that a transaction writes. C(is_valid) was true at its beginning."""
        counter = self._counter()
        if counter is None or self._verified_at is None:
            return
        inode = os.fstat(self._file).st_ino
        stamp = Stamp((counter + 1) % 2**32, inode, time.time(), self._verified_at).dump()
        sql = "UPDATE meta SET value = ? WHERE name = ?"
        if not transaction.execute(sql, stamp, STAMP):
            transaction.execute("INSERT INTO meta (value, name) VALUES (?, ?)", stamp, STAMP)

    def remove_stamp(self, transaction: Transaction) -> None:
        """Take away a stamp that is not of this file: that of a copy made a moment ago could fit by chance."""
        transaction.execute("DELETE FROM meta WHERE name = ?", STAMP)

    def close(self) -> None:
        """Close the file, after the connection."""
        os.close(self._file)

    def _stamped(self, transaction: Transaction) -> float | None:
        """Return when the file was verified by its stamp, None if that does not fit the file."""
        counter = self._counter()
        if counter is None:
            return None
        stamp = load_stamp(transaction.meta().get(STAMP, ""))
        if stamp is None:
            return None
        found = os.fstat(self._file)
        is_same = (stamp.counter, stamp.inode) == (counter, found.st_ino)
        is_untouched = abs(found.st_ctime - stamp.written_at) <= _LONGEST_COMMIT
        return stamp.verified_at if is_same and is_untouched else None

    def _is_older_copy(self) -> bool:
        """Tell whether an older copy has been written over the file. No commit lowers the counter, and SQLite does not notice with a log."""
        _log, counter = self._header()
        self._is_overwritten = self._is_overwritten or counter < self._highest
        self._highest = max(self._highest, counter)
        return self._is_overwritten

    def _counter(self) -> int | None:
        """Return the file's change counter; None for a file that is empty, or has a write-ahead log."""
        log, counter = self._header()
        return None if log == _HAS_LOG else counter or None

    def _header(self) -> tuple[int, int]:
        """Return the kind of journal and the change counter, zeros for a file that is empty."""
        header = os.pread(self._file, _HEADER.size, 0)
        return _HEADER.unpack(header) if len(header) == _HEADER.size else (0, 0)
