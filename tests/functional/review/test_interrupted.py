# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The review of a run that does not come to its end: what was reported, and what the registry has recorded."""

from __future__ import annotations

import signal

import pytest

from ansible_collections.nextbilling.did.tests.support.players import (
    Player,
    Run,
    Task,
    did,
    dids,
)
from ansible_collections.nextbilling.did.tests.support.waiting import TIMEOUT, until

LATENCY = 200
NUMBERS = [f"11300010{n:02}" for n in range(60)]
LIST = dids([{"did_number": number, "port": 5060, "customer_id": 7} for number in NUMBERS])
FIRST = did("1130002000", port=5060, name="First")


def interrupt(player: Player, number: int, *tasks: Task, in_process: str = "true") -> Run:
    """Play tasks, and send a signal once the third request is under way."""
    before = len(player.simulator.requests())
    player.simulator.switch(latency_ms=LATENCY)
    process, run = player.begin(*tasks, NEXTBILLING_DID_IN_PROCESS=in_process)
    try:
        # The start of Ansible takes most of the time.
        until(lambda: len(player.simulator.requests()) > before or process.poll() is not None)
        until(lambda: len(player.simulator.requests()) >= before + 3 or process.poll() is not None)
        process.send_signal(number)
        process.wait(TIMEOUT)
    finally:
        process.kill()
        player.simulator.switch(latency_ms=0)
    return run.ended(process)


def created(player: Player) -> set[str]:
    return {entry["did_number"] for entry in player.simulator.created()}


def shown(run: Run) -> dict[str, str]:
    return {entry["did_number"]: entry["kind"] for entry in run.review["dids"]}


@pytest.mark.slow
@pytest.mark.parametrize("in_process", ["true", "false"])
def test_after_ctrl_c_the_review_has_what_the_registry_recorded(
    player: Player, in_process: str
) -> None:
    run = interrupt(player, signal.SIGINT, FIRST, LIST, in_process=in_process)
    assert run.code == 99, run.output
    review = run.review
    assert review["interrupted"] == "interrupted" and review["pending"] >= 1
    applied = {number for number, kind in shown(run).items() if kind == "create"}
    # A module may still be at work on its last request.
    assert applied == created(player) or applied | {
        number for number, kind in shown(run).items() if kind == "unknown"
    } == created(player)
    assert 2 <= len(applied) < len(NUMBERS) and "1130002000" in applied
    (stopped,) = review["unseen"]
    assert (stopped["task"], stopped["why"]) == ("Many DIDs", "stopped")
    assert len(review["runs"]) == 2 and review["runs"][1]["platform"]
    assert review["counts"]["create"] == len(applied)
    labels = {one["label"]["customer_id"] for one in review["dids"] if one["run"] == 1}
    assert labels == {7}
    (closing,) = run.closing
    assert closing.startswith(f"DIDs: {len(applied)} create, ") and "1 task interrupted" in closing
    for suffix in ("md", "html"):
        assert "The run did not come to its end. DIDs" in run.text(suffix)
        assert "as the registry recorded it" in run.text(suffix)
    assert player.simulator.duplicates() == {}


def test_a_loop_that_is_stopped_counts_each_did_once(player: Player) -> None:
    run = interrupt(player, signal.SIGINT, did("{{ item }}", loop=NUMBERS, port=5060))
    assert run.review["interrupted"] == "interrupted"
    assert shown(run).keys() == created(player)
    assert run.counted()["total"] == len(shown(run)) and not run.review["repeated"]


def test_edits_that_the_registry_recorded_are_not_said_to_be_the_first(player: Player) -> None:
    known = [{"did_number": number, "port": 5061, "customer_id": 7} for number in NUMBERS]
    assert player.runner.dids(dids=known)["changed"]
    run = interrupt(player, signal.SIGINT, LIST)
    assert run.review["interrupted"] == "interrupted"
    assert "update" in shown(run).values()
    assert "port `5061` → `5060`" in run.text("md")
    for suffix in ("md", "html"):
        assert "never applied by this registry" not in run.text(suffix)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_ansible_at_once_leaves_what_was_reported(
    player: Player, number: signal.Signals
) -> None:
    run = interrupt(player, number, FIRST, LIST)
    assert run.review["interrupted"] == "partial"
    assert shown(run) == {"1130002000": "create"} and run.review["pending"] >= 1
    assert [one["why"] for one in run.review["unseen"]] == ["stopped"]
    for suffix in ("md", "html"):
        assert "Only what was reported is shown" in run.text(suffix)


def test_a_registry_that_cannot_be_known_is_not_read(player: Player) -> None:
    location = player.environment["NEXTBILLING_REGISTRY"]
    options = {**LIST["nextbilling.did.dids"], "registry": f"{{{{ '{location}' | trim }}}}"}
    run = interrupt(player, signal.SIGINT, FIRST, {**LIST, "nextbilling.did.dids": options})
    assert run.review["interrupted"] == "partial"
    assert shown(run) == {"1130002000": "create"}


def test_what_no_log_hides_stays_hidden(player: Player) -> None:
    run = interrupt(player, signal.SIGINT, {**LIST, "no_log": True})
    assert run.review["interrupted"] == "partial" and not run.review["dids"]
    assert "11300010" not in run.text("json")


def test_an_interrupted_check_run_has_nothing_to_read(player: Player) -> None:
    is_waiting = player.folder / "waiting"
    wait = {
        "name": "Wait",
        "ansible.builtin.shell": f"touch {is_waiting}; sleep 60",
        "check_mode": False,
    }
    process, begun = player.begin(FIRST, wait, check=True)
    try:
        until(is_waiting.exists)
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)
    finally:
        process.kill()
    run = begun.ended(process)
    assert run.review["interrupted"] == "interrupted" and run.review["unseen"] == []
    assert shown(run) == {"1130002000": "create"} and run.review["mode"] == "check"


def test_a_run_that_comes_to_its_end_leaves_nothing_marked(player: Player) -> None:
    run = player.play(FIRST)
    assert run.review["interrupted"] is None and "nterrupted" not in run.text("md")
    assert "1130002000" in run.text("md")
    # A run without DIDs writes nothing, though a task began.
    skipped = player.play(did("1130002001", when=False), NEXTBILLING_REVIEW_DIR="skipped")
    assert skipped.code == 0 and not skipped.closing
    assert not list((player.folder / "skipped").glob("*"))
