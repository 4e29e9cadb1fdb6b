# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the examples of the documentation take for given: files, variables, a registry with something in it, what somebody types.

Everything that is not written in a document and is there when its examples run stands here. The platform and the database answer
under the names that the documents give them (fronts.py), so addresses run as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from ansible_collections.nextbilling.did.tests.docs.console import TYPED, lines, reasons
from ansible_collections.nextbilling.did.tests.docs.examples import (
    DOCUMENTS,
    MODULES,
    Example,
    passages,
)
from ansible_collections.nextbilling.did.tests.docs.fronts import DATABASE
from ansible_collections.nextbilling.did.tests.docs.reading import AWX, kind

_NOTHING: Mapping[str, Any] = MappingProxyType({})
GUIDES = "docs/docsite/rst/"
# The id of a registry, as documents write it.
REGISTRY_ID = "5d3fc84a98203fb85b9bd09356d47844"

# What a document can only hint at, and what stands there when it runs.
STAND_INS = {
    "NEXTBILLING_API_TOKEN=…": "NEXTBILLING_API_TOKEN={token}",
    "NEXTBILLING_API_KEY=…": "NEXTBILLING_API_KEY={key}",
    "paste the token here": "{token}",
    "paste the key here": "{key}",
    "${{ secrets.NEXTBILLING_API_TOKEN }}": "{token}",
    "${{ secrets.NEXTBILLING_API_KEY }}": "{key}",
    # Of the registry that the example meets, and of the plan that was shown last.
    REGISTRY_ID: "{registry_id}",
    "the id that the first playbook showed": "{registry_id}",
    "the id that registry.yml showed": "{registry_id}",
    "o id que o primeiro playbook mostrou": "{registry_id}",
    "o id mostrado por registry.yml": "{registry_id}",
    "v2-5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef": "{plan_checksum}",
    # Of the create that was cut off last.
    "18ec00842ff4938e690a92f04fc7a01c": "{attempt}",
    # Folders that only an administrator can make.
    "/var/lib/nextbilling-did": "{folder}/var/lib/nextbilling-did",
    "/srv/nextbilling": "{folder}/srv/nextbilling",
    "/backup/": "{folder}/backup/",
    "/etc/ssl/db-ca.pem": "{authority}",
}
CHECKSUM = next(written for written, meant in STAND_INS.items() if meant == "{plan_checksum}")

# Address, token and key by the environment: step 2 of the first steps. A scene of exported=False gets them by what it shows itself.
EXPORTED = {
    "NEXTBILLING_API_URL": "https://sip.nextbilling.com.br",
    "NEXTBILLING_API_TOKEN": "{token}",
    "NEXTBILLING_API_KEY": "{key}",
}
# The roles that the guide on PostgreSQL makes, with the passwords that it gives them.
OWNER, RUNNER, READER = "choose one", "choose another", "and a third"
# Variables of plays, as from a vault.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "vault_nextbilling_token": "{token}",
        "vault_nextbilling_key": "{key}",
        "vault_owner_password": OWNER,
        "vault_registry_password": OWNER,
    }
)

# Translations with the examples of the original, which the scenes of the original run.
SAME_EXAMPLES = {
    f"{GUIDES}{name}_pt_br.rst": f"{GUIDES}{name}.rst"
    for name in ("errors", "from_1_0_to_2_0", "how_it_works", "migration", "unknown_outcome")
}
_BENCHMARK, _AWX = f"{GUIDES}benchmark.rst", f"{GUIDES}execution_environments.rst"
_MANY, _WAYS = f"{GUIDES}many_dids.rst", f"{GUIDES}where_a_task_runs.rst"
_UPGRADE = f"{GUIDES}from_1_0_to_2_0.rst"
_AVAILABILITY = f"{GUIDES}high_availability.rst"
# Blocks that are not run, by document and language.
NOT_RUN = {
    (_AVAILABILITY, "yaml"): "It names two servers; the tests of failovers use such a URL.",
    (_BENCHMARK, "text"): "Printed in a quarter of an hour; its columns are compared.",
    (_MANY, "text"): "It would take minutes; unit tests have the same lines.",
    (_WAYS, "text"): "Printed by a run of hundreds of DIDs; the tests of progress read such lines.",
    (f"{GUIDES}shared_registry.rst", "text"): "Lines of a witness; its tests have such lines.",
    (_AWX, "text"): "A folder; the files of the scene are in it.",
    (_AWX, "ini"): "Tests of the package run jobs with it, as with the configurations for AWX.",
    **{
        (document, "ini"): "A test of what a failing run prints plays with it."
        for document in (
            "README.md",
            "README.pt-BR.md",
            f"{GUIDES}first_steps.rst",
            f"{GUIDES}first_steps_pt_br.rst",
        )
    },
}

