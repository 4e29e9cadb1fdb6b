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

from .backends.interface import Collision, Database, Row, T, Transaction
from .move_marks import check_in_use


class StaleRecord(Exception):
    """A record has changed since it was read, or another run has a claim on it."""


class Transactions:
    """One transaction at a time, whichever thread begins it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.RLock()
        # The open transaction of C(atomic).
        self._outer: Transaction | None = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Begin a transaction that changes nothing."""
        with self._lock, self.database.reading() as transaction:
            yield transaction

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query."""
        with self._lock:
            return self.database.query(sql, *values)

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query that sees what is durable, if possible without waiting for another thread's transaction."""
        found = self.database.query_concurrently(sql, *values)
        return self.query(sql, *values) if found is None else found

    @contextlib.contextmanager
    def writing(
        self, *, must_commit: bool = False, savepoint: bool = True, allow_moved: bool = False
    ) -> Iterator[Transaction]:
        """Begin a transaction; or, inside C(atomic), a part of its transaction.

        :param must_commit: as in C(Database.writing). Such a part needs no savepoint: it cannot collide.
        :param savepoint: whether to roll such a part back on its own where it raises C(Collision) or C(StaleRecord).
        :param allow_moved: whether the registry may be one that was moved.
        """
        with self._lock:
            if self._outer is None:
                with self.database.writing(must_commit=must_commit) as transaction:
                    self._check(transaction, allow_moved)
                    yield transaction
                return
            outer = self._outer
            self._check(outer, allow_moved)
            if must_commit or not savepoint:
                yield outer
                return
            outer.execute("SAVEPOINT part")
            try:
                yield outer
            except (Collision, StaleRecord):
                outer.execute("ROLLBACK TO SAVEPOINT part")
                outer.execute("RELEASE SAVEPOINT part")
                raise
            outer.execute("RELEASE SAVEPOINT part")

    def _check(self, transaction: Transaction, allow_moved: bool) -> None:
        if not allow_moved:
            check_in_use(transaction.meta(), self.database.location)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Make all writes inside the block one transaction, which is durable when the block ends."""
        with self._lock, self.database.writing(must_commit=True) as transaction:
            self._outer = transaction
            try:
                yield
            finally:
                self._outer = None

    def retry(self, work: Callable[[], T]) -> T:
        """Do what C(Database.retry) does. Inside C(atomic), run the work once: a part cannot be retried without the rest."""
        with self._lock:
            return work() if self._outer is not None else self.database.retry(work)
