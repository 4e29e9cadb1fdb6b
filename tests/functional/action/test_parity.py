# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task returns the same in Ansible's own process and as a module, and says at -v why it runs as a module."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program

COLLECTIONS = Path(client.__file__).parents[5]
PASSWORD = "pwd-7e1f-geheim"
AS_MODULE = "runs as a module"
# What differs between two registries, or what Ansible adds to a module's result.
VARYING = {"confirmed_at", "before_confirmed_at", "changed_at", "at", "registry", "plan_checksum"}
VARYING |= {"ansible_facts", "attempt", "run", "witness"}


class Vaulted(str):
    """A value that a playbook holds encrypted."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes a playbook."""


VAULT = VaultLib([("default", VaultSecret(b"password of a test"))])
Dumper.add_representer(
    Vaulted,
    lambda dumper, value: dumper.represent_scalar(
        "!vault", VAULT.encrypt(str(value)).decode(), style="|"
    ),
)

TASKS: list[dict[str, Any]] = [
    {"nextbilling.did.did_registry": {}, "check_mode": False},
    {
        "nextbilling.did.did": {
            "did_number": "{{ item }}",
            "port": "{{ 5060 }}",
            "customer_id": "{{ omit }}",
            "password": "{{ password }}",
        },
        "loop": ["5511001000", "5511001001"],
        "diff": True,
    },
    {"nextbilling.did.did": {"did_number": "5511001000", "port": 5061}, "check_mode": True},
    {
        "nextbilling.did.did": {
            "did_number": Vaulted("5511001004"),
            "password": Vaulted(PASSWORD),
            "customer_id": "{{ vaulted_customer }}",
            "description": "of {{ vaulted_customer }}",
            "host_additional": [Vaulted("10.0.0.1"), "10.0.0.2"],
        },
        "module_defaults": {"nextbilling.did.did": {"port": "{{ omit }}", "max_calls": 3}},
    },
    {"nextbilling.did.did": {"did_number": "5511001000", "password": {"x": "{{ password }}"}}},
    {"nextbilling.did.did": {"did_number": "5511001000", "port": "abc"}},
    {"nextbilling.did.did": {"did_number": "5511001000", "pasword": "{{ password }}"}},
    {"nextbilling.did.did": {"did_number": 5511001000}},
    {"nextbilling.did.dids": {"dids": [{"did_number": "5511001002", "day": "2026-01-02"}]}},
    {
        "nextbilling.did.dids": {
            "dids": [
                {"did_number": "55110010031234567", "last_number": "55110010031234569"},
                {"did_number": "5511001005", "password": Vaulted(PASSWORD), "port": "{{ omit }}"},
            ],
            "defaults": {"password": "{{ password }}"},
            "concurrency": "{{ 2 }}",
        },
        "diff": True,
    },
    {"nextbilling.did.did_info": {"history": "yes"}},
]

# What to give to ansible-playbook, its environment, and keywords of the play.
VARIANTS: dict[str, tuple[list[str], dict[str, str], dict[str, Any]]] = {
    "plain": (["-vvv"], {}, {}),
    "debugging": (
        ["-vvvvv"],
        {"ANSIBLE_DEBUG": "true", "ANSIBLE_INJECT_INVOCATION": "false"},
        {"strategy": "free"},
    ),
    "check": (["-vvv", "--check", "--diff"], {}, {}),
}


def play(
    runner: Runner,
    folder: Path,
    tasks: list[dict[str, Any]],
    *options: str,
    environment: Mapping[str, str] = MappingProxyType({}),
    keywords: Mapping[str, Any] = MappingProxyType({}),
    **variables: Any,
) -> tuple[list[Any], str]:
    """Play tasks that may fail. Returns their results, and what Ansible prints.

    C(keywords): those of the play. C(variables): its variables.
    """
    folder.mkdir()
    login = {
        "api_url": runner.simulator.url,
        "api_token": runner.simulator.token,
        "api_key": runner.simulator.key,
        "registry": str(folder / "registry.db"),
        "retries": 0,
    }
    names = [f"result{index}" for index in range(len(tasks))]
    tasks = [{**task, "register": name, "ignore_errors": True} for task, name in zip(tasks, names)]
    content = f"{{{{ [{', '.join(names)}] | to_json }}}}"
    results = folder / "results.json"
    copy = {
        "ansible.builtin.copy": {"content": content, "dest": str(results)},
        "check_mode": False,
    }
    whole = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"password": PASSWORD, "vaulted_customer": Vaulted("13"), **variables},
        "module_defaults": {"group/nextbilling.did.all": login},
        "tasks": [*tasks, copy],
        **keywords,
    }
    (folder / "play.yml").write_text(yaml.dump([whole], Dumper=Dumper), "utf-8")
    (folder / "vault.txt").write_text("password of a test", "utf-8")
    (folder / "ansible.cfg").write_text(QUIET, "utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault.txt"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_INJECT_INVOCATION": "true",
        **environment,
    }
    arguments = [program("ansible-playbook"), *options, "play.yml"]
    code, output = output_of(arguments, folder, environment)
    assert code == 0, output
    return json.loads(results.read_text("utf-8")), output


