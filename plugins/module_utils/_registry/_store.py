# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The registry on any SQL database: plain tables, claims in rows, short transactions.

C(Database) is the door to one kind of database. The SQL here is common to all of them; placeholders are question marks.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import time
import typing as t

from .._errors import RegistryMismatch, RegistryUnavailable
from ._records import (
    CONFIRMED,
    UNCERTAIN,
    UNKNOWN,
    Claim,
    HistoryEntry,
    Holding,
    Intent,
    LateAnswer,
    Record,
    Revision,
    Summary,
)
from ._schema import CURRENT, VERSIONS

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping, Sequence

    Row = tuple[t.Any, ...]


class Collision(Exception):
    """A row would break a uniqueness rule: another run was first."""


class _Outdated(Exception):
    """A record is no longer as it was looked at, or another run holds it."""


class Transaction(t.Protocol):
    """Runs statements inside one transaction."""

    def rows(self, sql: str, *values: t.Any) -> Sequence[Row]:
        """Run a query and return all its rows."""

    def change(self, sql: str, *values: t.Any) -> int:
        """Run a statement and return how many rows it changed. Raises C(Collision)."""


class Database(t.Protocol):
    """One kind of database. Every failure of it is raised as C(RegistryUnavailable) or C(RegistryBusy)."""

    location: str
    now: str
    """An SQL expression: seconds since 1970 by the clock that all runners of this registry share."""

    def reading(self) -> contextlib.AbstractContextManager[Transaction]:
        """A transaction that sees one state and changes nothing."""

    def writing(self, *, patiently: bool = False) -> contextlib.AbstractContextManager[Transaction]:
        """A transaction that is durable when the block ends, or undone when it raises.

        C(patiently): what an answer means must be written; wait for other processes longer than for what may be tried again.
        """

    def strange_tables(self) -> bool:
        """Tell whether tables, indexes or their definitions differ from the current schema's."""

    def damage(self) -> str | None:
        """Return what is wrong with the stored bytes, or None. Reads everything."""

    def unwritable(self) -> str | None:
        """Return why a write would fail, or None, without writing."""

    def close(self) -> None:
        """Close the connection."""


def timestamp() -> str:
    """Return the current time in UTC, ISO 8601 with seconds."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def runner() -> str:
    """Return who runs this, as user@host, for claims and history."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())  # a container's user often has no name
    return f"{user}@{socket.gethostname()}"


_COLUMNS = (
    "r.record_key, r.version, r.record_id, r.outcome, r.fields, r.attempted, r.confirmed_at,"
    " r.claim_token, r.claim_action, r.claim_holder, r.claim_until - {now}"
)


