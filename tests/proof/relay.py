# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay between a run and the platform, in which something may happen while a request is under way."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Happening = Callable[[], None]


class Relay:
    """Passes requests on, one at a time.

    C(after_bytes): what happens when the whole request has left the run, before the platform sees it. C(after_work): what happens
    when the platform has done its work, before the run hears of it. C(drops_request) and C(drops_answer): what is then lost.
    """

    def __init__(self, behind: str) -> None:
        self.behind = urlsplit(behind).netloc
        self.url = ""
        self.forget()

    def forget(self) -> None:
        """Pass on everything, and let nothing happen."""
        self.after_bytes: Happening | None = None
        self.after_work: Happening | None = None
        self.drops_request = self.drops_answer = False
        self.failures: list[BaseException] = []

    def ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Ask the platform."""
        connection = http.client.HTTPConnection(self.behind)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def happen(self, what: Happening | None) -> None:
        """Let something happen. What goes wrong in it is kept for the test, as nobody is there to hear of it."""
        if what is not None:
            try:
                what()
            except BaseException as failure:  # pylint: disable=broad-exception-caught
                self.failures.append(failure)


@contextlib.contextmanager
def relaying(behind: str) -> Iterator[Relay]:
    """Run a relay before the platform at an address."""
    relay = Relay(behind)

    class Handler(BaseHTTPRequestHandler):
        """Takes one request and closes the connection."""

        def _relay(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            relay.happen(relay.after_bytes)
            if relay.drops_request:
                return
            status, answer = relay.ask(self.command, self.path, body)
            relay.happen(relay.after_work)
            if relay.drops_answer:
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST = _relay  # pylint: disable=invalid-name

        def log_message(
            self, format: str, *args: object
        ) -> None:  # pylint: disable=redefined-builtin
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    relay.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
