#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: did_info
short_description: Tell what the registry knows of DIDs of NextBilling platforms
version_added: 1.0.0
description:
  - Returns the records of a registry, and what the registry is. It never calls a platform, changes nothing and creates nothing.
  - What it tells is what this collection last applied, and when; the platform itself cannot be asked.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
  platform:
    platforms: posix
options:
  did_number:
    description:
      - Only the DID with this number. In quotes, and written in a way that O(nextbilling.did.did#module:did_number) takes.
    type: raw
  record_id:
    description:
      - Only the record with this id.
    type: int
  outcome:
    description:
      - Only records that are shown with this outcome.
      - V(confirmed) is one whose last request the platform confirmed, V(unknown) one whose create may or may not have taken effect, V(uncertain)
        one whose last edit may or may not have been applied.
      - V(under_way) is one that a run holds. The run may still be at work on it, so there is nothing to decide yet.
    type: str
    choices:
      - confirmed
      - unknown
      - uncertain
      - under_way
  history:
    description:
      - Whether history is returned too. Who corrected a record by hand, when, and what was before; and answers that came too late.
    type: bool
    default: false
notes:
  - Records of all platforms are returned unless O(platform) names one; O(api_url) does not count. The other options of the connection are
    accepted so that C(module_defaults) can be the same for all modules.
seealso:
  - module: nextbilling.did.did
  - module: nextbilling.did.did_registry
"""

EXAMPLES = r"""
- name: Find the DIDs that need a decision
  nextbilling.did.did_info:
    outcome: unknown
  register: open_dids

- name: Fail if there are any
  ansible.builtin.assert:
    that: open_dids.dids | length == 0
    fail_msg: "Look these up on the platform: {{ open_dids.dids | map(attribute='did_number') | join(', ') }}"

- name: Which record is this number, and who said so
  nextbilling.did.did_info:
    did_number: "1130001000"
    history: true
"""

RETURN = r"""
dids:
  description: The records that match, in the order of their numbers.
  returned: success
  type: list
  elements: dict
  contains:
    platform:
      description: The name of the record's platform.
      type: str
      sample: sip.nextbilling.com.br:443
    did_number:
      description: The number; null for a record known by its id alone.
      type: str
      sample: "1130001000"
    record_id:
      description: The platform's id of the record; null where it is not known.
      type: int
      sample: 13
    outcome:
      description: C(confirmed), C(unknown), C(uncertain) or C(under_way), as in O(outcome).
      type: str
    attempt:
      description:
        - Which create it is, where the outcome of a create is not known; else null. Each create is another attempt.
          M(nextbilling.did.did_registry) takes it with C(state=forgotten).
        - It is null while the create is under way, as what the platform holds then says nothing of what it will hold.
      type: str
      sample: 18ec00842ff4938e690a92f04fc7a01c
    claim:
      description: The run that holds the record, where RV(dids[].outcome) is C(under_way); else null.
      type: dict
      contains:
        action:
          description: What it does, C(create), C(update) or C(adopt).
          type: str
        holder:
          description: Who runs it, as user@host.
          type: str
        ends_at:
          description: When it ends at the latest, in UTC. If the run has died, the record is no longer under way from then on.
          type: str
          sample: "2026-01-31T12:00:00Z"
    fields:
      description: What the platform last confirmed. Secrets are replaced by marks.
      type: dict
    attempted:
      description: What requests of unknown outcome have sent since. Secrets are replaced by marks.
      type: dict
    confirmed_at:
      description: When the platform last confirmed a request, in UTC; null if never.
      type: str
      sample: "2026-01-31T12:00:00Z"
    history:
      description: The lines of RV(history) that speak of this record.
      returned: if O(history=true)
      type: list
      elements: dict
history:
  description: Corrections by hand, and answers that came too late, oldest first; also of DIDs that have no record any more.
  returned: if O(history=true)
  type: list
  elements: dict
  contains:
    at:
      description: When, in UTC.
      type: str
    actor:
      description: Who ran it, as user@host.
      type: str
    event:
      description: C(recorded), C(forgotten), or C(answered) for an answer that did not fit its record any more.
      type: str
    platform:
      description: The name of the platform.
      type: str
    did_number:
      description: The digits of the number, where one is known.
      type: str
    record_id:
      description: The record id, where one is known.
      type: int
    details:
      description: What was before, or what was sent, and the C(attempt) that was forgotten. Secrets are replaced by marks.
      type: dict
registry:
  description: The registry.
  returned: success
  type: dict
  contains:
    id:
      description: Its id, for O(registry_id).
      type: str
    location:
      description: Where it is.
      type: str
    moved_to:
      description: Where it was moved with M(nextbilling.did.did_registry); null for a registry in use. One that was moved can only be looked at.
      type: str
    schema:
      description: The version of its schema.
      type: int
    platforms:
      description: The names of the platforms that it knows.
      type: list
      elements: str
    counts:
      description: How many records are shown with each outcome, over all platforms.
      type: dict
    changed_at:
      description: When it last changed, in UTC; null if never.
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
from ansible_collections.nextbilling.did.plugins.module_utils._module.did_info import (
    did_info_spec,
    read_registry,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import run
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Module


def main() -> None:
    run(Module(did_info_spec()), read_registry)


if __name__ == "__main__":
    main()
