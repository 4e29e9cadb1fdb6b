# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills a registry with very many DIDs in one transaction, as it is after they were created: with a line of history for each."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME

from .workload import FIRST_RECORD, sent

_AT = "2026-01-01T00:00:00Z"
_RUN = "0" * 32
_CHUNK = 10_000
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_INSERTS = (
    "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, confirmed_at, changed_at)"
    f" VALUES (:key, :platform, 2, :record_id, 'confirmed', :fields, '{{}}', '{_AT}', '{_AT}')",
    "INSERT INTO numbers VALUES (:platform, :number, :key)",
    "INSERT INTO history (entry_key, at, actor, event, platform, number, record_id, details, run_key, action, record_key)"
    f" VALUES (:key, '{_AT}', 'benchmark@host', 'applied', :platform, :number, :record_id, :details, '{_RUN}', 'create', :key)",
)


def fill(path: Path, size: int, first_record: int = FIRST_RECORD) -> None:
    """Fill a registry in SQLite that knows one platform and no DID. Passwords are not stored.

    ``first_record``: the record id of the first DID, far from those that the simulator gives where DIDs are created afterwards.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # Nobody needs it if this process is killed meanwhile.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.execute(f"PRAGMA {pragma}")
        ((platform,),) = connection.execute("SELECT name FROM platforms").fetchall()
        # An index is made faster at once than row by row.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _sql in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(
            "INSERT INTO runs (run_key, platform, actor, began_at, ended_at, result) VALUES (?, ?, 'benchmark@host', ?, ?, 'completed')",
            (_RUN, platform, _AT, _AT),
        )
        rows = _rows(platform, size, first_record)
        while chunk := list(itertools.islice(rows, _CHUNK)):
            for insert in _INSERTS:
                connection.executemany(insert, chunk)
        for _name, sql in indexes:
            connection.execute(sql)
        connection.commit()


def _rows(platform: str, size: int, first_record: int) -> Iterator[dict[str, object]]:
    """Yield the values of each DID, by their names in the statements."""
    for index in range(size):
        values = sent(index)
        del values["password"]
        # A create stores what it sent, in the order of the vendor's page.
        fields = {name: values[name] for name in BY_NAME if name in values}
        changes = {name: [None, value] for name, value in fields.items()}
        yield {
            "platform": platform,
            "key": f"{index:032x}",
            "record_id": first_record + index,
            "number": fields["did_number"].lstrip("+"),
            "fields": _ENCODER.encode(fields),
            "details": _ENCODER.encode({"changes": changes}),
        }
