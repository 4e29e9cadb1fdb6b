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

from .interface import GUIDE, RESTORE
from .schema import VERSIONS

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    from .interface import Row

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
# One look at all that the catalogue tells: what kind of fact, of which table, and the fact. C(home) is where the registry is or would be made;
# what is elsewhere is what a statement would find in place of a table there.
CATALOGUE = """
WITH home AS (
    SELECT COALESCE(
        (SELECT m.relnamespace FROM pg_catalog.pg_class m WHERE m.oid = to_regclass('meta')),
        (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema())
    ) AS oid
), names (name) AS (VALUES ('meta'), ('platforms'), ('records'), ('numbers'), ('history')
), places AS (
    SELECT c.oid, c.relname::text AS name, c.relowner, c.relkind, c.relpersistence, c.relrowsecurity OR c.relforcerowsecurity AS secured
    FROM pg_catalog.pg_class c JOIN names ON names.name = c.relname
    WHERE c.relnamespace = (SELECT oid FROM home) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
)
SELECT 'schema', current_schema()::text, NULL
UNION ALL SELECT 'user', current_user::text, NULL
UNION ALL SELECT 'read only', 'the server is a standby', NULL WHERE pg_is_in_recovery()
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
_KINDS = {
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
}


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
        """Tell whether columns, indexes or checks are not those of the schema. Further indexes that are not unique may be there."""
        expected = _expected()
        if set(self.of("check")) - {("records", "outcome")}:
            return True
        found = {
            f"{kind} {name} {fact}" for kind in ("column", "index") for name, fact in self.of(kind)
        }
        return any(not _is_plain(fact) for fact in found - expected) or bool(expected - found)

    def not_ordinary(self) -> str | None:
        """Return why the tables may not keep what is written, or show what is there; or None."""
        for table, schema in self.of("elsewhere"):
            return (
                f"a statement finds the table {table} in the schema {schema}, not beside the others of the registry. Set search_path to the"
                f" registry's schema alone. {GUIDE}"
            )
        for table, kind in self.of("kind"):
            return f"{table} is {_KINDS.get(str(kind), 'something else')}, not an ordinary table"
        for table, kind in self.of("persistence"):
            if kind == "t":
                return f"the table {table} is a temporary one. {GUIDE}"
            return (
                f"the table {table} is UNLOGGED, and would be empty after a crash of the server. As its owner, run ALTER TABLE {table} SET"
                " LOGGED"
            )
        for table, name in self.of("trigger"):
            return (
                f"the trigger {name} of the table {table} may change or drop a row before it is written. Make it an AFTER trigger, which is"
                " enough to keep an audit, or drop it"
            )
        for table, name in self.of("rule"):
            return f"the rule {name} of the table {table} may write something else. Drop it"
        for table, _none in self.of("row security"):
            return (
                f"row security of the table {table} may hide rows. As its owner, run ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, and NO"
                " FORCE ROW LEVEL SECURITY"
            )
        for table, _none in self.of("inheritance"):
            return f"the table {table} inherits from another one, or another one from it"
        return None

    def unwritable(self) -> str | None:
        """Return why a run could not, or must not, write here; or None."""
        reason = self.not_ordinary()
        if reason is None and self.strange():
            return f"its tables are not those of a registry; {RESTORE}"
        return reason or self.read_only() or self._lacking(_RUN_RIGHTS)

    def unkeepable(self) -> str | None:
        """Return why the registry could not be migrated, moved, or learn a platform; or None."""
        missing = sorted(set(_TABLES) - set(self.names("owned")))
        reason = self.not_ordinary() or self.read_only()
        if reason or not missing:
            return reason
        return f"the role {self._user} does not own the table {missing[0]}. {GUIDE}"

    def uncreatable(self) -> str | None:
        """Return why no registry could be made here, or None."""
        if None in self.names("schema"):
            return f"search_path names no schema that is there and that the role {self._user} may use. {GUIDE}"
        (schema,) = self.names("schema")
        if not self.names("creatable"):
            return f"the role {self._user} may not create tables in the schema {schema}. {GUIDE}"
        return self.read_only()

    @property
    def _user(self) -> str:
        return self.names("user")[0]

    def read_only(self) -> str | None:
        """Return why nothing at all can be written, or None."""
        return next(iter(self.names("read only")), None)

    def _lacking(self, rights: frozenset[tuple[str, str]]) -> str | None:
        missing = sorted(rights - set(t.cast("list[tuple[str, str]]", self.of("right"))))
        if not missing:
            return None
        (table, right), *_others = missing
        return f"the role {self._user} lacks the right to {right} in the table {table}. {GUIDE}"


def _is_plain(fact: str) -> bool:
    """Tell whether a fact is about an index that says nothing of which rows there may be."""
    return fact.startswith("index ") and " plain" in fact and "(exclusion)" not in fact


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
