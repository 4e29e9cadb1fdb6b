# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a registry of any kind, to be restored when it has gone on."""

from __future__ import annotations

from typing import Any

from ansible_collections.nextbilling.did.tests.support.stores import Store

# In the order in which rows may be deleted.
_TABLES = ("numbers", "records", "history", "runs")


class Backup:
    """What a registry knows of DIDs at one moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows = {table: store.rows(f"SELECT * FROM {table}") for table in _TABLES}

    def restore(self) -> None:
        """Have the registry lose what came after."""
        statements = [f"DELETE FROM {table}" for table in _TABLES]
        for table in reversed(_TABLES):
            statements += [
                f"INSERT INTO {table} VALUES ({', '.join(map(_literal, row))})"
                for row in self.rows[table]
            ]
        self._store.write(*statements)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value).replace("'", "''")
    return f"'{text}'"
