# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Records again what a run has recorded, where the registry has lost it: another server took a failed one's place without its newest writes.

What such a server lacks is the end of all commits: streaming replication, point-in-time recovery, dumps and backups keep a beginning of
them. So the newest outcomes are looked at first, and the search ends where none is missing.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from .._model import RECORDED, Intent, Record
from .backends.interface import Transaction
from .confirmations import ConfirmedRequest, apply_answer, confirm_record, end_claim
from .intents import write_intent
from .records import RecordReader, placeholders
from .witness_file import Entry

_CHUNK = 100


class RecordedOutcome(t.NamedTuple):
    """What a run has recorded of a request, durably as the registry said.

    C(record_id): None where it is not known whether the request was applied. C(at): of the answer, or of the claim where there was none; UTC,
    ISO 8601. C(key) and C(version): of the record as it was left.
    """

    token: str
    platform: str
    intent: Intent
    record_id: int | None
    at: str
    key: str
    version: int


def record_left(intent: Intent, token: str) -> tuple[str, int]:
    """Return key and version of the record that a claim leaves when it ends without an answer."""
    return (token, 2) if intent.known is None else (intent.known.key, intent.known.version + 2)


def witness_entry(outcome: RecordedOutcome) -> Entry | None:
    """Return the entry of the witness for an outcome, None for one that leaves the record its id and its number."""
    intent, known = outcome.intent, outcome.intent.known
    if outcome.record_id is None:
        return None
    did_number = intent.stored_payload.get("did_number")
    has_number = did_number is None or (known is not None and known.numbers == (intent.number,))
    if known is not None and known.record_id == outcome.record_id and has_number:
        return None
    if did_number is None and known is not None:
        did_number = known.did_number
    return Entry(did_number, outcome.record_id, outcome.at, outcome.key, outcome.version)


class RecordedOutcomes:
    """The outcomes that a run has recorded, oldest first. C(now): the SQL of the time."""

    def __init__(self, records: RecordReader, now: str) -> None:
        self._records = records
        self._now = now
        self._outcomes: list[RecordedOutcome] = []

    def remember(self, outcomes: Sequence[RecordedOutcome]) -> None:
        """Take further outcomes, once the transaction that recorded them is durable."""
        self._outcomes += outcomes

    def restore_lost(self, transaction: Transaction) -> dict[str, RecordedOutcome]:
        """Record again what the registry has lost. Returns how that is recorded now, by token."""
        lost: list[RecordedOutcome] = []
        for end in range(len(self._outcomes), 0, -_CHUNK):
            newest = self._outcomes[max(0, end - _CHUNK) : end]
            missing = self._missing(transaction, newest)
            lost = missing + lost
            if newest[0] not in missing:
                break
        return {
            outcome.token: self._reread(transaction, outcome)
            for outcome in lost
            if self.restore(transaction, outcome)
        }

    def replace(self, restored: Mapping[str, RecordedOutcome]) -> None:
        """Take restored outcomes in place of those that were lost, once the transaction is durable."""
        if restored:
            self._outcomes = [restored.get(each.token, each) for each in self._outcomes]

    def _missing(
        self, transaction: Transaction, outcomes: Sequence[RecordedOutcome]
    ) -> list[RecordedOutcome]:
        keys = [outcome.key for outcome in outcomes]
        query = (
            f"SELECT record_key, version FROM records WHERE record_key IN ({placeholders(keys)})"
        )
        versions: dict[str, int] = dict(transaction.query(query, *keys))
        return [each for each in outcomes if versions.get(each.key, 0) < each.version]

    def restore(self, transaction: Transaction, outcome: RecordedOutcome) -> bool:
        """Record an outcome again, unless people have corrected it since. Returns whether it was recorded."""
        if self._is_corrected(transaction, outcome):
            return False
        return self._restore(transaction, outcome)

    def _is_corrected(self, transaction: Transaction, outcome: RecordedOutcome) -> bool:
        """Tell whether people have corrected the record since. No times are compared, as the clocks of runners differ."""
        # No later record gets the key of one that was forgotten. The first condition is that of an index.
        if transaction.query(
            "SELECT 1 FROM history WHERE event = 'forgotten' AND record_key = ?", outcome.key
        ):
            return True
        query = "SELECT record_key FROM history WHERE platform = ? AND event = ? AND (number = ? OR record_id = ?)"
        number, record_id = outcome.intent.number, outcome.record_id
        rows = transaction.query(query, outcome.platform, RECORDED, number, record_id)
        recorded = {key for (key,) in rows}
        return bool(recorded) and any(
            record.key in recorded and not self._is_before(record, outcome)
            for record in self._holders(transaction, outcome)
        )

    def _holders(self, transaction: Transaction, outcome: RecordedOutcome) -> list[Record]:
        """Return the records that have the key, the record id or the number of an outcome now."""
        condition = "r.record_key = ? OR (r.platform = ? AND r.record_id = ?)"
        found = self._records.select(
            transaction, condition, outcome.key, outcome.platform, outcome.record_id
        )
        number = outcome.intent.number
        numbers = [] if number is None else [number]
        by_number = self._records.by_numbers(transaction, outcome.platform, numbers)
        return [*found.values(), *by_number.values()]

    def _is_before(self, record: Record, outcome: RecordedOutcome) -> bool:
        """Tell whether a record is as it was before an outcome, or as the claim left it. Another record has come since."""
        known = outcome.intent.known
        if record.claim is not None and record.claim.token == outcome.token:
            return True
        return known is not None and record.key == known.key and record.version <= known.version

    def _restore(self, transaction: Transaction, outcome: RecordedOutcome) -> bool:
        if outcome.record_id is None:
            return self._restore_unknown(transaction, outcome)
        answer = ConfirmedRequest(
            outcome.token, outcome.platform, outcome.intent, outcome.record_id, outcome.at
        )
        record = self._older_record(transaction, outcome)
        if record is None:
            apply_answer(transaction, self._records, answer, is_lost=True)
        else:
            confirm_record(transaction, record, answer)
        return True

    def _older_record(self, transaction: Transaction, outcome: RecordedOutcome) -> Record | None:
        """Return the record as it was before this outcome, if nobody else holds it and no other record has the id or the number."""
        found = {record.key: record for record in self._holders(transaction, outcome)}
        record = found.get(outcome.key)
        if record is None or len(found) > 1:
            return None
        claim = record.claim
        is_held = claim is not None and claim.live and claim.token != outcome.token
        return None if is_held else record

    def _restore_unknown(self, transaction: Transaction, outcome: RecordedOutcome) -> bool:
        if end_claim(transaction, outcome.token):
            return True
        # The request may have been applied: without the intent, the next run would create the DID again.
        known = None
        if outcome.intent.known is not None:
            known = self._older_record(transaction, outcome)
        intent = outcome.intent._replace(known=known, lease=0)  # pylint: disable=no-member
        return write_intent(transaction, self._now, outcome.platform, intent, outcome.token)

    def _reread(self, transaction: Transaction, outcome: RecordedOutcome) -> RecordedOutcome:
        """Return an outcome with key and version of the record that has it now."""
        query = "SELECT record_key, version FROM records WHERE platform = ? AND (claim_token = ? OR record_id = ?)"
        rows = transaction.query(query, outcome.platform, outcome.token, outcome.record_id)
        if len(rows) != 1:
            return outcome
        ((key, version),) = rows
        return outcome._replace(key=key, version=version)  # pylint: disable=no-member
