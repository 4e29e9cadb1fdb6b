# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an export says of DIDs: what is known of them, no secret, and nothing that is not certain."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.nextbilling.did.plugins.filter import to_csv as _to_csv
from ansible_collections.nextbilling.did.plugins.filter import to_entries as _to_entries
from ansible_collections.nextbilling.did.plugins.filter import to_yaml as _to_yaml
from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME

ATTEMPT = "18ec00842ff4938e690a92f04fc7a01c"
to_csv = _to_csv.FilterModule().filters()["to_csv"]
to_entries = _to_entries.FilterModule().filters()["to_entries"]

to_yaml = _to_yaml.FilterModule().filters()["to_yaml"]


def did(**known: Any) -> dict[str, Any]:
    """Return a DID as did_info returns it."""
    fields = known.pop("fields", {"did_number": "0166", "port": 5060, "password": "***"})
    return {
        "platform": "sip.example.com:443",
        "did_number": "0166",
        "record_id": 13,
        "outcome": "confirmed",
        "attempt": None,
        "claim": None,
        "fields": fields,
        "attempted": {},
        "confirmed_at": "2026-01-31T12:00:00Z",
        **known,
    }


def test_a_table_has_a_column_for_each_field_that_has_a_value() -> None:
    full = did(
        fields={
            "did_number": "+5511",
            "description": "=x",
            "did_type": 5,
            "did_type_id": 7,
            "play_audio": 0,
            "annotations": "",
            "host_additional": ["a.b", "10.0.0.1"],
            "password": "***",
        },
        did_number="+5511",
    )
    assert to_csv([did(), full]).split("\r\n") == [
        "\ufeffdid_number;record_id;description;did_type;did_type_id;port;play_audio;annotations;host_additional;confirmed_at;outcome",
        "0166;13;;;;5060;;;;2026-01-31T12:00:00Z;confirmed",
        '\'+5511;13;\'=x;queue;7;;0;"""""";a.b 10.0.0.1;2026-01-31T12:00:00Z;confirmed',
        "",
    ]


def test_separator_byte_order_mark_and_columns_of_a_table_are_options() -> None:
    table = to_csv([did()], separator=",", bom=False, all_fields=True)
    header, row, _end = table.split("\r\n")
    assert header.split(",")[:2] == ["did_number", "record_id"]
    assert set(BY_NAME) < set(header.split(","))
    assert row.startswith("0166,13,") and "***" not in table
    assert to_csv([], bom=False) == "did_number;record_id\r\n"


def test_yaml_has_all_text_in_quotes() -> None:
    fields = {"did_number": "0800", "host_additional": ["a.b"], "description": 'é"\x7f', "port": 0}
    assert to_yaml([did(did_number="0800", fields=fields, confirmed_at=None)]).splitlines() == [
        "---",
        '- did_number: "0800"',
        "  record_id: 13",
        '  description: "é\\"\\u007f"',
        "  port: 0",
        '  host_additional: ["a.b"]',
        "  confirmed_at: null",
        "  attempt: null",
        '  outcome: "confirmed"',
    ]
    assert to_yaml([]) == "---\n[]\n"


def test_a_create_that_is_open_has_what_it_sent_and_its_attempt() -> None:
    sent = {"did_number": "0166", "port": 5060, "password": "***"}
    is_open = did(record_id=None, outcome="unknown", attempt=ATTEMPT, fields={}, attempted=sent)
    assert to_entries([is_open]) == [
        {
            "did_number": "0166",
            "record_id": None,
            "port": 5060,
            "confirmed_at": "2026-01-31T12:00:00Z",
            "attempt": ATTEMPT,
            "outcome": "unknown",
        }
    ]


def test_what_an_edit_may_have_changed_is_not_known() -> None:
    known = {"did_number": "0166", "port": 5060, "host": "a.b", "did_type": 5, "did_type_id": 7}
    tried = {"did_number": "+0166", "port": 5061, "host": "A.b.", "did_type_id": 8}
    (entry,) = to_entries([did(outcome="uncertain", fields=known, attempted=tried)])
    assert {name: entry[name] for name in entry.keys() & known.keys()} == {
        "did_number": "0166",
        "host": "a.b",
    }


def test_an_unsettled_renumbering_has_no_number() -> None:
    """Under the wrong one, another registry would let the other number be created."""
    (entry,) = to_entries([did(outcome="uncertain", attempted={"did_number": "0167"})])
    assert (entry["did_number"], entry["record_id"], entry["port"]) == (None, 13, 5060)


@pytest.mark.parametrize(
    ("dids", "words"),
    [
        ("geheim", "needs the list"),
        ({"dids": []}, "needs the list"),
        (["geheim"], "is no DID as"),
        ([{"did_number": "geheim", "outcome": "failed"}], "is no DID as"),
        ([did(), did(platform="other:443")], "several platforms (other:443, sip.example.com:443)"),
    ],
)
def test_something_else_is_refused(dids: Any, words: str) -> None:
    for write in (to_csv, to_entries, to_yaml):
        with pytest.raises(AnsibleFilterError) as caught:
            write(dids)
        assert words in str(caught.value) and "geheim" not in str(caught.value)


@pytest.mark.parametrize("text", ["geheim\0", "geheim" * 30_000])
def test_what_csv_cannot_hold_is_refused(text: str) -> None:
    odd = did(fields={"description": text})
    with pytest.raises(AnsibleFilterError) as caught:
        to_csv([odd])
    assert "0166: description holds" in str(caught.value) and "geheim" not in str(caught.value)
    assert to_entries([odd])[0]["description"] == text


def test_the_separator_is_one_that_is_read() -> None:
    with pytest.raises(AnsibleFilterError, match="separator"):
        to_csv([did()], separator=":")
