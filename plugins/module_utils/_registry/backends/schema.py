# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The tables of the registry, and the versions in which they came. One list of statements serves every kind of database."""

from __future__ import annotations

import os
import typing as t

from ..._model import timestamp

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

    from .interface import Database, Transaction


def make_registry(transaction: Transaction) -> None:
    """Make the tables of a new registry, with an id of its own."""
    make_tables(transaction)
    describe(transaction, {"registry_id": os.urandom(16).hex(), "created_at": timestamp()})


def make_tables(transaction: Transaction) -> None:
    """Make the tables of the current schema, all empty."""
    _apply(transaction, 0)


def describe(transaction: Transaction, meta: Mapping[str, str]) -> None:
    """Write a registry's own description, with the version of the current schema."""
    for name, value in {**meta, "schema": str(CURRENT)}.items():
        transaction.execute("INSERT INTO meta (name, value) VALUES (?, ?)", name, value)


def migrate(database: Database) -> None:
    """Bring a registry of an older schema to the current one, in one transaction: all of it or nothing."""
    with database.writing() as transaction:
        ((version,),) = transaction.query("SELECT value FROM meta WHERE name = 'schema'")
        _apply(transaction, int(version))
        transaction.execute("UPDATE meta SET value = ? WHERE name = 'schema'", str(CURRENT))


def _apply(transaction: Transaction, version: int) -> None:
    for statements in VERSIONS[version:]:
        for statement in statements:
            transaction.execute(statement)


VERSIONS: tuple[tuple[str, ...], ...] = (
    # 1
    (
        """
        CREATE TABLE meta (
            name TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE platforms (
            name TEXT NOT NULL PRIMARY KEY,
            added_at TEXT NOT NULL
        )
        """,
        # claim_before: the row as it was before the claim, null where the claim made the row.
        """
        CREATE TABLE records (
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
        CREATE TABLE numbers (
            platform TEXT NOT NULL,
            number TEXT NOT NULL,
            record_key TEXT NOT NULL REFERENCES records (record_key),
            PRIMARY KEY (platform, number)
        )
        """,
        "CREATE INDEX numbers_by_record ON numbers (record_key)",
        """
        CREATE TABLE history (
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
        "CREATE INDEX history_by_number ON history (platform, number)",
    ),
)
CURRENT = len(VERSIONS)
