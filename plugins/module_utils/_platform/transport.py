# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sends bytes to the platform and reads what comes, over connections that are watched."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
import typing as t
from urllib.parse import quote, urlsplit

from .connection import Connection, is_loopback, path
from .transport_errors import ForeignProxy, NotQuiet

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable


class _Route:
    """The way to the platform: what is the same for all requests of a session."""

    def __init__(self, session: t.Any, connection: Connection) -> None:
        import requests

        token, key = quote(connection.api_token, safe=""), quote(connection.api_key, safe="")
        parts = urlsplit(connection.api_url)
        self._path = path(connection, token, key, None)
        url = f"{parts.scheme}://{parts.netloc}{self._path}"
        verify = (connection.ca_path or True) if connection.validate_certs else False
        found = session.merge_environment_settings(url, {}, None, verify, None)
        if parts.scheme == "http" and not connection.allow_http:
            _refuse_foreign_proxy(url, found["proxies"])
        self.settings = {name: found[name] for name in ("verify", "cert", "proxies")}
        self.adapter = session.get_adapter(url)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self._request = session.prepare_request(requests.Request("PUT", url, headers, data=b"{}"))
        self._url = self._request.url
        self._target = self.adapter.request_url(self._request, self.settings["proxies"])

    def path(self, record_id: int | None) -> str:
        """Return the path of a request."""
        return self._path if record_id is None else f"{self._path}/{record_id}"

    def request(self, method: str, record_id: int | None, body: bytes) -> t.Any:
        """Return a request that is ready to be sent. It is the same object for all requests, as one is made after the other."""
        request = self._request
        request.method = method
        request.body = body
        request.headers["Content-Length"] = str(len(body))
        end = "" if record_id is None else f"/{record_id}"
        request.url = self._url + end
        self.adapter.target = self._target + end
        return request


def _refuse_foreign_proxy(url: str, proxies: t.Any) -> None:
    from requests.utils import select_proxy

    proxy = select_proxy(url, proxies)
    if proxy and not is_loopback(urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or ""):
        raise ForeignProxy


class _Wire:
    """Watches one exchange at a time.

    C(bytes_sent): whether a byte of the request has been written. C(received): all that has come since then. C(heard): whether
    something came before that. C(served): how many requests this connection has answered; C(most): how many the server lets it.
    """

    def __init__(self) -> None:
        self.bytes_sent = self.heard = False
        self.received = bytearray()
        self.served = 0
        self.most: int | None = None
        self._sock: t.Any = None
        self._deadline = 0.0
        self._permit: Callable[[float], None] = lambda seconds: None
        self._head: bytes | None = None

    def start(self, timeout: float, permit: Callable[[float], None]) -> None:
        """Begin an exchange. C(timeout): the seconds until its deadline."""
        self.bytes_sent = self.heard = False
        self._head = None
        self._deadline = time.monotonic() + timeout
        self._permit = permit

    def restart(self) -> None:
        """Begin the request anew, of which nothing was written, on another connection."""
        self._head = None

    def remaining(self) -> float:
        """Return the seconds until the deadline, or raise C(TimeoutError)."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the exchange's deadline has passed")
        return seconds

    def write(self, sock: t.Any, data: bytes) -> None:
        """Write to the platform, after the permit and within the deadline.

        A request comes in two pieces, its head and then its body, as none is without a body. They leave together: that is
        one packet in place of two, and no server waits between them.
        """
        if self._head is None:
            self._head = bytes(data)
            return
        data, self._head = self._head + data, b""
        if not self.bytes_sent:
            self._look(sock)
        rest = memoryview(data)
        while rest:
            sock.settimeout(self.remaining())
            first, self.bytes_sent = not self.bytes_sent, True
            try:
                sent = sock.send(rest)
            except OSError as error:
                # Nothing was taken, if this was the first write; but a part of a TLS record may be out.
                self.bytes_sent = not first or not _is_plain(sock)
                if not self.bytes_sent and isinstance(error, ConnectionError):
                    raise NotQuiet from None
                raise
            rest = rest[sent:]

    def _look(self, sock: t.Any) -> None:
        """Look for the last time whether the request may be sent, and whether the connection is quiet.

        What comes before a request is the answer to none, or to the one before it. Raises C(NotQuiet).
        """
        if sock is not self._sock:
            self._sock, self.served, self.most = sock, 0, None
        self._permit(self.remaining())
        self.received.clear()
        sock.settimeout(0)
        try:
            found = sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            # With TLS there may be something to read on the socket that is no data, such as tickets for a next session.
            return
        except OSError:
            raise NotQuiet from None
        self.heard = found != b""
        raise NotQuiet


def _is_plain(sock: t.Any) -> bool:
    return isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket)


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket's file within the exchange's deadline, however slowly the bytes drip in."""

    def __init__(self, raw: t.Any, sock: t.Any, wire: _Wire) -> None:
        self._raw = raw
        self._sock = sock
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        self._sock.settimeout(self._wire.remaining())
        count = self._raw.readinto(buffer)
        if count:
            self._wire.received += buffer[:count]
        return t.cast("int | None", count)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WatchedSocket:
    """A socket whose reading obeys the exchange's deadline; all else is the socket's own."""

    def __init__(self, sock: t.Any, wire: _Wire) -> None:
        self._sock = sock
        self._wire = wire

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._sock, name)

    def makefile(self, mode: str, *_args: t.Any, **_options: t.Any) -> io.BufferedReader:
        return io.BufferedReader(
            _DeadlineReader(self._sock.makefile("rb", buffering=0), self._sock, self._wire)
        )


