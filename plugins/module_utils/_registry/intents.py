# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes intents with their claims, and undoes them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .._model import UNCERTAIN, UNKNOWN, Intent, Record, timestamp
from .backends.interface import Transaction
from .history import actor
from .records import (
    CLEAR_CLAIM,
    ID_IS_FREE,
    RecordReader,
    dump,
    insert,
    insert_number,
    record_state,
)


def write_intent(
    transaction: Transaction, now: str, platform: str, intent: Intent, token: str
) -> bool:
    """Write an intent and take its claim. Returns False where the record has changed since it was read.

    :param now: the SQL of the time, C(Database.now).
    """
    if intent.known is None:
        return _insert_claimed(transaction, now, platform, intent, token)
    return _claim_known(transaction, now, platform, intent, intent.known, token)


def _insert_claimed(
    transaction: Transaction, now: str, platform: str, intent: Intent, token: str
) -> bool:
    values = {
        "record_key": token,
        "platform": platform,
        "version": 1,
        "record_id": intent.record_id,
        "outcome": UNKNOWN if intent.record_id is None else UNCERTAIN,
        "fields": "{}",
        "attempted": dump(intent.stored_payload),
        "changed_at": timestamp(),
        "claim_token": token,
        "claim_until": intent.lease,
        "claim_holder": actor(),
        "claim_action": intent.action,
        "claim_run": intent.run,
    }
    if not insert(transaction, "records", values, ignore_conflict=True, claim_until=f"{now} + ?"):
        return False
    if not insert_number(transaction, platform, intent.number, token, ignore_conflict=True):
        transaction.execute("DELETE FROM records WHERE record_key = ?", token)
        return False
    return True


def _claim_known(
    transaction: Transaction, now: str, platform: str, intent: Intent, known: Record, token: str
) -> bool:
    is_renumbered = intent.number is not None and intent.number not in known.numbers
    if is_renumbered and not _add_number(transaction, platform, intent.number, known.key):
        return False
    changed = transaction.change_one(
        "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
        f" claim_token = ?, claim_until = {now} + ?, claim_holder = ?, claim_action = ?, claim_before = ?,"
        " claim_run = ?"
        f" WHERE record_key = ? AND version = ? AND (claim_token IS NULL OR claim_until <= {now}) AND {ID_IS_FREE}",
        intent.record_id,
        UNCERTAIN,
        dump({**known.attempted, **intent.stored_payload}),
        timestamp(),
        token,
        intent.lease,
        actor(),
        intent.action,
        dump(record_state(known)),
        intent.run,
        known.key,
        known.version,
        platform,
        intent.record_id,
        known.key,
    )
    if is_renumbered and not changed:
        transaction.execute(
            "DELETE FROM numbers WHERE record_key = ? AND number = ?", known.key, intent.number
        )
    return changed


def _add_number(transaction: Transaction, platform: str, number: str | None, key: str) -> bool:
    """Insert a further number of a record. Returns False where the number is another record's, or the record is gone."""
    return transaction.change_one(
        "INSERT INTO numbers (platform, number, record_key) SELECT platform, ?, record_key FROM records"
        " WHERE platform = ? AND record_key = ? ON CONFLICT DO NOTHING",
        number,
        platform,
        key,
    )


def undo_intent(transaction: Transaction, records: RecordReader, token: str) -> None:
    """Leave the record as it was before a claim: without a row, where the claim made it."""
    rows = transaction.query(
        "SELECT record_key, claim_before FROM records WHERE claim_token = ?", token
    )
    for key, before in rows:
        if before is None:
            transaction.execute("DELETE FROM numbers WHERE record_key = ?", key)
            transaction.execute("DELETE FROM records WHERE record_key = ?", key)
        else:
            _restore(transaction, key, records.load(before))


def _restore(transaction: Transaction, key: str, before: Mapping[str, t.Any]) -> None:
    transaction.execute(
        "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
        f" {CLEAR_CLAIM} WHERE record_key = ?",
        before["record_id"],
        before["outcome"],
        dump(before["attempted"]),
        timestamp(),
        key,
    )
    for (number,) in transaction.query("SELECT number FROM numbers WHERE record_key = ?", key):
        if number not in before["numbers"]:
            transaction.execute(
                "DELETE FROM numbers WHERE record_key = ? AND number = ?", key, number
            )
