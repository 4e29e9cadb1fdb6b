# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the wrong type: refused in words that quote nothing, as a wrong indentation may put a secret into any of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.modules import did, did_registry, dids
from ansible_collections.nextbilling.did.tests.support.modules import Result, run_module

SECRET = "Xk29mQz77vLpTw"
INDENTED = {"password": SECRET}


def options(tmp_path: Path, **given: Any) -> dict[str, Any]:
    """Return a task's parameters."""
    return {
        "api_url": "https://sip.example.com",
        "api_token": "token-of-a-test",
        "api_key": "key-of-a-test",
        "registry": str(tmp_path / "registry.db"),
        **given,
    }


def refused(result: Result, words: str) -> None:
    """Require a refusal that shows nothing of the secret, in the invocation neither."""
    assert result["failed"] and result["error"]["kind"] == "invalid_parameter", result
    assert words in result["msg"], result["msg"]
    told = json.dumps(result)
    parts = {SECRET[at : at + 6] for at in range(len(SECRET) - 5)}
    assert not any(part in told for part in parts), told


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("ca_path", "text"),
        ("did_type", "text"),
        ("host_additional", "a list"),
        ("platform", "text"),
        ("port", "a whole number"),
        ("register", "true or false"),
        ("registry_id", "text"),
        ("registry_timeout", "a number"),
        ("retries", "a whole number"),
    ],
)
def test_what_a_wrong_indentation_put_into_an_option_is_not_shown(
    tmp_path: Path, option: str, wanted: str
) -> None:
    parameters = options(tmp_path, did_number="1130001000", **{option: INDENTED})
    refused(run_module(did.main, parameters), f"{option}: must be {wanted}, not a dictionary")
    if option != "host_additional":
        parameters[option] = [INDENTED]
        refused(run_module(did.main, parameters), f"{option}: must be {wanted}, not a list")


def test_a_choice_that_is_none_is_not_quoted(tmp_path: Path) -> None:
    result = run_module(did_registry.main, options(tmp_path, state=INDENTED))
    refused(result, "state: must be one of present, recorded, forgotten, settled, exported, copied")


def test_the_type_of_a_list_of_dids_is_told(tmp_path: Path) -> None:
    result = run_module(dids.main, options(tmp_path, dids={"did_number": "1", **INDENTED}))
    refused(result, "dids: must be a list, not a dictionary")
    result = run_module(dids.main, options(tmp_path, dids=[[INDENTED]]))
    refused(result, "dids: each element must be a dictionary")
    result = run_module(dids.main, options(tmp_path, dids=[{"did_number": "1"}], defaults=[SECRET]))
    refused(result, "defaults: must be a dictionary, not a list")
