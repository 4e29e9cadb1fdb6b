# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Runs statements inside one transaction of PostgreSQL."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from .interface import Transaction
from .postgresql_connection import for_psycopg
from .postgresql_errors import translate
from .postgresql_statements import META, split_meta

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

    from .interface import Row


class PostgresqlTransaction:
    """A transaction on a connection. C(meta): the table C(meta) where it has been read."""

    def __init__(
        self, location: str, connection: psycopg.Connection[t.Any], meta: dict[str, str] | None
    ) -> None:
        self._location = location
        self.connection = connection
        self._meta = meta

    def query(self, sql: str, *values: t.Any) -> Sequence[Row]:
        return self._execute(sql, values).fetchall()

    def execute(self, sql: str, *values: t.Any) -> int:
        return self._execute(sql, values).rowcount

    def change_one(self, sql: str, *values: t.Any) -> bool:
        return self.execute(sql, *values) == 1

    def change_one_and_insert(
        self, sql: str, values: Sequence[t.Any], table: str, row: Mapping[str, t.Any]
    ) -> bool:
        places = ", ".join("?" * len(row))
        both = (
            f"WITH changed AS ({sql} RETURNING 1), inserted AS (INSERT INTO {table} ({', '.join(row)}) SELECT {places} FROM changed"
            " ON CONFLICT DO NOTHING) SELECT COUNT(*) FROM changed"
        )
        ((changed,),) = self.query(both, *values, *row.values())
        return bool(changed == 1)

    def send(self) -> object:
        """Send statements that are pending, before a commit: here there are none."""
        return None

    def define(self, statement: str) -> None:
        self.execute(statement)

    def meta(self) -> dict[str, str]:
        if self._meta is None:
            self._meta, _table_ids = split_meta(self.query(META))
        return self._meta

    def _execute(self, sql: str, values: Sequence[t.Any]) -> psycopg.Cursor[t.Any]:
        import psycopg

        try:
            return self.connection.execute(for_psycopg(sql), values)
        except psycopg.Error as error:
            raise translate(self._location, error) from None


if t.TYPE_CHECKING:  # pragma: no cover
    _transaction: type[Transaction] = PostgresqlTransaction
