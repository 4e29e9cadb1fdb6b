# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workbooks: a cell reads as the sheet shows it, or is refused with sheet and cell; and what is no workbook is named."""

from __future__ import annotations

import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._characters import is_garbled
from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items
from ansible_collections.nextbilling.did.tests.support.workbooks import (
    CUSTOM,
    GENERAL,
    TEXT,
    by_excel,
    by_libreoffice,
    workbook_of,
)

SECRET = "Xk29mQz77"
HEADER = "<row r='1'><c r='A1' t='inlineStr'><is><t>did_number</t></is></c><c r='B1' t='inlineStr'><is><t>{}</t></is></c></row>"
NUMBER = "<c r='A2' t='inlineStr'><is><t>1</t></is></c>"


def read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the wire forms of a workbook's DIDs, and the problems."""
    items, problems = read_items(None, str(path), ranges=True, **options)
    return [dict(item.values) for item in items], problems


def refusal(path: Path, **options: Any) -> str:
    """Return why a workbook cannot be read at all."""
    with pytest.raises(InvalidParameter) as raised:
        read(path, **options)
    assert SECRET not in raised.value.message
    return raised.value.message


def one_cell(
    folder: Path, cell: str, field: str = "annotations", **options: Any
) -> tuple[object, list[str]]:
    """Return the value of a field that stands in cell B2, and the problems. C(cell): its XML, without its place."""
    placed = cell.replace("<c", "<c r='B2'", 1)
    rows = f"{HEADER.format(field)}<row r='2'>{NUMBER}{placed}</row>"
    found, problems = read(workbook_of(folder / "dids.xlsx", rows, [SECRET], **options))
    return (found[0].get(field) if found else None), problems


@pytest.mark.parametrize(
    ("cell", "custom", "value"),
    [
        ("<c t='inlineStr'><is><t>Recepção</t></is></c>", "", "Recepção"),
        ("<c t='inlineStr'><is><r><t>Re</t></r><r><t>cep</t></r></is></c>", "", "Recep"),
        ("<c t='inlineStr'><is><t>漢</t><rPh sb='0' eb='1'><t>kan</t></rPh></is></c>", "", "漢"),
        ("<c t='s'><v>0</v></c>", "", SECRET),
        ("<c t='str'><f>A1</f><v>x</v></c>", "", "x"),
        ("<c t='str'><f>A1</f><v></v></c>", "", None),
        ("<c/>", "", None),
        ("<c t='inlineStr'><is><t>  </t></is></c>", "", None),
        ("<c><f>1+1</f><v>2</v></c>", "", "2"),
        ("<c><v>1130001000</v></c>", "", "1130001000"),
        ("<c t='n'><v>1.130001E9</v></c>", "", "1130001000"),
        ("<c><v>13.0</v></c>", "", "13"),
        ("<c><v>999999999999999</v></c>", "", "999999999999999"),
        (f"<c s='{TEXT}'><v>13</v></c>", "", "13"),
        (f"<c s='{CUSTOM}'><v>300123456</v></c>", "00000000000", "00300123456"),
        (f"<c s='{CUSTOM}'><v>1130001000</v></c>", "(00) 0000-0000", "(11) 3000-1000"),
    ],
)
def test_a_cell_reads_as_the_sheet_shows_it(
    tmp_path: Path, cell: str, custom: str, value: str | None
) -> None:
    assert one_cell(tmp_path, cell, custom=custom or "General") == (value, [])


