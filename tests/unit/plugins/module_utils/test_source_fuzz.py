# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of DIDs with anything in them: read, or refused as invalid, and never with a word of a secret in the message."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items

SECRET = "Xk29mQz77"
SUFFIXES = ("csv", "json", "yml")
DIDS = [
    {"did_number": "1130001000", "port": "5060", "password": SECRET, "description": "Sales"},
    {"did_number": "1130001001", "port": "5061", "password": f"{SECRET}'\"", "description": "a: b"},
]
# What has a meaning in one of the three formats.
SPECIAL = (
    *"!&*%@`|>?:-,;#[]{}\"'\\~=\t\n\r \0\x07\x85\u2028\ufeff",
    *(
        "<<",
        "---",
        "...",
        "!!",
        "!!int ",
        "!!timestamp ",
        "!vault ",
        "&a ",
        "*a",
        "? ",
        ": ",
        "\n\t",
    ),
    *("- ", "sep=;", "\\u", "\\ud800", "\\UFFFFFFFF", "NaN", "1e999", "***", "{number}", "%YAML 9"),
)


def _valid(suffix: str) -> bytes:
    if suffix == "json":
        return json.dumps(DIDS, indent=1).encode()
    if suffix == "yml":
        # Not in quotes, as people write it.
        text = yaml.safe_dump(DIDS, sort_keys=False)
        return text.replace(f"'{SECRET}'", SECRET).encode()
    table = io.StringIO()
    writer = csv.writer(table, delimiter=";")
    writer.writerow(list(DIDS[0]))
    writer.writerows(list(did.values()) for did in DIDS)
    return table.getvalue().encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for all examples, as each writes its file anew."""
    return tmp_path_factory.mktemp("fuzz")


def _told(folder: Path, suffix: str, content: bytes) -> str:
    path = folder / f"dids.{suffix}"
    path.write_bytes(content)
    try:
        _items, problems = read_items(None, str(path), ranges=True)
    except InvalidParameter as error:
        return error.message
    return "\n".join(problems)


@given(suffix=st.sampled_from(SUFFIXES), content=st.binary(max_size=200))
def test_any_bytes(folder: Path, suffix: str, content: bytes) -> None:
    _told(folder, suffix, content)


@given(suffix=st.sampled_from(SUFFIXES), pieces=st.lists(st.sampled_from([*SPECIAL, "a", "1"])))
def test_any_row_of_special_characters(folder: Path, suffix: str, pieces: list[str]) -> None:
    _told(folder, suffix, "".join(pieces).encode())


@given(
    suffix=st.sampled_from(SUFFIXES),
    changes=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 3),
            st.one_of(st.sampled_from(SPECIAL), st.characters(codec="utf-8")),
        ),
        min_size=1,
        max_size=4,
    ),
)
@example(suffix="yml", changes=[(0.32, 0, "!")])
@example(suffix="csv", changes=[(0.09375, 0, "\n\t")])
def test_a_valid_file_with_accidents(
    folder: Path, suffix: str, changes: list[tuple[float, int, str]]
) -> None:
    text = _valid(suffix).decode()
    for place, taken, put in changes:
        at = int(place * len(text))
        text = text[:at] + put + text[at + taken :]
    told = _told(folder, suffix, text.encode())
    # An accident within the secret leaves a part of it.
    for part in (SECRET, SECRET[:5], SECRET[-5:]):
        assert part not in told


@given(suffix=st.sampled_from(SUFFIXES), at=st.integers(0, 400), special=st.sampled_from(SPECIAL))
def test_something_before_each_secret(folder: Path, suffix: str, at: int, special: str) -> None:
    content = _valid(suffix).decode()
    told = _told(folder, suffix, content.replace(SECRET, special + SECRET).encode()[: 100 + at])
    assert SECRET not in told and SECRET[:5] not in told
