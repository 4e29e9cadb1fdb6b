# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DID to create whose number may be another number in another notation: it is told, or refused, and nothing else is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner, in_both_ways
from ansible_collections.nextbilling.did.tests.support.stores import on_both_backends

KNOWN = "1130001000"
NOTATIONS = ["+551130001000", "551130001000", "00551130001000", "(011) 3000-1000"]


def did(number: str, **fields: Any) -> dict[str, Any]:
    """Declare a DID."""
    return {"did_number": number, "port": 5060, **fields}


def headers(result: Result) -> list[str]:
    """Return what the diff of a result calls its DIDs."""
    diffs = result["diff"] if isinstance(result["diff"], list) else [result["diff"]]
    return [each["after_header"] for each in diffs if "after_header" in each]


def warning_of(result: Result) -> str:
    """Return the only warning of a result. Since ansible-core 2.19 a module returns more than its text."""
    (warning,) = result["warnings"]
    return warning if isinstance(warning, str) else str(warning["event"]["msg"])


def similar(result: Result) -> dict[str, list[str]]:
    """Return which numbers of a result are similar to which others."""
    return {each["did_number"]: each["similar_to"] for each in result["dids"] if each["similar_to"]}


@in_both_ways
@on_both_backends
@pytest.mark.parametrize("number", NOTATIONS)
def test_a_known_number_in_another_notation(runner: Runner, number: str) -> None:
    runner.did(**did(KNOWN))
    refused = runner.both(**did(number), similar="refuse")
    assert (refused["error"]["kind"], refused["changed"]) == ("similar_number", False)
    assert KNOWN in refused["msg"] and "similar: ignore" in refused["msg"]
    assert len(runner.requests()) == 1

    predicted = runner.did(check=True, **did(number))
    created = runner.both(**did(number))
    assert created["action"] == "create" and created["similar_to"] == [KNOWN]
    warning = warning_of(created)
    assert warning == warning_of(predicted) and f"may be {KNOWN}" in warning
    assert headers(created) == [f"DID {created['did_number']} (create, similar to {KNOWN})"]


@in_both_ways
@on_both_backends
def test_a_number_is_named_as_it_was_last_written(runner: Runner) -> None:
    runner.did(**did("+551130001000"))
    assert runner.did(check=True, **did(KNOWN))["similar_to"] == ["+551130001000"]


@in_both_ways
def test_similar_numbers_are_ignored_on_request(runner: Runner) -> None:
    runner.did(**did(KNOWN))
    created = runner.both(**did("+551130001000"), similar="ignore")
    assert created["similar_to"] == [] and "warnings" not in created
    listed = runner.both_dids(dids=[did("01130001000"), did("001130001000")], similar="ignore")
    assert similar(listed) == {} and "warnings" not in listed


def test_only_creates_are_looked_at(runner: Runner) -> None:
    both = [did(KNOWN), did("+551130001000")]
    runner.dids(dids=both)
    for task in (
        {"dids": both},
        {"dids": [{**each, "port": 1} for each in both]},
        {"dids": [did("01130001000", record_id=12)]},
    ):
        result = runner.both_dids(**task, similar="refuse")
        assert "failed" not in result and similar(result) == {}
        assert all("similar" not in header for header in headers(result))


@on_both_backends
def test_a_did_of_unknown_outcome_is_known(runner: Runner) -> None:
    runner.simulator.fault("reset_after")
    runner.did(**did(KNOWN))
    refused = runner.both(**did("+551130001000"), similar="refuse")
    assert refused["error"]["kind"] == "similar_number"


@on_both_backends
def test_a_record_that_is_being_renumbered_has_both_numbers(runner: Runner) -> None:
    record_id = runner.did(**did(KNOWN))["record_id"]
    runner.simulator.fault("reset_after")
    runner.did(**did("1130007000"), record_id=record_id, renumber=True)
    for number in (KNOWN, "1130007000"):
        assert runner.did(check=True, **did(f"+55{number}"))["similar_to"] == [number]


@on_both_backends
def test_another_platform_has_numbers_of_its_own(runner: Runner) -> None:
    runner.did(**did(KNOWN))
    runner.did_registry(platform="other", another_platform=True)
    created = runner.both(**did("+551130001000"), platform="other", similar="refuse")
    assert created["similar_to"] == []


@in_both_ways
def test_the_country_code_is_the_users(runner: Runner) -> None:
    runner.did(**did("210001000"))
    assert runner.did(check=True, **did("+351210001000"))["similar_to"] == []
    portugal = runner.did(check=True, **did("+351210001000"), country_code="351")
    assert portugal["similar_to"] == ["210001000"]


@in_both_ways
@on_both_backends
def test_a_list_is_told_once_and_refused_as_a_whole(runner: Runner) -> None:
    runner.dids(dids=[did(f"113000{number}") for number in range(1000, 1100)])
    block = {**did("+551130001000"), "last_number": "+551130001099"}
    declared = [block, did("4133334444"), did("04133334444"), did("2122223333")]
    refused = runner.both_dids(dids=declared, similar="refuse")
    assert (refused["error"]["kind"], refused["changed"]) == ("similar_number", False)
    assert refused["summary"]["not_attempted"] == 103 and len(runner.requests()) == 100
    assert "DID +551130001000 (1130001000)" in refused["msg"] and len(refused["msg"]) < 2_000
    assert "warnings" not in refused
    assert len(similar(refused)) == 102

    predicted = runner.dids(check=True, dids=declared)
    created = runner.both_dids(dids=declared)
    warning = warning_of(created)
    assert warning == warning_of(predicted) and len(warning) < 2_000
    assert warning.startswith("102 DIDs are new") and "and 82 more" in warning
    told = similar(created)
    assert told["+551130001099"] == ["1130001099"]
    assert told["4133334444"] == ["04133334444"] and told["04133334444"] == ["4133334444"]
    assert "2122223333" not in told and similar(predicted) == told
    assert "3 DIDs (create, 2 similar to other numbers)" in headers(created)
    assert similar(runner.both_dids(dids=declared)) == {}


@on_both_backends
def test_a_did_of_the_list_that_is_not_new_is_not_told(runner: Runner) -> None:
    runner.did(**did(KNOWN))
    result = runner.both_dids(dids=[did(KNOWN, port=1), did("+551130001000")])
    assert similar(result) == {"+551130001000": [KNOWN]}


def test_more_creates_than_one_look_up_takes(runner: Runner) -> None:
    runner.did(**did("1130002500"))
    block = {**did("+551130001000"), "last_number": "+551130002599"}
    result = runner.dids(check=True, dids=[block, did("1130001000")])
    assert similar(result) == {
        "+551130001000": ["1130001000"],
        "1130001000": ["+551130001000"],
        "+551130002500": ["1130002500"],
    }
