# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of DIDs: files as spreadsheets save them, ranges, defaults, and every mistake with its place."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils import _ranges
from ansible_collections.nextbilling.did.plugins.module_utils._errors import InvalidParameter
from ansible_collections.nextbilling.did.plugins.module_utils._source import (
    Item,
    check,
    inline,
    read_file,
)

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
    return check(read_file(str(path), ranges=True), "src", ranges=True, **options)


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
    return check(inline(dids, "dids"), "dids", defaults=defaults, ranges=True)


def refusal(path: Path) -> str:
    """Return why a file cannot be read at all."""
    with pytest.raises(InvalidParameter) as raised:
        read_file(str(path), ranges=True)
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


cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20
).filter(lambda text: not text.isspace())


@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    st.sampled_from(",;"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
)
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
        ("Número;Ramal\n1;2\n".encode(), "line 1: Número is no field"),
        (b"did_number;DID type\n1;2\n", "line 1: the name of column 2 is no field"),
        (b"did_number;\n1;2\n", "line 2: has a cell in a column without a name"),
        (b"1130001000;geheim-7\n", "line 1: the name of column 1 is no field"),
        (b"1130001000;Sales;geheim7\n", "line 1: the name of column 1 is no field"),
        (b"Sales;geheim7;+55 11 3000-1000\n", "line 1: the name of column 1 is no field"),
        (b"did_number\tdescription\n1\tx\n", "line 1: the name of column 1 is no field"),
        (b"did_number;port;port\n1;2;3\n", "line 1: port stands twice"),
        (b"description;port\nx;2\n", "line 1: neither did_number nor record_id"),
        (b"\ndid_number;port\n1;2\n", "line 1: neither did_number nor record_id"),
        (b"did_number;port\n1;2\n2;3;4\n", "line 3: has 3 cells, and the header has 2"),
        (b"did_number;port;host\n1;2;h\n2;3\n", "line 3: has 2 cells, and the header has 3. If a"),
        (b'did_number;port\n1;2\n"2"x;3\n', "line 3: cannot be read as CSV from here on"),
        (b'did_number;port\n1;2\n"2;3\n4;5\n', "line 3: cannot be read as CSV from here on"),
        (
            b'did_number;annotations\n1;"a\n\n"\n2;"b"c\n',
            "line 5: cannot be read as CSV from here on",
        ),
        (b"did_number;annotations\n1;Recep\xe7\xe3o\n", "line 2: is not UTF-8"),
        ("did_number;port\n1;2\n".encode("utf-16"), "line 1: is not UTF-8"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "dids.csv: is encrypted by Ansible Vault"),
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
    assert problems == ["src: is empty, which is more likely a mistake than a wish"]


def test_a_row_of_blanks_is_none(tmp_path: Path) -> None:
    items, problems = load(saved(tmp_path, "did_number;port\n1;1\n ;\t\n2;x\n"))
    assert [item.number for item in items] == ["1"]
    assert [problem.split(": ")[0] for problem in problems] == ["dids.csv, line 4"]


def test_a_number_that_a_spreadsheet_has_rounded(tmp_path: Path) -> None:
    items, problems = load(
        saved(tmp_path, "did_number;port\n5,5113E+12;1\n5.5113e12;1\n1130001000;1\n")
    )
    assert [problem.split(": ")[0] for problem in problems] == [
        "dids.csv, line 2",
        "dids.csv, line 3",
    ]
    assert all("its last digits are lost" in problem for problem in problems)
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
        ("dids.yml", "- did_number: '1'\n  port: !!python/object:x.y {}\n", "line 2: is not YAML"),
        (
            "dids.yml",
            "- did_number: '1'\n  password: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    6162\n",
            "line 2: holds a value that is encrypted by Ansible Vault",
        ),
        ("dids.yml", "$ANSIBLE_VAULT;1.1;AES256\n6162\n", "from_yaml"),
        ("dids.yml", "- did_number: '1\0'\n", "not YAML that can be read"),
        ("dids.yml", "- description: 2026-02-31\n", "not YAML that can be read"),
        ("dids.json", '[{"did_number": "1"},\n {"did_number" "2"}]', "dids.json, line 2: is not"),
        ("dids.json", '{"dids": []}', "must hold a list"),
        ("dids.json", "[" * 100_000, "cannot be read"),
        ("dids.json", '[{"port": ' + "9" * 5000 + "}]", "cannot be read"),
        ("dids.json", "", "is empty"),
        ("dids.xlsx", "PK", "none of .csv, .json, .yml"),
        ("dids", "x", "none of .csv, .json, .yml"),
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
        tmp_path, "did_number;last_number;description\n10;11;\n20;;\n30;31;Fila {number}\n"
    )
    items, problems = load(table, defaults={"description": "Linha {number}"})
    assert problems == []
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
        {"did_number": "5", "record_id": "0", "did_type": "line"},
        {"did_number": "4", "password=geheim": 1},
    )
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["dids[0]", "port"],
        ["dids[1]", "pasword is no field of a DID"],
        ["dids[2]", "must be a dictionary of fields"],
        ["dids[4]", "needs did_number, or record_id, or both"],
        ["dids[4]", "password"],
        ["dids[5]", "did_type"],
        ["dids[5]", "record_id"],
        ["dids[6]", "a key is no field of a DID"],
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
        "defaults: pasword is no field of a DID",
        "defaults: port: must be a whole number, not text",
    ]


def test_an_empty_list_is_a_mistake() -> None:
    assert declared()[1] == ["dids: is empty, which is more likely a mistake than a wish"]
