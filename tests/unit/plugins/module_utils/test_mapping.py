# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists with headers and words of their own, in every format, and how many equal problems are told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items
from ansible_collections.nextbilling.did.tests.support.workbooks import by_excel, by_libreoffice

COLUMNS = {
    "Número": "did_number",
    "DESCRIÇÃO": "description",
    "Assinante ": "customer_id",
    "tipo": "did_type",
    "Fila/URA": "did_type_id",
    "Situac\u0327a\u0303o": "status",
    "ID": "record_id",
    "Obs.": None,
}
VALUES = {
    "did_type": {"Fila": "queue", "URA": "ivr", "Linha": "line"},
    "status": {"Ativo": 1, " inativo": 0, "?": None},
}
HEADER = ["Número", "Descrição", "Assinante", "Tipo", "Fila/URA", "Situação", "ID", "Obs."]
ROWS = [
    ["1130001000", "Recepção", "13", "Fila", "7", "Ativo", "12", "x"],
    ["1130001001", "Fila", "13", "ura", "3", "INATIVO", "13", ""],
    ["1130001002", "Linha", "14", "Linha", "", "?", "14", ""],
    ["1130001003", "x", "14", "queue", "1", "1", "15", ""],
]
MEANT = [
    {
        "customer_id": 13,
        "description": "Recepção",
        "did_number": "1130001000",
        "did_type": 5,
        "did_type_id": 7,
        "status": 1,
    },
    {
        "customer_id": 13,
        "description": "Fila",
        "did_number": "1130001001",
        "did_type": 6,
        "did_type_id": 3,
        "status": 0,
    },
    {"customer_id": 14, "description": "Linha", "did_number": "1130001002", "did_type": 1},
    {
        "customer_id": 14,
        "description": "x",
        "did_number": "1130001003",
        "did_type": 5,
        "did_type_id": 1,
        "status": 1,
    },
]


def written(folder: Path, suffix: str, header: list[str], rows: list[list[str]]) -> str:
    """Write a table in a format. An empty cell is one, or is left out where a format has none."""
    path = folder / f"dids.{suffix}"
    dids = [dict(zip(header, row, strict=True)) for row in rows]
    kept = [{key: value for key, value in did.items() if value} for did in dids]
    if suffix == "csv":
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=";").writerows([header, *rows])
        path.write_text(text.getvalue(), "utf-8")
    elif suffix == "xlsx":
        by_libreoffice(path, [header, *rows])
    elif suffix == "json":
        path.write_text(json.dumps(kept), "utf-8")
    else:
        path.write_text(yaml.safe_dump(kept, allow_unicode=True), "utf-8")
    return str(path)


def read(dids: Any = None, src: str | None = None, **options: Any) -> tuple[list[Any], list[str]]:
    """Read a list as the module dids does; return the wire forms, and the problems."""
    items, problems = read_items(dids, src, ranges=True, **options)
    return [dict(item.values) for item in items], problems


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "json", "yml"])
def test_a_list_in_portuguese(tmp_path: Path, suffix: str) -> None:
    src = written(tmp_path, suffix, HEADER, ROWS)
    items, problems = read_items(None, src, columns=COLUMNS, values=VALUES, ranges=True)
    assert problems == []
    assert [dict(item.values) for item in items] == MEANT
    assert [item.record_id for item in items] == [12, 13, 14, 15]


def test_a_list_in_portuguese_within_the_task() -> None:
    dids = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    found = read(dids, columns=COLUMNS, values=VALUES, empty_text="unmanaged")
    assert found == (MEANT, [])


def test_names_of_fields_in_any_case() -> None:
    assert read([{"DID_Number": "1", " Port ": 5}]) == ([{"did_number": "1", "port": 5}], [])
    _items, problems = read([{"did_number": "1", "port": 5, "Port": 5}])
    assert "dids[0]: port stands twice" in problems[0]