@pytest.mark.parametrize(
    ("cell", "custom", "words"),
    [
        ("<c><v>13.5</v></c>", "", "a number with decimals"),
        ("<c><v>1130001000123456</v></c>", "", "more than 15 digits"),
        ("<c><v>1E+15</v></c>", "", "more than 15 digits"),
        (f"<c s='{CUSTOM}'><v>45000</v></c>", "dd/mm/yyyy", "a date or a time"),
        (f"<c s='{CUSTOM}'><v>0.5</v></c>", "hh:mm", "a date or a time"),
        ("<c t='d'><v>2026-01-31</v></c>", "", "a date or a time"),
        (f"<c s='{CUSTOM}'><v>5060</v></c>", "#,##0", "a number format"),
        (f"<c s='{CUSTOM}'><v>1</v></c>", "0%", "a number format"),
        (f"<c s='{CUSTOM}' t='inlineStr'><is><t>x</t></is></c>", ";;;", "a number format"),
        ("<c t='e'><v>#REF!</v></c>", "", "an error value"),
        ("<c t='e'><f>1/0</f><v>#DIV/0!</v></c>", "", "an error value"),
        ("<c><f>A1</f></c>", "", "a formula whose value is not stored"),
        ("<c><f>A1</f><v></v></c>", "", "a formula whose value is not stored"),
        ("<c t='b'><v>1</v></c>", "", "a truth value"),
        ("<c t='inlineStr'><is><t>a_x000D_b</t></is></c>", "", "a control character"),
        ("<c t='inlineStr'><is><t>#N/D</t></is></c>", "", "where a formula has failed"),
        ("<c t='inlineStr'><is><t>NaN</t></is></c>", "", "for a cell without a value"),
        ("<c><v>1E+999999999</v></c>", "", "more than 15 digits"),
    ],
)
def test_a_cell_that_is_refused_is_named(
    tmp_path: Path, cell: str, custom: str, words: str
) -> None:
    value, (problem,) = one_cell(tmp_path, cell, custom=custom or "General")
    assert value is None
    assert problem.startswith("dids.xlsx, Planilha1!B2: annotations: ") and words in problem


def test_a_formula_that_nothing_has_calculated_is_refused(tmp_path: Path) -> None:
    # A library writes 0 in place of the result.
    with zipfile.ZipFile(workbook_of(tmp_path / "dids.xlsx", "")) as archive:
        _declaration, workbook = archive.read("xl/workbook.xml").decode().split("\n", 1)
    cell = "<c><f>VLOOKUP(A2,A:B,2)</f><v>0</v></c>"
    for flag, words in (("1", "that no spreadsheet program has calculated"), ("0", "")):
        parts = {"xl/workbook.xml": workbook.replace("<calcPr", f"<calcPr fullCalcOnLoad='{flag}'")}
        value, problems = one_cell(tmp_path, cell, "customer_id", parts=parts)
        assert (value, bool(problems)) == ((None, True) if words else (0, False))
        assert words in "".join(problems)
        assert one_cell(tmp_path, "<c><v>13</v></c>", "customer_id", parts=parts) == (13, [])


def test_flags_and_whole_numbers(tmp_path: Path) -> None:
    for cell, field, value in (
        ("<c t='b'><v>1</v></c>", "play_audio", 1),
        ("<c t='b'><v>0</v></c>", "play_audio", 0),
        ("<c t='inlineStr'><is><t>NÃO</t></is></c>", "play_audio", 0),
        ("<c t='inlineStr'><is><t>X</t></is></c>", "play_audio", 1),
        ("<c><v>5060</v></c>", "port", 5060),
        ("<c t='inlineStr'><is><t>10.0.0.1, 10.0.0.2|a.b</t></is></c>", "host_additional", None),
    ):
        found, problems = one_cell(tmp_path, cell, field)
        assert problems == []
        assert found == (["10.0.0.1", "10.0.0.2", "a.b"] if value is None else value)


@pytest.mark.parametrize(
    "formula", ["SUM(A2:A9)", "SUBTOTAL(103,A2:A9)", "_xlfn.AGGREGATE(9,5,A2:A9)", "COUNTA(A2:A9)"]
)
@pytest.mark.parametrize("field", ["did_number", "last_number", "record_id", "customer_id"])
def test_a_total_is_no_did(tmp_path: Path, field: str, formula: str) -> None:
    header = "<row r='1'><c r='A1' t='inlineStr'><is><t>{}</t></is></c><c r='B1' t='inlineStr'><is><t>{}</t></is></c></row>"
    other = "record_id" if field == "did_number" else "did_number"
    row = f"<row r='2'><c r='A2'><v>1130001000</v></c><c r='B2'><f>{formula}</f><v>1130001001</v></c></row>"
    path = workbook_of(tmp_path / "dids.xlsx", header.format(other, field) + row, [])
    problems = read(path)[1]
    if field == "customer_id":
        assert problems == []
    else:
        assert problems[0].startswith(f"dids.xlsx, Planilha1!B2: {field}: holds a total")


