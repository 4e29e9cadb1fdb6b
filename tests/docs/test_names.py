# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README and guides call options, results, errors and variables is there under that name."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.nextbilling.did.plugins.module_utils import _errors, _fields
from ansible_collections.nextbilling.did.plugins.module_utils._input import ranges as _ranges
from ansible_collections.nextbilling.did.plugins.module_utils._registry import location as _location
from ansible_collections.nextbilling.did.plugins.plugin_utils import _action
from ansible_collections.nextbilling.did.tests.docs.examples import (
    COLLECTION,
    DOCUMENTS,
    names,
    read,
)
from ansible_collections.nextbilling.did.tests.docs.given import GUIDES
from ansible_collections.nextbilling.did.tests.docs.test_examples import SPECS

# What is not the collection's.
OTHERS = {
    *("ansible_python_interpreter", "ansible_playbook_python", "interpreter_python"),  # Ansible's
    *("loop_control", "log_path", "module_defaults", "no_log", "playbook_dir"),  # Ansible's
    *("pg_dump", "pg_upgrade", "search_path", "remote_write", "synchronous_commit"),  # PostgreSQL's
    "synchronous_standby_names",  # PostgreSQL's
    *("synchronous_mode", "synchronous_mode_strict"),  # Patroni's
    *("number_sync_standbys", "load_balance_mode"),  # of pg_auto_failover, and of Pgpool-II
    *(*_location.PARAMETERS, "oauth_client_secret", "scram_client_key"),  # its library's
    "suppress_env_files",  # ansible-runner's
    "new_record",  # in the platform's answer
    *("pull_request", "pull_request_target", "expose_as"),  # of GitHub Actions and GitLab CI
}
_ERRORS: list[type[_errors.DidError]] = [_errors.DidError, *_errors.DidError.__subclasses__()]
_FILTERS = sorted(path.stem for path in (COLLECTION / "plugins" / "filter").glob("[!_]*.py"))
_PLAYBOOKS = sorted(path.stem for path in (COLLECTION / "playbooks").glob("*.yml"))
KINDS = {error.kind for error in _ERRORS}


def _modules() -> Iterator[Any]:
    for module in SPECS:
        yield importlib.import_module(
            f"ansible_collections.nextbilling.did.plugins.modules.{module}"
        )


def _results(documented: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the names of results, those within others with a dot."""
    for name, result in documented.items():
        yield name
        yield path + name
        yield from _results(result.get("contains", {}), f"{path}{name}.")


def _properties(schema: Any) -> Iterator[str]:
    """Yield the names that a JSON schema gives to anything."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _properties(value)


@pytest.fixture(scope="module")
def known() -> set[str]:
    """All names that there are."""
    found = {*OTHERS, *SPECS, *KINDS, *_fields.BY_NAME, _ranges.LAST_NUMBER, "provision_result"}
    found.update(option for spec in SPECS.values() for option in spec())
    found.update(
        choice
        for spec in SPECS.values()
        for option in spec().values()
        for choice in option.get("choices", ())
    )
    found.update(f"provision_{option}" for option in SPECS["dids"]())
    found.update(entry.name for entry in _fields.DID_TYPES)
    found.update(_FILTERS)
    for playbook in _PLAYBOOKS:
        text = (COLLECTION / "playbooks" / f"{playbook}.yml").read_text("utf-8")
        found.update(re.findall(rf"\b{playbook}_\w+", text))
    found.add(_action.HOST_VARIABLE)
    for module in _modules():
        results = yaml.safe_load(module.RETURN)
        # Of an error, one module says what it consists of; the others refer to it.
        found.update(_results(results))
    schema = json.loads((COLLECTION / "docs" / "review.schema.json").read_text("utf-8"))
    return found | set(_properties(schema))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_in_sentences_are_names_of_something(document: str, known: set[str]) -> None:
    assert list(_problems(names(document), known)) == []


def _problems(spans: Iterable[tuple[int, str]], known: set[str]) -> Iterator[tuple[int, str]]:
    """Look at what is set as code, each with its line; yield lines and problems."""
    plugins = {f"nextbilling.did.{name}" for name in (*SPECS, *_FILTERS, *_PLAYBOOKS, "review")}
    variables = set(re.findall(r"NEXTBILLING_\w+", _all_documentation()))
    for line, text in spans:
        if re.fullmatch(r"[a-z]+[0-9]?(_[a-z0-9]+)+", text) and text not in known:
            yield line, f"{text} is no name of anything"
        if re.fullmatch(r"(error|registry|summary)\.(?!db|yml)\w+", text) and text not in known:
            yield line, f"{text} is no result"
        if text.startswith("nextbilling.did.") and text not in plugins:
            yield line, f"{text} is no plugin, role or playbook"
        if re.match(r"NEXTBILLING_\w+", text) and text.partition("=")[0] not in variables:
            yield line, f"{text} is no variable of the environment"
        if setting := re.fullmatch(r"([a-z]+(?:_[a-z0-9]+)*): (\w+)", text):
            yield from ((line, problem) for problem in _of_setting(*setting.groups()))


def _of_setting(option: str, value: str) -> Iterator[str]:
    """Look at an option with a value, such as C(state: present): some module must take it. Keywords of Ansible are not looked at."""
    if option in ("delegate_to", "error", "hosts", "no_log"):
        return
    specs = [spec()[option] for spec in SPECS.values() if option in spec()]
    errors = [
        ArgumentSpecValidator({option: spec})
        .validate({option: yaml.safe_load(value)})
        .error_messages
        for spec in specs
    ]
    if all(errors):
        yield f"{option}: {value} is taken by no module"


def _all_documentation() -> str:
    plugins = COLLECTION / "plugins"
    files = [
        *plugins.glob("doc_fragments/*.py"),
        *plugins.glob("modules/*.py"),
        *plugins.glob("callback/*.py"),
    ]
    return "\n".join(path.read_text("utf-8") for path in files)


def test_a_wrong_name_is_found(known: set[str]) -> None:
    wrong = (
        *("max_craetes", "registry.changed", "nextbilling.did.dip", "NEXTBILLING_TOKEN"),
        *("state: absent", "force: perhaps", "max_creates: few", "colour: red"),
    )
    right = ("max_creates", "registry.changed_at", "force: true", "state: copied", "did", "*.x")
    found = [number for number, _problem in _problems(enumerate((*wrong, *right)), known)]
    assert found == list(range(len(wrong)))


@pytest.mark.parametrize("language", ["", "_pt_br"])
def test_a_guide_explains_every_kind_of_error(language: str) -> None:
    table = re.findall(
        r"^   \* - ``(\w+)``\n     - .+\n     - .+$", read(f"{GUIDES}errors{language}.rst"), re.M
    )
    assert sorted(table) == sorted(KINDS)


@pytest.mark.parametrize("language", ["", "_pt_br"])
def test_the_first_steps_have_every_type_of_a_did(language: str) -> None:
    text = read(f"{GUIDES}first_steps{language}.rst")
    assert [each.name for each in _fields.DID_TYPES if f"``{each.name}``" not in text] == []


def test_the_modules_name_every_kind_of_error() -> None:
    told = set()
    for module in _modules():
        told.update(re.findall(r"C\((\w+)\)", str(yaml.safe_load(module.RETURN)["error"])))
    assert told >= KINDS
