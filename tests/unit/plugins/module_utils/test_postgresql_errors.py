# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL and its library report, in words of our own, and which of it is worth a retry."""

from __future__ import annotations

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    Collision,
    Conflict,
    ConnectionLost,
    NoSuchTable,
    TooManyConnections,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_errors import (
    translate,
    unreachable,
)

psycopg = pytest.importorskip("psycopg")

LOCATION = "postgresql://me@db/x"


@pytest.mark.parametrize(
    ("state", "text", "kind", "words", "backup"),
    [
        ("40001", "", Conflict, "at the same time", False),
        ("40P01", "", Conflict, "at the same time", False),
        ("23505", "", Collision, "", False),
        # No other run causes these, but somebody who has changed the tables.
        ("23502", "", RegistryUnavailable, "a constraint of its tables forbids it", False),
        ("23514", "", RegistryUnavailable, "a constraint of its tables forbids it", False),
        ("42P07", "", Collision, "", False),
        ("55P03", "", RegistryBusy, "locked", False),
        ("53300", "", TooManyConnections, "max_connections", False),
        ("08P01", "no more connections allowed", TooManyConnections, "max_connections", False),
        (None, "query_wait_timeout", TooManyConnections, "max_connections", False),
        ("42P01", "", NoSuchTable, "a table is missing", True),
        ("42703", "", NoSuchTable, "lacks a column", True),
        ("XX001", "", RegistryUnavailable, "damaged", True),
        ("XX002", "", RegistryUnavailable, "REINDEX", True),
        # A defect of the server: a backup does not help.
        ("XX000", "", RegistryUnavailable, "see its log", False),
        ("42501", "", RegistryUnavailable, "Roles and grants", False),
        # These may be over once another server has taken a failed one's place.
        ("25006", "", ConnectionLost, "read-only", False),
        ("57P01", "", ConnectionLost, "shut down", False),
        ("08006", "", ConnectionLost, "broke", False),
        (None, "", ConnectionLost, "broke", False),
        ("22P02", "", RegistryUnavailable, "does not accept a value", False),
        ("P0001", "", RegistryUnavailable, "a trigger", False),
    ],
)
def test_what_a_statement_meets_is_told_in_words_of_our_own(
    state: str | None, text: str, kind: type[Exception], words: str, backup: bool
) -> None:
    raised = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    told = translate(LOCATION, raised(f"Geheim7 {text}"))
    assert told.__class__ is kind
    assert words in str(told) and "Geheim7" not in str(told)
    assert ("backup" in str(told)) == backup


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("FATAL:  Geheim7 of a later release", RegistryUnavailable, "its log says why"),
        ("Geheim7", RegistryUnavailable, "the connection failed"),
        ('FATAL:  role "Geheim7" does not exist', RegistryUnavailable, "does not know this user"),
        ("FATAL:  sorry, too many clients already", TooManyConnections, "max_connections"),
        ("Connection refused by Geheim7", ConnectionLost, "connection refused"),
        # One of several hosts refuses the user, so waiting for the other one is in vain.
        (
            "Connection refused; FATAL:  password authentication failed for Geheim7",
            RegistryUnavailable,
            "password",
        ),
    ],
)
def test_why_there_is_no_connection_is_told_in_words_of_our_own(
    text: str, kind: type[Exception], words: str
) -> None:
    told = unreachable(LOCATION, psycopg.OperationalError(text))
    assert told.__class__ is kind
    assert words in str(told) and "Geheim7" not in str(told)


@pytest.mark.parametrize(
    ("state", "setting"),
    [
        ("25P03", "idle_in_transaction_session_timeout"),
        ("25P04", "transaction_timeout"),
        ("57P05", "idle_session_timeout"),
    ],
)
def test_a_time_limit_of_the_server_is_named(state: str, setting: str) -> None:
    error = psycopg.OperationalError("Geheim7")
    error.sqlstate = state
    assert setting in str(translate(LOCATION, error))
