# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that is planned while it is read has the plan, the problems and the checksum that it has as a whole."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._engine.list_planner import (
    ListPlan,
    plan_list,
)
from ansible_collections.nextbilling.did.plugins.module_utils._engine.planner import (
    Planner,
    Settings,
)
from ansible_collections.nextbilling.did.plugins.module_utils._input.chunks import EntryChunk
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import (
    DidList,
    open_list,
)
from ansible_collections.nextbilling.did.plugins.module_utils._input.stored_text import (
    StoredTextWriter,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    UNCERTAIN,
    UNKNOWN,
    Claim,
    Desired,
    Job,
    LookupResult,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.checksum import checksum
from ansible_collections.nextbilling.did.plugins.module_utils._planning.unchanged import (
    digest_if_unchanged,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import (
    Connection,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import (
    ConfirmedText,
    Registry,
)
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints

FINGERPRINTS = Fingerprints("key", "id")
NUMBERS = (
    "1130001000",
    "1130001001",
    "+1130001002",
    " 1130001003",
    "(11) 3000-1004",
    "+1130001000",
)
VALUES: dict[str, tuple[object, ...]] = {
    "customer_id": (1, "1", "1.0", True, "x", "2"),
    "description": ("Número", "a", "", "{number}", "#REF!"),
    "did_type": ("queue", "5", 5, "ip"),
    "did_type_id": (7, "7"),
    "device_id": ("3",),
    "host": ("a.example", "A.example", "192.0.2.1"),
    "port": (5060, "5060", "70000"),
    "username": ("cliente1", "2.10", 5),
    "password": ("geheim-1", "geheim-2", "***", 1),
    "play_audio": (True, "sim", "0"),
    "host_additional": (["a.example", "b.example"], ["b.example", "A.example"], []),
    "record_id": (13, "14", 0),
    "last_number": ("1130001001", "1130001000"),
    "nothing": (1,),
}


TABLE_NUMBERS = ("1130001000", "1130001001", "+1130001002", "(11) 3000-1004", "", " ", "x")
CELLS: dict[str, tuple[str, ...]] = {
    "customer_id": ("1", "2", " 1 ", "", "1.0", "x"),
    "description": ("Número", "", " ", "a,b", "a\nb", "'=1", '""', "{number}", "#12", "#N/A", "Ãº"),
    "did_type": ("queue", "5", "8", "", "ip"),
    "did_type_id": ("7", "7", ""),
    "port": ("5060", "Tronco", "nenhum", "", "70000"),
    "username": ("cliente1", "", "#REF!", "2.10"),
    "password": ("geheim-1", "geheim-2", "", "***"),
    "host_additional": ("a.example b.example", "a.example", "", "-"),
    "record_id": ("13", "14", "", "0"),
    "last_number": ("", "", "1130001001"),
    "outcome": ("confirmed", ""),
}


class World:
    """A registry of some records, in memory."""

    location = "/state/registry.db"
    registry_id = "id"

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @property
    def reports(self) -> Any:
        """Return a registry that is not damaged."""
        return self

    def verify_new(self, _platform: str, _numbers: Sequence[str]) -> None:
        """Find no damage."""

    def find_many(
        self, _platform: str, wanted: Sequence[tuple[str | None, int | None]]
    ) -> list[LookupResult]:
        """Return what is known of numbers and record ids."""
        by_number = {number: each for each in self.records for number in each.numbers}
        by_id = {each.record_id: each for each in self.records if each.record_id}
        return [
            (by_number.get(cast(str, number)), by_id.get(cast(int, id_))) for number, id_ in wanted
        ]

    def find_confirmed(self, _platform: str, numbers: Sequence[str]) -> dict[str, ConfirmedText]:
        """Return the confirmed records of numbers."""
        return {
            number: ConfirmedText(each.record_id, json.dumps(each.fields, separators=(",", ":")))
            for each in self.records
            for number in each.numbers
            if number in numbers and each.outcome == CONFIRMED and each.record_id
            if each.claim is None and not each.attempted
        }


def _declarations(**required: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = {
        name: st.sampled_from((None, *values))
        for name, values in VALUES.items()
        if name not in required
    }
    usual = {name: st.just(values[0]) for name, values in VALUES.items() if name in _fields.BY_NAME}
    names = st.sets(st.sampled_from(sorted(usual)), max_size=6)
    plain = names.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {**required, "did_type_id": st.just(7), **{each: usual[each] for each in chosen}}
        )
    )
    odd = st.fixed_dictionaries(required, optional=some)
    return st.integers(0, 7).flatmap(lambda number: odd if number == 5 else plain)


DECLARATIONS = _declarations(did_number=st.sampled_from(NUMBERS))
CLAIM = Claim("token", "update", "somebody", 0.0)


@st.composite
def _records(draw: st.DrawFn, declared: Sequence[dict[str, Any]]) -> list[Record]:
    """Return records that are mostly as some DIDs are declared."""
    records: list[Record] = []
    numbers: set[str] = set()
    for at, did in enumerate(declared):
        did = {**did, **draw(DECLARATIONS)} if draw(st.integers(0, 3)) == 2 else did
        values, _problems = _fields.wire_forms(did, {})
        fields = _fields.with_fingerprints(values, FINGERPRINTS)
        if draw(st.booleans()):
            fields = dict(draw(st.permutations(list(fields.items()))))
        number = _fields.identity(str(values.get("did_number", "")))
        extra = {"1130001001"} if draw(st.integers(0, 5)) == 4 else set()
        own = {number, *extra} - {*numbers, ""}
        numbers |= own
        outcome = draw(st.sampled_from((CONFIRMED,) * 6 + (UNCERTAIN, UNKNOWN)))
        attempted = draw(st.just({}) | st.just({"port": 1})) if outcome != CONFIRMED else {}
        record_id = None if outcome == UNKNOWN else 13 + at
        claim = CLAIM if draw(st.integers(0, 5)) == 4 else None
        records.append(
            Record(
                str(at), 1, record_id, outcome, tuple(sorted(own)), fields, attempted, None, claim
            )
        )
    return records


def _identity(number: str) -> str:
    return "".join(filter(str.isdigit, number))


@st.composite
def _cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Record], dict[str, Any], Policy]:
    unique_by = draw(st.sampled_from((str, lambda did: _identity(did.get("did_number", "")))))
    numberless = _declarations(record_id=st.sampled_from((13, 14)))
    one = st.integers(0, 9).flatmap(lambda number: numberless if number == 7 else DECLARATIONS)
    declared = draw(st.lists(one, min_size=1, max_size=6, unique_by=unique_by))
    defaults = draw(st.just({}) | st.just({"port": 5061, "did_type": "queue", "password": "x-y-z"}))
    policy = Policy(
        force=draw(st.sampled_from((False, False, False, True))),
        update_password=draw(st.sampled_from(("on_change", "on_create"))),
    )
    return declared, draw(_records(declared)), defaults, policy


