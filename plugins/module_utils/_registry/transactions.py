# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Transactions that several threads of a run share."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from .backends.interface import Collision
from .identity import check_in_use

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator, Sequence

    from .backends.interface import Database, Row, T, Transaction


class Access:
    """A database as several threads share it: one transaction at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lock = threading.RLock()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that changes nothing."""
        with self.lock, self.database.reading() as transaction:
            yield transaction

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query."""
        with self.lock:
            return self.database.query(sql, *values)

    def query_concurrently(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a single query that sees what is durable, if possible without waiting for another thread's transaction."""
        found = self.database.query_concurrently(sql, *values)
        return self.query(sql, *values) if found is None else found


class Outdated(Exception):
    """A record is no longer as it was looked at, or another run holds it."""


class _Transactions:
    """The transactions of those who write: one for each write, or one for many."""

    def __init__(self, access: Access) -> None:
        self._database = access.database
        self._lock = access.lock
        self._joined: Transaction | None = None

    @property
    def now(self) -> str:
        """Return the SQL expression of C(Database.now)."""
        return self._database.now

    @contextlib.contextmanager
    def writing(
        self, *, must_commit: bool = False, whole: bool = False, retired: bool = False
    ) -> Iterator[Transaction]:
        """A transaction of its own; or a part of the common one, which is undone alone where it meets another run's row.

        C(whole): whether it leaves nothing to undo where it meets one. C(retired): whether the registry may be one that has moved.
        """
        with self._lock:
            if self._joined is None:
                with self._database.writing(must_commit=must_commit) as transaction:
                    self._check(transaction, retired)
                    yield transaction
                return
            self._check(self._joined, retired)
            if must_commit or whole:
                yield self._joined  # what must be written meets no other run's row
                return
            self._joined.execute("SAVEPOINT part")
            try:
                yield self._joined
            except (Collision, Outdated):
                self._joined.execute("ROLLBACK TO SAVEPOINT part")
                self._joined.execute("RELEASE SAVEPOINT part")
                raise
            self._joined.execute("RELEASE SAVEPOINT part")

    def _check(self, transaction: Transaction, retired: bool) -> None:
        if not retired:
            check_in_use(transaction.meta(), self._database.location)

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Make all writes within one transaction, which is durable when the block ends."""
        with self._lock, self._database.writing(must_commit=True) as transaction:
            self._joined = transaction
            try:
                yield
            finally:
                self._joined = None

    def retry(self, work: Callable[[], T]) -> T:
        """Run a piece of work as C(Database.repeated) does; within the common transaction, once."""
        with self._lock:
            return work() if self._joined is not None else self._database.retry(work)
