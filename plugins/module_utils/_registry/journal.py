# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes to the registry while a run lasts: intents with their claims, and what comes of them; and a person's corrections."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence

from .._errors import DidError, RegistryBusy
from .._model import UNCERTAIN, UNKNOWN, Correction, Intent, Record, timestamp
from .backends.interface import Collision, CommitUnknown, Transaction
from .confirmations import CLEAR_CLAIM, ConfirmedRequest, apply_answer, end_claim, write_answer
from .corrections import write_corrections
from .history import actor
from .move_marks import not_in_use_error
from .records import RecordReader, dump, insert, insert_number, new_key, record_state
from .transactions import StaleRecord, Transactions


class LateAnswer(Exception):
    """The answer to an intent contradicts what the registry holds by now: C(record). The answer is in the history."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record


class Journal:
    """Writes intents and their claims, answers and corrections.

    Outside C(atomic), what a method writes is durable when it returns; inside, when the block ends. The table C(history) is another
    thing: a line for each correction, and for an answer that came too late.
    """

    def __init__(self, transactions: Transactions, records: RecordReader) -> None:
        self._transactions = transactions
        self._records = records
        self._location = transactions.database.location
        # The claims that the open block of C(atomic) has taken.
        self._taken: list[str] | None = None
        # The claims of this run that inserted their record.
        self._new: set[str] = set()

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Make the writes inside the block one transaction: when it ends, all of them are durable, or none is written.

        C(LateAnswer), and a claim that is not granted, may be handled inside the block. Every other failure must leave it.
        """
        taken = self._taken = []
        try:
            with self._transactions.atomic():
                yield
        except Collision:
            raise RegistryBusy(
                f"The registry {self._location} is written by others at the same time. Try again later"
            ) from None
        except CommitUnknown:
            self._try_rollback(taken)
            raise
        finally:
            self._taken = None

    def claim(self, platform: str, intent: Intent) -> str | None:
        """Write an intent and take its claim. Returns its token, or None where the record has changed since it was read.

        The token is the key of a record that the claim inserts, so for a create it names the attempt.
        """
        token = new_key()
        try:
            if intent.known is None:
                granted = self._insert_claimed(platform, intent, token)
            else:
                granted = self._claim_known(platform, intent, intent.known, token)
        except Collision:
            return None
        except CommitUnknown:
            self._try_rollback([token])
            raise
        if not granted:
            return None
        if self._taken is not None:
            self._taken.append(token)
        return token

    def _insert_claimed(self, platform: str, intent: Intent, token: str) -> bool:
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
        }
        until = f"{self._transactions.database.now} + ?"
        with self._transactions.writing(savepoint=False) as transaction:
            if not insert(transaction, "records", values, ignore_conflict=True, claim_until=until):
                return False
            if not insert_number(transaction, platform, intent.number, token, ignore_conflict=True):
                transaction.execute("DELETE FROM records WHERE record_key = ?", token)
                return False
        self._new.add(token)
        return True

    def _claim_known(self, platform: str, intent: Intent, known: Record, token: str) -> bool:
        now = self._transactions.database.now
        with self._transactions.writing() as transaction:
            changed = transaction.execute(
                "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
                f" claim_token = ?, claim_until = {now} + ?, claim_holder = ?, claim_action = ?, claim_before = ?"
                f" WHERE record_key = ? AND version = ? AND (claim_token IS NULL OR claim_until <= {now})",
                intent.record_id,
                UNCERTAIN,
                dump({**known.attempted, **intent.stored_payload}),
                timestamp(),
                token,
                intent.lease,
                actor(),
                intent.action,
                dump(record_state(known)),
                known.key,
                known.version,
            )
            if changed and intent.number not in known.numbers:
                insert_number(transaction, platform, intent.number, known.key)
        return changed == 1

    def is_claim_valid(self, token: str, seconds: float) -> bool:
        """Tell whether this run still has the claim, with at least so many seconds left. May be called in any thread."""
        now = self._transactions.database.now
        query = f"SELECT 1 FROM records WHERE claim_token = ? AND claim_until - {now} >= ?"
        return bool(self._transactions.query_concurrently(query, token, seconds))

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        """Record that the request was applied, and end the claim. Raises C(LateAnswer) if the record contradicts that by now."""
        answer = ConfirmedRequest(token, platform, intent, record_id, at)
        return self._transactions.retry(lambda: self._confirm(answer))

    def _confirm(self, answer: ConfirmedRequest) -> Record:
        with self._transactions.writing(must_commit=True, allow_moved=True) as transaction:
            error: Exception | None = not_in_use_error(transaction.meta(), self._location)
            if error is not None:
                # The registry was moved while the request was under way: the answer is kept here, and reported.
                write_answer(transaction, answer)
            else:
                is_new = answer.token in self._new
                self._new.discard(answer.token)
                record, agrees = apply_answer(transaction, self._records, answer, is_new=is_new)
                error = None if agrees else LateAnswer(record)
        if error is not None:
            raise error
        return record

    def rollback(self, token: str) -> None:
        """Record that the request was certainly not applied: the record is again as before the claim."""
        self._transactions.retry(lambda: self._rollback(token))

    def _try_rollback(self, tokens: Sequence[str]) -> None:
        """Roll back claims under which nothing is sent, as it is not known whether they were written."""
        with contextlib.suppress(DidError, Collision):
            for token in tokens:
                self._rollback(token)

    def _rollback(self, token: str) -> None:
        with self._transactions.writing(must_commit=True) as transaction:
            rows = transaction.query(
                "SELECT record_key, claim_before FROM records WHERE claim_token = ?", token
            )
            for key, before in rows:
                if before is None:
                    transaction.execute("DELETE FROM numbers WHERE record_key = ?", key)
                    transaction.execute("DELETE FROM records WHERE record_key = ?", key)
                else:
                    self._restore(transaction, key, self._records.load(before))

    def _restore(self, transaction: Transaction, key: str, before: Mapping[str, t.Any]) -> None:
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

    def mark_unknown(self, token: str) -> None:
        """End the claim of a request whose outcome is not known. The record stays unknown or uncertain."""
        self._transactions.retry(lambda: self._mark_unknown(token))

    def _mark_unknown(self, token: str) -> None:
        with self._transactions.writing(must_commit=True) as transaction:
            end_claim(transaction, token)

    def apply_corrections(
        self,
        platform: str,
        corrections: Sequence[Correction],
        report: Callable[[int, int, int], None] = lambda done, total, failed: None,
    ) -> bool:
        """Apply all corrections or none. Returns False where a record has changed since it was read, or is claimed.

        :param report: as in C(write_corrections).
        """
        now = self._transactions.database.now
        try:
            with self._transactions.writing() as transaction:
                write_corrections(transaction, now, platform, corrections, report)
        except (Collision, StaleRecord):
            return False
        return True
