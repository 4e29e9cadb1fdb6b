# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of tables and columns is that of the statements."""

from __future__ import annotations

import contextlib
import sqlite3

from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    COLUMNS,
    SCHEMA,
    for_sqlite,
)


def test_the_columns_are_those_of_the_statements() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in SCHEMA.statements():
            connection.execute(for_sqlite(statement))
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        made = {
            name: [
                column
                for _place, column, *_rest in connection.execute(f"PRAGMA table_info({name})")
            ]
            for (name,) in tables.fetchall()
        }
    assert made == COLUMNS
