# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fills a registry with very many DIDs in one transaction, as it is after they were created: with a line of history for each."""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME

from .workload import FIRST_RECORD, sent

_AT = "2026-01-01T00:00:00Z"
_RUN = "0" * 32


def fill(path: Path, size: int, first_record: int = FIRST_RECORD) -> None:
    """Fill a registry in SQLite that knows one platform and no DID. Passwords are not stored.

    ``first_record``: the record id of the first DID, far from those that the simulator gives where DIDs are created afterwards.
    """
    rows = functools.partial(_rows, size, first_record)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # Nobody needs it if this process is killed meanwhile.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            connection.execute(f"PRAGMA {pragma}")
        ((platform,),) = connection.execute("SELECT name FROM platforms").fetchall()
        connection.execute(
            "INSERT INTO runs (run_key, platform, actor, began_at, ended_at, result) VALUES (?, ?, 'benchmark@host', ?, ?, 'completed')",
            (_RUN, platform, _AT, _AT),
        )
        connection.executemany(
            "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, confirmed_at, changed_at)"
            f" VALUES (?, ?, 2, ?, 'confirmed', ?, '{{}}', '{_AT}', '{_AT}')",
            (
                (key, platform, record_id, fields)
                for key, record_id, _number, fields, _line in rows()
            ),
        )
        connection.executemany(
            "INSERT INTO numbers VALUES (?, ?, ?)",
            ((platform, number, key) for key, _record_id, number, *_rest in rows()),
        )
        connection.executemany(
            "INSERT INTO history (entry_key, at, actor, event, platform, number, record_id, details, run_key, action, record_key)"
            f" VALUES (?, '{_AT}', 'benchmark@host', 'applied', ?, ?, ?, ?, '{_RUN}', 'create', ?)",
            (
                (key, platform, number, record_id, details, key)
                for key, record_id, number, _fields, details in rows()
            ),
        )
        connection.commit()


def _rows(size: int, first_record: int) -> Iterator[tuple[str, int, str, str, str]]:
    """Yield key, record id, number, fields and details of the history."""
    for index in range(size):
        values = sent(index)
        del values["password"]
        # A create stores what it sent, in the order of the vendor's page.
        fields = {name: values[name] for name in BY_NAME if name in values}
        changes = {name: [None, value] for name, value in fields.items()}
        yield (
            f"{index:032x}",
            first_record + index,
            fields["did_number"].lstrip("+"),
            json.dumps(fields, separators=(",", ":")),
            json.dumps({"changes": changes}, separators=(",", ":")),
        )
