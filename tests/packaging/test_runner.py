# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs under ansible-runner, as AWX runs them and as the guide on execution environments says: they work, and leave no secret behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from ansible_collections.nextbilling.did.plugins.modules import did_registry
from ansible_collections.nextbilling.did.tests.docs.examples import examples
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import run_module
from ansible_collections.nextbilling.did.tests.support.programs import output_of, program
from ansible_collections.nextbilling.did.tests.support.stores import Server, running_server
from ansible_collections.nextbilling.did.tests.support.tarball import plain

GUIDE = "docs/docsite/rst/execution_environments.rst"
PLAYBOOK = "nextbilling.did.provision"
TABLE = (
    "did_number;description;password\n1130001000;Recepção;did-geheim-1\n1130001001;;did-geheim-2\n"
)
REGISTRY_PASSWORD, VAULT_PASSWORD = "registry-geheim", "vault-geheim"


@dataclass
class Artifacts:
    """What ansible-runner keeps of a job."""

    folder: Path

    @property
    def stdout(self) -> str:
        """What ansible-playbook printed."""
        return (self.folder / "stdout").read_text("utf-8")

    def changed(self) -> int:
        """Check that all went well, by the files that AWX looks at; return how many tasks changed something."""
        assert (self.folder / "rc").read_text() == "0", self.stdout
        assert (self.folder / "status").read_text() == "successful"
        paths = sorted((self.folder / "job_events").glob("*.json"))
        events = [json.loads(path.read_text("utf-8")) for path in paths]
        (stats,) = (each["event_data"] for each in events if each["event"] == "playbook_on_stats")
        assert stats["ok"].keys() == {"localhost"} and not stats["failures"]
        return int(stats["changed"].get("localhost", 0))


@dataclass
class Job:
    """A folder that ansible-runner takes its input from, with the project of the guide."""

    folder: Path
    environment: dict[str, str]
    simulator: Simulator
    secrets: list[str]
    inputs: set[Path] = field(default_factory=set)

    def gives(self, name: str, content: str) -> Path:
        """Write a file of the input."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        self.inputs.add(path)
        return path

    def run(self, name: str, playbook: str, *arguments: str) -> Artifacts:
        """Run a playbook with arguments for ansible-playbook."""
        self.gives("env/cmdline", " ".join(arguments))
        command = [program("ansible-runner"), "run", str(self.folder), "--playbook", playbook]
        # As AWX has it. It concerns files of the input that ansible-runner would write, so here it should change nothing.
        command += ["--ident", name, "--omit-env-files"]
        code, output = output_of(command, self.folder, self.environment)
        assert code == 0, output
        return Artifacts(self.folder / "artifacts" / name)

    def leaks(self) -> set[str]:
        """Return the names of all files in which a secret is, but for the job's input."""
        return {
            path.name
            for path in self.folder.parent.rglob("*")
            if path.is_file() and path not in self.inputs
            if any(secret.encode() in path.read_bytes() for secret in self.secrets)
        }


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a user who needs a password."""
    with running_server() as server:
        server.run(f"CREATE ROLE job LOGIN PASSWORD '{REGISTRY_PASSWORD}'")
        yield server


@pytest.fixture
def job(server: Server, installed: Path, tmp_path: Path) -> Iterator[Job]:
    """A job that finds a registry, but no credentials yet."""
    server.fresh()
    server.run("GRANT ALL ON SCHEMA public TO job", database="registry")
    environment = plain(tmp_path)
    # The project has its own.
    del environment["ANSIBLE_CONFIG"]
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with Simulator.start() as simulator:
        platform = {
            "api_url": simulator.url,
            "registry": server.url("registry", user="job"),
            "registry_password": REGISTRY_PASSWORD,
        }
        created = run_module(did_registry.main, platform)
        secrets = [simulator.token, simulator.key, REGISTRY_PASSWORD, VAULT_PASSWORD]
        job = Job(
            tmp_path / "private", environment, simulator, [*secrets, "did-geheim-1", "did-geheim-2"]
        )
        (project,) = (each for each in examples(GUIDE) if each.is_playbook)
        (configuration,) = (each for each in examples(GUIDE) if each.language == "ini")
        job.gives("project/provision.yml", project.text)
        job.gives("project/ansible.cfg", configuration.text.replace("/srv/reviews/dids", "review"))
        job.gives("project/dids.csv", TABLE)
        job.gives("inventory/hosts", "localhost ansible_connection=local\n")
        job.gives("env/envvars", yaml.safe_dump({"ANSIBLE_COLLECTIONS_PATH": str(installed)}))
        job.gives(
            "env/extravars",
            yaml.safe_dump(
                {
                    "provision_registry": platform["registry"],
                    "provision_registry_id": created["registry"]["id"],
                    "provision_src": "dids.csv",
                    "provision_update_password": "on_change",
                }
            ),
        )
        yield job


def injected(kind: str, simulator: Simulator) -> dict[str, str]:
    """Return what AWX makes of a credential of the guide's type."""
    parsed: list[Any] = [
        each.parse() for each in examples(GUIDE) if each.language.startswith("yaml")
    ]
    (inputs,) = (each for each in parsed if "fields" in each)
    (injectors,) = (each for each in parsed if kind in each)
    values = {
        "api_url": simulator.url,
        "api_token": simulator.token,
        "api_key": simulator.key,
        "registry_password": REGISTRY_PASSWORD,
    }
    assert {each["id"] for each in inputs["fields"]} == set(inputs["required"]) == values.keys()
    assert {each["id"] for each in inputs["fields"] if each.get("secret")} == values.keys() - {
        "api_url"
    }
    return {
        name: jinja2.Environment(undefined=jinja2.StrictUndefined)
        .from_string(template)
        .render(**values)
        for name, template in injectors[kind].items()
    }


