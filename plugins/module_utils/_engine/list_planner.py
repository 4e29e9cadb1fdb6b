# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Plans a list while it is read, and keeps nothing of a DID that needs nothing.

What is confirmed, not claimed and stored as it is declared needs nothing. Of such a DID, a few bytes are kept: what tells whether
another entry is of the same DID, and its part of the plan's checksum. C(planner) plans the rest.
"""

from __future__ import annotations

import array
import typing as t
from collections.abc import Collection, Sequence, Set

from .._input.chunks import CHUNK, Chunk, Entry
from .._input.entries import DidList, Item, without_declared
from .._input.folding import Problem
from .._input.stored_text import StoredTextWriter
from .._model import Desired, Job
from .._planning.unchanged import digest_if_unchanged
from .planner import Planner


class ListPlan(t.NamedTuple):
    """The plan of a list. C(items), C(jobs): its DIDs, without those that need nothing and have nothing to do with the others.

    C(unchanged): the record ids of the DIDs that are left out. C(digests): their digests for the checksum, one after the other.
    """

    items: Sequence[Item]
    jobs: Sequence[Job]
    unchanged: Sequence[int] = ()
    digests: bytes = b""


class _Suspects(t.NamedTuple):
    """What several entries may have in common: hashes of numbers, and record ids. Such entries are not left out."""

    numbers: Set[int] = frozenset()
    record_ids: Set[int] = frozenset()


def plan_list(
    planner: Planner, did_list: DidList, *, chunk_size: int = CHUNK
) -> tuple[ListPlan, list[str]]:
    """Plan a list, as C(Planner.plan) plans its items. Returns the plan, and a line for each problem of the list, which then has no plan."""
    reading = _Reading(planner, did_list, _Suspects(), chunk_size)
    suspects = reading.suspects()
    if any(suspects):
        reading = _Reading(planner, did_list, suspects, chunk_size)
    if reading.problems:
        return ListPlan([], []), reading.problems
    jobs = _plan(planner, reading)
    known = (job.plan.known for job in jobs if job.plan is not None)
    shared = {record.record_id for record in known if record is not None}
    shared.intersection_update(reading.unchanged)
    if shared:
        suspects = _Suspects(suspects.numbers, suspects.record_ids | t.cast("set[int]", shared))
        reading = _Reading(planner, did_list, suspects, chunk_size)
        jobs = _plan(planner, reading)
    return ListPlan(reading.items, jobs, reading.unchanged, bytes(reading.digests)), []


def _plan(planner: Planner, reading: _Reading) -> list[Job]:
    return planner.plan([Desired(item.values, item.record_id) for item in reading.items])


class _Reading:
    """One reading of a list. C(problems): a line for each of its problems. C(items): what is not left out, if it has none.

    C(unchanged), C(digests): as in C(ListPlan).
    """

    def __init__(
        self, planner: Planner, did_list: DidList, suspects: _Suspects, chunk_size: int
    ) -> None:
        self._registry = planner.registry
        self._settings = planner.settings
        self._list = did_list
        self._suspects = suspects
        self._writer = StoredTextWriter(did_list.defaults, planner.fingerprints)
        # Of all valid DIDs: hashes of their numbers, and their record ids where these are declared.
        self._numbers = array.array("q")
        self._declared_ids = array.array("q")
        self._found: list[Problem] = []
        self.items: list[Item] = []
        self.unchanged = array.array("q")
        self.digests = bytearray()
        is_empty = True
        for chunk in did_list.chunks(chunk_size):
            is_empty = is_empty and len(chunk) == 0
            self._read(chunk)
        self.problems = did_list.describe(self._found, self.items, is_empty=is_empty)

    def _read(self, chunk: Chunk) -> None:
        numbers, record_ids, texts = self._writer.write(chunk)
        confirmed = {}
        if not self._found and not self._settings.policy.force:
            plain = [number for number, text in zip(numbers, texts) if text is not None]
            confirmed = self._registry.find_confirmed(self._settings.platform, plain)
        has_suspects, policy = any(self._suspects), self._settings.policy
        for index, (number, record_id, text) in enumerate(zip(numbers, record_ids, texts)):
            record = None if text is None else confirmed.get(number)
            digest = None
            if (
                text is not None
                and record is not None
                and not (has_suspects and self._is_suspect(number, record_id, record.record_id))
            ):
                digest = digest_if_unchanged(number, record_id, text, record, policy)
            if record is None or digest is None:
                self._keep(chunk[index])
                continue
            self._note(number, record_id)
            self.unchanged.append(record.record_id)
            self.digests += digest

    def _keep(self, entry: Entry) -> None:
        """Validate an entry, and keep what it stands for. Of an invalid list, only what several entries may have in common is needed."""
        items, problems = self._list.validate(entry)
        self._found += problems
        for item in items:
            self._note(item.number, item.record_id)
            if not self._found or self._is_suspect(item.number, item.record_id):
                self.items.append(without_declared(item))

    def _note(self, number: str | None, record_id: int | None) -> None:
        if number is not None:
            self._numbers.append(hash(number))
        if record_id is not None:
            self._declared_ids.append(record_id)

    def _is_suspect(self, number: str | None, *record_ids: int | None) -> bool:
        return hash(number) in self._suspects.numbers or any(
            record_id in self._suspects.record_ids for record_id in record_ids
        )

    def suspects(self) -> _Suspects:
        """Return what several of the DIDs have in common."""
        record_ids = _repeated(self._declared_ids) | _repeated(self.unchanged)
        return _Suspects(_repeated(self._numbers), record_ids)


def _repeated(values: Collection[int]) -> set[int]:
    ordered = sorted(values)
    return {value for value, following in zip(ordered, ordered[1:]) if value == following}
