# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback review in real runs of ansible-playbook against the simulator: what is counted, and what is written where."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import write
from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program

SCHEMA = Path(client.__file__).parents[2] / "docs" / "review.schema.json"
INVENTORY = """\
[local]
one ansible_connection=local
two ansible_connection=local
[lost]
three ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-o ConnectTimeout=1'
"""
Task = dict[str, Any]


@dataclass
class Run:
    """What one run of ansible-playbook printed and wrote."""

    code: int
    output: str
    folder: Path

    @property
    def review(self) -> dict[str, Any]:
        """The review.json, checked against its schema."""
        review: dict[str, Any] = json.loads(self.text("json"))
        jsonschema.validate(review, json.loads(SCHEMA.read_text("utf-8")))
        return review

    def text(self, suffix: str) -> str:
        """One of the three files."""
        return (self.folder / f"review.{suffix}").read_text("utf-8")

    @property
    def closing(self) -> list[str]:
        """The lines that the callback printed."""
        return [line for line in self.output.splitlines() if line.startswith("DIDs: ")]

    def counted(self) -> dict[str, int]:
        """The counts that are not zero."""
        return {name: number for name, number in self.review["counts"].items() if number}


@dataclass
class Player:
    """Plays tasks with the callback enabled."""

    simulator: Simulator
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def play(self, *tasks: Task, check: bool = False, hosts: str = "one", **settings: str) -> Run:
        """Run a playbook of one play with these tasks."""
        return self.plays([self.a_play(*tasks, hosts=hosts)], check=check, **settings)

    @staticmethod
    def a_play(*tasks: Task, hosts: str = "one", **more: Any) -> dict[str, Any]:
        """Return a play."""
        return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}

    def plays(self, plays: list[dict[str, Any]], *, check: bool = False, **settings: str) -> Run:
        """Run a playbook."""
        book = self.folder / "book.yml"
        book.write_text(yaml.safe_dump(plays, allow_unicode=True), "utf-8")
        (self.folder / "hosts").write_text(INVENTORY)
        command = [program("ansible-playbook"), "-i", "hosts", *(["--check"] if check else [])]
        environment = {
            **self.environment,
            "ANSIBLE_ASYNC_DIR": str(self.folder / "jobs"),
            "ANSIBLE_CALLBACKS_ENABLED": "nextbilling.did.review",
            **settings,
        }
        code, output = output_of([*command, "book.yml"], self.folder, environment)
        return Run(code, output, self.folder / settings.get("NEXTBILLING_REVIEW_DIR", "review"))


# What stands beside a module's name in a task.
BESIDE = {
    *(
        "async",
        "check_mode",
        "delay",
        "delegate_to",
        "failed_when",
        "ignore_errors",
        "loop",
        "name",
        "no_log",
    ),
    *("poll", "register", "retries", "run_once", "until", "when"),
}


def did(number: str, **more: Any) -> Task:
    """Return a task that declares a DID."""
    beside = {name: more.pop(name) for name in BESIDE & more.keys()}
    return {
        "name": f"DID {number}",
        "nextbilling.did.did": {"did_number": number, **more},
        **beside,
    }


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator.start() as running:
        yield running


@pytest.fixture
def player(simulator: Simulator, tmp_path: Path) -> Player:
    """A player whose registry knows the platform."""
    return made_player(simulator, tmp_path)


def made_player(simulator: Simulator, folder: Path) -> Player:
    """Start anew with an empty platform and an empty registry."""
    simulator.reset()
    player = Player(simulator, folder, surroundings(simulator, folder, configuration=QUIET))
    created = player.play({"name": "Create the registry", "nextbilling.did.did_registry": {}})
    assert created.code == 0, created.output
    assert not (folder / "review").exists() and not created.closing
    return player


def test_a_check_run_and_the_apply_after_it_differ_in_tense_alone(player: Player) -> None:
    old = [did("1130001000", port=5060, description="a"), did("1130001001", max_calls=2)]
    assert player.play(*old).code == 0
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


def dids(items: list[dict[str, Any]], **more: Any) -> Task:
    """Return a task that declares many DIDs, registers what comes of it, and goes on."""
    beside = {name: more.pop(name) for name in BESIDE & more.keys()}
    return {
        "name": "Many DIDs",
        "nextbilling.did.dids": {"dids": items, **more},
        "register": "many",
        "ignore_errors": True,
        **beside,
    }


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
    before = player.play(
        {
            "name": "What there is",
            "nextbilling.did.did_registry": {"state": "recorded", "dids": recorded},
        },
        did("1130004000", ignore_errors=True, retries=0),
    )
    assert before.code == 0, before.output


@pytest.fixture(scope="module")
def both(
    simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Run, dict[str, int]]:
    """A check run and the apply after it of 500 DIDs, and the summary that both tasks gave."""
    folder = tmp_path_factory.mktemp("five-hundred")
    player = made_player(simulator, folder)
    before_five_hundred(player)
    task = dids(five_hundred(), retries=0)
    runs, summaries = [], []
    for check in (True, False):
        name = "check" if check else "apply"
        run = player.play(task, kept(folder), check=check, NEXTBILLING_REVIEW_DIR=name)
        assert run.code == 0, run.output
        runs.append(run)
        summaries.append(json.loads((folder / "summary.json").read_text("utf-8")))
    assert summaries[0] == summaries[1]
    return runs[0], runs[1], summaries[0]


def test_five_hundred_dids_are_counted_as_their_summary_counts_them(
    both: tuple[Run, Run, dict[str, int]],
) -> None:
    predicted, applied, summary = both
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


