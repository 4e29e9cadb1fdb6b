# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real planner, executor, client and registry against a simulator, with a clock and deaths at a test's command."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from ansible_collections.nextbilling.did.plugins.module_utils._engine.correct import correct
from ansible_collections.nextbilling.did.plugins.module_utils._engine.executor import Executor
from ansible_collections.nextbilling.did.plugins.module_utils._engine.planner import (
    Planner,
    Settings,
)
from ansible_collections.nextbilling.did.plugins.module_utils._engine.throttle import Pacing
from ansible_collections.nextbilling.did.plugins.module_utils._errors import DidError
from ansible_collections.nextbilling.did.plugins.module_utils._fields import normalise
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    Correction,
    Desired,
    Plan,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.corrections import Statement
from ansible_collections.nextbilling.did.plugins.module_utils._platform.client import Client
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import Connection
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import Outcome
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry import provision as _making
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql import (
    PostgresqlDatabase,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.sqlite import (
    SqliteDatabase,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.leases import (
    Clocks,
    read_clocks,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness import Witness
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.stores import Store

_CLOCKS = {kind: kind.now for kind in (SqliteDatabase, PostgresqlDatabase)}
# Moments of an attempt at which a run may be killed, or another may come in between.
BEFORE_INTENT = "before the intent"
BEFORE_REQUEST = "before the request"
AFTER_ANSWER = "between answer and commit"


class Converged(NamedTuple):
    """What a run did for its DID. C(record): what the registry holds now."""

    plan: Plan
    record: Record


class Killed(BaseException):
    """The run is dead: from here on it does nothing any more, not even clean up."""


Moments = dict[str, Callable[[], None]]


class _Watched:
    """Passes everything on to a registry, or to its journal, until the run is dead."""

    def __init__(self, target: Any, life: _Life, moments: Moments) -> None:
        self._target = target
        self._life = life
        self._moments = moments

    def __getattr__(self, name: str) -> Any:
        self._life.check()
        if name == "journal":
            return _Watched(self._target.journal, self._life, self._moments)
        if name == "claim":
            _come(self._moments, BEFORE_INTENT)
        found = getattr(self._target, name)
        return _Watched(found, self._life, self._moments) if name == "journal" else found


def _come(moments: Moments, name: str) -> None:
    """Let happen what is to happen at a moment, once."""
    happening = moments.pop(name, None)
    if happening is not None:
        happening()


class _Life:
    def __init__(self) -> None:
        self.over = False

    def check(self) -> None:
        if self.over:
            raise Killed

    def end(self) -> None:
        self.over = True
        raise Killed


class _Client:
    """A client during whose requests something happens."""

    def __init__(self, client: Client, moments: Moments) -> None:
        self._client = client
        self._moments = moments

    @property
    def bytes_sent(self) -> bool:
        """As the client itself."""
        return self._client.bytes_sent

    def close(self) -> None:
        """Whose client it is, closes it."""

    def create(self, body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Send a PUT."""
        return self._around(lambda: self._client.create(body, before_send))

    def edit(self, record_id: int, body: bytes, before_send: Callable[[float], None]) -> Outcome:
        """Send a POST."""
        return self._around(lambda: self._client.edit(record_id, body, before_send))

    def _around(self, request: Callable[[], Outcome]) -> Outcome:
        _come(self._moments, BEFORE_REQUEST)
        outcome = request()
        _come(self._moments, AFTER_ANSWER)
        return outcome


class World:
    """One platform, one registry, and as many runs as a test likes."""

    def __init__(self, simulator: Simulator, store: Store) -> None:
        self.simulator = simulator
        self.store = store
        self.location = store.location
        self.platform = "platform:443"
        self.api_key = simulator.key
        self._ahead = 0.0
        self.witness = Path(os.environ["NEXTBILLING_WITNESS"]) / uuid.uuid4().hex
        _making.make_present(self.location, self.platform, registry_id=None, timeout=5, apply=True)

    def converge(
        self,
        declared: dict[str, Any],
        record_id: int | None = None,
        *,
        check: bool = False,
        retries: int = 0,
        timeout: float = 5.0,
        api_url: str | None = None,
        policy: Policy | None = None,
        moments: Moments | None = None,
        kill: str | None = None,
        pacing: Pacing | None = None,
    ) -> Plan | Converged | DidError | Killed:
        """Run one task: return what it did, what it would do, or what stopped it.

        C(moments): what happens at a moment of its attempt. C(kill): the moment at which it dies.
        """
        values, problems = normalise(declared)
        assert problems == []
        connection = Connection(
            api_url or self.simulator.url, self.simulator.token, self.simulator.key, timeout=timeout
        )
        settings = Settings(self.platform, connection, policy or Policy(), retries, 0.0)
        life = _Life()
        happenings = dict(moments or {})
        if kill is not None:
            before = happenings.get(kill, lambda: None)

            def die() -> None:
                before()
                life.end()

            happenings[kill] = die
        with contextlib.ExitStack() as stack:
            try:
                registry = stack.enter_context(self.registry(write=not check, compare=True))
            except DidError as stopped:
                return stopped
            fingerprints = Fingerprints(self.api_key, registry.registry_id)
            with contextlib.closing(Client(connection)) as client:
                watched: Any = _Watched(registry, life, happenings)
                stand_in: Any = _Client(client, happenings)
                planner = Planner(watched, settings, fingerprints, sleep=lambda seconds: None)
                try:
                    (job,) = jobs = planner.plan([Desired(values, record_id)])
                    if job.sends and check:
                        watched.check_writable()
                    elif job.sends:
                        Executor(
                            planner,
                            lambda: stand_in,
                            jobs,
                            sleep=lambda seconds: None,
                            pacing=pacing,
                        ).run()
                except (DidError, Killed) as stopped:
                    return stopped
        if job.error is not None or job.plan is None:
            assert job.error is not None
            return job.error
        if check:
            return job.plan
        assert job.record is not None
        return Converged(job.plan, job.record)

    def resolve(
        self,
        state: str,
        number: str,
        record_id: int | None = None,
        attempt: str | None = None,
        registry: Registry | None = None,
        max_races: int = 100,
    ) -> list[Correction] | DidError:
        """Tell the registry what a person knows of the platform. Returns what that has changed, or why it was refused.

        C(registry): the registry, if the person has it open already.
        """
        fields = {"did_number": number}
        statement = Statement("dids[0]", number, record_id, fields, attempt=attempt, state=state)
        with contextlib.ExitStack() as stack:
            try:
                return correct(
                    registry or stack.enter_context(self.registry(write=True)),
                    self.platform,
                    [statement],
                    overwrite=False,
                    timeout=0.0,
                    apply=True,
                    max_races=max_races,
                )
            except DidError as error:
                return error

    @contextlib.contextmanager
    def registry(self, *, write: bool = False, compare: bool = False) -> Iterator[Registry]:
        """The registry, as a task opens it. C(compare): as did and dids do, which send requests."""
        registry = _open.open_registry(
            self.location,
            self.platform,
            registry_id=None,
            write=write,
            timeout=5,
            witness=Witness(str(self.witness), write=write),
            compare=compare,
        )
        try:
            yield registry
        finally:
            registry.close()

    def records(self) -> list[Record]:
        """All records."""
        with self.registry() as registry:
            return [record for _platform, record in registry.reports.records()]

    def record(self, number: str) -> Record | None:
        """The record of a number."""
        with self.registry() as registry:
            return registry.find(self.platform, number, None)[0]

    def record_missing(self) -> None:
        """Record again what the witness knows and the registry has lost, as the play of the refusal does."""
        with self.registry(write=True) as registry:
            entries = cast(Witness, registry.witness).entries(self.platform)
            for entry in registry.missing_of(self.platform, entries):
                fields = {"did_number": entry.did_number}
                statement = Statement("witness", entry.number, entry.record_id, fields)
                correct(
                    registry,
                    self.platform,
                    [statement],
                    overwrite=True,
                    timeout=0.0,
                    apply=True,
                )
            assert registry.missing_of(self.platform, entries) == []

    def held(self, number: str) -> list[int]:
        """The platform's records that bear a number."""
        return [
            record_id
            for record_id, fields in self.simulator.dids().items()
            if str(fields.get("did_number", "")).lstrip("+") == number
        ]

    def traces(self) -> Any:
        """All that a write would change."""
        return self.store.traces()

    def pass_time(self, seconds: float) -> None:
        """Set the clocks of the registry and of this host forward."""
        self._ahead += seconds
        ahead = self._ahead

        def later() -> Clocks | None:
            found = read_clocks()
            return None if found is None else (found[0] + ahead, found[1] + ahead)

        Journal.clocks = staticmethod(later)
        for kind, clock in _CLOCKS.items():
            kind.now = f"({clock} + {self._ahead})"

    @staticmethod
    def reset_clock() -> None:
        """Set the clocks right."""
        Journal.clocks = staticmethod(read_clocks)
        for kind, clock in _CLOCKS.items():
            kind.now = clock
