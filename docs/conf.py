# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site of the documentation. Sources come from antsibull-docs; see the session "docs" of noxfile.py."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

project = "nextbilling.did"
project_copyright = "nextbilling.did contributors"

extensions = ["sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "nextbilling.did"
html_show_sphinx = False
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["site/static"]
html_css_files = ["site.css"]
language = "en"
antsibull_ext_color_scheme = "default"
# Colours of the tables of options and return values, which sphinx_antsibull_ext has for the light scheme alone or for the system's one:
# these follow the page's own switch.
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "antsibull-table-background-header": "var(--color-background-border)",
        "antsibull-table-background-even": "var(--color-background-primary)",
        "antsibull-table-background-odd": "var(--color-background-secondary)",
        "antsibull-table-border": "var(--color-background-border)",
    },
    "dark_css_variables": {
        "antsibull-narrowtable-background": "#48484b",
        "antsibull-option-type": "#ff93ff",
        "antsibull-option-elements": "#ff93ff",
        "antsibull-option-required": "#ff8282",
        "antsibull-option-version-added": "#71d471",
        "antsibull-option-aliases": "#71d471",
        "antsibull-option-default": "#adadff",
        "antsibull-option-sample": "#adadff",
        "antsibull-option-sample-header": "white",
        "antsibull-attribute-support-none": "#ff8282",
        "antsibull-attribute-support-partial": "#b6b600",
        "antsibull-attribute-support-full": "#00cc00",
    },
}
highlight_language = "YAML+Jinja"
nitpicky = True

# Labels of Ansible's own documentation that antsibull-docs and the guides refer to. The site is built without a look at other sites.
_ANSIBLE = "https://docs.ansible.com/ansible/latest"
_ELSEWHERE = {
    "action_plugins": f"{_ANSIBLE}/plugins/action.html",
    "ansible_configuration_settings": f"{_ANSIBLE}/reference_appendices/config.html",
    "callback_plugins": f"{_ANSIBLE}/plugins/callback.html",
    "common_return_values": f"{_ANSIBLE}/reference_appendices/common_return_values.html",
}
# Guides name plugins as literals and link to files, as both read well where no Sphinx renders them.
_GUIDE = re.compile(r"(?:docsite/)?(\w+)\.rst")
_PLUGIN = re.compile(r"nextbilling\.did\.\w+")
_KINDS = ("module", "role", "filter", "callback")
_LOGGER = logging.getLogger(__name__)
_BUILTIN = re.compile(r"ansible_collections\.ansible\.builtin\.(\w+_(?:module|lookup|filter))")


def _refer_elsewhere(
    _app: Sphinx,
    _environment: BuildEnvironment,
    node: addnodes.pending_xref,
    content: nodes.Element,
) -> nodes.reference | None:
    label = node["reftarget"]
    builtin = _BUILTIN.fullmatch(label)
    address = (
        f"{_ANSIBLE}/collections/ansible/builtin/{builtin[1]}.html"
        if builtin
        else _ELSEWHERE.get(label)
    )
    return address and nodes.reference("", "", content, internal=False, refuri=address)


def _link_guides(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let links to the files of guides lead to their pages, and literals that name a plugin to its page."""
    folder, slash, _name = page.rpartition("docsite/")
    if not slash and page != "index":
        return
    for link in doctree.findall(nodes.reference):
        if guide := _GUIDE.fullmatch(link.get("refuri", "")):
            target = f"{folder}docsite/{guide[1]}"
            if target not in app.env.found_docs:
                _LOGGER.warning("no such guide: %s", link["refuri"], location=link)
                continue
            link["refuri"] = app.builder.get_relative_uri(page, target)
            link["internal"] = True
    labels = app.env.domaindata["std"]["anonlabels"]
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        if _PLUGIN.fullmatch(name) and not isinstance(literal.parent, nodes.reference):
            found = (labels.get(f"ansible_collections.{name}_{kind}") for kind in _KINDS)
            if label := next(filter(None, found), None):
                address = f"{app.builder.get_relative_uri(page, label[0])}#{label[1]}"
                link = nodes.reference("", "", literal.deepcopy(), internal=True, refuri=address)
                literal.replace_self(link)


def _drop_contents(_app: Sphinx, doctree: nodes.document) -> None:
    """Remove the lists of a page's sections: the theme shows one beside each page, and an error in the place of a second one."""
    for topic in [each for each in doctree.findall(nodes.topic) if "contents" in each["classes"]]:
        topic.parent.remove(topic)


def _tell_language(
    _app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Have a translation say its language, which screen readers and browsers obey."""
    if page.endswith("_pt_br"):
        context["language"] = "pt-BR"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("doctree-read", _drop_contents)
    app.connect("html-page-context", _tell_language)
    app.connect("doctree-resolved", _link_guides)
    app.connect("missing-reference", _refer_elsewhere)
