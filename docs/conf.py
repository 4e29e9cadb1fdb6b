# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Sphinx builds the site of the documentation. Sources come from antsibull-docs; see the session "docs" of noxfile.py."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "nextbilling.did"
project_copyright = "nextbilling.did contributors"

extensions = ["sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_title = "nextbilling.did"
html_show_sphinx = False
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


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", _refer_elsewhere)
