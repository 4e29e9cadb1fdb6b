# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulator for all tests of this folder, brought back to the start before each of them."""

from __future__ import annotations

import importlib.util
import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator

FOLDER = Path(__file__).resolve().parents[2] / "simulator"


@dataclass(frozen=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as strict JSON."""
        return json.loads(self.body)


class Caller:
    """A client of the API that adds nothing of its own: what is given is what goes on the wire."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def __call__(
        self,
        method: str,
        fields: Any,
        record_id: int | None = None,
        *,
        path: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send fields (a dict, or the body itself) and return the answer."""
        body = fields if isinstance(fields, (bytes, str)) else json.dumps(fields)
        raw = body.encode("utf-8") if isinstance(body, str) else body
        connection = self.simulator.connect(timeout=10)
        try:
            place = self.simulator.path(record_id) if path is None else path
            connection.request(method, place, raw, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def put(self, fields: Any) -> Reply:
        """Create a DID."""
        return self("PUT", fields)

    def post(self, record_id: int, fields: Any) -> Reply:
        """Edit a DID."""
        return self("POST", fields, record_id)

    def raw(self, fields: Any, *, timeout: float = 10) -> bytes:
        """Send a PUT over a bare socket; return all bytes until the server ends the connection.

        Raises ConnectionResetError for RST, TimeoutError, ssl.SSLError.
        """
        with self.open() as sock:
            sock.settimeout(timeout)
            sock.sendall(self.request(fields))
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def open(self) -> socket.socket:
        """A connection to the simulator, in TLS where it speaks TLS."""
        parts = urlsplit(self.simulator.url)
        sock = socket.create_connection((parts.hostname, parts.port or 80), timeout=10)
        if parts.scheme == "http":
            return sock
        context = ssl.create_default_context(cafile=self.simulator.ca_path)
        return context.wrap_socket(sock, server_hostname=parts.hostname)

    def request(self, fields: Any) -> bytes:
        """A PUT as bytes of HTTP/1.1 on a connection that may be kept."""
        body = json.dumps(fields).encode("utf-8")
        lines = [f"PUT {self.simulator.path()} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


@pytest.fixture(name="folder", scope="session")
def _folder() -> Path:
    """The simulator's folder."""
    return FOLDER


@pytest.fixture(name="client", scope="session")
def _client() -> ModuleType:
    """The module client.py, imported as a plain file."""
    spec = importlib.util.spec_from_file_location("simulator_client", FOLDER / "client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="running", scope="session")
def _running(client: ModuleType) -> Iterator[Simulator]:
    """A simulator."""
    with client.Simulator.start() as simulator:
        yield simulator


@pytest.fixture(name="running_tls", scope="session")
def _running_tls(client: ModuleType) -> Iterator[Simulator]:
    """A simulator that speaks HTTPS."""
    with client.Simulator.start(tls=True) as simulator:
        yield simulator


@pytest.fixture(name="sim")
def _sim(running: Simulator) -> Simulator:
    """The simulator, as after a start."""
    running.reset()
    return running


@pytest.fixture(name="tls_sim")
def _tls_sim(running_tls: Simulator) -> Simulator:
    """The simulator that speaks HTTPS, as after a start."""
    running_tls.reset()
    return running_tls


@pytest.fixture(name="caller")
def _caller() -> Callable[[Simulator], Caller]:
    """Makes a client of the API for a simulator."""
    return Caller


@pytest.fixture(name="call")
def _call(sim: Simulator) -> Caller:
    """A client of the API."""
    return Caller(sim)
