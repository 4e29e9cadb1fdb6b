# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sends requests to the platform, and reads what comes, on connections of urllib3 that are watched.

urllib3 is used without the session of requests, which would add cookies, follow redirects and read C(.netrc). What the environment
says of proxies and certificates, and how a URL is normalised, is as requests has it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import ssl
import time
import typing as t
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit

from .connection import Connection, is_loopback, request_path
from .http_parser import ANSWER_LIMIT, Answer, read_answer
from .transport_errors import (
    InvalidProxy,
    MissingCertificates,
    RemoteProxy,
    SocksProxy,
    UnusableConnection,
)

_HEADERS = {
    "User-Agent": "nextbilling.did",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}


class Transport:
    """One connection at a time to one platform, direct or through a proxy. It is opened when it is needed.

    C(requests_answered): how many requests the connection has answered, by the caller's count.
    """

    def __init__(self, connection: Connection) -> None:
        import requests
        import urllib3

        parts = urlsplit(connection.api_url)
        self._path = request_path(
            connection, quote(connection.api_token, safe=""), quote(connection.api_key, safe="")
        )
        prepared = requests.PreparedRequest()
        prepared.prepare_url(f"{parts.scheme}://{parts.netloc}{self._path}", None)
        url = t.cast("str", prepared.url)
        proxy = _find_proxy(url, connection)
        self._target = url if proxy and url.startswith("http:") else prepared.path_url
        manager = urllib3.PoolManager() if proxy is None else _proxy_manager(proxy)
        self._pool: t.Any = manager.connection_from_url(
            url, pool_kwargs=_tls_settings(url, connection)
        )
        self._pool.ConnectionCls = type(
            "WatchedConnection", (_WatchedConnection, self._pool.ConnectionCls), {"transport": self}
        )
        self._options: Mapping[str, t.Any] = {
            "headers": _HEADERS,
            "timeout": urllib3.Timeout(
                connect=min(connection.connect_timeout, connection.timeout), read=connection.timeout
            ),
            "retries": urllib3.Retry(False),
            "redirect": False,
            "assert_same_host": False,  # behind a proxy, the host differs
            "preload_content": False,
            "decode_content": False,
        }
        self._open: t.Any = None
        self.exchange: Exchange | None = None
        self.requests_answered = 0

    def path(self, record_id: int | None) -> str:
        """Return the path of a request."""
        return self._path if record_id is None else f"{self._path}/{record_id}"

    def send(self, exchange: Exchange, method: str, record_id: int | None, body: bytes) -> Answer:
        """Send a request and read its answer. Raises exceptions of urllib3, http.client, socket and ssl, and those of this package."""
        self.exchange = exchange
        target = self._target if record_id is None else f"{self._target}/{record_id}"
        response = self._pool.request(method, target, body=body, **self._options)
        # The pool has the connection back once the whole answer has been read. Else this closes it.
        with contextlib.closing(response):
            response.read(ANSWER_LIMIT + 1, decode_content=False)
        return read_answer(bytes(exchange.received))

    def use(self, connection: t.Any) -> None:
        """Note the connection that is in use from now on."""
        self._open = connection
        self.requests_answered = 0

    def close(self) -> None:
        """Close the connection. The next request opens one."""
        if self._open is not None:
            self._open.close()


def _find_proxy(url: str, connection: Connection) -> str | None:
    """Return the URL of the proxy that the environment names for a URL, or None."""
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
    from urllib3.util import parse_url

    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    proxy = str(prepend_scheme_if_needed(proxy, "http"))
    if proxy.lower().startswith("socks"):
        raise SocksProxy
    host = parse_url(proxy).host
    if not host:
        raise InvalidProxy  # urllib3 would go past it
    if url.startswith("http:") and not connection.allow_http and not is_loopback(host.strip("[]")):
        raise RemoteProxy
    return proxy


def _proxy_manager(proxy: str) -> t.Any:
    from requests.utils import get_auth_from_url
    from urllib3 import ProxyManager
    from urllib3.util import make_headers

    user, password = get_auth_from_url(proxy)
    headers = make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return ProxyManager(proxy, proxy_headers=headers)


