# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Connections to a PostgreSQL server, and transactions on them. C(psycopg) is imported only when one is made."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from collections.abc import Callable, Iterator, Sequence

from ..._errors import RegistryUnavailable
from .interface import Row
from .postgresql_errors import missing_library, translate, unreachable

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg

# Parameters of a connection where the URL does not set them. A server that no longer answers is noticed within a minute.
_DEFAULTS = {
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    "fallback_application_name": "nextbilling.did",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}


def load_psycopg(location: str) -> t.Any:
    """Return the library, or raise the error that names it."""
    try:
        import psycopg
    except ImportError:
        raise missing_library(location) from None
    return psycopg


def connect(location: str, password: str | None) -> psycopg.Connection[t.Any]:
    """Connect to the database of a URL."""
    library = load_psycopg(location)
    try:
        given = library.conninfo.conninfo_to_dict(location)
    except library.Error:
        raise RegistryUnavailable(
            "The registry cannot be used: its location is no URL that PostgreSQL's library understands. Compare it with"
            " postgresql://user@host:5432/database?sslmode=verify-full"
        ) from None
    parameters: dict[str, t.Any] = {**_DEFAULTS, **given}
    if password is not None:
        parameters["password"] = password
    try:
        connection: psycopg.Connection[t.Any] = library.connect(
            autocommit=True, prepare_threshold=None, **parameters
        )
    except library.Error as error:
        raise unreachable(location, error) from None
    return connection


@functools.cache
def for_psycopg(sql: str) -> str:
    """Return a statement with psycopg's placeholders in place of question marks. No statement has one in a literal."""
    return sql.replace("%", "%%").replace("?", "%s")


def last_rows(connection: psycopg.Connection[t.Any], statements: str) -> list[Row]:
    """Run statements without parameters in one round trip, and return the rows of the last one."""
    cursor = connection.execute(statements)
    while cursor.nextset():
        pass
    return cursor.fetchall() if cursor.description else []


def query_on(
    connection: psycopg.Connection[t.Any], location: str
) -> Callable[[str], Sequence[Row]]:
    """Return what runs a query outside a transaction and translates its errors."""

    def query(sql: str) -> Sequence[Row]:
        try:
            return connection.execute(sql).fetchall()
        except load_psycopg(location).Error as error:
            raise translate(location, error) from None

    return query


@contextlib.contextmanager
def collect_warnings(connection: psycopg.Connection[t.Any]) -> Iterator[list[object]]:
    """Collect the server's warnings within the block.

    A wait for a synchronous standby that is cancelled ends a COMMIT with a warning and with success
    (https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION-HA).
    """
    warnings: list[object] = []

    def collect(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(diagnostic)

    connection.add_notice_handler(collect)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(collect)


def is_broken(connection: psycopg.Connection[t.Any], error: psycopg.Error) -> bool:
    """Tell whether a connection can no longer be used after an error."""
    return connection.closed or (error.sqlstate or "")[:2] in ("08", "57")
