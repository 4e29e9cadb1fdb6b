# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation of release 1.0.0 is upgraded by the steps of the guide "From 1.0 to 2.0". Release 1.0.0 is built from its commit."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.docs import console, given
from ansible_collections.nextbilling.did.tests.docs.examples import Example, examples, read
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support import first_release
from ansible_collections.nextbilling.did.tests.support.programs import output_of
from ansible_collections.nextbilling.did.tests.support.stores import Server
from ansible_collections.nextbilling.did.tests.support.tarball import build, install, plain

GUIDE = f"{given.GUIDES}from_1_0_to_2_0.rst"
FILE, DATABASE = "Step by step", "A registry in PostgreSQL"
REGISTRY = Path(".local", "state", "nextbilling-did", "registry.db")
OWNER_URL = "postgresql://nextbilling_owner@db.example.com/provisioning?sslmode=verify-full"
# What a task of release 1.0 says of a registry that was migrated, as the guide quotes it.
REFUSED_BY_FIRST = (
    "has schema 2; this release of nextbilling.did knows schemas up to 1."
    " Nothing was written and nothing was sent"
)
DIDS = """\
did_number;last_number;record_id;description;customer_id;did_type;did_type_id;password
1130001000;;;Support;13;queue;7;did-geheim-1
1130001001;;12;Sales;13;queue;8;
1130002000;1130002099;;Extension {number};42;ivr;3;
"""
COUNT = 102
CREATE = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - nextbilling.did.did_registry:
      register: created
    - ansible.builtin.debug:
        msg: id {{ created.registry.id }}
"""
PROVISION = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - nextbilling.did.dids:
        src: "{{ playbook_dir }}/dids.csv"
"""
CUT = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - nextbilling.did.did:
        did_number: "1130003000"
"""
CREATE_IN_DATABASE = f"""\
- nextbilling.did.did_registry:
    registry: {OWNER_URL}
    registry_password: "{{{{ vault_owner_password }}}}"
  register: created
- ansible.builtin.debug:
    msg: id {{{{ created.registry.id }}}}
"""
LOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - nextbilling.did.did_info:
      register: known
    - ansible.builtin.debug:
        msg: schema {{ known.registry.schema }}, {{ known.registry.counts.confirmed }} confirmed
    - ansible.builtin.debug:
        msg: attempt {{ known.dids | selectattr('outcome', 'eq', 'unknown') | map(attribute='attempt') | list }}
      when: known.registry.schema == 2
"""


