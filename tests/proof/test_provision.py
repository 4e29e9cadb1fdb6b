# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role and playbook provision: each option of dids is a variable, and they run as installed from the tarball, wherever the user stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._module.dids import dids_spec
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import output_of, program
from ansible_collections.nextbilling.did.tests.support.tarball import COLLECTION, of_a_user

ROLE = COLLECTION / "roles" / "provision"
OPTIONS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text("utf-8"))[
    "argument_specs"
]["main"]["options"]


def test_the_role_has_a_variable_for_each_option() -> None:
    spec = dids_spec()
    assert list(OPTIONS) == [f"provision_{name}" for name in spec]
    for name, option in spec.items():
        variable = OPTIONS[f"provision_{name}"]
        for key in ("type", "elements", "choices", "default", "no_log", "required"):
            assert variable.get(key) == option.get(key), (name, key)
        assert variable["description"], name


def test_the_role_passes_each_variable_on_if_it_is_set() -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text("utf-8"))
    (passed,) = (task["nextbilling.did.dids"] for task in tasks if "nextbilling.did.dids" in task)
    assert list(passed) == list(dids_spec())
    null = {"dids": "{{ omit if provision_dids | default(none) is none else provision_dids }}"}
    for name, template in passed.items():
        if name != "src":
            assert template == null.get(name, f"{{{{ provision_{name} | default(omit) }}}}")


def test_the_readme_names_each_variable() -> None:
    readme = (ROLE / "README.md").read_text("utf-8")
    for name in dids_spec():
        assert f"`provision_{name}`" in readme or f"`_{name}`" in readme, name


Playbook = Callable[..., tuple[int, str]]


@pytest.fixture
def playbook(runner: Runner, installed: Path, tmp_path: Path) -> Playbook:
    """Runs the playbook from a folder of the user's, and returns its exit code and what it printed."""
    environment = of_a_user(runner, tmp_path, installed)
    folder = tmp_path / "where the user stands"
    folder.mkdir()
    (folder / "DIDs São Paulo.csv").write_text(
        "did_number;description\r\n1130001000;Recepção\r\n", encoding="utf-8-sig", newline=""
    )

    def run(*arguments: str, **variables: Any) -> tuple[int, str]:
        extra = ["-e", json.dumps(variables)] if variables else []
        command = [program("ansible-playbook"), "nextbilling.did.provision", *arguments, *extra]
        return output_of(command, folder, environment)

    return run


def test_the_installed_playbook_runs_from_any_folder(
    runner: Runner, playbook: Playbook, installed: Path, tmp_path: Path
) -> None:
    before = runner.traces()
    code, printed = playbook("--check", "--diff", provision_src="DIDs São Paulo.csv")
    assert code == 0, printed
    assert "changed=1" in printed and '+description: "Recepção"' in printed
    assert "\nnextbilling.did.dids: 1 create (check mode)\n" in printed
    assert runner.requests() == [] and runner.traces() == before

    code, printed = playbook("-vvv", provision_src="DIDs São Paulo.csv")
    assert code == 0, printed
    assert "changed=1" in printed and str(installed) in printed and str(COLLECTION) not in printed
    assert "\nnextbilling.did.dids: 1 create\n" in printed
    assert [entry["did_number"] for entry in runner.simulator.created()] == ["1130001000"]

    # From ~, which is the user's home and not the folder of the call; and by an absolute path.
    place = "where the user stands/DIDs São Paulo.csv"
    for src in (f"~/{place}", str(tmp_path / place)):
        code, printed = playbook(provision_src=src)
        assert (code, "changed=0" in printed) == (0, True), printed
    assert len(runner.requests()) == 1


def test_the_installed_playbook_takes_a_list(runner: Runner, playbook: Playbook) -> None:
    inline = [{"did_number": "0300123456"}, {"did_number": "1"}]
    code, printed = playbook(provision_dids=inline, provision_defaults={"port": 5060})
    assert code == 0, printed
    assert [request["json"] for request in runner.requests()] == [
        {"did_number": item["did_number"], "port": 5060} for item in inline
    ]


def test_the_installed_playbook_says_what_it_needs(runner: Runner, playbook: Playbook) -> None:
    for variables, words in (
        ({}, "No DIDs are given"),
        ({"provision_src": "x.csv", "provision_dids": []}, "Both provision_src and provision_dids"),
        ({"provision_src": "nowhere.csv"}, "where the user stands/nowhere.csv"),
    ):
        code, printed = playbook(**variables)
        assert code != 0
        assert words in printed, printed
        assert "-e provision_src=dids.csv" in printed or "nowhere.csv" in printed
    assert runner.requests() == []


def test_every_variable_reaches_the_module(
    runner: Runner, playbook: Playbook, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "api_url": runner.simulator.url.replace("127.0.0.1", "localhost"),
        "api_token": "token-geheim",
        "api_key": "key-geheim",
        "validate_certs": False,
        "ca_path": str(tmp_path),
        "connect_timeout": 11.5,
        "timeout": 12.5,
        "retries": 1,
        "allow_http": True,
        "registry": str(tmp_path / "other.db"),
        "registry_password": "password-geheim",
        "registry_id": "0" * 32,
        "registry_timeout": 13.5,
        "platform": "another",
        "dids": [{"Número": "0300123456", "last_number": "0300123457", "Porta": "nenhuma"}],
        "columns": {"Número": "did_number", "last_number": "last_number", "Porta": "port"},
        "values": {"port": {"nenhuma": 0}},
        "empty_text": "unmanaged",
        "defaults": {"customer_id": 13},
        "state": "present",
        "force": True,
        "update_password": "on_create",
        "concurrency": 2,
        "max_creates": 0,
        "max_changes": 4,
        "max_failures": 0,
        "plan_checksum": f"v2-{'0' * 64}",
        "report_unlisted": True,
        "progress": False,
        "details": True,
        "witness": str(tmp_path / "witness"),
        "similar": "ignore",
        "country_code": "49",
        "apply_at_most": 5,
    }
    spec = dids_spec()
    # A sheet is one of a file.
    assert options.keys() == spec.keys() - {"src", "sheet"}
    for name, value in options.items():
        assert name == "state" or value != spec[name].get("default"), name
    variables = {f"provision_{name}": value for name, value in options.items()}
    code, printed = playbook("-vvv", **variables)
    # The registry that is named does not exist.
    assert code != 0 and "registry_mismatch" in printed and "geheim" not in printed, printed
    words = '"module_args": '
    shown, _end = json.JSONDecoder().raw_decode(printed, printed.rindex(words) + len(words))
    secret = {name: "***" for name, option in spec.items() if option.get("no_log")}
    # What is no field may be a secret.
    masked: dict[str, Any] = dict.fromkeys(("columns", "values"), "***")
    masked["dids"] = [{"***": "***", "last_number": "0300123457"}]
    assert shown == {**options, **secret, **masked, "src": None, "sheet": None}
