# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what no test takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.coverage import uncovered

SOURCE = """\
def decide(known):
    if known:
        known = sorted(known)
        return known
    if known is None:
        return []
    return None
"""
FILE = "plugins/module_utils/decide.py"


def _report(**region: Any) -> dict[str, Any]:
    lines = {"executed_lines": [2, 5, 7], "missing_lines": [], "missing_branches": []}
    return {"files": {FILE: {"functions": {"decide": {**lines, **region}}}}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A collection of one file."""
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    path.write_text(SOURCE)
    (path.parent / "__init__.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("region", "lines"),
    [
        ({}, []),
        ({"missing_lines": [3, 4], "missing_branches": [[2, 3]]}, ["known = sorted(known)"]),
        ({"missing_branches": [[5, 6]]}, ["if known is None:"]),
        (
            {"missing_lines": [3, 4, 7], "missing_branches": [[2, 3], [5, 7]]},
            ["known = sorted(known)", "return None"],
        ),
    ],
)
def test_places_are_named_by_their_lines(
    root: Path, region: dict[str, Any], lines: list[str]
) -> None:
    region.setdefault("executed_lines", sorted({2, 5, 7} - set(region.get("missing_lines", []))))
    found = list(uncovered.places(_report(**region), root))
    assert found == [uncovered.Place(FILE, "decide", line) for line in lines]


def test_a_file_that_nothing_loads_is_a_place(root: Path) -> None:
    (place,) = uncovered.places({"files": {}}, root)
    assert place == uncovered.Place(FILE, "", uncovered.NEVER_LOADED)


def test_what_is_not_listed_fails_and_what_is_taken_is_told(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(uncovered.places, "__defaults__", (root,))
    monkeypatch.setattr(uncovered, "LIST", tmp_path / "list.yml")
    report = tmp_path / "report.json"
    entry = {FILE: {"decide": [{"line": "return None", "why": "never"}]}}

    def end(region: dict[str, Any], listed: dict[str, Any]) -> tuple[int, str]:
        report.write_text(json.dumps(_report(**region)))
        uncovered.LIST.write_text(json.dumps(listed), encoding="utf-8")
        return uncovered.main(str(report)), capsys.readouterr().out

    missing = {"executed_lines": [2, 5], "missing_lines": [7]}
    code, told = end(missing, {})
    assert (code, "does not say why: " + FILE in told) == (1, True)
    assert end(missing, entry) == (
        0,
        "1 places that no test takes are listed with their reasons.\n",
    )
    code, told = end({}, entry)
    assert (code, "Taken after all" in told) == (0, True)
    with pytest.raises(ValueError, match="no reason"):
        end({}, {FILE: {"decide": [{"line": "return None", "why": " "}]}})


def test_the_list_is_one_of_this_collection() -> None:
    for place in uncovered.listed(uncovered.LIST.read_text("utf-8")):
        lines = (uncovered.COLLECTION / place.file).read_text("utf-8").splitlines()
        assert place.line in [uncovered.NEVER_LOADED, *map(str.strip, lines)], place
