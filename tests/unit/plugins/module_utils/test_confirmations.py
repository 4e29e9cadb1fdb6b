# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer makes of the records that it meets. No database: what is written is noted."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    CREATE,
    UNKNOWN,
    Claim,
    Intent,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    Transaction,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.confirmations import (
    ConfirmedRequest,
    apply_answer,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.records import RecordReader

AT = "2026-01-31T12:00:00Z"
SENT = {"did_number": "1166", "port": 1}
ANSWER = ConfirmedRequest(
    "ours", "platform", Intent(CREATE, None, "1166", None, SENT, 90.0), 12, AT
)
CONFIRMED_BY_IT = Record("key", 2, 12, CONFIRMED, ("1166",), SENT, {}, AT, None)


def confirmed_but(**differences: Any) -> Record:
    """Return the record that the answer leaves, but for these differences."""
    return CONFIRMED_BY_IT._replace(**differences)


class Rows:
    """The records of a registry, and what is written to it. C(writes): the first two words of each statement."""

    def __init__(self, *records: Record) -> None:
        self.records = records
        self.writes: list[str] = []
        self.lines: list[Any] = []

    def execute(self, statement: str, *_values: Any) -> int:
        """Note a write."""
        self.writes.append(" ".join(statement.replace("INSERT INTO", "INSERT").split()[:2]))
        return 1

    def change_one(self, statement: str, *_values: Any) -> bool:
        """Note a write."""
        return self.execute(statement) == 1

    def change_one_and_insert(self, statement: str, _values: Any, table: str, row: Any) -> bool:
        """Note a write, and the line that comes with it."""
        self.lines.append(row)
        return self.change_one(f"{statement} + {table}")

    def select(self, *_arguments: Any) -> dict[str, Record]:
        """Return all records."""
        return {record.key: record for record in self.records}

    def by_numbers(
        self, _transaction: Any, _platform: str, numbers: list[str]
    ) -> dict[str, Record]:
        """Return the records of numbers."""
        found = [(number, each) for each in self.records for number in each.numbers]
        return {number: each for number, each in found if number in numbers}

    def apply(self) -> tuple[Record, bool]:
        """Apply the answer."""
        reader, transaction = cast(RecordReader, self), cast(Transaction, self)
        return apply_answer(transaction, reader, ANSWER)


def test_an_answer_that_is_recorded_already_writes_nothing() -> None:
    rows = Rows(CONFIRMED_BY_IT)
    assert rows.apply() == (CONFIRMED_BY_IT, True)
    assert rows.writes == []


@pytest.mark.parametrize(
    "other",
    [
        {"fields": {**SENT, "port": 2}},
        {"confirmed_at": "2026-01-31T11:00:00Z"},
        {"outcome": UNKNOWN},
    ],
)
def test_what_is_recorded_in_another_way_is_kept_in_the_history(other: dict[str, Any]) -> None:
    known = confirmed_but(**other)
    rows = Rows(known)
    assert rows.apply() == (known, True)
    assert rows.writes == ["INSERT history", "UPDATE records"]


def test_the_record_that_has_the_claim_is_confirmed() -> None:
    claimed = Record(
        "key", 1, None, UNKNOWN, ("1166",), {}, SENT, None, Claim("ours", CREATE, "x", 9)
    )
    record, agrees = Rows(claimed).apply()
    assert agrees and (record.key, record.record_id, record.outcome) == ("key", 12, CONFIRMED)
    assert (record.fields, record.attempted, record.confirmed_at) == (SENT, {}, AT)


def test_the_claim_of_another_run_is_not_ended_by_this_answer() -> None:
    claimed = confirmed_but(claim=Claim("theirs", CREATE, "x", 9), confirmed_at=None)
    rows = Rows(claimed)
    record, agrees = rows.apply()
    assert (record, agrees) == (claimed, True)
    assert rows.writes == ["INSERT history", "UPDATE records"]


def test_an_answer_that_names_the_record_of_another_did_does_not_agree() -> None:
    claimed = Record(
        "key", 1, None, UNKNOWN, ("1166",), {}, SENT, None, Claim("ours", CREATE, "x", 9)
    )
    other = Record("other", 5, 12, CONFIRMED, ("99",), {"did_number": "99"}, {}, AT, None)
    rows = Rows(claimed, other)
    assert rows.apply() == (other, False)
    assert rows.writes == ["INSERT history", "UPDATE records"]
