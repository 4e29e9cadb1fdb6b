# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number that a spreadsheet has damaged, in every place where a number is given. What becomes of each text is tested apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner

NUMBER = "1130031000"
DAMAGED = f"{NUMBER}.0"
# By name, how a list with one DID is given that was damaged; with a word that the refusal has.
FILES = {
    "dids.csv": (f"did_number;record_id\n{DAMAGED};901\n", "decimal number"),
    "quoted.csv": (f'did_number,record_id\n"{DAMAGED}","901"\n', "decimal number"),
    "scientific.csv": ("did_number;record_id\n1,13E+09;901\n", "last digits are lost"),
    "range.csv": ("did_number;record_id\n1130031000-1130031009;901\n", "last_number"),
    "float.json": (f'[{{"did_number": {DAMAGED}, "record_id": 901}}]', "decimal"),
    "integer.json": (f'[{{"did_number": {NUMBER}, "record_id": 901}}]', "in quotes"),
    "text.json": (f'[{{"did_number": "{DAMAGED}", "record_id": 901}}]', "decimal number"),
    "integer.yml": (f"- did_number: {NUMBER}\n  record_id: 901\n", "in quotes"),
    "octal.yml": ("- did_number: 0300123\n  record_id: 901\n", "in quotes"),
    "float.yml": (f"- did_number: {DAMAGED}\n  record_id: 901\n", "decimal"),
    "scientific.yml": ("- did_number: 1.13e+9\n  record_id: 901\n", "decimal"),
    "text.yml": (f"- did_number: '{DAMAGED}'\n  record_id: 901\n", "decimal number"),
}
INLINE = {"text": DAMAGED, "float": float(DAMAGED), "integer": int(NUMBER)}


def _check_refusal(runner: Runner, result: Result, words: str) -> None:
    assert result["failed"] and result["error"]["kind"] == "invalid_parameter"
    assert words in result["msg"]
    # Digits that were joined would be pasted.
    assert f"{NUMBER}0" not in json.dumps(result).replace(DAMAGED, "")
    assert runner.requests() == []
    assert runner.store.is_empty()


@pytest.mark.parametrize("state", ["recorded", "forgotten"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_number_is_not_recorded(
    runner: Runner, tmp_path: Path, name: str, state: str
) -> None:
    content, words = FILES[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    for check in (True, False):
        _check_refusal(runner, runner.did_registry(check=check, state=state, src=str(path)), words)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_number_is_not_applied_from_a_file(
    runner: Runner, tmp_path: Path, name: str
) -> None:
    content, words = FILES[name]
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    for check in (True, False):
        _check_refusal(runner, runner.dids(check=check, src=str(path)), words)


@pytest.mark.parametrize("value", INLINE.values(), ids=INLINE)
@pytest.mark.parametrize(
    "given",
    [
        lambda runner, value: runner.did(did_number=value, port=1),
        lambda runner, value: runner.dids(dids=[{"did_number": value, "port": 1}]),
        lambda runner, value: runner.dids(dids=[{"did_number": NUMBER, "last_number": value}]),
        lambda runner, value: runner.did_info(did_number=value),
        lambda runner, value: runner.did_registry(
            state="recorded", dids=[{"did_number": value, "record_id": 901}]
        ),
        lambda runner, value: runner.did_registry(state="forgotten", dids=[{"did_number": value}]),
    ],
    ids=["did", "dids", "last_number", "did_info", "recorded", "forgotten"],
)
def test_a_damaged_number_is_refused_wherever_it_is_given(
    runner: Runner, given: Callable[[Runner, Any], Result], value: Any
) -> None:
    words = "in quotes" if isinstance(value, int) else "decimal number"
    _check_refusal(runner, given(runner, value), words)


def test_a_range_of_damaged_numbers_creates_nothing(runner: Runner, tmp_path: Path) -> None:
    """The 10 numbers were read as 91 others."""
    path = tmp_path / "dids.csv"
    path.write_text("did_number;last_number\n1130002000.0;1130002009.0\n", encoding="utf-8")
    _check_refusal(runner, runner.dids(src=str(path)), "decimal number")


@pytest.mark.parametrize("field", ["username", "callerid_add", "techprefix1", "techprefix2"])
def test_scientific_notation_is_sent_in_no_field(
    runner: Runner, tmp_path: Path, field: str
) -> None:
    path = tmp_path / "dids.csv"
    path.write_text(f"did_number;{field}\n{NUMBER};1,13E+09\n", encoding="utf-8")
    by_file = runner.dids(src=str(path))
    by_default = runner.dids(dids=[{"did_number": NUMBER}], defaults={field: "1.13e+09"})
    given: dict[str, Any] = {"did_number": NUMBER, field: "1E+10"}
    for result in (by_file, by_default, runner.did(**given)):
        _check_refusal(runner, result, f"{field}: is what a spreadsheet makes of a long number")
