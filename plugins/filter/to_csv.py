# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_csv
short_description: Write DIDs as a CSV file that dids and did_registry read back
version_added: 2.0.0
description:
  - Returns the text of a C(.csv) file with a header row and a row for each DID that M(nextbilling.did.did_info) has returned.
  - M(nextbilling.did.dids) and M(nextbilling.did.did_registry) read the file back with the same values. Passwords are left out.
  - A row has what P(nextbilling.did.to_entries#filter) returns for the DID.
  - An empty cell means "not managed". A cell of two quote characters, which is C(\"\"\"\"\"\") in the file, is an empty value.
  - An apostrophe precedes a text that a spreadsheet would take for a formula, which is a text that begins with C(=), C(+), C(-) or C(@). It also
    precedes such a character inside a text, after a separator or a line break. Reading the file removes the apostrophe. The guide
    R(Export,ansible_collections.nextbilling.did.docsite.export) has the exact rule.
author:
  - nextbilling.did contributors (@nextbilling-did)
options:
  _input:
    description:
      - The list C(dids) of a result of M(nextbilling.did.did_info). All DIDs must be of one platform.
    type: list
    elements: dict
    required: true
  separator:
    description:
      - The character between two cells.
    type: str
    choices: [";", ",", "|", "\t"]
    default: ";"
  bom:
    description:
      - Whether the text begins with a byte order mark. Excel reads a file without one in another character set than UTF-8.
    type: bool
    default: true
  all_fields:
    description:
      - Whether to write a column for every field, passwords included, even if all of its cells are empty. Otherwise, only columns with a value are
        written.
    type: bool
    default: false
seealso:
  - plugin: nextbilling.did.to_entries
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
    content: "{{ known.dids | nextbilling.did.to_csv }}"
    dest: "{{ playbook_dir }}/dids.csv"
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
def to_csv(dids: object, separator: str = ";", bom: bool = True, all_fields: bool = False) -> str:
    """Return DIDs as did_info has returned them as the text of a CSV file."""
    return _export.to_csv(
        _export.entries(dids), separator=separator, bom=bom, all_fields=all_fields
    )


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return it by its name."""
        return {"to_csv": to_csv}
