# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that release 1.0.0 wrote, and what both releases do with it. Release 1.0.0 is built from its commit."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.programs import program
from ansible_collections.nextbilling.did.tests.support.tarball import (
    COLLECTION,
    build,
    install,
    plain,
)

RELEASE = "b6c46c05170c5dcb77722007e279ade1c79e1b9e"
LIST = "did_number;record_id;port\n" + "".join(
    f"113000{number:04};{number + 1000};5060\n" for number in range(300)
)


@pytest.fixture(scope="module")
def first_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which release 1.0.0 is installed."""
    folder = tmp_path_factory.mktemp("first")
    archive = folder / "source.tar"
    done = subprocess.run(
        ["git", "-C", str(COLLECTION), "archive", f"--output={archive}", RELEASE],
        check=False,
        capture_output=True,
    )
    if done.returncode != 0:
        pytest.skip("the commit of release 1.0.0 is not here: the clone is not complete")
    source, built, installed = (folder / name for name in ("source", "built", "installed"))
    for each in (source, built, installed):
        each.mkdir()
    with tarfile.open(archive) as content:
        content.extractall(source, filter="data")
    tarball = build(built, source)
    assert tarball.name == "nextbilling-did-1.0.0.tar.gz"
    install(tarball, installed)
    return installed


class Site:
    """A host with one registry, on which either release runs tasks."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self._folder = folder
        self._simulator = simulator
        self.source = folder / "dids.csv"
        self.source.write_text(LIST)

    def run(self, installed: Path, module: str, **options: Any) -> dict[str, Any]:
        """Run a task; return its result."""
        everything = {
            "api_url": self._simulator.url,
            "api_token": self._simulator.token,
            "api_key": self._simulator.key,
            "registry": str(self._folder / "state" / "registry.db"),
            **options,
        }
        done = subprocess.run(
            [
                program("ansible"),
                *("localhost", "-m", f"nextbilling.did.{module}", "-a", json.dumps(everything)),
            ],
            env={
                **plain(self._folder),
                "ANSIBLE_COLLECTIONS_PATH": str(installed),
                "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            },
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        _status, _arrow, text = done.stdout.partition("=> ")
        result: dict[str, Any] = json.loads(text)
        return result


@pytest.fixture
def site(tmp_path: Path, simulator: Simulator) -> Site:
    """A host without a registry."""
    return Site(tmp_path, simulator)


@pytest.mark.long
def test_a_registry_of_the_first_release(
    first_release: Path, installed: Path, site: Site, simulator: Simulator
) -> None:
    assert site.run(first_release, "did_registry")["changed"]
    recorded = {"state": "recorded", "src": str(site.source)}
    assert site.run(first_release, "did_registry", **recorded)["changed"]
    created = {"did_number": "1166", "port": 5060}
    assert site.run(first_release, "did", **created)["action"] == "create"
    seen = len(simulator.requests())
    # It is read as it is, and not written.
    known = site.run(installed, "did_info")
    assert (known["registry"]["schema"], known["registry"]["counts"]["confirmed"]) == (1, 301)
    for module, options in (("did", created), ("dids", {"src": str(site.source)})):
        refused = site.run(installed, module, **options)
        assert refused["error"]["kind"] == "registry_mismatch", refused
        assert "schema 1" in refused["msg"] and "state: present" in refused["msg"]
    # Its task migrates it.
    assert site.run(installed, "did_registry")["changed"]
    assert not site.run(installed, "did_registry")["changed"]
    assert site.run(installed, "did", **created)["action"] == "none"
    assert site.run(installed, "dids", src=str(site.source))["summary"]["none"] == 300
    after = site.run(installed, "did_info")
    assert (after["dids"], after["registry"]["schema"]) == (known["dids"], 2)
    # The first release does not touch it any more.
    for module, options in (
        ("did", created),
        ("dids", {"src": str(site.source)}),
        ("did_info", {}),
        ("did_registry", {}),
    ):
        refused = site.run(first_release, module, **options)
        assert refused["error"]["kind"] == "registry_mismatch", refused
        assert "has schema 2" in refused["msg"] and "knows schemas up to 1" in refused["msg"]
    assert len(simulator.requests()) == seen
