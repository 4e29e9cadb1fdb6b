# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What PostgreSQL's catalogue tells of a registry: whether its tables are as they must be, and what a role may do with them."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import typing as t

from ._schema import VERSIONS

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    from ._protocols import Row

_TABLES = ("meta", "platforms", "records", "numbers", "history")
_RUN_RIGHTS = frozenset(
    {
        ("meta", "SELECT"),
        ("platforms", "SELECT"),
        ("platforms", "UPDATE"),
        ("history", "SELECT"),
        ("history", "INSERT"),
        ("numbers", "SELECT"),
        ("numbers", "INSERT"),
        ("numbers", "DELETE"),
        ("records", "SELECT"),
        ("records", "INSERT"),
        ("records", "UPDATE"),
        ("records", "DELETE"),
    }
)
GUIDE = "See 'Roles and grants' in the guide 'From one machine to many'"
# One look at all that the catalogue tells: what kind of fact, of which table, and the fact.
CATALOGUE = """
WITH places AS (
    SELECT c.oid, c.relname::text AS name, c.relowner FROM pg_catalog.pg_class c
    WHERE c.relnamespace = COALESCE(
        (SELECT m.relnamespace FROM pg_catalog.pg_class m WHERE m.oid = to_regclass('meta')),
        (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema())
    )
    AND c.relkind IN ('r', 'p') AND c.relname IN ('meta', 'platforms', 'records', 'numbers', 'history')
)
SELECT 'schema', current_schema()::text, NULL
UNION ALL SELECT 'user', current_user::text, NULL
UNION ALL SELECT 'read only', 'the server is a standby', NULL WHERE pg_is_in_recovery()
UNION ALL SELECT 'read only', 'default_transaction_read_only is on', NULL
    WHERE current_setting('default_transaction_read_only') = 'on'
UNION ALL SELECT 'creatable', current_schema()::text, NULL WHERE has_schema_privilege(current_schema()::text, 'CREATE')
UNION ALL SELECT 'table', name, NULL FROM places
UNION ALL SELECT 'owned', name, NULL FROM places WHERE pg_has_role(relowner, 'USAGE')
UNION ALL SELECT 'right', name, wanted FROM places
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS rights (wanted)
    WHERE has_table_privilege(oid, wanted) OR (wanted = 'UPDATE' AND has_any_column_privilege(oid, wanted))
UNION ALL SELECT 'column', name,
    a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    FROM places JOIN pg_catalog.pg_attribute a ON a.attrelid = oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'index', name,
    CASE WHEN i.indisunique THEN 'unique' ELSE 'plain' END
    || (SELECT string_agg(' ' || a.attname, '' ORDER BY k.place)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
    FROM places JOIN pg_catalog.pg_index i ON i.indrelid = oid
    WHERE i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
"""


class Catalogue:
    """What the database tells of the schema in which the registry is, or would be made."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._facts: dict[str, list[tuple[str, str | None]]] = {}
        for kind, name, fact in rows:
            self._facts.setdefault(kind, []).append((name, fact))

    def of(self, kind: str) -> list[tuple[str, str | None]]:
        return self._facts.get(kind, [])

    def names(self, kind: str) -> list[str]:
        return [name for name, _fact in self.of(kind)]

    def strange(self) -> bool:
        """Tell whether columns or indexes are not those of the schema. Further indexes that are not unique may be there."""
        expected = _expected()
        found = {
            f"{kind} {name} {fact}" for kind in ("column", "index") for name, fact in self.of(kind)
        }
        return any(" plain " not in f" {fact}" for fact in found - expected) or bool(
            expected - found
        )

    def unwritable(self) -> str | None:
        """Return why a run could not, or must not, write here; or None."""
        if self.strange():
            return "its tables are not those of a registry: restore it from its newest backup"
        return self._read_only() or self._lacking(_RUN_RIGHTS)

    def unkeepable(self) -> str | None:
        """Return why the registry could not be migrated, or learn a platform; or None."""
        missing = sorted(set(_TABLES) - set(self.names("owned")))
        if self._read_only() or not missing:
            return self._read_only()
        return f"the role {self._user} does not own the table {missing[0]}. {GUIDE}"

    def uncreatable(self) -> str | None:
        """Return why no registry could be made here, or None."""
        if None in self.names("schema"):
            return f"search_path names no schema that is there and that the role {self._user} may use. {GUIDE}"
        (schema,) = self.names("schema")
        if not self.names("creatable"):
            return f"the role {self._user} may not create tables in the schema {schema}. {GUIDE}"
        return self._read_only()

    @property
    def _user(self) -> str:
        return self.names("user")[0]

    def _read_only(self) -> str | None:
        return next(iter(self.names("read only")), None)

    def _lacking(self, rights: frozenset[tuple[str, str]]) -> str | None:
        missing = sorted(rights - set(t.cast("list[tuple[str, str]]", self.of("right"))))
        if not missing:
            return None
        (table, right), *_others = missing
        return f"the role {self._user} lacks the right to {right} in the table {table}. {GUIDE}"


@functools.cache
def _expected() -> frozenset[str]:
    """Return columns and indexes of the current schema, as the catalogue tells them: SQLite's memory knows what they come to."""
    facts = set()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in (statement for version in VERSIONS for statement in version):
            connection.execute(statement)
        for table in _TABLES:
            for _place, name, kind, not_null, *_rest in connection.execute(
                f"PRAGMA table_info({table})"
            ):
                facts.add(f"column {table} {name} {kind.lower()}{' not null' if not_null else ''}")
            for _place, index, unique, *_rest in connection.execute(f"PRAGMA index_list({table})"):
                columns = connection.execute(f"PRAGMA index_info({index})")
                names = "".join(f" {name}" for _place, _number, name in columns)
                facts.add(f"index {table} {'unique' if unique else 'plain'}{names}")
    return frozenset(facts)
