# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Moves a whole registry to another location, so that at no moment both locations are in use.

Four steps, each durable before the next one begins. The next run completes a move that was interrupted.

1. The source is marked as moving. From here on nothing new is written to it.
2. The target gets all rows in one transaction, and is marked as arriving: it is not in use yet.
3. The source is marked as moved.
4. The target is marked as arrived, and is in use.

Until the third step the target was never in use, so it can be filled again. After it, a target that is missing has been lost. It is not
filled again, as the source does not know what was done since.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import typing as t
from collections.abc import Callable, Mapping, Sequence

from .._errors import InvalidParameter, RegistryBusy, RegistryMismatch, RegistryUnavailable
from .._model import timestamp
from .backends.interface import STAMP, Backend, Database, NoRegistry, Row, Transaction
from .backends.schema import COLUMNS
from .meta import check_id, check_schema, read_meta
from .migrations import create_tables, write_meta
from .move_marks import ARRIVED, ARRIVING, MARKS, MOVED, MOVING, Move, read_move
from .records import placeholders
from .registry import Registry
from .witness import Witness

_META = "meta"
# The table meta is written by itself, as marks are set in it.
_TABLES = {table: columns for table, columns in COLUMNS.items() if table != _META}
_PRIMARY_KEYS = {
    "platforms": ["name"],
    "records": ["record_key"],
    "numbers": ["platform", "number"],
    "history": ["entry_key"],
    "runs": ["run_key"],
}
# How many rows are in memory at a time.
_PAGE = 1_000
# Old releases of SQLite take no more than 999 values in one statement.
_VALUES = 900
_PAUSE = 0.5
# Steps of a run, beside the marks that it sets.
CHECKED, FILLED = "checked", "filled"


class _Ends(t.NamedTuple):
    """The tables C(meta) of both locations. C(target): None where there is no registry. C(is_busy): a run has claims in the target."""

    source: Mapping[str, str]
    target: Mapping[str, str] | None
    is_busy: bool

    @property
    def is_complete(self) -> bool:
        """Tell whether the move has been completed."""
        return _is_same(read_move(self.source, MOVED), read_move(self.target or {}, ARRIVED))

    @property
    def is_replaceable(self) -> bool:
        """Tell whether the target is what this move left there, or the location from which the source itself once came."""
        target = self.target or {}
        return _is_same(
            read_move(self.source, MOVING, MOVED), read_move(target, ARRIVING, ARRIVED)
        ) or _is_same(read_move(self.source, ARRIVED), read_move(target, MOVED))


class MoveResult(t.NamedTuple):
    """The result of a move. C(changes) and C(warnings): sentences. There is no change if it was complete already."""

    changes: list[str]
    registry_id: str
    warnings: Sequence[str] = ()


def move_registry(
    source: Backend,
    target: Backend,
    *,
    registry_id: str | None,
    timeout: float,
    overwrite: bool,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
    reached: Callable[[str], object] = lambda step: None,
    witness: Witness | None = None,
) -> MoveResult:
    """Move a registry, or tell what that would change.

    :param registry_id: the id that it must have, or None.
    :param timeout: seconds to wait for requests under way, and for other processes' transactions.
    :param overwrite: whether the target may lose what it holds of this registry, or the source be one that was moved elsewhere.
    :param reached: called with the name of each step that a run completes.
    :param witness: takes note of the new location.
    :raises RegistryMismatch: the source is missing, or the target holds another registry or another state of this one.
    :raises RegistryUnavailable: one of them cannot be read or written.
    """
    mover = _Mover(source, target, timeout=timeout, overwrite=overwrite)
    result = mover.preview(registry_id)
    if apply and result.changes:
        mover.run(sleep, reached)
    if apply and witness is not None:
        witness.bind(result.registry_id)
        witness.note_location(target.location, replace=True)
    return result