def test_variables_of_a_credential_stay_out_of_the_artifacts(job: Job) -> None:
    variables = injected("extra_vars", job.simulator)
    # As AWX writes them: in a file of their own, and such that nothing in a value is taken for a template.
    lines = [f"{name}: !unsafe {json.dumps(value)}\n" for name, value in variables.items()]
    credential = f"-e @{job.gives('env/tmp4711', ''.join(lines))}"

    check = job.run("check", "provision.yml", credential, "--check", "--diff", "-vvvvv")
    assert check.changed() == 1 and job.simulator.requests() == []
    assert '+did_number: "1130001000"' in check.stdout
    assert "DIDs: 2 create → review/review.html" in check.stdout

    apply = job.run("apply", PLAYBOOK, credential, "-vvvvv")
    assert apply.changed() == 1
    sent = [entry["json"]["password"] for entry in job.simulator.requests("PUT")]
    assert sent == ["did-geheim-1", "did-geheim-2"]

    again = job.run("again", PLAYBOOK, credential)
    assert again.changed() == 0 and len(job.simulator.requests()) == 2
    assert "DIDs: 2 unchanged → review/review.html" in again.stdout

    review = json.loads((job.folder / "project" / "review" / "review.json").read_text("utf-8"))
    assert review["counts"]["none"] == 2
    assert job.leaks() == set()


def test_a_vault_stays_out_of_the_artifacts(job: Job) -> None:
    known = yaml.safe_load((job.folder / "env" / "extravars").read_text("utf-8"))
    del known["provision_src"]
    job.gives("env/extravars", yaml.safe_dump(known))
    dids = [{"did_number": "1130001000", "password": "did-geheim-1"}]
    variables = {**injected("extra_vars", job.simulator), "provision_dids": dids}
    vault = job.gives("project/vault.yml", yaml.safe_dump(variables))
    password = job.gives("env/vault-password", VAULT_PASSWORD)
    command = [program("ansible-vault"), "encrypt", "--vault-password-file", str(password)]
    subprocess.run([*command, str(vault)], env=job.environment, check=True, capture_output=True)
    password.unlink()
    job.gives("env/passwords", yaml.safe_dump({"^Vault password:\\s*?$": VAULT_PASSWORD}))

    apply = job.run("apply", PLAYBOOK, "--ask-vault-pass", "-e", "@vault.yml", "-vvvvv")
    assert apply.changed() == 1 and len(job.simulator.created()) == 1
    assert job.leaks() == set()


def test_an_environment_is_written_down_by_ansible_runner_alone(job: Job) -> None:
    environment = yaml.safe_load((job.folder / "env" / "envvars").read_text("utf-8"))
    environment |= injected("env", job.simulator)
    job.gives("env/envvars", yaml.safe_dump(environment))
    apply = job.run("apply", PLAYBOOK, "-vvvvv")
    assert apply.changed() == 1 and len(job.simulator.created()) == 2
    # The guide tells of it. If this is empty one day, the guide may promise more.
    assert job.leaks() == {"command"}
