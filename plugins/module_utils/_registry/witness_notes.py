# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the witness notes beside records: which registry is at which location, and how far the servers of a database have come."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Callable

from .witness_file import WitnessError, lock, make_folder, sync_folder

_NAME, _LOCK_NAME = "notes.json", "notes.lock"
_TYPES: dict[str, type] = {"locations": str, "timelines": int, "sizes": int}


class NoteValues(t.NamedTuple):
    """The notes. C(locations): ids of registries by location. C(timelines): by cluster. C(sizes): of files after their compaction, in bytes."""

    locations: dict[str, str]
    timelines: dict[str, int]
    sizes: dict[str, int]


class Notes:
    """The notes of one folder. Its methods raise C(OSError) and C(WitnessError)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, _NAME)
        self._values: NoteValues | None = None

    def read(self) -> NoteValues:
        """Return the notes as this run has last read them."""
        if self._values is None:
            self._values = self._load()
        return self._values

    def update(self, change: Callable[[NoteValues], object]) -> None:
        """Change the notes. Runs take turns, so that none loses what another one has noted."""
        make_folder(self._folder)
        file = os.open(
            os.path.join(self._folder, _LOCK_NAME),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK,
            0o600,
        )
        try:
            lock(file)
            values = self._load()
            change(values)
            self._store(values)
            self._values = values
        finally:
            os.close(file)

    def _load(self) -> NoteValues:
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return NoteValues({}, {}, {})
        with open(file, encoding="utf-8") as opened:
            try:
                found = json.load(opened)
            except ValueError:
                found = None
        if not isinstance(found, dict):
            raise WitnessError(f"{_NAME} in it is damaged, or another program's")
        return NoteValues(*(_valid(found.get(name), kind) for name, kind in _TYPES.items()))

    def _store(self, values: NoteValues) -> None:
        draft = f"{self._path}.new"
        file = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with open(file, "w", encoding="utf-8") as opened:
            json.dump(values._asdict(), opened, indent=1, sort_keys=True)
            opened.flush()
            os.fsync(file)
        os.replace(draft, self._path)
        sync_folder(self._folder)


def _valid(found: object, kind: type) -> dict[str, t.Any]:
    """Return those of the values that have the type that they must have."""
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, kind)}
