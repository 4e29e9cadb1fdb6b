# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people's statements change in the registry: the whole list of them is decided. No database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.correct import correct
from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    Conflict,
    RegistryBusy,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    FORGOTTEN,
    RECORDED,
    UNCERTAIN,
    UNKNOWN,
    Correction,
    ForgottenHistory,
    LookupResult,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.corrections import Statement
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry


def open_create(number: str) -> Record:
    """Return a create of unknown outcome."""
    return Record(f"attempt {number}", 1, None, UNKNOWN, (number,), {}, {}, None, None)


class Rows:
    """A registry with these records. C(refusals): how many writes meet a record that has changed since."""

    def __init__(self, *records: Record, past: dict[str, Any] | None = None) -> None:
        self.records = records
        self.past = past or {}
        self.refusals = 0
        self.written: list[Sequence[Correction]] = []

    @property
    def journal(self) -> Rows:
        """Return what writes."""
        return self

    @property
    def reports(self) -> Rows:
        """Return what reads."""
        return self

    def find_many(self, _platform: str, wanted: Sequence[tuple[Any, Any]]) -> list[LookupResult]:
        """Look up DIDs by their numbers."""
        by_number = {number: each for each in self.records for number in each.numbers}
        return [(by_number.get(number), None) for number, _record_id in wanted]

    def forgotten(self, _platform: str, numbers: Collection[str]) -> dict[str, ForgottenHistory]:
        """Return what was forgotten."""
        return {number: past for number, past in self.past.items() if number in numbers}

    def made_by(self, attempts: Collection[str]) -> dict[str, tuple[str, str | None]]:
        """Return what attempts have made."""
        return {a: ("platform", a.removeprefix("attempt ").rstrip("b")) for a in attempts}

    def apply_corrections(
        self, _platform: str, corrections: Sequence[Correction], *_more: Any
    ) -> bool:
        """Write corrections."""
        self.refusals -= 1
        if self.refusals < 0:
            self.written.append(corrections)
        return self.refusals < 0

    def take(self, *statements: Statement, apply: bool = True) -> list[Correction]:
        """Take statements into the registry."""
        return correct(
            cast(Registry, self),
            "platform",
            statements,
            overwrite=False,
            timeout=0.0,
            apply=apply,
            max_races=3,
        )


def absent(number: str, attempt: str | None = None, record_id: int | None = None) -> Statement:
    """State that a DID does not exist."""
    fields = {"did_number": number}
    return Statement(f"dids[{number}]", number, record_id, fields, (), attempt, FORGOTTEN)


def found(number: str, record_id: int, attempt: str | None = None) -> Statement:
    """State that a DID exists."""
    return Statement(
        f"dids[{number}]", number, record_id, {"did_number": number}, (), attempt, RECORDED
    )


def test_what_was_stated_before_changes_nothing_and_hides_no_other_statement() -> None:
    rows = Rows(open_create("2"), past={"1": ForgottenHistory({"attempt 1"}, set())})
    (made,) = rows.take(absent("1", "attempt 1"), absent("2", "attempt 2"))
    assert (made.event, made.known, made.attempt) == (FORGOTTEN, rows.records[0], "attempt 2")
    assert rows.written == [[made]]


def test_a_list_states_of_some_that_they_exist_and_of_others_that_they_do_not() -> None:
    rows = Rows(open_create("1"), open_create("2"))
    made = rows.take(found("1", 13, "attempt 1"), absent("2", "attempt 2"))
    assert {(each.event, each.number) for each in made} == {(RECORDED, "1"), (FORGOTTEN, "2")}
    assert rows.written == [made]


def test_a_create_that_was_looked_up_earlier_is_not_the_one_that_is_open() -> None:
    """The attempt of an export is of the create that a person has looked up, also where it was found."""
    rows = Rows(open_create("1"), open_create("2"))
    for statement, words in (
        (found("1", 13, "attempt 1b"), "is another one than this attempt"),
        (found("1", 13, "attempt 2"), "is the one that made DID 2"),
    ):
        with pytest.raises(Conflict) as caught:
            rows.take(absent("2", "attempt 2"), statement)
        assert words in caught.value.message and "dids[2]" not in caught.value.message
    assert rows.written == []


def test_a_rehearsal_writes_nothing() -> None:
    rows = Rows(open_create("2"))
    assert len(rows.take(absent("2", "attempt 2"), apply=False)) == 1
    assert rows.written == []


def test_a_renumbering_of_unknown_outcome_is_settled_by_the_number_that_it_gave() -> None:
    """It is done if the record bears the new number. With the number before, the edit may still arrive."""
    fields, edit = {"did_number": "1"}, {"did_number": "2"}
    rows = Rows(Record("key", 1, 12, UNCERTAIN, ("1", "2"), fields, edit, None, None))
    with pytest.raises(Conflict, match="not known whether record 12 has been renumbered"):
        rows.take(found("1", 12))
    (made,) = rows.take(found("2", 12))
    assert (made.event, made.known, made.number) == (RECORDED, rows.records[0], "2")
    assert rows.written == [[made]]


@pytest.mark.parametrize("refusals", [2, 3])
def test_a_list_is_decided_anew_where_another_run_was_first(refusals: int) -> None:
    rows = Rows(open_create("2"))
    rows.refusals = refusals
    if refusals < 3:
        assert len(rows.take(absent("2", "attempt 2"))) == 1
    else:
        with pytest.raises(RegistryBusy, match="Nothing was written"):
            rows.take(absent("2", "attempt 2"))
    assert len(rows.written) == (1 if refusals < 3 else 0)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (absent("1"), "give that record_id too"),
        (absent("1", record_id=13), "as record 12, not 13"),
        (absent("1", "attempt 1"), "as record 12 by now, so its outcome is known"),
    ],
)
def test_a_confirmed_did_is_forgotten_by_its_record_id_alone(
    statement: Statement, words: str
) -> None:
    known = Record("key", 1, 12, CONFIRMED, ("1",), {"did_number": "1"}, {}, None, None)
    with pytest.raises(Conflict) as caught:
        Rows(known).take(statement)
    assert words in caught.value.message
    (made,) = Rows(known).take(absent("1", record_id=12))
    assert (made.known, made.new_state) == (known, None)
