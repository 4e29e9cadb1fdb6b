# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_yaml
short_description: Write DIDs as a YAML file that dids and did_registry read back
version_added: 2.0.0
description:
  - Returns the text of a C(.yml) file with an entry for each DID that M(nextbilling.did.did_info) has returned, as P(nextbilling.did.to_entries#filter)
    has it. Passwords are left out.
  - All text is in quotes, unlike in the output of P(ansible.builtin.to_nice_yaml#filter). A number that a person edits or copies therefore keeps its
    zeros.
author:
  - nextbilling.did contributors (@nextbilling-did)
options:
  _input:
    description:
      - The list C(dids) of a result of M(nextbilling.did.did_info). All DIDs must be of one platform.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: nextbilling.did.to_entries
    plugin_type: filter
  - plugin: nextbilling.did.to_csv
    plugin_type: filter
  - module: nextbilling.did.did_info
"""

EXAMPLES = r"""
- name: Read all DIDs of a platform from the registry
  nextbilling.did.did_info:
    platform: sip.nextbilling.com.br:443
  register: known

- name: Write them to a file
  ansible.builtin.copy:
    content: "{{ known.dids | nextbilling.did.to_yaml }}"
    dest: "{{ playbook_dir }}/dids.yml"
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
"""

import typing as t
from collections.abc import Callable

from ansible_collections.nextbilling.did.plugins.plugin_utils import _export


@_export.as_filter
def to_yaml(dids: object) -> str:
    """Return DIDs as did_info has returned them as the text of a YAML file."""
    return _export.to_yaml(_export.entries(dids))


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return it by its name."""
        return {"to_yaml": to_yaml}
