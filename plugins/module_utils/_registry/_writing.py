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
from ._changes import LateAnswer
from ._place import MOVED, MOVING, check_in_use, not_in_use
from ._records import CONFIRMED, UNCERTAIN, UNKNOWN, Record
from ._schema import CURRENT, VERSIONS
from ._store import Collision, CommitUnknown

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ._changes import Holding, Intent, Revision
    from ._protocols import Database, T, Transaction
    from ._store import Access, Rows


_UNCLAIMED = "claim_token = NULL, claim_until = NULL, claim_holder = NULL, claim_action = NULL, claim_before = NULL"


class Outdated(Exception):
    """A record is no longer as it was looked at, or another run holds it."""


def timestamp() -> str:
    """Return the current time in UTC, ISO 8601 with seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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


class _Transactions:
    """The transactions of those who write: one for each write, or one for many."""

    def __init__(self, access: Access) -> None:
        self._database = access.database
        self._lock = access.lock
        self._joined: Transaction | None = None

    @property
    def now(self) -> str:
        """Return the SQL expression of C(Database.now)."""
        return self._database.now

    @contextlib.contextmanager
    def writing(
        self, *, patiently: bool = False, whole: bool = False, retired: bool = False
    ) -> Iterator[Transaction]:
        """A transaction of its own; or a part of the common one, which is undone alone where it meets another run's row.

        C(whole): whether it leaves nothing to undo where it meets one. C(retired): whether the registry may be one that has moved.
        """
        with self._lock:
            if self._joined is None:
                with self._database.writing(patiently=patiently) as transaction:
                    self._check(transaction, retired)
                    yield transaction
                return
            self._check(self._joined, retired)
            if patiently or whole:
                yield self._joined  # what must be written meets no other run's row
                return
            self._joined.change("SAVEPOINT part")
            try:
                yield self._joined
            except (Collision, Outdated):
                self._joined.change("ROLLBACK TO SAVEPOINT part")
                self._joined.change("RELEASE SAVEPOINT part")
                raise
            self._joined.change("RELEASE SAVEPOINT part")

    def _check(self, transaction: Transaction, retired: bool) -> None:
        if not retired:
            check_in_use(transaction.meta(), self._database.location)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all writes within one transaction, which is durable when the block ends."""
        with self._lock, self._database.writing(patiently=True) as transaction:
            self._joined = transaction
            try:
                yield
            finally:
                self._joined = None

    def repeated(self, work: Callable[[], T]) -> T:
        """Run a piece of work as C(Database.repeated) does; within the common transaction, once."""
        with self._lock:
            return work() if self._joined is not None else self._database.repeated(work)