class SqlRegistry:
    """The registry in a database. See C(Registry) for what its methods promise."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.location = database.location
        self.registry_id = read_meta(database)["registry_id"]

    def platforms(self) -> list[str]:
        with self._database.reading() as transaction:
            return [
                name for (name,) in transaction.rows("SELECT name FROM platforms ORDER BY name")
            ]

    def find(
        self, platform: str, number: str | None, record_id: int | None
    ) -> tuple[Record | None, Record | None]:
        by_number = by_id = None
        with self._database.reading() as transaction:
            if number is not None:
                by_number = self._by_number(transaction, platform, number)
            if record_id is not None:
                by_id = self._record(
                    transaction, "WHERE r.platform = ? AND r.record_id = ?", platform, record_id
                )
        return by_number, by_id

    def numberless(self, platform: str) -> list[int]:
        query = (
            "SELECT record_id FROM records r WHERE platform = ? AND record_id IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key) ORDER BY record_id"
        )
        with self._database.reading() as transaction:
            return [record_id for (record_id,) in transaction.rows(query, platform)]

    def verify(self) -> None:
        damage = self._database.damage() or self._lost_numbers()
        if damage:
            raise RegistryUnavailable(
                f"The registry {self.location} is damaged ({damage}). Nothing was sent: a record that cannot be read would look like"
                " a DID that does not exist. Restore the registry from its newest backup"
            )

    def _lost_numbers(self) -> str | None:
        # Each number is kept twice, in its record and as the key that leads there: one without the other is damage.
        lost = (
            "SELECT COUNT(*) FROM records r WHERE (outcome = 'unknown' OR fields LIKE '%\"did_number\":%')"
            " AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key)"
        )
        astray = "SELECT COUNT(*) FROM numbers n WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.record_key = n.record_key)"
        with self._database.reading() as transaction:
            ((without_key,),) = transaction.rows(lost)
            ((without_record,),) = transaction.rows(astray)
        if without_key or without_record:
            return f"{without_key} records have lost their number, {without_record} numbers their record"
        return None

    def ready_to_write(self) -> None:
        reason = self._database.unwritable()
        if reason:
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be written ({reason}). Nothing was sent, as nothing may be sent that cannot be"
                " recorded first"
            )

    def claim(self, platform: str, intent: Intent) -> str | None:
        token = _new_key()
        try:
            with self._database.writing() as transaction:
                key = (
                    self._insert_claimed(transaction, platform, intent, token)
                    if intent.known is None
                    else self._take_claim(transaction, intent, intent.known, token)
                )
                if key is None:
                    return None
                if intent.number is not None and (
                    intent.known is None or intent.number not in intent.known.numbers
                ):
                    transaction.change(
                        "INSERT INTO numbers (platform, number, record_key) VALUES (?, ?, ?)",
                        platform,
                        intent.number,
                        key,
                    )
        except Collision:
            return None
        return token

    def _insert_claimed(
        self, transaction: Transaction, platform: str, intent: Intent, token: str
    ) -> str:
        key = _new_key()
        transaction.change(
            "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, changed_at,"
            " claim_token, claim_until, claim_holder, claim_action)"
            f" VALUES (?, ?, 1, ?, ?, '{{}}', ?, ?, ?, {self._database.now} + ?, ?, ?)",
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
        return key

    def _take_claim(
        self, transaction: Transaction, intent: Intent, known: Record, token: str
    ) -> str | None:
        changed = transaction.change(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?,"
            f" claim_token = ?, claim_until = {self._database.now} + ?, claim_holder = ?, claim_action = ?, claim_before = ?"
            f" WHERE record_key = ? AND version = ? AND (claim_token IS NULL OR claim_until <= {self._database.now})",
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
        return known.key if changed == 1 else None

    def holds(self, token: str, seconds: float) -> bool:
        query = f"SELECT 1 FROM records WHERE claim_token = ? AND claim_until - {self._database.now} >= ?"
        with self._database.reading() as transaction:
            return bool(transaction.rows(query, token, seconds))

    def confirm(self, token: str, platform: str, intent: Intent, record_id: int, at: str) -> Record:
        with self._database.writing(patiently=True) as transaction:
            record = self._record(transaction, "WHERE r.claim_token = ?", token)
            by_id = self._record(
                transaction, "WHERE r.platform = ? AND r.record_id = ?", platform, record_id
            )
            if record is not None and (by_id is None or by_id.key == record.key):
                self._settle(transaction, record, intent, record_id, at)
                return self._known(transaction, record.key)
            by_number = self._by_number(transaction, platform, intent.number)
            self._write_history(
                transaction, "answered", platform, intent.number, record_id, _sent(intent)
            )
            self._end_claim(transaction, token)
            if by_id is None and by_number is None:
                # The DID was forgotten, or an older registry was restored: now it is known that it exists.
                key = self._insert_answer(transaction, platform, intent, record_id, at)
                return self._known(transaction, key)
        # By key: two looks at one record differ in the seconds that a claim on it has left.
        looked_up = by_id if intent.number is None else by_number
        keys = {None if found is None else found.key for found in (by_id, looked_up)}
        if record is None and by_id is not None and len(keys) == 1:
            return by_id  # another run, or a person, has come to the same end
        raise LateAnswer(t.cast("Record", by_id or by_number))

    def _known(self, transaction: Transaction, key: str) -> Record:
        """Return a record that this transaction has written."""
        return t.cast("Record", self._record(transaction, "WHERE r.record_key = ?", key))

    def _by_number(
        self, transaction: Transaction, platform: str, number: str | None
    ) -> Record | None:
        return self._record(
            transaction,
            "JOIN numbers n ON n.record_key = r.record_key WHERE n.platform = ? AND n.number = ?",
            platform,
            number,
        )

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
    ) -> None:
        # A field that an earlier request of unknown outcome may have changed, and that this one did not send, is not known.
        doubtful = intent.known.attempted if intent.known is not None else {}
        certain = {name: value for name, value in record.fields.items() if name not in doubtful}
        transaction.change(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, fields = ?, attempted = '{}', confirmed_at = ?,"
            " changed_at = ?, claim_token = NULL, claim_until = NULL, claim_holder = NULL, claim_action = NULL, claim_before = NULL"
            " WHERE record_key = ?",
            record_id,
            CONFIRMED,
            _dump({**certain, **intent.sending}),
            at,
            at,
            record.key,
        )
        if "did_number" in intent.sending:
            transaction.change(
                "DELETE FROM numbers WHERE record_key = ? AND number <> ?",
                record.key,
                intent.number,
            )

    def revise(self, platform: str, revisions: Sequence[Revision]) -> bool:
        try:
            with self._database.writing() as transaction:
                for revision in revisions:
                    self._remove(transaction, revision.known)
                for revision in revisions:
                    self._insert(transaction, platform, revision)
        except (Collision, _Outdated):
            return False
        return True

    def _remove(self, transaction: Transaction, known: Record | None) -> None:
        """Take a record out, if it is still as looked at. All go before the first comes back: numbers and ids may change hands."""
        if known is None:
            return
        transaction.change("DELETE FROM numbers WHERE record_key = ?", known.key)
        changed = transaction.change(
            "DELETE FROM records WHERE record_key = ? AND version = ?"
            f" AND (claim_token IS NULL OR claim_until <= {self._database.now})",
            known.key,
            known.version,
        )
        if changed != 1:
            raise _Outdated

    def _insert(self, transaction: Transaction, platform: str, revision: Revision) -> None:
        known, holding = revision.known, revision.holding
        if holding is not None:
            self._insert_holding(transaction, platform, known, holding)
        speaks_of = holding or known
        self._write_history(
            transaction,
            revision.event,
            platform,
            revision.number,
            None if speaks_of is None else speaks_of.record_id,
            {"before": None if known is None else _described(known)},
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

    def records(
        self, platform: str | None, outcome: str | None, number: str | None, record_id: int | None
    ) -> list[tuple[str, Record]]:
        conditions = {
            "r.platform = ?": platform,
            "r.outcome = ?": outcome,
            "r.record_id = ?": record_id,
            "EXISTS (SELECT 1 FROM numbers n WHERE n.record_key = r.record_key AND n.number = ?)": number,
        }
        chosen = {condition: value for condition, value in conditions.items() if value is not None}
        where = " AND ".join(["1 = 1", *chosen])
        columns = _COLUMNS.format(now=self._database.now)
        with self._database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT r.platform, {columns} FROM records r WHERE {where}", *chosen.values()
            )
            numbers = self._numbers(transaction)
        found = [(row[0], self._read(row[1:], numbers.get(row[1], ()))) for row in rows]
        return sorted(
            found, key=lambda entry: (entry[0], entry[1].numbers, entry[1].record_id or 0)
        )

    def _numbers(self, transaction: Transaction) -> dict[str, tuple[str, ...]]:
        numbers: dict[str, tuple[str, ...]] = {}
        for key, number in transaction.rows(
            "SELECT record_key, number FROM numbers ORDER BY number"
        ):
            numbers[key] = (*numbers.get(key, ()), number)
        return numbers

    def history(self, platform: str | None) -> list[HistoryEntry]:
        query = (
            "SELECT at, actor, event, platform, number, record_id, details FROM history"
            " WHERE platform = COALESCE(?, platform) ORDER BY at, entry_key"
        )
        with self._database.reading() as transaction:
            rows = transaction.rows(query, platform)
        return [
            HistoryEntry(at, actor, event, where, number, record_id, self._load(details))
            for at, actor, event, where, number, record_id, details in rows
        ]

    def summary(self) -> Summary:
        with self._database.reading() as transaction:
            counts: dict[str, int] = dict(
                transaction.rows("SELECT outcome, COUNT(*) FROM records GROUP BY outcome")
            )
            ((changed_at,),) = transaction.rows(
                "SELECT MAX(at) FROM (SELECT changed_at AS at FROM records UNION ALL SELECT at FROM history) changes"
            )
        return Summary(
            schema=schema_version(self._database),
            platforms=self.platforms(),
            counts={outcome: counts.get(outcome, 0) for outcome in (CONFIRMED, UNKNOWN, UNCERTAIN)},
            changed_at=changed_at,
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
            # Keys rise with time, so that lines of one second keep their order.
            f"{time.time_ns():020}-{_new_key()}",
            timestamp(),
            runner(),
            event,
            platform,
            number,
            record_id,
            _dump(details),
        )

    def withdraw(self, token: str) -> None:
        with self._database.writing(patiently=True) as transaction:
            rows = transaction.rows(
                "SELECT record_key, claim_before FROM records WHERE claim_token = ?", token
            )
            for key, before in rows:
                if before is None:
                    transaction.change("DELETE FROM numbers WHERE record_key = ?", key)
                    transaction.change("DELETE FROM records WHERE record_key = ?", key)
                else:
                    self._restore(transaction, key, self._load(before))

    def _restore(self, transaction: Transaction, key: str, before: Mapping[str, t.Any]) -> None:
        transaction.change(
            "UPDATE records SET version = version + 1, record_id = ?, outcome = ?, attempted = ?, changed_at = ?, claim_token = NULL,"
            " claim_until = NULL, claim_holder = NULL, claim_action = NULL, claim_before = NULL WHERE record_key = ?",
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
        with self._database.writing(patiently=True) as transaction:
            self._end_claim(transaction, token)

    def _end_claim(self, transaction: Transaction, token: str) -> None:
        # The token stays: an answer that is still on its way finds its record by it.
        transaction.change(
            "UPDATE records SET version = version + 1, claim_until = 0 WHERE claim_token = ?", token
        )

    def close(self) -> None:
        self._database.close()

    def _record(self, transaction: Transaction, where: str, *values: t.Any) -> Record | None:
        columns = _COLUMNS.format(now=self._database.now)
        rows = transaction.rows(f"SELECT {columns} FROM records r {where}", *values)
        if not rows:
            return None
        numbers = transaction.rows(
            "SELECT number FROM numbers WHERE record_key = ? ORDER BY number", rows[0][0]
        )
        return self._read(rows[0], tuple(number for (number,) in numbers))

    def _read(self, row: Row, numbers: tuple[str, ...]) -> Record:
        key, version, record_id, outcome, fields, attempted, confirmed_at, *claim = row
        return Record(
            key=key,
            version=version,
            record_id=record_id,
            outcome=outcome,
            numbers=numbers,
            fields=self._load(fields),
            attempted=self._load(attempted),
            confirmed_at=confirmed_at,
            claim=None if claim[0] is None else Claim(*claim),
        )

    def _load(self, text: str) -> dict[str, t.Any]:
        try:
            value = json.loads(text)
        except (ValueError, TypeError):
            value = None
        if not isinstance(value, dict):
            raise RegistryUnavailable(
                f"The registry {self.location} is damaged (a record's values cannot be read). Restore it from its newest backup"
            )
        return value


def _sent(intent: Intent) -> dict[str, t.Any]:
    return {"action": intent.action, "sent": intent.sending}


def _described(record: Record) -> dict[str, t.Any]:
    return {
        "outcome": record.outcome,
        "record_id": record.record_id,
        "numbers": record.numbers,
        "fields": record.fields,
        "attempted": record.attempted,
    }


def _dump(value: Mapping[str, t.Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _new_key() -> str:
    return os.urandom(16).hex()


def read_meta(database: Database) -> dict[str, str]:
    """Return the registry's own description, or raise if it is not a registry or not of the schema that this code knows."""
    with database.reading() as transaction:
        meta: dict[str, str] = dict(transaction.rows("SELECT name, value FROM meta"))
    if not meta.get("registry_id") or not meta.get("schema", "").isdigit():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: it has lost its id or its schema version"
        )
    return meta


def schema_version(database: Database) -> int:
    """Return the registry's schema version, or raise C(RegistryMismatch) for one that is newer than this code."""
    version = int(read_meta(database)["schema"])
    if version > CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did knows schemas up to {CURRENT}."
            " Nothing was written and nothing was sent. Install the release that wrote it, or a newer one"
        )
    return version


def create_tables(database: Database) -> None:
    """Make an empty database a registry with an id of its own, in one transaction."""
    with database.writing() as transaction:
        _apply(transaction, 0)
        transaction.change("INSERT INTO meta (name, value) VALUES ('registry_id', ?)", _new_key())
        transaction.change("INSERT INTO meta (name, value) VALUES ('created_at', ?)", timestamp())
        transaction.change("INSERT INTO meta (name, value) VALUES ('schema', ?)", str(CURRENT))


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