class _Mover:
    def __init__(
        self, source: Backend, target: Backend, *, timeout: float, overwrite: bool
    ) -> None:
        self._source = source
        self._target = target
        self._timeout = timeout
        self._overwrite = overwrite

    def preview(self, registry_id: str | None) -> MoveResult:
        """Read both locations and tell what the move changes, or raise what forbids it."""
        with contextlib.closing(self._open_source(write=False)) as database:
            meta = read_meta(database)
            check_id(meta, registry_id, self._source.location)
            ends = self._read_ends(meta)
            if ends.is_complete:
                return MoveResult([], meta["registry_id"])
            self._check(ends)
            registry = Registry(database, meta)
            registry.reports.verify()
            if MOVED not in meta:
                self._refuse(database.why_not_writable(as_owner=True), self._source)
            counts = registry.reports.summary().counts
        content = f"{sum(counts.values())} records, {counts['unknown']} of them with an outcome that is not known"
        changes = [
            f"move the registry {self._source.location} ({content}) to {self._target.location}",
            f"retire {self._source.location}",
        ]
        return MoveResult(changes, meta["registry_id"], self._warnings(ends))

    def run(self, sleep: Callable[[float], None], reached: Callable[[str], object]) -> None:
        """Do the four steps, or those that are left."""
        with contextlib.closing(self._open_source(write=True)) as database:
            self._wait_for_requests(database, sleep)
            reached(CHECKED)
            move = self._mark_source(database)
            reached(MOVING)
            self._check_two_registries(database, move)
            self._fill_target(database, move, reached)
            reached(ARRIVING)
            _replace_mark(database, MOVING, MOVED, move)
            reached(MOVED)
        with contextlib.closing(self._target.open(write=True, timeout=self._timeout)) as database:
            _replace_mark(database, ARRIVING, ARRIVED, move)
        reached(ARRIVED)

    def _open_source(self, *, write: bool) -> Database:
        try:
            database = self._source.open(write=write, timeout=self._timeout)
        except NoRegistry as error:
            raise RegistryMismatch(f"copy_from: {error.message}. Nothing was written") from None
        try:
            check_schema(database, read_meta(database))
        except BaseException:
            database.close()
            raise
        return database

    def _read_ends(self, source: Mapping[str, str]) -> _Ends:
        if self._target.is_missing(timeout=self._timeout):
            self._refuse(self._target.why_not_creatable(timeout=self._timeout), self._target)
            return _Ends(source, None, is_busy=False)
        with contextlib.closing(self._target.open(write=False, timeout=self._timeout)) as database:
            meta = read_meta(database)
            check_schema(database, meta)
            self._refuse(database.why_not_writable(as_owner=True), self._target)
            return _Ends(source, meta, is_busy=bool(_live_claims(database)))

    def _refuse(self, reason: str | None, backend: Backend) -> None:
        if reason:
            raise RegistryUnavailable(
                f"The registry {backend.location} cannot be written ({reason}). Nothing was written"
            )

    def _check(self, ends: _Ends) -> None:
        """Raise what forbids the move."""
        target = ends.target
        if target is not None and target["registry_id"] != ends.source["registry_id"]:
            raise RegistryMismatch(
                f"{self._target.location} holds another registry, with the id {target['registry_id']}; that of {self._source.location} is"
                f" {ends.source['registry_id']}. Nothing was written. Name another target"
            )
        if target is not None and self._is_one_registry():
            raise _one_registry()
        arriving = read_move(ends.source, ARRIVING)
        if arriving is not None:
            raise RegistryMismatch(
                f"The registry {self._source.location} has itself not arrived from {arriving.shown_source}."
                " Nothing was written. Complete that move first"
            )
        if not self._overwrite:
            self._check_source(ends)
            self._check_target(ends)
        if ends.is_busy and not ends.is_replaceable:
            raise RegistryBusy(
                f"A run is at work with the registry {self._target.location}. Nothing was written. Try again when it has ended"
            )

    def _is_one_registry(self) -> bool:
        source, target = (
            backend.identity(timeout=self._timeout) for backend in (self._source, self._target)
        )
        return source == target

    def _check_two_registries(self, source: Database, move: Move) -> None:
        """Raise C(InvalidParameter) where the mark that was set in the source is seen in the target, and take it away again.

        What the servers tell of themselves need not show that two addresses lead to one registry.
        """
        if self._target.is_missing(timeout=self._timeout):
            return
        with contextlib.closing(self._target.open(write=False, timeout=self._timeout)) as target:
            seen = read_move(read_meta(target), MOVING)
        if seen is None or seen.token != move.token:
            return
        with source.writing() as transaction:
            transaction.execute("DELETE FROM meta WHERE name = ?", MOVING)
        raise _one_registry()

    def _check_source(self, ends: _Ends) -> None:
        move = read_move(ends.source, MOVING, MOVED)
        if move is None:
            return
        if not self._is_this_move(move):
            target = move.shown_target + ("" if move.host is None else f" on {move.host}")
            raise RegistryMismatch(
                f"The registry {self._source.location} was moved to {target} on {move.at}, or that move is not complete. Nothing was written,"
                " as two copies in use would create DIDs twice. Only if that one is not in use and never will be, set 'overwrite: true'"
            )
        if MOVED in ends.source and ends.target is None:
            raise RegistryMismatch(
                f"The registry {self._source.location} was moved to {move.shown_target} on {move.at}, where it is not any more. Nothing was"
                " written, as the source does not know what was done since. Restore the target from its newest backup. If there is none,"
                " 'overwrite: true' brings back what was known then: look up every DID of a later date before anything is applied"
            )

    def _check_target(self, ends: _Ends) -> None:
        if ends.target is None or ends.is_replaceable:
            return
        raise RegistryMismatch(
            f"{self._target.location} holds another state of this registry, which may know DIDs that {self._source.location} does not."
            " Nothing was written. If it is not in use and what it knows may be lost, set 'overwrite: true'"
        )

    def _warnings(self, ends: _Ends) -> list[str]:
        if ends.target is None or ends.is_replaceable:
            return []
        return [
            f"{self._target.location} held another state of this registry. DIDs that it alone knew are not known any more, and a task"
            " that declares one of them creates it anew"
        ]

    def _wait_for_requests(self, database: Database, sleep: Callable[[float], None]) -> None:
        """Wait until runs have recorded the answers to their requests. A claim that is still live after that is moved as it is."""
        deadline = time.monotonic() + self._timeout
        while _live_claims(database) and time.monotonic() < deadline:
            sleep(_PAUSE)

    def _mark_source(self, database: Database) -> Move:
        """Mark the source as moving, unless it is already marked with this move."""
        with database.writing() as transaction:
            meta = transaction.meta()
            self._check(self._read_ends(meta))
            move = read_move(meta, MOVING, MOVED)
            if move is not None and self._is_this_move(move):
                return move
            token, ends = os.urandom(16).hex(), (self._source.location, self._target.location)
            move = Move(token, *ends, self._host(), timestamp())
            _set_mark(transaction, MOVING, move)
            return move

    def _is_this_move(self, move: Move) -> bool:
        return (move.target, move.host) == (self._target.location, self._host())

    def _host(self) -> str | None:
        """Return the name of this host if one of the locations is a path, which is valid on this host alone; else None."""
        ends = (self._source.location, self._target.location)
        return socket.gethostname() if any(end.startswith("/") for end in ends) else None

    def _fill_target(
        self, database: Database, move: Move, reached: Callable[[str], object]
    ) -> None:
        meta = _meta_to_copy(database)
        schema = self._target.schema

        def fill(transaction: Transaction) -> None:
            write_meta(transaction, schema, meta)
            _set_mark(transaction, ARRIVING, move)
            _copy_rows(database, transaction, self._target.now)
            reached(FILLED)

        def create(transaction: Transaction) -> None:
            create_tables(transaction, schema)
            fill(transaction)

        timeout = self._timeout
        if self._target.is_missing(timeout=timeout) and self._target.create(
            create, timeout=timeout
        ):
            return
        with contextlib.closing(self._target.open(write=True, timeout=timeout)) as target:
            with target.writing() as transaction:
                found = read_move(transaction.meta(), ARRIVING, ARRIVED)
                if found is None or found.token != move.token:
                    for table in (*reversed(_TABLES), _META):
                        transaction.execute(f"DELETE FROM {table}")
                    fill(transaction)


