# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Compares a registry with its witness: what the registry has lost, and whether it is the one that was here before."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Sequence

from .._errors import RegistryMismatch
from .._snippets import Target, render_play
from .backends.interface import Database, Position, Row
from .records import Query, RecordReader, chunks, placeholders
from .transactions import Transactions
from .witness import DEFAULT_FOLDER, Witness, set_aside_path
from .witness_file import Entry

# How many missing DIDs a message names.
_NAMED = 3


class WitnessReport(t.NamedTuple):
    """What a witness says of a registry. C(entries): how many it has. C(missing): how many DIDs of those the registry has lost."""

    path: str
    entries: int
    missing: int


def find_missing(
    query: Query, records: RecordReader, platform: str, entries: Sequence[Entry]
) -> list[Entry]:
    """Return the entries that a registry has lost: a run would create their DIDs again.

    An entry is there if its record has the version that was left, or a later one, whatever another run or a person has made of it since. If the
    record has another number, the number of the entry must be known besides: runs may have written to an older copy, and raised the version.
    Otherwise it is lost, unless the registry knows the DID with this id all the same, or as a create of unknown outcome, or its history tells
    that a person had it forgotten. No times are compared, as the clocks of runners differ.
    """
    missing: list[Entry] = []
    for some in chunks(entries):
        keys = [entry.key for entry in some]
        rows = query(
            "SELECT r.record_key, r.version, n.number FROM records r LEFT JOIN numbers n ON n.record_key = r.record_key"
            f" WHERE r.record_key IN ({placeholders(keys)})",
            *keys,
        )
        versions: dict[str, int] = {key: version for key, version, _number in rows}
        holders = {(key, number) for key, _version, number in rows}
        older = [entry for entry in some if versions.get(entry.key, 0) < entry.version]
        renumbered = [
            entry
            for entry in some
            if versions.get(entry.key, 0) >= entry.version
            and entry.number is not None
            and (entry.key, entry.number) not in holders
        ]
        if older:
            known = _known(query, platform, older)
            unknown = [entry for entry in older if not _is_known(entry, known)]
            gone = [entry for entry in unknown if entry.key not in versions]
            forgotten = _forgotten_keys(query, records, platform, gone) if gone else set()
            missing += [entry for entry in unknown if entry.key not in forgotten]
        if renumbered:
            numbers = _known_numbers(query, platform, renumbered)
            missing += [entry for entry in renumbered if entry.number not in numbers]
    return missing


def _known_numbers(query: Query, platform: str, entries: Sequence[Entry]) -> set[object]:
    """Return the numbers of entries that a record has, or had: the newest line of each number stays in the history."""
    numbers = [entry.number for entry in entries]
    places = placeholders(numbers)
    return {
        number
        for table in ("numbers", "history")
        for (number,) in query(
            f"SELECT DISTINCT number FROM {table} WHERE platform = ? AND number IN ({places})",
            platform,
            *numbers,
        )
    }


def _known(query: Query, platform: str, entries: Sequence[Entry]) -> set[Row]:
    """Return key, record id and number of the records that entries are about."""
    found: set[Row] = set()
    sql = (
        "SELECT r.record_key, r.record_id, n.number FROM records r LEFT JOIN numbers n ON n.record_key = r.record_key"
        " WHERE r.platform = ? AND"
    )
    keys, record_ids = [each.key for each in entries], [each.record_id for each in entries]
    for condition, values in (("r.record_key", keys), ("r.record_id", record_ids)):
        found.update(query(f"{sql} {condition} IN ({placeholders(values)})", platform, *values))
    return found


def _is_known(entry: Entry, known: set[Row]) -> bool:
    """Tell whether the registry knows a DID by the id of an entry, or as a create of unknown outcome, which is not sent again."""
    for key, record_id, number in known:
        has_id = record_id == entry.record_id or (record_id is None and key == entry.key)
        if has_id and entry.number in (None, number):
            return True
    return False


def _forgotten_keys(
    query: Query, records: RecordReader, platform: str, entries: Sequence[Entry]
) -> set[object]:
    """Return the keys of records that people had forgotten, among those that entries are about."""
    keys: set[object] = set()
    sql = "SELECT details FROM history WHERE platform = ? AND event = 'forgotten' AND"
    numbers = [entry.number for entry in entries if entry.number is not None]
    record_ids = [entry.record_id for entry in entries]
    # By number there is an index. What has been renumbered since is found by its id.
    for column, values in (("number", numbers), ("record_id", record_ids)):
        if values and not keys.issuperset(entry.key for entry in entries):
            rows = query(f"{sql} {column} IN ({placeholders(values)})", platform, *values)
            keys.update(records.load(details).get("record_key") for (details,) in rows)
    return keys


def check_location(
    witness: Witness, location: str, registry_id: str, wanted: str | None, platform: str
) -> None:
    """Raise C(RegistryMismatch) where another registry was at the location, unless the task demands the one that is there now.

    :param wanted: the id that the task demands, or None.
    """
    noted = witness.locations.get(location)
    if wanted is not None or noted in (None, registry_id):
        return
    raise RegistryMismatch(
        f"At {location} there is another registry than before: its id is {registry_id}, and runs on this host had {noted} there. Nothing was"
        f" sent: the DIDs that only the other one knows would be created again. If a disk is not mounted or an address leads elsewhere, correct"
        f" that. If the other one is lost, restore it from its newest backup. Only if it is right that {registry_id} is there, pin"
        f" 'registry_id: {registry_id}' in your tasks, or accept it once:\n{accepting_play(witness, Target(platform, location, registry_id))}"
    )


