# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Commits that do not hang: PostgreSQL waits for a synchronous standby without an end."""

from __future__ import annotations

import select
import time
import typing as t
from collections.abc import Callable

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

# Seconds that a run which is to stop waits for a commit, and that the server has to end one that was cancelled.
STOP_WAIT = CANCEL_WAIT = 2.0
_LOOK = 0.2


class CommitEnd(t.NamedTuple):
    """How a commit ended. C(status): COMMIT or ROLLBACK. C(is_cancelled): whether it took too long and was cancelled."""

    status: str
    is_cancelled: bool


def commit(
    connection: psycopg.Connection[t.Any],
    *,
    seconds: float,
    stop_reason: Callable[[], str | None],
) -> CommitEnd:
    """Commit. Cancel the commit after so many seconds, and sooner where the run is to stop.

    Signals are held while a run is at work, and psycopg would go on waiting. Raises the errors of psycopg. A connection whose server
    does not react to the cancellation is broken.
    """
    import psycopg

    pgconn = connection.pgconn
    pgconn.send_query(b"COMMIT")
    began = time.monotonic()
    cancelled_at: float | None = None
    results: list[psycopg.pq.abc.PGresult] = []
    while pgconn.flush() != 0 or not _take_results(pgconn, results):
        now = time.monotonic()
        if cancelled_at is None:
            if now >= began + seconds or (now >= began + STOP_WAIT and stop_reason() is not None):
                cancelled_at = now
                _cancel(connection)
        elif now >= cancelled_at + CANCEL_WAIT:
            raise psycopg.OperationalError("the commit cannot be cancelled")
        writing = [pgconn.socket] if pgconn.flush() else []
        select.select([pgconn.socket], writing, [], min(_LOOK, max(0.01, began + seconds - now)))
    result = results[-1]
    if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise psycopg.errors.error_from_result(result, connection.info.encoding)
    return CommitEnd((result.command_status or b"").decode(), cancelled_at is not None)


def _take_results(pgconn: psycopg.pq.abc.PGconn, results: list[psycopg.pq.abc.PGresult]) -> bool:
    """Add the results that have arrived. Returns whether there are no more: an error may arrive before the end of its statement."""
    pgconn.consume_input()
    while not pgconn.is_busy():
        result = pgconn.get_result()
        if result is None:
            return True
        results.append(result)
    return False


def _cancel(connection: psycopg.Connection[t.Any]) -> None:
    # psycopg 3.1 has only the second one.
    cancel = getattr(connection, "cancel_safe", connection.cancel)
    cancel()
