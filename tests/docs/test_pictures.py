# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures show what the demo shows today. After a change, ``make pictures`` makes them anew."""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from ansible_collections.nextbilling.did.tests.docs.examples import DOCUMENTS, read
from ansible_collections.nextbilling.did.tests.pictures import demonstration
from ansible_collections.nextbilling.did.tests.pictures.demonstration import (
    NOTE,
    PICTURES,
    Demonstration,
)

_TEXT = "{http://www.w3.org/2000/svg}text"
# Of a character, as rich draws it.
_WIDTH = 12.2
_RAW = "https://raw.githubusercontent.com/nextbilling-did/nextbilling.did/main/"
TERMINAL, REVIEW = PICTURES / "demo.svg", PICTURES / "review.png"
READMES = [name for name in DOCUMENTS if re.fullmatch(r"README(\.pt-BR)?\.md", name)]


@pytest.fixture(scope="module")
def demo() -> Demonstration:
    """What the demo prints and writes now."""
    return demonstration.show()


def lines_of_terminal() -> list[str]:
    """Return the lines of the picture of a terminal that are not blank."""
    found: dict[float, str] = defaultdict(str)
    for element in ElementTree.parse(TERMINAL).iter(_TEXT):
        if "clip-path" in element.attrib:
            # Blanks have no element of their own: the place of the next one tells how many there are.
            column = round(float(element.attrib["x"]) / _WIDTH)
            y = float(element.attrib["y"])
            found[y] = found[y].ljust(column) + (element.text or "").strip("\n").replace(
                "\xa0", " "
            )
    return [line.rstrip() for _y, line in sorted(found.items()) if line.strip()]


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a PNG, each with its type."""
    position = 8
    while position < len(content):
        (length,) = struct.unpack_from(">I", content, position)
        yield content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        position += length + 12


def words_of_review() -> str:
    """Return the words of the page that the picture of a review was made of."""
    (note,) = (data for kind, data in chunks(REVIEW.read_bytes()) if kind == b"iTXt")
    name, _end, rest = note.partition(b"\0")
    assert name.decode() == NOTE
    # A byte each for compression and its method, then two empty texts.
    return zlib.decompress(rest[4:]).decode()


def test_the_terminal_shows_what_the_demo_prints(demo: Demonstration) -> None:
    printed = demonstration.lines(demo.printed)
    assert lines_of_terminal() == [line for line in printed if line]


def test_the_picture_of_the_review_has_the_words_of_the_review(demo: Demonstration) -> None:
    assert words_of_review() == demonstration.words(demo.review)


def test_pictures_are_small_and_ask_nobody() -> None:
    assert REVIEW.stat().st_size < 200_000 and TERMINAL.stat().st_size < 100_000
    text = TERMINAL.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in text and "@import" not in text and "<script" not in text


@pytest.mark.parametrize("document", READMES)
def test_a_readme_shows_both_with_words_for_those_who_do_not_see_them(document: str) -> None:
    found = dict(re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", read(document).replace("\n", " ")))
    assert set(found.values()) == {
        f"{_RAW}docs/pictures/{path.name}" for path in (TERMINAL, REVIEW)
    }
    assert all(len(words) > 40 for words in found)
