# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A long run says how far it is, and every run of dids its totals: on standard error, unless it must not or is asked not to."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._module.did_registry import (
    did_registry_spec,
    manage_registry,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.dids import (
    converge_dids,
    dids_spec,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import perform
from ansible_collections.nextbilling.did.plugins.module_utils._module.stop import Stop
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Result, Spec, Task
from ansible_collections.nextbilling.did.plugins.plugin_utils._action import WorkerTask
from ansible_collections.nextbilling.did.plugins.plugin_utils._progress import ProgressLines
from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, program, streams_of
from ansible_collections.nextbilling.did.tests.support.waiting import until

COLLECTIONS = Path(client.__file__).parents[5]
NAME = "nextbilling.did.dids"
DIDS = [{"did_number": str(number)} for number in range(5511001000, 5511001005)]
# A stdout callback whose output is data, as that of ansible.posix.json.
JSON_CALLBACK = """\
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "as_json"

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in stats.processed}
        self._display.display(json.dumps(hosts))
"""
HOSTS = ("localhost", "silent", "hidden")


def login(runner: Runner) -> dict[str, Any]:
    """Return the options that every task has."""
    return {
        "api_url": runner.simulator.url,
        "api_token": runner.simulator.token,
        "api_key": runner.simulator.key,
        "registry": str(runner.registry),
        "retries": 0,
    }


def play(
    runner: Runner, folder: Path, tasks: list[dict[str, Any]], *options: str, **environment: str
) -> tuple[int, str, list[str]]:
    """Play tasks. Returns the exit code, what is on standard output, and the lines on standard error."""
    book = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "module_defaults": {"group/nextbilling.did.all": login(runner)},
        "tasks": tasks,
    }
    (folder / "play.yml").write_text(json.dumps([book]), "utf-8")
    (folder / "ansible.cfg").write_text(QUIET, "utf-8")
    code, printed, errors = streams_of(
        [program("ansible-playbook"), "-i", "localhost,", *options, "play.yml"],
        folder,
        {
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            **environment,
        },
    )
    return code, printed, errors.splitlines()


def dids_task(dids: Any = DIDS, *, more: Any = None, **options: Any) -> dict[str, Any]:
    """Return a task of dids."""
    return {NAME: {"dids": dids, **options}, **(more or {})}


# Lines while a run is under way


class Lines:
    """A task in this process, and the lines that it shows. Each look at the clock takes a second."""

    def __init__(self, runner: Runner, spec: Spec, *, first: float = 0, **options: Any) -> None:
        self.shown: list[str] = []
        self.seconds = 0.0
        self.stop = Stop(lambda: False, deliver=False)
        lines = ProgressLines(clock=self._clock, first=first, interval=0)
        self.task = WorkerTask(
            spec, {**login(runner), **options}, self.stop, lines, self.shown.append
        )
        self.task.validate("it")
        assert self.task.invalid is None

    def _clock(self) -> float:
        self.seconds += 1
        return self.seconds

    def perform(self, work: Callable[[Task], Result]) -> Result:
        """Do the work."""
        return perform(self.task, work)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_run_says_how_far_it_is(runner: Runner, concurrency: int) -> None:
    runner.simulator.fault("status", status=422, match=DIDS[1])
    lines = Lines(runner, dids_spec(), dids=DIDS, concurrency=concurrency)
    assert lines.perform(converge_dids)["summary"]["failed"] == 1
    done = [int(line.split(" of 5 DIDs")[0]) for line in lines.shown]
    assert done == sorted(done) and done[0] <= 1 and done[-1] >= 3
    assert lines.shown[-1].endswith(" left, 1 failed")


def test_only_dids_that_are_sent_are_counted(runner: Runner) -> None:
    assert runner.dids(dids=DIDS[:2])["changed"]
    lines = Lines(runner, dids_spec(), dids=DIDS)
    assert lines.perform(converge_dids)["summary"]["none"] == 2
    assert lines.shown and all(" of 3 DIDs" in line for line in lines.shown)


@pytest.mark.slow
def test_a_run_speaks_before_a_retry(runner: Runner) -> None:
    shown = []
    for index, pause in enumerate((1, 3)):
        runner.simulator.fault("throttle", retry_after=pause)
        lines = Lines(runner, dids_spec(), dids=[DIDS[index]], retries=1)
        assert lines.perform(converge_dids)["changed"]
        assert set(lines.shown) == {"0 of 1 DIDs"}
        shown.append(len(lines.shown))
    assert shown[1] >= shown[0] + 2


def test_a_run_speaks_while_answers_are_slow(runner: Runner) -> None:
    runner.simulator.switch(latency_ms=2500)
    lines = Lines(runner, dids_spec(), dids=DIDS[:2], concurrency=2)
    assert lines.perform(converge_dids)["changed"]
    assert lines.shown.count("0 of 2 DIDs") >= 3


@pytest.mark.parametrize("state", ["recorded", "forgotten"])
def test_a_list_of_statements_says_how_far_it_is(runner: Runner, state: str) -> None:
    dids = [{**did, "record_id": 100 + index} for index, did in enumerate(DIDS)]
    if state == "forgotten":
        assert runner.did_registry(state="recorded", dids=dids)["changed"]
    lines = Lines(runner, did_registry_spec(), state=state, dids=dids)
    assert lines.perform(manage_registry)["changed"]
    assert [line.split(",")[0] for line in lines.shown] == [
        f"{done} of 5 DIDs" for done in range(5)
    ]


