# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What failures of PostgreSQL, of its library and of connections are to the registry. They never hold a connection's parameters."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import RegistryBusy, RegistryUnavailable
from ._postgresql import Interrupted, NoSuchTable
from ._postgresql_catalogue import GUIDE
from ._store import Collision

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    import psycopg


def missing_library(location: str) -> RegistryUnavailable:
    """Return what tells how to get the library."""
    return RegistryUnavailable(
        f"The registry {location} cannot be used: the Python library 'psycopg' (version 3), or libpq below it, is missing for the"
        " interpreter that runs this task. Nothing was sent. Install it (python -m pip install 'psycopg[binary]'), or set"
        " ansible_python_interpreter to a Python that has it"
    )


def translated(location: str, error: psycopg.Error) -> Exception:
    """Return what a failure of psycopg is to the registry. It never holds the text of a connection's parameters."""
    import psycopg

    if is_undone(error) or isinstance(
        error,
        (psycopg.IntegrityError, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject),
    ):
        return Collision()
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return RegistryBusy(
            f"The registry {location} is locked by another run for too long. Try again later"
        )
    words = f"The registry {location} cannot be used ({told(error)})"
    if isinstance(error, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)):
        return NoSuchTable(f"{words}. It is damaged: restore it from its newest backup")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return RegistryUnavailable(f"{words}. {GUIDE}")
    if isinstance(
        error,
        (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            psycopg.errors.ReadOnlySqlTransaction,
        ),
    ):
        return Interrupted(words)
    return RegistryUnavailable(words)


# What libpq and the server say when no connection is made, and how that is told: their own words may hold anything.
_REASONS = (
    ("password authentication failed", "the server does not accept the password of this user"),
    (
        "no password supplied",
        "the server wants a password: give registry_password, the environment variable PGPASSWORD, or ~/.pgpass",
    ),
    ("pg_hba.conf", "the server's pg_hba.conf does not let this user in from here"),
    ("certificate verify failed", "the server's certificate is not from a trusted authority"),
    ("does not match host name", "the server's certificate is for another host"),
    ("root certificate file", "the file of sslrootcert is not there"),
    ("SSL", "no TLS connection could be agreed on, which sslmode demands"),
    ("does not exist", "the server does not know this user or this database"),
    ("permission denied for database", "this user may not connect to this database"),
    ("too many", "the server has too many connections"),
    ("translate host name", "the host's name cannot be resolved"),
    ("resolve", "the host's name cannot be resolved"),
    # psycopg 3.1 passes on no more than what the C library says.
    ("Name or service not known", "the host's name cannot be resolved"),
    ("in name resolution", "the host's name cannot be resolved"),
    ("refused", "connection refused"),
    ("No such file", "no server listens at this socket"),
    ("timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    ("starting up", "the server is starting up"),
    ("shutting down", "the server is shutting down"),
    ("unsupported startup parameter", "a pooler does not let a parameter of the URL through"),
)


def password_of(error: psycopg.Error) -> str | None:
    """Return the password of an attempt to connect, which may come from ~/.pgpass or a service file."""
    import psycopg

    with contextlib.suppress(AttributeError, psycopg.Error):
        password = error.pgconn.password if error.pgconn is not None else b""
        return password.decode("utf-8", "replace")
    return None


def reason(text: str, passwords: Sequence[str | None]) -> str:
    """Return why there is no connection. What the server says is shown where nothing here explains it, and it holds no password."""
    for sign, words in _REASONS:
        if sign in text:
            return words
    _before, _fatal, said = text.partition("FATAL:")
    secrets = filter(None, (*passwords, os.environ.get("PGPASSWORD")))
    if not said or any(secret in said for secret in secrets):
        return "the connection failed"
    return "the server, or a pooler before it, says: " + said.strip().splitlines()[0]


def told(error: psycopg.Error) -> str:
    """Return what the server says of a statement that failed. It holds names of tables and the like, no values."""
    primary = error.diag.message_primary
    if error.sqlstate is None or primary is None:
        return "the connection broke"
    return f"SQLSTATE {error.sqlstate}: {primary}"


def is_undone(error: psycopg.Error) -> bool:
    """Tell whether the database undid the transaction in favour of another one: the same may work at once."""
    return error.sqlstate in ("40001", "40P01")
