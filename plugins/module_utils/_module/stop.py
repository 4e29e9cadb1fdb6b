# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""Whether a run is to stop: a signal has come, or nobody is left who waits for its result."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import typing as t
from collections.abc import Callable, Iterator

from .._errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# How long a wait may go on after the run is to stop, in seconds.
_LONGEST_NAP = 0.2


class Stop:
    """Whether a run is to stop, and waits that end when it is.

    :param is_abandoned: returns whether nobody waits for the result any more.
    :param deliver: whether the first signal is delivered again once the work is done. A module does not need this: it ends with its result.
    """

    def __init__(self, is_abandoned: Callable[[], bool], *, deliver: bool) -> None:
        self._is_abandoned = is_abandoned
        self._deliver = deliver
        self._received: int | None = None
        self._previous: dict[int, t.Any] = {}

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until the run is to stop."""
        # No threading.Event: a handler that sets one while its own thread is about to wait for it would block for ever.
        end = time.monotonic() + seconds
        while self.reason() is None:
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LONGEST_NAP))

    def wait_for_runs(self, seconds: float) -> None:
        """Wait for so many seconds for other runs, before anything is done. Raise C(Interrupted) if this run is to stop."""
        self.wait(seconds)
        self.check("waited for other runs that hold DIDs")

    def check(self, doing: str) -> None:
        """Raise C(Interrupted) if the run is to stop, before anything is done. C(doing): what it did meanwhile."""
        if reason := self.reason():
            raise Interrupted(f"{reason} while it {doing}. Nothing was sent or written. Run again")

    def reason(self) -> str | None:
        """Return why the run is to stop, or None."""
        if self._received is not None:
            return f"{signal.Signals(self._received).name} stopped the run"
        return "Ansible has ended, which stopped the run" if self._is_abandoned() else None

    @contextlib.contextmanager
    def hold_signals(self) -> Iterator[None]:
        """Hold signals until the work is done. The request under way is finished and recorded, and nothing new is sent.

        The handlers stay to the end: at one Ctrl-C, Ansible sends SIGINT and then SIGTERM, once or twice. Only a second SIGINT ends the
        process at once. A signal that is ignored stays ignored, as C(nohup) has it. SIGALRM is held if it ends the task (C(timeout)).
        """
        with contextlib.suppress(ValueError):  # outside the main thread no signal can be handled
            self._install()
        try:
            yield
        finally:
            self._restore()
            if self._deliver and self._received is not None:
                os.kill(os.getpid(), self._received)

    def _install(self) -> None:
        for number in (*_SIGNALS, signal.SIGALRM):
            handler = signal.getsignal(number)
            # None: a handler that Python did not install, and cannot put back.
            is_held = callable(handler) or (handler is signal.SIG_DFL and number in _SIGNALS)
            if is_held:
                self._previous[number] = signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: object) -> None:
        if self._received is None:
            self._received = number
        elif number == self._received == signal.SIGINT:
            self._restore()
            os.kill(os.getpid(), number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


def is_unread(descriptor: int) -> bool:
    """Tell whether a descriptor leads to a pipe or a terminal that nobody reads any more."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in poll.poll(0))
