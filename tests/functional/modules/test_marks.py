# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in place of a secret never becomes one: refused in every module, by every way in, before anything is read or sent."""

from __future__ import annotations

from typing import Any

from ansible_collections.nextbilling.did.plugins.module_utils._secrets import MARK_REFUSED
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner, in_both_ways

PASSWORD = "pwd-7e1f-geheim"


def refused(result: Result, *options: str) -> None:
    """Require a task to be refused for the marks in its options."""
    assert result["error"]["kind"] == "invalid_parameter", result
    for option in options:
        assert f"{option}: {MARK_REFUSED}" in result["msg"], result["msg"]


def passwords(value: Any) -> set[str]:
    """Return what a result has in place of passwords, wherever that is."""
    if isinstance(value, list):
        return {mark for element in value for mark in passwords(element)}
    if not isinstance(value, dict):
        return set()
    found = {mark for inner in value.values() for mark in passwords(inner)}
    told = value.get("password")
    sides = told.values() if isinstance(told, dict) else [told]
    return found | {side for side in sides if isinstance(side, str)}


@in_both_ways
def test_what_did_info_shows_is_no_list_to_apply(runner: Runner) -> None:
    runner.did(did_number="1", port=5060, password=PASSWORD)
    (known,) = runner.did_info()["dids"]
    assert known["fields"]["password"] == "***"
    stored, sent = runner.traces(), len(runner.requests())
    back = {**known["fields"], "record_id": known["record_id"]}
    for rehearsed in (True, False):
        refused(runner.dids(check=rehearsed, dids=[back]), "dids[0]: password")
        refused(runner.dids(check=rehearsed, dids=[back], force=True), "dids[0]: password")
        refused(runner.did(check=rehearsed, **back), "password")
        recorded = runner.did_registry(check=rehearsed, state="recorded", dids=[back])
        refused(recorded, "dids[0]: password")
    assert (runner.traces(), len(runner.requests())) == (stored, sent)


@in_both_ways
def test_every_mark_that_a_result_holds_is_refused(runner: Runner) -> None:
    results = [
        runner.did(did_number="1", password=PASSWORD),
        runner.did(check=True, did_number="1", password=f"{PASSWORD}-2"),
        runner.did(check=True, did_number="1", password=f"{PASSWORD}-2", api_key="another-key"),
        runner.dids(dids=[{"did_number": "1", "password": f"{PASSWORD}-3"}]),
        runner.did_info(history=True),
    ]
    marks = passwords(results)
    assert len(marks) == 4
    for mark in sorted(marks):
        refused(runner.dids(dids=[{"did_number": "2", "password": mark}]), "dids[0]: password")


def test_text_that_only_looks_like_a_mark_is_sent(runner: Runner) -> None:
    fields = {"description": "*** VIP ***", "annotations": "**", "password": "a***b"}
    assert runner.both(did_number="1", **fields)["changed"]
    (request,) = runner.requests()
    assert {name: request["json"][name] for name in fields} == fields


# Text


def test_hosts_are_text_alone(runner: Runner) -> None:
    for hosts in ([10], [True, "a.b"], 10, [["a"]]):
        result = runner.both(did_number="1", host_additional=hosts)
        assert result["error"]["kind"] == "invalid_parameter" and "host_additional" in result["msg"]
    assert runner.both(did_number="1", host_additional="a.b,c.d")["changed"]
    (request,) = runner.requests()
    assert request["json"]["host_additional"] == ["a.b", "c.d"]
