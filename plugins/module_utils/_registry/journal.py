# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes to the registry while a run lasts: intents with their claims, and what comes of them; and a person's corrections."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable, Iterable, Sequence

from .._errors import DidError, RegistryBusy, RegistryUnavailable
from .._model import Correction, Intent, Record, timestamp
from .backends.interface import Collision, CommitUnknown, PipelineFailed, T, Transaction
from .confirmations import ConfirmedRequest, apply_answer, confirm_claimed, end_claim, write_answer
from .corrections import write_corrections
from .intents import undo_intent, write_intent
from .leases import Clocks, Lease, read_clocks
from .move_marks import not_in_use_error
from .records import RecordReader, new_key
from .recovery import RecordedOutcome, RecordedOutcomes, record_left, witness_entry
from .runs import RunWriter
from .transactions import StaleRecord, Transactions
from .witness import Witness
from .witness_file import Entry


class LateAnswer(Exception):
    """The answer to an intent contradicts what the registry holds by now: C(record). The answer is in the history."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record


class _HeldClaim(t.NamedTuple):
    """A claim of this run that has not ended. C(at): when it was granted."""

    platform: str
    intent: Intent
    at: str
    lease: Lease


class Journal:
    """Writes intents and their claims, answers and corrections.

    Outside C(atomic), what a method writes is durable when it returns; inside, when that returns. The table C(history) is another
    thing: a line for each correction and for each answer.
    """

    # The clocks of this host, as C(Database.now) is that of the registry.
    clocks: Callable[[], Clocks | None] = staticmethod(read_clocks)

    def __init__(
        self, transactions: Transactions, records: RecordReader, witness: Witness | None = None
    ) -> None:
        self._transactions = transactions
        self._witness = witness
        self._records = records
        self._location = transactions.database.location
        # The claims that the open transaction of C(atomic) has taken.
        self._taken: list[str] | None = None
        # What it has recorded of requests.
        self._recorded: list[RecordedOutcome] | None = None
        # By token.
        self._claims: dict[str, _HeldClaim] = {}
        self._outcomes = RecordedOutcomes(records, transactions.database.now)
        # Claims that may be in the registry though their request was certainly not applied: it was refused, or never sent.
        self._to_undo: set[str] = set()
        # How many outcomes the registry had lost, and were recorded again.
        self.restored = 0
        # The run whose requests these are. Its row is written with its first claim.
        self.runs = RunWriter()
        transactions.restore = self._restore

    def atomic(self, work: Callable[[], T]) -> T:
        """Make the writes of an idempotent unit of work one transaction: when this returns, all of them are durable, or none is written.

        C(LateAnswer), and a claim that is not granted, may be handled by the work. Every other failure must leave it. It is run once
        more where its statements were sent together and one of them was not granted.
        """
        try:
            return self._run_atomically(work)
        except PipelineFailed:
            return self._run_atomically(work)

    def _run_atomically(self, work: Callable[[], T]) -> T:
        taken = self._taken = []
        recorded = self._recorded = []
        self.runs.discard()
        try:
            with self._transactions.atomic():
                result = work()
            self.runs.note_commit()
            self._keep(recorded)
            return result
        except Collision:
            raise RegistryBusy(
                f"The registry {self._location} is written by others at the same time. Try again later"
            ) from None
        except CommitUnknown:
            self._to_undo.update(taken)
            raise
        finally:
            self._taken = self._recorded = None

    def claim(self, platform: str, intent: Intent) -> str | None:
        """Write an intent and take its claim. Returns its token, or None where the record has changed since it was read.

        The token is the key of a record that the claim inserts, so for a create it names the attempt.
        """
        return self._transactions.retry(lambda: self._claim(platform, intent))

    def _claim(self, platform: str, intent: Intent) -> str | None:
        token = new_key()
        database = self._transactions.database
        clocks = self.clocks()
        try:
            with self._transactions.writing(pipelined=True) as transaction:
                granted = write_intent(transaction, database.now, platform, intent, token)
                if granted:
                    self.runs.write_begin(transaction)
        except Collision:
            return None
        except CommitUnknown:
            # Nothing is sent under it. The next transaction rolls it back.
            self._to_undo.add(token)
            raise
        if not granted:
            return None
        lease = Lease(intent.lease, clocks, database.connections)
        self._claims[token] = _HeldClaim(platform, intent, timestamp(), lease)
        if self._taken is None:
            self.runs.note_commit()
        else:
            self._taken.append(token)
        return token

    def end_run(self, result: str) -> None:
        """Record how the run has ended, if it has begun. Not to be called inside C(atomic)."""
        if self.runs.has_begun:
            self._transactions.retry(lambda: self._end_run(result), records_outcome=True)

    def _end_run(self, result: str) -> None:
        with self._transactions.writing(records_outcome=True, pipelined=True) as transaction:
            self.runs.write_end(transaction, result)
        self.runs.note_commit()

    def is_claim_valid(self, token: str, seconds: float) -> bool:
        """Tell whether this run still has the claim, with at least so many seconds left. May be called in any thread."""
        database = self._transactions.database
        claim = self._claims.get(token)
        # Another server, or another file, may lack the claim.
        if (
            claim is not None
            and database.is_same_since(claim.lease.connections)
            and claim.lease.surely_holds(seconds, self.clocks())
        ):
            return True
        query = f"SELECT 1 FROM records WHERE claim_token = ? AND claim_until - {database.now} >= ?"
        return bool(self._transactions.query(query, token, seconds))

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        """Record that the request was applied, and end the claim. Raises C(LateAnswer) if the record contradicts that by now."""
        answer = ConfirmedRequest(token, platform, intent, record_id, at)
        outcome = RecordedOutcome(
            token, platform, intent, record_id, at, *record_left(intent, token)
        )
        try:
            record = self._transactions.retry(lambda: self._confirm(answer), records_outcome=True)
        except DidError:
            # The registry may have lost the claim, too.
            self._append_to_witness([outcome])
            raise
        self._remember(outcome._replace(key=record.key, version=record.version))
        return record

    def _remember(self, outcome: RecordedOutcome) -> None:
        if self._recorded is None:
            self._keep([outcome])
        else:
            self._recorded.append(outcome)

    def _keep(self, outcomes: Sequence[RecordedOutcome]) -> None:
        """Keep what is durable, for a server that lacks it; the claims have ended."""
        for outcome in outcomes:
            self._claims.pop(outcome.token, None)
        if self._transactions.database.reconnects:
            self._outcomes.remember(outcomes)
        self._append_to_witness(outcomes)

    def _append_to_witness(self, outcomes: Iterable[RecordedOutcome]) -> None:
        if self._witness is None:
            return
        by_platform: dict[str, list[Entry]] = {}
        for outcome in outcomes:
            entry = witness_entry(outcome)
            if entry is not None:
                by_platform.setdefault(outcome.platform, []).append(entry)
        for platform, entries in by_platform.items():
            self._witness.append(platform, entries)

    def _confirm(self, answer: ConfirmedRequest) -> Record:
        with self._transactions.writing(
            records_outcome=True, pipelined=True, allow_moved=True
        ) as transaction:
            error: Exception | None = not_in_use_error(transaction.meta(), self._location)
            if error is not None:
                # The registry was moved while the request was under way: the answer is kept here, and reported.
                write_answer(transaction, answer)
            else:
                confirmed = confirm_claimed(transaction, answer)
                record, agrees = (
                    apply_answer(transaction, self._records, answer)
                    if confirmed is None
                    else (confirmed, True)
                )
                self.runs.write_final_result(transaction)
                error = None if agrees else LateAnswer(record)
        if error is not None:
            raise error
        return record

    def rollback(self, token: str) -> None:
        """Record that the request was certainly not applied: the record is again as before the claim.

        Where that fails, the next transaction on a new connection does it, or C(undo_claims).
        """
        self._to_undo.add(token)
        self._transactions.retry(lambda: self._rollback(token), records_outcome=True)
        self._to_undo.discard(token)

    def _rollback(self, token: str) -> None:
        with self._transactions.writing(records_outcome=True) as transaction:
            undo_intent(transaction, self._records, token)

    def undo_claims(self) -> None:
        """Roll back the claims whose request was certainly not applied, as far as the registry can be written."""
        if self._to_undo:
            with contextlib.suppress(DidError, Collision):
                with self._transactions.writing() as transaction:
                    finish = self._restore(transaction)
                finish()

    def _restore(self, transaction: Transaction) -> Callable[[], None]:
        """Restore what the server of a new connection may lack. Returns what is to be done once that is committed."""
        undone = frozenset(self._to_undo)
        for token in undone:
            undo_intent(transaction, self._records, token)
        restored = self._outcomes.restore_lost(transaction)
        self.runs.restore(transaction)

        def finish() -> None:
            self._to_undo -= undone
            self._outcomes.replace(restored)
            self._append_to_witness(restored.values())
            self.restored += len(restored)

        return finish

    def mark_unknown(self, token: str) -> None:
        """End the claim of a request whose outcome is not known. The record stays unknown or uncertain."""
        claim = self._claims[token]
        key, version = record_left(claim.intent, token)
        outcome = RecordedOutcome(token, claim.platform, claim.intent, None, claim.at, key, version)
        self._transactions.retry(lambda: self._mark_unknown(outcome), records_outcome=True)
        self._remember(outcome)

    def _mark_unknown(self, outcome: RecordedOutcome) -> None:
        with self._transactions.writing(records_outcome=True) as transaction:
            if not end_claim(transaction, outcome.token):
                # The claim itself was lost with a server.
                self._outcomes.restore(transaction, outcome)

    def apply_corrections(
        self,
        platform: str,
        corrections: Sequence[Correction],
        report: Callable[[int, int, int], None] = lambda done, total, failed: None,
    ) -> bool:
        """Apply all corrections or none. Returns False where a record has changed since it was read, or is claimed.

        :param report: as in C(write_corrections).
        """
        try:
            written = self._transactions.retry(lambda: self._correct(platform, corrections, report))
        except (Collision, StaleRecord):
            return False
        if self._witness is not None:
            entries = [
                Entry(
                    each.did_number,
                    int(each.record_id or 0),
                    each.confirmed_at or "",
                    each.key,
                    each.version,
                )
                for each in written
            ]
            known = (each.known.record_id for each in corrections if each.known is not None)
            left = {entry.record_id for entry in entries}
            self._witness.drop(platform, frozenset(each for each in known if each) - left)
            self._witness.append(platform, entries)
        return True

    def _correct(
        self,
        platform: str,
        corrections: Sequence[Correction],
        report: Callable[[int, int, int], None],
    ) -> list[Record]:
        now = self._transactions.database.now
        try:
            with self._transactions.writing(pipelined=True) as transaction:
                return write_corrections(transaction, now, platform, corrections, report)
        except CommitUnknown as error:
            # Corrections that were written could not be written again.
            raise RegistryUnavailable(error.message) from None