def test_a_number_may_be_computed(tmp_path: Path) -> None:
    header = "<row r='1'><c r='A1' t='inlineStr'><is><t>did_number</t></is></c></row>"
    row = "<row r='2'><c r='A2'><f>MAX(B1:B9)+1</f><v>1130001001</v></c></row>"
    assert read(workbook_of(tmp_path / "dids.xlsx", header + row, [])) == (
        [{"did_number": "1130001001"}],
        [],
    )


def test_a_refused_number_is_one_problem(tmp_path: Path) -> None:
    path = by_excel(tmp_path / "dids.xlsx", [["did_number"], [1130001000.5]])
    (problem,) = read(path)[1]
    assert problem.startswith("dids.xlsx, Plan1!A2: did_number: holds a number with decimals")


def test_equal_problems_of_a_column_are_one(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["did_number", "port"],
        *([f"1130{n:06}", 1.5] for n in range(3000)),
    ]
    assert read(by_excel(tmp_path / "dids.xlsx", rows))[1] == [
        "dids.xlsx, Plan1!B2:B3001: port: holds a number with decimals; give the column the format 'text', and enter the value as it is meant"
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("<c r='B2' t='b'><v>1</v></c>", "holds a truth value"),
        ("<c r='B2' t='e'><v>#REF!</v></c>", "holds an error value"),
        ("<c r='B2' t='d'><v>2026-01-31</v></c>", "holds a date"),
    ],
)
def test_a_name_of_a_field_is_text(tmp_path: Path, cell: str, words: str) -> None:
    # A row of blanks before it is no header.
    blank = "<row r='1'><c r='A1' t='inlineStr'><is><t> </t></is></c></row>"
    header = "<row r='2'><c r='A2' t='inlineStr'><is><t>did_number</t></is></c>{}</row>"
    row = "<row r='3'><c r='A3'><v>1130001000</v></c></row>"
    path = workbook_of(tmp_path / "dids.xlsx", blank + header.format("") + row)
    assert read(path) == ([{"did_number": "1130001000"}], [])
    message = refusal(workbook_of(tmp_path / "dids.xlsx", blank + header.format(cell) + row))
    assert f"Planilha1!B2: {words}" in message and "names of the fields" in message


def test_a_row_of_blanks_or_of_notes_alone_is_no_did(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["did_number", "Nota"],
        ["1"],
        [" ", "x"],
        [None, "x"],
        [" "],
        ["2", "x"],
    ]
    path = by_excel(tmp_path / "dids.xlsx", rows)
    assert read(path, columns={"Nota": None}) == ([{"did_number": "1"}, {"did_number": "2"}], [])


@pytest.mark.parametrize("merged", ["B2:B3", "A3:B3", "B1:C1", "A1:XFD1048576"])
def test_merged_cells_are_refused(tmp_path: Path, merged: str) -> None:
    rows = f"{HEADER.format('description')}<row r='2'>{NUMBER}</row><row r='3'><c r='A3'><v>2</v></c></row>"
    after = f"<mergeCells count='1'><mergeCell ref='{merged}'/></mergeCells>"
    path = workbook_of(tmp_path / "dids.xlsx", rows, after=after)
    assert f"merged cells (Planilha1!{merged})" in refusal(path)


@pytest.mark.parametrize("merged", ["A1:B1", "C3:C4", "A5:B9"])
def test_merged_cells_that_are_not_read_do_no_harm(tmp_path: Path, merged: str) -> None:
    rows = (
        "<row r='2'><c r='A2' t='inlineStr'><is><t>did_number</t></is></c>"
        "<c r='C2' t='inlineStr'><is><t>Nota</t></is></c></row>"
        "<row r='3'><c r='A3'><v>1</v></c></row><row r='4'><c r='A4'><v>2</v></c></row>"
    )
    after = f"<mergeCells count='1'><mergeCell ref='{merged}'/></mergeCells>"
    path = workbook_of(tmp_path / "dids.xlsx", rows, after=after)
    assert read(path, columns={"Nota": None}) == ([{"did_number": "1"}, {"did_number": "2"}], [])