def _one_registry() -> InvalidParameter:
    return InvalidParameter("registry and copy_from lead to the same registry. Nothing was moved")


def _live_claims(database: Database) -> Sequence[Row]:
    # The first condition is that of an index.
    return database.query(
        f"SELECT claim_holder FROM records WHERE outcome <> 'confirmed' AND claim_until > {database.now}"
    )


def _is_same(one: Move | None, other: Move | None) -> bool:
    return one is not None and other is not None and one.token == other.token


def _set_mark(transaction: Transaction, mark: str, move: Move) -> None:
    """Mark a registry as a source, or as a target, in place of the mark that it has as such."""
    for other in (MOVING, MOVED) if mark in (MOVING, MOVED) else (ARRIVING, ARRIVED):
        transaction.execute("DELETE FROM meta WHERE name = ?", other)
    transaction.execute("INSERT INTO meta (name, value) VALUES (?, ?)", mark, move.dump())


def _replace_mark(database: Database, before: str, after: str, move: Move) -> None:
    """Replace a mark of this move, unless another run did so already."""
    with database.writing() as transaction:
        meta = transaction.meta()
        found = read_move(meta, before, after)
        if found is None or found.token != move.token:
            raise RegistryMismatch(
                f"The registry {database.location} was moved otherwise, or taken into use again, during this move. Neither registry was lost,"
                f" but the move from {move.shown_source} to {move.shown_target} is not complete. See what both hold, and begin again"
            )
        if before in meta:
            _set_mark(transaction, after, move)


def _meta_to_copy(database: Database) -> dict[str, str]:
    """Return the table C(meta) without what is about this place."""
    of_one_place = {*MARKS, STAMP}
    return {name: value for name, value in read_meta(database).items() if name not in of_one_place}


def _copy_rows(source: Database, target: Transaction, now: str) -> None:
    """Copy the rows of all tables but C(meta), some at a time. Claims keep the seconds left.

    The source is marked as moving, so that nothing is written there meanwhile but late answers to its history.

    :param now: the SQL of the time in the target.
    """
    for table, columns in _TABLES.items():
        key = _PRIMARY_KEYS[table]
        names = ", ".join(columns).replace("claim_until", f"claim_until - {source.now}")
        query = f"SELECT {names} FROM {table}"
        order = f"ORDER BY {', '.join(key)} LIMIT {_PAGE}"
        rows = source.query(f"{query} {order}")
        while rows:
            _write_rows(target, table, columns, rows, now)
            last = dict(zip(columns, rows[-1]))
            after = f"WHERE ({', '.join(key)}) > ({placeholders(key)})"
            rows = source.query(f"{query} {after} {order}", *(last[name] for name in key))


def _write_rows(
    transaction: Transaction, table: str, columns: Sequence[str], rows: Sequence[Row], now: str
) -> None:
    row = ", ".join(f"{now} + ?" if name == "claim_until" else "?" for name in columns)
    at_once = _VALUES // len(columns)
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        transaction.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([f'({row})'] * len(some))}",
            *(value for values in some for value in values),
        )
