# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_entries
short_description: Turn DIDs of did_info into entries that dids and did_registry accept
version_added: 2.0.0
description:
  - Returns an entry for each DID that M(nextbilling.did.did_info) has returned, to be given to O(nextbilling.did.dids#module:dids) or
    O(nextbilling.did.did_registry#module:dids), or to be written to a C(.json) file.
  - An entry has C(did_number), C(record_id), the fields that are known, C(confirmed_at), C(attempt) and C(outcome). Passwords are left out.
  - The fields of an open create are those that it has sent. A field that an edit of unknown outcome may have changed is left out. If this is the
    number, C(did_number) is null.
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
    content: "{{ known.dids | nextbilling.did.to_entries | to_nice_json(sort_keys=false, ensure_ascii=false) }}"
    dest: "{{ playbook_dir }}/dids.json"
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

import typing as t
from collections.abc import Callable

from ansible_collections.nextbilling.did.plugins.module_utils._module.export_formats import Entry
from ansible_collections.nextbilling.did.plugins.plugin_utils import _export


@_export.as_filter
def to_entries(dids: object) -> list[Entry]:
    """Return DIDs as did_info has returned them as entries of a list."""
    return _export.entries(dids)


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return it by its name."""
        return {"to_entries": to_entries}
