# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Translates errors of PostgreSQL, of its library and of connections to the registry's. None holds a parameter of the connection."""

from __future__ import annotations

import contextlib
import typing as t

from ..._errors import RegistryBusy, RegistryUnavailable
from .interface import (
    GUIDE,
    RESTORE,
    Collision,
    Conflict,
    ConnectionLost,
    NoSuchTable,
    TooManyConnections,
)

if t.TYPE_CHECKING:  # pragma: no cover
    import psycopg


def missing_library(location: str) -> RegistryUnavailable:
    """Return the error for a Python without psycopg."""
    return RegistryUnavailable(
        f"The registry {location} cannot be used: the Python library 'psycopg' (version 3), or libpq below it, is missing for the"
        " interpreter that runs this task. Nothing was sent. Install it (python -m pip install 'psycopg[binary]'), or set"
        " ansible_python_interpreter to a Python that has it"
    )


def translate(location: str, error: psycopg.Error) -> Exception:
    """Return the registry's error for one of psycopg. It holds no text of the server or of a library."""
    import psycopg

    duplicates = (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject)
    if error.sqlstate in _ROLLED_BACK:
        return Conflict(
            f"The registry {location} is written by others at the same time. Try again later"
        )
    if isinstance(error, (psycopg.IntegrityError, *duplicates)) and (
        error.sqlstate not in _NEVER_RACES
    ):
        return Collision()
    if error.sqlstate == LOCK_NOT_AVAILABLE:
        return RegistryBusy(
            f"The registry {location} is locked by another run for too long. Try again later"
        )
    if error.sqlstate == _TOO_MANY_CONNECTIONS or (
        error.sqlstate in (None, "08P01") and _is_too_many(str(error))
    ):
        return too_many_connections(location)
    message = f"The registry {location} cannot be used ({describe(error)})"
    if isinstance(error, (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)):
        return NoSuchTable(f"{message}. It is damaged. To go on, {RESTORE}")
    if (error.sqlstate or "")[:3] == "XX0" and error.sqlstate != "XX000":
        return RegistryUnavailable(f"{message}. To go on, {RESTORE}")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return RegistryUnavailable(f"{message}. {GUIDE}")
    read_only = psycopg.errors.ReadOnlySqlTransaction
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError, read_only)):
        return ConnectionLost(message)
    return RegistryUnavailable(message)


# The end of a sentence about a registry.
NO_STANDBY = (
    "a commit waits for a synchronous standby, and none answers. What is written now is on one server alone, and is lost if another one takes"
    " its place. Nothing is sent on its strength. See that a standby which synchronous_standby_names names is connected (the view"
    " pg_stat_replication), then run again"
)


def why_locked(
    location: str, connection: psycopg.Connection[t.Any], error: psycopg.Error
) -> RegistryBusy | None:
    """Return the error for a lock whose holder waits for a standby; None for any other error.

    Roles see what sessions of the same role wait for.
    """
    import psycopg

    if error.sqlstate != LOCK_NOT_AVAILABLE:
        return None
    with contextlib.suppress(psycopg.Error):
        if connection.execute(_WAITS_FOR_STANDBY).fetchall():
            return RegistryBusy(
                f"The registry {location} cannot be written by this run: {NO_STANDBY}"
            )
    return None


_WAITS_FOR_STANDBY = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'SyncRep' LIMIT 1"


def unreachable(location: str, error: psycopg.Error) -> Exception:
    """Return the error for a connection that cannot be made: C(ConnectionLost) for what ends with a failover."""
    text = str(error)
    if _is_too_many(text):
        return too_many_connections(location)
    lasts = any(part in text for part, _reason_ in _REFUSALS if part not in ("SSL", "resolve"))
    for part, reason in () if lasts else _OUTAGES:
        if part in text:
            return ConnectionLost(f"The registry {location} cannot be reached ({reason})")
    return RegistryUnavailable(f"The registry {location} cannot be reached ({_reason(text)})")


def too_many_connections(location: str) -> TooManyConnections:
    """Return the error for a server that has no connection to give."""
    return TooManyConnections(
        f"The registry {location} cannot be reached: the server, or a pooler in front of it, has no free connection, not even after"
        " registry_timeout. Run again when fewer runs are at work, or allow more: max_connections of the server, the connection limit of"
        " the role or of the database, or max_client_conn and the size of the pool of PgBouncer, whose log tells more"
    )


LOCK_NOT_AVAILABLE = "55P03"
_TOO_MANY_CONNECTIONS = "53300"
# Null in a column without it, and a row that a CHECK refuses: no other run causes that, but somebody who has changed the tables.
_NEVER_RACES = ("23502", "23514")
# The server rolled the transaction back in favour of another one: the same may succeed at once.
_ROLLED_BACK = ("40001", "40P01")
# https://github.com/postgres/postgres, src/backend/utils/init/postinit.c and storage/lmgr/proc.c; https://github.com/pgbouncer/pgbouncer, src/.
# A message has no SQLSTATE while a connection is made.
_TOO_MANY_TEXTS = (
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "no more connections allowed",
    "query_wait_timeout",
    # The server refuses PgBouncer's login, and PgBouncer does not say why.
    "server_login_retry",
)