def comparable(value: Any) -> Any:
    """Return a result without what varies."""
    if isinstance(value, dict):
        return {
            name: comparable(each)
            for name, each in value.items()
            if name not in VARYING and not (name == "record_id" and each)
        }
    return [comparable(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    ["plain", *(pytest.param(name, marks=pytest.mark.long) for name in ("debugging", "check"))],
)
def test_results_are_the_same(runner: Runner, tmp_path: Path, variant: str) -> None:
    options, environment, keywords = VARIANTS[variant]
    common: dict[str, Any] = {"environment": environment, "keywords": keywords}
    inside, printed = play(runner, tmp_path / "inside", TASKS, *options, **common)
    assert AS_MODULE not in printed and PASSWORD not in printed
    runner.simulator.reset()
    common["nextbilling_did_in_process"] = False
    outside, printed = play(runner, tmp_path / "outside", TASKS, *options, **common)
    assert f"{AS_MODULE}: nextbilling_did_in_process" in printed
    text = json.dumps(outside).replace(str(tmp_path / "outside"), str(tmp_path / "inside"))
    assert comparable(inside) == comparable(json.loads(text))
    failed = [number for number, result in enumerate(inside) if result.get("failed")]
    if variant == "plain":
        assert failed == [4, 5, 6, 7, 8] and len(inside) == len(TASKS)
        assert inside[-1]["registry"]["counts"]["confirmed"] == 7
    assert bool(runner.requests()) == (variant != "check")
    assert PASSWORD not in json.dumps(inside)


# Keywords of a task, and the reason why it then runs as a module.
REASONS: list[tuple[dict[str, Any], str | None]] = [
    ({"environment": "{{ {} }}"}, None),
    ({"environment": {"A": "b"}}, "it has environment"),
    ({"async": 60, "poll": 1}, "it has async"),
    ({"become": True, "become_method": "ansible.builtin.su"}, "it has become"),
    ({"vars": {"nextbilling_did_in_process": "{{ 'no' }}"}}, "is false"),
    ({"vars": {"nextbilling_did_in_process": 0}}, "is false"),
    ({"vars": {"ansible_python_interpreter": "/usr/bin/false"}}, "another Python is named"),
    (
        {"vars": {"ansible_connection": "ssh", "ansible_port": 1}},
        "its connection is not local",
    ),
    (
        {"delegate_to": "there", "vars": {"ansible_connection": "ssh", "ansible_port": 1}},
        "its connection is not local",
    ),
    ({"delegate_to": "localhost"}, None),
]


@pytest.mark.slow
def test_the_reason_for_a_module_is_shown(runner: Runner, tmp_path: Path) -> None:
    tasks = [
        {
            "name": f"number {number}",
            "nextbilling.did.did_registry": {},
            "ignore_unreachable": True,
            **keywords,
        }
        for number, (keywords, _reason) in enumerate(REASONS)
    ]
    _results, printed = play(runner, tmp_path / "play", tasks, "-vvv")
    reasons = _reasons(printed)
    assert len(reasons) == len(REASONS)
    for (_keywords, expected), actual in zip(REASONS, reasons):
        assert (actual is None) == (expected is None) and (expected or "") in (actual or "")
    common: dict[str, Any] = {"keywords": {"environment": {"A": "b"}}}
    _results, printed = play(runner, tmp_path / "whole", [tasks[0]], "-vvv", **common)
    assert "it has environment" in printed


def _reasons(printed: str) -> list[str | None]:
    """Return for each task why it ran as a module, or None."""
    parts = re.split(r"^TASK \[number \d+\].*$", printed, flags=re.M)[1:]
    found = (re.search(f"{AS_MODULE}: (.*)", part) for part in parts)
    return [None if match is None else match[1] for match in found]
