# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes a person's corrections of records."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from .._model import Correction, Record, timestamp
from .backends.interface import Transaction
from .history import history_row
from .records import confirmed_record, insert, insert_confirmed, new_key, record_state
from .transactions import StaleRecord


def write_corrections(
    transaction: Transaction,
    now: str,
    platform: str,
    corrections: Sequence[Correction],
    report: Callable[[int, int, int], None],
) -> list[Record]:
    """Write corrections. Returns the records that they leave. Raises C(StaleRecord) where one has changed since it was read, or is claimed.

    :param report: is told how many are written, how many there are, and how many of those written have failed, which is none.
    """
    # All are deleted before the first is inserted: a number or a record id may pass from one record to another.
    for correction in corrections:
        if correction.known is not None:
            _delete(transaction, now, correction.known)
    written: list[Record | None] = []
    for count, correction in enumerate(corrections):
        report(count, len(corrections), 0)
        written.append(_insert(transaction, platform, correction))
    return [record for record in written if record is not None]


def _delete(transaction: Transaction, now: str, known: Record) -> None:
    transaction.execute("DELETE FROM numbers WHERE record_key = ?", known.key)
    deleted = transaction.execute(
        "DELETE FROM records WHERE record_key = ? AND version = ?"
        f" AND (claim_token IS NULL OR claim_until <= {now})",
        known.key,
        known.version,
    )
    if deleted != 1:
        raise StaleRecord


def _insert(transaction: Transaction, platform: str, correction: Correction) -> Record | None:
    known, new_state = correction.known, correction.new_state
    record = None
    if new_state is not None:
        record = confirmed_record(
            new_key() if known is None else known.key,
            1 if known is None else known.version + 1,
            new_state.record_id,
            new_state.number,
            new_state.fields,
            None if known is None else known.confirmed_at,
        )
        insert_confirmed(transaction, platform, record, timestamp())
    subject = new_state or known
    record_id = None if subject is None else subject.record_id
    details: dict[str, t.Any] = {"before": None if known is None else record_state(known)}
    if correction.attempt is not None:
        details["attempt"] = correction.attempt
    if known is not None and record is None:
        # Shows that the record is gone on purpose.
        details["record_key"] = known.key
    key = getattr(record or known, "key", None)
    row = history_row(correction.event, platform, correction.number, record_id, details, key)
    insert(transaction, "history", row)
    return record
