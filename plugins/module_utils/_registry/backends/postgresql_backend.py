# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Opens or creates the registry in a PostgreSQL database."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable

from ..._errors import DidError, RegistryUnavailable
from .interface import (
    RESTORE,
    Backend,
    Collision,
    NoRegistry,
    NoSuchTable,
    Transaction,
    never_stops,
)
from .postgresql import PostgresqlDatabase
from .postgresql_server import are_empty, cluster_of
from .schema import SCHEMA, Schema


class PostgresqlBackend:
    """Opens or creates the registry in one schema of a database."""

    def __init__(
        self,
        location: str,
        password: str | None,
        schema: Schema = SCHEMA,
        stop_reason: Callable[[], str | None] = never_stops,
    ) -> None:
        self.location = location
        self.schema = schema
        self._password = password
        self._stop_reason = stop_reason

    def _database(self, timeout: float) -> PostgresqlDatabase:
        return PostgresqlDatabase(
            self.location,
            self._password,
            self.schema,
            timeout=timeout,
            stop_reason=self._stop_reason,
        )

    @property
    def now(self) -> str:
        return PostgresqlDatabase.now

    def open(self, *, write: bool, timeout: float) -> PostgresqlDatabase:
        database = self._database(timeout)
        try:
            if database.bind() is None and self.is_missing(timeout=timeout):
                raise self._not_found(timeout)
        except NoSuchTable:
            database.close()
            raise self._not_found(timeout) from None
        except BaseException:
            database.close()
            raise
        return database

    def _not_found(self, timeout: float) -> DidError:
        if self.is_missing(timeout=timeout):
            return NoRegistry(f"There is no registry at {self.location}")
        return RegistryUnavailable(
            f"{self.location} is not a registry of nextbilling.did, or it is damaged. Nothing was written and nothing was sent."
            f" Name the right database, and see that search_path leads to the registry's schema. If it is damaged: {RESTORE}"
        )

    def is_missing(self, *, timeout: float) -> bool:
        with contextlib.closing(self._database(timeout)) as database:
            present = database.catalogue.names("table")
            if not present:
                return True
            # A server whose DDL is in no transaction may have been interrupted in the middle of it. The rows come last, in a transaction.
            return database.catalogue.are_tables_partial() and are_empty(database.query, present)

    def why_not_creatable(self, *, timeout: float) -> str | None:
        with contextlib.closing(self._database(timeout)) as database:
            return database.catalogue.why_not_creatable()

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        with contextlib.closing(self._database(timeout)) as database:
            try:
                with database.creating() as transaction:
                    fill(transaction)
            except Collision:
                return False
            return True

    def restrict_permissions(self, *, apply: bool) -> bool:
        return False  # roles and grants are the administrator's

    def identity(self, *, timeout: float) -> object:
        with contextlib.closing(self._database(timeout)) as database:
            ((name, table_id),) = database.query(
                "SELECT current_database()::text, 'meta'::regclass::oid"
            )
            return cluster_of(database.query), name, table_id


if t.TYPE_CHECKING:  # pragma: no cover
    _backend: type[Backend] = PostgresqlBackend
