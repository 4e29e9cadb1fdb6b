# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sheet shows for a whole number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._input.number_formats import (
    is_date,
    show_number,
    shows_text,
)

TELEPHONE = r"[<=99999999]####\-####;\(##\)\ ####\-####"


@pytest.mark.parametrize(
    ("code", "number", "shown"),
    [
        ("General", 1130001000, "1130001000"),
        ("GENERAL", -5, "-5"),
        ("@", 13, "13"),
        ("0", 0, "0"),
        ("0", -7, "-7"),
        ("00000000000", 300123456, "00300123456"),
        ("0000", 12345, "12345"),
        ("(00) 0000-0000", 1130001000, "(11) 3000-1000"),
        (r"\(00\)\ 00000\-0000", 11987654321, "(11) 98765-4321"),
        ('"+"0', 551130001000, "+551130001000"),
        ("+0", 551130001000, "+551130001000"),
        (TELEPHONE, 30001000, "3000-1000"),
        (TELEPHONE, 1130001000, "(11) 3000-1000"),
        ("[<=9999999]###-####;(###) ###-####", 2125550100, "(212) 555-0100"),
        ("#,##0", 13, "13"),
        ("#,##0", 999, "999"),
        ("#,##0_);(#,##0)", 13, "13"),
        ("#,##0_);(#,##0)", -13, "(13)"),
        ("0;-0;0;@", 0, "0"),
        ("[Red]0", 7, "7"),
        ("[$-416]0", 7, "7"),
        # What depends on the language of the program, or shows other signs.
        ("#,##0", 1130001000, None),
        ("#,##0", 5060, None),
        ("0.00", 13, None),
        ("0%", 1, None),
        ("0.00E+00", 13, None),
        ("#", 0, None),
        ("(#)", 0, None),
        (";;;", 13, None),
        ('"x"', 13, None),
        ("0,", 13000, None),
        ("0?", 13, None),
        ("# ?/?", 13, None),
        ("[$R$ -416]0", 13, None),
        ("* 0", 13, None),
        ("dd/mm/yyyy", 45000, None),
        ("[<5]0", 7, None),
        (TELEPHONE, -5, None),
    ],
)
def test_what_is_shown(code: str, number: int, shown: str | None) -> None:
    assert show_number(code, number) == shown


@given(st.integers(0, 10**15 - 1), st.integers(1, 15))
def test_zeros_pad_and_lose_no_digit(number: int, width: int) -> None:
    assert show_number("0" * width, number) == str(number).zfill(width)


@given(st.text("0#?,.;@[]()<=-+ dmyGeneral", max_size=12), st.integers(-(10**15), 10**15))
def test_no_format_without_literal_text_changes_a_digit(code: str, number: int) -> None:
    shown = show_number(code, number)
    if shown is not None:
        assert int("".join(filter(str.isdigit, shown))) == abs(number)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("General", False),
        ("mm-dd-yy", True),
        ("[h]:mm", True),
        ('0 "dias"', False),
        (r"0\d", False),
        ("[Red]0", False),
        ("yyyy;@", True),
    ],
)
def test_which_formats_show_a_date(code: str, expected: bool) -> None:
    assert is_date(code) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("General", True),
        ("@", True),
        ("0.00", True),
        ('_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)', True),
        (";;;", False),
        ("0;0;0;", False),
        ('"Tel "@', False),
        ("@@", False),
    ],
)
def test_which_formats_show_a_text_as_it_is(code: str, expected: bool) -> None:
    assert shows_text(code) is expected