def _is_too_many(text: str) -> bool:
    return any(part in text for part in _TOO_MANY_TEXTS)


# Parts of the texts of libpq, the server and poolers where no connection is made, and the text that stands for them: theirs may hold anything.
# A wait does not help against these.
_REFUSALS = (
    ("password authentication failed", "the server does not accept the password of this user"),
    (
        "no password supplied",
        "the server wants a password: give registry_password, the environment variable PGPASSWORD, or ~/.pgpass",
    ),
    ("pg_hba.conf", "the server's pg_hba.conf does not allow this user from here"),
    ("certificate verify failed", "the server's certificate is not from a trusted authority"),
    ("does not match host name", "the server's certificate is for another host"),
    ("root certificate file", "the file of sslrootcert is not there"),
    ("not permitted to log in", "this role may not log in"),
    ("not currently accepting connections", "this database accepts no connections"),
    ("definition of service", "the service is not in the service file"),
    ("SSL", "sslmode demands TLS, and no TLS connection could be made"),
    ("invalid ", "PostgreSQL's library does not know the value of a parameter of the URL"),
    ("does not exist", "the server does not know this user or this database"),
    ("no such database", "the pooler does not know this database"),
    ("no such user", "the pooler does not know this user"),
    ("permission denied for database", "this user may not connect to this database"),
    ("translate host name", "the host's name cannot be resolved"),
    ("resolve", "the host's name cannot be resolved"),
    # Of the C library: psycopg 3.1 passes on nothing else.
    ("Name or service not known", "the host's name cannot be resolved"),
    ("unsupported startup parameter", "a pooler does not accept a parameter of the URL"),
)
_ONLY_STANDBYS = "only standbys answer: no server of the URL is a primary that can be written, as target_session_attrs demands"
# These may be over once another server has taken a failed one's place.
_OUTAGES = (
    ("is read-only", _ONLY_STANDBYS),
    ("hot standby mode", _ONLY_STANDBYS),
    ("in name resolution", "the host's name cannot be resolved now"),
    ("refused", "connection refused"),
    ("No such file", "no server listens at this socket"),
    ("timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    ("unreachable", "no route to the host"),
    ("No route", "no route to the host"),
    ("reset by peer", "the connection was closed while it was made"),
    ("starting up", "the server is starting up"),
    ("recovery mode", "the server recovers from a crash"),
    ("shutting down", "the server is shutting down"),
    ("closed", "the connection was closed while it was made"),
    ("SYSCALL", "the connection was closed while it was made"),
)


def _reason(text: str) -> str:
    """Return why there is no connection."""
    for part, reason in _REFUSALS:
        if part in text:
            return reason
    if "FATAL:" in text:
        return "the server, or a pooler in front of it, refuses the connection; its log says why"
    return "the connection failed"


# By SQLSTATE, or by its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "08": "the connection broke",
    "22": "the server does not accept a value",
    "23": "a constraint of its tables forbids it",
    "25P03": "idle_in_transaction_session_timeout ended the connection",
    "25P04": "transaction_timeout ended the connection",
    "25006": "the database is read-only, such as a standby",
    "28": "the server refuses this user",
    "3D": "the database is not there",
    "3F": "the schema is not there, or search_path does not name it",
    "42501": "permission denied: the role lacks a right",
    "42703": "a table lacks a column",
    "42P01": "a table is missing",
    "53": "the server lacks resources",
    "53100": "the server's disk is full: free space there, then run again",
    "53200": "the server is out of memory",
    "54": "a limit of the server is exceeded",
    "55": "an object of the database is not in the state that this needs",
    "57": "the server ended the statement or the connection",
    "57014": "the statement was cancelled, by statement_timeout or by somebody",
    "57P01": "the server is being shut down, or an administrator ended the connection",
    "57P02": "the server crashed and restarts",
    "57P05": "idle_session_timeout ended the connection",
    "57P03": "the server is starting up or shutting down",
    "58": "the server cannot read or write its files: see its log",
    "P0": "a function or a trigger of the database refused it",
    "XX": "a defect of the server, or damage: see its log",
    "XX001": "data on the server's disk is damaged",
    "XX002": "an index on the server's disk is damaged: REINDEX may repair it",
}


def describe(error: psycopg.Error) -> str:
    """Describe a statement's error by its SQLSTATE. The server's own text may hold values, so it is not shown."""
    state = error.sqlstate
    if state is None:
        return "the connection broke"
    description = _STATES.get(state) or _STATES.get(state[:2]) or "see the server's log"
    return f"{description}; SQLSTATE {state}"
