# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads what a PostgreSQL server tells of itself, of its tables, and of the servers that follow it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from ..._errors import RegistryMismatch, RegistryUnavailable
from .interface import ConnectionLost, Position, Row, ServerState
from .schema import Schema

if t.TYPE_CHECKING:  # pragma: no cover
    from .postgresql_catalogue import Catalogue

# Which cluster a server belongs to; and where a role or a service does not allow that, when the server was started.
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_STARTED = "SELECT pg_postmaster_start_time()::text"
# The first eight digits of the name of a WAL file are the timeline (https://www.postgresql.org/docs/current/continuous-archiving.html).
_POSITION = "SELECT system_identifier::text, left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system() WHERE NOT pg_is_in_recovery()"
_REPLICATION = "SELECT pg_is_in_recovery(), current_setting('synchronous_standby_names') = '' AND EXISTS (SELECT 1 FROM pg_stat_replication)"

Query = Callable[[str], Sequence[Row]]


def _allowed_rows(query: Query, sql: str) -> Sequence[Row]:
    """Return the rows of a query, none where the server does not allow it or does not know its functions."""
    try:
        return query(sql)
    except ConnectionLost:
        raise
    except RegistryUnavailable:
        return []


def cluster_of(query: Query) -> str | None:
    """Return what identifies a cluster: all its servers, before and after a failover, agree on it."""
    rows = _allowed_rows(query, _SYSTEM) or _allowed_rows(query, _STARTED)
    return next((text for (text,) in rows), None)


def read_position(query: Query) -> Position | None:
    """Return a primary's place in the history of its cluster, None where it cannot be read."""
    rows = _allowed_rows(query, _POSITION)
    return next((Position(system, int(timeline, 16)) for system, timeline in rows), None)


def read_state(query: Query) -> ServerState:
    """Return how a server stands to others."""
    rows = _allowed_rows(query, _REPLICATION)
    is_standby, loses_writes = next(iter(rows), (False, False))
    return ServerState(read_position(query), is_standby, loses_writes and not is_standby)


def latest(seen: Position | None, found: Position | None, location: str) -> Position | None:
    """Return the position to remember. Raise C(RegistryMismatch) for a server whose place another one has taken.

    Timelines of different clusters cannot be compared: what was dumped and restored, or upgraded, begins anew.
    """
    if found is None or seen is None:
        return found or seen
    if found.system == seen.system and found.timeline < seen.timeline:
        raise RegistryMismatch(
            f"The registry {location} leads to a server whose place another one has taken: it is on timeline {found.timeline}, and this run has"
            f" seen timeline {seen.timeline}. What is written there is lost, and what was written since is not known there. Nothing was sent."
            " Stop the old server, or have the URL lead to the new one alone"
        )
    return found


def are_empty(query: Query, tables: Sequence[str]) -> bool:
    """Tell whether there is no row in tables of a registry."""
    return not query(" UNION ALL ".join(f"(SELECT 1 FROM {table} LIMIT 1)" for table in tables))


def read_catalogue(query: Query, schema: Schema) -> Catalogue:
    """Return what the server's catalogue says of the tables."""
    # A run with nothing to do does not need it, nor sqlite3, which it imports.
    from .postgresql_catalogue import CATALOGUE, Catalogue

    return Catalogue(query(CATALOGUE), schema)
