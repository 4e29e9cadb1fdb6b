# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite reports, in words of our own: never in its own, which may hold what others wrote."""

from __future__ import annotations

import sqlite3

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite_errors import (
    translate,
)

AT = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("error", "kind", "words", "backup"),
    [
        (sqlite3.OperationalError("database or disk is full"), "registry_unavailable", "disk is full", False),
        (sqlite3.OperationalError("disk I/O error"), "registry_unavailable", "system's log", False),
        (sqlite3.OperationalError("attempt to write a readonly database"), "registry_unavailable", "permission", False),
        (sqlite3.OperationalError("unable to open database file"), "registry_unavailable", "permission", False),
        (sqlite3.OperationalError("database is locked"), "registry_busy", "locked", False),
        (sqlite3.OperationalError("no such table: Geheim7"), "registry_unavailable", "damaged", True),
        (sqlite3.DatabaseError("database disk image is malformed"), "registry_unavailable", "damaged", True),
        (sqlite3.DatabaseError("file is not a database"), "registry_unavailable", "damaged", True),
        (sqlite3.OperationalError("near Geheim7: syntax error"), "registry_unavailable", "SQLite reports", False),
        (OSError(28, "Geheim7"), "registry_unavailable", "No space left", False),
        (OSError("Geheim7"), "registry_unavailable", "system", False),
    ],
    ids=str,
)  # fmt: skip
def test_what_sqlite_reports_is_told_in_words_of_our_own(
    error: Exception, kind: str, words: str, backup: bool
) -> None:
    told = translate("/srv/registry.db", error)
    assert told.kind == kind and words in told.message and "/srv/registry.db" in told.message
    assert "Geheim7" not in told.message
    assert ("backup" in told.message, "created again" in told.message) == (backup, backup)
