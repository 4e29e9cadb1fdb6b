# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of DIDs: files as spreadsheets save them, ranges, defaults, and every mistake with its place."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._characters import is_garbled
from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._input import ranges as _ranges
from ansible_collections.nextbilling.did.plugins.module_utils._input.csv_escaping import read_text
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import (
    Item,
    read_items,
)
from ansible_collections.nextbilling.did.plugins.module_utils._input.folding import fold_lines
from ansible_collections.nextbilling.did.plugins.module_utils._input.names import NO_VALUES
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import is_mark
from ansible_collections.nextbilling.did.plugins.module_utils._spreadsheets import is_error_value

# What results, reviews and Ansible show in place of a secret, and what the registry holds.
MARKS = (
    "***",
    " *** ",
    "*** (new)",
    "*** (as last applied)",
    "*** (recorded with another api_key, cannot be compared)",
    "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
    "x-VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
    "********",
    "sip-********-1",
    "$REDACTED$",
    "a $REDACTED$ b",
    "<redacted>",
    '{"fingerprint": "00", "key": "00"}',
)
FIELDS = f"The fields are {', '.join(sorted([*_fields.BY_NAME, 'last_number', 'record_id']))}"
FILES = Path(__file__).parent / "files"
# A table with cells of text, numbers, truth values and nothing at all, which LibreOffice Calc 7.4 with the locale pt-BR has saved:
# "Text CSV", character set UTF-8; with commas, with semicolons, and with all text in quotes. And the same in Excel's dialect:
# semicolons, and empty columns and rows that were once in use. On Windows both end lines in CRLF.
SPREADSHEETS = (
    "libreoffice_comma.csv",
    "libreoffice_semicolon.csv",
    "libreoffice_quoted.csv",
    "excel.csv",
)
WIRES: list[tuple[str, int | None, dict[str, Any]]] = [
    (
        "line 2",
        None,
        {
            "customer_id": 13,
            "description": "Recepção — São João",
            "did_number": "0300123456",
            "did_type": 5,
            "did_type_id": 7,
            "host": "192.168.0.2",
            "port": 5060,
            "username": "0042",
            "password": '007;senha,"x"',
            "techprefix1": "011",
            "max_calls": 20,
            "play_audio": 1,
            "enable_fixed": 0,
            "status": 1,
            "annotations": "Linha 1\nLinha 2",
            "host_additional": ["10.0.0.1", "sip.exemplo.com.br", "10.0.0.3"],
        },
    ),
    (
        "line 4",
        None,
        {
            "customer_id": 13,
            "description": 'Ação: "aspas"; e vírgula, aqui',
            "did_number": "+551130001001",
            "did_type": 6,
            "did_type_id": 3,
            "host": "sip.exemplo.com.br",
            "port": 5061,
            "max_calls": 0,
            "play_audio": 0,
            "enable_fixed": 1,
        },
    ),
    (
        "line 5",
        None,
        {
            "customer_id": 14,
            "description": "Número como número",
            "did_number": "1130001002",
            "did_type": 8,
            "host_additional": ["10.0.0.4"],
        },
    ),
    (
        "line 6",
        12,
        {
            "customer_id": 14,
            "description": "çãõéêàü",
            "did_number": "5511300010030",
            "did_type": 8,
            "port": 5062,
            "max_calls": 5,
            "play_audio": 1,
            "enable_fixed": 1,
            "status": 0,
        },
    ),
    (
        "line 7",
        None,
        {"description": "Número longo, como número", "did_number": "5511300010047"},
    ),
]


def load(path: Path, **options: Any) -> tuple[list[Item], list[str]]:
    """Read a file and check it as the module dids does."""
    return read_items(None, str(path), ranges=True, **options)


