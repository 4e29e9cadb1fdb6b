# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new field takes one row in the table and its documentation: the contributors' guide is followed in a copy of the collection.

The lines that are added are the guide's own. Then real runs of Ansible use the fields wherever a field can be, and nothing else
of the copy was changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION, examples
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.programs import program

GUIDE = "CONTRIBUTING.md"
SECTION = "Add a field"
# Fields go before this one, so that they are somewhere in the order and not at its end.
BEFORE = "host_additional"
UPDATED = ("update", "applied")
SECRET = "0042-segredo"
# As in a playbook: Ansible shows the lines of one around a task that fails.
VARIABLE = "{{ secret }}"
# The guide shows the documentation of one field; the other one's is written as that of any.
DOCUMENTATION_OF_SECRET = """\
sip_secret:
  description:
    - Secret of the SIP account. In quotes.
  type: raw
"""
INVENTED = ("voicemail_id", "sip_secret")
# Reads the copy's argument specs, by the way that Ansible has of finding a collection.
SPECS = """\
import json
from ansible_collections.nextbilling.did.plugins.module_utils._module.did import did_spec
print(json.dumps({name: {k: v for k, v in option.items() if k != "fallback"} for name, option in did_spec().items()}))
"""


def _shown(language: str) -> list[str]:
    return [
        each.text
        for each in examples(GUIDE)
        if each.section == SECTION and each.language == language
    ]