def test_what_stands_beside_the_table(tmp_path: Path) -> None:
    path = by_excel(tmp_path / "dids.xlsx", [["did_number"], ["1"], ["2", None, SECRET]])
    assert "Plan1!C3: is in a column without a name" in refusal(path)
    path = by_excel(tmp_path / "dids.xlsx", [[], [None, "did_number"], [], [None, "1"]])
    assert read(path) == ([{"did_number": "1"}], [])
    path = by_excel(tmp_path / "dids.xlsx", [])
    assert "Plan1: is empty" in refusal(path)
    path = by_excel(tmp_path / "dids.xlsx", [["did_number", SECRET], ["1", "x"]])
    assert "Plan1, row 1: the name of column B is no field" in refusal(path)


def test_a_sheet_is_found_by_its_name(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook(write_only=True)
    workbook.create_sheet("Oculta").sheet_state = "hidden"
    for name, number in (("Números", "1"), ("Outra", "2")):
        sheet = workbook.create_sheet(name)
        sheet.append(["did_number"])
        sheet.append([number])
    path = tmp_path / "dids.xlsx"
    workbook.save(path)
    assert read(path)[0] == [{"did_number": "1"}]
    assert read(path, sheet="OUTRA ")[0] == [{"did_number": "2"}]
    assert "It has 'Oculta', 'Números', 'Outra'" in refusal(path, sheet="Plan1")
    assert read_items([{"did_number": "1"}], None, sheet="x")[1] == [
        "sheet: goes with src, an .xlsx file"
    ]


def test_a_date_by_excel(tmp_path: Path) -> None:
    by_excel(
        tmp_path / "dids.xlsx",
        [["did_number", "annotations"], ["1", datetime.date(2026, 1, 31)]],
        "Sheet",
    )
    _found, (problem,) = read(tmp_path / "dids.xlsx")
    assert problem.startswith("dids.xlsx, Sheet!B2: annotations: holds a date")


texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]), min_size=1).filter(
    lambda text: not text.isspace()
    and "{" not in text
    and "*" not in text
    and "_x" not in text
    and not text.strip().startswith(("#", "Err"))
    and (text.isascii() or not is_garbled(text))
)


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from([by_excel, by_libreoffice]))
def test_any_text_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, written: list[str], write: Any
) -> None:
    rows = [
        ["did_number", "annotations"],
        *([f"{n:04}", f"x{text}"] for n, text in enumerate(written)),
    ]
    found, problems = read(write(tmp_path_factory.mktemp("sheet") / "dids.xlsx", rows))
    assert (problems, [each["annotations"] for each in found]) == (
        [],
        [f"x{text}" for text in written],
    )


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    "part",
    ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml"],
)
@pytest.mark.parametrize(
    "text", [f"{BOMB}<x>&c;</x>", "<x>", SECRET, "", f"<sst>{SECRET}<si></sst>", "<worksheet/>"]
)
def test_a_part_that_is_broken_or_grows(tmp_path: Path, part: str, text: str) -> None:
    rows = f"{HEADER.format('annotations')}<row r='2'>{NUMBER}</row>"
    path = workbook_of(tmp_path / "dids.xlsx", rows, parts={part: text})
    # The texts and the formats of this workbook are not used.
    if text != "<worksheet/>" or part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        message = refusal(path)
        assert "dids.xlsx" in message and (
            "workbook" in message or "empty" in message or "no sheet" in message
        )


