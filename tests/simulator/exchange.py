# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request and its connection: the ways to answer it, and the ways to break it off."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from .api import Access, Answer, process
from .state import Entry, State

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

# How often a request that is held open looks whether its client is still there, in seconds.
_LOOK = 0.02


class Silence(web.StreamResponse):
    """For aiohttp: nothing is to be written any more; whoever returns this has seen to the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write no head."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write no body."""


class Exchange:
    """A request that was read whole, with all that a fault may do to it."""

    def __init__(
        self,
        request: web.BaseRequest,
        state: State,
        access: Access,
        entry: Entry,
    ) -> None:
        self.state = state
        self.entry = entry
        self._request = request
        self._access = access

    @property
    def path(self) -> str:
        """The request's path as it came, query included."""
        return str(self.entry["path"])

    def process(self) -> Answer:
        """Let the platform carry the request out, and return its answer without sending it."""
        return process(self.state, self._access, self.entry)

    def gone(self) -> bool:
        """Whether the client, or anybody else, has ended the connection."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def work(self, seconds: float) -> None:
        """Take time, as a busy platform does: it does not notice that its client has left."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.state.ended.wait(), seconds)

    async def wait(self, seconds: float) -> bool:
        """Hold the connection open; return False as soon as client, reset or stop end that."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while not self.gone() and not self.state.ended.is_set():
            left = until - clock()
            if left <= 0:
                return True
            await asyncio.sleep(min(_LOOK, left))
        return False

    def send(self, answer: Answer) -> web.StreamResponse:
        """Answer as HTTP should be."""
        if self.gone():
            return self.close("client gone")
        self._done("answered", answer.status)
        response = web.Response(status=answer.status, body=answer.body)
        response.headers.update(answer.headers)
        return response

    async def send_raw(self, data: bytes, status: int | None, pause: float | None = None) -> bool:
        """Write bytes as they are; with ``pause``, one at a time and so many seconds between them.

        Returns False if the client did not stay for all of it.
        """
        pieces = [data] if pause is None else [data[i : i + 1] for i in range(len(data))]
        for piece in pieces:
            transport = self._request.transport
            if isinstance(transport, asyncio.WriteTransport):
                transport.write(piece)
            if self.gone() or (pause is not None and not await self.wait(pause)):
                self._done("client gone", None)
                return False
        self._done("answered", status)
        return True

    def write_beneath(self, data: bytes) -> None:
        """Write to the socket itself, beneath TLS where there is TLS."""
        sock = self._socket()
        if sock is not None:
            os.write(sock.fileno(), data)

    def close(self, done: str | None = "closed") -> Silence:
        """End the connection with FIN (after TLS's goodbye). ``done`` goes into the ledger."""
        if done is not None:
            self._done(done, None)
        protocol = self._request.protocol
        if protocol is not None:
            protocol.force_close()
        return Silence()

    def abort(self, done: str = "aborted") -> Silence:
        """End the connection at once, without TLS's goodbye."""
        self._done(done, None)
        transport = self._request.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        return self.close(done=None)

    def reset(self) -> Silence:
        """End the connection with RST."""
        sock = self._socket()
        if sock is not None:
            # A linger of zero seconds makes close() send RST instead of FIN (socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.abort("reset")

    def _socket(self) -> Any:
        transport = self._request.transport
        return None if transport is None else transport.get_extra_info("socket")

    def _done(self, done: str, status: int | None) -> None:
        self.entry["done"] = done
        self.entry["status"] = status
