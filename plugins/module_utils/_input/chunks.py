# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Some entries of a list at a time. By column, thousands of them are converted at little cost; each is also there as an entry."""

from __future__ import annotations

import itertools
import types
import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

# So many entries at a time are read, converted and looked up.
CHUNK = 2_000


class Entry(t.NamedTuple):
    """One declaration as the option or the file has it.

    C(place): where it stands, such as C(dids[3]) or C(dids.csv, line 4). C(source): the same, None for an option of the task.
    C(problems): the problems of its notation in the file. C(columns): in a sheet, the column of each field.
    """

    position: int
    place: str
    source: str | None
    declared: object
    problems: tuple[str, ...] = ()
    columns: Mapping[str, str] = types.MappingProxyType({})

    def __repr__(self) -> str:
        return f"Entry({self.place})"


class Chunk(t.Protocol):
    """Consecutive entries of a list."""

    def __len__(self) -> int:
        """Return how many entries these are."""

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries."""

    def __getitem__(self, index: int, /) -> Entry:
        """Return an entry."""

    def columns(self) -> Mapping[t.Any, Sequence[object]]:
        """Return by key what each entry declares under it, None for nothing."""

    def refused(self) -> Collection[int]:
        """Return the indexes of entries that are no dictionary, or have problems of their notation."""


class EntryChunk:
    """Entries that were read one by one."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __getitem__(self, index: int, /) -> Entry:
        return self._entries[index]

    def columns(self) -> Mapping[t.Any, Sequence[object]]:
        declared = [
            each.declared if isinstance(each.declared, dict) else {} for each in self._entries
        ]
        keys = dict.fromkeys(itertools.chain.from_iterable(declared))
        return {key: [each.get(key) for each in declared] for key in keys}

    def refused(self) -> Collection[int]:
        return {
            index
            for index, entry in enumerate(self._entries)
            if entry.problems or not isinstance(entry.declared, dict)
        }


def chunks_of(entries: Iterable[Entry], size: int) -> Iterator[Chunk]:
    """Yield entries in chunks of a size."""
    iterator = iter(entries)
    while some := list(itertools.islice(iterator, size)):
        yield EntryChunk(some)
