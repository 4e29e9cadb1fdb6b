# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The registry on any SQL database: plain tables, claims in rows, short transactions.

The SQL is common to all backends; placeholders are question marks.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping, Sequence

from .._errors import RegistryUnavailable
from .._model import Found, Record
from .backends.interface import Database
from .identity import moved_to
from .records import Rows, chunks
from .transactions import Access

if t.TYPE_CHECKING:  # pragma: no cover
    from .journal import Journal
    from .reports import Reports


class Registry:
    """The last known state of the DIDs of several platforms. All methods raise C(RegistryUnavailable) when it fails.

    What is written is durable when the method returns.
    """

    def __init__(self, database: Database, meta: Mapping[str, str]) -> None:
        self._database = database
        self._access = Access(database)
        self._rows = Rows(database)
        self._meta = meta
        self.location = database.location
        self.registry_id = meta["registry_id"]

    @functools.cached_property
    def journal(self) -> Journal:
        """Return what writes: claims, answers, corrections."""
        from .journal import Journal  # a run with nothing to do does not load it

        return Journal(self._access, self._rows, self.location)

    @functools.cached_property
    def reports(self) -> Reports:
        """Return what reads the registry as a whole."""
        from .reports import Reports  # as above

        return Reports(self._access, self._rows)

    @property
    def moved_to(self) -> str | None:
        """Return where it was moved, None for a registry in use."""
        return moved_to(self._meta)

    def platforms(self) -> list[str]:
        """Return the names of the platforms that this registry knows."""
        rows = self._access.query("SELECT name FROM platforms ORDER BY name")
        return [name for (name,) in rows]

    def find(self, platform: str, number: str | None, record_id: int | None) -> Found:
        """Return the record that the identity leads to, and the one that bears the record id."""
        return self.find_many(platform, [(number, record_id)])[0]

    def find_many(
        self, platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> list[Found]:
        """Return what C(find) does for many identities and record ids, as they are at one moment."""
        by_number: dict[t.Any, Record] = {}
        by_id: dict[t.Any, Record] = {}
        with self._access.reading() as transaction:
            for numbers in chunks({number for number, _record_id in wanted}):
                by_number.update(self._rows.by_numbers(transaction, platform, numbers))
            for record_ids in chunks({record_id for _number, record_id in wanted}):
                by_id.update(self._rows.by_ids(transaction, platform, record_ids))
        return [(by_number.get(number), by_id.get(record_id)) for number, record_id in wanted]

    def check_writable(self) -> None:
        """Raise C(RegistryUnavailable) if a write would fail, without writing."""
        reason = self._database.unwritable()
        if reason:
            raise RegistryUnavailable(
                f"The registry {self.location} cannot be written ({reason}). Nothing was sent, as nothing may be sent that cannot be"
                " recorded first"
            )

    def begin_bulk(self) -> None:
        """Prepare for many writes by this run."""
        self._database.begin_bulk()

    def close(self) -> None:
        """Close the registry."""
        self._database.close()