def test_five_hundred_dids_in_markdown(both: tuple[Run, Run, dict[str, int]]) -> None:
    text = both[0].text("md")
    assert "`1130001000` – `1130001099`" in text and "customer_id `7` → `9`, 100 DIDs" in text
    (run,) = both[0].review["runs"]
    for told in (run["plan_checksum"], run["registry_id"], run["platform"]):
        assert told in text
    for told in ("recorded, never applied", *ODD_NAMES[:2]):
        assert told in text
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
        did("113000100", did_type="line", register="bad", **background),
        wait("{{ bad.ansible_job_id }}", ignore_errors=True),
        did("1130001003", name="Never asked for", **background),
        did("1130001004", name="Asked for in the dark", register="dark", **background),
        wait("{{ dark.ansible_job_id }}", no_log=True),
        did("1130001005", **{"async": 30, "poll": 1}),
        dids([{"did_number": "1130001006"}], register="many", **background),
        wait("{{ many.ansible_job_id }}"),
        dids([{"did_number": "1130001007"}], name="A list never asked for", **background),
    )
    assert run.code == 0, run.output
    counted = run.counted()
    # How many of the others its list leaves out depends on how soon they ended.
    counted.pop("unlisted")
    assert counted == {"total": 6, "create": 5, "failed": 1}
    assert [(one["task"], one["why"], one["dids"]) for one in run.review["unseen"]] == [
        ("Never asked for", "async", 1),
        ("Asked for in the dark", "async", 1),
        ("A list never asked for", "async", None),
    ]
    assert len(run.review["runs"]) == 5
    assert "1 task not awaited" in run.closing[0] and "2 not awaited" in run.closing[0]


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
    assert run.counted() == {"total": 5, "create": 3, "update": 1, "failed": 1}
    places = [(one["host"], one["play"]) for one in run.review["runs"]]
    assert sorted(places) == [
        ("one", "First"),
        ("one", "First"),
        ("three", "Third"),
        ("two", "First"),
        ("two", "Second"),
    ]
    (lost,) = [entry for entry in run.review["dids"] if entry["kind"] == "failed"]
    assert lost["error"]["kind"] == "host_unreachable" and lost["error"]["msg"] is None
    assert [one["did_number"] for one in run.review["repeated"]] == ["1130001001"]


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


def test_a_mixture_of_check_and_apply_is_shown_as_such(player: Player) -> None:
    run = player.play(did("1130001000"), did("1130001001", check_mode=True))
    assert run.review["mode"] == "mixed" and run.review["pending"] == 1
    assert [(e["did_number"], e["outcome"]) for e in run.review["dids"]] == [
        ("1130001000", "applied"),
        ("1130001001", "planned"),
    ]
    assert "others ran in check mode" in run.text("md")
    assert "**created**" in run.text("md") and "**to create**" in run.text("md")


def test_a_module_is_known_by_all_its_names(player: Player) -> None:
    (player.folder / "kind.yml").write_text("kind: dids")
    run = player.plays(
        [
            player.a_play(
                {"name": "Short", "did": {"did_number": "1130001000"}},
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
        check=True,
    )
    assert run.code == 0, run.output
    assert run.counted() == {"total": 3, "create": 3}


def test_a_limit_says_why_nothing_was_attempted(player: Player) -> None:
    run = player.play(
        dids([{"did_number": "1130001000", "last_number": "1130001009"}], max_creates=3),
        kept(player.folder),
    )
    assert run.review["counts"] == json.loads((player.folder / "summary.json").read_text("utf-8"))
    assert run.counted() == {"total": 10, "not_attempted": 10}
    assert run.review["runs"][0]["error"]["kind"] == "limit_exceeded"
    assert "limit_exceeded" in run.text("md") and "limit_exceeded" in run.text("html")
    assert "`1130001000` – `1130001009`" in run.text("md")


@pytest.mark.parametrize("obstacle", ["file", "folder", "full"])
def test_a_failing_write_warns_and_fails_nothing(player: Player, obstacle: str) -> None:
    place = player.folder / "review"
    if obstacle == "file":
        place.write_text("not a folder")
    elif obstacle == "folder":
        (place / "review.html").mkdir(parents=True)
    else:
        place = Path("/dev/full")
    run = player.play(did("1130001000"), NEXTBILLING_REVIEW_DIR=str(place))
    assert run.code == 0, run.output
    assert "The review of DIDs could not be written" in " ".join(run.output.split())
    assert run.closing == ["DIDs: 1 create"]
    if obstacle == "folder":
        assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_the_folder_is_made_and_the_language_is_portuguese(player: Player) -> None:
    configuration = QUIET.replace(
        "[inventory]",
        "[callback_nextbilling_review]\noutput_dir = out/of/ini\nlanguage = pt-BR\n[inventory]",
    )
    (player.folder / "ansible.cfg").write_text(configuration)
    run = player.play(did("1130001000"), check=True)
    assert run.closing == ["DIDs: 1 criar → out/of/ini/review.html"]
    names = sorted(path.name for path in (player.folder / "out/of/ini").iterdir())
    assert names == ["review.html", "review.json", "review.md"]
    assert 'lang="pt-BR"' in (player.folder / "out/of/ini/review.html").read_text("utf-8")


def test_the_drift_gate_of_the_guide(player: Player) -> None:
    guide = (SCHEMA.parent / "docsite" / "rst" / "reviews.rst").read_text("utf-8")
    (line,) = set(re.findall(r'python3 -c "(.*)"', guide))
    for task, code in ((did("1130001000"), 1), (did("1130001000"), 0)):
        player.play(task, check=True)
        done = subprocess.run([sys.executable, "-c", line], cwd=player.folder, check=False)
        assert done.returncode == code
        player.play(task)


def test_a_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    write(str(tmp_path), {"a": "old", "b": "old"})

    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(os, "fsync", fill)
        write(str(tmp_path), {"a": "new", "b": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