@pytest.fixture(scope="module")
def first_tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarball of release 1.0.0."""
    source = first_release.extract(tmp_path_factory.mktemp("first"))
    if source is None:
        pytest.skip("the commit of release 1.0.0 is not here: the clone is not complete")
    tarball = build(tmp_path_factory.mktemp("built"), source)
    assert tarball.name == "nextbilling-did-1.0.0.tar.gz"
    return tarball


@dataclass
class Site:
    """A host where release 1.0.0 has provisioned DIDs, and somebody who types commands there."""

    home: Path
    simulator: Simulator
    variables: Mapping[str, str]
    # What it begins with.
    release: Path
    collections: Path = field(init=False)
    registry_id: str = ""

    def __post_init__(self) -> None:
        # Not "collections": Ansible looks for a folder of that name beside a playbook, too.
        self.installs("installed", self.release)
        for name, content in {
            "dids.csv": DIDS,
            "dids.yml": PROVISION,
            "cut.yml": CUT,
            "look.yml": LOOK,
        }.items():
            (self.home / name).write_text(content, "utf-8")

    def installs(self, name: str, tarball: Path) -> None:
        """Install a release into a folder of its own, and use that."""
        self.collections = self.home / name
        self.collections.mkdir()
        install(tarball, self.collections)

    def types(self, line: str, code: int = 0) -> str:
        """Type a line into a shell; return what is printed, as one line."""
        environment = {
            **plain(self.home),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "NEXTBILLING_API_KEY": self.simulator.key,
            "NEXTBILLING_API_TOKEN": self.simulator.token,
            "NEXTBILLING_API_URL": self.simulator.url,
            **self.variables,
        }
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        ended, printed = output_of(["bash", "-ec", line], self.home, environment)
        assert ended == code, f"{line}\n{printed}"
        return " ".join(printed.split())

    def plays(self, text: str, *arguments: str) -> str:
        """Run a playbook that is not a file yet."""
        (self.home / "play.yml").write_text(self.meant(text), "utf-8")
        return self.types(" ".join(("ansible-playbook play.yml", *arguments)))

    def meant(self, text: str) -> str:
        """Return an example with the id of this registry in it."""
        return text.replace(given.REGISTRY_ID, self.registry_id)

    def provision(self) -> None:
        """Create, adopt and lose DIDs by release 1.0.0, whose registry exists."""
        assert "changed=1" in self.types("ansible-playbook dids.yml")
        self.simulator.fault("drop_after", match={"did_number": "1130003000"})
        assert "unknown_outcome" in self.types("ansible-playbook cut.yml", code=2)
        assert f"schema 1, {COUNT} confirmed" in self.types("ansible-playbook look.yml")

    def declares(self, description: str) -> None:
        """Have the list give one of its DIDs this description."""
        (self.home / "dids.csv").write_text(DIDS.replace("Sales", description), "utf-8")

    def sent(self) -> int:
        """How many requests the platform got."""
        return len(self.simulator.requests())

    def writes_upgrade(self) -> None:
        """Save the guide's playbook."""
        (play,) = shown(FILE, "yaml+jinja")
        (self.home / "upgrade.yml").write_text(self.meant(play.text), "utf-8")

    def is_refused(self) -> None:
        """Check what a task of the new release says of the registry that it meets, and what it reads."""
        printed = self.types("ansible-playbook dids.yml --check", code=2)
        assert "registry_mismatch" in printed and "has schema 1" in printed
        assert "state: present" in printed
        assert f"schema 1, {COUNT} confirmed" in self.types("ansible-playbook look.yml")

    def is_upgraded(self) -> None:
        """Check that all is known that was known, and that one edit is one request."""
        printed = self.types("ansible-playbook look.yml")
        assert f"schema 2, {COUNT} confirmed" in printed
        assert re.search(r"attempt \['[0-9a-f]{32}'\]", printed)
        sent = self.sent()
        self.declares("Orders")
        assert "changed=1" in self.types("ansible-playbook dids.yml")
        (edit,) = self.simulator.requests()[sent:]
        assert edit["method"] == "POST" and edit["json"]["did_number"] == "1130001001"
        assert self.simulator.duplicates() == {}

    def refuses_the_first(self) -> None:
        """Check that release 1.0.0 does nothing with the registry any more, and says what the guide quotes."""
        assert REFUSED_BY_FIRST in " ".join(read(GUIDE).split())
        sent = self.sent()
        self.installs("forgotten", self.release)
        for playbook in ("dids.yml", "look.yml"):
            printed = self.types(f"ansible-playbook {playbook}", code=2)
            assert REFUSED_BY_FIRST in printed and "registry_mismatch" in printed
        assert self.sent() == sent


def shown(section: str, *languages: str) -> list[Example]:
    """Return the examples of a section of the guide."""
    return [
        each for each in examples(GUIDE) if each.section == section and each.language in languages
    ]


def commands(section: str) -> list[str]:
    """Return the lines that a section of the guide tells to type."""
    return [line.command for each in shown(section, "console") for line in console.lines(each)]


def upgrade(site: Site, line: str, tarball: Path) -> None:
    """Install the new release by the guide's command, which takes the tarball instead of asking Galaxy."""
    site.types(line.replace("install nextbilling.did", f"install --offline {tarball}"))
    found = list(site.collections.rglob("MANIFEST.json"))
    assert len(found) == 1 and f'"{tarball.name[16:-7]}"' in found[0].read_text("utf-8")


@pytest.fixture
def site(first_tarball: Path, simulator: Simulator, tmp_path: Path) -> Site:
    """A host with a registry in a file."""
    simulator.switch(existing_ids=[12])
    found = Site(tmp_path, simulator, {}, first_tarball)
    found.registry_id = id_of(found.plays(CREATE))
    found.provision()
    return found


