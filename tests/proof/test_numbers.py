# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number in any way of writing is that number, and what an accident made of numbers is refused: it never becomes another number.

C(PROOF_STEPS) sets how many examples are tried in each of the two tests, C(make proof) sets it to many.
"""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION
from ansible_collections.nextbilling.did.tests.proof.number_spellings import (
    ANY,
    DAMAGES,
    REFUSED_WAYS,
    SPACE,
    WAYS,
    Writing,
    writings,
)

EXAMPLES = int(os.environ.get("PROOF_STEPS", "1200"))
GUIDE = COLLECTION / "docs/docsite/rst/many_dids.rst"
# No message needs more.
LONGEST_MESSAGE = 700


def tried(check: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> int:
    """Try as many examples as the run is to have; return how many were tried."""
    counts: collections.Counter[str] = collections.Counter()

    def counted(drawn: Any) -> None:
        check(*drawn)
        counts["tried"] += 1

    run = settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        print_blob=True,
    )
    run(given(st.tuples(*strategies))(counted))()
    return counts["tried"]


def read(text: str) -> str | None:
    """Return the number that a text is read as, or None; check the message of a refusal."""
    try:
        return _fields.normalise_did_number(text)
    except ValueError as error:
        check_message(str(error), text)
        return None


def check_message(message: str, text: str) -> None:
    """No digits that do not stand in the text as they are, nothing that cannot be seen, and an end."""
    assert len(message) <= LONGEST_MESSAGE
    assert message.isprintable()
    assert set(filter(lambda character: not character.isascii(), message)) <= {"…"}
    for digits in re.findall(
        "[0-9]{5,}", re.sub(r"\\(x..|u....|U.{8})|U\+[0-9A-F]+", " ", message)
    ):
        assert digits in text, digits


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_writing_has_an_example_that_is_read(way: str) -> None:
    example = WAYS[way].example
    assert read(example) == "".join(re.findall("[+0-9]", example))


def test_a_number_in_any_way_of_writing_is_that_number(record_property: Any) -> None:
    def check(writing: Writing, before: str, after: str) -> None:
        assert read(before + writing.text + after) == writing.number

    count = tried(check, ANY, SPACE, SPACE)
    record_property("examples", count)
    print(f"{count} numbers in {len(WAYS)} ways of writing")
    assert count >= EXAMPLES


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_writing_is_tried(way: str) -> None:
    def check(writing: Writing) -> None:
        assert read(writing.text) == writing.number

    run = settings(max_examples=20, deadline=None, database=None)
    run(given(writings(way))(check))()


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_kind_of_damage_has_an_example_that_is_refused(kind: str) -> None:
    check_refusal(DAMAGES[kind].example, kind)


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_kind_of_damage_is_tried(kind: str) -> None:
    run = settings(max_examples=20, deadline=None, database=None)
    run(given(DAMAGES[kind].texts)(lambda text: check_refusal(text, kind)))()


def test_damage_is_refused_and_never_another_number(record_property: Any) -> None:
    found = st.sampled_from(sorted(DAMAGES)).flatmap(
        lambda kind: st.tuples(st.just(kind), DAMAGES[kind].texts)
    )

    def check(damaged: tuple[str, str], before: str, after: str) -> None:
        kind, text = damaged
        check_refusal(before + text + after, kind)

    count = tried(check, found, SPACE, SPACE)
    record_property("examples", count)
    print(f"{count} texts of {len(DAMAGES)} kinds of damage")
    assert count >= EXAMPLES


def check_refusal(text: str, kind: str) -> None:
    """Check that a damaged number is refused, in words that lead to the right one."""
    damage = DAMAGES[kind]
    with pytest.raises(ValueError, match=damage.advice) as refused:
        _fields.normalise_did_number(text)
    message = str(refused.value)
    check_message(message, text)
    if damage.looked_up:
        # Whoever writes the digits alone then has another number.
        assert "alone" not in message


@pytest.mark.parametrize("text", [text for texts in REFUSED_WAYS.values() for text in texts])
def test_a_way_of_writing_that_may_be_something_else_is_refused(text: str) -> None:
    assert read(text) is None


def cells(title: str) -> list[tuple[str, ...]]:
    """Return the rows of a list-table of the guide, without their head, as text."""
    guide = GUIDE.read_text(encoding="utf-8")
    table = guide.split(f".. list-table:: {title}\n", 1)[1].split("\n\n", 1)[1]
    rows = re.split(r"^   \* - ", re.split(r"\n(?=\S)", table)[0], flags=re.M)[2:]
    return [
        tuple(
            re.sub(r"\n +", " ", cell).strip()
            for cell in re.split(r"\n     -(?: |$)", row.rstrip(), flags=re.M)
        )
        for row in rows
    ]


def test_the_guide_lists_the_kinds_of_damage() -> None:
    told = {row[0]: row[1] for row in cells("What is refused")}
    shown = {kind: damage.example for kind, damage in DAMAGES.items()}
    assert told == {kind: f"``{text}``" if text else "" for kind, text in shown.items()}


def test_the_guide_lists_the_ways_of_writing() -> None:
    assert cells("What is read") == [(way, f"``{each.example}``") for way, each in WAYS.items()]
    refused = [
        (way, ", ".join(f"``{text}``" for text in texts)) for way, texts in REFUSED_WAYS.items()
    ]
    assert [row[:2] for row in cells("What some people write, and is refused")] == refused
