# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The platform's one endpoint, C(manageDID), by HTTP. Knows nothing of Ansible and nothing of the registry.

Each request ends in one of three outcomes, returned and never raised: applied, certainly not applied, or unknown. Exceptions of
C(requests) and C(urllib3) carry the URL, and with it the API token and key: none of them leaves this file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .._secrets import SecretIndex
from .connection import Connection
from .http_parser import TRAILING_DATA, Answer
from .outcome import APPLIED, MAYBE_APPLIED, NOT_APPLIED, Outcome
from .responses import SentRequest, interpret
from .transport import Exchange, Transport
from .transport_errors import UnusableConnection, describe

_IDLE_LIMIT = 1.0


class SharedState:
    """What all clients of a run share.

    C(reuse_connections): whether a connection may serve more than one request. It is false once a request was lost on a reused
    connection, or data that is no answer came on one: where that happens once, it happens again.

    :param secrets: all of the run. What the platform says of one DID must not contain a secret of another.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = SecretIndex(secrets)
        self.reuse_connections = True


class Client:
    """A client of one platform, for one thread. It keeps its connection between requests, where that is safe."""

    def __init__(self, connection: Connection, shared: SharedState | None = None) -> None:
        self._connection = connection
        self._shared = shared or SharedState((connection.api_token, connection.api_key))
        self._transport: Transport | None = None
        self._exchange: Exchange | None = None
        self._max_requests: int | None = None
        self._reuse_until = 0.0

    def create(self, body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Send a PUT. C(before_send) as in C(edit)."""
        return self._send("PUT", None, body, before_send)

    def edit(self, record_id: int, body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Send a POST.

        :param before_send: called when the connection stands, directly before the first byte of the request, with the seconds that
            the exchange may still take; it raises C(NotPermitted) to stop it. Called again if another connection must be made.
        """
        return self._send("POST", record_id, body, before_send)

    @property
    def bytes_sent(self) -> bool:
        """Tell whether a byte of the last request was written."""
        return self._exchange is not None and self._exchange.bytes_sent

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def _send(
        self,
        method: str,
        record_id: int | None,
        body: bytes,
        before_send: Callable[[float], None],
    ) -> Outcome:
        exchange = self._exchange = Exchange(self._connection.timeout, before_send)
        # The server may be closing a connection that lay idle. The outcome of a request lost to that would be unknown.
        if time.monotonic() > self._reuse_until or not self._shared.reuse_connections:
            self.close()
        answer = None
        try:
            transport = self._transport = self._transport or Transport(self._connection)
            try:
                answer = transport.send(exchange, method, record_id, body)
            except UnusableConnection:
                # Nothing was written, so a new connection takes its place.
                answer = transport.send(exchange, method, record_id, body)
            request = SentRequest(self._connection.api_url, transport.path(record_id), record_id)
            outcome = interpret(answer, request, self._shared.secrets.sanitize)
        except ImportError:  # a library is broken: that is no state of the network
            self.close()
            raise
        except Exception as error:  # pylint: disable=broad-exception-caught  # it may hold the URL
            outcome = self._failure(error)
        if self._transport is not None:
            self._keep_or_close(self._transport, exchange, answer, outcome)
        return outcome

    def _failure(self, error: Exception) -> Outcome:
        message, retryable = describe(error, self._connection, self.bytes_sent)
        if not self.bytes_sent:
            return Outcome(NOT_APPLIED, message, kind="unreachable", retryable=retryable)
        message = f"the request was written, then {message}"
        return Outcome(MAYBE_APPLIED, message, kind="unknown_outcome", retryable=True)

    def _keep_or_close(
        self, transport: Transport, exchange: Exchange, answer: Answer | None, outcome: Outcome
    ) -> None:
        """Keep the connection if that is safe. Late data on it must not be taken for the answer to the next request."""
        lost = exchange.bytes_sent and (answer is None or answer.problem != "")
        trailing_data = answer is not None and answer.problem == TRAILING_DATA
        if exchange.unexpected_data or trailing_data or (lost and transport.requests_answered):
            self._shared.reuse_connections = False
        if outcome.state == APPLIED and answer is not None:
            transport.requests_answered += 1
            seconds, requests = answer.keep_alive
            if transport.requests_answered == 1:
                self._max_requests = requests
            limit = self._max_requests
            if requests != 0 and (limit is None or transport.requests_answered < limit):
                # Half of what the server says: its clock started before ours.
                idle = _IDLE_LIMIT if seconds is None else min(_IDLE_LIMIT, seconds / 2)
                self._reuse_until = time.monotonic() + idle
                return
        transport.close()
