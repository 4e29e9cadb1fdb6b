# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A transaction that sends its statements together, so that a run waits for a server that is far away twice, and not for each statement."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from .interface import PipelineFailed, Transaction
from .postgresql_connection import for_psycopg
from .postgresql_statements import META, Meta, split_meta
from .postgresql_transaction import PostgresqlTransaction

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

# So many statements are sent at the latest.
_LONGEST = 500


def is_pipeline_supported() -> bool:
    """Tell whether the library can do this. It takes libpq 14 (https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html)."""
    import psycopg

    return psycopg.Pipeline.is_supported()


class _Statement(t.NamedTuple):
    sql: str
    values: Sequence[t.Any]
    changes_one: bool = False


class PipelinedTransaction(PostgresqlTransaction):
    """A transaction whose statements, from its begin on, are sent when a result is needed, and at the latest before its commit.

    Until then it takes for granted that the table C(meta) is as it was, and that what is to change one row does so.

    :param begin: the statements that begin it.
    :param known: what the last one of these is expected to show, if it is C(META).
    :param translate: returns the registry's error for one of the library.
    """

    def __init__(
        self,
        location: str,
        connection: psycopg.Connection[t.Any],
        begin: Sequence[str],
        known: Meta,
        translate: Callable[[psycopg.Error], Exception],
    ) -> None:
        self._known = known if begin[-1] == META else None
        super().__init__(location, connection, self._known and self._known[0])
        self._begin = begin
        self._translate = translate
        self._pending = [_Statement(sql, ()) for sql in begin]
        self._has_failed = False

    def change_one(self, sql: str, *values: t.Any) -> bool:
        self._pending.append(_Statement(sql, values, changes_one=True))
        if len(self._pending) >= _LONGEST:
            self.send()
        return True

    def change_one_and_insert(
        self, sql: str, values: Sequence[t.Any], table: str, row: Mapping[str, t.Any]
    ) -> bool:
        self.change_one(sql, *values)
        places = ", ".join("?" * len(row))
        self.change_one(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) ON CONFLICT DO NOTHING",
            *row.values(),
        )
        return True

    def _execute(self, sql: str, values: Sequence[t.Any]) -> psycopg.Cursor[t.Any]:
        self._pending.append(_Statement(sql, values))
        return self.send()[-1]

    def send(self) -> Sequence[psycopg.Cursor[t.Any]]:
        """Send what is pending, and wait for all results. Raises C(PipelineFailed) where one is not what was expected."""
        pending, self._pending = self._pending, []
        # Whatever is raised here, and whoever takes it: it must not be committed.
        is_failed, self._has_failed = self._has_failed, True
        if is_failed:
            raise pipeline_failure(self._location)
        cursors = self._results(pending) if pending else []
        if not all(map(_is_as_expected, pending, cursors)) or not self._is_known(cursors):
            raise pipeline_failure(self._location)
        self._has_failed = False
        return cursors

    def _is_known(self, cursors: Sequence[psycopg.Cursor[t.Any]]) -> bool:
        """Tell whether the first results, those of the begin, show the registry that is expected."""
        known, self._known = self._known, None
        return known is None or split_meta(cursors[len(self._begin) - 1].fetchall()) == known

    def _results(self, statements: Sequence[_Statement]) -> list[psycopg.Cursor[t.Any]]:
        import psycopg

        connection = self.connection
        error: psycopg.Error | None = None
        cursors: list[psycopg.Cursor[t.Any]] = []
        try:
            with connection.pipeline():
                # The library would log an error that leaves this block, with the text of the server.
                try:
                    for sql, values, _changes_one in statements:
                        cursors.append(connection.execute(for_psycopg(sql), values))
                except psycopg.Error as early:
                    error = early
        except psycopg.Error as late:
            error = error or late
        if error is not None:
            raise self._translate(error) from None
        return cursors


def _is_as_expected(statement: _Statement, cursor: psycopg.Cursor[t.Any]) -> bool:
    return not statement.changes_one or cursor.rowcount == 1


def pipeline_failure(location: str) -> PipelineFailed:
    """Return the error of a pipeline in which something was not as expected."""
    return PipelineFailed(
        f"The registry {location} is written by others at the same time. Try again later"
    )


if t.TYPE_CHECKING:  # pragma: no cover
    _transaction: type[Transaction] = PipelinedTransaction