def missing_registry(witness: Witness, location: str, platform: str | None) -> str:
    """Return what a witness knows of a registry that is not there, as sentences, or nothing."""
    noted = witness.locations.get(location)
    if noted is None:
        return ""
    witness.bind(noted)
    count = 0 if platform is None else witness.count(platform)
    known = f", which knew {count} DIDs or more" if count else ""
    return (
        f" Runs on this host had the registry {noted} there{known}: a new one would not know its DIDs, and a run would be refused."
        " Look for it first."
    )


def check_timeline(witness: Witness, position: Position | None, target: Target) -> None:
    """Raise C(RegistryMismatch) for a server whose place another one has taken, as a run on this host has seen."""
    if position is None or position.timeline >= witness.timelines.get(position.system, 0):
        return
    raise RegistryMismatch(
        f"The registry {target.registry} leads to a server whose place another one has taken: it is on timeline {position.timeline}, and"
        f" a run on this host has seen timeline {witness.timelines[position.system]}. What is written there is lost, and what was written since"
        " is not known there. Nothing was sent. Stop the old server, or have the URL lead to the new one alone. Only if the later server is"
        f" given up, with all that was written there, accept this one:\n{accepting_play(witness, target)}"
    )


def check_entries(
    witness: Witness, transactions: Transactions, records: RecordReader, target: Target
) -> None:
    """Raise C(RegistryMismatch) where the registry has lost one of the newest entries."""
    newest = witness.newest(target.platform)
    missing = find_missing(transactions.query, records, target.platform, newest) if newest else []
    if not missing:
        return
    server = transactions.database.server_state()
    if server is not None and server.is_standby:
        raise RegistryMismatch(
            f"The registry {target.registry} was read from a standby, which lacks {len(missing)} DIDs that runs on this host have recorded. Nothing"
            " was sent: they would look new. Have the URL lead to the primary alone (target_session_attrs=read-write)"
        )
    path = witness.path(target.platform)
    named = ", ".join(_name(entry) for entry in missing[-_NAMED:])
    options = {"state": "recorded", "src": path, **target.options(), **_folder(witness)}
    play = render_play("Record again what the registry has lost", "did_registry", options)
    raise RegistryMismatch(
        f"The registry {target.registry} has lost its newest writes: of the last {len(newest)} DIDs that runs on this host have created,"
        f" recorded or renumbered, {len(missing)} are missing, such as {named}. A backup was restored, or a server took the place of another one"
        " without them. Nothing was sent: these DIDs would be created again. Run this play, which records all that the witness knows of them and"
        f" the registry does not, and run again:\n{play}\n# Only if none of them is on the platform any more, accept the registry as it is. What it"
        f" lacks is kept in {os.path.basename(set_aside_path(path))} beside the witness:\n{accepting_play(witness, target)}"
    )


def _name(entry: Entry) -> str:
    return f"{entry.did_number or 'a DID without a number'} (record {entry.record_id})"


def accepting_play(witness: Witness, target: Target) -> str:
    """Return the play that accepts a registry as it is."""
    options = {
        "state": "present",
        "accept_older": True,
        **target.options(),
        **_folder(witness),
    }
    return render_play("Accept the registry of DIDs as it is", "did_registry", options)


def _folder(witness: Witness) -> dict[str, str]:
    """Return the option that names the witness, where it is not in its usual place."""
    usual = witness.folder == os.path.expanduser(DEFAULT_FOLDER)
    return {} if usual else {"witness": witness.folder}


def accept(witness: Witness, database: Database, target: Target) -> list[str]:
    """Take a registry as it is, though the witness knows more. Returns the changes. In check mode, nothing is written."""
    platform = target.platform
    changes: list[str] = []
    records = RecordReader(database)
    missing = find_missing(database.query, records, platform, witness.entries(platform))
    if missing:
        aside = set_aside_path(witness.path(platform))
        changes.append(
            f"accept that the registry does not know {len(missing)} DIDs; move them to {aside}"
        )
        witness.set_aside(platform, missing)
    noted = witness.locations.get(target.registry, target.registry_id)
    if noted != target.registry_id:
        changes.append(f"accept the registry {target.registry_id} in place of {noted}")
        witness.note_location(target.registry, replace=True)
    position = database.read_position()
    if position is not None and position.timeline < witness.timelines.get(position.system, 0):
        changes.append(f"accept the server, which is on the earlier timeline {position.timeline}")
        witness.note_timeline(*position, replace=True)
    return changes


def report(
    witness: Witness, transactions: Transactions, records: RecordReader, platforms: Sequence[str]
) -> WitnessReport:
    """Return what a witness says of some platforms of a registry. All entries are looked up only where one of the newest is missing."""
    missing = 0
    for platform in platforms:
        if find_missing(transactions.query, records, platform, witness.newest(platform)):
            entries = witness.entries(platform)
            missing += len(find_missing(transactions.query, records, platform, entries))
    path = witness.path(platforms[0]) if len(platforms) == 1 else witness.registry_folder
    return WitnessReport(path, sum(map(witness.count, platforms)), missing)