def _insert(path: Path, before: str, text: str, indent: int) -> None:
    """Put lines before a line of a file, of which there must be one."""
    content = path.read_text("utf-8")
    assert content.count(before) == 1, f"{path} has {before!r} {content.count(before)} times"
    addition = textwrap.indent(text, " " * indent)
    path.write_text(content.replace(before, addition + before), encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where there is a copy of the collection with the two fields."""
    tree = tmp_path_factory.mktemp("tree")
    copy = tree / "ansible_collections" / "nextbilling" / "did"
    for name in ("plugins", "roles", "playbooks", "meta"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(COLLECTION / name, copy / name, ignore=ignored)
    shutil.copy2(COLLECTION / "galaxy.yml", copy)
    rows, (documentation,) = _shown("python"), _shown("yaml")
    assert [re.findall(r'^Field\("(\w+)"', row) for row in rows] == [[name] for name in INVENTED]
    _insert(
        copy / "plugins" / "module_utils" / "_fields.py",
        f'    Field("{BEFORE}"',
        "".join(rows),
        indent=4,
    )
    _insert(
        copy / "plugins" / "doc_fragments" / "fields.py",
        f"  {BEFORE}:\n",
        documentation + DOCUMENTATION_OF_SECRET,
        indent=2,
    )
    return tree


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A platform that has heard of the fields."""
    with Simulator.start(switches={"unknown_parameters": "accept"}) as running:
        yield running


@dataclass
class Story:
    """What came of all runs of Ansible."""

    folder: Path
    # By the names under which the tasks register them.
    results: dict[str, Any]
    # All that was printed.
    printed: str
    requests: list[dict[str, Any]]

    def bodies(self, number: str) -> list[dict[str, Any]]:
        """Return the bodies of the requests for a DID."""
        sent = [entry["json"] for entry in self.requests]
        return [body for body in sent if body["did_number"] == number]


def _did(number: str, **fields: Any) -> dict[str, Any]:
    return {"nextbilling.did.did": {"did_number": number, **fields}}


def _dids(*items: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"nextbilling.did.dids": {"dids": list(items), **options}}


CREATE = _did("1", voicemail_id=7, sip_secret=VARIABLE)
UPDATE = _did("1", voicemail_id=8, sip_secret=f"{VARIABLE}-2")
CHECK = {"check_mode": True}
RECORDED = {"did_number": "6", "record_id": 12, "voicemail_id": 12, "sip_secret": VARIABLE}
# The history of the registry then holds what was before.
CORRECTED = {**RECORDED, "voicemail_id": 13}
TASKS: dict[str, dict[str, Any]] = {
    "registry": {"nextbilling.did.did_registry": {}},
    "create_check": {**CREATE, **CHECK},
    "create": CREATE,
    "create_again": CREATE,
    "update_check": {**UPDATE, **CHECK},
    "update": UPDATE,
    "secret_left_alone": _did("1", sip_secret=f"{VARIABLE}-3", update_password="on_create"),
    "invalid": {**_did("1", voicemail_id="many"), "ignore_errors": True},
    "invalid_secret": {**_did("1", sip_secret=4711), "ignore_errors": True},
    "inline": _dids(
        {"did_number": "2", "voicemail_id": 2},
        {"did_number": "3"},
        defaults={"voicemail_id": 3, "sip_secret": VARIABLE},
    ),
    "inline_invalid": {**_dids({"did_number": "2", "voicemail_id": -1}), "ignore_errors": True},
    "file": {"nextbilling.did.dids": {"src": "{{ playbook_dir }}/dids.csv"}},
    "plan": {**_dids({"did_number": "2", "voicemail_id": 20}), **CHECK},
    "other_plan": {**_dids({"did_number": "2", "voicemail_id": 21}), **CHECK},
    "plan_with_secret": {**_dids({"did_number": "2", "sip_secret": "a-1234567"}), **CHECK},
    "other_plan_with_secret": {**_dids({"did_number": "2", "sip_secret": "b-1234567"}), **CHECK},
    "recorded": {"nextbilling.did.did_registry": {"state": "recorded", "dids": [RECORDED]}},
    "as_recorded": _did("6", voicemail_id=12, sip_secret=VARIABLE),
    "corrected": {"nextbilling.did.did_registry": {"state": "recorded", "dids": [CORRECTED]}},
    "info": {"nextbilling.did.did_info": {"history": True}},
}


@pytest.fixture(scope="module")
def story(tree: Path, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """All that one does with fields, in one play; then the same by the role."""
    folder = tmp_path_factory.mktemp("story")
    (folder / "dids.csv").write_text(
        f"did_number;voicemail_id;sip_secret\n4;44;{SECRET}\n", encoding="utf-8"
    )
    (folder / "more.csv").write_text(
        f"did_number;voicemail_id;sip_secret\n5;55;{SECRET}\n", encoding="utf-8"
    )
    tasks = [{"name": name, **task, "register": name} for name, task in TASKS.items()]
    results = {name: f"{{{{ {name} }}}}" for name in TASKS}
    kept = {"content": results, "dest": "{{ playbook_dir }}/results.json", "mode": "0600"}
    tasks.append({"name": "Keep the results", "ansible.builtin.copy": kept})
    (folder / "secrets.yml").write_text(yaml.safe_dump({"secret": SECRET}), encoding="utf-8")
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": ["secrets.yml"],
        "tasks": tasks,
    }
    (folder / "book.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    environment = {
        **_environment(tree, folder),
        "ANSIBLE_CALLBACKS_ENABLED": "nextbilling.did.review",
        "NEXTBILLING_API_URL": simulator.url,
        "NEXTBILLING_API_TOKEN": simulator.token,
        "NEXTBILLING_API_KEY": simulator.key,
    }
    printed = _run(folder, environment, program("ansible-playbook"), "book.yml", "--diff", "-vvv")
    provision = [program("ansible-playbook"), "nextbilling.did.provision", "--diff", "-vvv"]
    provision += ["-e", "provision_src=more.csv"]
    environment["NEXTBILLING_REVIEW_DIR"] = "review-of-the-role"
    printed += _run(folder, environment, *provision)
    known = json.loads((folder / "results.json").read_text("utf-8"))
    return Story(folder, known, printed, simulator.requests())


def _environment(tree: Path, folder: Path) -> dict[str, str]:
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        # Since ansible-core 2.21 a result shows the parameters only where this asks for it. They may hold no secret either.
        "ANSIBLE_INJECT_INVOCATION": "true",
        "ANSIBLE_NOCOLOR": "true",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"],
    }


