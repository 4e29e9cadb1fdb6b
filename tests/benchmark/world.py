# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the benchmark runs: a simulator, registries, and an environment in which programs find both."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings

from .processes import BenchmarkError, Finished, run
from .registries import fill
from .workload import USUAL, write_json, write_table

FOLDER = Path(__file__).resolve().parent
DID = "nextbilling.did.did"
DIDS = "nextbilling.did.dids"
REGISTRY = "nextbilling.did.did_registry"
INFO = "nextbilling.did.did_info"
PING = "ansible.builtin.ping"
URI = "ansible.builtin.uri"

Task = dict[str, Any]
# Seconds after which a program is taken for stuck, beyond those that it is expected to take.
_PATIENCE = 600


class Played(NamedTuple):
    """A run of ansible-playbook: what the stopwatch says of each task and host (see callback_plugins), seconds, bytes of memory."""

    results: list[dict[str, Any]]
    seconds: float
    memory: int | None


class World:
    """A simulator and all that programs need to meet it.

    Registries are kept in a folder of their own, as it decides what a durable write costs.
    """

    def __init__(self, simulator: Simulator, folder: Path, registries: Path) -> None:
        self.simulator = simulator
        self._folder = folder
        self._registries = registries
        self._environment = surroundings(
            simulator,
            folder,
            ANSIBLE_CALLBACK_PLUGINS=str(FOLDER / "callback_plugins"),
            ANSIBLE_INVENTORY=os.devnull,
            ANSIBLE_NOCOLOR="true",
            ANSIBLE_STDOUT_CALLBACK="stopwatch",
        )

    def play(
        self,
        tasks: list[Task],
        *,
        registry: Path | None = None,
        variables: Mapping[str, Any] | None = None,
        expected: float = 0.0,
        hosts: int = 0,
        collections: Path | None = None,
    ) -> Played:
        """Run tasks on this machine, or for so many hosts at once. Raises BenchmarkError if one fails.

        ``expected``: how many seconds that may take. ``collections``: where another release of the collection is, to be used instead.
        """
        play = {
            "hosts": "all" if hosts else "localhost",
            "gather_facts": False,
            "vars": variables or {},
            "tasks": tasks,
        }
        playbook = self._folder / "playbook.json"
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        names = "".join(f"host{number}," for number in range(hosts))
        options = ["--inventory", names, "--forks", str(hosts)] if hosts else []
        command = ["ansible-playbook", *options, str(playbook)]
        done = self._run(command, registry, expected, collections)
        results = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
        failures = [result["failure"] for result in results if result["failure"] is not None]
        if done.code != 0 or len(results) != len(tasks) * max(1, hosts):
            reason = (failures or done.errors.strip().splitlines() or ["no reason was given"])[-1]
            raise BenchmarkError(f"ansible-playbook ended with {done.code}: {reason}")
        return Played(results, done.seconds, done.memory)

    def bare(self, size: int, concurrency: int, *, edit: bool, expected: float) -> Finished:
        """Run the bare client (see bare.py)."""
        what = "edit" if edit else "create"
        command = [sys.executable, "-m", f"{__package__}.bare", str(size), str(concurrency), what]
        done = self._run(command, None, expected)
        if done.code != 0:
            reason = (done.errors.strip().splitlines() or ["no reason was given"])[-1]
            raise BenchmarkError(f"the bare client ended with {done.code}: {reason}")
        return done

    def _run(
        self,
        command: list[str],
        registry: Path | None,
        expected: float,
        collections: Path | None = None,
    ) -> Finished:
        environment = self._environment
        if collections is not None:
            environment = {**environment, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        if registry is not None:
            environment = {
                **environment,
                "NEXTBILLING_REGISTRY": str(registry),
                "NEXTBILLING_WITNESS": _witness(registry),
            }
        return run(command, environment, _PATIENCE + 5 * expected)

    def table(self, size: int, width: int = USUAL, suffix: str = ".csv") -> Path:
        """Return a CSV file or a workbook of so many DIDs, with so many columns."""
        path = self._folder / f"{size}-{width}{suffix}"
        if not path.exists():
            write_table(path, size, width)
        return path

    def document(self, size: int, *, with_passwords: bool) -> Path:
        """Return a JSON file of so many DIDs."""
        path = self._folder / f"{size}-{'with' if with_passwords else 'without'}-passwords.json"
        if not path.exists():
            write_json(path, size, with_passwords=with_passwords)
        return path

    def fresh_registry(self) -> Path:
        """Return a registry that knows the platform and no DID. The one returned before is gone then."""
        blank = self._registries / "blank.db"
        if not blank.exists():
            self.play([{REGISTRY: {}}], registry=blank)
        return self._copy(blank, "fresh.db")

    def copied_registry(self, size: int) -> Path:
        """Return a registry that holds so many DIDs, to be written. The one returned before is gone then."""
        return self._copy(self.full_registry(size), "copy.db")

    def _copy(self, registry: Path, name: str) -> Path:
        """Copy a registry, and drop the witness of the copy before, which knows DIDs that this one does not."""
        path = self._registries / name
        shutil.copyfile(registry, path)
        shutil.rmtree(_witness(path), ignore_errors=True)
        return path

    def full_registry(self, size: int, width: int = USUAL) -> Path:
        """Return a registry that holds so many DIDs as they are declared, in so many columns. It is there to be read alone."""
        path = self._registries / f"{size}-{width}.db"
        if not path.exists():
            source = self._folder / f"{size}-{width}-with-records.csv"
            write_table(source, size, width, with_records=True)
            record = {"state": "recorded", "src": str(source)}
            self.play([{REGISTRY: {}}, {REGISTRY: record}], registry=path, expected=size / 1000)
        return path

    def filled_registry(self, size: int, first_record: int) -> Path:
        """Return a registry that holds so many DIDs as they are declared, without passwords, with ids from C(first_record) on."""
        path = self._registries / f"filled-{size}.db"
        if not path.exists():
            self.play([{REGISTRY: {}}], registry=path)
            fill(path, size, first_record)
        return path

    def seconds_to_disk(self) -> float:
        """Return how long it takes to write a page into the registries' folder so that it survives a power loss."""
        samples = []
        with tempfile.TemporaryFile(dir=self._registries, buffering=0) as handle:
            for _sample in range(50):
                began = time.perf_counter()
                handle.write(bytes(4096))
                os.fsync(handle.fileno())
                samples.append(time.perf_counter() - began)
        return statistics.median(samples)


def _witness(registry: Path) -> str:
    """Return the folder of a registry's witness."""
    return f"{registry}-witness"
