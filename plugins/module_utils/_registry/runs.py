# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes which runs have applied something: when each began, and how it ended."""

from __future__ import annotations

import typing as t

from .._model import timestamp
from .backends.interface import Transaction
from .history import actor
from .records import placeholders

# How a run ended. One that was killed did not write how.
COMPLETED, FAILED, STOPPED = "completed", "failed", "stopped"


class Run(t.NamedTuple):
    """A run that sends requests. C(session): identifies its ansible-playbook process. C(list_name), C(list_digest): of the list that it applies."""

    key: str
    platform: str
    session: str | None = None
    list_name: str | None = None
    list_digest: str | None = None


class RunWriter:
    """Writes the row of one run, in transactions that others begin. A run that claims nothing has no row."""

    def __init__(self) -> None:
        self.run: Run | None = None
        # How the run ends if the next answers, which are its last ones, are recorded. None if others may follow.
        self.final_result: str | None = None
        self._began_at = ""
        # When and how the run ended, in the row that is durable, and in the one that the open transaction has written. None for no row.
        self._written: tuple[str | None, str | None] | None = None
        self._pending: tuple[str | None, str | None] | None = None

    @property
    def key(self) -> str | None:
        """Return the run's key."""
        return None if self.run is None else self.run.key

    @property
    def has_begun(self) -> bool:
        """Tell whether the row is durable."""
        return self._written is not None

    def write_begin(self, transaction: Transaction) -> None:
        """Write that the run has begun, unless that is durable."""
        if self.run is not None and self._written is None:
            self._began_at = self._began_at or timestamp()
            self._write(transaction, (None, None))

    def write_final_result(self, transaction: Transaction) -> None:
        """Write how the run ends, if this is known to be its last answer."""
        if self.final_result is not None:
            self.write_end(transaction, self.final_result)

    def write_end(self, transaction: Transaction, result: str) -> None:
        """Write how the run has ended."""
        self._write(transaction, (timestamp(), result))

    def restore(self, transaction: Transaction) -> None:
        """Write the row again, as the registry may have lost it."""
        if self._written is not None:
            self._write(transaction, self._written)

    def discard(self) -> None:
        """Forget what was written in a transaction that was undone, or whose commit is of unknown outcome."""
        self._pending = None

    def note_commit(self) -> None:
        """Take note that what was written is durable."""
        if self._pending is not None:
            self._written, self._pending = self._pending, None

    def _write(self, transaction: Transaction, end: tuple[str | None, str | None]) -> None:
        run = t.cast("Run", self.run)
        ended_at, result = end
        row = {
            "run_key": run.key,
            "platform": run.platform,
            "actor": actor(),
            "session": run.session,
            "list_name": run.list_name,
            "list_digest": run.list_digest,
            "began_at": self._began_at,
            "ended_at": ended_at,
            "result": result,
        }
        transaction.change_one(
            f"INSERT INTO runs ({', '.join(row)}) VALUES ({placeholders(tuple(row))})"
            " ON CONFLICT (run_key) DO UPDATE SET ended_at = excluded.ended_at, result = excluded.result",
            *row.values(),
        )
        self._pending = end
