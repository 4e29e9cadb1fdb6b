# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PostgreSQL server tells of itself, and what it means where it does not. No server: rows are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryUnavailable
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    ConnectionLost,
    Position,
    ServerState,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_server import (
    cluster_of,
    read_position,
    read_state,
)

Query = Callable[[str], Sequence[Any]]
# By a part of the query; that of the position also has the cluster's.
QUERIES = {
    "pg_walfile_name": "position",
    "pg_control_system": "cluster",
    "pg_postmaster_start_time": "started",
    "synchronous_standby_names": "state",
}


def server(**rows: Any) -> Query:
    """A server that gives these rows, and does not allow any other query."""

    def query(sql: str) -> Sequence[Any]:
        name = next(name for part, name in QUERIES.items() if part in sql)
        if name not in rows:
            raise RegistryUnavailable("permission denied")
        return [rows[name]]

    return query


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (server(cluster=("7",), started=("noon",)), "7"),
        (server(started=("noon",)), "noon"),
        (server(), None),
    ],
)
def test_what_identifies_a_cluster(query: Query, expected: str | None) -> None:
    assert cluster_of(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (server(position=("7", "0000000A"), state=(False, True)), (Position("7", 10), False, True)),
        (server(state=(True, True)), (None, True, False)),
        (server(), (None, False, False)),
    ],
)
def test_how_a_server_stands_to_others(query: Query, expected: Any) -> None:
    assert read_state(query) == ServerState(*expected)


@pytest.mark.parametrize("read", [cluster_of, read_position, read_state])
def test_a_connection_that_breaks_is_no_server_that_tells_nothing(
    read: Callable[[Query], object],
) -> None:
    """Else nobody would notice that the next server is an older one."""

    def query(_sql: str) -> Sequence[Any]:
        raise ConnectionLost("the connection broke")

    with pytest.raises(ConnectionLost):
        read(query)
