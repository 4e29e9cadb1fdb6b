# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a run needs while it lasts: the registry, the engine, clients of the platform."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence

from .._engine.planner import Planner, Settings
from .._model import Job, RunResult
from .._platform.connection import Connection
from .._registry.open import open_registry
from .._registry.registry import Registry
from .._registry.witness import Witness
from .._secrets import Fingerprints
from .arguments import read_witness
from .results import registry_result
from .task import Task

if t.TYPE_CHECKING:  # pragma: no cover
    from .._platform.client import Client, SharedState
    from .._registry.runs import Run


class Session(t.NamedTuple):
    """An open registry, and what a run over DIDs needs beside it."""

    registry: Registry
    settings: Settings
    planner: Planner
    make_client: Callable[[], Client]
    task: Task

    def execute(
        self,
        jobs: Sequence[Job],
        *,
        check: bool,
        source: tuple[str, Iterable[object]] | None = None,
    ) -> RunResult:
        """Carry out what is planned, or check that it could be. What became of each DID is in its job; nothing is raised for one of them.

        :param source: how the run calls the list that it applies, and what that declares. None for a single DID.
        """
        due = [job for job in jobs if job.sends and not job.is_postponed]
        if not due:
            return RunResult()
        if check:
            self.registry.check_writable()
            return RunResult()
        # A run with nothing to do does not load what sends.
        from .._engine.executor import Executor

        self.registry.journal.runs.run = self._run(source)
        stop = self.task.stop
        executor = Executor(
            self.planner,
            self.make_client,
            due,
            sleep=stop.wait,
            stop_reason=stop.reason,
            report=self.task.progress,
        )
        result = executor.run()
        if result.restored:
            self.task.warn(_restored(self.registry.location, result.restored))
        return result

    def _run(self, source: tuple[str, Iterable[object]] | None) -> Run:
        from .._planning.checksum import list_digest
        from .._registry.records import new_key
        from .._registry.runs import Run
        from .ansible_process import session_id

        run = Run(new_key(), self.settings.platform, session_id())
        if source is None:
            return run
        name, declared = source
        return run._replace(
            list_name=name, list_digest=list_digest(declared, self.planner.fingerprints)
        )


def task_witness(task: Task, *, write: bool) -> Witness | None:
    """Return the witness that a task names, None where none is kept. The option is valid."""
    folder = read_witness(task, [])
    return None if folder is None else Witness(folder, write=write)


def show_warnings(task: Task, witness: Witness | None, others: Iterable[str] = ()) -> None:
    """Warn of what the witness could not do, after other warnings."""
    for warning in [*others, *(witness.warnings if witness else [])]:
        task.warn(warning)


@contextlib.contextmanager
def open_task_registry(
    task: Task,
    location: str,
    platform: str | None,
    *,
    write: bool,
    to_read: bool = False,
    compare: bool = False,
) -> Iterator[Registry]:
    """Open the registry that a task names, and close it again.

    :param to_read: whether it may be one that can only be read, as it was moved elsewhere or has an older schema.
    :param compare: whether to refuse one that is older than the witness knows it, or another one.
    """
    witness = task_witness(task, write=write)
    try:
        registry = open_registry(
            location,
            platform,
            registry_id=task.option("registry_id"),
            write=write,
            timeout=task.params["registry_timeout"],
            password=task.option("registry_password"),
            allow_moved=to_read,
            allow_older=to_read,
            stop_reason=task.stop.reason,
            witness=witness,
            compare=compare,
        )
        with contextlib.closing(registry):
            yield registry
    finally:
        show_warnings(task, witness)


@contextlib.contextmanager
def open_session(
    task: Task, location: str, settings: Settings, secrets: Callable[[], Iterable[str]]
) -> Iterator[Session]:
    """Open the registry and whatever else a run needs, and close it again.

    :param secrets: returns those of the DIDs. Only a run that sends requests calls it.
    """
    connection = settings.connection
    if not connection.validate_certs:
        task.warn(
            "validate_certs is false: whoever answers for the platform's name receives the API token and key"
        )
    stop = task.stop
    with open_task_registry(
        task, location, settings.platform, write=not task.check_mode, compare=True
    ) as registry:
        task.context = {"platform": settings.platform, "registry": registry_result(registry)}
        fingerprints = Fingerprints(connection.api_key, registry.registry_id)
        planner = Planner(registry, settings, fingerprints, sleep=stop.wait_for_runs)
        make_client = _client_factory(connection, _Secrets(task, connection, secrets))
        yield Session(registry, settings, planner, make_client, task)


def _restored(location: str, count: int) -> str:
    return (
        f"The registry {location} lost its newest writes during this run, as another server took the place of one that failed: {count} answers"
        " of the platform were recorded again. What other runs wrote in the same seconds may be lost. Have the database commit synchronously"
        " to its standby, so that nothing is lost"
    )


def _client_factory(connection: Connection, secrets: Iterable[str]) -> Callable[[], Client]:
    shared: list[SharedState] = []

    def client() -> Client:
        # A run with nothing to do does not load what a request needs.
        from .._platform.client import Client, SharedState

        if not shared:
            shared.append(SharedState(secrets))
        return Client(connection, shared[0])

    return client


class _Secrets:
    """All secrets of a run, gathered each time that they are needed. No message quotes a text of the platform that holds a part of one."""

    def __init__(
        self, task: Task, connection: Connection, of_dids: Callable[[], Iterable[str]]
    ) -> None:
        password = task.option("registry_password") or ""
        self._login = {connection.api_token, connection.api_key, password}
        self._of_dids = of_dids

    def __iter__(self) -> Iterator[str]:
        yield from self._login
        yield from self._of_dids()


def add_warnings(task: Task, session: Session, jobs: Sequence[Job]) -> None:
    """Warn of what a person should know of what is, or would be, sent."""
    if not any(job.plan is not None and job.plan.sends for job in jobs):
        return
    from .._engine.preflight import warnings

    settings = session.settings
    similar = not settings.refuse_similar
    for warning in warnings(session.registry, settings.platform, jobs, similar=similar):
        task.warn(warning)
