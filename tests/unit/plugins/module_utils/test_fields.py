# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of fields, and that options, documentation and examples agree with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.doc_fragments import connection, fields, registry
from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._characters import check_characters
from ansible_collections.nextbilling.did.plugins.module_utils._module import arguments as base
from ansible_collections.nextbilling.did.plugins.modules import did

# The parameters of the vendor's page, in its order.
VENDORS_PAGE = (
    "customer_id description rate_id rate_cost_id did_number did_type did_type_id device_id host port username password"
    " techprefix1 ip_address1 port1 techprefix2 ip_address2 port2 callerid_add max_calls play_audio hide_from_reseller"
    " enable_fixed enable_mobile enable_ddi register status annotations host_additional"
).split()


def test_the_table_is_the_vendors_page() -> None:
    assert [field.name for field in _fields.FIELDS] == VENDORS_PAGE
    assert _fields.SECRETS == ("password",)


@pytest.mark.parametrize(
    ("fragment", "spec"),
    [
        (fields, _fields.argument_spec()),
        (connection, base.connection_spec()),
        (registry, base.registry_spec()),
    ],
    ids=["fields", "connection", "registry"],
)
def test_the_documentation_has_the_same_options(fragment: Any, spec: dict[str, Any]) -> None:
    documented = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]
    assert list(documented) == list(spec)
    for name, option in spec.items():
        assert documented[name]["type"] == option["type"], name
        assert documented[name].get("elements") == option.get("elements"), name
        assert documented[name].get("default") == option.get("default"), name


def test_every_type_of_did_is_documented() -> None:
    options = yaml.safe_load(fields.ModuleDocFragment.DOCUMENTATION)["options"]
    text = " ".join(options["did_type"]["description"])
    for entry in _fields.DID_TYPES:
        assert f"V({entry.name}) ({entry.code})" in text


