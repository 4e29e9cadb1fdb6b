# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users get it: built, and installed from what was built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import program

COLLECTION = Path(client.__file__).parents[2]


def build(folder: Path, source: Path = COLLECTION) -> Path:
    """Build the collection into an empty folder; return the tarball."""
    _galaxy(folder, "build", str(source), "--output-path", str(folder))
    (tarball,) = folder.glob("*.tar.gz")
    return tarball


def install(tarball: Path, folder: Path) -> None:
    """Install it where ANSIBLE_COLLECTIONS_PATH may name the folder."""
    _galaxy(folder, "install", "--offline", "--collections-path", str(folder), str(tarball))


def _galaxy(folder: Path, *arguments: str) -> None:
    environment = {
        **plain(folder),
        # Nothing of this may need a network.
        "all_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    subprocess.run(
        [program("ansible-galaxy"), "collection", *arguments],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
    )


def of_a_user(runner: Runner, home: Path, installed: Path) -> dict[str, str]:
    """Return the environment of a user who has installed the collection, and gives login and registry by variables."""
    return {
        **plain(home),
        "ANSIBLE_COLLECTIONS_PATH": str(installed),
        "NEXTBILLING_API_URL": runner.simulator.url,
        "NEXTBILLING_API_TOKEN": runner.simulator.token,
        "NEXTBILLING_API_KEY": runner.simulator.key,
        "NEXTBILLING_REGISTRY": str(runner.registry),
    }


def plain(home: Path) -> dict[str, str]:
    """Return an environment that leads to nothing of the source tree, and to no setting of the user's."""
    (home / "ansible.cfg").touch()
    return {
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        # Since ansible-core 2.21 a result shows the parameters only where this asks for it. They may hold no secret either.
        "ANSIBLE_INJECT_INVOCATION": "true",
        "ANSIBLE_NOCOLOR": "true",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"],
        # As where a program has started Ansible in another folder than its own.
        "PWD": "/",
    }
