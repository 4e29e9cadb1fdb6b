# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of CSV: every text reads back as it was, and no spreadsheet finds a formula, whatever it takes for a separator."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._input.csv_escaping import (
    EMPTY,
    read_text,
    write_text,
)

# Short texts of what matters here, and any others.
TEXTS = st.text(st.sampled_from("'\"=+-@;,|\t\r\n \ufeff\uff1d#N/Aab"), max_size=12) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
)


@given(TEXTS)
def test_every_text_reads_back_as_it_was(text: str) -> None:
    cell = write_text(text)
    assert read_text(cell) == text
    assert cell and not cell.isspace()  # an empty cell is "not managed"


@given(TEXTS, TEXTS, st.sampled_from(";,|\t"), st.sampled_from(";,|\t"))
def test_no_spreadsheet_finds_a_formula(text: str, other: str, written: str, assumed: str) -> None:
    """In a country with another separator, a program takes a character within a text for the end of a cell."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, delimiter=written, lineterminator="\r\n")
    writer.writerow(["1130001000", write_text(text), write_text(other)])
    for line in csv.reader(io.StringIO(table.getvalue(), newline=""), delimiter=assumed):
        for cell in line:
            bare = re.sub(r"^[\s\"\ufeff\u200b\u200e\u200f\u2060]+", "", cell)
            assert not bare.startswith(tuple("=+-@\uff1d")), cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", EMPTY),
        (EMPTY, "'" + EMPTY),
        ("=1+1", "'=1+1"),
        ("+551130001000", "'+551130001000"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("a;=1", "a;'=1"),
        ("'=1", "''=1"),
        ("#N/A", "'#N/A"),
        (" ", "' "),
        (' "x"', '\' "x"'),
        # As they are.
        ("'1", "'1"),
        ("O'Hara", "O'Hara"),
        ("a-b", "a-b"),
        ("a, b", "a, b"),
        ("#1", "#1"),
    ],
)
def test_a_text_stands_in_its_cell_and_comes_back(text: str, cell: str) -> None:
    assert (write_text(text), read_text(cell)) == (cell, text)