def test_the_examples_declare_valid_fields() -> None:
    for task in yaml.safe_load(did.EXAMPLES):
        declared = {
            name: value
            for name, value in task["nextbilling.did.did"].items()
            if name in _fields.BY_NAME
        }
        assert _fields.normalise(declared)[1] == []


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("did_number", " (11) 3000-1000\n", "1130001000"),
        ("did_number", "+55 11 3000", "+55113000"),
        ("did_type", "Queue", 5),
        ("did_type", "10", 10),
        ("did_type", 8, 8),
        ("port", "5060", 5060),
        ("port", 0, 0),
        ("port", 65535, 65535),
        ("port", 5060.0, 5060),
        ("status", -1, -1),
        ("play_audio", "yes", 1),
        ("play_audio", False, 0),
        ("host", "", ""),
        ("host", "2001:db8::1", "2001:db8::1"),
        ("host", "sip_1.example.com.", "sip_1.example.com."),
        ("host_additional", [], []),
        ("techprefix1", "", ""),
        ("techprefix1", "0055#", "0055#"),
        ("techprefix2", " 0055 ", "0055"),
        ("callerid_add", "\u00a01130001000\n", "1130001000"),
        ("callerid_add", "+55 (11) 3000-1000", "+55 (11) 3000-1000"),
        ("username", "\t0042", "0042"),
        ("username", "1e5", "1e5"),
        ("username", "12E4", "12E4"),
        ("username", "nan", "nan"),
        ("username", "trunk-1@example.com", "trunk-1@example.com"),
        ("username", "ramal 30", "ramal 30"),
        ("username", "joão", "joão"),
        ("techprefix1", "#31#", "#31#"),
        ("password", "1,13E+09", "1,13E+09"),
        ("password", "a b\tc", "a b\tc"),
        ("password", "#N/A", "#N/A"),
        ("password", "", ""),
        ("description", "", ""),
        ("description", "2024", "2024"),
        ("description", "*** VIP ***", "*** VIP ***"),
        ("password", "a***b", "a***b"),
        ("password", "****", "****"),
        ("annotations", "{numbers} {x}", "{numbers} {x}"),
    ],
)
def test_a_value_and_its_wire_form(name: str, value: Any, wire: Any) -> None:
    companion = {"did_type_id": 1} if name == "did_type" else {}
    wires, problems = _fields.normalise({name: value, **companion})
    assert problems == []
    assert wires[name] == wire and type(wires[name]) is type(wire)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("did_number", "+"),
        ("did_number", ""),
        ("did_number", "11+22"),
        ("did_number", "11\u00a022"),
        ("did_number", ["11"]),
        ("did_number", 1.5),
        ("username", 13),
        ("username", " "),
        ("username", "1,13E+09"),
        ("username", "a\u200bb"),
        ("username", "\ufeff0042"),
        ("techprefix1", "5.5e+3"),
        ("techprefix2", "1E+10"),
        ("techprefix2", "\uff15\uff15"),
        ("callerid_add", "1.13000125E9"),
        ("callerid_add", "1130001000.0"),
        ("callerid_add", "1130001000,00"),
        ("callerid_add", "'1130001000"),
        ("callerid_add", '="1130001000"'),
        ("callerid_add", "#REF!"),
        ("callerid_add", "#VALOR!"),
        ("callerid_add", "Err:502"),
        ("callerid_add", "######"),
        ("port", "5060x"),
        ("port", 5060.5),
        ("port", "9" * 40),
        ("port", []),
        ("customer_id", 2**64),
        ("play_audio", "maybe"),
        ("play_audio", []),
        ("host", "-a.b"),
        ("host", "a..b"),
        ("host", "1.2.3.256"),
        ("host", "a" * 64),
        ("host", "a." * 130),
        ("host", True),
        ("host_additional", ""),
        ("host_additional", "10.0.0.1 10.0.0.2"),
        ("host_additional", 10),
        ("port", "13.000"),
        ("port", "1.5"),
        ("host_additional", [""]),
        ("host_additional", [None]),
        ("description", "\ud800"),
        ("description", {"a": 1}),
        ("description", 2024),
        ("description", 1.1),
        ("annotations", True),
        ("annotations", 45000),
        ("host", 10),
        ("host", 10.1),
        ("ip_address1", False),
        ("host_additional", [10]),
        ("host_additional", ["a.b", True]),
        ("host_additional", ["a.b", "***"]),
        ("customer_id", "***"),
        ("port", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"),
        ("play_audio", "********"),
        ("did_type", "$REDACTED$"),
        ("did_type", 5.0),
        ("did_type", {"a": 1}),
        ("techprefix1", "***"),
        ("annotations", "Linha {number}"),
        ("did_type", True),
        ("did_type", "7"),
    ],
)
def test_a_value_that_is_refused(name: str, value: Any) -> None:
    wires, problems = _fields.normalise({name: value})
    assert name not in wires
    assert len(problems) == 1 and problems[0].startswith(f"{name}: ")


def problem_of(declared: dict[str, Any]) -> str:
    """Return the only problem of what is declared."""
    problems = _fields.normalise(declared)[1]
    assert len(problems) == 1, problems
    return problems[0]


def test_what_yaml_may_have_changed_has_two_ways_on() -> None:
    for value in (45000, 1.1, True):
        problem = problem_of({"annotations": value})
        assert "put it in quotes" in problem and "| string" in problem


def test_a_value_that_is_shown_is_cut() -> None:
    for name in ("host", "did_type"):
        problem = problem_of({name: "x." * 50_000})
        assert len(problem) < 500


def test_a_refused_secret_is_not_told() -> None:
    spaced = (" 4711", "4711\n", "\u200b4711")
    marked = ("4711 {number}", "********4711")
    for value in (4711, 47.11, {"a": 4711}, ["4711"], True, *spaced, *marked):
        problems = _fields.normalise({"password": value})[1]
        assert len(problems) == 1
        assert "4711" not in problems[0] and "47.11" not in problems[0]


@pytest.mark.parametrize("hosts", [["10.0.0.1", "e", "a.b"], "10.0.0.1, and, a.b", ["ou", "a"]])
def test_a_word_between_hosts_is_no_host(hosts: object) -> None:
    _wires, problems = _fields.normalise({"host_additional": hosts})
    assert len(problems) == 1 and "list the hosts alone" in problems[0]
    assert _fields.normalise({"host_additional": ["e"]}) == ({"host_additional": ["e"]}, [])


