# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program and measures it: its time, and the memory of all its processes together."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

# Seconds between two looks at the memory. A look costs about a millisecond.
_LOOK = 0.1
_PROC = Path("/proc")


class BenchmarkError(Exception):
    """A run that did not do what was to be measured; the message is one line."""


class Finished(NamedTuple):
    """What a program did, how many seconds it took, and how many bytes it held at the most (None: not known here)."""

    code: int
    output: str
    errors: str
    seconds: float
    memory: int | None


def run(command: list[str], environment: dict[str, str], limit: float) -> Finished:
    """Run a program to its end. Raises BenchmarkError if it does not start, or not end within ``limit`` seconds."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        try:
            # In a session of its own, so that all that it starts can be ended with it.
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise BenchmarkError(f"{command[0]} is not on the PATH") from None
        watch = _Watch(process.pid, began + limit)
        watch.start()
        try:
            process.wait()
            seconds = time.perf_counter() - began
        except BaseException:
            _end(process)
            raise
        finally:
            watch.stop()
        if watch.overdue:
            raise BenchmarkError(f"{command[0]} took longer than {limit:.0f} seconds")
        return Finished(
            process.returncode, _text(output), _text(errors), seconds, watch.peak or None
        )


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Watch(threading.Thread):
    """Looks at the memory of a process and its descendants until it is stopped, and ends them all at the deadline.

    A page that several processes share counts once (PSS). What the largest of them held at any time counts too, so that no
    peak between two looks is lost as long as one process alone makes it.
    """

    def __init__(self, pid: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self.overdue = False
        self._pid = pid
        self._deadline = deadline
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK):
            self._look()
            if time.perf_counter() > self._deadline:
                self.overdue = True
                with suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGKILL)
                return

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _look(self) -> None:
        pids = _tree(self._pid)
        largest = max((_kilobytes(pid, "status", "VmHWM:") for pid in pids), default=0)
        self.peak = max(self.peak, largest * 1024)
        # Shared pages are costly to count, so that is done only where it may be a new peak.
        if sum(_kilobytes(pid, "status", "VmRSS:") for pid in pids) * 1024 > self.peak:
            together = sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in pids)
            self.peak = max(self.peak, together * 1024)


def _tree(pid: int) -> list[int]:
    """Return a process and all its descendants. One that ends meanwhile is left out."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in (_PROC / str(parent) / "task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _kilobytes(pid: int, file: str, name: str) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / file).read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def processor_seconds(pid: int | None) -> float | None:
    """Return the time that a process has used of all processors (proc(5): utime and stime), None where that is not known."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
