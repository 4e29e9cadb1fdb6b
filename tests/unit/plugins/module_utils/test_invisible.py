# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text made visible: what nobody can see, and what two texts that look alike differ in."""

from __future__ import annotations

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._planning.invisible import (
    escape_invisible,
    look_alikes,
    split_at_invisible,
)


def pair(one: str, other: str) -> tuple[str, str]:
    """Return two texts as they are shown side by side."""
    unlike_one, unlike_other = look_alikes(one, other)
    return escape_invisible(one, unlike_one), escape_invisible(other, unlike_other)


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("S\u00e3o", "Sa\u0303o", (r"S\u00e3o", r"Sa\u0303o")),
        ("a b", "a\u3000b", ("a b", r"a\u3000b")),
        ("a-b", "a\u2212b", ("a-b", r"a\u2212b")),
        ("'a'", "\u2018a\u2019", ("'a'", r"\u2018a\u2019")),
        ("\u201ca\u201d", '"a"', (r"\u201ca\u201d", '"a"')),
        ("COPEX", "\u0421\u041e\u0420\u0415\u0425", ("COPEX", r"\u0421\u041e\u0420\u0415\u0425")),
        ("A1", "\uff211", ("A1", r"\uff211")),
        ("fi", "\ufb01", ("fi", r"\ufb01")),
        ("a\u2764b", "a\u2764\ufe0fb", ("a\u2764b", "a\u2764" + r"\ufe0fb")),
    ],
)
def test_texts_that_look_alike_do_not_any_more(
    one: str, other: str, shown: tuple[str, str]
) -> None:
    assert pair(one, other) == shown
    first, second = other, one
    assert pair(first, second) == shown[::-1]


@pytest.mark.parametrize(
    ("one", "other"), [("São", "Sao"), ("São", "Sãos"), ("ação", "acção"), ("é", "é"), ("a", "b")]
)
def test_texts_that_a_person_can_tell_apart_stay_readable(one: str, other: str) -> None:
    assert pair(one, other) == (one, other)


def test_long_texts_are_told_apart_in_no_time() -> None:
    one = "ção " * 30_000
    first, second = pair(one, unicodedata.normalize("NFD", one))
    assert first != second and first.isascii() and second.isascii()


def test_a_text_cannot_imitate_a_code() -> None:
    assert escape_invisible(r"a\u00a0") == r"a\\u00a0"
    assert escape_invisible("a\u00a0\\") == r"a\u00a0\\"


TEXT = st.text(
    st.one_of(st.sampled_from("aé\u0301e\u00a0 \u200b-\u2013\u0430\\n"), st.characters()),
    max_size=8,
)


@hypothesis.given(TEXT, TEXT)
def test_different_texts_never_look_the_same(one: str, other: str) -> None:
    first, second = pair(one, other)
    hypothesis.assume(one != other)
    assert first != second
    # A terminal may compose what is shown.
    assert unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second)


@hypothesis.given(TEXT)
def test_nothing_is_lost(text: str) -> None:
    assert "".join(piece for piece, is_code in split_at_invisible(text) if not is_code) == "".join(
        character for character in text if escape_invisible(character) in (character, "\\\\")
    )