@pytest.mark.parametrize("field", ["password", "username", "techprefix1"])
@pytest.mark.parametrize("template", ["{{ vault_did }}", "{{vault_did}}", "a{{\nvault_did }}b"])
def test_a_login_that_is_a_template_is_refused(field: str, template: str) -> None:
    _wires, problems = _fields.normalise({field: template})
    assert len(problems) == 1 and "that nothing has rendered" in problems[0]
    assert "vault_did" not in problems[0]


@pytest.mark.parametrize("end", [" ", "\t", "\n", "\r\n", "\u00a0", "\u200b", "\ufeff", "\u2060"])
def test_a_password_with_something_unseen_at_an_end_is_refused(end: str) -> None:
    for value in (f"{end}geheim", f"geheim{end}", end):
        wires, problems = _fields.normalise({"password": value})
        assert wires == {} and "begins or ends with" in problems[0]
        assert "geheim" not in problems[0]


@pytest.mark.parametrize("name", ["did_number", "username", "callerid_add", "password"])
def test_advice_for_a_value_without_quotes_does_no_harm(name: str) -> None:
    """A number that Python holds as a float or read as octal becomes another one where it is made a string."""
    of_float = problem_of({name: 1130001000.0})
    assert "comes too late" in of_float and "as text" in of_float
    assert _fields.normalise({name: _fields.FRACTION})[1] == [of_float]
    of_integer = problem_of({name: 49235})
    assert "in quotes where it is written" in of_integer
    assert "Only where a template computes" in of_integer
    of_boolean = problem_of({name: False})
    assert "in quotes" in of_boolean and "filter" not in of_boolean


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("11\u20113000\u20111000", "U+2011 NON-BREAKING HYPHEN"),
        ("11 3000\u20131000", "U+2013 EN DASH"),
        ("11\u00a03000-1000", "U+00A0 NO-BREAK SPACE"),
        ("1130001\uff10\uff10\uff10", "U+FF10 FULLWIDTH DIGIT ZERO"),
        ("\u0661\u0661\u0663", "U+0661 ARABIC-INDIC DIGIT ONE"),
        ("113000\u200b1000", "U+200B ZERO WIDTH SPACE"),
        ("113000\ufeff1000", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("113OOO1000", "U+004F LATIN CAPITAL LETTER O"),
        ("l130001000", "U+006C LATIN SMALL LETTER L"),
        ("113000\x001000", "U+0000 without a name"),
        ("113000\ud8001000", "U+D800 without a name"),
        ("1130001000\u20131130001009", "last_number"),
    ],
)
def test_a_character_that_is_not_what_it_looks_like_is_named(text: str, words: str) -> None:
    problem = problem_of({"did_number": text})
    assert words in problem
    assert problem.isascii() and problem.isprintable()


def test_a_very_long_text_is_shown_in_part() -> None:
    for text in ("1" * 5000 + ".0", "x" * 100_000, "- " * 50_000, "(" * 10_000, "1 - " * 30_000):
        problem = problem_of({"did_number": text})
        assert len(problem) < 600


def test_digits_alone_are_taken_as_they_are() -> None:
    for text in ("7", "0", "+7", "0" * 16, "+" + "1" * 40):
        assert _fields.normalise({"did_number": f" {text}\n"}) == ({"did_number": text}, [])


@pytest.mark.parametrize("name", ["host", "ip_address1", "did_type"])
def test_a_password_in_a_wrong_column_is_not_shown(name: str) -> None:
    problem = problem_of({name: "Xk29$mQz77"})
    assert problem.startswith(f"{name}: ") and "Xk29" not in problem
    problem = problem_of({"host": "10.0.0.1 "})
    assert problem.startswith("host: begins or ends with space")


