# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Records an answer of the platform in the record that its intent was for, whatever has become of that record meanwhile."""

from __future__ import annotations

import typing as t

from .._model import ANSWERED, APPLIED_EVENT, CONFIRMED, Intent, Record
from .backends.interface import Transaction
from .history import request_row
from .records import (
    CLEAR_CLAIM,
    ID_IS_FREE,
    RecordReader,
    confirmed_record,
    dump,
    insert,
    insert_confirmed,
    insert_number,
    new_key,
    not_kept,
)


class ConfirmedRequest(t.NamedTuple):
    """What the platform answered to an intent: it applied the request. C(at): UTC, ISO 8601."""

    token: str
    platform: str
    intent: Intent
    record_id: int
    at: str

    def row(self, record_key: str) -> dict[str, t.Any]:
        """Return the line of history that it leaves: what each field was before, and is now. Its key is the token: a claim has one at most.

        :param record_key: of the record that it confirms.
        """
        changes = {name: [*change] for name, change in self.intent.changes.items()}
        row = request_row(
            APPLIED_EVENT,
            self.platform,
            self.intent,
            self.record_id,
            {"changes": changes},
            record_key,
        )
        return {**row, "entry_key": self.token, "at": self.at}


def apply_answer(
    transaction: Transaction,
    records: RecordReader,
    answer: ConfirmedRequest,
    *,
    is_lost: bool = False,
) -> tuple[Record, bool]:
    """Record an answer, with the line of history that it leaves. Returns what the record is now, and whether it agrees with the answer.

    :param is_lost: whether the answer was recorded before, and the registry has lost that.
    """
    token, platform, intent, record_id, at = answer
    condition = "r.claim_token = ? OR (r.platform = ? AND r.record_id = ?)"
    found = records.select(transaction, condition, token, platform, record_id).values()
    claimed = next((each for each in found if each.claim and each.claim.token == token), None)
    by_id = next((each for each in found if each.record_id == record_id), None)
    if claimed is not None and (by_id is None or by_id.key == claimed.key):
        return confirm_record(transaction, claimed, answer), True
    by_number = None
    if intent.number is not None:
        by_number = records.by_numbers(transaction, platform, [intent.number]).get(intent.number)
    # Records are compared by key: two reads of one differ in the seconds that its claim has left.
    looked_up = by_id if intent.number is None else by_number
    keys = {None if record is None else record.key for record in (by_id, looked_up)}
    # Another run, or a person, may have recorded the same.
    agrees = claimed is None and len(keys) == 1
    if agrees and by_id is not None and _is_confirmed_by(by_id, answer):
        return by_id, True  # an earlier commit of this answer was written, though nothing said so
    is_unknown = by_id is None and by_number is None
    record = by_id or by_number
    if record is None:
        # The DID was forgotten, or an older registry was restored. The answer proves that the DID exists.
        record = confirmed_record(new_key(), 1, record_id, intent.number, intent.stored_payload, at)
        insert_confirmed(transaction, platform, record, at)
    if is_lost and is_unknown:
        insert(transaction, "history", answer.row(record.key), ignore_conflict=True)
    else:
        write_answer(transaction, answer, record.key)
    end_claim(transaction, token)
    return record, agrees or is_unknown


def confirm_claimed(transaction: Transaction, answer: ConfirmedRequest) -> Record | None:
    """Confirm the record as its claim left it, in one statement that takes no look at it.

    Returns None where anything has changed since, or a number is to be deleted: that is for C(apply_answer).
    """
    token, platform, intent, record_id, at = answer
    known = intent.known
    if known is None:
        numbers: tuple[str, ...] = () if intent.number is None else (intent.number,)
        key, version, fields = token, 1, intent.stored_payload
    else:
        numbers, key, version = known.numbers, known.key, known.version + 1
        fields = _known_fields(known, intent)
        if "did_number" in intent.stored_payload and numbers != (intent.number,):
            return None
    new_fields = () if known is None else (dump(fields),)
    sql = (
        f"UPDATE records SET version = version + 1, fields = {'?' if new_fields else 'attempted'}, record_id = ?, outcome = ?,"
        f" attempted = '{{}}', confirmed_at = ?, changed_at = ?, {CLEAR_CLAIM}"
        f" WHERE record_key = ? AND version = ? AND claim_token = ? AND {ID_IS_FREE}"
    )
    values = (record_id, CONFIRMED, at, at, key, version, token, platform, record_id, key)
    if not transaction.change_one_and_insert(
        sql, (*new_fields, *values), "history", answer.row(key)
    ):
        return None
    return Record(key, version + 1, record_id, CONFIRMED, numbers, fields, {}, at, None)


def _known_fields(record: Record, intent: Intent) -> dict[str, t.Any]:
    """Return what is known of a record's fields once its request was applied."""
    # A field is not known if an earlier request of unknown outcome may have changed it and this request did not send it.
    doubtful = intent.known.attempted if intent.known is not None else {}
    certain = {name: value for name, value in record.fields.items() if name not in doubtful}
    return {**certain, **intent.stored_payload}


def confirm_record(transaction: Transaction, record: Record, answer: ConfirmedRequest) -> Record:
    """Confirm the record that an answer is about. Returns what it is now."""
    intent, record_id, at = answer.intent, answer.record_id, answer.at
    fields = _known_fields(record, intent)
    sql = (
        "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, fields = ?, attempted = '{}', confirmed_at = ?,"
        f" changed_at = ?, {CLEAR_CLAIM} WHERE record_key = ?"
    )
    values = (record_id, CONFIRMED, dump(fields), at, at, record.key)
    row = answer.row(record.key)
    if not transaction.change_one_and_insert(sql, values, "history", row):
        raise not_kept()
    numbers = record.numbers
    if "did_number" in intent.stored_payload and numbers != (intent.number,):
        if intent.number not in numbers:
            # A server has lost the claim, which had added it.
            insert_number(transaction, answer.platform, intent.number, record.key)
        numbers = (str(intent.number),)
        transaction.execute(
            "DELETE FROM numbers WHERE record_key = ? AND number <> ?", record.key, intent.number
        )
    confirmed = confirmed_record(record.key, record.version + 1, record_id, None, fields, at)
    return confirmed._replace(numbers=numbers)


def _is_confirmed_by(record: Record, answer: ConfirmedRequest) -> bool:
    """Tell whether a record is just as this answer leaves it."""
    payload = answer.intent.stored_payload
    same = all(record.fields.get(name) == value for name, value in payload.items())
    return same and (record.outcome, record.confirmed_at) == (CONFIRMED, answer.at)


def write_answer(
    transaction: Transaction, answer: ConfirmedRequest, record_key: str | None = None
) -> None:
    """Keep an answer that no longer fits its record in the history. C(record_key): of the record that it is about, None if that is not known."""
    intent = answer.intent
    details = {"action": intent.action, "sent": intent.stored_payload}
    insert(
        transaction,
        "history",
        request_row(ANSWERED, answer.platform, intent, answer.record_id, details, record_key),
    )


def end_claim(transaction: Transaction, token: str) -> bool:
    """End a claim. Its token stays, so that an answer that arrives later still finds the record. Returns whether a record has it."""
    sql = "UPDATE records SET version = version + 1, claim_until = 0 WHERE claim_token = ?"
    return transaction.execute(sql, token) == 1
