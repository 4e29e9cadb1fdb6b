# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of README, guides and module documentation run: as they are written, in the order in which they are read.

With real programs: bash, ansible-playbook and the collection as it installs, against the simulator and a PostgreSQL. What the
examples take for given is in given.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION
from ansible_collections.nextbilling.did.tests.docs.fronts import Hosts, hosts
from ansible_collections.nextbilling.did.tests.docs.given import SCENES, Scene
from ansible_collections.nextbilling.did.tests.docs.reader import Reader
from ansible_collections.nextbilling.did.tests.docs.stage import Stage
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.fixtures import once
from ansible_collections.nextbilling.did.tests.support.stores import Server, running_server


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A simulator."""
    with Simulator.start() as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def named_hosts(
    simulator: Simulator, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosts]:
    """The two under the names that they have in the documentation."""
    port = urlsplit(simulator.url).port
    assert port is not None
    with hosts(tmp_path_factory.mktemp("hosts"), port, server.port) as them:
        yield them


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the collection is installed, as the README has it be done in a clone."""
    return once(tmp_path_factory, "collections", _install)


def _install(there: Path) -> None:
    home = there / "home"
    home.mkdir()
    subprocess.run(
        [Path(sys.executable).with_name("ansible-galaxy"), "collection", "install", "."],
        cwd=COLLECTION,
        env={
            "ANSIBLE_COLLECTIONS_PATH": str(there),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            # Nothing of this may need a network.
            "all_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
        check=True,
        capture_output=True,
    )


# One for each of the first steps, for each state of a registry, and for many DIDs. The others only with --long: whatever an example
# declares is checked without running it.
USUAL = {
    "README.md",
    "many_dids.rst + Review, then apply exactly that",
    "many_dids.rst + What comes back",
    "migration.rst + Step by step",
    "shared_registry.rst + Moving a registry",
    "unknown_outcome.rst + It is not there",
    "plugins/modules/did_registry.py",
}


def _param(scene: Scene) -> Any:
    return pytest.param(scene, id=scene.name, marks=() if scene.name in USUAL else pytest.mark.long)


def test_the_usual_scenes_are_scenes() -> None:
    assert {scene.name for scene in SCENES} >= USUAL


@pytest.mark.parametrize("scene", [_param(scene) for scene in SCENES])
def test_it_runs_as_written(
    scene: Scene,
    simulator: Simulator,
    server: Server,
    named_hosts: Hosts,
    collections: Path,
    tmp_path: Path,
) -> None:
    stage = Stage(scene, tmp_path, simulator, named_hosts, server, collections)
    try:
        stage.set_up()
        Reader(stage).read()
        stage.check_the_end()
    finally:
        stage.tear_down()
    if stage.missing:
        pytest.skip(f"All has run, but for lines that need {', '.join(sorted(stage.missing))}")
