#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: did_registry
short_description: Create and keep the registry of DIDs of a NextBilling platform
version_added: 1.0.0
description:
  - The registry holds the last known record id and parameters of each DID. This is the only module that creates it, brings it to the
    schema of a new release, or makes a platform known to it.
  - It also takes in what only a person can know, as the platform cannot be asked. Which DIDs exist there already, and which do not.
  - It never calls the platform, and needs no API credentials.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - PyYAML (Python library), to read a C(.yml) file
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
      - V(present) makes the registry exist, have the schema of this release, and know the platform. The file gets mode 0600, a folder that is
        made for it mode 0700.
      - V(recorded) takes O(dids) for what the platform holds. A later task sends only what differs from that. It also resolves a create
        whose outcome was not known, for a DID that was found on the platform.
      - V(forgotten) takes O(dids) out of the registry; the platform is untouched. It resolves a create whose outcome was not known, for a DID
        that was looked for and is not on the platform. A task that declares the DID afterwards creates it. It speaks of the one create that
        C(attempt) names, and of none that was begun since. So it changes nothing when it is said again, whatever has become of the number.
      - V(copied) moves a whole registry from O(copy_from) to O(registry), with its id, all platforms, records, claims and history. The source is retired. Every
        task that still names it is refused and says where it moved to, as two copies in use would create DIDs twice. What is under way is waited for
        (O(registry_timeout)). If the task is interrupted, neither place is in use, and the same task completes the move. A target that
        holds another registry is refused.
      - With V(recorded), what a run is about to do is waited for (O(registry_timeout)). V(forgotten) never waits. While a run is at work on one of
        the DIDs it is refused, as nobody has seen yet what comes of that.
      - With V(recorded) and V(forgotten) the whole list is refused if one entry does not fit, and each correction leaves a line in the registry's
        history.
    type: str
    choices:
      - present
      - recorded
      - forgotten
      - copied
    default: present
  dids:
    description:
      - The DIDs to record or to forget. Each is a dictionary with C(did_number), C(record_id) or both, and, to record, any of the fields of
        M(nextbilling.did.did), under the same names and with the same rules.
      - To record a DID, C(record_id) is needed. To forget one whose C(record_id) is known, it is needed too.
      - To forget a create whose outcome is not known, C(attempt) is needed beside C(did_number). It is the word of 32 hexadecimal digits that
        M(nextbilling.did.did_info) and the error C(unknown_outcome) give for it, in quotes. To record, it is not needed, and without effect.
      - A C(password) is recorded as a fingerprint made with O(api_key). Without O(api_key) it counts as not known.
    type: list
    elements: dict
  src:
    description:
      - A file that holds O(dids), where the module runs. Give an absolute path.
      - It is written as O(nextbilling.did.dids#module:src) is, but without ranges. C(.csv), in UTF-8, has a header row of field names, and C(.json) and
        C(.yml) hold a list of dictionaries, with numbers and text in quotes.
    type: path
  overwrite:
    description:
      - Whether O(state=recorded) may replace another record id or number that the registry knows; or settle a renumbering for the number before it;
        or give a create whose outcome is not known a record id that was forgotten before it. Never leave it in a playbook.
      - With O(state=copied), whether O(registry) may lose another state of the same registry, which may know DIDs that O(copy_from) does not; or O(copy_from)
        may be one that was moved before, where its target is not in use and never will be.
      - With O(state=present), whether a registry that was moved, in whole or in part, is taken into use again. If its target is in use, both create
        what the other has created already.
      - Entries of one list that would change the same record are refused all the same, as their order would matter.
    type: bool
    default: false
  another_platform:
    description:
      - With O(state=present), whether the platform may be added to a registry that knows other platforms, even if they have no DIDs there yet.
      - Without it such a task is refused. A second name for a platform that the registry knows would let every DID be created again, so first see
        whether O(platform) should be one of the names that the message lists.
    type: bool
    default: false
    version_added: 2.0.0
  copy_from:
    description:
      - The registry to move to O(registry), with O(state=copied). A path or a URL, as O(registry).
    type: str
  copy_from_password:
    description:
      - Password for O(copy_from), as O(registry_password) is for O(registry).
    type: str
notes:
  - Run it with O(state=present) once, not in every playbook, or a registry that got lost would be replaced by an empty one. With O(registry_id)
    it never creates one.
  - The options of the connection are accepted so that C(module_defaults) can be the same for all modules. Of them, only O(api_url) is read, for
    the platform's name, and O(api_key), for fingerprints of passwords.
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

- name: Several runners share the registry from now on, so it moves from a file to PostgreSQL
  nextbilling.did.did_registry:
    state: copied
    copy_from: /var/lib/nextbilling-did/registry.db
    registry: postgresql://nextbilling_owner@db.example.com/provisioning?sslmode=verify-full
    registry_password: "{{ vault_registry_password }}"
"""

RETURN = r"""
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
      description: Its id, for O(registry_id); null in check mode where it would be created.
      type: str
    location:
      description: Where it is.
      type: str
error:
  description: What went wrong, for machines; as in M(nextbilling.did.did).
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
