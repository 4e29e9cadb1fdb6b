# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in place of a secret never becomes one, nor does what is no text become text: refused by every way in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import MARK_REFUSED, is_mark
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner

PASSWORD = "pwd-7e1f-geheim"


def refused(result: Result, *options: str) -> None:
    """Require a task to be refused for the marks in its options."""
    assert result["error"]["kind"] == "invalid_parameter", result
    for option in options:
        assert f"{option}: {MARK_REFUSED}" in result["msg"], result["msg"]


def test_every_mark_that_ansible_puts_is_refused() -> None:
    for text in (PASSWORD, f"sip:{PASSWORD}@host"):
        shown = remove_values({"value": text}, {PASSWORD})["value"]
        assert PASSWORD not in shown and is_mark(shown), shown


@pytest.mark.parametrize("name", sorted(_fields.BY_NAME))
def test_every_field_refuses_marks(name: str) -> None:
    for mark in ("***", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "$REDACTED$"):
        for value in [mark, [mark]] if name == "host_additional" else [mark]:
            _items, problems = read_items([{"did_number": "1", name: value}], None)
            assert f"dids[0]: {name}: {MARK_REFUSED}" in problems
            assert f"{name}: {MARK_REFUSED}" in _fields.normalise({name: value})[1]


def test_every_option_refuses_marks(runner: Runner) -> None:
    options = ("api_token", "api_key", "registry_password", "registry_id", "platform")
    for mark in ("***", " *** ", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "********"):
        given: dict[str, Any] = dict.fromkeys(options, mark)
        refused(runner.did(did_number="1", **given), *options)
        refused(runner.dids(dids=[{"did_number": "1"}], **given), *options)
        refused(runner.did_registry(**given), *options)
        refused(runner.did_info(**given), *options)
    assert runner.requests() == []


def test_the_environment_is_no_way_round(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTBILLING_API_KEY", "***")
    for given in (..., "", None):
        refused(runner.did(did_number="1", api_key=given), "api_key")
    refused(
        runner.did_registry(
            state="copied", copy_from="/nowhere/registry.db", copy_from_password="***"
        ),
        "copy_from_password",
    )


def test_a_file_is_no_way_round(runner: Runner, tmp_path: Path) -> None:
    table = tmp_path / "dids.csv"
    table.write_text("did_number;record_id;password\n1;12;***\n")
    refused(runner.dids(src=str(table)), "dids.csv, line 2: password")
    refused(runner.did_registry(state="recorded", src=str(table)), "dids.csv, line 2: password")
    document = tmp_path / "dids.json"
    stored = {"fingerprint": "00" * 32, "key": "00" * 8}
    for value in (stored, json.dumps(stored)):
        document.write_text(json.dumps([{"did_number": "1", "record_id": 12, "password": value}]))
        result = runner.did_registry(state="recorded", src=str(document))
        assert result["error"]["kind"] == "invalid_parameter" and "password" in result["msg"]
    assert runner.store.is_empty()


def test_text_is_text_alone(runner: Runner) -> None:
    names = ("annotations", "description", "host", "ip_address1")
    for value in (45000, 1.1, True, ["a"], {"a": 1}):
        fields: dict[str, Any] = dict.fromkeys(names, value)
        result = runner.both(did_number="1", **fields)
        assert result["error"]["kind"] == "invalid_parameter"
        listed = runner.dids(dids=[{"did_number": "1", **fields}])["msg"]
        for name in names:
            assert f"{name}: must be text, not a" in result["msg"]
            assert f"dids[0]: {name}: must be text, not a" in listed
        if not isinstance(value, (list, dict)):
            assert "in quotes" in result["msg"] and "| string" in result["msg"]
    assert runner.requests() == []


def test_a_dictionary_in_place_of_text_is_not_shown(runner: Runner) -> None:
    for value in ({"password": PASSWORD}, [{"password": PASSWORD}]):
        for name in ("description", "username", "host_additional"):
            given: dict[str, Any] = {name: value}
            result = runner.did(did_number="1", **given)
            assert result["error"]["kind"] == "invalid_parameter"
            assert PASSWORD not in json.dumps(result)


def test_a_placeholder_is_for_ranges_alone(runner: Runner) -> None:
    result = runner.both(did_number="1", description="Linha {number}")
    assert "description: holds {number}" in result["msg"]
    result = runner.did_registry(
        state="recorded", dids=[{"did_number": "1", "record_id": 2, "description": "{number}"}]
    )
    assert "dids[0]: description: holds {number}" in result["msg"]
    assert runner.requests() == []
