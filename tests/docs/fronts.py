# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that the documentation names, played by servers on loopback.

So its examples run with the addresses that are written there, TLS and certificates included, and nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

PLATFORM = "sip.nextbilling.com.br"
DATABASE = "db.example.com"

# PostgreSQL's protocol, "SSL Session Encryption" and "GSSAPI Session Encryption": what a client asks before it says anything else.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
_GSS_REQUEST = bytes.fromhex("0000000804d21630")


class Meeting(NamedTuple):
    """How a conversation goes on: with TLS or without, and what of it has been heard already."""

    tls: bool
    heard: bytes = b""


Greeting = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable["Meeting | None"]]


class Front:
    """Ends TLS in the name of a host, and hands on what it hears to a port on loopback.

    C(greeting) says what is said before that begins; None ends the conversation.
    """

    def __init__(self, context: ssl.SSLContext, behind: int, greeting: Greeting) -> None:
        self.port = 0
        self._context = context
        self._behind = behind
        self._greeting = greeting
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Let nobody in any more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled at the end, which a server's connections must not report as an error.
        with contextlib.suppress(OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
            if meeting := await self._greeting(reader, writer):
                if meeting.tls:
                    # Of Python 3.11; mypy is told of an older one, as the modules run there.
                    await writer.start_tls(self._context)  # type: ignore[attr-defined]
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._behind)
                far_writer.write(meeting.heard)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


class Hosts:
    """The platform and the database under the names of the documentation.

    C(environment) leads programs there: a proxy that knows the platform alone, and for libpq an address in place of the one that the
    database's name would have. C(refused) are the requests for anything else: a program that would have left this machine.
    """

    def __init__(self, folder: Path, platform: int, database: int) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.authority = folder / "ca.pem"
        self.refused: list[str] = []
        self._platform = Front(_context(authority, PLATFORM), platform, self._meet_client)
        self._database = Front(_context(authority, DATABASE), database, _meet_libpq)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen, both."""
        self._thread.start()
        for front in (self._platform, self._database):
            asyncio.run_coroutine_threadsafe(front.start(), self._loop).result()

    def stop(self) -> None:
        """End it."""

        async def end() -> None:
            self._platform.stop()
            self._database.stop()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead a program here."""
        proxy = f"http://127.0.0.1:{self._platform.port}"
        return {
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), proxy),
            "REQUESTS_CA_BUNDLE": str(self.authority),
            "PGHOSTADDR": "127.0.0.1",
            "PGPORT": str(self._database.port),
            "PGSSLROOTCERT": str(self.authority),
        }

    async def _meet_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Meeting | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").partition("\r\n")[0]
        if head.split()[:2] == ["CONNECT", f"{PLATFORM}:443"]:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            return Meeting(tls=True)
        self.refused.append(head)
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        return None


async def _meet_libpq(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Meeting | None:
    asked = await reader.readexactly(len(_SSL_REQUEST))
    if asked == _GSS_REQUEST:
        writer.write(b"N")
        asked = await reader.readexactly(len(_SSL_REQUEST))
    if asked == _SSL_REQUEST:
        writer.write(b"S")
        return Meeting(tls=True)
    # The programs that come with the tests' PostgreSQL cannot do TLS.
    return Meeting(tls=False, heard=asked)


def _context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@contextlib.contextmanager
def hosts(folder: Path, platform: int, database: int) -> Iterator[Hosts]:
    """The hosts, for as long as the block lasts. C(platform) and C(database) are the ports of what stands behind them."""
    them = Hosts(folder, platform, database)
    them.start()
    try:
        yield them
    finally:
        them.stop()
