# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of fields, and that options, documentation and examples agree with it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.doc_fragments import connection, fields, registry
from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._module import base
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
        ("did_number", " (11) 3000-10.00", "1130001000"),
        ("did_number", "+55 11 3000", "+55113000"),
        ("did_type", "Queue", 5),
        ("did_type", "10", 10),
        ("did_type", 8, 8),
        ("port", "5060", 5060),
        ("port", 0, 0),
        ("port", 65535, 65535),
        ("status", -1, -1),
        ("play_audio", "yes", 1),
        ("play_audio", False, 0),
        ("host", "", ""),
        ("host", "2001:db8::1", "2001:db8::1"),
        ("host", "sip_1.example.com.", "sip_1.example.com."),
        ("host_additional", [], []),
        ("techprefix1", "", ""),
        ("techprefix1", "0055#", "0055#"),
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
        ("host_additional", "10.0.0.1"),
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


def test_what_yaml_may_have_changed_has_two_ways_on() -> None:
    for value in (45000, 1.1, True):
        (problem,) = _fields.normalise({"annotations": value})[1]
        assert "put it in quotes" in problem and "| string" in problem


def test_a_value_that_is_shown_is_cut() -> None:
    for name in ("host", "did_type"):
        (problem,) = _fields.normalise({name: "x." * 50_000})[1]
        assert len(problem) < 500


def test_a_refused_secret_is_not_told() -> None:
    for value in (4711, 47.11, {"a": 4711}, ["4711"], True, "4711 {number}", "********4711"):
        problems = _fields.normalise({"password": value})[1]
        assert len(problems) == 1
        assert "4711" not in problems[0] and "47.11" not in problems[0]


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
    kind = _fields.BY_NAME[name].kind
    assert (kind.same(one) == kind.same(other)) is same