def _tls_settings(url: str, connection: Connection) -> dict[str, str]:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    if not connection.validate_certs or url.startswith("http:"):
        return {"cert_reqs": "CERT_NONE"}
    environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    place = connection.ca_path or environment or DEFAULT_CA_BUNDLE_PATH
    if not os.path.exists(place):
        raise MissingCertificates
    return {
        "cert_reqs": "CERT_REQUIRED",
        "ca_cert_dir" if os.path.isdir(place) else "ca_certs": place,
    }


class Exchange:
    """One request and its answer, within one deadline.

    C(bytes_sent): whether a byte of the request has been written. C(received): all that has come since then. C(unexpected_data):
    whether something came before that.
    """

    def __init__(self, timeout: float, before_send: Callable[[float], None]) -> None:
        self.bytes_sent = self.unexpected_data = False
        self.received = bytearray()
        self._deadline = time.monotonic() + timeout
        self._before_send = before_send

    def remaining(self) -> float:
        """Return the seconds until the deadline, or raise C(TimeoutError)."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the exchange's deadline has passed")
        return seconds

    def write(self, sock: t.Any, request: bytes) -> None:
        """Write a request, after the caller's last look. Raises C(UnusableConnection) if nothing of it was written."""
        self._before_send(self.remaining())
        self.received.clear()  # what a proxy answered to CONNECT
        self._check_silence(sock)
        rest = memoryview(request)
        while rest:
            sock.settimeout(self.remaining())
            first, self.bytes_sent = not self.bytes_sent, True
            try:
                sent = sock.send(rest)
            except OSError as error:
                # Nothing was taken, if this was the first write; but a part of a TLS record may be out.
                self.bytes_sent = not first or not _is_plain(sock)
                if not self.bytes_sent and isinstance(error, ConnectionError):
                    raise UnusableConnection from None
                raise
            rest = rest[sent:]

    def _check_silence(self, sock: t.Any) -> None:
        """Raise C(UnusableConnection) if data came before the request: it answers no request, or the one before."""
        sock.settimeout(0)
        try:
            found = sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            # With TLS there may be something to read on the socket that is no data, such as tickets for a next session.
            return
        except OSError:
            raise UnusableConnection from None
        self.unexpected_data = found != b""
        raise UnusableConnection


def _is_plain(sock: t.Any) -> bool:
    return isinstance(sock, socket.socket) and not isinstance(sock, ssl.SSLSocket)


class _WatchedConnection(http.client.HTTPConnection):
    """Mixed into urllib3's connections: the exchange writes the request, and sets the deadline for what is read."""

    transport: Transport
    is_verified = False
    _connecting = False
    _head: bytes | None = None

    @property
    def is_connected(self) -> bool:
        # The exchange looks for data directly before the first byte. urllib3 2 looks here too, and takes tickets of TLS for an end.
        return self.sock is not None

    def connect(self) -> None:
        self._head, self._connecting = None, True
        try:
            super().connect()
        finally:
            self._connecting = False
        self.is_verified = True  # else urllib3 warns; the module warns in words of its own
        self.transport.use(self)

    def send(self, data: t.Any) -> None:
        if self.sock is None:
            self.connect()
        if self._connecting:
            super().send(data)  # to the proxy: not yet the request
        elif self._head is None:
            # A request comes in two pieces, its head and its body. They leave together: that is one packet in place of two, and no
            # server waits between them.
            self._head = bytes(data)
        else:
            request, self._head = self._head + data, None
            t.cast("Exchange", self.transport.exchange).write(self.sock, request)

    def response_class(self, sock: t.Any, **options: t.Any) -> _Response:  # type: ignore[override]  # is called alike
        # Also for what a proxy answers to CONNECT.
        return _Response(sock, t.cast("Exchange", self.transport.exchange), **options)


class _Response(http.client.HTTPResponse):
    """An answer after all interim ones (RFC 9110, 15.2), of which C(http.client) passes over 100 alone."""

    def __init__(self, sock: t.Any, exchange: Exchange, **options: t.Any) -> None:
        super().__init__(sock, **options)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, sock, exchange))

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


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket's file within the exchange's deadline, however slowly the bytes drip in."""

    def __init__(self, raw: t.Any, sock: t.Any, exchange: Exchange) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        self._sock.settimeout(self._exchange.remaining())
        count = self._raw.readinto(buffer)
        if count:
            self._exchange.received += buffer[:count]
        return t.cast("int | None", count)

    def close(self) -> None:
        self._raw.close()
        super().close()