@pytest.mark.parametrize(
    "rows",
    [
        "<row r='x'><c r='A1'><v>1</v></c></row>",
        "<row r='1'><c r='1'><v>1</v></c></row>",
        "<row r='1'><c r='ZZZZ1'><v>1</v></c></row>",
        "<row r='1'><c r='a1'><v>1</v></c></row>",
        "<row r='1'><c r='\u00c11'><v>1</v></c></row>",
        "<row r='1'><c r='A1' t='s'><v>7</v></c></row>",
        "<row r='1'><c r='A1'><v>x</v></c></row>",
        "<row r='1'><c r='A1' s='x'><v>1</v></c></row>",
        "<row r='1'><c r='A1' s='9'><v>1</v></c></row>",
    ],
)
def test_a_sheet_that_breaks_the_rules(tmp_path: Path, rows: str) -> None:
    assert "cannot be read as a workbook" in refusal(workbook_of(tmp_path / "dids.xlsx", rows))


def test_a_workbook_that_is_too_large_unzipped(tmp_path: Path) -> None:
    path = tmp_path / "dids.xlsx"
    workbook_of(path, "")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("xl/more.xml", "w", force_zip64=True) as part:
            for _mebibyte in range(257):
                part.write(bytes(1024**2))
    assert "has 257 MiB of XML in it, and 256 MiB are the most" in refusal(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0" + SECRET.encode(), "no .xlsx workbook but an .xls spreadsheet"),
        (b"<html><table>", "no .xlsx workbook but HTML or XML"),
        (b"did_number\tport\n", "no .xlsx workbook but text with tabs between the cells"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is encrypted by Ansible Vault"),
        (b"PK\x03\x04" + SECRET.encode(), "cannot be read as a workbook"),
    ],
)
def test_what_is_no_workbook(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "dids.xlsx"
    path.write_bytes(content)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("part", "words"),
    [("content.xml", "is an .ods"), ("xl/workbook.bin", "is an .xlsb"), ("x", "is another ZIP")],
)
def test_an_archive_of_another_format(tmp_path: Path, part: str, words: str) -> None:
    path = tmp_path / "dids.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(part, "")
    assert words in refusal(path)


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252"])
def test_a_part_in_another_encoding_is_not_parsed(tmp_path: Path, encoding: str) -> None:
    """In another encoding, a definition of entities need not look like one."""
    path = workbook_of(tmp_path / "dids.xlsx", f"<row r='1'>{NUMBER}</row>")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    text = parts["xl/workbook.xml"].decode().replace('encoding="UTF-8"', f'encoding="{encoding}"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, text.encode() if name == "xl/workbook.xml" else part)
    assert "cannot be read as a workbook" in refusal(path)


def test_a_workbook_with_a_password_in_zip_has_another_way_on(tmp_path: Path) -> None:
    path = by_excel(tmp_path / "dids.xlsx", [["did_number"], ["1"]])
    content = bytearray(path.read_bytes())
    # The flag of an encrypted part, in the archive's directory (APPNOTE.TXT, 4.4.4).
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in refusal(path) and "without a password" in refusal(path)


def test_a_workbook_without_styles_shows_numbers_as_they_are(tmp_path: Path) -> None:
    rows = f"{HEADER.format('port')}<row r='2'>{NUMBER}<c r='B2'><v>5060</v></c></row>"
    path = workbook_of(tmp_path / "dids.xlsx", rows)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            if name != "xl/styles.xml":
                archive.writestr(name, part)
    assert read(path) == ([{"did_number": "1", "port": 5060}], [])


def test_a_strict_workbook(tmp_path: Path) -> None:
    strict = '<workbook xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main"/>'
    path = workbook_of(tmp_path / "dids.xlsx", "", parts={"xl/workbook.xml": strict})
    assert "'Strict Open XML'" in refusal(path)


def test_a_workbook_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = by_excel(tmp_path / "dids.xlsx", [["did_number"], ["1"]])
    for name in [name for name in sys.modules if name.partition(".")[0] == "openpyxl"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert "openpyxl" in refusal(path)


def test_cells_without_a_place_follow_each_other(tmp_path: Path) -> None:
    cells = "<row><c t='inlineStr'><is><t>did_number</t></is></c><c t='inlineStr'><is><t>port</t></is></c></row>"
    path = workbook_of(
        tmp_path / "dids.xlsx", f"{cells}<row><c s='{GENERAL}'><v>1</v></c><c><v>2</v></c></row>"
    )
    assert read(path) == ([{"did_number": "1", "port": 2}], [])
