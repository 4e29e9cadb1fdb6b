# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one DID needs, by what the registry knows of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import Conflict
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    UNCERTAIN,
    Desired,
    Plan,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.decide import decide
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints

FINGERPRINTS = Fingerprints("key", "registry")
OTHERS = Fingerprints("another key", "registry")


def record(
    numbers: tuple[str, ...] = ("1166",),
    record_id: int | None = 12,
    outcome: str = CONFIRMED,
    key: str = "key",
    attempted: dict[str, Any] | None = None,
    **fields: Any,
) -> Record:
    """Return what is known of a DID."""
    known = {"did_number": numbers[0], **fields} if numbers else fields
    return Record(key, 1, record_id, outcome, numbers, known, attempted or {}, None, None)


def plan(values: dict[str, Any], known: Record) -> Plan:
    """Return what a DID needs that is known by its number."""
    desired = Desired({"did_number": "1166", **values})
    return decide(desired, known, None, Policy(), FINGERPRINTS)


def test_only_the_password_of_another_key_is_said_not_to_be_comparable() -> None:
    known = record(port=1, host="a", password=OTHERS.of("password", "geheim"))
    made = plan({"port": 2, "host": "a", "password": "geheim"}, known)
    assert len(made.notes) == 1
    assert "the known password " in made.notes[0] and "another api_key" in made.notes[0]
    assert made.changes.keys() == {"port", "password"}


@pytest.mark.parametrize("password", ["geheim", "anders"])
def test_a_password_of_the_same_key_is_compared(password: str) -> None:
    known = record(password=FINGERPRINTS.of("password", "geheim"))
    made = plan({"password": password}, known)
    assert made.notes == ()
    assert made.action == ("none" if password == "geheim" else "update")


@pytest.mark.parametrize(
    ("attempted", "port", "changed"),
    [({}, 1, False), ({"port": 2}, 1, True), ({"port": 2}, 2, True), ({"port": 1}, 1, False)],
)
def test_a_value_that_an_edit_of_unknown_outcome_may_have_set_counts_too(
    attempted: dict[str, Any], port: int, changed: bool
) -> None:
    known = record(port=1, outcome=UNCERTAIN, attempted=attempted)
    made = plan({"port": port}, known)
    assert (made.action, "port" in made.changes) == ("update", changed)
    assert made.resends is not changed


def test_the_worse_of_two_comparisons_of_a_password_counts() -> None:
    ours, others = FINGERPRINTS.of("password", "geheim"), OTHERS.of("password", "geheim")
    for stored, attempted in ((ours, others), (others, ours)):
        known = record(outcome=UNCERTAIN, password=stored, attempted={"password": attempted})
        assert len(plan({"password": "geheim"}, known).notes) == 1


def test_both_records_that_a_task_names_are_in_the_error() -> None:
    desired = Desired({"did_number": "1166"}, 13)
    for known_id, words in ((12, "is record 12"), (None, "has no known record id")):
        by_number = record(record_id=known_id)
        for numbers, other in ((("1167",), "DID 1167"), ((), "known without a number")):
            by_id = record(numbers, 13, key="other")
            with pytest.raises(Conflict) as caught:
                decide(desired, by_number, by_id, Policy(), FINGERPRINTS)
            message = caught.value.message
            assert f"the number 1166 {words} " in message and f"record 13 is {other}" in message
            assert (caught.value.did_number, caught.value.record_id) == ("1166", 13)
