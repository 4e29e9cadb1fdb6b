# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request's body is."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._model import CREATE, Desired, Plan
from ansible_collections.nextbilling.did.plugins.module_utils._planning.payload import (
    encode_payload,
)

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