@pytest.mark.parametrize(
    "text",
    ["46.633309", "1130.001000", "+2.000", "+46.633309", "11 30001-30099", "(11) 30001 30099"],
)
def test_what_no_one_number_is_written_like_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal number|last_number"):
        _fields.normalise_did_number(text)


@pytest.mark.parametrize("text", ["+1.2125550100", "030.123456", "212.5550100", "+91 91234 98765"])
def test_what_resembles_it_is_read(text: str) -> None:
    assert _fields.normalise_did_number(text) == re.sub(r"[. ]", "", text)


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("did_number", "+5511", "5511", True),
        ("did_number", "5511", "05511", False),
        ("host", "SIP.Example.com", "sip.example.com.", True),
        ("host", "2001:DB8:0::1", "2001:db8::1", True),
        ("host", "10.0.0.1", "10.0.0.10", False),
        ("host_additional", ["a", "b", "a"], ["B", "a"], True),
        ("host_additional", ["a", "b"], ["a"], False),
        ("description", "a", "A", False),
        ("techprefix1", "055", "55", False),
    ],
)
def test_what_counts_as_the_same(name: str, one: Any, other: Any, same: bool) -> None:
    kind = _fields.BY_NAME[name].type
    assert (kind.comparison_key(one) == kind.comparison_key(other)) is same


@pytest.mark.parametrize("name", ["description", "annotations", "password", "username"])
@pytest.mark.parametrize("text", ["a\0b", "é\0"])
def test_a_nul_character_is_refused(name: str, text: str) -> None:
    (problem,), wires = _fields.normalise({"did_number": "1", name: text})[::-1]
    assert problem.startswith(f"{name}: holds a NUL") and name not in wires


@pytest.mark.parametrize("text", ["\u2022" * 8, "\u25cf" * 6])
def test_a_row_of_dots_is_no_password(text: str) -> None:
    (problem,), wires = _fields.normalise({"did_number": "1", "password": text})[::-1]
    assert problem.startswith("password: is a mark") and "password" not in wires


def test_a_password_may_have_dots() -> None:
    assert _fields.normalise({"did_number": "1", "password": "\u2022a\u2022"})[1] == []


@pytest.mark.parametrize(
    "text",
    [
        *("RecepÃ§Ã£o", "Ã\x81rea", "Recep\ufffdo", "\ud800"),
        # Windows-1252 has the second character of É, and not that of Á.
        "Ã\x81rea TÃ‰CNICA",
        *("Recepção".encode().decode(name) for name in ("mac_roman", "cp850", "cp437")),
    ],
)
def test_a_text_in_a_wrong_character_set_is_refused(text: str) -> None:
    (problem,), wires = _fields.normalise({"did_number": "1", "description": text})[::-1]
    assert problem.startswith("description: holds characters") and "description" not in wires


@pytest.mark.parametrize(
    "text",
    [
        "NÃO",
        "Recepção",
        "\u201cIRMÔ",
        "nº 1ª – 5 €",
        "漢字",
        "ROMÃ",
        "Ó",
        "d\u2019água",
        "\u221a2",
        "\u251c\u2500 a",
    ],
)
def test_a_text_with_accents_is_taken(text: str) -> None:
    assert _fields.normalise({"did_number": "1", "description": text})[1] == []


# Text in UTF-8, read as another character set, and other characters at either side of it.
GARBLED = st.text(min_size=1, max_size=2).flatmap(
    lambda text: st.sampled_from(
        [text, *(text.encode().decode(each, "replace") for each in ("latin-1", "cp1252"))]
    )
)


@given(st.one_of(GARBLED, st.text("aç\u00c3\u00a7\ufffd\u20ac\ud800", max_size=4)))
@example("N\u00famero")
@example("\ufffd")
@example("\ud800")
@example("\0")
@example("Matriz \x96 SP")
def test_whichever_text_has_wrong_characters_is_refused(text: str) -> None:
    field = _fields.BY_NAME["annotations"]
    try:
        check_characters(text)
    except ValueError:
        with pytest.raises(ValueError, match="character"):
            _fields.wire_form(field, text)
    else:
        assert _fields.wire_form(field, text) == text
