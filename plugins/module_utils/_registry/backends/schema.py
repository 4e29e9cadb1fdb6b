# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The tables of the registry, and the versions that added them. One list of statements serves every backend."""

from __future__ import annotations

import typing as t


class Schema(t.NamedTuple):
    """The statements that each version of the schema adds, oldest first."""

    versions: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """Return the number of the current version."""
        return len(self.versions)

    def statements(self, since: int = 0) -> list[str]:
        """Return the statements that bring tables of a version to the current one. Version 0 has no tables."""
        return [statement for version in self.versions[since:] for statement in version]


# A server whose DDL is in no transaction may have made a part of the tables: the rest is made by the next task that creates the registry.
_VERSIONS = (
    # 1
    (
        """
        CREATE TABLE IF NOT EXISTS meta (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS platforms (
            name TEXT NOT NULL PRIMARY KEY,
            added_at TEXT NOT NULL
        )
        """,
        # claim_before: the row as it was before the claim, null where the claim made the row.
        """
        CREATE TABLE IF NOT EXISTS records (
            record_key TEXT NOT NULL PRIMARY KEY,
            platform TEXT NOT NULL REFERENCES platforms (name),
            version BIGINT NOT NULL,
            record_id BIGINT,
            outcome TEXT NOT NULL CHECK (outcome IN ('confirmed', 'unknown', 'uncertain')),
            fields TEXT NOT NULL,
            attempted TEXT NOT NULL,
            confirmed_at TEXT,
            changed_at TEXT NOT NULL,
            claim_token TEXT UNIQUE,
            claim_until DOUBLE PRECISION,
            claim_holder TEXT,
            claim_action TEXT,
            claim_before TEXT,
            UNIQUE (platform, record_id)
        )
        """,
        # Two rows of one record while it is renumbered: both numbers belong to it until the platform has answered.
        """
        CREATE TABLE IF NOT EXISTS numbers (
            platform TEXT NOT NULL,
            number TEXT NOT NULL,
            record_key TEXT NOT NULL REFERENCES records (record_key),
            PRIMARY KEY (platform, number)
        )
        """,
        "CREATE INDEX IF NOT EXISTS numbers_by_record ON numbers (record_key)",
        """
        CREATE TABLE IF NOT EXISTS history (
            entry_key TEXT NOT NULL PRIMARY KEY,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            event TEXT NOT NULL,
            platform TEXT NOT NULL,
            number TEXT,
            record_id BIGINT,
            details TEXT NOT NULL
        )
        """,
        "CREATE INDEX IF NOT EXISTS history_by_number ON history (platform, number)",
    ),
)
SCHEMA = Schema(_VERSIONS)
