# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The statements that begin transactions in PostgreSQL, and that tell which registry a connection leads to."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .interface import Row
from .schema import TABLES

# The table C(meta), and the ids of the tables.
Meta = tuple[dict[str, str], t.Optional[str]]

TABLE_VALUES = ", ".join(f"('{table}')" for table in TABLES)
BEGIN_READING = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",)
# The settings end with the transaction. A runner that is frozen or cut off in the middle must not block the others for long, and a
# commit must be on disk when it returns, whatever the server's default is.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_SETTINGS = (
    "SELECT set_config('lock_timeout', '{milliseconds}', true),"
    " set_config('idle_in_transaction_session_timeout', '60000', true),"
    " CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    " THEN set_config('synchronous_commit', 'on', true) END"
)
# The table meta, and which tables the names lead to. With another search_path, or with temporary tables of a session that a pooler
# shares, they may not be those that were checked.
META = (
    "SELECT name, value FROM meta UNION ALL SELECT NULL, concat_ws(' ', "
    + ", ".join(f"to_regclass('{table}')::oid" for table in TABLES)
    + ")"
)
# Also what these tables are: an ordinary permanent one is 'rp'. This takes longer, so it is asked once.
META_AND_KINDS = (
    f"{META} UNION ALL SELECT '', string_agg(DISTINCT concat(c.relkind, c.relpersistence, c.relnamespace), ' ')"
    f" FROM (VALUES {TABLE_VALUES}) t (name)"
    " JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name)"
)
# One writer at a time, as with SQLite: each statement after this one sees all that was written before. The lock is on rows of a
# table that runs never change, so reading and the checks of foreign keys do not wait for it.
ONE_WRITER = ("SELECT 1 FROM platforms ORDER BY name FOR NO KEY UPDATE", META)


def split_meta(rows: Sequence[Row]) -> Meta:
    """Return the table C(meta), and the ids of the tables, from the rows of C(META)."""
    meta: dict[str | None, str] = dict(rows)
    table_ids = meta.pop(None, None)
    return t.cast("dict[str, str]", meta), table_ids


def begin_writing(timeout: float) -> tuple[str, ...]:
    """Return the statements that begin a transaction which waits for locks for so many seconds."""
    # 0 would mean no timeout.
    return _BEGIN, _SETTINGS.format(milliseconds=max(1, int(timeout * 1000)))
