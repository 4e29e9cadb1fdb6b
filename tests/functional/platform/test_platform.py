# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client on its connections, against servers that do what they should not."""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.nextbilling.did.plugins.module_utils._platform.client import (
    Client,
    SharedState,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import Connection
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import (
    NotPermitted,
    Outcome,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.transport import Exchange
from ansible_collections.nextbilling.did.plugins.module_utils._platform.transport_errors import (
    UnusableConnection,
)

TOKEN, KEY = "tkn-5b0e61f0-4f83-9990", "key-8d9c8f7a-2b6e-8629"


def answer(record_id: int, *headers: str, version: str = "1.1") -> bytes:
    """Return the documented answer to a create."""
    body = f'{{"error":0,"reason":"OK","new_record":{record_id}}}'
    lines = [f"HTTP/{version} 200 OK", *headers, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


class Server:
    """A platform: what it does on each connection is for a test to say. Ids are given in the order of requests."""

    def __init__(self, handle: Callable[[Server, socket.socket], None], tls: Path | None) -> None:
        self.connections: list[socket.socket] = []
        self.requests: list[tuple[int, bytes]] = []
        self._handle = handle
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(tls))
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        ca_path = None if tls is None else str(tls)
        self.connection = Connection(self.url, TOKEN, KEY, ca_path=ca_path, timeout=10)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._meet, args=[connection], daemon=True).start()

    def _meet(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self.connections.append(connection)
            with connection:
                self._handle(self, connection)

    def request(self, connection: socket.socket) -> int | None:
        """Read a request and return its number; None where the connection ended."""
        received = b""
        while not received.endswith(b"}"):
            more = connection.recv(65536)
            if not more:
                return None
            received += more
        self.requests.append((self.connections.index(connection), received))
        return len(self.requests)

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


Serve = Callable[[Callable[[Server, socket.socket], None]], Server]


@pytest.fixture(name="serve", params=["plain", "tls"])
def _serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server, without TLS and with it."""
    with contextlib.ExitStack() as servers:

        def start(handle: Callable[[Server, socket.socket], None]) -> Server:
            server = Server(handle, None if request.param == "plain" else tmp_path / "ca.pem")
            servers.callback(server.close)
            return server

        yield start


def create(client: Client, before_send: Callable[[float], None] = lambda seconds: None) -> Outcome:
    return client.create(b'{"did_number": "1166"}', before_send)


def answer_one(server: Server, connection: socket.socket, *headers: str) -> int | None:
    """Answer a request, if one comes, and return its number."""
    number = server.request(connection)
    if number is not None:
        connection.sendall(answer(number, *headers))
    return number


def answer_all(server: Server, connection: socket.socket, *headers: str) -> None:
    """Answer as a good server does."""
    while answer_one(server, connection, *headers):
        pass


class Meanwhile:
    """Has a server do something while a request is about to be written: directly before its first byte."""

    def __init__(self) -> None:
        self._go, self._done = threading.Event(), threading.Event()
        self.asked = 0

    def before_send(self, seconds: float) -> None:
        """Be called before a request is sent."""
        self.asked += 1
        self._go.set()
        assert self._done.wait(10)
        time.sleep(0.05)  # until it has come

    def wait(self) -> None:
        """Wait for the moment."""
        assert self._go.wait(10)

    def done(self) -> None:
        """It is done."""
        self._done.set()


def test_a_connection_serves_many_requests(serve: Serve) -> None:
    """With TLS 1.3 too, whose tickets for a next session are something to read, and no data."""
    server = serve(answer_all)
    with contextlib.closing(Client(server.connection)) as client:
        assert [create(client).record_id for _each in range(5)] == [1, 2, 3, 4, 5]
    assert len(server.connections) == 1


@pytest.mark.parametrize("serve", ["tls"], indirect=True)
@pytest.mark.filterwarnings("error")
def test_urllib3_does_not_warn_where_certificates_are_not_validated(serve: Serve) -> None:
    """The module does, in words of its own."""
    server = serve(answer_all)
    connection = server.connection._replace(validate_certs=False, ca_path=None)
    with contextlib.closing(Client(connection)) as client:
        assert [create(client).record_id for _each in range(2)] == [1, 2]


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(serve: Serve) -> None:
    meanwhile = Meanwhile()

    def twice(server: Server, connection: socket.socket) -> None:
        if answer_one(server, connection) == 1:
            meanwhile.wait()
            connection.sendall(answer(999))
            meanwhile.done()
        answer_all(server, connection)

    server = serve(twice)
    shared = SharedState()
    with contextlib.closing(Client(server.connection, shared)) as client:
        assert create(client).record_id == 1
        assert create(client, meanwhile.before_send).record_id == 2
        # The claim is looked at again, as a connection takes time.
        assert meanwhile.asked == 2
        # A server that has done so may do it again, and then a little later.
        assert create(client).record_id == 3
    assert [connection for connection, _request in server.requests] == [0, 1, 2]
    with contextlib.closing(Client(server.connection, shared)) as other:
        assert [create(other).record_id for _each in range(2)] == [4, 5]
    assert len(server.connections) == 5


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_ends_before_the_first_byte_is_replaced(
    serve: Serve, reset: bool
) -> None:
    meanwhile = Meanwhile()

    def leave(server: Server, connection: socket.socket) -> None:
        if len(server.connections) > 1:
            answer_all(server, connection)
            return
        answer_one(server, connection)
        meanwhile.wait()
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        meanwhile.done()

    server = serve(leave)
    with contextlib.closing(Client(server.connection)) as client:
        assert create(client).record_id == 1
        assert create(client, meanwhile.before_send).record_id == 2
        # That is no loss: the next connection is kept.
        assert [create(client).record_id for _each in range(3)] == [3, 4, 5]
    assert len(server.connections) == 2


def test_a_claim_that_ends_before_a_new_connection_stands(serve: Serve) -> None:
    meanwhile = Meanwhile()

    def leave(server: Server, connection: socket.socket) -> None:
        answer_one(server, connection)
        meanwhile.wait()
        connection.close()
        meanwhile.done()

    def once(seconds: float) -> None:
        if meanwhile.asked:
            raise NotPermitted
        meanwhile.before_send(seconds)

    server = serve(leave)
    with contextlib.closing(Client(server.connection)) as client:
        assert create(client).record_id == 1
        stopped = create(client, once)
    assert (stopped.kind, "claim" in stopped.message) == ("unreachable", True)
    assert len(server.requests) == 1


def test_two_answers_at_once_are_none(serve: Serve) -> None:
    def twice(server: Server, connection: socket.socket) -> None:
        while (number := server.request(connection)) is not None:
            connection.sendall(answer(number) + (answer(999) if number == 1 else b""))

    server = serve(twice)
    with contextlib.closing(Client(server.connection)) as client:
        outcome = create(client)
        assert (outcome.state, outcome.record_id) == ("unknown", 1)
        assert [create(client).record_id for _each in range(2)] == [2, 3]
    assert len(server.connections) == 3


@pytest.mark.parametrize("greeting", [answer(999), b"HTTP/1.1 408 Timeout\r\n\r\n", b"\0", b""])
def test_what_comes_on_a_new_connection_is_no_answer(serve: Serve, greeting: bytes) -> None:
    greeted: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def greet(server: Server, connection: socket.socket) -> None:
        connection.sendall(greeting)
        if not greeting:
            connection.close()
        greeted.put(True)
        if greeting:
            server.request(connection)

    server = serve(greet)

    def late(seconds: float) -> None:
        greeted.get(timeout=10)
        time.sleep(0.05)  # until it has come

    with contextlib.closing(Client(server.connection)) as client:
        outcome = create(client, late)
    assert (outcome.state, outcome.kind, outcome.retryable) == ("not_applied", "unreachable", True)
    assert "before the request was written" in outcome.message
    assert (server.requests, len(server.connections)) == ([], 2)


@pytest.mark.parametrize("loss", ["closed", "reset", "cut", "silent"])
def test_after_a_loss_on_a_kept_connection_none_is_kept(serve: Serve, loss: str) -> None:
    def lose(server: Server, connection: socket.socket) -> None:
        served = 0
        while (number := server.request(connection)) is not None:
            served += 1
            if served < 3:
                connection.sendall(answer(number))
                continue
            if loss == "silent":
                server.request(connection)
            if loss == "cut":
                connection.sendall(answer(number)[:-5])
            if loss == "reset":
                linger = b"\1\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return

    server = serve(lose)
    connection = server.connection._replace(timeout=0.5)
    shared = SharedState()
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(contextlib.closing(Client(connection, shared))) for _each in "12"
        )
        states = [create(client).state for client in (other, one, one, one, one, other, one, other)]
    assert states == ["applied"] * 3 + ["unknown"] + ["applied"] * 4
    assert [place for place, _request in server.requests] == [0, 1, 1, 1, 2, 3, 4, 5]


def test_a_loss_on_a_new_connection_changes_nothing_else(serve: Serve) -> None:
    def lose_the_first(server: Server, connection: socket.socket) -> None:
        if len(server.connections) > 1:
            answer_all(server, connection)
        else:
            server.request(connection)

    server = serve(lose_the_first)
    with contextlib.closing(Client(server.connection)) as client:
        assert [create(client).record_id for _each in range(4)] == [None, 2, 3, 4]
    assert len(server.connections) == 2


def test_a_server_that_closes_its_connections_without_a_word(serve: Serve) -> None:
    """At any moment after an answer: what is lost is one request for each client."""

    def close_soon(server: Server, connection: socket.socket) -> None:
        time.sleep((answer_one(server, connection) or 0) % 7 / 2000)

    server = serve(close_soon)
    shared = SharedState()
    outcomes: list[Outcome] = []
    pauses = itertools.cycle(range(5))

    def pause(seconds: float) -> None:
        time.sleep(next(pauses) / 2000)

    def work() -> None:
        with contextlib.closing(Client(server.connection, shared)) as client:
            outcomes.extend(create(client, pause) for _each in range(50))

    threads = [threading.Thread(target=work) for _each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [outcome.state for outcome in outcomes]
    assert len(states) == 100 and set(states) <= {"applied", "unknown"}
    assert states.count("unknown") <= 2


@pytest.mark.parametrize(
    ("headers", "connections"),
    [
        (["Keep-Alive: timeout=5, max=2"], 3),
        (["Keep-Alive: max=1"], 6),
        (["Keep-Alive: max=0"], 6),
        (["Keep-Alive: timeout=0"], 6),
        (["Keep-Alive: timeout=100, max=100"], 1),
        (["Connection: close"], 6),
        (["Connection: keep-alive", "Connection: close"], 6),
        (["X: y\r\nConnection: Keep-Alive, Close"], 6),
    ],
    ids=str,
)
def test_what_a_server_says_of_its_connections_is_heeded(
    serve: Serve, headers: list[str], connections: int
) -> None:
    server = serve(lambda server, connection: answer_all(server, connection, *headers))
    with contextlib.closing(Client(server.connection)) as client:
        assert [create(client).record_id for _each in range(6)] == [1, 2, 3, 4, 5, 6]
    assert len(server.connections) == connections


def test_a_server_of_http_1_0(serve: Serve) -> None:
    def answer_old(server: Server, connection: socket.socket) -> None:
        while (number := server.request(connection)) is not None:
            connection.sendall(answer(number, "Connection: keep-alive", version="1.0"))

    server = serve(answer_old)
    with contextlib.closing(Client(server.connection)) as client:
        assert [create(client).record_id for _each in range(3)] == [1, 2, 3]
    assert len(server.connections) == 3


def test_interim_answers_are_passed_over(serve: Serve) -> None:
    def answer_slowly(server: Server, connection: socket.socket) -> None:
        while (number := server.request(connection)) is not None:
            for interim in ("100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>"):
                connection.sendall(f"HTTP/1.1 {interim}\r\n\r\n".encode())
                time.sleep(0.01)
            connection.sendall(answer(number))

    server = serve(answer_slowly)
    with contextlib.closing(Client(server.connection)) as client:
        assert [create(client).record_id for _each in range(2)] == [1, 2]
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    "received",
    [
        b"HTTP/1.1 422 X\r\nthis is no header\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 422 X\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 422 X\r\n" + b"A: b\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 422 " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 42 X\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 422 X\r\nContent-Length: 0\r\n\r\n",
        b'{"error":1}',
    ],
    ids=lambda received: received[:30],
)
def test_no_library_logs_the_url_of_an_answer_that_is_none(
    serve: Serve, received: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def garble(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(received)

    server = serve(garble)
    with (
        caplog.at_level(logging.INFO),
        contextlib.closing(Client(server.connection)) as client,
    ):
        outcome = create(client)
    assert outcome.state == "unknown"
    assert TOKEN not in caplog.text and KEY not in caplog.text


def tunnel(connection: socket.socket) -> None:
    """Be a proxy that passes on what it does not understand."""
    with connection:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(65536)
        host, port = head.split()[1].decode().split(":")
        with socket.create_connection((host, int(port))) as platform:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            peers = {connection: platform, platform: connection}
            while True:
                for source in select.select(list(peers), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    peers[source].sendall(data)


@pytest.mark.parametrize("serve", ["tls"], indirect=True)
def test_a_tunnel_whose_other_end_is_closed_is_replaced(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = Meanwhile()

    def leave(server: Server, connection: socket.socket) -> None:
        if len(server.connections) > 1:
            answer_all(server, connection)
            return
        answer_one(server, connection)
        meanwhile.wait()
        connection.sendall(answer(999))
        connection.close()
        meanwhile.done()

    server = serve(leave)
    proxy = socket.create_server(("127.0.0.1", 0))
    tunnels = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                tunnels.append(threading.Thread(target=tunnel, args=[proxy.accept()[0]]))
                tunnels[-1].start()

    thread = threading.Thread(target=accept)
    thread.start()
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
    with contextlib.closing(Client(server.connection)) as client:
        assert create(client).record_id == 1
        assert create(client, meanwhile.before_send).record_id == 2
    assert (len(tunnels), len(server.connections)) == (2, 2)
    proxy.shutdown(socket.SHUT_RDWR)
    proxy.close()
    thread.join()


class _Failing(socket.socket):
    """A socket on which nothing can be written any more, though that was not to be seen."""

    def recv(self, *_arguments: Any) -> bytes:
        raise BlockingIOError

    def send(self, *_arguments: Any) -> int:
        raise ConnectionResetError


class _FailingTls:
    """The same of what is no plain socket: beneath TLS, a part of what was encrypted may be on its way."""

    def __init__(self) -> None:
        self._plain = _Failing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


@pytest.mark.parametrize(
    ("kind", "error", "bytes_sent"),
    [(_Failing, UnusableConnection, False), (_FailingTls, ConnectionResetError, True)],
)
def test_a_first_write_that_fails(kind: Any, error: type[Exception], bytes_sent: bool) -> None:
    exchange = Exchange(10, lambda seconds: None)
    with contextlib.closing(kind()) as sock, pytest.raises(error):
        exchange.write(sock, b"PUT / HTTP/1.1\r\n\r\n{}")
    assert exchange.bytes_sent is bytes_sent
