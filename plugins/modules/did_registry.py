#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: did_registry
short_description: Create and maintain the registry of DIDs of a NextBilling platform
version_added: 1.0.0
description:
  - The registry holds the last known record id and parameters of each DID. This is the only module that creates a registry, migrates it to the
    schema of a new release, or adds a platform to it.
  - The platform cannot be queried. This module therefore also records what only a person can know, which is which DIDs exist on the platform and which
    do not.
  - It never calls the platform and needs no API credentials.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.lists
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - PyYAML (Python library), to read a C(.yml) file
  - openpyxl (Python library, 3.0.3 or newer), to read an C(.xlsx) file
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    platforms: posix
options:
  state:
    description:
      - V(present) ensures that the registry exists, has the schema of this release, and knows the platform. The file gets mode 0600. A folder that is
        created for it gets mode 0700.
      - V(recorded) records O(dids) as the platform's current state. A later task sends only what differs from that. It also settles a create of unknown
        outcome for a DID that was found on the platform.
      - V(forgotten) removes O(dids) from the registry. The platform is not changed. It settles a create of unknown outcome for a DID that was looked up
        and is not on the platform. A later task that declares the DID creates it. It applies only to the create that C(attempt) names, and not to a later
        one. A repeated task therefore changes nothing, whatever has happened to the number since.
      - V(settled) takes an export of open DIDs that a person has filled in. An entry with a C(record_id) is recorded, with its number and id alone,
        because its fields are what was sent and not what the platform holds. An entry whose C(outcome) is C(absent) is forgotten with its C(attempt).
        Any other entry states nothing, so its DID stays open and is returned in RV(open). The playbook C(nextbilling.did.settle) uses this state.
      - V(exported) writes the DIDs of a platform to the file O(dest), from which M(nextbilling.did.dids) and O(state=recorded) read them back. It changes
        nothing in the registry. Its memory does not grow with the number of DIDs. The playbook C(nextbilling.did.export) uses this state.
      - V(copied) moves a whole registry from O(copy_from) to O(registry), with its id, all platforms, records, claims and history. It waits for requests
        in flight (O(registry_timeout)). The source is retired. Every task that still names it is refused with the new location, because two copies in use
        would create DIDs twice. If the task is interrupted, neither location can be used until the same task completes the move. A target that holds
        another registry is refused.
      - V(pruned) deletes what the history holds of a platform from before O(keep_history), and the runs of which nothing is left then. It never touches
        a record, the newest line of a DID, a line of a DID whose outcome is open, or a line about a DID that was forgotten.
      - V(recorded) waits for runs that are working on the DIDs (O(registry_timeout)). V(forgotten) does not wait. It is refused while a run is working on
        one of the DIDs, because nobody can have seen the result of that run yet.
      - With V(recorded), V(forgotten) and V(settled), the whole list is refused if one entry does not fit. Each correction adds a line to the registry's
        history.
    type: str
    choices:
      - present
      - recorded
      - forgotten
      - settled
      - exported
      - copied
      - pruned
    default: present
  dids:
    description:
      - The DIDs to record or to forget. Each entry is a dictionary with C(did_number), C(record_id) or both. To record, it may have any of the fields of
        M(nextbilling.did.did), under the same names and with the same rules.
      - C(record_id) is required to record a DID, and to forget a DID whose record id is known.
      - C(did_number) and C(attempt) are required to forget a create of unknown outcome. C(attempt) has 32 hexadecimal digits. It is returned by
        M(nextbilling.did.did_info) and by the error C(unknown_outcome). Put it in quotes. It has no effect with O(state=recorded).
      - C(outcome) and C(confirmed_at), which an export has too, have no effect, apart from C(outcome) with O(state=settled).
      - A C(password) is recorded as a fingerprint that is made with O(api_key). Without O(api_key) it counts as unknown.
    type: list
    elements: dict
  src:
    description:
      - A file with the content of O(dids), on the host where the module runs. Give an absolute path.
      - It has the format of O(nextbilling.did.dids#module:src), but without ranges. A C(.csv) or C(.xlsx) file has a header row. A C(.json) or C(.yml)
        file contains a list of dictionaries, with numbers and text in quotes.
      - With O(state=recorded), it can be a file of the witness (O(witness)). Only the DIDs that the registry has lost are then recorded.
    type: path
  overwrite:
    description:
      - With O(state=recorded), whether to replace another record id or number in the registry, to settle a renumbering in favour of the previous number,
        or to give a create of unknown outcome a record id that was forgotten before it. Never leave it in a playbook.
      - With O(state=copied), whether to overwrite another state of the same registry in O(registry), which may know DIDs that O(copy_from) does not, or to
        use an O(copy_from) that was moved before. The latter requires that its target is not in use and never will be.
      - With O(state=present), whether to return to a registry that was moved completely or in part. If its target is in use, each registry creates the DIDs
        that the other has already created. A registry that has not arrived is taken into use only if the registry that it was moved from is not there any
        more.
      - Entries of one list that change the same record are refused in any case, because the result would depend on their order.
    type: bool
    default: false
  another_platform:
    description:
      - With O(state=present), whether the platform may be added to a registry that knows other platforms, even if they have no DIDs there yet.
      - Without it, such a task is refused. With a second name for a known platform, every DID would be created again. First check whether O(platform)
        should be one of the names in the message.
    type: bool
    default: false
    version_added: 2.0.0
  accept_older:
    description:
      - With O(state=present), whether to accept the registry as it is, although the witness (O(witness)) shows that it has lost DIDs, that another registry
        was at O(registry), or that another server has taken the place of its server.
      - The DIDs of the witness that the registry does not know are moved to a file beside the witness, which ends in C(.set-aside.csv). A task that declares
        one of them creates it. Use it only if these DIDs are not on the platform. Never leave it in a playbook.
    type: bool
    default: false
    version_added: 2.0.0
  copy_from:
    description:
      - The registry to move to O(registry), with O(state=copied). A path or a URL, like O(registry).
    type: str
  copy_from_password:
    description:
      - The password for O(copy_from), like O(registry_password) for O(registry).
    type: str
  keep_history:
    description:
      - With O(state=pruned), how far back the history reaches. A number of hours (V(h)), days (V(d)) or weeks (V(w)).
    type: str
    version_added: 2.0.0
  dest:
    description:
      - With O(state=exported), the file to write, on the host where the module runs. Give an absolute path that ends in C(.csv), C(.json) or C(.yml),
        which selects the format. The guide R(Export,ansible_collections.nextbilling.did.docsite.export) describes it.
      - The file is replaced as a whole, and only if its content changes. Its folder must exist. A draft and a copy of the entries stand there while the
        module runs.
      - If the registry knows several platforms, O(platform) is required. O(api_url) does not select one.
    type: path
    version_added: 2.0.0
  mode:
    description:
      - With O(state=exported), the mode of the file, as octal digits in quotes. If it is omitted, the mode is V(0600).
    type: raw
    version_added: 2.0.0
  outcome:
    description:
      - With O(state=exported), only DIDs with this outcome, as in O(nextbilling.did.did_info#module:outcome).
    type: str
    choices:
      - confirmed
      - unknown
      - uncertain
      - under_way
    version_added: 2.0.0
  progress:
    description:
      - Whether to write lines about the progress to standard error while a long list is recorded or forgotten. See
        O(nextbilling.did.dids#module:progress).
    type: bool
    default: true
    version_added: 2.0.0
notes:
  - Run the module with O(state=present) once, not in every playbook. Otherwise it would replace a lost registry with an empty one. With O(registry_id) it
    never creates a registry.
  - The options of the connection are accepted so that C(module_defaults) can be the same for all modules. Only O(api_url) and O(api_key) are used, for
    the platform's name and for fingerprints of passwords.
seealso:
  - module: nextbilling.did.did
"""

EXAMPLES = r"""
- name: Create the registry once, and make the platform known to it
  nextbilling.did.did_registry:
    api_url: https://sip.nextbilling.com.br
    registry: /var/lib/nextbilling-did/registry.db
  register: registry

- name: Show the id to pin as registry_id
  ansible.builtin.debug:
    var: registry.registry.id

# The registry comes from NEXTBILLING_REGISTRY from here on.
- name: Take over DIDs that exist on the platform already
  nextbilling.did.did_registry:
    state: recorded
    api_url: https://sip.nextbilling.com.br
    dids:
      - did_number: "1130001000"
        record_id: 12
        description: Support
        port: 5060
      - did_number: "1130001001"
        record_id: 13

- name: Take over all that an export of the platform lists
  nextbilling.did.did_registry:
    state: recorded
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/dids.csv"

- name: A second platform, with DIDs of its own, shares the registry
  nextbilling.did.did_registry:
    platform: sip.other.example.com:443
    another_platform: true

- name: A create had an unknown outcome, and the DID is not on the platform
  nextbilling.did.did_registry:
    state: forgotten
    api_url: https://sip.nextbilling.com.br
    dids:
      - did_number: "1130001002"
        attempt: "18ec00842ff4938e690a92f04fc7a01c"

- name: Several creates had an unknown outcome, and a person has looked them up and filled in the export of them
  nextbilling.did.did_registry:
    state: settled
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/open.csv"

- name: Write all DIDs of the platform to a file
  nextbilling.did.did_registry:
    state: exported
    platform: sip.nextbilling.com.br:443
    dest: "{{ playbook_dir }}/dids.csv"

- name: The history reaches back a year
  nextbilling.did.did_registry:
    state: pruned
    api_url: https://sip.nextbilling.com.br
    keep_history: 365d

- name: Several runners share the registry from now on, so it moves from a file to PostgreSQL
  nextbilling.did.did_registry:
    state: copied
    copy_from: /var/lib/nextbilling-did/registry.db
    registry: postgresql://nextbilling_owner@db.example.com/provisioning?sslmode=verify-full
    registry_password: "{{ vault_registry_password }}"
"""

RETURN = r"""
pruned:
  description: What was deleted, or would be in check mode.
  returned: success, if O(state=pruned)
  type: dict
  version_added: 2.0.0
  contains:
    history:
      description: The number of lines of history.
      type: int
    runs:
      description: The number of runs.
      type: int
exported:
  description: The number of exported DIDs with each outcome, as in O(outcome).
  returned: success, if O(state=exported)
  type: dict
  version_added: 2.0.0
  sample:
    confirmed: 120
    unknown: 1
    uncertain: 0
    under_way: 0
platform:
  description: The name under which the platform's records are kept.
  returned: success, unless O(state=copied)
  type: str
  sample: sip.nextbilling.com.br:443
registry:
  description: The registry.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the registry, for O(registry_id). Null in check mode if the registry would be created.
      type: str
    location:
      description: The path or URL of the registry.
      type: str
summary:
  description: The number of entries that were recorded, that were forgotten, and that state nothing.
  returned: success, if O(state=settled)
  type: dict
  version_added: 2.0.0
  contains:
    recorded:
      description: Entries with a C(record_id).
      type: int
    forgotten:
      description: Entries whose C(outcome) is C(absent).
      type: int
    open:
      description: Entries that state nothing.
      type: int
open:
  description: The entries that state nothing, so that their DIDs stay open.
  returned: success, if O(state=settled)
  type: list
  elements: dict
  version_added: 2.0.0
  contains:
    did_number:
      description: The number.
      type: str
    source:
      description: The place of the entry in the file. Null for an entry of O(dids).
      type: str
error:
  description: What went wrong, for programs, as in M(nextbilling.did.did).
  returned: failure
  type: dict
"""

# It has to be imported before the others.
from ansible_collections.nextbilling.did.plugins.module_utils import (  # noqa: F401  # pylint: disable=unused-import
    _compiling,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.did_registry import (
    did_registry_spec,
    manage_registry,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import run
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Module


def main() -> None:
    run(Module(did_registry_spec()), manage_registry)


if __name__ == "__main__":
    main()