def test_columns_that_change_places_are_mapped_once(tmp_path: Path) -> None:
    columns = {"description": "annotations", "annotations": "description"}
    expected = [{"annotations": "a", "description": "b", "did_number": "1"}]
    header, row = ["did_number", "description", "annotations"], ["1", "a", "b"]
    for suffix in ("csv", "xlsx", "json", "yml"):
        src = written(tmp_path, suffix, header, [row])
        assert read(src=src, columns=columns) == (expected, [])
    assert read([dict(zip(header, row, strict=True))], columns=columns) == (expected, [])


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "json", "yml"])
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"Número": "did_number", "Fila/URA": "did_type_id"},
            "columns: 'Fila/URA' is no header of",
        ),
        (
            {"Número": "did_number", "Xk29mQz77": "port"},
            "columns: the header of entry 2 is no header of",
        ),
    ],
)
def test_a_header_that_is_missing(
    tmp_path: Path, suffix: str, columns: dict[str, Any], words: str
) -> None:
    src = written(tmp_path, suffix, ["Número"], [["1"]])
    with pytest.raises(InvalidParameter) as raised:
        read(src=src, columns=columns)
    assert words in raised.value.message and "Xk29" not in raised.value.message


def test_a_failed_formula_is_told_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "dids.csv"
    rows = ",, \n,a,#REF!\n1130001000,#REF!,a\n1130001001,a,#REF!\n"
    path.write_text(f"did_number,description,Obs.\n,,#N/D\n{rows}", encoding="utf-8")

    items, problems = read_items(None, str(path), columns={"Obs.": None})

    # Rows that declare nothing are no entries, and a column that is left out is not looked at.
    assert [item.place for item in items] == ["dids.csv, line 6"]
    assert [problem.partition(":")[0] for problem in problems] == [
        "dids.csv, line 4",
        "dids.csv, line 5",
    ]
    assert "#REF!" in problems[1]


def test_two_headers_for_one_field(tmp_path: Path) -> None:
    header = ["did_number", "porta", "port"]
    for suffix in ("csv", "xlsx"):
        src = written(tmp_path, suffix, header, [["1", "2", "3"]])
        with pytest.raises(InvalidParameter, match=r"port stands twice \(columns"):
            read(src=src, columns={"porta": "port"})
    _items, problems = read([dict(zip(header, "123", strict=True))], columns={"porta": "port"})
    assert "dids[0]: port stands twice, under keys that mean the same" in problems[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"columns": {"Número": "did_nummer"}},
            "'Número' leads to no field of a DID (is did_number",
        ),
        ({"columns": {"Número": 7}}, "columns: 'Número' leads to no field of a DID"),
        ({"columns": {"a": "port", "A ": "port1"}}, "'A' stands twice"),
        ({"columns": {"false": "port"}}, "columns: entry 1: YAML reads a key such as Yes, No"),
        ({"values": {"play_audio": {"true": 1}}}, "values: play_audio: YAML reads a key such as"),
        (
            {"values": {"stauts": {"a": 1}}},
            "values: stauts is no field of a DID (is status meant?)",
        ),
        ({"values": {"Xk29mQz77": {"a": 1}}}, "values: entry 1 is no field of a DID"),
        ({"values": {"status": "Ativo"}}, "values: status: must be a dictionary"),
        ({"values": {"status": {"Ativo": 1, "ATIVO": 1}}}, "values: status: two keys are the same"),
    ],
)
def test_a_mapping_that_cannot_be(options: dict[str, Any], words: str) -> None:
    found, problems = read([{"did_number": "1"}], **options)
    assert found == [] and any(words in problem for problem in problems), problems
    assert "Xk29" not in str(problems)


def test_a_value_that_is_no_text() -> None:
    values = {"status": {"1": 0}, "play_audio": {"TRUE": 0}}
    found, problems = read([{"did_number": "1", "status": 1, "play_audio": True}], values=values)
    assert (problems, found) == ([], [{"did_number": "1", "play_audio": 1, "status": 0}])


def test_an_empty_text_is_a_value_or_not_managed(tmp_path: Path) -> None:
    did = {"did_number": "1", "description": "", "host_additional": "a.b c.d", "port": " "}
    expected = [{"did_number": "1", "host_additional": ["a.b", "c.d"]}]
    for suffix in ("json", "yml"):
        path = tmp_path / f"dids.{suffix}"
        path.write_text(json.dumps([did]), "utf-8")
        assert read(src=str(path), empty_text="unmanaged") == (expected, [])
    assert read([did], empty_text="unmanaged") == (expected, [])
    found, problems = read([{"did_number": "1", "description": "", "host_additional": "a.b,c.d"}])
    assert problems == []
    assert found == [{"description": "", "did_number": "1", "host_additional": ["a.b", "c.d"]}]


