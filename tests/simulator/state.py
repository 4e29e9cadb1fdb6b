# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated platform holds, and the ledger of all that it saw and did."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from . import switches as switchboard
from .fields import digits

Entry = dict[str, Any]
Fields = dict[str, Any]


class State:
    """Records, ledger, switches and faults between one start (or reset) and the next.

    A reset makes a new state. A request that is still under way keeps the one it came in with, so
    it cannot reach into what the next test sees.
    """

    def __init__(self, start_switches: switchboard.Values) -> None:
        self.switches = switchboard.check(start_switches)
        self.faults: list[Any] = []
        self.ledger: list[Entry] = []
        self.dids: dict[int, Fields] = {}
        self.in_flight = 0
        self.ended = asyncio.Event()
        self._next_id: int = self.switches["first_id"]
        self._requests = 0
        self._given_ids: set[int] = set()
        self._give(self.switches["existing_ids"])

    def switch(self, changes: switchboard.Values) -> None:
        """Set switches; all of ``changes`` or nothing. Raises SwitchError."""
        checked = switchboard.check(changes)
        self.switches.update(checked)
        if "first_id" in checked:
            self._next_id = checked["first_id"]
        if "existing_ids" in checked:
            self._give(checked["existing_ids"])

    def _give(self, record_ids: list[int]) -> None:
        """Hold the records that are there without a PUT, and no longer those given before."""
        for record_id in self._given_ids - set(record_ids):
            self.dids.pop(record_id, None)
        fresh = [record_id for record_id in record_ids if record_id not in self.dids]
        self.dids.update({record_id: {} for record_id in fresh})
        self._given_ids = (self._given_ids & set(record_ids)) | set(fresh)

    def see(self, **seen: Any) -> Entry:
        """Append a request whose head has arrived; the entry is completed as it goes on."""
        self._requests += 1
        entry: Entry = {
            "kind": "request",
            "sequence": self._requests,
            "time": time.time(),
            **seen,
            "body": None,
            "json": None,
            "fault": None,
            "processed": False,
            "record_id": None,
            "reason": None,
            "status": None,
            "done": "in flight",
        }
        self.ledger.append(entry)
        return entry

    def bears(self, number: Any, but: int | None = None) -> bool:
        """Whether a record other than ``but`` holds this number (digits alone compared)."""
        wanted = digits(number)
        return any(
            digits(fields.get("did_number")) == wanted
            for record_id, fields in self.dids.items()
            if record_id != but
        )

    def create(self, fields: Fields, request: int) -> int:
        """Make a record; return its id. ``request`` is the sequence number of the request."""
        while self._next_id in self.dids:
            self._next_id += 1
        record_id = self._next_id
        self._next_id += 1
        self.dids[record_id] = dict(fields)
        self._note("created", request, record_id)
        return record_id

    def edit(self, record_id: int, fields: Fields, request: int) -> None:
        """Merge ``fields`` into a record or put them in its place, as the switches say."""
        held = self.dids[record_id]
        added = dict(fields)
        if self.switches["host_additional"] == "append" and "host_additional" in added:
            together = [*held.get("host_additional", []), *added["host_additional"]]
            added["host_additional"] = list(dict.fromkeys(together))
        merge = self.switches["post"] == "merge"
        self.dids[record_id] = {**held, **added} if merge else added
        self._note("edited", request, record_id)

    def _note(self, kind: str, request: int, record_id: int) -> None:
        number = self.dids[record_id].get("did_number")
        self.ledger.append(
            {
                "kind": kind,
                "time": time.time(),
                "request": request,
                "record_id": record_id,
                "did_number": number,
            }
        )

    def entries(self, kind: str) -> list[Entry]:
        """The ledger's entries of one kind (request, created, edited), oldest first."""
        return [entry for entry in self.ledger if entry["kind"] == kind]

    def duplicates(self) -> dict[str, list[int]]:
        """Numbers (digits alone) created more than once, with the ids of all their records."""
        created: dict[str, list[int]] = {}
        for entry in self.entries("created"):
            number = digits(entry["did_number"])
            if number:
                created.setdefault(number, []).append(entry["record_id"])
        return {number: ids for number, ids in created.items() if len(ids) > 1}