def _stored(record_id: int, **fields: Any) -> Record:
    numbers = (fields["did_number"],)
    return Record(str(record_id), 1, record_id, CONFIRMED, numbers, fields, {}, None, None)


DID = {"did_number": "1130001000", "port": 5060}
OTHER = {"did_number": "1130001001", "port": 5060}
QUEUE = {"did_number": "1130001000", "did_type": 5}
ONE = {"customer_id": 1}
OF_ONE = [_stored(13, **DID, **ONE), _stored(14, **OTHER, **ONE)]
PLACEHOLDER = {"did_number": "1130001000", "description": "Ramal {number}"}
SECRET = {"did_number": "1130001000", "password": "geheim-1"}
OF_SECRET = _stored(13, **_fields.with_fingerprints(SECRET, FINGERPRINTS))
BOTH = [_stored(13, **DID), _stored(14, **OTHER)]
ONCE = Policy(update_password="on_create")


def _outcome(job: Job) -> object:
    return job.desired, job.plan, job.error and (job.error.kind, job.error.message)


def _whole(planner: Planner, did_list: DidList) -> tuple[list[Job], list[str]]:
    items, problems = did_list.items()
    if problems:
        return [], problems
    return planner.plan([Desired(item.values, item.record_id) for item in items]), []


@given(_cases(), st.integers(1, 4))
# Nothing to do; stored with more fields, in another order.
@example(([DID, OTHER], BOTH, {}, Policy()), 1)
@example(([DID], [_stored(13, port=5060, customer_id=1, did_number="1130001000")], {}, Policy()), 1)
# A record id that is right, and one that is not.
@example(([{**DID, "record_id": 13}, OTHER], BOTH, {}, Policy()), 1)
@example(([{**DID, "record_id": 15}, OTHER], BOTH, {}, Policy()), 1)
@example(([{**DID, "record_id": 14}, OTHER], BOTH, {}, Policy()), 1)
# Two entries of one DID, in two chunks; of one record, by its number and by its id.
@example(([DID, OTHER, DID], BOTH, {}, Policy()), 1)
@example(([DID, OTHER, {"record_id": 13, "port": 5060}], BOTH, {}, Policy()), 1)
# A type without what it needs, though it is stored so.
@example(([QUEUE], [_stored(13, **QUEUE)], {}, Policy()), 1)
@example(([QUEUE], [_stored(13, **QUEUE)], {"device_id": 1}, Policy()), 1)
# A range whose first DID is as it is stored.
@example(([{**DID, "last_number": "1130001001"}], BOTH[:1], {}, Policy()), 1)
# A boolean in place of a number, after the number that it equals in Python.
@example(([{**DID, **ONE}, {**OTHER, "customer_id": True}], OF_ONE, {}, Policy()), 2)
# A placeholder outside a range, though it is stored so.
@example(([PLACEHOLDER], [_stored(13, **PLACEHOLDER)], {}, Policy()), 1)
# A key that is no field, though the rest is as it is stored.
@example(([{**DID, "nothing": 1}, OTHER], BOTH, {}, Policy()), 1)
# Another password.
@example(([{**SECRET, "password": "geheim-2"}], [OF_SECRET], {}, Policy()), 1)
@example(([{**SECRET, "password": "geheim-2"}], [OF_SECRET], {}, ONCE), 1)
@example(([SECRET, {"port": "x"}, OTHER], [OF_SECRET], {}, Policy(force=True)), 1)
def test_the_plan_is_that_of_the_whole_list(case: Any, chunk_size: int) -> None:
    declared, records, defaults, policy = case
    settings = Settings("p:443", Connection("https://p", "t", "k"), policy, registry_timeout=0)
    planner = Planner(cast(Registry, World(records)), settings, FINGERPRINTS)
    did_list, _problems = open_list(declared, None, defaults=defaults, ranges=True)
    assert did_list is not None
    _check_plan(planner, did_list, chunk_size)