# Equal problems


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("status", "Ativo", "status: must be a whole number, not text (for example 'Ativo')"),
        ("did_type", "Fila", "audio_test (10) (for example 'Fila')"),
        ("did_number", "1,13E+09", "(for example '1,13E+09')"),
        ("host", "10.0.0.1:5060", "(for example '10.0.0.1:5060')"),
        (
            "play_audio",
            "talvez",
            "play_audio: must be true or false, not text (for example 'talvez')",
        ),
        ("annotations", "#N/D", "annotations: #N/D is what a spreadsheet shows"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "xlsx", "json"])
def test_a_wrong_column_of_3000_rows_is_one_line(
    tmp_path: Path, suffix: str, column: str, cell: str, words: str
) -> None:
    if suffix == "json" and column == "annotations":
        return
    key = "record_id" if column == "did_number" else "did_number"
    rows = [[f"{number + 1}", cell] for number in range(3000)]
    _items, problems = read(src=written(tmp_path, suffix, [key, column], rows))
    place = {
        "csv": "dids.csv, lines 2–3001",
        "xlsx": "dids.xlsx, Planilha1!B2:B3001",
        "json": "dids.json[0–2999]",
    }
    line, *rest = problems
    assert line.startswith(f"{place[suffix]}: {column}: ") and words in line
    # Numbers that are equal are the same DID, too.
    assert len(rest) <= 6 and len("\n".join(problems)) < 2000


def test_a_word_that_the_option_does_not_list_points_to_the_option() -> None:
    dids = [{"did_number": "1", "status": "Bloqueado", "port": "x"}]
    _items, problems = read(dids, values={"status": {"Ativo": 1}, "did_type": {"Fila": 1}})
    assert problems == [
        "dids[0]: port: must be a whole number, not text",
        "dids[0]: status: must be a whole number, not text",
        "values: status: a word that it does not list is read as it stands: add what the word means",
    ]


def test_places_that_are_no_neighbours() -> None:
    ports = ["x" if number in (0, 1, 2, 5, 9) else 1 for number in range(11)]
    _items, problems = read([{"did_number": f"{n}", "port": port} for n, port in enumerate(ports)])
    assert problems == ["dids[0–2, 5, 9]: port: must be a whole number, not text (for example 'x')"]
    ports = ["x" if number % 2 else 1 for number in range(40)]
    _items, problems = read([{"did_number": f"{n}", "port": port} for n, port in enumerate(ports)])
    assert problems[0].startswith("dids[1, 3, 5, 7, 9, 11 and 14 more]: port: ")


def test_thousands_of_different_problems_are_cut() -> None:
    dids = [{"did_number": "1", "port": f"-{number + 1}"} for number in range(3000)]
    _items, problems = read(dids)
    assert len("\n".join(problems)) < 2000
    assert "more problems of other kinds" in problems[-1]


def test_thousands_of_pairs_are_counted() -> None:
    _items, problems = read([{"did_number": f"{number % 1500}"} for number in range(3000)])
    assert problems[0] == "dids[0] and dids[1500]: have the same did_number 0"
    assert problems[-1] == "and 1495 more pairs of entries are of one DID"


def test_no_password_is_an_example(tmp_path: Path) -> None:
    rows = [["1", "geheim"], ["2", "segredo"], ["3", "Xk29mQz77"], ["4", "Xk29mQz77"]]
    _items, (problem,) = read(src=written(tmp_path, "csv", ["did_number", "port"], rows))
    assert problem == "dids.csv, lines 2–5: port: must be a whole number, not text"
    rows = [[f"{number}", f" {SECRET}"] for number in range(5)]
    _items, problems = read(src=written(tmp_path, "csv", ["did_number", "password"], rows))
    assert SECRET not in str(problems) and "lines 2–6: password: " in problems[0]


SECRET = "geheim"


def test_unknown_keys_of_many_entries() -> None:
    _items, problems = read([{"did_number": f"{number}", "pasword": SECRET} for number in range(9)])
    assert problems[0] == "dids[0–8]: pasword is no field of a DID (is password meant?)"
    assert problems[1].startswith("The fields are ") and len(problems) == 2


def test_a_sheet_by_excel_with_numbers(tmp_path: Path) -> None:
    rows: list[list[object]] = [[*HEADER[:2]], [1130001000, "x"], [1130001001, 7]]
    src = str(by_excel(tmp_path / "dids.xlsx", rows))
    found, problems = read(src=src, columns={"Número": "did_number", "Descrição": "description"})
    assert problems == []
    assert found == [
        {"description": "x", "did_number": "1130001000"},
        {"description": "7", "did_number": "1130001001"},
    ]
