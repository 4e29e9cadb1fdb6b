# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Transactions on a database that several threads of a run share."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from collections.abc import Callable, Iterator, Sequence

from .backends.interface import Database, Row, T, Transaction
from .move_marks import check_in_use, not_in_use_error


class StaleRecord(Exception):
    """A record has changed since it was read, or another run has a claim on it."""


class Transactions:
    """One transaction at a time, whichever thread begins it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.RLock()
        # The open transaction of C(atomic).
        self._outer: Transaction | None = None
        # Restores what another server may lack. Called in the first transaction that writes on each new connection, it returns what is to
        # be done once that is committed.
        self.restore: Callable[[Transaction], Callable[[], None]] | None = None
        self._restored_connection: int | None = None

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Do work that changes nothing in one transaction, and retry it as C(retry) does."""
        return self.retry(lambda: self._read(work))

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._lock, self.database.reading(pipelined=True) as transaction:
            return work(transaction)

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query. Any thread may call this; what another thread's transaction has not committed is not seen."""
        with self._lock:
            return self.database.query(sql, *values)

    @contextlib.contextmanager
    def writing(
        self, *, records_outcome: bool = False, pipelined: bool = False, allow_moved: bool = False
    ) -> Iterator[Transaction]:
        """Begin a transaction; or, inside C(atomic), a part of its transaction.

        :param records_outcome: as in C(Database.writing).
        :param pipelined: as there.
        :param allow_moved: whether the registry may be one that was moved.
        """
        with self._lock:
            if self._outer is None:
                # What it does after its block is for a block that has ended well.
                # pylint: disable-next=contextmanager-generator-missing-cleanup
                with self._begin_writing(records_outcome, pipelined) as transaction:
                    self._check(transaction, allow_moved)
                    yield transaction
                return
            self._check(self._outer, allow_moved)
            yield self._outer

    @contextlib.contextmanager
    def _begin_writing(self, records_outcome: bool, pipelined: bool) -> Iterator[Transaction]:
        writing = self.database.writing(records_outcome=records_outcome, pipelined=pipelined)
        with writing as transaction:
            connection, finish = self.database.connections, None
            is_new = connection != self._restored_connection
            if is_new and self.restore is not None and self._is_in_use(transaction):
                finish = self.restore(transaction)  # pylint: disable=not-callable
            yield transaction
        self._restored_connection = connection
        if finish is not None:
            finish()

    def _is_in_use(self, transaction: Transaction) -> bool:
        return not_in_use_error(transaction.meta(), self.database.location) is None

    def _check(self, transaction: Transaction, allow_moved: bool) -> None:
        if not allow_moved:
            check_in_use(transaction.meta(), self.database.location)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Make all writes inside the block one transaction, which is durable when the block ends. It is pipelined."""
        with self._lock, self._begin_writing(records_outcome=True, pipelined=True) as transaction:
            self._outer = transaction
            try:
                yield
            finally:
                self._outer = None

    def retry(self, work: Callable[[], T], *, records_outcome: bool = False) -> T:
        """Do what C(Database.retry) does. Inside C(atomic), run the work once: a part cannot be retried without the rest."""
        with self._lock:
            if self._outer is not None:
                return work()
            return self.database.retry(work, records_outcome=records_outcome)
