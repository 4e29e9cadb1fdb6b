# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that may lose what is written, by what a server's catalogue says of them. No server: its rows are given."""

from __future__ import annotations

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    RESTORE,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_catalogue import (
    Catalogue,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    SCHEMA,
)


@pytest.mark.parametrize(
    ("kind", "fact", "words"),
    [
        ("elsewhere", "public", "in the schema public"),
        ("kind", "v", "is a view"),
        ("kind", "of a later release", "is something else"),
        # In a session that a pooler hands on, with all of a registry's tables in it.
        ("persistence", "t", "is a temporary one"),
        ("persistence", "u", "SET LOGGED"),
        ("trigger", "audit", "the trigger audit"),
        ("rule", "other", "the rule other"),
        ("row security", None, "DISABLE ROW LEVEL SECURITY"),
        ("inheritance", None, "inherits"),
    ],
)
def test_a_table_that_is_no_ordinary_one_is_not_written(
    kind: str, fact: str | None, words: str
) -> None:
    catalogue = Catalogue([("table", "records", None), (kind, "records", fact)], SCHEMA)
    for reason in (catalogue.why_not_ordinary(), catalogue.why_not_writable()):
        assert reason is not None and words in reason and "records" in reason
    assert not catalogue.are_tables_partial()


def test_ordinary_tables_have_nothing_against_them() -> None:
    assert Catalogue([("table", "records", None)], SCHEMA).why_not_ordinary() is None


def test_tables_that_are_not_found_call_for_no_backup() -> None:
    reason = Catalogue([], SCHEMA).why_not_writable()
    assert reason is not None and "search_path" in reason and RESTORE not in reason
