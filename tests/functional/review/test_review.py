# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback review in real runs of ansible-playbook against the simulator: what is counted, and what is written where."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.tests.support.players import (
    SCHEMA,
    Player,
    Run,
    Task,
    did,
    dids,
)
from ansible_collections.nextbilling.did.tests.support.programs import QUIET
from ansible_collections.nextbilling.did.tests.support.reviews import (
    WORDS,
    item,
    result,
    review_of,
    told,
)


def test_a_run_without_dids_has_no_review(player: Player) -> None:
    run = player.play({"name": "Look", "ansible.builtin.debug": {"msg": "1130001000"}})
    assert run.code == 0, run.output
    assert not (player.folder / "review").exists() and not run.closing


@pytest.mark.slow
def test_a_check_run_and_the_apply_after_it_differ_in_tense_alone(player: Player) -> None:
    known: list[dict[str, Any]] = [
        {"did_number": "1130001000", "port": 5060, "description": "a"},
        {"did_number": "1130001001", "max_calls": 2},
    ]
    for old in known:
        assert player.runner.did(**old)["changed"]
    sent = len(player.simulator.requests())
    tasks = [
        did("1130001000", port=5061, description="a"),
        did("1130001001", max_calls=2),
        did("1130001002", record_id=12, description="taken over"),
        did("{{ item }}", loop=["1130001003", "1130001004"], customer_id=7, password="segredo-1"),
    ]
    predicted = player.play(*tasks, check=True, NEXTBILLING_REVIEW_DIR="check")
    assert predicted.code == 0 and len(player.simulator.requests()) == sent
    applied = player.play(*tasks)
    assert applied.code == 0, applied.output

    counts = {"total": 5, "create": 2, "update": 1, "adopt": 1, "none": 1}
    assert predicted.counted() == applied.counted() == counts
    words = "DIDs: 2 create, 1 update, 1 adopt, 1 unchanged"
    assert predicted.closing == [f"{words} → check/review.html"]
    assert applied.closing == [f"{words} → review/review.html"]
    assert (predicted.review["mode"], predicted.review["pending"]) == ("check", 4)
    assert (applied.review["mode"], applied.review["pending"]) == ("apply", 0)
    assert _tenseless(predicted.review) == _tenseless(applied.review)
    assert {entry["outcome"] for entry in predicted.review["dids"]} == {"planned"}
    assert {entry["outcome"] for entry in applied.review["dids"]} == {"applied"}
    for suffix in ("json", "md", "html"):
        assert "segredo" not in predicted.text(suffix) + applied.text(suffix)
    (update,) = [entry for entry in applied.review["dids"] if entry["action"] == "update"]
    assert update["before_confirmed_at"] is not None
    assert f"last applied {update['before_confirmed_at'][:10]}" in applied.text("md")


