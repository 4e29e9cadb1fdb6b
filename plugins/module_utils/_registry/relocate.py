# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Moves a whole registry to another place, so that at no moment both places are in use.

Four steps, each durable before the next one begins; a run that is interrupted is completed by the next one:

1. The source is marked as moving. From here on nothing is begun in it.
2. The target gets all rows in one transaction, and is marked as arriving: not in use yet.
3. The source is marked as moved.
4. The target is taken into use.

Until the third step the target was never in use, so it can be made anew. After it, a target that is missing has been lost: it
is not made anew from the source, which does not know what was done since.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import typing as t

from .._errors import InvalidParameter, RegistryBusy, RegistryMismatch, RegistryUnavailable
from .._model import timestamp
from .backends.interface import NoRegistry
from .backends.schema import describe, make_tables
from .identity import (
    ARRIVED,
    ARRIVING,
    MARKS,
    MOVED,
    MOVING,
    Move,
    check_current,
    check_id,
    mark,
    read_meta,
)
from .registry import Registry

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Mapping, Sequence

    from .backends.interface import Database, Place, Row, Transaction

_TABLES = {
    "platforms": ("name", "added_at"),
    "records": (
        "record_key",
        "platform",
        "version",
        "record_id",
        "outcome",
        "fields",
        "attempted",
        "confirmed_at",
        "changed_at",
        "claim_token",
        "claim_until",
        "claim_holder",
        "claim_action",
        "claim_before",
    ),
    "numbers": ("platform", "number", "record_key"),
    "history": ("entry_key", "at", "actor", "event", "platform", "number", "record_id", "details"),
}
# Old releases of SQLite take no more than 999 values in one statement.
_VALUES = 900
_PAUSE = 0.5


class _Ends(t.NamedTuple):
    """What is found at both places. C(target): its description, None where there is nothing. C(busy): a run is at work there."""

    source: Mapping[str, str]
    target: Mapping[str, str] | None
    busy: bool


class Copied(t.NamedTuple):
    """What a move comes to. C(changes): sentences, none if it was complete already. C(warning): None or a sentence."""

    changes: list[str]
    registry_id: str
    warning: str | None


