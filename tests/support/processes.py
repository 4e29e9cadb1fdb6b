# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks in processes of their own, to be killed, stopped and waited for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Result, Runner
from ansible_collections.nextbilling.did.tests.support.waiting import TIMEOUT, until

# Runs a module with the parameters of a file. The second argument may say what happens at the call of which method, and from the
# how manieth call on: "send" is the request, "find_many" reads the registry, "claim" writes the intent, "is_claim_valid" is the last
# check before the first byte, "confirm" writes the id.
_PROGRAM = """
import os, resource, signal, sys
from ansible.module_utils import basic
from ansible_collections.nextbilling.did.plugins.module_utils._platform.transport import Transport
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.modules import did, dids

def kill(journal):
    os.kill(os.getpid(), signal.SIGKILL)

def stop(journal):
    os.kill(os.getpid(), signal.SIGSTOP)

def fill_the_disk(journal):
    # No file may grow any more: SQLite's journal cannot be written. What Python would write of the modules that it compiles from here on
    # would be cut, and taken for whole by each process after this one.
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

def make_read_only(journal):
    # The same error as from a file system that has become read-only.
    journal._transactions.database._connection.execute("PRAGMA query_only = ON")

what, _, moment = sys.argv[2].partition(" at ")
moment, _, count = moment.partition(" ")
calls = []
if what:
    owner = next(kind for kind in (Transport, Registry, Journal) if hasattr(kind, moment))
    original = getattr(owner, moment)
    def happening(self, *arguments, **options):
        calls.append(moment)
        if len(calls) >= int(count or 1):
            globals()[what](self)
        return original(self, *arguments, **options)
    setattr(owner, moment, happening)
# A shell's background jobs ignore it, and what they start does too.
signal.signal(signal.SIGINT, signal.default_int_handler)
basic._ANSIBLE_ARGS = open(sys.argv[1], "rb").read()
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
{"did": did, "dids": dids}[sys.argv[3]].main()
"""
_COLLECTIONS = Path(client.__file__).parents[5]


class Process:
    """A task in a process of its own."""

    def __init__(
        self,
        runner: Runner,
        folder: Path,
        happening: str = "",
        module: str = "did",
        **parameters: Any,
    ) -> None:
        arguments = {
            "ANSIBLE_MODULE_ARGS": {
                "api_url": runner.simulator.url,
                "api_token": runner.simulator.token,
                "api_key": runner.simulator.key,
                "registry": runner.store.location,
                "retries": 0,
                **parameters,
            }
        }
        file = folder / f"arguments-{time.monotonic_ns()}.json"
        file.write_text(json.dumps(arguments))
        path = [str(_COLLECTIONS), os.environ.get("PYTHONPATH")]
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-c", _PROGRAM, str(file), happening, module],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self, progress: Callable[[], object] = lambda: None) -> Result:
        """Wait for the end and return the module's result.

        C(progress): returns what shows how far it is. As long as that changes, the wait goes on.
        """
        seen: object = None
        while True:
            try:
                printed, errors = self._process.communicate(timeout=TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                before, seen = seen, progress()
                if seen == before:
                    raise
        assert printed, errors
        result: Result = json.loads(printed)
        return result

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self, seconds: float) -> bool:
        """Wait for the end, but no longer than this, and tell whether it has come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def died(self) -> None:
        """Wait for the end, which must be a kill."""
        self._process.communicate(timeout=TIMEOUT)
        assert self._process.returncode == -signal.SIGKILL

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self.died()

    def stopped(self) -> None:
        """Wait until it has stopped itself."""
        status = Path(f"/proc/{self._process.pid}/stat")
        until(lambda: status.read_text("utf-8").rsplit(")", 1)[1].split()[0] == "T")

    def go_on(self) -> None:
        """Let it go on after a stop."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def children_of(process: int, part: bytes = b"") -> list[int]:
    """The processes that a process has started. C(part): of their command line."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text("utf-8").split()
    found = []
    for child in map(int, listed):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if part in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def descendants_of(process: int) -> list[int]:
    """The processes that a process and those that it has started have started."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in children_of(process):
            found += [child, *descendants_of(child)]
    return found


def end_leases(runner: Runner) -> None:
    """Let all leases be over."""
    runner.write(
        "UPDATE records SET claim_until = claim_until - 1000 WHERE claim_until IS NOT NULL"
    )