def saved(folder: Path, content: str | bytes, name: str = "dids.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(items: list[Item]) -> list[dict[str, Any]]:
    """Return the wire forms alone."""
    return [dict(item.values) for item in items]


def declared(*dids: Any, **defaults: Any) -> tuple[list[Item], list[str]]:
    """Check an inline list as the module dids does."""
    return read_items(dids, None, defaults=defaults, ranges=True)


def refusal(path: Path) -> str:
    """Return why a file cannot be read at all."""
    with pytest.raises(InvalidParameter) as raised:
        read_items(None, str(path), ranges=True)
    return raised.value.message


# Files


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "mark"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", SPREADSHEETS)
def test_what_a_brazilian_spreadsheet_saves_loads_as_it_is(
    tmp_path: Path, name: str, ending: str, mark: bytes
) -> None:
    text = (FILES / name).read_bytes().decode()
    # A line within a cell ends in LF everywhere.
    text = text.replace("\n", ending).replace(f"Linha 1{ending}", "Linha 1\n")
    items, problems = load(saved(tmp_path, mark + text.encode()))
    assert problems == []
    found = [(item.place, item.record_id, dict(item.values)) for item in items]
    assert found == [(f"dids.csv, {line}", record_id, wires) for line, record_id, wires in WIRES]


@pytest.mark.parametrize("name", SPREADSHEETS)
def test_what_was_saved_in_another_character_set_is_refused(tmp_path: Path, name: str) -> None:
    # "CSV" in a Brazilian Excel, and LibreOffice where nobody chose UTF-8.
    content = (FILES / name).read_bytes().decode().encode("cp1252")
    message = refusal(saved(tmp_path, content))
    assert "dids.csv, line 2" in message and "UTF-8" in message


# In each, two rows lack one quotation mark.
@pytest.mark.parametrize(
    "rows",
    [
        ["did_number;description;port", '1130001000;"Support;1', '(11) 3000-1001;Sales";2'],
        ["description;did_number;port", '"Support;1130001000;1', 'Sales";1130001001;2'],
        ["port;record_id;host", '1;1301;"a', "2;1302;b", '3;1303;c"'],
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_cell_that_has_taken_in_rows_is_refused(
    tmp_path: Path, rows: list[str], ending: str
) -> None:
    message = refusal(saved(tmp_path, ending.join(rows)))
    assert "dids.csv, line 2" in message and "quotation mark" in message


@pytest.mark.parametrize(
    "text",
    [
        "Street, 12\nCity, 01310, X\n1130001001",
        # As many separators as the ends of two rows have, but no number, or another line between.
        "Street, 12\nCity, 01310, X\nCall first, please",
        "Street, 12\nCity\n1130001001, Ms X",
    ],
)
def test_a_cell_may_have_lines_with_separators(tmp_path: Path, text: str) -> None:
    rows = ["did_number,description,port", f'1130001000,"{text}",1']
    items, problems = load(saved(tmp_path, "\n".join(rows)))
    assert (problems, values(items)) == (
        [],
        [{"did_number": "1130001000", "description": text, "port": 1}],
    )


# A space before a quotation mark is refused, as the mark would become a part of the text.
cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r{"), min_size=1, max_size=20
).filter(
    lambda text: not text.isspace()
    and not re.match(r'\s+"', text)
    and not is_mark(text)
    and not is_error_value(text.strip())
    and text.strip() not in NO_VALUES
    and read_text(text) == text  # no apostrophe that an export would have written
    and not re.search(r"\n.*[;,]", text)  # may read as the beginning of another row
    and (text.isascii() or not is_garbled(text))
)


@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    st.sampled_from(",;"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
@example(rows=[("a", "'")], separator=",", ending="\n", quoting=csv.QUOTE_ALL, encoding="utf-8")
def test_any_text_comes_out_of_a_table_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    separator: str,
    ending: str,
    quoting: Any,
    encoding: str,
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=ending, quoting=quoting)
    writer.writerow(["description", "did_number", "annotations"])
    for number, (description, note) in enumerate(rows):
        writer.writerow([description, f"{number:04}", note])
    path = saved(tmp_path_factory.mktemp("table"), text.getvalue().encode(encoding))
    items, problems = load(path)
    assert problems == []
    assert values(items) == [
        {"description": description, "did_number": f"{number:04}", "annotations": note}
        for number, (description, note) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "dids.csv: is empty"),
        (b"\xef\xbb\xbf", "dids.csv: is empty"),
        (b" \r\n\r\n", "dids.csv: is empty"),
        ("Número;Ramal\n1;2\n".encode(), "line 1: the names of columns 1–2 are no fields"),
        (b"DID_NUMER;port\n1;2\n", "line 1: DID_NUMER (column 1) is no field"),
        (b"did_number;x;y;port;z\n1;2\n", "line 1: the names of columns 2–3, 5 are no fields"),
        (b"did_number;x\n1;2\n", "The fields are annotations, callerid_add, "),
        (b"did_number;geheim7\n1;2\n", "line 1: the name of column 2 is no field"),
        (b"did_number;Geheim\n1;2\n", "line 1: the name of column 2 is no field"),
        (
            b"did_number;pasword\n1;2\n",
            "line 1: pasword (column 2) is no field of a DID (is password meant?)",
        ),
        (b"did_number;DID type\n1;2\n", "line 1: the name of column 2 is no field"),
        (b"did_number;\n1;2\n", "line 2: has a cell in a column without a name"),
        (b"1130001000;geheim-7\n", "line 1: the names of columns 1–2 are no fields"),
        (b"1130001000;Sales;geheim7\n", "line 1: the names of columns 1–3 are no fields"),
        (b"Sales;geheim7;+55 11 3000-1000\n", "line 1: the names of columns 1–3 are"),
        (b"did_number;port;port\n1;2;3\n", "line 1: port stands twice"),
        (b'did_number;password\n1; "geheim"\n', "line 2: has a space before a quotation mark"),
        (b'did_number;password\n "1";geheim\n', "line 2: has a space before a quotation mark"),
        (b"did_number\n1;geheim\n", "line 2: has more cells than the header, which has one name"),
        (b"did_number\n1\tgeheim\n", "line 2: has more cells than the header"),
        (b"\nrecord_id\n1|geheim\n", "line 3: has more cells than the header"),
        (b"description;port\nx;2\n", "line 1: neither did_number nor record_id"),
        (b"did_number; port;port \n1;2;3\n", "line 1: port stands twice"),
        (b"did_number;port;Port\n1;2;3\n", "line 1: port stands twice (columns 2, 3)"),
        (b"\n\nnumber;port\n1;2\n", "line 3: number (column 1) is no field"),
        (b";;\n;;\n", "is empty: it has no names of fields"),
        (b"sep=:\ndid_number:port\n1:2\n", "line 1: asks by 'sep=' for a separator"),
        (b"sep=,\ndid_number;port\n1;2\n", "line 2: the name of column 1 is no field"),
        (b"<html><table>", "line 1: is not CSV but HTML or XML"),
        (b'\n [{"password": "geheim"}]', "line 1: is not CSV but JSON; name it .json"),
        (b"---\n- password: geheim\n", "line 1: is not CSV but YAML; name it .yml"),
        (b"PK\x03\x04geheim", "line 1: is not UTF-8 text but a spreadsheet such as .xlsx"),
        (b"\xd0\xcf\x11\xe0geheim", "is not UTF-8 text but an .xls spreadsheet (Excel 97 to 2003)"),
        (b"\x1f\x8bgeheim", "is not UTF-8 text but compressed by gzip"),
        (b"%PDF-1.7 geheim", "is not UTF-8 text but a PDF"),
        (b"did_number;port\r1;\x00\r", "line 2: holds a NUL byte"),
        ("did_number;port\n1;2\n".encode("utf-16-le"), "line 1: holds a NUL byte"),
        (
            b"did_number;annotations\n1;geheim\n2;" + b"x" * 140_000,
            "line 3: cannot be read as CSV from here on",
        ),
        (b"did_number;port\n1;2\n2;3;4\n", "line 3: has 3 cells, and the header has 2"),
        (b"did_number;port;host\n1;2;h\n2;3\n", "line 3: has 2 cells, and the header has 3. If a"),
        (b'did_number;port\n1;2\n"2"x;3\n', "line 3: cannot be read as CSV from here on"),
        (b'did_number;port\n1;2\n"2;3\n4;5\n', "line 3: cannot be read as CSV from here on"),
        (
            b'did_number;annotations\n1;"a\n\n"\n2;"b"c\n',
            "line 5: cannot be read as CSV from here on",
        ),
        (b"did_number;annotations\n1;Recep\xe7\xe3o\n", "line 2: is not UTF-8"),
        ("did_number;port\n1;2\n".encode("utf-16"), "line 1: is not UTF-8 text but UTF-16"),
        (b"\xfe\xff" + "did_number\n1\n".encode("utf-16-be"), "is not UTF-8 text but UTF-16"),
        ("did_number;port\n1;2\n".encode("utf-32"), "line 1: is not UTF-8 text but UTF-32"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "dids.csv: is encrypted by Ansible Vault"),
        (b"\xef\xbb\xbf\n$ANSIBLE_VAULT;1.1;AES256\n6162\n", "is encrypted by Ansible Vault"),
    ],
    ids=str,
)
def test_a_table_that_cannot_be_read(tmp_path: Path, content: bytes, words: str) -> None:
    message = refusal(saved(tmp_path, content))
    assert words in message, message
    assert "geheim" not in message


def test_a_file_that_is_not_there_is_told_with_its_whole_path(tmp_path: Path) -> None:
    message = refusal(tmp_path / "dids.csv")
    assert "No such file" in message and str(tmp_path / "dids.csv") in message


def test_a_header_and_nothing_else_is_a_mistake(tmp_path: Path) -> None:
    _items, problems = load(saved(tmp_path, "did_number;port\n;\n"))
    assert problems == ["src: is empty: give at least one DID"]


def test_a_row_of_blanks_is_none(tmp_path: Path) -> None:
    items, problems = load(saved(tmp_path, "did_number;port\n1;1\n ;\t\n2;x\n"))
    assert [item.number for item in items] == ["1"]
    assert [problem.split(": ")[0] for problem in problems] == ["dids.csv, line 4"]


def test_a_number_that_a_spreadsheet_has_rounded(tmp_path: Path) -> None:
    items, problems = load(
        saved(tmp_path, "did_number;port\n5,5113E+12;1\n5.5113e12;1\n1130001000;1\n")
    )
    (problem,) = problems
    assert problem.startswith("dids.csv, lines 2–3: did_number: is what a spreadsheet makes of")
    assert "its last digits are lost" in problem
    assert problem.endswith("(for example '5,5113E+12')")
    assert [item.number for item in items] == ["1130001000"]


def test_an_empty_cell_is_not_managed_and_an_empty_text_is(tmp_path: Path) -> None:
    table = saved(tmp_path, 'did_number;description;host_additional;port\n1;"";  ; \n')
    assert values(load(table)[0]) == [{"did_number": "1"}]
    document = saved(
        tmp_path,
        '[{"did_number": "1", "description": "", "host_additional": [], "port": null}]',
        "dids.json",
    )
    assert values(load(document)[0]) == [
        {"description": "", "did_number": "1", "host_additional": []}
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("dids.yml", "- did_number: '1'\n- did_number: '2\n", "dids.yml, line 3: is not YAML"),
        ("dids.yml", "- did_number: '1'\n  port: [\n", "is not YAML"),
        ("dids.yml", "dids:\n  - did_number: '1'\n", "must hold a list"),
        ("dids.yml", "---\n", "must hold a list"),
        (
            "dids.yml",
            "- did_number: '1'\n\tport: 1\n",
            "line 2: is not YAML from here on: the line is",
        ),
        (
            "dids.yml",
            "- did_number: '1'\n---\n- did_number: '2'\n",
            "line 2: begins another document",
        ),
        ("dids.yml", "- &a [*a]\n", "line 1: a '*' begins an alias"),
        ("dids.yml", "- &a {b: *a}\n", "line 1: a '*' begins an alias"),
        ("dids.yml", "- " * 100_000, "line 1: cannot be read: it is nested too deeply"),
        ("dids.yml", "[" * 100_000, "line 1: "),
        ("dids.yml", "- <<: x\n", "line 1: merges by '<<' what is no dictionary"),
        (
            "dids.yml",
            "- {" + ", ".join(f"k{number}: 1" for number in range(101)) + "}",
            "line 1: has more than 100 keys",
        ),
        ("dids.yml", "%YAML 7.0\n---\n- did_number: '1'\n", "line 1: is not YAML from here on"),
        ("dids.yml", "- did_number: '1'\n  port: 1\x07\n", "line 2: holds a control character"),
        (
            "dids.yml",
            "- did_number: '1'\n  password: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6162\n",
            "line 2: holds a value that is encrypted by Ansible Vault",
        ),
        ("dids.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "from_yaml"),
        ("dids.yml", "- port: 1\n- did_number: '1\0'\n", "line 2: holds a NUL byte"),
        ("dids.json", '[{"did_number": "1"},\n {"did_number" "2"}]', "dids.json, line 2: is not"),
        ("dids.json", '{"dids": []}', "must hold a list"),
        ("dids.json", "[" * 100_000, "cannot be read"),
        ("dids.json", '[{"port": 1},\n]', "line 2: is not JSON from here on"),
        ("dids.json", '[{"port": 1}]\nx', "line 2: is not JSON from here on"),
        ("dids.json", '[{"port": 1}\n{"port": 2}]', "line 2: is not JSON from here on"),
        ("dids.json", "[\r\n{'port': 1}]", "line 2: is not JSON from here on"),
        ("dids.json", "- port: 1", "line 1: must hold a list of DIDs, which begins with '['"),
        ("dids.json", "", "is empty"),
        ("dids.xlsx", "PK", "is no .xlsx workbook but another format"),
        ("dids.xlsx", "<table>", "is no .xlsx workbook but HTML"),
        ("dids.xls", "<table>", "none of .csv, .xlsx, .json, .yml. It is HTML"),
        ("dids.tsv", "did_number\tport\n", "It is text with tabs between the cells; name it .csv"),
        ("dids", "x", "none of .csv, .xlsx, .json, .yml"),
    ],
)
def test_a_document_that_cannot_be_read(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    assert words in refusal(saved(tmp_path, content, name))


def test_yaml_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    message = refusal(saved(tmp_path, "- did_number: '1'\n", "dids.yml"))
    assert "PyYAML" in message and "CSV" in message


def test_a_vaulted_value_has_another_way_on_than_a_vaulted_file(tmp_path: Path) -> None:
    value = saved(tmp_path, "- password: !vault |\n    $ANSIBLE_VAULT;1.1\n", "dids.yml")
    # The filter from_yaml does not know !vault.
    assert "vars_files" in refusal(value) and "from_yaml" not in refusal(value)


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        ("dids.csv", "did_number;port\n\n1;x\n2;1\n;3\n", ["line 3", "line 5"]),
        ("dids.json", '[{"did_number": 1}, "x"]', ["[0]", "[1]"]),
        (
            "dids.yml",
            "# Phones\n- did_number: 0300123\n\n- did_number: '2'\n- port: 1\n",
            ["line 2", "line 5"],
        ),
    ],
)
def test_entries_are_called_by_their_place(
    tmp_path: Path, name: str, content: str, places: list[str]
) -> None:
    _items, problems = load(saved(tmp_path, content, name))
    for problem, place in zip(problems, places, strict=True):
        assert problem.startswith((f"{name}, {place}: ", f"{name}{place}: ")), problem