class _Response(http.client.HTTPResponse):
    """An answer after all interim ones (RFC 9110, 15.2), of which C(http.client) passes over 100 alone."""

    def begin(self) -> None:
        from urllib3.util.response import assert_header_parsing

        super().begin()
        # urllib3 only logs what is wrong with a head, with the URL beside it.
        assert_header_parsing(self.msg)

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]  # not in its stubs
        while 102 <= status < 200:
            http.client.parse_headers(self.fp)
            version, status, reason = super()._read_status()  # type: ignore[misc]  # as above
        return version, status, reason


def _make_session(wire: _Wire) -> t.Any:
    """Return a C(requests.Session) whose connections are watched, and which takes no passwords from .netrc."""
    import requests
    import requests.adapters
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    urllib3.disable_warnings(
        urllib3.exceptions.InsecureRequestWarning
    )  # the module warns in words of its own

    def watched(plain: t.Any) -> t.Any:
        class Watched(plain):  # type: ignore[misc]  # which class it is, is known at run time only
            sock: t.Any
            response_class = _Response
            _connecting = False

            @property
            def is_connected(self) -> bool:
                # Whether it is quiet is looked at directly before the first byte. urllib3 2 looks here too, and takes tickets of
                # TLS for an end.
                return self.sock is not None

            def connect(self) -> None:
                self._connecting = True
                try:
                    super().connect()
                finally:
                    self._connecting = False
                self.sock = _WatchedSocket(self.sock, wire)

            def _tunnel(self) -> None:
                # What a proxy answers must come within the deadline too; TLS is then made on the socket itself.
                plain = self.sock
                self.sock = _WatchedSocket(plain, wire)
                super()._tunnel()
                self.sock = plain

            def send(self, data: t.Any) -> None:
                if self.sock is None:
                    self.connect()
                if self._connecting:
                    super().send(data)  # to the proxy: not yet the request
                else:
                    wire.write(self.sock._sock, data)

        return Watched

    class WatchedHTTPPool(HTTPConnectionPool):
        ConnectionCls = watched(HTTPConnection)

    class WatchedHTTPSPool(HTTPSConnectionPool):
        ConnectionCls = watched(HTTPSConnection)

    pools = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}

    class Adapter(requests.adapters.HTTPAdapter):
        """Sends requests to one platform, and returns the answers of C(urllib3) as they are: C(requests) would add cookies."""

        target = ""  # what the next request's first line names
        _pool: t.Any = None

        def get_connection_with_tls_context(self, *args: t.Any, **options: t.Any) -> t.Any:
            # All requests of a session go one way, so it is looked for once.
            if self._pool is None:
                self._pool = super().get_connection_with_tls_context(*args, **options)
            return self._pool

        def request_url(self, request: t.Any, proxies: t.Any) -> t.Any:
            return self.target or super().request_url(request, proxies)

        def build_response(self, req: t.Any, resp: t.Any) -> t.Any:
            return resp

        def close(self) -> None:
            self._pool = None
            super().close()

        def init_poolmanager(self, *args: t.Any, **options: t.Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: t.Any, **options: t.Any) -> t.Any:
            manager = super().proxy_manager_for(*args, **options)
            manager.pool_classes_by_scheme = pools
            return manager

    session = requests.Session()
    session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": "nextbilling.did"})
    session.auth = (
        lambda request: request
    )  # requests looks into .netrc only where no authentication is set
    session.mount("http://", Adapter(max_retries=0))
    session.mount("https://", Adapter(max_retries=0))
    return session
