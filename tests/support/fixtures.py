# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for a platform, a registry, and the collection as it installs. The conftest.py of a tier imports those that its tests need."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import MODULE, Runner
from ansible_collections.nextbilling.did.tests.support.stores import (
    POSTGRESQL,
    SQLITE,
    DatabaseStore,
    FileStore,
    Pooler,
    Proxy,
    Server,
    Store,
    running_pooler,
    running_server,
)
from ansible_collections.nextbilling.did.tests.support.tarball import build, install


@pytest.fixture(scope="session")
def running() -> Iterator[Simulator]:
    """A simulator."""
    with Simulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """The simulator, as after a start."""
    running.reset()
    return running


@pytest.fixture(scope="session")
def running_tls() -> Iterator[Simulator]:
    """A simulator that speaks HTTPS, with an authority of its own."""
    with Simulator.start(tls=True) as simulator:
        yield simulator


@pytest.fixture
def tls_simulator(running_tls: Simulator) -> Simulator:
    """The simulator that speaks HTTPS, as after a start."""
    running_tls.reset()
    return running_tls


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with running_server() as server:
        yield server


@pytest.fixture
def line(server: Server) -> Iterator[Proxy]:
    """A line to that server, which can be cut, and which counts round trips."""
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def pooler(server: Server) -> Iterator[Pooler]:
    """A pooler before that server."""
    with running_pooler(server) as pooler:
        yield pooler


@pytest.fixture
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes places for a registry, of each kind that the test runs on. In a database there is one at a time."""
    if request.param == SQLITE:
        numbers = itertools.count()
        return lambda: FileStore(tmp_path / f"state{next(numbers) or ''}" / "registry.db")
    server: Server = request.getfixturevalue("server")
    if request.param == POSTGRESQL:
        return lambda: DatabaseStore(server.fresh(), server.url("registry"))
    pooler: Pooler = request.getfixturevalue("pooler")
    through = server.url("registry", port=pooler.port)
    return lambda: DatabaseStore(through, server.fresh())


@pytest.fixture
def store(empty_store: Callable[[], Store]) -> Store:
    """A place for a registry."""
    return empty_store()


@pytest.fixture
def way(request: pytest.FixtureRequest) -> str:
    """How the tasks of a test run."""
    return str(getattr(request, "param", MODULE))


@pytest.fixture
def bare(simulator: Simulator, store: Store, way: str) -> Runner:
    """A runner whose registry does not exist yet."""
    return Runner(simulator, store, way=way)


@pytest.fixture
def runner(bare: Runner) -> Runner:
    """A runner with a registry that knows the platform."""
    created = bare.did_registry()
    assert created["changed"], created
    return bare


@pytest.fixture
def tls_runner(tls_simulator: Simulator, tmp_path: Path, way: str) -> Runner:
    """A runner against HTTPS, with a registry that knows the platform."""
    store = FileStore(tmp_path / "state of tls" / "registry.db")
    runner = Runner(tls_simulator, store, {"ca_path": tls_simulator.ca_path}, way)
    assert runner.did_registry()["changed"]
    return runner


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Have a folder filled by the first of pytest's workers that needs it; return it to all."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    with (base / f"{name}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if not lock.read():
            folder.mkdir()
            make(folder)
            lock.write("made")
    return folder


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's tarball."""
    (found,) = once(tmp_path_factory, "built", build).glob("*.tar.gz")
    return found


@pytest.fixture(scope="session")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collection as its tarball installs it."""
    return once(tmp_path_factory, "installed", lambda folder: install(tarball, folder))
