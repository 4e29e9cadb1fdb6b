# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a run needs while it lasts: the registry, signals, clients of the platform."""

from __future__ import annotations

import contextlib
import signal
import threading
import typing as t

from .. import _fields
from .._engine.planner import Planner
from .._model import RunResult
from .._platform.connection import Connection
from .._registry.open import open_registry
from .._secrets import Fingerprints
from .arguments import option

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Iterator, Sequence

    from .._engine.planner import Settings
    from .._model import Desired, Job
    from .._platform.client import Client, SharedState
    from .._registry.registry import Registry
    from .task import Module


class _Stop:
    """Waits which end when a signal tells the run to stop, and whether one has."""

    def __init__(self) -> None:
        self._told = threading.Event()
        self._reason: str | None = None
        self._previous: dict[int, t.Any] = {}

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until a signal comes."""
        self._told.wait(seconds)

    def reason(self) -> str | None:
        """Return why the run is to stop, or None."""
        return self._reason

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Stop after the requests under way at the first SIGINT or SIGTERM. A second one ends the process at once."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._tell)
        except ValueError:
            pass  # not in the main thread: there are no signals here
        try:
            yield
        finally:
            self._restore()

    def _tell(self, number: int, _frame: object) -> None:
        self._reason = f"{signal.Signals(number).name} stopped the run"
        self._restore()
        self._told.set()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}


class Session(t.NamedTuple):
    """An open registry, and what a run over DIDs needs beside it."""

    registry: Registry
    settings: Settings
    planner: Planner
    make_client: Callable[[], Client]
    stop: _Stop

    def execute(self, jobs: Sequence[Job], *, check: bool) -> RunResult:
        """Carry out what is planned, or check that it could be. What became of each DID is in its job; nothing is raised for one of them."""
        if not any(job.sends for job in jobs):
            return RunResult()
        if check:
            self.registry.check_writable()
            return RunResult()
        # A run with nothing to do does not pay for what sending needs.
        from .._engine.executor import Executor

        stop = self.stop
        executor = Executor(
            self.planner, self.make_client, jobs, sleep=stop.wait, stopping=stop.reason
        )
        return executor.run()


@contextlib.contextmanager
def open_session(
    module: Module, location: str, settings: Settings, wanted: Sequence[Desired]
) -> Iterator[Session]:
    """Open the registry and whatever else a run needs, and close it again."""
    if not settings.connection.validate_certs:
        module.warn(
            "validate_certs is false: whoever answers for the platform's name receives the API token and key"
        )
    password = option(module, "registry_password")
    registry = open_registry(
        location,
        settings.platform,
        registry_id=option(module, "registry_id"),
        write=not module.check_mode,
        timeout=settings.registry_timeout,
        password=password,
    )
    stop = _Stop()
    with contextlib.closing(registry), stop.listening():
        fingerprints = Fingerprints(settings.connection.api_key, registry.registry_id)
        planner = Planner(registry, settings, fingerprints, sleep=stop.wait, stopping=stop.reason)
        secrets = _secrets(settings.connection, password, wanted)
        make_client = _client_maker(settings.connection, secrets)
        yield Session(registry, settings, planner, make_client, stop)


def _client_maker(connection: Connection, secrets: set[str]) -> Callable[[], Client]:
    shared: list[SharedState] = []

    def client() -> Client:
        # A run with nothing to do does not pay for what a request needs.
        from .._platform.client import Client, SharedState

        if not shared:
            shared.append(SharedState(secrets))
        return Client(connection, shared[0])

    return client


def _secrets(
    connection: Connection, registry_password: str | None, wanted: Sequence[Desired]
) -> set[str]:
    """Return all secrets of a run: nothing that holds a part of one is shown of what the platform says."""
    login = {connection.api_token, connection.api_key, registry_password or ""}
    return login | {
        did.values[name] for did in wanted for name in _fields.SECRETS if name in did.values
    }


def warn(module: Module, session: Session, jobs: Sequence[Job]) -> None:
    """Warn of what a person should know of what is, or would be, sent."""
    if not any(job.plan is not None and job.plan.sends for job in jobs):
        return
    from .._engine.preflight import warnings

    for warning in warnings(session.registry, session.settings.platform, jobs):
        module.warn(warning)
