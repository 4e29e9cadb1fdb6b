# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Creates the tables of a registry, and migrates them from an older schema."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._model import timestamp
from .backends.interface import Database, Transaction
from .backends.schema import Schema


def create_registry(transaction: Transaction, schema: Schema) -> None:
    """Create the tables of a new registry, with an id of its own."""
    create_tables(transaction, schema)
    write_meta(
        transaction, schema, {"registry_id": os.urandom(16).hex(), "created_at": timestamp()}
    )


def create_tables(transaction: Transaction, schema: Schema) -> None:
    """Create the tables of the current schema, all empty."""
    for statement in schema.statements():
        transaction.define(statement)


def write_meta(transaction: Transaction, schema: Schema, meta: Mapping[str, str]) -> None:
    """Fill the empty table C(meta), with the version of the current schema."""
    for name, value in {**meta, "schema": str(schema.version)}.items():
        transaction.execute("INSERT INTO meta (name, value) VALUES (?, ?)", name, value)


def migrate(database: Database) -> None:
    """Bring a registry of an older schema to the current one, in one transaction: all of it or nothing."""
    schema = database.schema
    with database.writing() as transaction:
        ((version,),) = transaction.query("SELECT value FROM meta WHERE name = 'schema'")
        for statement in schema.statements(since=int(version)):
            transaction.define(statement)
        transaction.execute("UPDATE meta SET value = ? WHERE name = 'schema'", str(schema.version))
