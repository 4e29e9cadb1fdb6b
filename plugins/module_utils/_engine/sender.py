# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Sends one request under its claim, in the thread that decides or in threads beside it."""

from __future__ import annotations

import contextlib
import queue
import threading
import typing as t
from collections.abc import Callable

from .._errors import DidError
from .._platform.outcome import APPLIED, NotPermitted, Outcome

if t.TYPE_CHECKING:  # pragma: no cover
    from .._platform.client import Client
    from .._registry.journal import Journal


class Request(t.NamedTuple):
    """A request and the token of its claim. C(record_id): the record to edit, None to create one."""

    token: str
    record_id: int | None
    body: bytes


class SendFailure(t.NamedTuple):
    """A request that ended in an exception. C(bytes_sent): whether a byte of it may have been written."""

    error: BaseException
    bytes_sent: bool

    @property
    def may_be_applied(self) -> bool:
        """Tell whether the platform may have applied it."""
        return self.bytes_sent


SendResult = t.Union[Outcome, SendFailure]


def is_applied(answer: SendResult) -> bool:
    """Tell whether the platform has applied a request."""
    return isinstance(answer, Outcome) and answer.state == APPLIED


def send(request: Request, client: Client, journal: Journal) -> SendResult:
    """Send one request, if its claim still holds. Any thread may call this; nothing is raised."""
    failures: list[DidError] = []

    def before_send(seconds: float) -> None:
        # Just before the first byte: a runner that was held up must not send under a claim that has ended.
        try:
            valid = journal.is_claim_valid(request.token, seconds)
        except DidError as error:
            failures.append(error)
            valid = False
        if not valid:
            raise NotPermitted

    try:
        if request.record_id is None:
            outcome = client.create(request.body, before_send)
        else:
            outcome = client.edit(request.record_id, request.body, before_send)
    # The deciding thread raises it again.
    except BaseException as error:  # pylint: disable=broad-exception-caught
        return SendFailure(error, client.bytes_sent)
    return SendFailure(failures[0], bytes_sent=False) if failures else outcome


class InlineSender:
    """Sends one request at a time, in the thread that decides. Answers come with the token of their claim."""

    def __init__(self, make_client: Callable[[], Client], journal: Journal) -> None:
        self._client = make_client()
        self._journal = journal
        self._answers: list[tuple[str, SendResult]] = []

    def start(self, request: Request) -> None:
        """Begin a request."""
        self._answers.append((request.token, send(request, self._client, self._journal)))

    def answers(self, timeout: float | None) -> list[tuple[str, SendResult]]:
        """Return the answers that have come; if none has, wait for the first, for at most so many seconds."""
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """End once all answers have come."""
        self._client.close()

    def abandon(self) -> None:
        """End without waiting for anything."""
        self.close()


class ThreadedSender:
    """As C(InlineSender), but sends several requests at once, each in a thread with a client of its own."""

    def __init__(self, make_client: Callable[[], Client], journal: Journal, highest: int) -> None:
        # Clients are made here, as that imports modules. Ansible sends modules as a zip, and before Python 3.10 imports from a zip take
        # no lock: one thread could meet a module that another has read only in part.
        self._clients = [make_client() for _each in range(highest)]
        self._journal = journal
        self._in_flight = 0
        self._threads: list[threading.Thread] = []
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[str, SendResult]] = queue.SimpleQueue()

    def start(self, request: Request) -> None:
        self._in_flight += 1
        self._requests.put(request)
        if len(self._threads) < min(self._in_flight, len(self._clients)):
            client = self._clients[len(self._threads)]
            thread = threading.Thread(target=self._serve, args=[client], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: Client) -> None:
        while True:
            request = self._requests.get()
            if request is None:
                break
            self._answers.put((request.token, send(request, client, self._journal)))
        client.close()

    def answers(self, timeout: float | None) -> list[tuple[str, SendResult]]:
        found: list[tuple[str, SendResult]] = []
        with contextlib.suppress(queue.Empty):
            if self._in_flight:
                found.append(self._answers.get(timeout=timeout))
            while True:
                found.append(self._answers.get_nowait())
        self._in_flight -= len(found)
        return found

    def close(self) -> None:
        self.abandon()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        for _thread in self._threads:
            self._requests.put(None)
