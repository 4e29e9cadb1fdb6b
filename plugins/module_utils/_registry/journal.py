# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writing to the registry: intents and their claims, answers, corrections, new tables."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import time
import typing as t

from .._errors import DidError, RegistryBusy
from .._model import CONFIRMED, UNCERTAIN, UNKNOWN, Record, timestamp
from .backends.interface import Collision, CommitUnknown
from .identity import not_in_use
from .transactions import Outdated, _Transactions

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterator, Mapping, Sequence

    from .._model import Correction, Holding, Intent, Record
    from .backends.interface import Transaction
    from .records import Rows
    from .transactions import Access


class LateAnswer(Exception):
    """The answer to an intent does not fit what the registry holds by now: C(record). It is in the history."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record


_UNCLAIMED = "claim_token = NULL, claim_until = NULL, claim_holder = NULL, claim_action = NULL, claim_before = NULL"


@functools.cache
def runner() -> str:
    """Return who runs this, as user@host, for claims and history."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())  # a container's user often has no name
    return f"{user}@{socket.gethostname()}"


class _Answer(t.NamedTuple):
    """What the platform answered to an intent."""

    token: str
    platform: str
    intent: Intent
    record_id: int
    at: str


class Journal:
    """Writes intents and their claims, answers and corrections. What is written is durable when the method returns."""

    def __init__(self, access: Access, rows: Rows, location: str) -> None:
        self._access = access
        self._transactions = _Transactions(access)
        self._rows = rows
        self._location = location
        self._claimed: list[str] | None = None
        # The claims of this run that have made their record.
        self._begun: set[str] = set()

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Make the writes inside the block one transaction: all of them are durable when it ends, and not before, or none is.

        C(LateAnswer), and a C(claim) that is not granted, may be dealt with inside it; every other failure must leave it.
        """
        claimed = self._claimed = []
        try:
            with self._transactions.atomic():
                yield
        except Collision:
            raise RegistryBusy(
                f"The registry {self._location} is written by others at the same time. Try again later"
            ) from None
        except CommitUnknown:
            self._undo(claimed)
            raise
        finally:
            self._claimed = None

    def _undo(self, tokens: Sequence[str]) -> None:
        """Take back claims under which nothing is sent, as it is not known whether they were written."""
        with contextlib.suppress(DidError, Collision):
            for token in tokens:
                self._rollback(token)

    def claim(self, platform: str, intent: Intent) -> str | None:
        """Record an intent and take its claim. Returns its token, or None where the record is no longer as planned with.

        A record that the claim makes bears the token as its key: for a create, the token is the attempt.
        """
        token = _new_key()
        try:
            if intent.known is None:
                granted = self._insert_claimed(platform, intent, token)
            else:
                granted = self._take_claim(platform, intent, intent.known, token)
        except Collision:
            return None
        except CommitUnknown:
            self._undo([token])
            raise
        if not granted:
            return None
        if self._claimed is not None:
            self._claimed.append(token)
        return token

    def _insert_claimed(self, platform: str, intent: Intent, token: str) -> bool:
        # The claim's token is the key of the record that it makes, so whoever claims knows which attempt it is.
        key = token
        with self._transactions.writing(whole=True) as transaction:
            inserted = transaction.execute(
                "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, changed_at,"
                " claim_token, claim_until, claim_holder, claim_action)"
                f" VALUES (?, ?, 1, ?, ?, '{{}}', ?, ?, ?, {self._transactions.now} + ?, ?, ?) ON CONFLICT DO NOTHING",
                key,
                platform,
                intent.record_id,
                UNKNOWN if intent.record_id is None else UNCERTAIN,
                _dump(intent.sending),
                timestamp(),
                token,
                intent.lease,
                runner(),
                intent.action,
            )
            if inserted and intent.number is not None:
                numbered = transaction.execute(
                    "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    platform,
                    intent.number,
                    key,
                )
                if not numbered:
                    transaction.execute("DELETE FROM records WHERE record_key = ?", key)
                    return False
        if inserted:
            self._begun.add(token)
        return inserted == 1

    def _take_claim(self, platform: str, intent: Intent, known: Record, token: str) -> bool:
        with self._transactions.writing() as transaction:
            changed = transaction.execute(
                "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
                f" claim_token = ?, claim_until = {self._transactions.now} + ?, claim_holder = ?, claim_action = ?, claim_before = ?"
                f" WHERE record_key = ? AND version = ? AND (claim_token IS NULL OR claim_until <= {self._transactions.now})",
                intent.record_id,
                UNCERTAIN,
                _dump({**known.attempted, **intent.sending}),
                timestamp(),
                token,
                intent.lease,
                runner(),
                intent.action,
                _dump(_described(known)),
                known.key,
                known.version,
            )
            if changed and intent.number is not None and intent.number not in known.numbers:
                transaction.execute(
                    "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?)",
                    platform,
                    intent.number,
                    known.key,
                )
        return changed == 1

    def is_claim_valid(self, token: str, seconds: float) -> bool:
        """Tell whether the claim is still this run's and has at least so many seconds left. Any thread may ask."""
        query = f"SELECT 1 FROM records WHERE claim_token = ? AND claim_until - {self._transactions.now} >= ?"
        return bool(self._access.query_concurrently(query, token, seconds))

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        """Record that the request was applied, and end the claim. Raises C(LateAnswer) if the record went another way."""
        answer = _Answer(token, platform, intent, record_id, at)
        return self._transactions.retry(lambda: self._confirm(answer))

    def _confirm(self, answer: _Answer) -> Record:
        with self._transactions.writing(must_commit=True, retired=True) as transaction:
            end: Record | Exception | None = not_in_use(transaction.meta(), self._location)
            if end is None:
                end = self._take(transaction, answer)
            else:
                # It was moved while the request was under way: the answer is kept here, and told.
                self._write_answered(transaction, answer)
        if isinstance(end, Exception):
            raise end
        return end

    def _take(self, transaction: Transaction, answer: _Answer) -> Record | LateAnswer:
        token, platform, intent, record_id, at = answer
        begun = token in self._begun
        self._begun.discard(token)
        if begun and self._settle_new(transaction, answer):
            numbers = () if intent.number is None else (intent.number,)
            return Record(
                token, 2, record_id, CONFIRMED, numbers, dict(intent.sending), {}, at, None
            )
        found = self._rows.select(
            transaction,
            "r.claim_token = ? OR (r.platform = ? AND r.record_id = ?)",
            token,
            platform,
            record_id,
        ).values()
        record = next((each for each in found if each.claim and each.claim.token == token), None)
        by_id = next((each for each in found if each.record_id == record_id), None)
        if record is not None and (by_id is None or by_id.key == record.key):
            return self._settle(transaction, record, intent, record_id, at)
        by_number = self._by_number(transaction, platform, intent.number)
        # By key: two looks at one record differ in the seconds that a claim on it has left.
        looked_up = by_id if intent.number is None else by_number
        keys = {None if found is None else found.key for found in (by_id, looked_up)}
        # Another run, or a person, may have come to the same end.
        agrees = record is None and len(keys) == 1
        if agrees and by_id is not None and _is_settled(by_id, intent, at):
            return by_id  # by this very answer: its first commit was not heard of
        self._write_answered(transaction, answer)
        self._end_claim(transaction, token)
        if by_id is None and by_number is None:
            # The DID was forgotten, or an older registry was restored: now it is known that it exists.
            key = self._insert_answer(transaction, platform, intent, record_id, at)
            return self._known(transaction, key)
        if agrees and by_id is not None:
            return by_id
        return LateAnswer(t.cast("Record", by_id or by_number))

    def _settle_new(self, transaction: Transaction, answer: _Answer) -> bool:
        """Take an answer into the record that its claim has made, if nothing has come in between. Returns whether it could be."""
        changed = transaction.execute(
            "UPDATE records SET version = 2, record_id = ?, outcome = ?, fields = attempted, attempted = '{}', confirmed_at = ?,"
            f" changed_at = ?, {_UNCLAIMED} WHERE record_key = ? AND version = 1 AND claim_token = ? AND NOT EXISTS"
            " (SELECT 1 FROM records o WHERE o.platform = ? AND o.record_id = ? AND o.record_key <> ?)",
            answer.record_id,
            CONFIRMED,
            answer.at,
            answer.at,
            answer.token,
            answer.token,
            answer.platform,
            answer.record_id,
            answer.token,
        )
        return changed == 1

    def _write_answered(self, transaction: Transaction, answer: _Answer) -> None:
        intent = answer.intent
        self._write_history(
            transaction,
            "answered",
            answer.platform,
            intent.number,
            answer.record_id,
            {"action": intent.action, "sent": intent.sending},
        )

    def _by_number(
        self, transaction: Transaction, platform: str, number: str | None
    ) -> Record | None:
        if number is None:
            return None
        return self._rows.by_numbers(transaction, platform, [number]).get(number)

    def _known(self, transaction: Transaction, key: str) -> Record:
        """Return a record that this transaction has written."""
        return t.cast("Record", self._rows.one(transaction, "r.record_key = ?", key))

    def _insert_answer(
        self, transaction: Transaction, platform: str, intent: Intent, record_id: int, at: str
    ) -> str:
        key = _new_key()
        transaction.execute(
            "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, confirmed_at,"
            " changed_at) VALUES (?, ?, 1, ?, ?, ?, '{}', ?, ?)",
            key,
            platform,
            record_id,
            CONFIRMED,
            _dump(intent.sending),
            at,
            at,
        )
        if intent.number is not None:
            transaction.execute(
                "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?)",
                platform,
                intent.number,
                key,
            )
        return key

    def _settle(
        self, transaction: Transaction, record: Record, intent: Intent, record_id: int, at: str
    ) -> Record:
        """Take an answer into the record that its intent was for. Returns what the record is now."""
        # A field that an earlier request of unknown outcome may have changed, and that this one did not send, is not known.
        doubtful = intent.known.attempted if intent.known is not None else {}
        certain = {name: value for name, value in record.fields.items() if name not in doubtful}
        fields = {**certain, **intent.sending}
        transaction.execute(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, fields = ?, attempted = '{}', confirmed_at = ?,"
            f" changed_at = ?, {_UNCLAIMED} WHERE record_key = ?",
            record_id,
            CONFIRMED,
            _dump(fields),
            at,
            at,
            record.key,
        )
        numbers = record.numbers
        if "did_number" in intent.sending and numbers != (intent.number,):
            numbers = (str(intent.number),)
            transaction.execute(
                "DELETE FROM numbers WHERE record_key = ? AND number <> ?",
                record.key,
                intent.number,
            )
        return Record(
            record.key,
            record.version + 1,
            record_id,
            CONFIRMED,
            numbers,
            fields,
            {},
            at,
            None,
        )

    def apply_corrections(self, platform: str, corrections: Sequence[Correction]) -> bool:
        """Apply all corrections or none. Returns False where a record is no longer as looked at, or is claimed."""
        try:
            with self._transactions.writing() as transaction:
                for correction in corrections:
                    self._remove(transaction, correction.known)
                for correction in corrections:
                    self._insert(transaction, platform, correction)
        except (Collision, Outdated):
            return False
        return True

    def _remove(self, transaction: Transaction, known: Record | None) -> None:
        """Take a record out, if it is still as looked at. All go before the first comes back: numbers and ids may change hands."""
        if known is None:
            return
        transaction.execute("DELETE FROM numbers WHERE record_key = ?", known.key)
        changed = transaction.execute(
            "DELETE FROM records WHERE record_key = ? AND version = ?"
            f" AND (claim_token IS NULL OR claim_until <= {self._transactions.now})",
            known.key,
            known.version,
        )
        if changed != 1:
            raise Outdated

    def _insert(self, transaction: Transaction, platform: str, correction: Correction) -> None:
        known, holding = correction.known, correction.holding
        if holding is not None:
            self._insert_holding(transaction, platform, known, holding)
        speaks_of = holding or known
        details: dict[str, t.Any] = {"before": None if known is None else _described(known)}
        if correction.attempt is not None:
            details["attempt"] = correction.attempt
        self._write_history(
            transaction,
            correction.event,
            platform,
            correction.number,
            None if speaks_of is None else speaks_of.record_id,
            details,
        )

    def _insert_holding(
        self, transaction: Transaction, platform: str, known: Record | None, holding: Holding
    ) -> None:
        key = _new_key() if known is None else known.key
        transaction.execute(
            "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, confirmed_at,"
            " changed_at) VALUES (?, ?, ?, ?, ?, ?, '{}', ?, ?)",
            key,
            platform,
            1 if known is None else known.version + 1,
            holding.record_id,
            CONFIRMED,
            _dump(holding.fields),
            None if known is None else known.confirmed_at,
            timestamp(),
        )
        if holding.number is not None:
            transaction.execute(
                "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?)",
                platform,
                holding.number,
                key,
            )

    def _write_history(
        self,
        transaction: Transaction,
        event: str,
        platform: str,
        number: str | None,
        record_id: int | None,
        details: Mapping[str, t.Any],
    ) -> None:
        transaction.execute(
            "INSERT INTO history (entry_key, at, actor, event, platform, number, record_id, details)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            _new_key(),  # rises with time, so that lines of one second keep their order
            timestamp(),
            runner(),
            event,
            platform,
            number,
            record_id,
            _dump(details),
        )

    def rollback(self, token: str) -> None:
        """Record that the request was certainly not applied: the record is again as before the claim."""
        self._transactions.retry(lambda: self._rollback(token))

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
                    self._restore(transaction, key, self._rows.load(before))

    def _restore(self, transaction: Transaction, key: str, before: Mapping[str, t.Any]) -> None:
        transaction.execute(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
            f" {_UNCLAIMED} WHERE record_key = ?",
            before["record_id"],
            before["outcome"],
            _dump(before["attempted"]),
            timestamp(),
            key,
        )
        for (number,) in transaction.query("SELECT number FROM numbers WHERE record_key = ?", key):
            if number not in before["numbers"]:
                transaction.execute(
                    "DELETE FROM numbers WHERE record_key = ? AND number = ?", key, number
                )

    def mark_unknown(self, token: str) -> None:
        """End the claim of a request whose outcome is not known; the record stays unknown or uncertain."""
        self._transactions.retry(lambda: self._mark_unknown(token))

    def _mark_unknown(self, token: str) -> None:
        with self._transactions.writing(must_commit=True) as transaction:
            self._end_claim(transaction, token)

    def _end_claim(self, transaction: Transaction, token: str) -> None:
        # The token stays: an answer that is still on its way finds its record by it.
        transaction.execute(
            "UPDATE records SET version = version + 1, claim_until = 0 WHERE claim_token = ?", token
        )


def _is_settled(record: Record, intent: Intent, at: str) -> bool:
    """Tell whether a record is just as the answer to an intent leaves it."""
    same = all(record.fields.get(name) == value for name, value in intent.sending.items())
    return same and (record.outcome, record.confirmed_at) == (CONFIRMED, at)


def _described(record: Record) -> dict[str, t.Any]:
    return {
        "outcome": record.outcome,
        "record_id": record.record_id,
        "numbers": record.numbers,
        "fields": record.fields,
        "attempted": record.attempted,
    }


_WRITER = json.JSONEncoder(separators=(",", ":"))


def _dump(value: Mapping[str, t.Any]) -> str:
    return _WRITER.encode(value)


def _new_key() -> str:
    """Return a key that no other run makes. It rises with time: what is written one after the other is found side by side."""
    return f"{time.time_ns():016x}{os.urandom(8).hex()}"