def _run(folder: Path, environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # What is warned of must hold no secret either, and is no part of a document in JSON.
    assert SECRET not in done.stderr
    return done.stdout


def test_did_takes_it(story: Story) -> None:
    results = story.results
    for check, done in (("create_check", "create"), ("update_check", "update")):
        for key in ("changed", "action", "changes", "fields"):
            assert results[check][key] == results[done][key]
    assert [results[name]["action"] for name in ("create", "create_again", "update")] == [
        *("create", "none", "update")
    ]
    assert results["update"]["changes"]["voicemail_id"] == {"before": 7, "after": 8}
    assert results["update"]["changes"]["sip_secret"].keys() == {"before", "after"}
    assert story.bodies("1") == [
        {"did_number": "1", "voicemail_id": 7, "sip_secret": SECRET},
        {"did_number": "1", "voicemail_id": 8, "sip_secret": f"{SECRET}-2"},
    ]
    for line in ("-voicemail_id: 7", "+voicemail_id: 8"):
        assert f"\n{line}\n" in story.printed
    assert not results["secret_left_alone"]["changed"]


def test_a_value_that_is_invalid_is_refused(story: Story) -> None:
    for name, field in (
        ("invalid", "voicemail_id"),
        ("invalid_secret", "sip_secret"),
        ("inline_invalid", "voicemail_id"),
    ):
        assert story.results[name]["failed"] and field in story.results[name]["msg"]
    assert "4711" not in story.results["invalid_secret"]["msg"]


def test_a_list_takes_it(story: Story) -> None:
    """In the playbook, as a default, as a column of a file; and by the role."""
    assert story.bodies("2") == [{"did_number": "2", "voicemail_id": 2, "sip_secret": SECRET}]
    assert story.bodies("3") == [{"did_number": "3", "voicemail_id": 3, "sip_secret": SECRET}]
    assert story.bodies("4") == [{"did_number": "4", "voicemail_id": 44, "sip_secret": SECRET}]
    assert story.bodies("5") == [{"did_number": "5", "voicemail_id": 55, "sip_secret": SECRET}]
    assert story.results["inline"]["summary"]["create"] == 2
    assert story.results["file"]["summary"]["create"] == 1


def test_the_checksum_of_a_plan_covers_it(story: Story) -> None:
    names = ("plan", "other_plan", "plan_with_secret", "other_plan_with_secret")
    assert len({story.results[name]["plan_checksum"] for name in names}) == len(names)


def test_it_can_be_recorded(story: Story) -> None:
    assert story.results["recorded"]["changed"] and story.results["corrected"]["changed"]
    assert story.results["as_recorded"]["action"] == "none"
    assert story.bodies("6") == []


def test_the_registry_knows_it(story: Story) -> None:
    known = {each["did_number"]: each["fields"] for each in story.results["info"]["dids"]}
    numbers = {number: fields["voicemail_id"] for number, fields in known.items()}
    assert numbers == {"1": 8, "2": 2, "3": 3, "4": 44, "6": 13}
    assert {fields["sip_secret"] for fields in known.values()} == {"***"}
    history = json.dumps(story.results["info"]["history"])
    assert '"voicemail_id": 12' in history and "sip_secret" in history
    assert "fingerprint" not in history
    registry = story.folder / ".local" / "state" / "nextbilling-did" / "registry.db"
    with closing(sqlite3.connect(registry)) as connection:
        kept = [json.loads(row[0]) for row in connection.execute("SELECT fields FROM records")]
    assert len(kept) == 6
    for fields in kept:
        assert fields["sip_secret"].keys() == {"fingerprint", "key"}


def test_the_review_shows_it(story: Story) -> None:
    review = json.loads((story.folder / "review" / "review.json").read_text("utf-8"))
    schema = json.loads((COLLECTION / "docs" / "review.schema.json").read_text("utf-8"))
    jsonschema.validate(review, schema)
    (update,) = (did for did in review["dids"] if (did["action"], did["outcome"]) == UPDATED)
    assert update["changes"]["voicemail_id"] == {"before": 7, "after": 8}
    for folder, value in (("review", "44"), ("review-of-the-role", "55")):
        for form in ("html", "md", "json"):
            text = (story.folder / folder / f"review.{form}").read_text("utf-8")
            assert "voicemail_id" in text and value in text, (folder, form)


def test_the_secret_is_nowhere(story: Story) -> None:
    assert SECRET not in story.printed
    inputs = {"secrets.yml", "dids.csv", "more.csv"}
    for path in story.folder.rglob("*"):
        if path.is_file() and path.name not in inputs:
            assert SECRET.encode() not in path.read_bytes(), path


def test_documentation_and_argument_spec_agree(tree: Path, tmp_path: Path) -> None:
    environment = _environment(tree, tmp_path)
    printed = _run(tmp_path, environment, program("ansible-doc"), "-j", "nextbilling.did.did")
    documented = json.loads(printed)["nextbilling.did.did"]["doc"]["options"]
    environment["PYTHONPATH"] = str(tree)
    spec = json.loads(_run(tmp_path, environment, sys.executable, "-c", SPECS))
    assert set(INVENTED) < spec.keys() == documented.keys()
    for name, option in spec.items():
        for key in ("type", "elements", "choices", "default"):
            assert documented[name].get(key) == option.get(key), (name, key)
        assert documented[name]["description"], name
    assert spec["sip_secret"]["no_log"] is True
    shown = _run(tmp_path, environment, program("ansible-doc"), "nextbilling.did.did")
    assert "voicemail_id" in shown and "ID of the voice mailbox." in shown
