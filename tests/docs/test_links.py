# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and guides read well as source, where the README's links lead, and all their links lead somewhere."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.docs.examples import COLLECTION, DOCUMENTS, read
from ansible_collections.nextbilling.did.tests.docs.given import GUIDES

# What only Sphinx renders: GitHub shows it as it is written.
_ROLE = re.compile(r":[a-z:]+:`(?!`)[^`]*`")
_LINK = re.compile(r"`[^`<]+<(?P<target>[^`>]+)>`_")
_REPOSITORY = "https://github.com/nextbilling-did/nextbilling.did/blob/main/"
_TRANSLATED = "_pt_br"
_SITE = yaml.safe_load(read("docs/docsite/extra-docs.yml"))["sections"]
PAGES = {f"{GUIDES}{name}.rst" for section in _SITE for name in section["toctree"]}
TRANSLATIONS = sorted(page for page in PAGES if _TRANSLATED in page)


def roles(text: str) -> list[str]:
    """Return the roles of Sphinx in a text."""
    return _ROLE.findall(text)


def links(document: str) -> list[str]:
    """Return the guides that a guide links to."""
    found = (link["target"] for link in _LINK.finditer(read(document)))
    return [GUIDES + target for target in found if "://" not in target]


def test_all_guides_are_pages_of_the_site() -> None:
    assert {document for document in DOCUMENTS if document.startswith(GUIDES)} == PAGES


def test_the_site_groups_the_guides_as_the_collection_does() -> None:
    groups = re.findall(
        r":caption: (.+)\n   :hidden:\n\n((?:   .+\n)+)", read("docs/site/index.rst")
    )
    grouped = {title: re.findall(r"^   docsite/(\w+)$", names, re.M) for title, names in groups}
    assert grouped == {section["title"]: section["toctree"] for section in _SITE}


@pytest.mark.parametrize("document", sorted(PAGES))
def test_a_guide_has_links_to_guides_and_no_roles(document: str) -> None:
    assert roles(read(document)) == []
    assert set(links(document)) <= PAGES


def test_a_role_is_found() -> None:
    for role in (":ref:`a.b`", ":ref:`a <a.b>`", ":ansplugin:`a.b#module`", ":py:mod:`json`"):
        assert roles(f"See {role}.") == [role]
    assert roles("``a: b``: `c <c.rst>`__, and ``:d:``") == []


@pytest.mark.parametrize("document", TRANSLATIONS)
def test_a_translation_and_its_original_link_to_each_other(document: str) -> None:
    original = document.replace(_TRANSLATED, "")
    assert original in links(document) and document in links(original)


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name.endswith(".md")])
def test_links_of_a_readme_lead_to_files(document: str) -> None:
    files = re.findall(rf"\({re.escape(_REPOSITORY)}([^)#]+)", read(document).replace("\n", " "))
    assert [name for name in files if not (COLLECTION / name).is_file()] == []


def test_the_portuguese_readme_links_to_all_translations() -> None:
    text = read("README.pt-BR.md")
    for page in TRANSLATIONS:
        assert f"{_REPOSITORY}{page})" in text
        assert f"{_REPOSITORY}{page.replace(_TRANSLATED, '')})" not in text
