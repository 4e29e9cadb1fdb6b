# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which numbers may be one number in another notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._planning.similar import (
    base,
    similar_numbers,
)

DIGITS = st.text("0123456789", min_size=3, max_size=15)
# National numbers, among them some of the area 55 (Brazil has one), and what people write before a number.
NATIONAL = st.builds("".join, st.tuples(st.sampled_from(["", "11", "55", "0"]), DIGITS))
PREFIXES = st.sampled_from(["", "0", "00", "000", "55", "055", "0055", "00055", "5555", "1", "001"])
NUMBERS = st.builds("".join, st.tuples(PREFIXES, NATIONAL))
CODES = st.sampled_from(["55", "1", "351", "44"])


@pytest.mark.parametrize(
    ("number", "code", "expected"),
    [
        ("1130001000", "55", "1130001000"),
        ("551130001000", "55", "1130001000"),
        ("00551130001000", "55", "1130001000"),
        ("001130001000", "55", "1130001000"),
        ("01130001000", "55", "1130001000"),
        # A mobile number with its trunk prefix has 12 digits, too.
        ("011987654321", "55", "11987654321"),
        ("5511987654321", "55", "11987654321"),
        # The area 55 is no country code.
        ("55987654321", "55", "55987654321"),
        ("5532201000", "55", "5532201000"),
        ("555532201000", "55", "5532201000"),
        ("00555532201000", "55", "5532201000"),
        # One zero, and the country code once.
        ("000", "55", "0"),
        ("0", "55", ""),
        ("55551130001000", "55", "551130001000"),
        # Another country's number.
        ("0012125550100", "55", "12125550100"),
        ("351210001000", "351", "210001000"),
        ("351210001000", "55", "351210001000"),
    ],
)
def test_the_base_of_a_number(number: str, code: str, expected: str) -> None:
    assert base(number, code) == expected


@pytest.mark.parametrize(
    "number", ["1130001000", "01130001000", "551130001000", "001130001000", "00551130001000"]
)
def test_all_notations_of_a_number_lead_to_all_others(number: str) -> None:
    notations = {"1130001000", "01130001000", "551130001000", "001130001000", "00551130001000"}
    assert {*similar_numbers(number, "55"), number} == notations


@pytest.mark.parametrize(
    ("number", "others"),
    [("1234567", 0), ("01234567", 0), ("12345678", 3), ("012345678", 3), ("3000", 0)],
)
def test_short_numbers_are_similar_to_none(number: str, others: int) -> None:
    # 12345678 with the country code has less than 12 digits, so these two digits may be an area.
    assert len(similar_numbers(number, "55")) == others


@given(NUMBERS, NUMBERS, CODES)
def test_two_numbers_are_similar_if_they_are_others_with_one_base(
    one: str, other: str, code: str
) -> None:
    common = base(one, code)
    alike = one != other and common == base(other, code) and len(common) >= 8
    assert (other in similar_numbers(one, code)) is alike


@given(PREFIXES, PREFIXES, NATIONAL, CODES)
def test_no_notation_is_missed(one: str, other: str, national: str, code: str) -> None:
    first, second = one + national, other + national
    common = base(first, code)
    alike = first != second and common == base(second, code) and len(common) >= 8
    assert (second in similar_numbers(first, code)) is alike


@given(NUMBERS, CODES)
def test_to_be_similar_is_mutual(number: str, code: str) -> None:
    others = similar_numbers(number, code)
    assert len(others) == len(set(others)) <= 4
    assert all(number in similar_numbers(other, code) for other in others)