SECRET = "Xk29mQz77"


@pytest.mark.parametrize(
    "written",
    [
        f"!{SECRET}",
        f"! {SECRET}",
        f"!!{SECRET}",
        f"!<{SECRET}> x",
        f"&{SECRET}",
        f"&{SECRET} x",
        f"*{SECRET}",
        f"@{SECRET}",
        f"%{SECRET}",
        f"`{SECRET}",
        f"|{SECRET}",
        f">{SECRET}",
        f"[{SECRET}",
        f"{{{SECRET}",
        f"[{SECRET}]",
        f"{{{SECRET}: {SECRET}}}",
        f"'{SECRET}",
        f'"{SECRET}',
        f'"{SECRET}\\q"',
        f'"{SECRET}\\ud800"',
        f'"{SECRET}\\UFFFFFFFF"',
        f"'{SECRET}'s",
        f"{SECRET}: x",
        f"x: {SECRET}",
        f"- {SECRET}",
        f"{SECRET}\x07",
        f"\n\t{SECRET}: x",
        f"\n {SECRET}: x",
        f"!!int {SECRET}",
        "!!int ''",
        f"!!float {SECRET}",
        f"!!bool {SECRET}",
        f"!!null {SECRET}",
        f"!!timestamp {SECRET}",
        f"!!binary {SECRET}",
        f"!!set {{{SECRET}}}",
        f"!!omap [{SECRET}: 1]",
        f"!!pairs [{SECRET}: 1]",
        f"!!python/name:{SECRET}",
        f"!!python/object/apply:os.system [{SECRET}]",
        f"!!map {SECRET}",
        f"!!seq {SECRET}",
        f"!!str [{SECRET}]",
    ],
)
@pytest.mark.parametrize("field", ["password", "annotations"])
@pytest.mark.parametrize("library", ["C", "Python"])
def test_what_a_parser_says_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, field: str, library: str
) -> None:
    if library == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    path = saved(tmp_path, f"- did_number: '1'\n  {field}: {written}\n", "dids.yml")
    try:
        items, problems = load(path)
    except InvalidParameter as error:
        assert "src: dids.yml, line " in error.message
        problems, items = [error.message], []
    assert problems and not items
    assert SECRET not in str(problems), problems


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("!!str 0010", "0010"),
        ("'!x'", "!x"),
        ("<<", "<<"),
        ("=", "="),
        ("a b", "a b"),
        ("|\n    a\n    b", "a\nb\n"),
        ("'0010'", "0010"),
        ("~", None),
        ("!!null ''", None),
    ],
)
def test_text_in_yaml(tmp_path: Path, written: str, value: str | None) -> None:
    items, problems = load(
        saved(tmp_path, f"- did_number: '1'\n  annotations: {written}\n", "dids.yml")
    )
    assert (problems, items[0].values.get("annotations")) == ([], value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("dids.yml", "- did_number: '1'\n  12:30:00: x\n", "a key is no field"),
        ("dids.yml", "- did_number: '1'\n  2026-01-31: x\n", "a key is no field"),
        ("dids.yml", "- did_number: '1'\n  null: x\n", "a key is no field"),
        ("dids.yml", "- did_number: '1'\n  ? [Xk29mQz77]\n  : x\n", "a key is no field"),
        ("dids.yml", "- did_number: '1'\n  ? {Xk29mQz77: 1}\n  : x\n", "a key is no field"),
        ("dids.yml", "- did_number: '1'\n  Xk29mQz77:\n", "a key is no field"),
        ("dids.yml", "- {Xk29mQz77: x}\n", "a key is no field of a DID (key 1 of the entry)"),
        ("dids.yml", "- {Xk29mQz77: 1, Xk29mQz77: 2}\n", "a key stands twice"),
        ("dids.json", '[{"Xk29mQz77": 1, "Xk29mQz77": 2}]', "a key stands twice"),
        ("dids.json", '[{"did_number": "1", "Xk29mQz77": 1}]', "(key 2 of the entry)"),
        ("dids.json", '[{"did_type": {"password": "Xk29mQz77"}}]', "not a dictionary"),
        ("dids.json", '[{"did_number": "1", "port": ["Xk29mQz77"]}]', "not a list"),
    ],
)
def test_a_key_that_may_be_a_secret_is_not_shown(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    items, problems = load(saved(tmp_path, content, name))
    assert items == [] and any(words in problem for problem in problems), problems
    assert SECRET not in str(problems)


def test_many_keys_that_are_no_field_are_counted() -> None:
    _items, problems = declared({"did_number": "1", **{f"Xk{n}": n for n in range(1000)}})
    *shown, rest, fields = problems
    assert len(shown) == 5 and rest == "dids[0]: and 995 more keys are none"
    assert fields.startswith("The fields are annotations, ")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            "- did_number: '1'\n  port: 1\n\n  port: 2\n",
            "port stands twice (in line 2 and in line 4)",
        ),
        (
            "- {port: 1, did_number: '1', 'port': 1}\n",
            "port stands twice (in line 1 and in line 1)",
        ),
        (
            "- did_number: '1'\n  description:\n    a: 1\n    a: 2\n",
            "a key stands twice (in line 3 and in line 4)",
        ),
        (
            "- &a {did_number: '1'}\n- <<: *a\n  <<: *a\n",
            "a key stands twice (in line 2 and in line 3)",
        ),
        (
            "- did_number: '1'\n- did_number: '2'\n  customer_id: 1\n  customer_id: 1\n",
            "dids.yml, line 2: customer_id stands twice (in line 3 and in line 4)",
        ),
    ],
)
def test_the_same_key_twice_in_yaml(tmp_path: Path, content: str, lines: str) -> None:
    _items, problems = load(saved(tmp_path, content, "dids.yml"))
    assert any(lines in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            '[{"did_number": "1"},\n\n {"did_number": "2", "port": 1,\n  "port": 1}]',
            "dids.json[1]: port stands twice (in the entry that begins in line 3)",
        ),
        (
            '[{"did_number": "1", "p\\u006frt": 1, "port": 2}]',
            "dids.json[0]: port stands twice (in the entry that begins in line 1)",
        ),
        (
            '[{"did_number": "1",\r "annotations": {"a": 1, "a": 2}}]',
            "dids.json[0]: a key stands twice (in the entry that begins in line 1)",
        ),
    ],
)
def test_the_same_key_twice_in_json(tmp_path: Path, content: str, words: str) -> None:
    _items, problems = load(saved(tmp_path, content, "dids.json"))
    assert any(words in problem for problem in problems), problems


