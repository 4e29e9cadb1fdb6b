# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request's body is, and what a person is told before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.preflight import (
    encode_payload,
    length_warnings,
)
from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._model import CREATE, Desired, Plan

LIMIT = 128_000


def plan(**payload: Any) -> Plan:
    """Return a create that sends these fields."""
    return Plan(CREATE, Desired({"did_number": "1166"}, 12), None, 12, payload, {})


def test_the_body_is_json_in_utf_8_as_the_vendor_writes_it() -> None:
    body = encode_payload(plan(description="Número Entrante", port=5060, tags=["a", "b"]))
    expected = '{"description": "Número Entrante", "port": 5060, "tags": ["a", "b"]}'
    assert body == expected.encode("utf-8")


@pytest.mark.parametrize("character", ["x", "é"])
def test_a_body_may_have_so_many_bytes(character: str) -> None:
    frame = len(encode_payload(plan(description="")))
    size = len(character.encode())
    text = character * ((LIMIT - frame) // size) + "x" * ((LIMIT - frame) % size)
    assert len(encode_payload(plan(description=text))) == LIMIT
    with pytest.raises(InvalidParameter, match=f"{LIMIT + 1} bytes") as caught:
        encode_payload(plan(description=f"{text}x"))
    assert caught.value.did_number == "1166"


def test_a_request_without_a_field_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="no field to send") as caught:
        encode_payload(plan())
    assert caught.value.record_id == 12


@pytest.mark.parametrize(
    ("number", "warned"),
    [("1" * 15, False), ("1" * 16, True), (f"+{'1' * 15}", False), (f"+{'1' * 16}", True)],
)
def test_more_digits_than_a_telephone_number_has(number: str, warned: bool) -> None:
    assert bool(length_warnings([None, "1166", number])) is warned


@pytest.mark.parametrize(("count", "rest"), [(20, ""), (21, " and 1 more"), (30, " and 10 more")])
def test_a_warning_names_the_first_twenty(count: int, rest: str) -> None:
    (warning,) = length_warnings(str(10**17 + number) for number in range(count))
    listed = warning.partition(": more than")[0]
    last = 10**17 + 19
    assert listed.endswith(f", {last}{rest}") and str(10**17) in listed


def test_a_warning_shows_the_beginning_of_a_long_number() -> None:
    (warning,) = length_warnings(["1" * 60 + "2"])
    assert f" {'1' * 60}:" in warning