def id_of(printed: str) -> str:
    """Return the id of a registry that a play has printed."""
    return str(re.findall(r"\bid ([0-9a-f]{32})\b", printed)[0])


def test_a_registry_in_a_file(site: Site, tarball: Path) -> None:
    backup, new, predict, migrate, foresee, apply = commands(FILE)
    site.writes_upgrade()
    before, sent = (site.home / REGISTRY).read_bytes(), site.sent()
    assert backup.startswith("sqlite3 ")
    upgrade(site, new, tarball)
    site.is_refused()
    assert "migrate the registry from schema 1 to 2" in site.types(predict)
    assert (site.home / REGISTRY).read_bytes() == before
    assert "changed=1" in site.types(migrate)
    assert "changed=0" in site.types(migrate)
    assert "changed=0" in site.types(foresee)
    printed = site.types(apply)
    assert "changed=0" in printed and "There is no witness" in printed
    assert f"DIDs: {COUNT} unchanged" in printed
    assert (site.home / "review" / "review.html").exists()
    assert site.sent() == sent
    site.is_upgraded()
    site.refuses_the_first()


@pytest.fixture
def shared_site(
    server: Server, first_tarball: Path, simulator: Simulator, tmp_path: Path
) -> Iterator[Site]:
    """A host with a registry in PostgreSQL, where owner and runner are two roles."""
    server.fresh("provisioning")
    roles, grants = (
        each.text
        for each in examples(f"{given.GUIDES}shared_registry.rst")
        if each.language == "sql"
    )
    administer(server, roles)
    simulator.switch(existing_ids=[12])
    variables = {
        "NEXTBILLING_REGISTRY": server.url("provisioning", user="nextbilling_runner"),
        "PATH": f"{server.programs}:{plain(tmp_path)['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPASSWORD": given.RUNNER,
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
    }
    found = Site(tmp_path, simulator, variables, first_tarball)
    found.registry_id = id_of(found.plays(as_owner(CREATE_IN_DATABASE, server)))
    # The rights that release 1.0 needs.
    of_runs = r",\s+nextbilling\.runs|^.* nextbilling\.runs .*\n"
    administer(server, re.sub(of_runs, "", grants, flags=re.MULTILINE))
    found.provision()
    yield found
    for role in ("owner", "runner", "reader"):
        administer(server, f"DROP OWNED BY nextbilling_{role} CASCADE")
        administer(server, f"DROP ROLE nextbilling_{role}")


def administer(server: Server, sql: str) -> None:
    """Run SQL as an administrator of the database."""
    server.run(sql, database="provisioning")


def as_owner(tasks: str, server: Server) -> str:
    """Return a play of tasks that name the registry by the owner's URL of the guide."""
    url = server.url("provisioning", user="nextbilling_owner")
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"vault_owner_password": given.OWNER},
        "tasks": yaml.safe_load(tasks.replace(OWNER_URL, url)),
    }
    return yaml.safe_dump([play])


@pytest.mark.long
def test_a_registry_in_postgresql(shared_site: Site, server: Server, tarball: Path) -> None:
    site, sent = shared_site, shared_site.sent()
    _backup, new, *_migrate, foresee, apply = commands(FILE)
    (dump,) = commands(DATABASE)
    (tasks,) = shown(DATABASE, "yaml+jinja")
    (rights,) = shown(DATABASE, "sql")
    site.types(dump)
    assert "CREATE TABLE" in (site.home / "registry-1.0.sql").read_text("utf-8")
    upgrade(site, new, tarball)
    site.writes_upgrade()
    assert "registry_unavailable" in site.types("ansible-playbook upgrade.yml", code=2)
    migrate = as_owner(tasks.text, server)
    assert "migrate the registry from schema 1 to 2" in site.plays(migrate, "--check", "--diff")
    site.is_refused()
    assert "changed=1" in site.plays(migrate)
    site.declares("Orders")
    assert "registry_unavailable" in site.types("ansible-playbook dids.yml", code=2)
    site.declares("Sales")
    administer(server, rights.text)
    assert "changed=0" in site.types(foresee)
    assert f"DIDs: {COUNT} unchanged" in site.types(apply)
    assert site.sent() == sent
    site.is_upgraded()
    site.refuses_the_first()