def test_all_keys_that_stand_twice_are_told_at_once(tmp_path: Path) -> None:
    document = (
        '[{"did_number": "1", "port": 1, "port": 2},\n{"did_number": "2", "host": "", "host": "h"}]'
    )
    items, problems = load(saved(tmp_path, document, "dids.json"))
    assert items == []
    assert [problem.split(" stands")[0] for problem in problems] == [
        "dids.json[0]: port",
        "dids.json[1]: host",
    ]


def test_merge_keys_are_overridden_and_an_alias_has_its_own_line(tmp_path: Path) -> None:
    document = (
        "- &one\n  did_number: '1'\n  host: a.b\n  port: &port 5060\n"
        "- <<: *one\n  did_number: '2'\n  port: 5061\n"
        "- did_number: '3'\n  port: *port\n  <<: [{host: x.y}, *one]\n"
        "- *one\n"
    )
    items, problems = load(saved(tmp_path, document, "dids.yml"))
    assert problems == ["dids.yml, line 1 and dids.yml, line 11: have the same did_number 1"]
    assert values(items)[1:3] == [
        {"did_number": "2", "host": "a.b", "port": 5061},
        {"did_number": "3", "host": "x.y", "port": 5060},
    ]


def test_aliases_that_make_much_of_little(tmp_path: Path) -> None:
    levels = ["- &a0 [x]"]
    levels += [f"- &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 200)]
    items, problems = load(saved(tmp_path, "\n".join(levels) + "\n", "dids.yml"))
    assert (items, problems) == (
        [],
        ["dids.yml, lines 1–200: must be a dictionary of fields"],
    )
    merges = ["- &m0 {k0: 1}"]
    merges += [f"- &m{n} {{<<: *m{n - 1}, k{n}: 1}}" for n in range(1, 200)]
    assert "has more than 100 keys" in refusal(saved(tmp_path, "\n".join(merges), "dids.yml"))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("field", ["did_number", "port", "description"])
def test_a_word_for_a_number_that_json_does_not_have_is_no_value(
    tmp_path: Path, field: str, word: str
) -> None:
    """Python writes such words, and reads them."""
    members = {"did_number": '"1"', field: word}
    document = ", ".join(f'"{name}": {value}' for name, value in members.items())
    items, problems = load(saved(tmp_path, f"[{{{document}}}]", "dids.json"))
    assert items == [] and problems[0].startswith(f"dids.json[0]: {field}: "), problems


def test_an_anchor_that_is_set_anew_unused_is_told_with_its_first_line(tmp_path: Path) -> None:
    """Text that begins with '&' is one, and would be lost: here, the first name of a company."""
    document = (
        "- did_number: '1'\n  description: &Sons one\n- description: &Sons two\n- host: *Sons\n"
    )
    assert "dids.yml, line 2: has an anchor that no alias uses" in refusal(
        saved(tmp_path, document, "dids.yml")
    )


def test_a_control_character_anywhere_in_yaml_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser in Python looks for one before it reads anything."""
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    message = refusal(saved(tmp_path, "- did_number: '1'\n- port: '\x07'\n", "dids.yml"))
    assert "dids.yml, line 2: holds a control character" in message


def test_an_integer_of_thousands_of_digits(tmp_path: Path) -> None:
    for name, content in (
        ("dids.json", '[{"did_number": "1", "port": %s}]'),
        ("dids.yml", "- did_number: '1'\n  port: %s\n"),
    ):
        _items, (problem,) = load(saved(tmp_path, content % ("9" * 5000), name))
        assert problem.endswith("port: must be a whole number, not a number that is too large")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"sep=;\ndid_number;port\n1;x\n", 3),
        (b'"sep=;"\r\ndid_number;port\r\n1;x\r\n', 3),
        (b"SEP=\t\ndid_number\tport\n1\tx\n", 3),
        (b"sep=|\ndid_number|port\n1|x\n", 3),
        (b"\xef\xbb\xbfsep=,\n\xef\xbb\xbfdid_number,port\n1,x\n", 3),
        (b"did_number\tport\n1\tx\n", 2),
        (b"did_number|port\n1|x\n", 2),
        (b"\ndid_number;port\n1;x\n", 3),
        (b";;\n \t\n\rdid_number;port\n1;x\n", 5),
        (b"\xef\xbb\xbf" * 2 + b"did_number;port\n1;x\n", 2),
        (b"\xef\xbb\xbf" * 3 + b'"did_number";"port"\n1;x\n', 2),
        (" did_number\u00a0;\u200bport\ufeff\n1;x\n".encode(), 2),
    ],
    ids=str,
)
def test_what_spreadsheets_put_around_a_header(tmp_path: Path, content: bytes, line: int) -> None:
    for suffix in ("csv", "CSV"):
        _items, problems = load(saved(tmp_path, content, f"dids.{suffix}"))
        assert problems == [f"dids.{suffix}, line {line}: port: must be a whole number, not text"]


@pytest.mark.parametrize(
    "header", ['"Número\nDID";port', '"port";"NÚMERO \r\n DID"', '"Número\u00a0DID";port']
)
def test_a_line_break_in_a_header_is_a_space(tmp_path: Path, header: str) -> None:
    path = saved(tmp_path, f"{header}\n1;1\n")
    items, problems = read_items(None, str(path), ranges=True, columns={"Número DID": "did_number"})
    assert (problems, items[0].values) == ([], {"did_number": "1", "port": 1})


def test_a_quotation_mark_within_a_cell_is_a_character_of_it(tmp_path: Path) -> None:
    items, problems = load(saved(tmp_path, 'did_number;description\n1;19" Rack\n'))
    assert (problems, items[0].values["description"]) == ([], '19" Rack')


def test_a_formula_that_has_failed_is_no_value(tmp_path: Path) -> None:
    table = (
        "did_number;description;annotations;host_additional\n1;#N/D;;\n2;x; #REF! ;\n3;# 1;#;|\n"
        "4;Err:502;;\n"
    )
    items, problems = load(saved(tmp_path, table))
    assert [problem.split(" is what a")[0] for problem in problems] == [
        "dids.csv, line 2: description: #N/D",
        "dids.csv, line 3: annotations: #REF!",
        "dids.csv, line 5: description: Err:502",
    ]
    assert [item.number for item in items] == ["3"]


@pytest.mark.parametrize(
    "word", ["NULL", r"\N", "NaN", "nan", "<NA>", "None", " null ", "Loading..."]
)
@pytest.mark.parametrize(
    "field", ["description", "host", "host_additional", "username", "password"]
)
def test_what_a_program_writes_for_no_value_is_no_value(
    tmp_path: Path, word: str, field: str
) -> None:
    table = f"did_number;{field}\n1;\n2;{word}\n"
    _items, problems = load(saved(tmp_path, table))
    shown = word.strip()
    assert problems[0].startswith(f"dids.csv, line 3: {field}: {shown} is what programs write for")
    # It can be meant, or stand for another value.
    path = str(saved(tmp_path, table))
    items, problems = read_items(None, path, ranges=True, values={field: {shown.upper(): None}})
    assert (problems, items[1].values) == ([], {"did_number": "2"})
    if field == "description":
        items, problems = load(saved(tmp_path, f"did_number;{field}\n2;'{shown}\n"))
        assert (problems, items[0].values[field]) == ([], shown)
    # A list from community.general.read_csv is a table as well.
    entries = [{"did_number": "2", field: word}]
    _items, problems = read_items(entries, None, ranges=True, empty_text="unmanaged")
    assert f"{field}: {shown} is what programs write for" in problems[0]


def test_words_that_hold_the_ones_for_no_value_are_taken(tmp_path: Path) -> None:
    table = "did_number;description;host\n1;Financeiro, nan e NULL;nan.example.com\n"
    items, problems = load(saved(tmp_path, table))
    assert (problems, items[0].values["description"]) == ([], "Financeiro, nan e NULL")


def test_a_password_in_the_column_of_the_number_is_not_shown(tmp_path: Path) -> None:
    _items, problems = load(saved(tmp_path, "password;did_number\n1130001000;Xk29mQz77\n"))
    assert problems[0].startswith(
        "dids.csv, line 2: did_number: holds U+0058 LATIN CAPITAL LETTER X"
    )
    assert "Xk29" not in problems[0]


def test_a_million_columns_are_told_in_short(tmp_path: Path) -> None:
    header = ";".join(["did_number", *map(str, range(1_000_000)), "port", "port"])
    message = refusal(saved(tmp_path, f"{header}\n1\n"))
    assert "the names of columns 2–1000001 are no fields" in message
    assert "port stands twice (columns 1000002, 1000003)" in message
    assert len(message) < 2000


# Files that are none


@pytest.mark.parametrize("suffix", ["csv", "json", "yml"])
def test_what_is_no_regular_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    pipe, device, folder, link, circle, socket_ = (
        tmp_path / f"{name}.{suffix}"
        for name in ("pipe", "device", "folder", "link", "circle", "socket")
    )
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    link.symlink_to("/nowhere/dids")
    circle.symlink_to(circle)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(socket_.name)  # a socket's path has room for 107 bytes only
        assert "must be a regular file, and is a socket" in refusal(socket_)
    assert "must be a regular file, and is a named pipe" in refusal(pipe)
    assert "must be a regular file, and is a device" in refusal(device)
    assert "must be a regular file, and is a folder" in refusal(folder)
    assert "No such file" in refusal(link)
    assert "symbolic links" in refusal(circle)
    message = refusal(tmp_path / f"{'x' * 5000}.{suffix}")
    assert "too long" in message and len(message) < 1000
    with pytest.raises(InvalidParameter, match="no such path"):
        read_items(None, f"/tmp/a\0.{suffix}")


def test_a_file_that_turns_into_a_pipe_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, regular = tmp_path / "dids.csv", saved(tmp_path, "did_number\n1\n", "other.csv")
    os.mkfifo(pipe)
    before = os.stat(regular)
    monkeypatch.setattr(os, "stat", lambda *_args, **_options: before)
    assert "is a named pipe" in refusal(pipe)


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, "did_number\n1\n")
    small = os.stat(path)
    os.truncate(path, 256 * 1024**2 + 1)
    assert "larger than 256 MiB" in refusal(path)
    # One that grows while it is read, and a file of the system that has no size.
    for name in ("stat", "fstat"):
        monkeypatch.setattr(os, name, lambda *_args, **_options: small)
    assert "larger than 256 MiB" in refusal(path)


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "link.csv"
    path.symlink_to(saved(tmp_path, "did_number\n1\n"))
    assert values(load(path)[0]) == [{"did_number": "1"}]


# What a value may be


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("12:30:00", "a number in another notation"),
        ("0010", "a number in another notation"),
        ("1_000", "a number in another notation"),
        ("0x1F", "a number in another notation"),
        ("10", "a number"),
        ("1.10", "a number with a decimal point"),
        (".inf", "a number with a decimal point"),
        ("yes", "a boolean"),
        ("Off", "a boolean"),
        ("2026-01-31", "a date"),
        ("2026-02-31", "a date"),
        ("2026-01-31 12:30:00", "a date"),
        ("[a]", "a list"),
    ],
)
def test_what_yaml_makes_of_unquoted_text_is_refused(
    tmp_path: Path, written: str, kind: str
) -> None:
    for field in ("annotations", "description", "host", "ip_address1", "ip_address2"):
        path = saved(tmp_path, f"- did_number: '1'\n  {field}: {written}\n", "dids.yml")
        items, (problem,) = load(path)
        assert items == [] and problem.startswith(
            f"dids.yml, line 1: {field}: must be text, not {kind}"
        )
        assert "quotes" in problem or kind == "a list"


@pytest.mark.parametrize("written", ["010", "12:30", "1_000", "0b11", "2026-01-31", "5060.5"])
def test_a_number_in_yaml_is_as_it_is_written(tmp_path: Path, written: str) -> None:
    path = saved(tmp_path, f"- did_number: '1'\n  customer_id: {written}\n", "dids.yml")
    items, (problem,) = load(path)
    assert items == [] and "customer_id: must be a whole number, not a " in problem


def test_a_number_for_text_in_json_and_any_text_in_a_table(tmp_path: Path) -> None:
    for written, kind in (("5", "a number"), ("1.10", "a number with"), ("true", "a boolean")):
        document = f'[{{"did_number": "1", "description": {written}}}]'
        _items, (problem,) = load(saved(tmp_path, document, "dids.json"))
        assert f"description: must be text, not {kind}" in problem
        table = saved(tmp_path, f"did_number;description\n1;{written}\n")
        assert values(load(table)[0]) == [{"did_number": "1", "description": written}]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_in_any_file_and_in_defaults(tmp_path: Path, mark: str) -> None:
    document = json.dumps([{"did_number": "1", "password": mark}])
    table = io.StringIO()
    csv.writer(table).writerows([["did_number", "password"], ["1", mark]])
    found = [
        load(saved(tmp_path, document, "dids.json")),
        load(saved(tmp_path, document, "dids.yml")),
        load(saved(tmp_path, table.getvalue())),
        declared({"did_number": "1"}, password=mark),
    ]
    for items, problems in found:
        assert len(problems) == 1 and "password: is a mark that stands in place" in problems[0]
        assert not any("password" in item.values for item in items)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"did_number": "***"}, "did_number"),
        ({"did_number": "1", "record_id": "***"}, "record_id"),
        ({"did_number": "1", "last_number": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}, "last_number"),
    ],
)
def test_a_mark_in_place_of_an_identity(item: dict[str, Any], field: str) -> None:
    _items, problems = declared(item)
    assert any(f"{field}: is a mark that stands in place" in problem for problem in problems)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (
            {"description": "Linha {number}"},
            "description: holds {number}, which is replaced in a range",
        ),
        (
            {"description": "Linha { Number }"},
            "description: holds {number}, which is replaced in a",
        ),
        (
            {"annotations": "Linha {number}"},
            "annotations: holds {number}, which only the description",
        ),
        (
            {"last_number": "2", "annotations": "{number}"},
            "annotations: holds {number}, which only",
        ),
        ({"last_number": "2", "username": "u{NUMBER}"}, "username: holds {number}, which only"),
        ({"last_number": "2", "password": "p{number}"}, "password: holds {number}, which only"),
        ({"last_number": "2", "description": "L {NUMBER}"}, "is not spelled {number}"),
        ({"last_number": "2", "description": "L { number }"}, "is not spelled {number}"),
        ({"last_number": "2", "description": "L {{number}}"}, "is not spelled {number}"),
        ({"last_number": "2", "description": "{number} {Number}"}, "is not spelled {number}"),
    ],
    ids=str,
)
def test_a_placeholder_that_nothing_replaces(item: dict[str, Any], words: str) -> None:
    items, problems = declared({"did_number": "1", **item})
    assert items == [] and len(problems) == 1 and words in problems[0], problems


def test_a_placeholder_in_defaults_goes_to_ranges_alone() -> None:
    _items, problems = declared(
        {"did_number": "1", "last_number": "2"}, {"did_number": "3"}, description="L {number}"
    )
    assert [problem.split(" holds")[0] for problem in problems] == ["dids[1]: description:"]
    _items, problems = declared({"did_number": "1", "last_number": "2"}, annotations="L {number}")
    assert [problem.split(" holds")[0] for problem in problems] == ["defaults: annotations:"]


# Ranges


def test_a_range_stands_for_all_of_its_numbers() -> None:
    items, problems = declared(
        {
            "did_number": "+00 11 3000-0998",
            "last_number": "001130001001",
            "description": "{number}: linha {number}",
            "port": 5060,
        }
    )
    assert problems == []
    assert [dict(item.values) for item in items] == [
        {
            "description": f"+{number}: linha +{number}",
            "did_number": f"+{number}",
            "port": 5060,
        }
        for number in ("001130000998", "001130000999", "001130001000", "001130001001")
    ]
    assert {item.place for item in items} == {"dids[0]"}


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [
        ("1130002000", "+1130002001", ["1130002000", "1130002001"]),
        ("+1130002000", "1130002001", ["+1130002000", "+1130002001"]),
        ("(11) 3000-2000", "1130002001", ["1130002000", "1130002001"]),
        ("0800 300 1002", "0800-300-1003", ["08003001002", "08003001003"]),
    ],
)
def test_the_first_number_of_a_range_says_how_all_are_sent(
    first: str, last: str, numbers: list[str]
) -> None:
    items, problems = declared({"did_number": first, "last_number": last})
    assert problems == []
    assert [item.values["did_number"] for item in items] == numbers


def test_a_description_for_all_can_name_each_number_of_a_range(tmp_path: Path) -> None:
    table = saved(
        tmp_path,
        "did_number;last_number;description\n10;11;\n20;;Vinte\n30;31;Fila {number}\n40;;\n",
    )
    items, problems = load(table, defaults={"description": "Linha {number}"})
    # One that is no range would be called so to the letter.
    (problem,) = problems
    assert problem.startswith("dids.csv, line 5: description: holds {number}")
    assert [(item.number, item.values["description"]) for item in items if item.number != "20"] == [
        ("10", "Linha 10"),
        ("11", "Linha 11"),
        ("30", "Fila 30"),
        ("31", "Fila 31"),
    ]


def test_a_range_of_one_number_and_the_longest_one() -> None:
    assert values(declared({"did_number": "7", "last_number": "7"})[0]) == [{"did_number": "7"}]
    items, problems = declared({"did_number": "0000000", "last_number": "0099999"})
    assert (len(items), problems) == (_ranges.RANGE_LIMIT, [])
    assert items[-1].values["did_number"] == "0099999"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"did_number": "0999", "last_number": "10000"}, "10000 has 5 digits, and did_number has"),
        ({"did_number": "1001", "last_number": "1000"}, "1000 is before did_number 1001"),
        ({"did_number": "0000000", "last_number": "0100000"}, "a range of 100001 numbers; 100000"),
        ({"did_number": "1", "last_number": "2", "record_id": 3}, "has no single record_id"),
        ({"record_id": 3, "last_number": "2"}, "has no single record_id"),
        ({"did_number": "1", "last_number": 2}, "must be a quoted string"),
        ({"did_number": 1, "last_number": "2"}, "needs a valid did_number beside it"),
        ({"last_number": "2"}, "needs a valid did_number beside it"),
        ({"did_number": "1", "last_number": ""}, "is empty"),
        ({"did_number": "1", "last_number": "2E+5"}, "its last digits are lost"),
        ({"did_number": "1", "last_number": "9" * 5000}, "last_number: "),
        ({"did_number": "1" * 5000, "last_number": "1" * 5000}, "no telephone number has"),
        ({"did_number": "1130002000.0", "last_number": "1130002009.0"}, "a decimal number"),
        ({"did_number": "1130002000", "last_number": "1130002009.0"}, "a decimal number"),
        ({"did_number": "1130002000", "last_number": "1,13E+09"}, "its last digits are lost"),
        ({"did_number": "1130002000", "last_number": "09"}, "09 has 2 digits"),
        ({"did_number": "1130002000", "last_number": "11 3000-2009 (30)"}, "a note"),
        ({"did_number": "1130002000", "last_number": "2026-01-31"}, "a date"),
        ({"did_number": "1130002000", "last_number": 1130002009.0}, "comes too late"),
        ({"did_number": "11 3000-2009", "last_number": "11 3000-2000"}, "11 3000-2000 is before"),
    ],
    ids=str,
)
def test_a_range_that_cannot_be(item: dict[str, Any], words: str) -> None:
    items, problems = declared(item)
    assert items == []
    assert any(
        f"dids[0]: last_number: {words}" in problem or words in problem for problem in problems
    )
    assert any("last_number" in problem for problem in problems)


def test_ranges_that_overlap_name_both_places_once() -> None:
    items, problems = declared(
        {"did_number": "100", "last_number": "199"},
        {"did_number": "200"},
        {"did_number": "+150", "last_number": "+249"},
        {"did_number": "+100"},
    )
    assert problems == [
        "dids[0] and dids[2]: have the same did_number 150 and 49 more",
        "dids[1] and dids[2]: have the same did_number 200",
        "dids[0] and dids[3]: have the same did_number 100",
    ]
    assert items


# Lists as a whole


def test_the_same_did_twice_names_both_places(tmp_path: Path) -> None:
    table = saved(
        tmp_path, "did_number;record_id\n1130001000;\n2;7\n+1130001000;\n3;7\n11 3000-1000;9\n"
    )
    assert load(table)[1] == [
        "dids.csv, line 2 and dids.csv, line 4: have the same did_number 1130001000",
        "dids.csv, line 3 and dids.csv, line 5: have the same record_id 7",
        "dids.csv, line 2 and dids.csv, line 6: have the same did_number 1130001000",
    ]


def test_all_that_is_invalid_is_told_at_once_and_no_secret_is() -> None:
    items, problems = declared(
        {"did_number": "1", "port": 70000, "password": "geheim"},
        {"did_number": "2", "pasword": "geheim"},
        "did_number=3 password=geheim",
        {"did_number": "4"},
        {"port": 1, "password": 271828},
        {"did_number": "5", "record_id": "0", "did_type": "lime"},
        {"did_number": "4", "password=geheim": 1},
    )
    assert problems.pop() == FIELDS
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["dids[0]", "port"],
        ["dids[1]", "pasword is no field of a DID (is password meant?)"],
        ["dids[2]", "must be a dictionary of fields"],
        ["dids[4]", "needs did_number, or record_id, or both"],
        ["dids[4]", "password"],
        ["dids[5]", "did_type"],
        ["dids[5]", "record_id"],
        ["dids[6]", "a key is no field of a DID (key 2 of the entry)"],
    ]
    assert [item.number for item in items] == ["4"]
    assert "geheim" not in str(problems) and "271828" not in str(problems)
    assert "geheim" not in repr(items)


def test_defaults_fill_what_an_item_leaves_out() -> None:
    items, problems = declared(
        {"did_number": "1"},
        {"did_number": "2", "port": None, "did_type_id": 8, "host_additional": []},
        {"did_number": "3", "port": 0, "did_type": "ip", "device_id": 4, "description": ""},
        port=5060,
        did_type="queue",
        did_type_id=7,
        description="x",
        host_additional=["h"],
        password="geheim",
        annotations=None,
    )
    assert problems == []
    common = {"password": "geheim"}
    assert values(items) == [
        {
            "description": "x",
            "did_number": "1",
            "did_type": 5,
            "did_type_id": 7,
            "port": 5060,
            "host_additional": ["h"],
            **common,
        },
        {
            "description": "x",
            "did_number": "2",
            "did_type": 5,
            "did_type_id": 8,
            "port": 5060,
            "host_additional": [],
            **common,
        },
        {
            "description": "",
            "did_number": "3",
            "did_type": 0,
            "did_type_id": 7,
            "device_id": 4,
            "port": 0,
            "host_additional": ["h"],
            **common,
        },
    ]


def test_a_default_may_need_what_only_items_have() -> None:
    items, problems = declared(
        {"did_number": "1", "did_type_id": 7}, {"did_number": "2"}, did_type="queue"
    )
    assert [item.number for item in items] == ["1"]
    assert problems == [
        "dids[1]: did_type: queue (5) needs did_type_id beside it (the vendor's page says so)"
    ]


def test_defaults_that_cannot_be_are_told_once() -> None:
    _items, problems = declared(
        {"did_number": "1"},
        {"did_number": "2"},
        did_number="3",
        record_id=4,
        last_number="5",
        port="x",
        pasword="geheim",
    )
    assert problems == [
        "defaults: did_number is each DID's own",
        "defaults: record_id is each DID's own",
        "defaults: last_number is each DID's own",
        "defaults: pasword is no field of a DID (is password meant?)",
        "defaults: port: must be a whole number, not text",
        FIELDS,
    ]


def test_an_empty_list_is_a_mistake() -> None:
    assert declared()[1] == ["dids: is empty: give at least one DID"]


def test_equal_problems_of_a_task_are_one_line() -> None:
    lines = [f"dids[{place}]: needs record_id" for place in (*range(3, 900), 1000)]
    lines += ["port1: is wrong", "port2: is wrong", "dids[7] and dids[8]: are one"]
    assert fold_lines(lines) == [
        "dids[3–899, 1000]: needs record_id",
        "port1: is wrong",
        "port2: is wrong",
        "dids[7] and dids[8]: are one",
    ]
    few = fold_lines([f"dids[{place}]: is {place}" for place in range(1000)])
    assert few[0] == "dids[0]: is 0" and len("\n".join(few)) < 3_000
    assert few[-1].startswith(f"and {1000 - len(few) + 1} more problems")
