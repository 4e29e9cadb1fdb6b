# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The registry: what is known of the DIDs of several platforms.

Its SQL is common to all backends.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping, Sequence

from .._errors import RegistryUnavailable
from .._model import CONFIRMED, LookupResult, Record
from .backends.interface import Database, Transaction
from .move_marks import moved_to
from .records import RecordReader, chunks, known_platforms, placeholders
from .transactions import Transactions
from .witness import Witness
from .witness_file import Entry

if t.TYPE_CHECKING:  # pragma: no cover
    from .._snippets import Target
    from .journal import Journal
    from .pruning import PruneResult
    from .reports import Reports
    from .witness_check import WitnessReport


# An index on a claim or a record id would lead SQLite through all records, so no condition may be able to use one.
_SELECT_CONFIRMED = (
    "SELECT n.number, r.record_id, r.fields FROM numbers n JOIN records r ON r.record_key = n.record_key WHERE r.outcome = ?"
    " AND r.attempted = '{}' AND COALESCE(r.claim_token, '') = '' AND COALESCE(r.record_id, 0) <> 0 AND n.platform = ? AND n.number IN"
)


class ConfirmedText(t.NamedTuple):
    """A confirmed record with its values as they are stored: JSON, fingerprints for secrets."""

    record_id: int
    fields: str


class Registry:
    """The last known state of the DIDs of several platforms. All methods raise C(RegistryUnavailable) when it fails.

    It looks up records, and gives access to the journal (what is written) and the reports (what is read as a whole).
    """

    def __init__(
        self, database: Database, meta: Mapping[str, str], witness: Witness | None = None
    ) -> None:
        self._database = database
        self._transactions = Transactions(database)
        self._records = RecordReader(database)
        self._meta = meta
        self.witness = witness
        self.location = database.location
        self.registry_id = meta["registry_id"]

    @functools.cached_property
    def journal(self) -> Journal:
        """Return what writes: intents with their claims, answers, corrections."""
        from .journal import Journal  # a run with nothing to do does not load it

        return Journal(self._transactions, self._records, self.witness)

    @functools.cached_property
    def reports(self) -> Reports:
        """Return what reads the registry as a whole."""
        from .reports import Reports  # as above

        return Reports(self._transactions, self._records)

    @property
    def moved_to(self) -> str | None:
        """Return where it was moved, None for a registry in use."""
        return moved_to(self._meta)

    def platforms(self) -> list[str]:
        """Return the names of the platforms that this registry knows."""
        return known_platforms(self._transactions.query)

    def find(self, platform: str, number: str | None, record_id: int | None) -> LookupResult:
        """Return the record of a number, and the record with a record id."""
        return self.find_many(platform, [(number, record_id)])[0]

    def find_many(
        self, platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> list[LookupResult]:
        """Return what C(find) does for many numbers and record ids, all of one moment."""
        return self._transactions.read(
            lambda transaction: self._find_many(transaction, platform, wanted)
        )

    def _find_many(
        self,
        transaction: Transaction,
        platform: str,
        wanted: Sequence[tuple[str | None, int | None]],
    ) -> list[LookupResult]:
        by_number: dict[t.Any, Record] = {}
        by_id: dict[t.Any, Record] = {}
        longest = self._database.longest_list
        for numbers in chunks({number for number, _record_id in wanted}, longest):
            by_number.update(self._records.by_numbers(transaction, platform, numbers))
        for record_ids in chunks({record_id for _number, record_id in wanted}, longest):
            by_id.update(self._records.by_ids(transaction, platform, record_ids))
        return [(by_number.get(number), by_id.get(record_id)) for number, record_id in wanted]

    def find_confirmed(self, platform: str, numbers: Sequence[str]) -> dict[str, ConfirmedText]:
        """Return of each number its record as it is stored, if that is confirmed and no run has claimed it."""
        found: dict[str, ConfirmedText] = {}
        for some in chunks(numbers, self._database.longest_list):
            rows = self._transactions.retry(
                functools.partial(
                    self._transactions.query,
                    f"{_SELECT_CONFIRMED} ({placeholders(some)})",
                    CONFIRMED,
                    platform,
                    *some,
                ),
            )
            for number, record_id, fields in rows:
                found[number] = ConfirmedText(record_id, fields)
        return found

    def check_writable(self) -> None:
        """Raise C(RegistryUnavailable) if a write would fail. Writes nothing."""
        reason = self._database.why_not_writable()
        if reason:
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be written ({reason}). Nothing was sent, as nothing may be sent that cannot be"
                " recorded first"
            )

    def server_warnings(self, *, detailed: bool = False) -> list[str]:
        """Return what a person should know of the registry's servers, as C(replication_warnings) does."""
        from .replication import replication_warnings  # as above

        return replication_warnings(self._database, detailed=detailed)

    def compare_with_witness(self, target: Target) -> None:
        """Raise C(RegistryMismatch) where the registry is older than the witness knows it; else have the witness take note of it.

        Only what sends requests needs this.
        """
        from .witness_check import check_entries, check_timeline  # as above

        witness = self.witness
        if witness is None:
            return
        check_timeline(witness, self._database.read_position(), target)
        check_entries(witness, self._transactions, self._records, target)
        if not witness.has_file(target.platform):
            rows = self._transactions.query(
                "SELECT 1 FROM records WHERE platform = ? LIMIT 1", target.platform
            )
            witness.start(target.platform, is_lost=bool(rows))

    def missing_of(self, platform: str, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries of a witness that this registry has lost."""
        from .witness_check import find_missing  # as above

        return find_missing(self._transactions.query, self._records, platform, entries)

    def witness_report(self, platforms: Sequence[str]) -> WitnessReport | None:
        """Return what the witness says of some platforms, None without a witness."""
        from .witness_check import report  # as above

        if self.witness is None:
            return None
        return report(self.witness, self._transactions, self._records, platforms)

    def prune(self, platform: str, before: str, *, apply: bool) -> PruneResult:
        """Delete old history of a platform, as C(pruning.prune) does. Only the owner of the tables may."""
        from .pruning import prune  # as above

        reason = self._database.why_not_writable(as_owner=True)
        if reason:
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be written ({reason}). Nothing was deleted"
            )
        return prune(self._transactions, platform, before, apply=apply)

    def begin_bulk(self) -> None:
        """Prepare for many writes by this run."""
        self._database.begin_bulk()

    def close(self) -> None:
        """Close the registry. Roll back claims under which nothing was sent, where that failed before."""
        try:
            if "journal" in self.__dict__:
                self.journal.undo_claims()
            self._close_witness()
        finally:
            self._database.close()

    def _close_witness(self) -> None:
        if self.witness is None:
            return
        position = self._database.last_position()
        if position is not None:
            self.witness.note_timeline(*position)
        self.witness.close()