def copy_registry(
    source: Place,
    target: Place,
    *,
    registry_id: str | None,
    timeout: float,
    overwrite: bool,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Copied:
    """Move a registry, or tell what that would take.

    :param registry_id: the id that it must bear, or None.
    :param timeout: seconds to wait for requests under way, and for other processes' transactions.
    :param overwrite: whether the target may lose what it holds of this registry, or the source be one that was moved elsewhere.
    :raises RegistryMismatch: the source is missing, or the target holds another registry or another state of this one.
    :raises RegistryUnavailable: one of them cannot be read or written.
    """
    move = _Mover(source, target, timeout=timeout, overwrite=overwrite)
    return move.run(registry_id, sleep) if apply else move.preview(registry_id)


class _Mover:
    def __init__(self, source: Place, target: Place, *, timeout: float, overwrite: bool) -> None:
        self._source = source
        self._target = target
        self._timeout = timeout
        self._overwrite = overwrite

    def preview(self, registry_id: str | None) -> Copied:
        """Look at both places, raise what stands against the move, and tell what there is to do."""
        with contextlib.closing(self._open_source(write=False)) as database:
            meta = read_meta(database)
            check_id(meta["registry_id"], registry_id, self._source.location)
            ends = self._look_at_target(meta)
            if _is_complete(ends):
                return Copied([], meta["registry_id"], None)
            self._check(ends)
            registry = Registry(database, meta)
            registry.reports.verify()
            if MOVED not in meta:
                self._refuse(database.unwritable(keeping=True), self._source)
            counts = registry.reports.summary().counts
        content = f"{sum(counts.values())} records, {counts['unknown']} of them with an outcome that is not known"
        return Copied(
            [
                f"move the registry {self._source.location} ({content}) to {self._target.location}",
                f"retire {self._source.location}",
            ],
            meta["registry_id"],
            self._warning(ends),
        )

    def run(self, registry_id: str | None, sleep: Callable[[float], None]) -> Copied:
        foreseen = self.preview(registry_id)
        if not foreseen.changes:
            return foreseen
        with contextlib.closing(self._open_source(write=True)) as database:
            self._wait_for_requests(database, sleep)
            move = self._begin(database)
            self._fill_target(database, move)
            _remark(database, MOVING, MOVED, move)
        with contextlib.closing(self._target.open(write=True, timeout=self._timeout)) as database:
            _remark(database, ARRIVING, ARRIVED, move)
        return foreseen

    def _open_source(self, *, write: bool) -> Database:
        try:
            database = self._source.open(write=write, timeout=self._timeout)
        except NoRegistry as error:
            raise RegistryMismatch(f"copy_from: {error.message}. Nothing was written") from None
        try:
            check_current(database, read_meta(database))
        except BaseException:
            database.close()
            raise
        return database

    def _look_at_target(self, source: Mapping[str, str]) -> _Ends:
        if self._target.is_missing(timeout=self._timeout):
            self._refuse(self._target.uncreatable(timeout=self._timeout), self._target)
            return _Ends(source, None, False)
        with contextlib.closing(self._target.open(write=False, timeout=self._timeout)) as database:
            meta = read_meta(database)
            check_current(database, meta)
            self._refuse(database.unwritable(keeping=True), self._target)
            return _Ends(source, meta, bool(_live_claims(database)))

    def _refuse(self, reason: str | None, place: Place) -> None:
        if reason:
            raise RegistryUnavailable(
                f"The registry {place.location} cannot be written ({reason}). Nothing was written"
            )

    def _check(self, ends: _Ends) -> None:
        """Raise what stands against the move."""
        there = ends.target
        if there is not None and there["registry_id"] != ends.source["registry_id"]:
            raise RegistryMismatch(
                f"{self._target.location} holds another registry, with the id {there['registry_id']}; that of {self._source.location} is"
                f" {ends.source['registry_id']}. Nothing was written. Name another target"
            )
        if there is not None and self._is_one_place():
            raise InvalidParameter(
                "registry and copy_from lead to the same registry. Nothing was written"
            )
        if ARRIVING in ends.source:
            raise RegistryMismatch(
                f"The registry {self._source.location} has itself not arrived from {t.cast('Move', mark(ends.source, ARRIVING)).shown_source}."
                " Nothing was written. Complete that move first"
            )
        if not self._overwrite:
            self._check_source(ends)
            self._check_target(ends)
        if ends.busy and not self._is_ours(ends):
            raise RegistryBusy(
                f"A run is at work with the registry {self._target.location}. Nothing was written. Try again when it has ended"
            )

    def _is_one_place(self) -> bool:
        return self._source.identity(timeout=self._timeout) == self._target.identity(
            timeout=self._timeout
        )

    def _check_source(self, ends: _Ends) -> None:
        gone = mark(ends.source, MOVING, MOVED)
        if gone is None:
            return
        if not self._leads_here(gone):
            where = gone.shown_target + ("" if gone.host is None else f" on {gone.host}")
            raise RegistryMismatch(
                f"The registry {self._source.location} was moved to {where} on {gone.at}, or is on its way. Nothing was written, as two"
                " copies in use would create DIDs twice. Only if that one is not in use and never will be, set 'overwrite: true'"
            )
        if MOVED in ends.source and ends.target is None:
            raise RegistryMismatch(
                f"The registry {self._source.location} was moved to {gone.shown_target} on {gone.at}, where it is not any more. Nothing was"
                " written, as the source does not know what was done since. Restore the target from its newest backup. If there is none,"
                " 'overwrite: true' brings back what was known then: look up every DID of a later date before anything is applied"
            )

    def _check_target(self, ends: _Ends) -> None:
        if ends.target is None or self._is_ours(ends):
            return
        raise RegistryMismatch(
            f"{self._target.location} holds another state of this registry, which may know DIDs that {self._source.location} does not."
            " Nothing was written. If it is not in use and what it knows may be lost, set 'overwrite: true'"
        )

    def _is_ours(self, ends: _Ends) -> bool:
        """Tell whether the target is what this move has left there, or the place from which the source itself once came."""
        there = ends.target or {}
        return _is_one(mark(ends.source, MOVING, MOVED), mark(there, ARRIVING, ARRIVED)) or _is_one(
            mark(ends.source, ARRIVED), mark(there, MOVED)
        )

    def _warning(self, ends: _Ends) -> str | None:
        if ends.target is None or self._is_ours(ends):
            return None
        return (
            f"{self._target.location} held another state of this registry. DIDs that it alone knew are not known any more, and a task"
            " that declares one of them creates it anew"
        )

    def _wait_for_requests(self, database: Database, sleep: Callable[[float], None]) -> None:
        """Let runs write down the answers that they wait for. A claim that is live after that moves along as it is."""
        deadline = time.monotonic() + self._timeout
        while _live_claims(database) and time.monotonic() < deadline:
            sleep(_PAUSE)

    def _begin(self, database: Database) -> Move:
        """Mark the source, unless it is marked for this very move."""
        with database.writing() as transaction:
            meta = transaction.meta()
            self._check(self._look_at_target(meta))
            begun = mark(meta, MOVING, MOVED)
            if begun is not None and self._leads_here(begun):
                return begun
            move = Move(
                os.urandom(16).hex(),
                self._source.location,
                self._target.location,
                self._host(),
                timestamp(),
            )
            _put_mark(transaction, MOVING, move)
            return move

    def _leads_here(self, move: Move) -> bool:
        return (move.target, move.host) == (self._target.location, self._host())

    def _host(self) -> str | None:
        """Return where the places are, if one of them is a path: it means something on this host alone."""
        ends = (self._source.location, self._target.location)
        return socket.gethostname() if any(end.startswith("/") for end in ends) else None

    def _fill_target(self, database: Database, move: Move) -> None:
        meta, content = _read(database)

        def fill(transaction: Transaction) -> None:
            describe(transaction, meta)
            _put_mark(transaction, ARRIVING, move)
            _write(transaction, content, self._target.now)

        def make(transaction: Transaction) -> None:
            make_tables(transaction)
            fill(transaction)

        if self._target.is_missing(timeout=self._timeout) and self._target.create(
            make, timeout=self._timeout
        ):
            return
        with contextlib.closing(self._target.open(write=True, timeout=self._timeout)) as there:
            with there.writing() as transaction:
                found = mark(transaction.meta(), ARRIVING, ARRIVED)
                if found is None or found.token != move.token:
                    for table in (*reversed(_TABLES), "meta"):
                        transaction.execute(f"DELETE FROM {table}")
                    fill(transaction)


def _live_claims(database: Database) -> Sequence[Row]:
    return database.query(f"SELECT claim_holder FROM records WHERE claim_until > {database.now}")


def _is_one(here: Move | None, there: Move | None) -> bool:
    return here is not None and there is not None and here.token == there.token


def _is_complete(ends: _Ends) -> bool:
    return _is_one(mark(ends.source, MOVED), mark(ends.target or {}, ARRIVED))


def _put_mark(transaction: Transaction, name: str, move: Move) -> None:
    """Mark a registry as a source, or as a target, in place of what it bears as such."""
    for other in (MOVING, MOVED) if name in (MOVING, MOVED) else (ARRIVING, ARRIVED):
        transaction.execute("DELETE FROM meta WHERE name = ?", other)
    transaction.execute("INSERT INTO meta (name, value) VALUES (?, ?)", name, move.dump())


def _remark(database: Database, before: str, after: str, move: Move) -> None:
    """Replace a mark of this move, unless that was done already."""
    with database.writing() as transaction:
        meta = transaction.meta()
        found = mark(meta, before, after)
        if found is None or found.token != move.token:
            raise RegistryMismatch(
                f"The registry {database.location} was given another turn while it was moved. Neither place was lost, but the move from"
                f" {move.shown_source} to {move.shown_target} is not complete. See what both hold, and begin again"
            )
        if before in meta:
            _put_mark(transaction, after, move)


def _read(database: Database) -> tuple[dict[str, str], dict[str, Sequence[Row]]]:
    """Return a registry's description without marks, and its rows, all of one moment. Leases come as seconds left."""
    with database.reading() as transaction:
        meta = {name: value for name, value in transaction.meta().items() if name not in MARKS}
        content = {
            table: transaction.query(
                f"SELECT {', '.join(columns)} FROM {table}".replace(
                    "claim_until", f"claim_until - {database.now}"
                )
            )
            for table, columns in _TABLES.items()
        }
    return meta, content


def _write(transaction: Transaction, content: Mapping[str, Sequence[Row]], now: str) -> None:
    for table, columns in _TABLES.items():
        places = ", ".join(f"{now} + ?" if name == "claim_until" else "?" for name in columns)
        at_once = _VALUES // len(columns)
        rows = content[table]
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            transaction.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([f'({places})'] * len(some))}",
                *(value for row in some for value in row),
            )
