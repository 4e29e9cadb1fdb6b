# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads PostgreSQL's catalogue: whether a registry's tables are as they must be, and what the role may do with them."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import typing as t
from collections.abc import Sequence

from .interface import GUIDE, RESTORE, Row
from .postgresql_statements import TABLE_VALUES
from .schema import TABLES, Schema, for_sqlite

_STANDBY = (
    "the server is a standby: name the primary, or all servers and target_session_attrs=read-write"
)
_RUN_RIGHTS = {
    *((table, "SELECT") for table in TABLES),
    ("platforms", "UPDATE"),
    ("history", "INSERT"),
    *(("runs", right) for right in ("INSERT", "UPDATE")),
    *(("numbers", right) for right in ("INSERT", "DELETE")),
    *(("records", right) for right in ("INSERT", "UPDATE", "DELETE")),
}
# One query for all facts: the kind of fact, the table, and the fact. C(home) is the schema in which the registry is or would be created.
# A table elsewhere is one that a statement finds in place of one in C(home).
CATALOGUE = (
    """
WITH home AS (
    SELECT COALESCE(
        (SELECT m.relnamespace FROM pg_catalog.pg_class m WHERE m.oid = to_regclass('meta')),
        (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema())
    ) AS oid
), names (name) AS (VALUES """
    + TABLE_VALUES
    + """
), places AS (
    SELECT c.oid, c.relname::text AS name, c.relowner, c.relkind, c.relpersistence, c.relrowsecurity OR c.relforcerowsecurity AS secured
    FROM pg_catalog.pg_class c JOIN names ON names.name = c.relname
    WHERE c.relnamespace = (SELECT oid FROM home) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
SELECT 'schema', current_schema()::text, NULL
UNION ALL SELECT 'user', current_user::text, NULL
UNION ALL SELECT 'read only', '"""
    + _STANDBY
    + """', NULL WHERE pg_is_in_recovery()
UNION ALL SELECT 'read only', 'default_transaction_read_only is on', NULL
    WHERE current_setting('default_transaction_read_only') = 'on'
UNION ALL SELECT 'creatable', current_schema()::text, NULL WHERE has_schema_privilege(current_schema()::text, 'CREATE')
UNION ALL SELECT 'table', name, NULL FROM places
UNION ALL SELECT 'elsewhere', names.name, n.nspname::text
    FROM names JOIN pg_catalog.pg_class c ON c.oid = to_regclass(names.name) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relnamespace <> (SELECT oid FROM home)
UNION ALL SELECT 'kind', name, relkind::text FROM places WHERE relkind <> 'r'
UNION ALL SELECT 'persistence', name, relpersistence::text FROM places WHERE relpersistence <> 'p'
UNION ALL SELECT 'row security', name, NULL FROM places WHERE secured
UNION ALL SELECT 'rule', name, r.rulename::text FROM places JOIN pg_catalog.pg_rewrite r ON r.ev_class = places.oid WHERE relkind = 'r'
UNION ALL SELECT 'inheritance', name, NULL FROM places
    WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE places.oid IN (i.inhrelid, i.inhparent))
UNION ALL SELECT 'trigger', name, g.tgname::text FROM places JOIN pg_catalog.pg_trigger g ON g.tgrelid = places.oid
    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 66 <> 0  -- before (2) or instead of (64)
UNION ALL SELECT 'owned', name, NULL FROM places WHERE pg_has_role(relowner, 'USAGE')
UNION ALL SELECT 'right', name, wanted FROM places
    CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS rights (wanted)
    WHERE has_table_privilege(oid, wanted) OR (wanted = 'UPDATE' AND has_any_column_privilege(oid, wanted))
UNION ALL SELECT 'column', name,
    a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || CASE WHEN a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' THEN ' with a default' ELSE '' END
    || CASE WHEN y.typnamespace <> 'pg_catalog'::regnamespace THEN ' of another kind' ELSE '' END
    || CASE WHEN l.collisdeterministic THEN '' ELSE CASE WHEN l.oid IS NULL THEN '' ELSE ' where unlike texts are equal' END END
    FROM places JOIN pg_catalog.pg_attribute a ON a.attrelid = places.oid JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'index', name,
    CASE WHEN i.indisunique THEN 'unique' ELSE 'plain' END
    || (SELECT COALESCE(string_agg(' ' || COALESCE(a.attname, 'expression'), '' ORDER BY k.place), '')
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
        WHERE k.place <= i.indnkeyatts)
    || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' (not valid)' END
    || CASE WHEN i.indpred IS NULL THEN '' ELSE ' (partial)' END
    || CASE WHEN i.indimmediate THEN '' ELSE ' (deferrable)' END
    || CASE WHEN i.indisexclusion THEN ' (exclusion)' ELSE '' END
    || CASE WHEN to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' THEN ' (nulls not distinct)' ELSE '' END
    || CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_collation l WHERE l.oid = ANY (i.indcollation::oid[]) AND NOT l.collisdeterministic)
        THEN ' (where unlike texts are equal)' ELSE '' END
    FROM places JOIN pg_catalog.pg_index i ON i.indrelid = places.oid
UNION ALL SELECT 'check', name, (SELECT string_agg(a.attname, ' ') FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = places.oid AND a.attnum = ANY (k.conkey))
    FROM places JOIN pg_catalog.pg_constraint k ON k.conrelid = places.oid WHERE k.contype = 'c'
"""
)
_KINDS = {
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
}