SHEET = """\
Número;Assinante;Situação;Observações
1130005000;13;Ativo;
1130005001;13;Inativo;da portaria
"""
SMALL = """\
did_number;description;customer_id;did_type;did_type_id
1130001000;Support;13;queue;7
1130001001;Sales;13;queue;8
"""
# The table of the migration's guide.
PANEL = """\
Número;Descrição;Assinante;Tipo;Fila/URA;Situação;ID
1130001000;Recepção;13;Fila;7;Ativo;12
1130001001;Menu;13;URA;3;Inativo;13
1130001002;Portaria;14;Linha;;Ativo;14
"""
_DIDS_PLAY = """\
---
- name: DIDs
  hosts: localhost
  gather_facts: false
  tasks:
    - name: All DIDs of a spreadsheet
      nextbilling.did.dids:
        src: "{{ playbook_dir }}/dids.csv"
"""
# The same registry as after the steps of the migration's guide.
TWO_RECORDS = (
    {"did_number": "1130001000", "record_id": 12, "description": "Support"},
    {"did_number": "1130001001", "record_id": 13, "description": "Sales"},
)
_ROLES = "Roles and grants"
DEFAULT_REGISTRY = "~/.local/state/nextbilling-did/registry.db"


class Scene(NamedTuple):
    """What a reader does with a document, or with some of its sections, from a fresh start."""

    document: str
    # Headings, in the order in which the reader goes through them; none: the whole document.
    sections: tuple[str, ...] = ()
    exported: bool = True
    # Where the registry is that exists beforehand, "" for none. One in the database is made by the document itself.
    registry: str = DEFAULT_REGISTRY
    # What it holds, and DIDs whose create was cut off.
    records: tuple[Mapping[str, Any], ...] = ()
    unknown: tuple[str, ...] = ()
    # Whether the roles of the guide on PostgreSQL are there; and whether the registry is, too, that the guide makes then.
    roles: bool = False
    shared: bool = False
    # Records of the platform.
    platform: tuple[int, ...] = (12,)
    # Numbers that the platform refuses.
    refuses: tuple[str, ...] = ()
    files: Mapping[str, str] = _NOTHING
    variables: Mapping[str, str] = VARIABLES
    environment: Mapping[str, str] = _NOTHING
    # What somebody types at the prompts of a command.
    typed: Mapping[str, str] = _NOTHING
    # What else is in the play around single tasks.
    play: Mapping[str, Any] = _NOTHING
    # Parts of commands that end with an error here, as the document says.
    fails: tuple[str, ...] = ()
    # For a command, what the document says that it prints, for each time it is run.
    says: tuple[tuple[str, str], ...] = ()
    # Translations that are printed at some time.
    prints: tuple[str, ...] = ()
    # Files that are there at the end.
    makes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return what tells it from the others."""
        return " + ".join((self.document.removeprefix(GUIDES), *self.sections[:1]))

    @property
    def in_database(self) -> bool:
        """Tell whether the registry is in PostgreSQL, in the end if not from the start."""
        return self.roles or self.registry.startswith("postgresql:")

    def passages(self) -> list[Example]:
        """Return what is run, in order."""
        before = passages(f"{GUIDES}shared_registry.rst") if self.shared else []
        found = passages(self.document)
        return [
            *(each for each in before if each.section == _ROLES),
            *(each for each in found if not self.sections),
            *(each for section in self.sections for each in found if each.section == section),
        ]


_PROVISION = "ansible-playbook nextbilling.did.provision -e provision_src=dids.csv"
_EXPORT = "ansible-playbook nextbilling.did.export"
_SETTLE = "ansible-playbook nextbilling.did.settle -e settle_src=open.csv"
_README = Scene(
    "README.md",
    exported=False,
    registry="",
    says=(
        ("ansible-playbook registry.yml", "created.registry.id"),
        ("ansible-playbook dids.yml --check --diff", "changed=1"),
        ("ansible-playbook dids.yml", "changed=1"),
        (f"{_PROVISION} --check --diff", "changed=1"),
        (_PROVISION, "changed=1"),
    ),
    makes=("review/review.html", "review/review.md", "review/review.json"),
)
_FIRST_STEPS = Scene(
    f"{GUIDES}first_steps.rst",
    exported=False,
    registry="",
    says=(
        ("ansible-playbook registry.yml", "created.registry.id"),
        ("ansible-playbook dids.yml --check --diff", "changed=1"),
        ("ansible-playbook dids.yml", "changed=1"),
        ("ansible-playbook dids.yml", "changed=0"),
        (f"{_PROVISION} --check --diff", "changed=1"),
        (_PROVISION, "changed=1"),
    ),
    prints=('+description: "Sup',),
    makes=(".local/state/nextbilling-did/registry.db",),
)
_REVIEWED = "Reviewed on a pull request, applied on merge"
_PENDING = "A job that fails when changes are pending"
_IN_SRV = {"NEXTBILLING_REGISTRY": "/srv/nextbilling/registry.db"}
_REVIEWS = Scene(
    f"{GUIDES}reviews.rst",
    registry="/srv/nextbilling/registry.db",
    files={"dids.csv": SMALL, "reviewed-plan": CHECKSUM},
    environment={**_IN_SRV, "ANSIBLE_CALLBACKS_ENABLED": "nextbilling.did.review"},
)
_PIPELINE = Scene(
    f"{GUIDES}shared_registry.rst",
    registry="postgresql:",
    files={"dids.csv": SMALL},
    environment={"RUNNER_PASSWORD": RUNNER},
)

_WITNESS = f"witness/{REGISTRY_ID}/sip.nextbilling.com.br%3A443.csv"
_LOST = """\
did_number,record_id,confirmed_at,record_key,version
1130001000,4711,2026-01-31T12:00:00Z,18ec00842ff4938e690a92f04fc7a01c,2
"""

# What AWX hands over for a credential of the type in the guide.
_INJECTED = f"""\
provision_api_url: https://sip.nextbilling.com.br
provision_api_token: "{{token}}"
provision_api_key: "{{key}}"
provision_registry: postgresql://nextbilling_runner@{DATABASE}/provisioning?sslmode=verify-full
provision_registry_password: {RUNNER}
"""

SCENES = (
    _README,
    _README._replace(document="README.pt-BR.md"),
    Scene(
        "roles/provision/README.md",
        files={
            "dids.csv": SMALL,
            "numbers.yml": '---\n- did_number: "1130001000"\n  description: Support\n',
        },
        # Its result is there after the role.
        play={
            "roles": [{"role": "nextbilling.did.provision", "vars": {"provision_src": "dids.csv"}}]
        },
        prints=("0 DIDs are known and not in the list",),
    ),
    _FIRST_STEPS,
    _FIRST_STEPS._replace(document=f"{GUIDES}first_steps_pt_br.rst"),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("Where the list stands", "What a spreadsheet must look like"),
        files={"vault-password": "a word"},
        environment={"ANSIBLE_VAULT_PASSWORD_FILE": "vault-password"},
    ),
    Scene(f"{GUIDES}many_dids.rst", ("How a number is written",)),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("Headers and words of your own",),
        files={"numeros.csv": "NÚMERO;Assinante;Situação;Observações\n1130001000;13;ativo;x\n"},
    ),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("An encrypted spreadsheet",),
        files={"dids.csv": SMALL, "vault-password": "a word"},
        environment={"ANSIBLE_VAULT_PASSWORD_FILE": "vault-password"},
        prints=("nextbilling.did.dids: 2 create (check mode)", "nextbilling.did.dids: 2 create\n"),
    ),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("Similar numbers", "Limits"),
        files={"dids.csv": SMALL},
        records=TWO_RECORDS,
        platform=(12, 13),
    ),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("Review, then apply exactly that",),
        files={"dids.csv": SMALL},
        says=(
            ("ansible-playbook dids.yml --check --diff", '"run.plan_checksum": "'),
            (f"ansible-playbook dids.yml -e reviewed={CHECKSUM}", "changed=1"),
        ),
    ),
    Scene(
        f"{GUIDES}many_dids.rst",
        ("What comes back",),
        files={"dids.csv": SMALL},
        records=({"did_number": "1130009000", "record_id": 12},),
        refuses=("1130001001",),
        fails=("ansible-playbook playbook.yml --diff",),
        prints=("DID 1130001001", '"1130009000"', '"failed": 1'),
    ),
    Scene(
        f"{GUIDES}migration.rst",
        ("Step by step",),
        platform=(12, 13),
        files={"dids.csv": "did_number;description\n1130001000;First line\n"},
        says=(
            ("ansible-playbook record.yml --check --diff", "changed=1"),
            ("ansible-playbook record.yml", '"confirmed": 2'),
        ),
        prints=('"update": 1', '"1130001001"'),
    ),
    Scene(
        f"{GUIDES}migration.rst",
        ("A spreadsheet with headers of its own",),
        platform=(12, 13, 14),
        files={"numeros.csv": PANEL},
        prints=("nextbilling.did.dids: 3 unchanged (check mode)",),
    ),
    Scene(f"{GUIDES}migration.rst", ("Adopt a single DID",)),
    Scene(
        f"{GUIDES}life_cycle.rst",
        ("Retiring a number",),
        records=TWO_RECORDS,
        platform=(12, 13),
    ),
    Scene(
        f"{GUIDES}life_cycle.rst",
        ("Upgrading", "Removing the collection"),
        records=TWO_RECORDS,
        makes=("known.json",),
    ),
    Scene(
        _WAYS,
        files={"dids.csv": SMALL, "dids.yml": _DIDS_PLAY},
        says=(
            ("ansible-playbook dids.yml -v", "nextbilling.did.dids: 2 create"),
            (
                "ansible-playbook dids.yml -e nextbilling_did_in_process=false",
                "2 unchanged (runs as a module: nextbilling_did_in_process or",
            ),
        ),
    ),
    Scene(f"{GUIDES}migration.rst", ("If a wrong id was recorded",), records=TWO_RECORDS),
    # A test of the package does these steps with a registry that release 1.0 wrote.
    Scene(
        _UPGRADE,
        ("Step by step",),
        files={"dids.csv": SMALL, "dids.yml": _DIDS_PLAY},
        records=TWO_RECORDS,
        platform=(12, 13),
        makes=("registry-1.0.db", "review/review.html"),
    ),
    Scene(
        _UPGRADE,
        ("A registry in PostgreSQL",),
        registry="postgresql:",
        shared=True,
        environment={"PGUSER": "postgres"},
        makes=("registry-1.0.sql",),
    ),
    Scene(f"{GUIDES}errors.rst", records=TWO_RECORDS),
    Scene(
        f"{GUIDES}how_it_works.rst",
        registry="/var/lib/nextbilling-did/registry.db",
        records=TWO_RECORDS,
    ),
    _REVIEWS._replace(
        sections=("Reviews in CI", _REVIEWED, "GitHub Actions"),
        environment={**_IN_SRV, "GITHUB_STEP_SUMMARY": "summary.md"},
        says=(("ansible-playbook dids.yml --check", "DIDs: 2 create → review/review.html"),),
        makes=("review/review.html", "review/review.md", "review/review.json", "summary.md"),
    ),
    # All is applied when the last job comes.
    _REVIEWS._replace(sections=(_REVIEWED, "GitLab CI", _PENDING)),
    # It is not, so the job fails.
    _REVIEWS._replace(sections=(_PENDING, _REVIEWED), fails=("python3 -c",)),
    Scene(
        f"{GUIDES}security.rst",
        exported=False,
        files={"dids.csv": SMALL},
        variables={},
        # The editor that ansible-vault opens: it writes what the document says that one writes.
        environment={"EDITOR": "cp pasted.yml"},
        typed={
            "read -rs NEXTBILLING_API_TOKEN": "{token}\n",
            "read -rs NEXTBILLING_API_KEY": "{key}\n",
            "ansible-vault create vault.yml": "a word\na word\n",
            "ansible-playbook provision.yml --ask-vault-pass": "a word\n",
        },
        says=(("ansible-playbook provision.yml --ask-vault-pass", "changed=1"),),
        makes=("registry-*.db",),
    ),
    _PIPELINE._replace(
        sections=("What is needed", _ROLES, "An example for a CI pipeline"),
        files={
            "dids.csv": SMALL,
            ".pgpass": f"{DATABASE}:*:provisioning:nextbilling_runner:{RUNNER}\n",
        },
        says=(
            ("ansible-playbook provision.yml --check --diff", "changed=1"),
            ("ansible-playbook provision.yml --diff", "changed=1"),
        ),
        makes=("witness/*/*.csv",),
    ),
    # The registry has lost what the last job created.
    _PIPELINE._replace(
        sections=(_ROLES, "An example for a CI pipeline"),
        files={"dids.csv": SMALL, _WITNESS: _LOST},
        fails=("ansible-playbook provision.yml",),
        prints=("has lost its newest writes", "Record again what the registry has lost"),
    ),
    Scene(
        f"{GUIDES}shared_registry.rst",
        ("One file, one path", "The witness"),
        registry="/var/lib/nextbilling-did/registry.db",
        records=TWO_RECORDS,
    ),
    Scene(
        f"{GUIDES}shared_registry.rst",
        ("Runs and history",),
        registry="/var/lib/nextbilling-did/registry.db",
        records=TWO_RECORDS,
    ),
    Scene(
        f"{GUIDES}shared_registry.rst",
        ("Moving a registry", "Backup and restore"),
        registry="/var/lib/nextbilling-did/registry.db",
        records=TWO_RECORDS,
        roles=True,
        environment={"PGUSER": "postgres"},
        makes=("backup/registry-*.db", "backup/registry-*.sql"),
    ),
    Scene(
        f"{GUIDES}unknown_outcome.rst",
        ("Find the open DIDs",),
        unknown=("1130001002",),
        prints=("1130001002 on sip.nextbilling.com.br:443, attempt 18",),
    ),
    Scene(
        f"{GUIDES}unknown_outcome.rst",
        ("It is there",),
        registry="/var/lib/nextbilling-did/registry.db",
        environment={"NEXTBILLING_REGISTRY": "/var/lib/nextbilling-did/registry.db"},
        unknown=("1130001002",),
        platform=(12, 4711),
    ),
    Scene(
        f"{GUIDES}unknown_outcome.rst",
        ("It is not there",),
        registry="/var/lib/nextbilling-did/registry.db",
        unknown=("1130001002",),
    ),
    Scene(
        f"{GUIDES}unknown_outcome.rst",
        ("Many at once",),
        unknown=("1130001002", "1130001003"),
        says=(
            (f"{_SETTLE} --check --diff", "changed=0"),
            (_SETTLE, "so these stay open: 1130001002, 1130001003"),
        ),
        makes=("open.csv",),
    ),
    Scene(
        f"{GUIDES}export.rst",
        ("Write a file", "A template"),
        records=TWO_RECORDS,
        says=(
            (f"{_EXPORT} -e export_dest=dids.csv", "2 DIDs of sip.nextbilling.com.br:443"),
            (f"{_EXPORT} -e export_dest=template.csv -e export_template=true", "changed=1"),
        ),
        makes=("dids.csv", "dids.yml", "template.csv"),
    ),
    Scene(
        _AWX,
        ("The project", "Credentials", "With ansible-runner alone"),
        exported=False,
        registry="postgresql:",
        shared=True,
        files={
            "dids.csv": SMALL,
            "provisioning/env/extravars": _INJECTED + "provision_src: dids.csv\n",
            "provisioning/inventory/hosts": "localhost ansible_connection=local\n",
            "provisioning/project/dids.csv": SMALL,
        },
        variables={**VARIABLES, **yaml.safe_load(_INJECTED)},
        says=(
            ("ansible-runner run provisioning --playbook nextbilling.did.provision", "changed=0"),
        ),
    ),
    Scene("plugins/modules/did.py"),
    Scene("plugins/modules/dids.py", files={"dids.csv": SMALL, "numeros.xlsx": SHEET}),
    Scene("plugins/modules/did_info.py", records=TWO_RECORDS),
    Scene(
        "plugins/modules/did_registry.py",
        registry="",
        files={
            "dids.csv": "record_id;did_number\n31;1130009000\n",
            "open.csv": "did_number;record_id;outcome\n1130009000;31;unknown\n",
        },
        environment={"NEXTBILLING_REGISTRY": "/var/lib/nextbilling-did/registry.db"},
        roles=True,
    ),
)


def uncovered() -> list[Example]:
    """Return what no scene comes to, although the tests could run it."""
    covered = {each for scene in SCENES for each in scene.passages()}
    return [
        each
        for document in (*DOCUMENTS, *MODULES)
        if document not in SAME_EXAMPLES
        for each in passages(document)
        if each not in covered and not _is_excused(each)
    ]


def _is_excused(example: Example) -> bool:
    """Tell whether somebody says why it is not run: here, or in console.py."""
    if example.language in TYPED:
        return all(reasons(line.command) for line in lines(example))
    return (example.document, example.language) in NOT_RUN or kind(example) == AWX
