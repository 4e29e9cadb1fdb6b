# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What kept a request from being answered, as messages of our own.

Exceptions of C(requests), C(urllib3) and C(ssl) hold the URL, and with it token and key, or what a server wrote. So their text is
never shown: they are told apart by class, number and code, each of which has a message here.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from .connection import Connection
from .outcome import NotPermitted


class InvalidProxy(ValueError):
    """The environment names a proxy without a host."""


class RemoteProxy(Exception):
    """Plain HTTP for this machine would leave it through a proxy."""


class SocksProxy(Exception):
    """The environment names a SOCKS proxy."""


class MissingCertificates(Exception):
    """There is no file or folder of certificates where the task or the environment names one."""


class UnusableConnection(Exception):
    """Data, or an end, has come on a connection before anything of the request was written."""


# What exceptions of this package mean, and whether a retry may succeed.
_OWN: Mapping[type[BaseException], tuple[str, bool]] = {
    NotPermitted: ("the claim on this DID had ended", True),
    UnusableConnection: (
        "the connection was closed, or data came on it, before the request was written",
        True,
    ),
    RemoteProxy: (
        "a proxy on another machine is set for http://, so token and key would leave this machine readable",
        False,
    ),
    SocksProxy: (
        "the environment names a SOCKS proxy (all_proxy, https_proxy or http_proxy), and only HTTP proxies are supported: name an HTTP proxy,"
        " or except the platform's host by no_proxy",
        False,
    ),
    MissingCertificates: (
        "the certificates of ca_path, or of what the environment names for it, cannot be read",
        False,
    ),
}
_HTTP: Mapping[type[BaseException], str] = {
    http.client.RemoteDisconnected: "the connection was closed without an answer",
    http.client.IncompleteRead: "the answer broke off before its end",
    http.client.HTTPException: "what came is no answer by the rules of HTTP",
}
# X509_V_ERR_… of OpenSSL.
_OTHER_HOST = 62
_UNTRUSTED = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is signed by itself",
    19: "its chain ends in an authority that is not known here",
    20: "its authority is not known here",
    21: "its authority is not known here",
    23: "it has been revoked",
    _OTHER_HOST: "it is for another host name",
    64: "it is for another IP address",
}
# ERR_reason of OpenSSL, as ssl.SSLError.reason names it.
_TLS = {
    "HTTP_REQUEST": "there is plain HTTP at this port",
    "NO_CERTIFICATE_OR_CRL_FOUND": "ca_path, or the file that the environment names for it, holds no certificate",
    "NO_PROTOCOLS_AVAILABLE": "no version of TLS is allowed on both sides",
    "RECORD_LAYER_FAILURE": "what came is no TLS",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the two sides have no cipher in common, or a certificate of the client is asked for",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "a certificate of the client is asked for",
    "TLSV1_ALERT_PROTOCOL_VERSION": "no version of TLS is allowed on both sides",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know this host name",
    "UNEXPECTED_EOF_WHILE_READING": "the connection was closed within TLS",
    "UNSUPPORTED_PROTOCOL": "no version of TLS is allowed on both sides",
    "WRONG_VERSION_NUMBER": "what came is no TLS",
}
_ERRORS = {
    errno.ECONNABORTED: "it was broken off",
    errno.ECONNREFUSED: "it was refused",
    errno.ECONNRESET: "it was reset",
    errno.EHOSTUNREACH: "there is no route to the host",
    errno.EMFILE: "too many files are open",
    errno.ENETUNREACH: "there is no route to the network",
    errno.EPIPE: "it was closed",
    errno.ETIMEDOUT: "the host does not answer",
}


def describe(error: BaseException, connection: Connection, bytes_sent: bool) -> tuple[str, bool]:
    """Return what went wrong, and whether a retry may succeed. C(bytes_sent): whether a byte of the request was written."""
    chain = list(_chain(error))
    message, retryable = _cause(chain, connection, bytes_sent)
    if any(type(link).__name__ == "ProxyError" for link in chain):
        message = f"no connection through the proxy: {message}"
    return message, retryable


def _cause(
    chain: Sequence[BaseException], connection: Connection, bytes_sent: bool
) -> tuple[str, bool]:
    def find(*kinds: type[BaseException]) -> t.Any:
        return next((link for link in chain if isinstance(link, kinds)), None)

    for kind, described in _OWN.items():
        if find(kind):
            return described
    untrusted = find(ssl.SSLCertVerificationError)
    if untrusted is not None:
        return _untrusted(untrusted.verify_code), False
    if any(type(link).__name__ == "CertificateError" for link in chain):
        return _untrusted(_OTHER_HOST), False  # as urllib3 1 has it, which compares names itself
    failed_tls = find(ssl.SSLError)
    if failed_tls is not None:
        reason = _TLS.get(failed_tls.reason or "")
        return f"TLS failed{f': {reason}' if reason else ''}", True
    if find(socket.gaierror):
        return "the host name could not be resolved", True
    if find(socket.timeout, TimeoutError) or any(
        "Timeout" in type(link).__name__ for link in chain
    ):
        limit = (
            f"timeout: {connection.timeout:g} s"
            if bytes_sent
            else f"connect_timeout: {connection.connect_timeout:g} s"
        )
        return f"the time ran out ({limit})", True
    for kind, message in _HTTP.items():
        if find(kind):
            return message, True
    return _system_cause(chain, bytes_sent)


def _untrusted(code: int) -> str:
    return (
        f"the platform's certificate is not trusted: {_UNTRUSTED.get(code, f'OpenSSL calls it code {code:d}')}. If it comes from"
        " an authority of your own, name that authority's certificate with ca_path"
    )


def _system_cause(chain: Sequence[BaseException], bytes_sent: bool) -> tuple[str, bool]:
    numbers = [
        link.errno for link in chain if isinstance(link, OSError) and isinstance(link.errno, int)
    ]
    if numbers:
        number = numbers[-1]
        name = errno.errorcode.get(number, "an unknown error of the system")
        return f"the connection failed: {_ERRORS.get(number, name)}", True
    if bytes_sent:
        return "the connection failed", True
    # As http.client raises it for what a proxy answers to CONNECT.
    if any(type(link) is OSError for link in chain):  # pylint: disable=unidiomatic-typecheck
        return "it refused the tunnel", True
    # requests and urllib3 raise ValueErrors for an address.
    if any(isinstance(link, ValueError) for link in chain):
        return (
            "api_url, or a proxy that the environment names, is no address that can be used",
            False,
        )
    return "no connection could be made", True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes: __cause__, __context__, and those that requests and urllib3 keep as arguments."""
    seen: set[int] = set()
    queue: list[t.Any] = [error]
    while queue:
        link = queue.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        queue.extend([link.__cause__, link.__context__, getattr(link, "reason", None), *link.args])