class Catalogue:
    """What the database says of the schema in which the registry is, or would be created."""

    def __init__(self, rows: Sequence[Row], schema: Schema) -> None:
        self._schema = schema
        self._facts: dict[str, list[tuple[str, str | None]]] = {}
        for kind, name, fact in rows:
            self._facts.setdefault(kind, []).append((name, fact))

    def _facts_of(self, kind: str) -> list[tuple[str, str | None]]:
        return self._facts.get(kind, [])

    def names(self, kind: str) -> list[str]:
        """Return the tables, or other names, of which there is a fact of this kind."""
        return [name for name, _fact in self._facts_of(kind)]

    def _has_unexpected_schema(self) -> bool:
        """Tell whether columns, indexes or checks differ from the schema's. Further indexes that are not unique are allowed."""
        expected = _expected(self._schema)
        if set(self._facts_of("check")) - {("records", "outcome")}:
            return True
        found = {
            f"{kind} {name} {fact}"
            for kind in ("column", "index")
            for name, fact in self._facts_of(kind)
        }
        return any(not _is_unrestrictive(fact) for fact in found - expected) or bool(
            expected - found
        )

    def are_tables_partial(self) -> bool:
        """Tell whether some tables of a registry are here and nothing else: those that are here are the schema's, or lack columns or an index."""
        present = self.names("table")
        found = {f"column {name} {fact}" for name, fact in self._facts_of("column")}
        expected = {
            fact
            for fact in _expected(self._schema)
            if fact.startswith("column ") and fact.split()[1] in present
        }
        return self.why_not_ordinary() is None and found <= expected

    def why_not_ordinary(self) -> str | None:
        """Return why the tables may lose what is written, or hide rows; or None."""
        for table, schema in self._facts_of("elsewhere"):
            return (
                f"a statement finds the table {table} in the schema {schema}, not beside the others of the registry. Set search_path to the"
                f" registry's schema alone. {GUIDE}"
            )
        for table, kind in self._facts_of("kind"):
            return f"{table} is {_KINDS.get(str(kind), 'something else')}, not an ordinary table"
        for table, kind in self._facts_of("persistence"):
            if kind == "t":
                return f"the table {table} is a temporary one. {GUIDE}"
            return (
                f"the table {table} is UNLOGGED, and would be empty after a crash of the server. As its owner, run ALTER TABLE {table} SET"
                " LOGGED"
            )
        for table, name in self._facts_of("trigger"):
            return (
                f"the trigger {name} of the table {table} may change or drop a row before it is written. Make it an AFTER trigger, which is"
                " enough to keep an audit, or drop it"
            )
        for table, name in self._facts_of("rule"):
            return f"the rule {name} of the table {table} may write something else. Drop it"
        for table, _none in self._facts_of("row security"):
            return (
                f"row security of the table {table} may hide rows. As its owner, run ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, and NO"
                " FORCE ROW LEVEL SECURITY"
            )
        for table, _none in self._facts_of("inheritance"):
            return f"the table {table} inherits from another one, or another one from it"
        return None

    def why_not_writable(self) -> str | None:
        """Return why a run cannot, or must not, write here; or None."""
        reason = self.why_not_ordinary()
        if reason is None and not self.names("table"):
            return f"none of its tables is found: its address, a pooler or search_path leads elsewhere. {GUIDE}"
        if reason is None and self._has_unexpected_schema():
            return f"its tables are not those of a registry; {RESTORE}"
        return reason or self.why_read_only() or self._missing_right()

    def why_not_writable_as_owner(self) -> str | None:
        """Return why the registry cannot be migrated or moved, and no platform added; or None."""
        # An older schema lacks a table.
        missing = sorted(set(self.names("table")) - set(self.names("owned")))
        reason = self.why_not_ordinary() or self.why_read_only()
        if reason or not missing:
            return reason
        return f"the role {self._user} does not own the table {missing[0]}. {GUIDE}"

    def why_not_creatable(self) -> str | None:
        """Return why no registry can be created here, or None."""
        if None in self.names("schema"):
            return f"search_path names no schema that is there and that the role {self._user} may use. {GUIDE}"
        (schema,) = self.names("schema")
        if schema.startswith("pg_temp"):
            return f"search_path leads to temporary tables, which are gone with the connection. {GUIDE}"
        if not self.names("creatable"):
            return f"the role {self._user} may not create tables in the schema {schema}. {GUIDE}"
        return self.why_read_only()

    @property
    def _user(self) -> str:
        return self.names("user")[0]

    def why_read_only(self) -> str | None:
        """Return why nothing at all can be written, or None."""
        return next(iter(self.names("read only")), None)

    def is_standby(self) -> bool:
        """Tell whether the server follows another one."""
        return _STANDBY in self.names("read only")

    def _missing_right(self) -> str | None:
        tables = {fact.split()[1] for fact in _expected(self._schema)}
        needed = {right for right in _RUN_RIGHTS if right[0] in tables}
        missing = sorted(needed - set(t.cast("list[tuple[str, str]]", self._facts_of("right"))))
        if not missing:
            return None
        (table, right), *_others = missing
        return f"the role {self._user} lacks the right to {right} in the table {table}. {GUIDE}"


def _is_unrestrictive(fact: str) -> bool:
    """Tell whether a fact is about an index that does not restrict which rows there may be."""
    return fact.startswith("index ") and " plain" in fact and "(exclusion)" not in fact


@functools.cache
def _expected(schema: Schema) -> frozenset[str]:
    """Return columns and indexes of the schema in the words of C(CATALOGUE). SQLite derives them, in memory, from the statements."""
    facts = set()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.statements():
            connection.execute(for_sqlite(statement))
        for table in TABLES:
            for _place, name, kind, not_null, *_rest in connection.execute(
                f"PRAGMA table_info({table})"
            ):
                facts.add(f"column {table} {name} {kind.lower()}{' not null' if not_null else ''}")
            for _place, index, unique, _origin, partial in connection.execute(
                f"PRAGMA index_list({table})"
            ):
                columns = connection.execute(f"PRAGMA index_info({index})")
                names = "".join(f" {name}" for _place, _number, name in columns)
                kind = "unique" if unique else "plain"
                facts.add(f"index {table} {kind}{names}{' (partial)' if partial else ''}")
    return frozenset(facts)
