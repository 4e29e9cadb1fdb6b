# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what a task of ``did`` costs that finds nothing to do.

The yardsticks are ``ping``, which is what any module costs here, and ``uri``, which asks a server on loopback. The tasks of
the three alternate, in an order that changes from round to round, so that whatever else the machine does meets all of
them alike. Times are from a task's start to its result as ansible-playbook sees them. Nothing is asserted about them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

FOLDER = Path(__file__).resolve().parent
COLLECTION = FOLDER.parents[1]

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.simulator.client import (
        Simulator,
        SimulatorError,
    )
    from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
else:
    # As a plain file, so that no tree of collections is needed to run this.
    sys.path.insert(0, str(COLLECTION / "tests" / "simulator"))
    from client import Simulator, SimulatorError
    from surroundings import surroundings

REGISTRY = "nextbilling.did.did_registry"
DID = "nextbilling.did.did"
URI = "ansible.builtin.uri"
PING = "ansible.builtin.ping"
# Seconds that one task may take before the benchmark gives up.
LIMIT = 20
Samples = dict[str, list[float]]


class BenchmarkError(Exception):
    """A run that did not do what was to be measured; the message is one line."""


def main() -> int:
    """Measure and print; return the exit code."""
    options = _options()
    try:
        with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
            runs = measure(simulator, Path(folder), options.tasks, options.repetitions)
    except (BenchmarkError, SimulatorError) as problem:
        # What the simulator says may be a traceback: its last line tells why.
        print(f"benchmark: {str(problem).splitlines()[-1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    report(runs)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a DID with nothing to do costs.")
    parser.add_argument("--tasks", type=_several, default=20, help="of each kind in a run (20)")
    parser.add_argument("--repetitions", type=_several, default=5, help="runs (5)")
    return parser.parse_args()


def _several(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("a number from 2 to 1000 is needed")
    return int(text)


def measure(simulator: Simulator, folder: Path, tasks: int, repetitions: int) -> list[Samples]:
    """Return the seconds of each task, by module, for each run of ansible-playbook."""
    environment = surroundings(
        simulator,
        folder,
        ANSIBLE_CALLBACK_PLUGINS=str(FOLDER / "callback_plugins"),
        ANSIBLE_INVENTORY=os.devnull,
        ANSIBLE_NOCOLOR="true",
        ANSIBLE_STDOUT_CALLBACK="stopwatch",
    )
    declared = {
        "did_number": "+551130001000",
        "customer_id": 13,
        "description": "Atendimento",
        "did_type": "queue",
        "did_type_id": 7,
        "host": "192.0.2.10",
        "port": 5060,
        "host_additional": ["192.0.2.11", "192.0.2.12"],
    }
    play(folder, [{REGISTRY: {}}, {DID: declared}], environment)
    kinds: list[dict[str, Any]] = [
        {DID: declared},
        {URI: {"url": f"{simulator.admin}/switches"}},
        {PING: {}},
    ]
    rounds = [kinds[turn % 3 :] + kinds[: turn % 3] for turn in range(tasks)]
    runs = []
    for number in range(repetitions):
        print(f"run {number + 1} of {repetitions} …", file=sys.stderr, flush=True)
        results = play(folder, [task for turn in rounds for task in turn], environment)
        if any(result["changed"] for result in results):
            raise BenchmarkError("a task had something to do")
        runs.append(
            {
                kind: [result["seconds"] for result in results if result["action"] == kind]
                for kind in (DID, URI, PING)
            }
        )
    if len(simulator.requests()) != 1:
        raise BenchmarkError("a request was sent to the platform where there was nothing to do")
    return runs


def play(
    folder: Path, tasks: list[dict[str, Any]], environment: dict[str, str]
) -> list[dict[str, Any]]:
    """Run tasks on this machine; return what the stopwatch says of each (see callback_plugins)."""
    playbook = folder / "playbook.json"
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]),
        encoding="utf-8",
    )
    try:
        done = subprocess.run(
            ["ansible-playbook", str(playbook)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT * (len(tasks) + 1),
            check=False,
        )
    except FileNotFoundError:
        raise BenchmarkError("ansible-playbook is not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"a run took longer than {LIMIT} seconds a task") from None
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    failures = [result["failure"] for result in results if result["failure"] is not None]
    if done.returncode != 0 or len(results) != len(tasks):
        reason = (failures or done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise BenchmarkError(f"ansible-playbook ended with {done.returncode}: {reason}")
    return results


def report(runs: list[Samples]) -> None:
    """Print the median of each module, and the ratios with their spread over the runs."""
    print(f"{'module':<22}{'tasks':>6}{'median':>10}{'quartiles':>20}")
    for kind in (DID, URI, PING):
        seconds = [second for run in runs for second in run[kind]]
        low, middle, high = (f"{value * 1000:.0f}" for value in statistics.quantiles(seconds))
        print(f"{kind:<22}{len(seconds):>6}{middle + ' ms':>10}{f'{low} to {high} ms':>20}")
    print()
    for other in (URI, PING):
        ratios = [statistics.median(run[DID]) / statistics.median(run[other]) for run in runs]
        print(
            f"{'did / ' + other.rpartition('.')[2]:<22}{statistics.median(ratios):>16.2f}"
            f"{f'{min(ratios):.2f} to {max(ratios):.2f}':>20}   (medians of {len(runs)} runs)"
        )


if __name__ == "__main__":
    sys.exit(main())