def test_check_mode_and_the_option_show_no_progress(runner: Runner) -> None:
    lines = Lines(runner, dids_spec(), dids=DIDS)
    lines.task.check_mode = True
    assert lines.perform(converge_dids)["changed"] and lines.shown == []
    lines = Lines(runner, dids_spec(), dids=DIDS, progress=False)
    assert lines.perform(converge_dids)["changed"] and lines.shown == []
    forgotten = [
        {"did_number": did["did_number"], "record_id": did["record_id"]}
        for did in runner.did_info()["dids"]
    ]
    lines = Lines(runner, did_registry_spec(), state="forgotten", dids=forgotten, progress=False)
    assert lines.perform(manage_registry)["changed"] and lines.shown == []


def test_nothing_is_shown_after_a_signal(runner: Runner) -> None:
    lines = Lines(runner, dids_spec(), dids=DIDS)
    with lines.stop.hold_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        until(lines.stop.reason)
        lines.task.progress(1, 5, 0)
    assert lines.shown == []


@pytest.mark.slow
def test_a_long_run_is_not_silent(runner: Runner, tmp_path: Path) -> None:
    """One run on three hosts: one as it is by default, one that must not name counts, one that is asked to be silent."""
    runner.simulator.switch(latency_ms=1700)
    dids = {
        host: [{"did_number": f"55110{index}{last}"} for last in range(5)]
        for index, host in enumerate(HOSTS)
    }
    task = dids_task(
        "{{ dids[inventory_hostname] }}",
        more={"no_log": "{{ inventory_hostname == 'hidden' }}"},
        progress="{{ inventory_hostname != 'silent' }}",
    )
    (tmp_path / "vars.json").write_text(json.dumps({"dids": dids}), "utf-8")
    code, printed, errors = play(
        runner, tmp_path, [task], "-i", "silent,hidden", "-e", "@vars.json", ANSIBLE_FORKS="3"
    )
    assert code == 0, (printed, errors)
    assert "DIDs, " not in printed and "5 create" not in printed
    progress = re.compile(NAME + r": [1-4] of 5 DIDs, [0-9.]+/s, [0-9]+ s left")
    shown = [line for line in errors if line.startswith(NAME)]
    assert len(shown) > 1 and shown[-1].startswith(f"{NAME}: 5 create"), errors
    assert all(progress.fullmatch(line) for line in shown[:-1]), errors
    hidden = [line for line in errors if line.startswith("[hidden] ")]
    assert hidden == [
        f"[hidden] {NAME}: still at work (no_log hides the counts)",
        f"[hidden] {NAME}: ended (no_log hides the counts)",
    ]
    assert not [line for line in errors if "silent" in line]


# The line at the end


def test_the_totals_end_each_run_of_dids(runner: Runner, tmp_path: Path) -> None:
    tasks = [
        dids_task(more={"check_mode": True}),
        dids_task(DIDS[:2]),
        dids_task(max_creates=1, more={"ignore_errors": True}),
        dids_task([{"did_number": "not one"}], more={"ignore_errors": True}),
        dids_task(progress=False),
        dids_task("{{ [item] }}", more={"loop": DIDS[:2]}),
        {"nextbilling.did.did": {"did_number": "5511001009"}},
        {"nextbilling.did.did_info": {}},
    ]
    code, printed, errors = play(runner, tmp_path, tasks)
    assert code == 0, (printed, errors)
    assert [line for line in errors if "nextbilling.did" in line] == [
        f"{NAME}: 5 create (check mode)",
        f"{NAME}: 2 create",
        f"{NAME}: 3 not attempted, 2 unchanged",
        f"{NAME}: 1 unchanged, 4 unlisted",
        f"{NAME}: 1 unchanged, 4 unlisted",
    ]


@pytest.mark.slow
def test_the_totals_of_a_module_say_why_it_is_one(runner: Runner, tmp_path: Path) -> None:
    reason = "runs as a module: it has environment"
    module: dict[str, Any] = {"environment": {"A": "b"}}
    tasks = [
        dids_task(more=module),
        dids_task(more={**module, "check_mode": True}),
        dids_task(more={**module, "no_log": True}),
        dids_task(more=module, progress="no"),
    ]
    code, printed, errors = play(runner, tmp_path, tasks)
    assert code == 0, (printed, errors)
    assert [line for line in errors if NAME in line] == [
        f"{NAME}: 5 create ({reason})",
        f"{NAME}: 5 unchanged (check mode; {reason})",
        f"{NAME}: ended (no_log hides the counts; {reason})",
    ]
    assert reason not in printed


def test_standard_output_stays_data(runner: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "callbacks"
    folder.mkdir()
    (folder / "as_json.py").write_text(JSON_CALLBACK, "utf-8")
    code, printed, errors = play(
        runner,
        tmp_path,
        [dids_task()],
        ANSIBLE_CALLBACK_PLUGINS=str(folder),
        ANSIBLE_STDOUT_CALLBACK="as_json",
        ANSIBLE_CALLBACKS_ENABLED="nextbilling.did.review",
    )
    assert code == 0, (printed, errors)
    assert json.loads(printed)["localhost"]["changed"] == 1
    assert f"{NAME}: 5 create" in errors
    assert "DIDs: 5 create → review/review.html" in errors
