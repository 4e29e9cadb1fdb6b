# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The witness: a folder on the side of the runs that shows whether a registry has lost its newest writes.

Whatever the registry loses, its own rows cannot show: a restored backup, or a server that took the place of a failed one, is sound in itself.
So each run keeps beside the registry which record has which number, in one CSV file per registry and platform. Updates that leave both as they
are need no line: without them, no DID is created again.

The witness only ever adds a check. No method of C(Witness) fails: C(warnings) tells why the witness could not be read or written.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from .witness_file import Entry, WitnessError, WitnessFile, file_name, latest
from .witness_notes import Notes

DEFAULT_FOLDER = "~/.local/state/nextbilling-did-witness"
# How many entries are looked up in a registry that is opened. What a registry has lost is the end of all writes.
NEWEST = 100
# Appended entries wait for a common write until there are so many, or for so many seconds. A run that is killed loses them here, and not in
# the registry.
_BATCH, _DELAY = 100, 1.0
# A file below this size, in bytes, is not worth compacting.
_SMALL = 1_000_000


class Witness:
    """What the runs of this host, by this user, have recorded in a registry.

    :param folder: its folder, an absolute path.
    :param write: whether it may be written; in check mode it may not.
    """

    def __init__(self, folder: str, *, write: bool) -> None:
        self.folder = folder
        self.write = write
        self.warnings: list[str] = []
        self._registry_id = ""
        self._files: dict[str, WitnessFile] = {}
        self._waiting: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()
        self._write_at = 0.0
        self._notes = Notes(folder)

    def bind(self, registry_id: str) -> None:
        """Name the registry that it is about."""
        self._registry_id = registry_id

    @property
    def registry_folder(self) -> str:
        """Return the folder of the registry's files."""
        return os.path.join(self.folder, self._registry_id)

    def path(self, platform: str) -> str:
        """Return the path of a platform's file."""
        return os.path.join(self.registry_folder, file_name(platform))

    def _file(self, platform: str) -> WitnessFile:
        if platform not in self._files:
            self._files[platform] = WitnessFile(self.path(platform))
        return self._files[platform]

    @contextlib.contextmanager
    def _tolerant(self) -> Iterator[None]:
        """Keep a failure as a warning, one for the whole run."""
        try:
            yield
        except (OSError, WitnessError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._warn(
                f"The witness in {self.folder} cannot be used ({reason}), so a later run may not notice that the registry has lost writes. Have"
                " the option witness name a folder that lasts and can be written"
            )

    def _warn(self, warning: str) -> None:
        if not self.warnings:
            self.warnings.append(warning)

    # Entries

    def has_file(self, platform: str) -> bool:
        """Tell whether there is a file for a platform."""
        return os.path.lexists(self.path(platform))

    def start(self, platform: str, *, is_lost: bool) -> None:
        """Make the file of a platform. C(is_lost): the registry has records of the platform, so there should have been one."""
        if not self.write:
            return
        # Whether it is kept from now on is not known before it is written. The first warning is the only one.
        with self._tolerant():
            self._file(platform).append(())
        if is_lost:
            self._warn(
                f"There is no witness of the registry in {self.folder}, so this run could not notice whether the registry has lost writes. If"
                " runs have recorded something here before, the folder was lost: keep it, and have CI cache it. It is kept from now on"
            )

    def append(self, platform: str, entries: Sequence[Entry]) -> None:
        """Append entries, once what they say is durable in the registry. May be called in any thread."""
        if entries and self.write:
            with self._lock:
                waiting = self._waiting.setdefault(platform, [])
                waiting += entries
                if len(waiting) >= _BATCH or time.monotonic() >= self._write_at:
                    self._write_waiting()

    def _write_waiting(self) -> None:
        for platform, entries in self._waiting.items():
            with self._tolerant():
                self._file(platform).append(entries)
        self._waiting.clear()
        self._write_at = time.monotonic() + _DELAY

    def drop(self, platform: str, record_ids: frozenset[int]) -> None:
        """Take records out that the registry no longer knows on purpose."""
        if record_ids and self.write and self.has_file(platform):
            with self._lock, self._tolerant():
                self._write_waiting()
                self._file(platform).rewrite(lambda each: each.record_id not in record_ids)

    def newest(self, platform: str) -> list[Entry]:
        """Return the newest entries of a platform, of each record the last one."""
        with self._tolerant():
            return self._file(platform).newest(NEWEST)
        return []

    def entries(self, platform: str) -> list[Entry]:
        """Return all entries of a platform, of each record the last one."""
        with self._tolerant():
            return latest(self._file(platform).entries())
        return []

    def count(self, platform: str) -> int:
        """Return how many lines the file of a platform has."""
        with self._tolerant():
            return self._file(platform).count()
        return 0

    def set_aside(self, platform: str, entries: Sequence[Entry]) -> None:
        """Move entries into a file of their own beside, for people. They are not looked up any more."""
        record_ids = frozenset(entry.record_id for entry in entries)
        if not entries or not self.write:
            return
        with self._tolerant():
            WitnessFile(set_aside_path(self.path(platform))).append(entries, sync=True)
            self._file(platform).rewrite(lambda each: each.record_id not in record_ids)

    # Notes

    @property
    def locations(self) -> Mapping[str, str]:
        """Return which registry was at which location, by its id."""
        with self._tolerant():
            return self._notes.read().locations
        return {}

    @property
    def timelines(self) -> Mapping[str, int]:
        """Return the latest timeline that was seen of each cluster of database servers."""
        with self._tolerant():
            return self._notes.read().timelines
        return {}

    def note_location(self, location: str, *, replace: bool) -> None:
        """Note which registry is at a location. C(replace): also where another one was noted."""
        noted = self.locations.get(location)
        if self.write and noted != self._registry_id and (replace or noted is None):
            with self._tolerant():
                self._notes.update(
                    lambda notes: notes.locations.update({location: self._registry_id})
                )

    def note_timeline(self, system: str, timeline: int, *, replace: bool = False) -> None:
        """Note the timeline of a cluster. C(replace): also where a later one was noted."""
        noted = self.timelines.get(system, 0)
        if self.write and noted != timeline and (replace or noted < timeline):
            with self._tolerant():
                self._notes.update(lambda notes: notes.timelines.update({system: timeline}))

    def close(self) -> None:
        """Make durable what was appended. Compact a file that has doubled since that was last done."""
        with self._lock, self._tolerant():
            self._write_waiting()
            for platform, file in self._files.items():
                size = file.close()
                name = f"{self._registry_id}/{file_name(platform)}"
                if size > _SMALL and size > 2 * self._notes.read().sizes.get(name, 0):
                    self._note_size(name, file.rewrite(lambda entry: True))

    def _note_size(self, name: str, size: int) -> None:
        self._notes.update(lambda notes: notes.sizes.update({name: size}))


def is_off(option: str) -> bool:
    """Tell whether the value of an option turns the witness off. YAML's C(false) arrives as text."""
    return option.lower() in ("false", "no", "none")


def set_aside_path(path: str) -> str:
    """Return where entries are set aside that a person has given up."""
    return f"{os.path.splitext(path)[0]}.set-aside.csv"
