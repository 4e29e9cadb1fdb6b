# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a simulator for tests, and looks into it. Needs the standard library alone.

Usable as a plain file on ``sys.path`` and as a module of the collection: it imports no sibling.
"""

from __future__ import annotations

import http.client
import json
import os
import selectors
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

_FOLDER = Path(__file__).resolve().parent
# A start takes half a second; a loaded machine may take far longer, in seconds.
_START_LIMIT = 30.0
_STOP_LIMIT = 5.0
_ADMIN_LIMIT = 30.0


class SimulatorError(Exception):
    """The simulator did not start, or refused what was asked of it (the message says why)."""


class Simulator:
    """A running simulator.

    ``Simulator.start()`` runs one and ends it as a context manager; the constructor merely refers
    to one that runs already (so that several processes can share it).
    """

    def __init__(self, url: str, token: str, key: str, ca_path: str | None = None) -> None:
        self.url = url
        self.token = token
        self.key = key
        self.ca_path = ca_path
        self.admin = f"{url}/_simulator"
        self.pid: int | None = None
        self._process: subprocess.Popen[str] | None = None

    @classmethod
    def start(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        key: str | None = None,
        tls: bool = False,
        tls_dir: str | os.PathLike[str] | None = None,
        switches: dict[str, Any] | None = None,
        python: str = sys.executable,
    ) -> Simulator:
        """Run a simulator on a free port (or ``port``) and wait until it serves.

        ``switches`` are values at the start, which a reset brings back. ``python`` is an
        interpreter that has aiohttp (and trustme for ``tls``). The simulator stops when the calling
        process is gone.
        Raises SimulatorError, with what the simulator wrote on stderr.
        """
        command = [python, str(_FOLDER), "--exit-with-parent", "--host", host, "--port", str(port)]
        for option, value in (("--token", token), ("--key", key), ("--tls-dir", tls_dir)):
            if value is not None:
                command += [option, os.fspath(value)]
        if tls:
            command.append("--tls")
        for name, setting in (switches or {}).items():
            command += ["--switch", f"{name}={json.dumps(setting)}"]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            # It outlives this method; stop() ends it.
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
            try:
                ready = _ready(process, errors)
            except BaseException:
                _end(process)
                raise
        simulator = cls(ready["url"], ready["token"], ready["key"], ready["ca_path"])
        simulator.pid = process.pid
        simulator._process = process
        return simulator

    def stop(self) -> int | None:
        """End the process, if this object started one; return its exit code."""
        process, self._process = self._process, None
        return None if process is None else _end(process)

    def __enter__(self) -> Simulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Bring all back to the start: records, ledger, faults, switches, ids."""
        self._ask("DELETE", "")

    def switch(self, **changes: Any) -> dict[str, Any]:
        """Set switches, e.g. ``switch(duplicates="refuse")``; returns all of them."""
        return dict(self._ask("PATCH", "/switches", changes))

    def switches(self) -> dict[str, Any]:
        """All switches with their values."""
        return dict(self._ask("GET", "/switches"))

    def fault(
        self,
        name: str,
        *,
        times: int | None = 1,
        match: dict[str, Any] | None = None,
        **params: Any,
    ) -> None:
        """Queue a fault, e.g. ``fault("drop_after", match={"method": "PUT"})``.

        ``times`` is how often it strikes; None is for ever. ``params`` are those of the fault.
        """
        self._ask("POST", "/faults", {"fault": name, "times": times, "match": match, **params})

    def faults(self) -> list[dict[str, Any]]:
        """The faults that are still to strike."""
        return list(self._ask("GET", "/faults"))

    def clear_faults(self) -> None:
        """Forget the faults that are still to strike."""
        self._ask("DELETE", "/faults")

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """All that the simulator saw (``requests``) and did (``created``, ``edited``)."""
        return dict(self._ask("GET", "/ledger"))

    def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """The API requests it saw, oldest first; of one method only, if given."""
        seen = self.ledger()["requests"]
        return [entry for entry in seen if method is None or entry["method"] == method]

    def created(self) -> list[dict[str, Any]]:
        """The records it made, oldest first: ``record_id``, ``did_number``, ``request``."""
        return self.ledger()["created"]

    def edited(self) -> list[dict[str, Any]]:
        """The edits it made, oldest first: ``record_id``, ``did_number``, ``request``."""
        return self.ledger()["edited"]

    def dids(self) -> dict[int, dict[str, Any]]:
        """The records it holds: record id to fields. Record 12 is there from the start."""
        return {int(record_id): fields for record_id, fields in self._ask("GET", "/dids").items()}

    def duplicates(self) -> dict[str, list[int]]:
        """The numbers (digits) that were created more than once, with their record ids."""
        return dict(self._ask("GET", "/duplicates"))

    def path(self, record_id: int | None = None) -> str:
        """The path of the API's endpoint; with a record id, the one that edits it."""
        path = f"/api/manageDID/{self.token}/{self.key}"
        return path if record_id is None else f"{path}/{record_id}"

    def connect(self, timeout: float = _ADMIN_LIMIT) -> http.client.HTTPConnection:
        """A fresh connection, which trusts the simulator's own authority where it has one.

        Goes past any proxy that the environment names.
        """
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_path)
            return http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def _ask(self, method: str, route: str, body: Any = None) -> Any:
        connection = self.connect()
        try:
            data = None if body is None else json.dumps(body).encode("utf-8")
            connection.request(method, f"/_simulator{route}", data)
            answer = connection.getresponse()
            value = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise SimulatorError(value["error"])
        return value


def _ready(process: subprocess.Popen[str], errors: IO[str]) -> dict[str, Any]:
    """Wait for the ready line. Raises SimulatorError if there is none in time."""
    assert process.stdout is not None
    until = time.monotonic() + _START_LIMIT
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise SimulatorError(f"no simulator after {_START_LIMIT} seconds")
            # The descriptor itself: a buffered read could hold back what select() waits for.
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                errors.seek(0)
                raise SimulatorError(f"the simulator did not start: {errors.read().strip()}")
            line += chunk
    return dict(json.loads(line))


def _end(process: subprocess.Popen[str]) -> int:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode
