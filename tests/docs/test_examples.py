# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in README, guides and module documentation parses, and names what the collection has."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import read_items
from ansible_collections.nextbilling.did.plugins.module_utils._module.arguments import shared_spec
from ansible_collections.nextbilling.did.plugins.module_utils._module.did import did_spec
from ansible_collections.nextbilling.did.plugins.module_utils._module.did_info import did_info_spec
from ansible_collections.nextbilling.did.plugins.module_utils._module.did_registry import (
    did_registry_spec,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.dids import dids_spec
from ansible_collections.nextbilling.did.tests.docs import given
from ansible_collections.nextbilling.did.tests.docs.examples import (
    COLLECTION,
    DOCUMENTS,
    Example,
    examples,
    passages,
    yaml_examples,
)

NAMESPACE = "nextbilling.did."
SPECS: dict[str, Callable[[], dict[str, dict[str, Any]]]] = {
    "did": did_spec,
    "dids": dids_spec,
    "did_info": did_info_spec,
    "did_registry": did_registry_spec,
}
# What is not known before Ansible has looked at its variables.
_TEMPLATE = "{{"


def test_the_specs_are_those_of_all_modules() -> None:
    modules = {path.stem for path in (COLLECTION / "plugins" / "modules").glob("*.py")}
    assert modules - {"__init__"} == set(SPECS)


_WITHOUT_EXAMPLE = ("benchmark", "fault_matrix", "scale", "stops")


def test_there_is_something_to_check() -> None:
    assert {"README.md", "README.pt-BR.md", "roles/provision/README.md"} < set(DOCUMENTS)
    for document in DOCUMENTS:
        if Path(document).stem.removesuffix("_pt_br") not in _WITHOUT_EXAMPLE:
            assert examples(document), f"{document} shows no example"


@pytest.mark.parametrize("example", yaml_examples(), ids=lambda example: example.place)
def test_an_example_is_right(example: Example) -> None:
    problems = list(_problems(example.parse()))
    assert not problems, f"{example.place}: {problems}"


@pytest.mark.parametrize("module", SPECS)
def test_the_examples_of_a_module_are_right(module: str) -> None:
    name = f"ansible_collections.nextbilling.did.plugins.modules.{module}"
    documented = yaml.safe_load(importlib.import_module(name).EXAMPLES)
    assert documented
    assert not list(_problems(documented))


@pytest.mark.parametrize(
    ("document", "translation"),
    [
        ("README.md", "README.pt-BR.md"),
        ("docs/docsite/rst/first_steps.rst", "docs/docsite/rst/first_steps_pt_br.rst"),
    ],
)
def test_a_translation_shows_the_same(document: str, translation: str) -> None:
    shown, translated = (
        [each for each in examples(name) if each.language.startswith("yaml")]
        for name in (document, translation)
    )
    for one, other in zip(shown, translated, strict=True):
        assert _without_words(one.parse()) == _without_words(other.parse()), other.place


@pytest.mark.parametrize(("translation", "document"), given.SAME_EXAMPLES.items())
def test_a_translation_has_the_examples_of_its_original(translation: str, document: str) -> None:
    shown, translated = (
        [(each.language, each.text) for each in passages(name)] for name in (document, translation)
    )
    assert translated == shown


def _without_words(node: Any) -> Any:
    """Leave out what is meant for people."""
    if isinstance(node, dict):
        return {
            key: None if key in ("name", "description") else _without_words(value)
            for key, value in node.items()
        }
    return [_without_words(element) for element in node] if isinstance(node, list) else node


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tables_are_read(document: str, tmp_path: Path) -> None:
    for example in examples(document):
        if example.is_table:
            path = tmp_path / "dids.csv"
            path.write_text(example.text, encoding="utf-8")
            _items, problems = read_items(None, str(path), ranges=True)
            assert not problems, (example.place, problems)


def test_a_mistake_is_found() -> None:
    for task, words in (
        ("nextbilling.did.ddi: {}", "no module"),
        ("nextbilling.did.did: {did_nummer: '1'}", "did_nummer"),
        ("nextbilling.did.dids: {update_password: never}", "on_create"),
        ("nextbilling.did.dids: {dids: [{did_number: 1130001000}]}", "quoted string"),
        ("nextbilling.did.dids: {defaults: {prot: 5060}}", "prot"),
        ("nextbilling.did.dids: {src: dids.csv}", "absolute"),
        ("nextbilling.did.did_registry: {state: recorded, dids: [{description: x}]}", "did_number"),
        ("module_defaults: {group/nextbilling.did.all: {did_number: '1'}}", "did_number"),
        ("role: nextbilling.did.provision\n  vars: {provision_sorce: x}", "provision_sorce"),
    ):
        problems = list(_problems(yaml.safe_load(f"- {task}")))
        assert len(problems) == 1 and words in problems[0], (task, problems)


def _problems(node: Any) -> Iterator[str]:
    """Look for tasks, roles and defaults of this collection anywhere in a document; yield what is wrong with them."""
    if isinstance(node, list):
        for element in node:
            yield from _problems(element)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        name = str(key).removeprefix("group/")
        if name == f"{NAMESPACE}all":
            yield from _of_options(shared_spec(), value)
        elif name.startswith(NAMESPACE):
            yield from _of_task(name.removeprefix(NAMESPACE), value or {})
        else:
            yield from _problems(value)
    # Variables of the role stand in a dictionary of their own, wherever that is.
    if "role" in node or any(str(key).startswith("provision_") for key in node):
        yield from _of_role(node)


def _of_task(module: str, parameters: dict[str, Any]) -> Iterator[str]:
    if module not in SPECS:
        yield f"{module} is no module of the collection"
        return
    yield from _of_options(SPECS[module](), parameters)
    yield from _of_lists(module, parameters)


def _of_options(spec: dict[str, dict[str, Any]], parameters: dict[str, Any]) -> Iterator[str]:
    literal = {name: value for name, value in parameters.items() if _TEMPLATE not in str(value)}
    unknown = {name: None for name in parameters if name not in spec}
    yield from ArgumentSpecValidator(spec).validate({**literal, **unknown}).error_messages


def _of_lists(module: str, parameters: dict[str, Any]) -> Iterator[str]:
    source = parameters.get("src")
    if source is not None and not source.startswith(("/", "~", _TEMPLATE)):
        yield f"src: {source} is no absolute path"
    ranges = module == "dids"
    defaults = parameters.get("defaults", {})
    if isinstance(parameters.get("dids"), list):
        yield from read_items(parameters["dids"], None, defaults=defaults, ranges=ranges)[1]
    elif defaults:
        # An item of nothing but a number: what remains to be said is said of the defaults.
        yield from (
            problem
            for problem in read_items([{"did_number": "1"}], None, defaults=defaults)[1]
            if problem.startswith("defaults")
        )


def _of_role(node: dict[str, Any]) -> Iterator[str]:
    role = node.get("role", f"{NAMESPACE}provision")
    if role != f"{NAMESPACE}provision":
        yield f"{role} is no role of the collection"
        return
    specs = yaml.safe_load(
        (COLLECTION / "roles" / "provision" / "meta" / "argument_specs.yml").read_text("utf-8")
    )
    known = {*specs["argument_specs"]["main"]["options"], "provision_result"}
    yield from (
        f"{name} is no variable of {role}"
        for name in node
        if name.startswith("provision_") and name not in known
    )