@st.composite
def _tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table, mostly of cells that are valid."""
    names = ["did_number", *draw(st.lists(st.sampled_from(sorted(CELLS)), unique=True))]
    cells = [st.sampled_from(CELLS.get(name, TABLE_NUMBERS)) for name in names]
    rows = draw(st.lists(st.tuples(*cells), min_size=1, max_size=6))
    return names, [list(row) for row in rows]


@given(_tables(), st.booleans(), st.integers(1, 4), st.data())
# What a spreadsheet shows for a failed formula is text, and may be stored; rows are empty before it.
@example(
    (["did_number", "description"], [["", " "], ["1130001000", "#REF!"], ["1", "a"]]), True, 3, None
)
@example(
    (["did_number", "port"], [["1130001000", "5060"], ["", " "], ["1130001001", ""]]), True, 2, None
)
@example((["did_number", "username"], [["1130001000", '""'], ["1130001001", "'=1"]]), True, 2, None)
@example(
    (["did_number", "username"], [["1130001000", "#REF!"], ["1130001001", "a"]]), True, 2, None
)
def test_the_plan_of_a_table_is_that_of_its_entries(
    table: Any, is_stored: bool, chunk_size: int, data: Any
) -> None:
    header, rows = table
    options: dict[str, Any] = {"values": {"port": {"tronco": 5060, "nenhum": None}}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dids.csv")
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([header, *rows])
        did_list, _problems = open_list(None, str(path), ranges=True, **options)
    assert did_list is not None
    declared = [entry.declared for entry in did_list]
    records = (
        []
        if not is_stored
        else (
            _stored_as(declared)
            if data is None
            else data.draw(_records(cast("list[dict[str, Any]]", declared)))
        )
    )
    settings = Settings("p:443", Connection("https://p", "t", "k"), Policy(), registry_timeout=0)
    planner = Planner(cast(Registry, World(records)), settings, FINGERPRINTS)
    _check_plan(planner, did_list, chunk_size)
    for chunk in did_list.chunks(chunk_size):
        entries = EntryChunk(list(chunk))
        assert {name for name, cells in chunk.columns().items() if any(cells)} <= {*header}
        for name, cells in entries.columns().items():
            assert list(chunk.columns()[name]) == list(cells)
        assert {*chunk.refused()} == entries.refused()


def test_a_list_with_very_many_texts_is_stored_as_a_short_one() -> None:
    """More of them than are remembered; entries among them have the default."""
    texts = [f"Ramal {n}" if n % 50 else None for n in range(5000)]
    declared = [{"did_number": f"1130{n:06}", "description": text} for n, text in enumerate(texts)]
    did_list, _problems = open_list(declared, None, defaults={"description": "x"}, ranges=True)
    assert did_list is not None
    writer = StoredTextWriter(did_list.defaults, FINGERPRINTS)
    stored = [text for chunk in did_list.chunks(500) for text in writer.write(chunk).texts]
    assert [json.loads(str(text))["description"] for text in stored] == [
        text or "x" for text in texts
    ]


@pytest.mark.parametrize("fields", ["", "{", '{"port":5060', "[]", "null", '"x"'])
def test_what_is_stored_in_no_way_of_ours_is_not_taken_for_unchanged(fields: str) -> None:
    """Then the record is read as a whole, and its damage is told."""
    text = ConfirmedText(13, fields)
    assert digest_if_unchanged("1130001000", None, json.dumps(DID), text, Policy()) is None


def test_the_secrets_of_a_list_are_known_whatever_else_it_holds() -> None:
    declared = ["x", {"did_number": "1", "password": "geheim-1"}, None, {"password": 5}]
    did_list, _problems = open_list(declared, None, defaults={"password": "geheim-2"}, ranges=True)
    assert did_list is not None and {*did_list.secrets()} == {"geheim-1", "geheim-2"}


def _stored_as(declared: Sequence[Any]) -> list[Record]:
    return [
        _stored(13 + at, **_fields.with_fingerprints(_fields.wire_forms(did, {})[0], FINGERPRINTS))
        for at, did in enumerate(declared)
    ]


def _check_plan(planner: Planner, did_list: DidList, chunk_size: int) -> None:
    """Check that a list has the plan that it has as a whole."""
    jobs, problems = _whole(planner, did_list)

    plan, found = plan_list(planner, did_list, chunk_size=chunk_size)

    assert found == did_list.problems() == problems
    if problems:
        event("problems")
        return
    event(f"{len(plan.unchanged)} unchanged")
    kept = [_outcome(job) for job in plan.jobs]
    # What is left out needs nothing, and is of no record that another entry is of.
    left_out = [job for job in jobs if _outcome(job) not in kept]
    assert kept == [_outcome(job) for job in jobs if _outcome(job) in kept]
    assert all(job.plan is not None and not job.plan.sends for job in left_out)
    assert [_known(job) for job in left_out] == list(plan.unchanged)
    assert not {_known(job) for job in plan.jobs}.intersection(plan.unchanged)
    assert len(set(plan.unchanged)) == len(plan.unchanged)
    assert _checksum(plan) == checksum("p:443", "id", jobs, FINGERPRINTS)


def _known(job: Job) -> int | None:
    return None if job.plan is None or job.plan.known is None else job.plan.known.record_id


def _checksum(plan: ListPlan) -> str:
    return checksum("p:443", "id", plan.jobs, FINGERPRINTS, plan.digests)
