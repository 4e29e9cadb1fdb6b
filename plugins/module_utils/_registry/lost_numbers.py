# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Finds DIDs that look new only because the registry has lost a row, or cannot find it.

A number is in three places with indexes of their own: in the table C(numbers), in its record, and in the history, which has a line with the
record's key for each request that was applied, each statement, and each number that was migrated. A record whose outcome is open may have no
such line; there are few of these, and all are read. So the cost does not depend on the size of the registry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .._fields import identity
from .._model import FORGOTTEN
from .backends.interface import Transaction
from .records import RecordReader, chunks, placeholders


def find_lost(
    transaction: Transaction, records: RecordReader, platform: str, numbers: Collection[str]
) -> list[str]:
    """Return those numbers which the registry must know, though a look-up does not find their record."""
    open_numbers = _open_numbers(transaction, records, platform)
    lost: set[str] = set()
    for some in chunks(numbers):
        found: dict[str, str | None] = dict(
            transaction.query(
                "SELECT n.number, r.record_key FROM numbers n LEFT JOIN records r ON r.record_key = n.record_key"
                f" WHERE n.platform = ? AND n.number IN ({placeholders(some)})",
                platform,
                *some,
            )
        )
        lost.update(number for number, key in found.items() if key is None)
        # Those that are found by now were created by another run meanwhile.
        absent = [number for number in some if number not in found]
        lost.update(open_numbers.intersection(absent))
        if absent:
            lost.update(_lost_by_history(transaction, records, platform, absent))
    return sorted(lost)


def _open_numbers(transaction: Transaction, records: RecordReader, platform: str) -> set[str]:
    """Return the numbers of the records whose outcome is open, as these hold them."""
    rows = transaction.query(
        # The condition of an index.
        "SELECT fields, attempted FROM records WHERE platform = ? AND outcome <> 'confirmed'",
        platform,
    )
    return {number for row in rows for number in _stored_numbers(records, row)}


def _lost_by_history(
    transaction: Transaction, records: RecordReader, platform: str, numbers: Sequence[str]
) -> set[str]:
    """Return the numbers which the history gives to a record that is neither gone on purpose nor has got another number."""
    lines = transaction.query(
        "SELECT DISTINCT number, record_key FROM history WHERE platform = ? AND event <> ? AND record_key IS NOT NULL"
        f" AND number IN ({placeholders(numbers)})",
        platform,
        FORGOTTEN,
        *numbers,
    )
    lost: set[str] = set()
    for some in chunks({key for _number, key in lines}):
        forgotten = transaction.query(
            # The condition of an index.
            f"SELECT record_key FROM history WHERE event = 'forgotten' AND record_key IN ({placeholders(some)})",
            *some,
        )
        rows = transaction.query(
            f"SELECT record_key, fields, attempted FROM records WHERE record_key IN ({placeholders(some)})",
            *some,
        )
        gone = {key for (key,) in forgotten}
        stored = {key: _stored_numbers(records, row) for key, *row in rows}
        lost.update(
            number
            for number, key in lines
            if key in some and key not in gone and (key not in stored or number in stored[key])
        )
    return lost


def _stored_numbers(records: RecordReader, row: Sequence[str]) -> set[str]:
    """Return the identities of the numbers that a record holds. C(row): its columns C(fields) and C(attempted)."""
    written = (records.load(text).get("did_number") for text in row)
    return {identity(number) for number in written if number is not None}
