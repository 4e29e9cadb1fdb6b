# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error of PostgreSQL means for the registry, and what is said of tables that are not found."""

from __future__ import annotations

import psycopg
import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    RESTORE,
    Collision,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_catalogue import (
    Catalogue,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_errors import (
    translate,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    SCHEMA,
)


@pytest.mark.parametrize("error", [psycopg.errors.CheckViolation, psycopg.errors.NotNullViolation])
def test_a_constraint_that_somebody_has_added_is_no_race(error: type[psycopg.Error]) -> None:
    translated = translate("postgresql://db/x", error("a row"))
    assert not isinstance(translated, Collision)
    assert f"a constraint of its tables forbids it; SQLSTATE {error.sqlstate}" in str(translated)


def test_a_row_that_another_run_has_written_is_a_race() -> None:
    assert isinstance(translate("postgresql://db/x", psycopg.errors.UniqueViolation()), Collision)


@pytest.mark.parametrize(
    ("state", "setting"),
    [
        ("25P03", "idle_in_transaction_session_timeout"),
        ("25P04", "transaction_timeout"),
        ("57P05", "idle_session_timeout"),
    ],
)
def test_a_time_limit_of_the_server_is_named(state: str, setting: str) -> None:
    error = psycopg.OperationalError("of the server")
    error.sqlstate = state
    assert setting in str(translate("postgresql://db/x", error))


def test_tables_that_are_not_found_call_for_no_backup() -> None:
    reason = Catalogue([], SCHEMA).why_not_writable()
    assert reason is not None and "search_path" in reason and RESTORE not in reason