class Writer:
    """The writing half of C(SqlRegistry). See C(Registry) for what its methods promise."""

    def __init__(self, access: Access, rows: Rows, location: str) -> None:
        self._transactions = _Transactions(access)
        self._rows = rows
        self._location = location
        self._claimed: list[str] | None = None
        # The claims of this run that have made their record.
        self._begun: set[str] = set()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make all writes within one transaction, which is durable when the block ends."""
        claimed = self._claimed = []
        try:
            with self._transactions.together():
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
                self._withdraw(token)

    def claim(self, platform: str, intent: Intent) -> str | None:
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
            inserted = transaction.change(
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
                numbered = transaction.change(
                    "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    platform,
                    intent.number,
                    key,
                )
                if not numbered:
                    transaction.change("DELETE FROM records WHERE record_key = ?", key)
                    return False
        if inserted:
            self._begun.add(token)
        return inserted == 1

    def _take_claim(self, platform: str, intent: Intent, known: Record, token: str) -> bool:
        with self._transactions.writing() as transaction:
            changed = transaction.change(
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
                transaction.change(
                    "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?)",
                    platform,
                    intent.number,
                    known.key,
                )
        return changed == 1

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        answer = _Answer(token, platform, intent, record_id, at)
        return self._transactions.repeated(lambda: self._confirm(answer))

    def _confirm(self, answer: _Answer) -> Record:
        with self._transactions.writing(patiently=True, retired=True) as transaction:
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
        changed = transaction.change(
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
        transaction.change(
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
            transaction.change(
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
        transaction.change(
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
            transaction.change(
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

    def revise(self, platform: str, revisions: Sequence[Revision]) -> bool:
        try:
            with self._transactions.writing() as transaction:
                for revision in revisions:
                    self._remove(transaction, revision.known)
                for revision in revisions:
                    self._insert(transaction, platform, revision)
        except (Collision, Outdated):
            return False
        return True

    def _remove(self, transaction: Transaction, known: Record | None) -> None:
        """Take a record out, if it is still as looked at. All go before the first comes back: numbers and ids may change hands."""
        if known is None:
            return
        transaction.change("DELETE FROM numbers WHERE record_key = ?", known.key)
        changed = transaction.change(
            "DELETE FROM records WHERE record_key = ? AND version = ?"
            f" AND (claim_token IS NULL OR claim_until <= {self._transactions.now})",
            known.key,
            known.version,
        )
        if changed != 1:
            raise Outdated

    def _insert(self, transaction: Transaction, platform: str, revision: Revision) -> None:
        known, holding = revision.known, revision.holding
        if holding is not None:
            self._insert_holding(transaction, platform, known, holding)
        speaks_of = holding or known
        details: dict[str, t.Any] = {"before": None if known is None else _described(known)}
        if revision.attempt is not None:
            details["attempt"] = revision.attempt
        self._write_history(
            transaction,
            revision.event,
            platform,
            revision.number,
            None if speaks_of is None else speaks_of.record_id,
            details,
        )

    def _insert_holding(
        self, transaction: Transaction, platform: str, known: Record | None, holding: Holding
    ) -> None:
        key = _new_key() if known is None else known.key
        transaction.change(
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
            transaction.change(
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
        transaction.change(
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

    def withdraw(self, token: str) -> None:
        self._transactions.repeated(lambda: self._withdraw(token))

    def _withdraw(self, token: str) -> None:
        with self._transactions.writing(patiently=True) as transaction:
            rows = transaction.rows(
                "SELECT record_key, claim_before FROM records WHERE claim_token = ?", token
            )
            for key, before in rows:
                if before is None:
                    transaction.change("DELETE FROM numbers WHERE record_key = ?", key)
                    transaction.change("DELETE FROM records WHERE record_key = ?", key)
                else:
                    self._restore(transaction, key, self._rows.load(before))

    def _restore(self, transaction: Transaction, key: str, before: Mapping[str, t.Any]) -> None:
        transaction.change(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
            f" {_UNCLAIMED} WHERE record_key = ?",
            before["record_id"],
            before["outcome"],
            _dump(before["attempted"]),
            timestamp(),
            key,
        )
        for (number,) in transaction.rows("SELECT number FROM numbers WHERE record_key = ?", key):
            if number not in before["numbers"]:
                transaction.change(
                    "DELETE FROM numbers WHERE record_key = ? AND number = ?", key, number
                )

    def leave(self, token: str) -> None:
        self._transactions.repeated(lambda: self._leave(token))

    def _leave(self, token: str) -> None:
        with self._transactions.writing(patiently=True) as transaction:
            self._end_claim(transaction, token)

    def _end_claim(self, transaction: Transaction, token: str) -> None:
        # The token stays: an answer that is still on its way finds its record by it.
        transaction.change(
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


def make_registry(transaction: Transaction) -> None:
    """Make the tables of a new registry, with an id of its own."""
    make_tables(transaction)
    describe(transaction, {"registry_id": os.urandom(16).hex(), "created_at": timestamp()})


def make_tables(transaction: Transaction) -> None:
    """Make the tables of the current schema, all empty."""
    _apply(transaction, 0)


def describe(transaction: Transaction, meta: Mapping[str, str]) -> None:
    """Write a registry's own description, with the version of the current schema."""
    for name, value in {**meta, "schema": str(CURRENT)}.items():
        transaction.change("INSERT INTO meta (name, value) VALUES (?, ?)", name, value)


def take_into_use(database: Database) -> None:
    """Forget that a registry was moved, in whole or in part."""
    with database.writing() as transaction:
        for name in (MOVING, MOVED):
            transaction.change("DELETE FROM meta WHERE name = ?", name)


def migrate(database: Database) -> None:
    """Bring a registry of an older schema to the current one, in one transaction: all of it or nothing."""
    with database.writing() as transaction:
        ((version,),) = transaction.rows("SELECT value FROM meta WHERE name = 'schema'")
        _apply(transaction, int(version))
        transaction.change("UPDATE meta SET value = ? WHERE name = 'schema'", str(CURRENT))


def _apply(transaction: Transaction, version: int) -> None:
    for statements in VERSIONS[version:]:
        for statement in statements:
            transaction.change(statement)


def add_platform(database: Database, platform: str) -> None:
    """Make a platform known, so that its DIDs can be recorded."""
    with contextlib.suppress(Collision), database.writing() as transaction:
        transaction.change(
            "INSERT INTO platforms (name, added_at) VALUES (?, ?)", platform, timestamp()
        )