def _tenseless(review: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a check run cannot know or says in another tense: outcomes, mode, times, and the ids of new records."""
    for entry in review["dids"]:
        entry["outcome"] = entry["outcome"].replace("applied", "planned")
        if entry["action"] == "create":
            entry["record_id"] = None
    for run in review["runs"]:
        run.pop("check_mode")
    return {k: v for k, v in review.items() if k not in ("mode", "pending", "generated_at")}


@pytest.mark.parametrize(
    "options",
    [{"max_creates": 0}, {"plan_checksum": "v2-" + "0" * 64}, {"similar": "refuse"}],
    ids=lambda options: next(iter(options)),
)
def test_a_refused_plan_is_shown_as_such(player: Player, options: dict[str, Any]) -> None:
    assert player.runner.did(did_number="1130001000")["changed"]
    run = player.play(dids([{"did_number": "01130001000"}], **options))
    assert run.code == 0 and len(player.simulator.requests()) == 1
    assert run.review["mode"] == "apply"
    for suffix in ("md", "html"):
        text = run.text(suffix)
        assert "What was refused" in text and "the plan was refused, and nothing was sent" in text


def kept(folder: Path) -> Task:
    """Return a task that keeps the summary of the task before it."""
    return {
        "name": "Keep the summary",
        "ansible.builtin.copy": {
            "content": "{{ many.summary | to_json }}",
            "dest": str(folder / "summary.json"),
        },
        "check_mode": False,
    }


ODD_NAMES = (
    "<script>alert(1)</script>",
    "| x |",
    "`code` **bold** [link](https://evil.example) @all #123",
    "gnp.\u202eexe",
    "</title><img src=x onerror=alert(1)> &amp;",
)


def five_hundred() -> list[dict[str, Any]]:
    """Return a list of 500 DIDs: 390 as ever, 100 edits alike, 3 creates, 5 with odd names, 1 of unknown outcome, 1 in conflict."""
    items: list[dict[str, Any]] = [
        {"did_number": "1130000000", "last_number": "1130000389", "customer_id": 1},
        {"did_number": "1130001000", "last_number": "1130001099", "customer_id": 9},
    ]
    items += [{"did_number": f"113000200{n}", "host": "sip.example.com"} for n in range(3)]
    items += [
        {"did_number": f"113000300{n}", "description": name} for n, name in enumerate(ODD_NAMES)
    ]
    items += [{"did_number": "1130004000"}, {"did_number": "1130004001", "record_id": 99}]
    return items


def before_five_hundred(player: Player) -> None:
    """Bring the registry to where the list of 500 DIDs shows all that there is to show."""
    recorded: list[dict[str, Any]] = [
        {"did_number": f"113000{n:04}", "record_id": 10_000 + n, "customer_id": 1}
        for n in range(390)
    ]
    recorded += [
        {"did_number": f"113000{n}", "record_id": 10_000 + n, "customer_id": 7}
        for n in range(1000, 1100)
    ]
    recorded += [
        {"did_number": f"113000300{n}", "record_id": 13_000 + n, "description": f"old {name}"}
        for n, name in enumerate(ODD_NAMES)
    ]
    recorded.append({"did_number": "1130004001", "record_id": 14_001})
    player.simulator.fault("drop_after", match={"did_number": "1130004000"})
    # The platform of the test never heard of these records.
    player.simulator.fault("reply", times=None, match={"method": "POST"}, json={"error": 0})
    assert player.runner.did_registry(state="recorded", dids=recorded)["changed"]
    unknown = player.runner.did(did_number="1130004000")
    assert unknown["error"]["kind"] == "unknown_outcome"


def both(player: Player) -> tuple[Run, Run, dict[str, int]]:
    """Make a check run and the apply after it of 500 DIDs; return them with the summary that both tasks gave."""
    before_five_hundred(player)
    task = dids(five_hundred(), retries=0, details=True)
    runs, summaries = [], []
    for check in (True, False):
        name = "check" if check else "apply"
        run = player.play(task, kept(player.folder), check=check, NEXTBILLING_REVIEW_DIR=name)
        assert run.code == 0, run.output
        runs.append(run)
        summaries.append(json.loads((player.folder / "summary.json").read_text("utf-8")))
    assert summaries[0] == summaries[1]
    return runs[0], runs[1], summaries[0]


@pytest.mark.slow
def test_five_hundred_dids(player: Player) -> None:
    """They are counted as their summary counts them, and shown in Markdown line by line."""
    predicted, applied, summary = both(player)
    assert summary["total"] == 500 and summary["none"] == 390
    assert predicted.review["counts"] == applied.review["counts"] == summary
    assert predicted.closing == [
        "DIDs: 3 create, 105 update, 1 unknown, 1 failed, 390 unchanged → check/review.html"
    ]
    assert applied.closing == [predicted.closing[0].replace("check/", "apply/")]
    assert _tenseless(predicted.review) == _tenseless(applied.review)
    kinds = [entry["kind"] for entry in predicted.review["dids"]]
    assert kinds == ["unknown", "failed", *["create"] * 3, *["update"] * 105]
    sections = [entry["section"] for entry in predicted.review["dids"]]
    assert sections == [*["decision"] * 2, *["create"] * 3, *["routes"] * 100, *["other"] * 5]

    text = predicted.text("md")
    assert "`1130001000` – `1130001099`" in text and "customer_id `7` → `9`, 100 DIDs" in text
    (run,) = predicted.review["runs"]
    for words in (run["plan_checksum"], run["registry_id"], run["platform"]):
        assert words in text
    for words in ("recorded, never applied", *ODD_NAMES[:2]):
        assert words in text
    assert text.index("1130004000") < text.index("1130002000") < text.index("1130001000")
    assert "\u202e" not in text and "\\u202e" in text
    # Between backticks, Markdown knows neither tags nor links nor mentions.
    bare = re.sub(r"(?s)(`+).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"[<@#]|https?:|\[", bare.replace("#", "", 60).replace("### ", ""))


def test_what_no_log_hides_is_named(player: Player) -> None:
    run = player.plays(
        [
            player.a_play(
                did("1130001000", no_log=True, name="One secret"),
                did("{{ item }}", loop=["1130001001", "1130001002"], no_log=True, name="Two"),
                dids([{"did_number": "1130001003"}], no_log=True, name="A secret list"),
                did("1130001004", name="In the open"),
                did("{{ item }}", loop=[], no_log=True, name="None at all"),
                name="Trunks",
            )
        ],
        check=True,
    )
    review = run.review
    assert run.counted() == {"total": 1, "create": 1}
    named = [(one["task"], one["results"], one["dids"]) for one in review["unseen"]]
    assert named == [("One secret", 1, 1), ("Two", 2, 2), ("A secret list", 1, None)]
    assert {(one["why"], one["host"], one["play"]) for one in review["unseen"]} == {
        ("no_log", "one", "Trunks")
    }
    assert run.closing == ["DIDs: 1 create, 3 hidden, 1 task hidden → review/review.html"]
    assert review["pending"] == 5
    for suffix in ("md", "html"):
        assert "One secret" in run.text(suffix) and "A secret list" in run.text(suffix)


@pytest.mark.slow
def test_what_runs_in_the_background_is_counted_once_or_named(player: Player) -> None:
    background = {"async": 30, "poll": 0}

    def wait(job: str, **more: Any) -> Task:
        return {
            "name": f"Wait for {job}",
            "ansible.builtin.async_status": {"jid": job},
            "register": "end",
            "until": "end is finished",
            "retries": 50,
            "delay": 0,
            **more,
        }

    run = player.play(
        did("1130001000", register="one", **background),
        wait("{{ one.ansible_job_id }}"),
        wait("{{ one.ansible_job_id }}", name="Ask again"),
        did("{{ item }}", loop=["1130001001", "1130001002"], register="two", **background),
        wait("{{ item.ansible_job_id }}", loop="{{ two.results }}"),
        did("1130001003", name="Never asked for", **background),
        did("1130001004", name="Asked for in the dark", register="dark", **background),
        wait("{{ dark.ansible_job_id }}", no_log=True),
        did("1130001005", **{"async": 30, "poll": 1}),
    )
    assert run.code == 0, run.output
    assert run.counted() == {"total": 4, "create": 4}
    assert [(one["task"], one["why"], one["dids"]) for one in run.review["unseen"]] == [
        ("Never asked for", "async", 1),
        ("Asked for in the dark", "async", 1),
    ]
    assert len(run.review["runs"]) == 3
    assert "2 not awaited" in run.closing[0]


def test_open_dids_of_a_loop_are_settled_by_one_file(player: Player) -> None:
    numbers = ["1130001000", "1130001001"]
    for number in numbers:
        player.simulator.fault("drop_after", match={"did_number": number})
    # No DID of the task succeeds, so its failures alone name the registry.
    run = player.play(did("{{ item }}", loop=numbers, retries=0, customer_id=7))
    assert run.counted() == {"total": 2, "unknown": 2}
    (task,) = run.review["runs"]
    location = player.environment["NEXTBILLING_REGISTRY"]
    assert task["registry_location"] == location and task["platform"] and task["registry_id"]
    assert {one["label"]["customer_id"] for one in run.review["dids"]} == {7}
    for suffix in ("md", "html"):
        assert "ansible-playbook nextbilling.did.settle" in run.text(suffix)
    assert f'"settle_registry": "{location}"' in run.text("md")


@pytest.mark.slow
def test_hosts_and_plays_are_kept_apart(player: Player) -> None:
    here = {"delegate_to": "localhost"}
    run = player.plays(
        [
            player.a_play(
                did("11300010{{ '01' if inventory_hostname == 'one' else '02' }}", **here),
                did("1130001003", run_once=True),
                hosts="local",
                name="First",
            ),
            player.a_play(did("1130001001", max_calls=3), hosts="two", name="Second"),
            player.a_play(did("1130001009"), hosts="three", name="Third"),
        ]
    )
    assert run.code == 4, run.output
    assert run.counted() == {"total": 5, "create": 3, "update": 1, "unknown": 1}
    places = [(one["host"], one["play"]) for one in run.review["runs"]]
    assert sorted(places) == [
        ("one", "First"),
        ("one", "First"),
        ("three", "Third"),
        ("two", "First"),
        ("two", "Second"),
    ]
    (lost,) = [entry for entry in run.review["dids"] if entry["kind"] == "unknown"]
    assert lost["error"]["kind"] == "host_unreachable" and lost["error"]["msg"] is None
    assert [one["did_number"] for one in run.review["repeated"]] == ["1130001001"]


@pytest.mark.slow
def test_what_a_playbook_makes_of_a_result_changes_no_count(player: Player) -> None:
    player.simulator.fault("status", status=422, times=1, match={"did_number": "1130001003"})
    bad = {"did_type": "line"}
    rescued = {
        "name": "Rescued",
        "block": [did("1130001004", **bad)],
        "rescue": [did("1130001004", name="Rescue")],
    }
    run = player.play(
        did("1130001000", **bad, ignore_errors=True),
        did("1130001001", **bad, failed_when=False),
        did("1130001002", register="good", failed_when="good is changed", ignore_errors=True),
        did("1130001003", register="tried", until="tried is succeeded", retries=2, delay=0),
        rescued,
        did("1130001005", when=False),
        did("{{ item }}", loop=["1130001006", "1130001007"], when="item[-1] == '7'"),
        did("{{ not_there }}", ignore_errors=True, name="No such variable"),
        did("{{ item }}", loop="{{ not_there }}", ignore_errors=True, name="No such list"),
        did("{{ item }}", loop=["1130001002", "", "1130001008"], ignore_errors=True),
        dids([{"did_number": "1130001009", "pasword": "segredo-2"}]),
    )
    assert run.code == 0, run.output
    counts = {"total": 12, "create": 5, "none": 1, "failed": 6}
    assert run.counted() == counts
    assert run.review["failed_tasks"] == 1
    assert run.closing == [
        "DIDs: 5 create, 6 failed, 1 task failed, 1 unchanged → review/review.html"
    ]
    without = [e for e in run.review["dids"] if e["error"] and e["error"]["kind"] == "no_result"]
    assert [run.review["runs"][e["run"]]["task"] for e in without] == [
        "No such variable",
        "No such list",
    ]
    assert "segredo" not in run.text("json") + run.text("md") + run.text("html")


def test_a_module_is_known_by_all_its_names(player: Player) -> None:
    (player.folder / "kind.yml").write_text("kind: dids")
    run = player.plays(
        [
            player.a_play(
                {"name": "Short", "did": {"did_number": "1130001000"}, "check_mode": True},
                {
                    "name": "Template",
                    "action": {"module": "{{ kind }}", "dids": [{"did_number": "1130001001"}]},
                },
                collections=["nextbilling.did"],
                vars={"kind": "dids"},
            ),
            player.a_play(
                {
                    "name": "Template",
                    "action": {"module": "nextbilling.did.{{ kind }}", "did_number": "1130001002"},
                    "vars": {"kind": "did"},
                }
            ),
        ],
    )
    assert run.code == 0, run.output
    assert run.counted() == {"total": 3, "create": 3}
    # A task may check in a run that applies.
    assert run.review["mode"] == "mixed"
    outcomes = {entry["did_number"]: entry["outcome"] for entry in run.review["dids"]}
    assert outcomes == {"1130001000": "planned", "1130001001": "applied", "1130001002": "applied"}


def test_a_failing_write_warns_and_fails_nothing(player: Player) -> None:
    place = player.folder / "review"
    (place / "review.html").mkdir(parents=True)
    run = player.play(did("1130001000"))
    assert run.code == 0, run.output
    assert "The review of DIDs could not be written" in " ".join(run.output.split())
    assert run.closing == ["DIDs: 1 create"]
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_the_folder_is_made_and_the_language_is_portuguese(player: Player) -> None:
    configuration = QUIET.replace(
        "[inventory]",
        "[callback_nextbilling_review]\noutput_dir = out/of/ini\nlanguage = pt-BR\n[inventory]",
    )
    (player.folder / "ansible.cfg").write_text(configuration)
    registry = {"name": "The registry is no DID", "nextbilling.did.did_registry": {}}
    run = player.play(registry, did("1130001000"), check=True)
    assert run.closing == ["DIDs: 1 a criar → out/of/ini/review.html"]
    names = sorted(path.name for path in (player.folder / "out/of/ini").iterdir())
    assert names == ["review.html", "review.json", "review.md"]
    assert 'lang="pt-BR"' in (player.folder / "out/of/ini/review.html").read_text("utf-8")


def test_an_unusable_language_costs_a_warning_and_not_the_review(player: Player) -> None:
    run = player.play(did("1130001000"), check=True, NEXTBILLING_REVIEW_LANGUAGE="klingon")
    assert run.code == 0 and run.closing == ["DIDs: 1 create → review/review.html"]
    assert "no texts in the language 'klingon'" in " ".join(run.output.split())
    run = player.play(did("1130001000"), NEXTBILLING_REVIEW_LANGUAGE="pt_BR")
    assert run.closing == ["DIDs: 1 criado → review/review.html"]


def test_the_drift_gate_of_the_guide(tmp_path: Path) -> None:
    guide = (SCHEMA.parent / "docsite" / "rst" / "reviews.rst").read_text("utf-8")
    (line,) = set(re.findall(r'python3 -c "(.*)"', guide))
    (tmp_path / "review").mkdir()
    for items, code in (([item("1130001000")], 1), ([], 0)):
        review = render(review_of(told(result(items))), WORDS)["review.json"]
        (tmp_path / "review" / "review.json").write_text(review)
        done = subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=False)
        assert done.returncode == code
