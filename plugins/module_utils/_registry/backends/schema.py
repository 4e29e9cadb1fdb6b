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

    def as_of(self, version: int) -> Schema:
        """Return the schema as it was at a version."""
        return Schema(self.versions[:version])


def for_sqlite(statement: str) -> str:
    """Return a statement as SQLite takes it: without the condition for a column, as its DDL is undone with its transaction."""
    return statement.replace("ADD COLUMN IF NOT EXISTS", "ADD COLUMN")


# Columns by table. A table comes after those that it refers to.
COLUMNS = {
    "meta": "name value".split(),
    "platforms": "name added_at".split(),
    "records": (
        "record_key platform version record_id outcome fields attempted confirmed_at changed_at"
        " claim_token claim_until claim_holder claim_action claim_before claim_run"
    ).split(),
    "numbers": "platform number record_key".split(),
    "history": (
        "entry_key at actor event platform number record_id details run_key action record_key"
    ).split(),
    "runs": "run_key platform actor session list_name list_digest began_at ended_at result".split(),
}
TABLES = tuple(COLUMNS)


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
    # 2
    (
        # ended_at, result: null until the run ends, and for good where it was killed.
        """
        CREATE TABLE IF NOT EXISTS runs (
            run_key TEXT NOT NULL PRIMARY KEY,
            platform TEXT NOT NULL,
            actor TEXT NOT NULL,
            session TEXT,
            list_name TEXT,
            list_digest TEXT,
            began_at TEXT NOT NULL,
            ended_at TEXT,
            result TEXT
        )
        """,
        # The run that has the claim.
        "ALTER TABLE records ADD COLUMN IF NOT EXISTS claim_run TEXT",
        # Of a line that tells what a run did.
        "ALTER TABLE history ADD COLUMN IF NOT EXISTS run_key TEXT",
        "ALTER TABLE history ADD COLUMN IF NOT EXISTS action TEXT",
        # The record that a line is about. Its number and its record id may have changed since.
        "ALTER TABLE history ADD COLUMN IF NOT EXISTS record_key TEXT",
        "CREATE INDEX IF NOT EXISTS history_by_record ON history (platform, record_id)",
        "CREATE INDEX IF NOT EXISTS history_by_run ON history (run_key)",
        "CREATE INDEX IF NOT EXISTS history_by_time ON history (at)",
        # These hold few rows, so a create does not pay for them.
        "CREATE INDEX IF NOT EXISTS history_of_forgotten ON history (record_key) WHERE event = 'forgotten'",
        "CREATE INDEX IF NOT EXISTS records_open ON records (platform) WHERE outcome <> 'confirmed'",
        "CREATE INDEX IF NOT EXISTS records_without_number ON records (platform, record_id)"
        " WHERE record_id IS NOT NULL AND fields NOT LIKE '%\"did_number\":%'",
        # A second place for each number, which proves that a DID is not new.
        """
        INSERT INTO history (entry_key, at, actor, event, platform, number, record_id, details, record_key)
        SELECT r.record_key || '-' || COALESCE(n.number, ''), r.changed_at, '', 'migrated', r.platform, n.number, r.record_id, '{}', r.record_key
        FROM records r LEFT JOIN numbers n ON n.record_key = r.record_key WHERE r.outcome <> 'unknown'
        ON CONFLICT DO NOTHING
        """,
    ),
)
SCHEMA = Schema(_VERSIONS)
