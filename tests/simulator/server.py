# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server: reads requests, keeps the ledger, and hands each request on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import ClientError, web

from . import faults
from .admin import PREFIX, Admin
from .api import BODY_LIMIT, Access, Answer, Refusal, parse_body, refused
from .exchange import Exchange
from .state import Entry, State
from .switches import Values

# How long a stop waits for requests that hang or drip to be let go, in seconds.
_STOP = 0.3
_BACKLOG = 1024


class Simulator:
    """The simulated platform behind one listening socket."""

    def __init__(self, access: Access, start_switches: Values) -> None:
        self._access = access
        self._admin = Admin(start_switches)

    @asynccontextmanager
    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
        """Listen until the context ends; gives the port. Raises OSError if it cannot listen."""
        # The low-level server: no router, no middleware, no log, which doubles its speed.
        # Bodies stay as they came: the platform's own server is not known to unpack any.
        server = web.Server(self._handle, access_log=None, auto_decompress=False)
        runner = web.ServerRunner(server, shutdown_timeout=_STOP)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=_BACKLOG)
            await site.start()
            yield int(runner.addresses[0][1])
        finally:
            self._admin.end()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
            return await self._admin.handle(request)
        # Kept in a variable on purpose: a reset meanwhile is not to be seen by this request.
        state = self._admin.state
        entry = state.see(
            method=request.method,
            path=request.raw_path,
            headers=dict(request.headers),
            remote_port=_remote_port(request),
        )
        alone = state.in_flight == 0
        state.in_flight += 1
        try:
            return await self._answer(request, state, entry, alone)
        finally:
            state.in_flight -= 1

    async def _answer(
        self, request: web.BaseRequest, state: State, entry: Entry, alone: bool
    ) -> web.StreamResponse:
        try:
            body = await _read(request)
        except (ConnectionError, ClientError, web.HTTPException, asyncio.IncompleteReadError):
            return Exchange(request, state, self._access, entry).close("client gone")
        _note_body(entry, body)
        exchange = Exchange(request, state, self._access, entry)
        if not alone and state.switches["simultaneous"] != "allow":
            return exchange.send(_one_at_a_time(state, entry))
        if state.switches["latency_ms"]:
            await exchange.work(state.switches["latency_ms"] / 1000)
        fault = faults.take(state.faults, entry)
        if fault is None:
            return exchange.send(exchange.process())
        entry["fault"] = fault.name
        return await fault.strike(exchange)


def _one_at_a_time(state: State, entry: Entry) -> Answer:
    """The 429 of the vendor's error page: several requests at the same time."""
    answer = refused(state, entry, Refusal(429, "several requests at the same time"))
    if state.switches["simultaneous"] == "refuse_with_retry_after":
        answer.headers["Retry-After"] = str(state.switches["retry_after"])
    return answer


async def _read(request: web.BaseRequest) -> bytes | None:
    """The whole body, or None where it is over the limit (then read, but not kept)."""
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk = await request.content.readany()
        if not chunk:
            break
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
    return b"".join(chunks) if size <= BODY_LIMIT else None


def _note_body(entry: Entry, body: bytes | None) -> None:
    if body is None:
        return
    entry["body"] = body.decode("utf-8", "backslashreplace")
    with suppress(ValueError):
        entry["json"] = parse_body(body)


def _remote_port(request: web.BaseRequest) -> int | None:
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    return int(peer[1]) if peer else None
