# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The platform's one endpoint, C(manageDID), by HTTP. Knows nothing of Ansible and nothing of the registry.

Each request ends in one of three outcomes, returned and never raised: applied, certainly not applied, or unknown. Exceptions of
C(requests) carry the URL, and with it the API token and key: none of them leaves this file.
"""

from __future__ import annotations

import time
import typing as t

from .._secrets import SecretIndex
from .connection import Connection
from .outcome import APPLIED, NOT_APPLIED, UNKNOWN, Outcome
from .responses import ANSWER_LIMIT, FOLLOWED, Answer, Asked, judge, read_answer
from .transport import _make_session, _Route, _Wire
from .transport_errors import NotQuiet, explain

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterable

_IDLE_LIMIT = 1.0


class Shared:
    """What all clients of a run share.

    C(keeps_connections): whether a connection may serve more than one request. It may not once a request was lost on one that
    had, or something came on one that was no answer: where that happens once, it happens again.

    :param secrets: all of the run. What the platform says of one DID must not hold another's.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = SecretIndex(secrets)
        self.keeps_connections = True


class Platform:
    """A client of one platform, for one thread. It keeps its connection between requests, where that is safe."""

    def __init__(self, connection: Connection, shared: Shared | None = None) -> None:
        self._connection = connection
        self._shared = shared or Shared((connection.api_token, connection.api_key))
        self._wire = _Wire()
        self._session: t.Any = None
        self._route: _Route | None = None
        self._keep_until = 0.0

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
        return self._wire.bytes_sent

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()

    def _send(
        self,
        method: str,
        record_id: int | None,
        body: bytes,
        before_send: Callable[[float], None],
    ) -> Outcome:
        connection = self._connection
        self._wire.start(connection.timeout, before_send)
        self._open_session()
        answer = None
        try:
            answer = self._exchange(method, record_id, body)
            asked = Asked(connection.api_url, self._path(record_id), record_id)
            outcome = judge(answer, asked, self._shared.secrets.shown)
        except Exception as error:  # pylint: disable=broad-exception-caught  # it may hold the URL
            outcome = self._failed(error)
        self._end_exchange(answer, outcome)
        return outcome

    def _open_session(self) -> None:
        # A connection that lay idle may have been closed by the server just now: a request lost to that would be an unknown one.
        unsafe = time.monotonic() > self._keep_until or not self._shared.keeps_connections
        if self._session is not None and unsafe:
            self._session.close()
        if self._session is None:
            self._session = _make_session(self._wire)

    def _end_exchange(self, answer: Answer | None, outcome: Outcome) -> None:
        """Keep the connection if that is safe. What still comes on it must not be taken for the answer to the next request."""
        wire = self._wire
        lost = wire.bytes_sent and (answer is None or answer.flaw != "")
        followed = answer is not None and answer.flaw == FOLLOWED
        if wire.heard or followed or (lost and wire.served):
            self._shared.keeps_connections = False
        if outcome.state == APPLIED and answer is not None:
            wire.served += 1
            seconds, requests = answer.keeps
            if wire.served == 1:
                wire.most = requests
            if requests != 0 and (wire.most is None or wire.served < wire.most):
                # Half of what the server says: its clock started before ours.
                idle = _IDLE_LIMIT if seconds is None else min(_IDLE_LIMIT, seconds / 2)
                self._keep_until = time.monotonic() + idle
                return
        self._session.close()

    def _exchange(self, method: str, record_id: int | None, body: bytes) -> Answer:
        connection = self._connection
        if self._route is None:
            self._route = _Route(self._session, connection)
        request = self._route.request(method, record_id, body)
        try:
            return self._attempt(request)
        except NotQuiet:
            # Nothing was written, so a new connection takes its place.
            self._session.close()
            self._wire.restart()
            return self._attempt(request)

    def _attempt(self, request: t.Any) -> Answer:
        connection, route = self._connection, t.cast("_Route", self._route)
        # Past the session: its cookies and redirects are not wanted, and what it looks up for each request does not change.
        response = route.adapter.send(
            request,
            stream=True,
            timeout=(min(connection.connect_timeout, connection.timeout), connection.timeout),
            **route.settings,
        )
        answer = None
        try:
            response.read(ANSWER_LIMIT + 1, decode_content=False)
            answer = read_answer(bytes(self._wire.received))
        finally:
            if answer is None or answer.flaw:
                response.close()
        return answer

    def _path(self, record_id: int | None) -> str:
        return t.cast("_Route", self._route).path(record_id)

    def _failed(self, failure: Exception) -> Outcome:
        words, retryable = explain(failure, self._connection, self._wire.bytes_sent)
        if not self._wire.bytes_sent:
            return Outcome(NOT_APPLIED, words, kind="unreachable", retryable=retryable)
        return Outcome(
            UNKNOWN,
            f"the request was written, then {words}",
            kind="unknown_outcome",
            retryable=True,
        )
