# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts, and all that spreads a task over hosts: tasks return the same in Ansible's own process and as modules."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import MODULE, PROCESS
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program

COLLECTIONS = Path(client.__file__).parents[5]
HOSTS = 100


class World:
    """Two platforms with a registry each, and a folder for playbooks."""

    def __init__(self, one: Simulator, other: Simulator, folder: Path) -> None:
        self.platforms = [one, other]
        self.folder = folder
        self.logins = [
            {
                "api_url": platform.url,
                "api_token": platform.token,
                "api_key": platform.key,
                "registry": str(folder / name / "registry.db"),
            }
            for platform, name in zip(self.platforms, ("one", "other"))
        ]

    def play(self, plays: list[dict[str, Any]], hosts: int, way: str) -> list[dict[str, Any]]:
        """Play on so many hosts. Returns for each host what it registered as C(result)."""
        for platform in self.platforms:
            platform.reset()
        folder = self.folder / way
        folder.mkdir()
        make = {"nextbilling.did.did_registry": "{{ item }}", "loop": self.logins}
        first = {"hosts": "localhost", "gather_facts": False, "tasks": [make]}
        results = folder / "results.json"
        content = "{{ groups['all'] | map('extract', hostvars, 'result') | list | to_json }}"
        copy = {"ansible.builtin.copy": {"content": content, "dest": str(results)}}
        last = {"hosts": "localhost", "gather_facts": False, "tasks": [copy]}
        defaults = {"group/nextbilling.did.all": self.logins[0]}
        plays = [
            {"hosts": "all", "gather_facts": False, "module_defaults": defaults, **each}
            for each in plays
        ]
        (folder / "play.yml").write_text(json.dumps([first, *plays, last]), "utf-8")
        (folder / "ansible.cfg").write_text(QUIET, "utf-8")
        local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        names = "".join(f"host{index:03} {local}\n" for index in range(hosts))
        (folder / "hosts").write_text(names, "utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "NEXTBILLING_DID_IN_PROCESS": str(way == PROCESS),
            "NEXTBILLING_WITNESS": str(folder / "witness"),
        }
        arguments = [program("ansible-playbook"), "-vvv", "-i", "hosts", "-f", "20", "play.yml"]
        code, output = output_of(arguments, folder, environment, limit=600)
        assert code == 0, output[-3000:]
        assert ("runs as a module" in output) == (way == MODULE)
        found: list[dict[str, Any]] = json.loads(results.read_text("utf-8"))
        for login in self.logins:
            Path(login["registry"]).unlink()
            Path(login["registry"]).parent.rmdir()
        return found

    def numbers(self) -> list[list[str]]:
        """Return what each platform has created, in order of the numbers."""
        return [
            sorted(entry["did_number"] for entry in platform.created())
            for platform in self.platforms
        ]


@pytest.fixture
def world(simulator: Simulator, tmp_path: Path) -> Any:
    with Simulator.start() as other:
        yield World(simulator, other, tmp_path)


def outcome(result: Any) -> Any:
    """Return what of a result does not depend on the order in which hosts come."""
    if "results" in result:
        return [outcome(each) for each in result["results"]]
    names = ("action", "changed", "did_number", "changes", "fields", "failed", "error", "platform")
    return {name: result.get(name) for name in names}


def number(prefix: str) -> str:
    """Return a template that makes a DID of a host's name."""
    return f"{prefix}{{{{ inventory_hostname[4:] }}}}"


def test_a_hundred_hosts(world: World) -> None:
    task = {
        "nextbilling.did.did": {"did_number": number("5511001"), "port": 5060},
        "register": "result",
    }
    results = {}
    for way in (MODULE, PROCESS):
        results[way] = [outcome(result) for result in world.play([{"tasks": [task]}], HOSTS, way)]
        assert len(world.numbers()[0]) == HOSTS and world.platforms[0].duplicates() == {}
    assert results[MODULE] == results[PROCESS]
    assert all(result["action"] == "create" for result in results[PROCESS])


def test_all_that_spreads_a_task_over_hosts(world: World) -> None:
    """Strategies, batches, one host for all, delegation, and a loop over two logins with a registry each."""

    def did(prefix: str, **keywords: Any) -> dict[str, Any]:
        fields = {"did_number": number(prefix), "port": 5060}
        return {"nextbilling.did.did": fields, **keywords}

    fields = {"did_number": number("5511006"), "max_calls": 2}
    login = {name: f"{{{{ item.{name} }}}}" for name in world.logins[0]}
    loop = {"nextbilling.did.did": {**login, **fields}, "loop": world.logins, "register": "result"}
    plays: list[dict[str, Any]] = [
        {"strategy": "free", "tasks": [did("5511001")]},
        {"serial": 3, "tasks": [did("5511002")]},
        {"tasks": [did("5511003", run_once=True)]},
        {"tasks": [did("5511004", delegate_to="localhost")]},
        {"tasks": [did("5511005", delegate_to="{{ groups['all'][0] }}"), loop]},
    ]
    results, created = {}, {}
    for way in (MODULE, PROCESS):
        found = world.play(plays, 4, way)
        results[way] = [outcome(result) for result in found]
        created[way] = world.numbers()
        assert all(platform.duplicates() == {} for platform in world.platforms)
    assert results[MODULE] == results[PROCESS]
    assert created[MODULE] == created[PROCESS]
    assert list(map(len, created[PROCESS])) == [4 + 4 + 1 + 4 + 4 + 4, 4]
