#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: did_info
short_description: Show what the registry knows of the DIDs of NextBilling platforms
version_added: 1.0.0
description:
  - Returns the records of a registry, and information about the registry itself. It never calls a platform and never changes anything.
  - The records show what this collection last applied, and when. The platform itself cannot be queried.
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
      - Return only the DID with this number. Put it in quotes, in any notation that O(nextbilling.did.did#module:did_number) accepts.
    type: raw
  record_id:
    description:
      - Return only the record with this id.
    type: int
  outcome:
    description:
      - Return only records with this outcome.
      - V(confirmed) means that the platform confirmed the last request. V(unknown) means that the create may or may not have been applied.
        V(uncertain) means that the last edit may or may not have been applied.
      - V(under_way) means that a run has claimed the record and may still be working on it. No decision is needed yet.
    type: str
    choices:
      - confirmed
      - unknown
      - uncertain
      - under_way
  history:
    description:
      - Whether to return the history too. It contains what runs changed, corrections by hand with the previous state, and late answers, with who
        made each of them, and when.
      - With O(did_number), O(record_id) or O(outcome), only the lines about these DIDs are returned.
    type: bool
    default: false
  runs:
    description:
      - How many of the newest runs to return. A run is a task of M(nextbilling.did.did) or M(nextbilling.did.dids) that sent something.
      - Consecutive runs of one C(ansible-playbook) process are returned as one, so a loop over M(nextbilling.did.did) counts once. Tasks that run on
        another host than Ansible's, or on a system without C(/proc), are returned each by itself.
    type: int
    default: 0
    version_added: 2.0.0
notes:
  - Returns the records of all platforms unless O(platform) names one. O(api_url) does not select a platform. The other options of the connection
    are accepted so that C(module_defaults) can be the same for all modules.
  - The filters P(nextbilling.did.to_csv#filter), P(nextbilling.did.to_yaml#filter) and P(nextbilling.did.to_entries#filter) turn
    RV(dids) into lists that M(nextbilling.did.dids) and M(nextbilling.did.did_registry) read. To write all DIDs of a platform to a file, use
    M(nextbilling.did.did_registry) with C(state=exported), which does not hold them in memory.
seealso:
  - module: nextbilling.did.did
  - module: nextbilling.did.did_registry
  - plugin: nextbilling.did.to_csv
    plugin_type: filter
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

- name: Which record is this number, and who changed it
  nextbilling.did.did_info:
    did_number: "1130001000"
    history: true
  register: known

- name: Show the DID with its fields and its history
  ansible.builtin.debug:
    var: known.dids

- name: What the last run did, also if it was interrupted
  nextbilling.did.did_info:
    runs: 1
  register: last

- name: Show it without the DIDs, which are in the result too
  ansible.builtin.debug:
    var: last.runs
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
      description: The number. Null for a record known by its id alone.
      type: str
      sample: "1130001000"
    record_id:
      description: The platform's id of the record. Null if it is not known.
      type: int
      sample: 13
    outcome:
      description: C(confirmed), C(unknown), C(uncertain) or C(under_way), as in O(outcome).
      type: str
    attempt:
      description:
        - Identifies the create whose outcome is unknown. Otherwise null. Each create is a new attempt. M(nextbilling.did.did_registry) takes it with
          C(state=forgotten).
        - Null while the create is under way, because the platform's state can still change.
      type: str
      version_added: 2.0.0
      sample: 18ec00842ff4938e690a92f04fc7a01c
    claim:
      description: The claim of the run that is working on the record, if RV(dids[].outcome) is C(under_way). Otherwise null.
      type: dict
      version_added: 2.0.0
      contains:
        action:
          description: The action of the run, C(create), C(update) or C(adopt).
          type: str
        holder:
          description: Who runs it, as user@host.
          type: str
        ends_at:
          description: When the claim ends at the latest, in UTC. If the run was killed, the record is no longer under way from then on.
          type: str
          sample: "2026-01-31T12:00:00Z"
    fields:
      description: What the platform last confirmed. Marks replace secrets.
      type: dict
    attempted:
      description: What requests of unknown outcome have sent since. Marks replace secrets.
      type: dict
    confirmed_at:
      description: When the platform last confirmed a request, in UTC. Null if it never did.
      type: str
      sample: "2026-01-31T12:00:00Z"
    history:
      description: The lines of RV(history) about this record.
      returned: if O(history=true)
      type: list
      elements: dict
history:
  description: What runs changed, corrections by hand, and late answers, oldest first. It also contains those of DIDs that no longer have a record.
  returned: if O(history=true)
  type: list
  elements: dict
  contains:
    at:
      description: The time, in UTC.
      type: str
    actor:
      description: Who ran it, as user@host.
      type: str
    event:
      description:
        - C(applied) for a request that the platform applied, or C(answered) for an answer that no longer fitted its record.
        - C(recorded) or C(forgotten) for a correction by hand.
        - C(migrated) for what was known of a DID when the registry of release 1.0 was migrated. C(at) is then when its record was last changed.
      type: str
    action:
      description: The action of the request, C(create), C(update) or C(adopt). Null for a correction, and for an answer that release 1.0 wrote.
      type: str
      version_added: 2.0.0
    run:
      description: The run that sent the request, as in RV(runs[].runs). Null for a correction, and for an answer that release 1.0 wrote.
      type: str
      version_added: 2.0.0
    platform:
      description: The name of the platform.
      type: str
    did_number:
      description: The digits of the number, if one is known.
      type: str
    record_id:
      description: The record id, if one is known.
      type: int
    details:
      description:
        - For C(applied), C(changes), a dictionary from a field's name to its value C(before) and C(after), as in RV(nextbilling.did.did#module:changes).
        - Otherwise the previous state or what was sent, the C(attempt) that was forgotten, and the key of a record that is gone
          (C(record_key)).
        - Marks replace secrets.
      type: dict
runs:
  description: The newest runs, newest first. Empty for a registry that release 1.0 wrote and that has not been migrated.
  returned: if O(runs) is not 0
  type: list
  elements: dict
  version_added: 2.0.0
  contains:
    runs:
      description: The ids of the runs that are returned as one, oldest first. M(nextbilling.did.dids) returns its own as RV(nextbilling.did.dids#module:run).
      type: list
      elements: str
      sample: [18ec00842ff4938e690a92f04fc7a01c]
    platform:
      description: The name of the platform.
      type: str
    actor:
      description: Who ran it, as user@host.
      type: str
      sample: ana@runner
    session:
      description: Identifies the C(ansible-playbook) process. Null if it is not known.
      type: str
    result:
      description:
        - C(completed) if every DID is as declared, C(failed) if some DIDs failed, C(stopped) if the run ended early.
        - C(under_way) if a request may be in flight. C(interrupted) if the run did not record its end, because it was killed, or if it is waiting
          between two requests.
        - Of several runs, the result of the one that ended worst.
      type: str
    began_at:
      description: When it began, in UTC.
      type: str
      sample: "2026-01-31T12:00:00Z"
    ended_at:
      description: When it ended, in UTC. Null if that was not recorded.
      type: str
    lists:
      description:
        - The lists that it applied, with C(name), the name of the file, or C(dids) for an inline list, and C(digest).
        - Equal digests mean that the lists declared the same. The digest depends on the registry and on O(api_key), because a list may contain passwords.
        - Empty for M(nextbilling.did.did).
      type: list
      elements: dict
    applied:
      description:
        - The number of requests that the platform applied, as C(create), C(update) and C(adopt).
        - Those whose lines of history M(nextbilling.did.did_registry) has deleted (C(state=pruned)) are not counted.
      type: dict
    open:
      description: The number of its requests of which nobody knows, as of now, whether they were applied. Those under way are included.
      type: int
registry:
  description: The registry.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the registry, for O(registry_id).
      type: str
    location:
      description: The path or URL of the registry.
      type: str
    moved_to:
      description: Where M(nextbilling.did.did_registry) has moved it. Null for a registry in use. A registry that was moved can only be read.
      type: str
    schema:
      description: The version of the registry's schema.
      type: int
    platforms:
      description: The names of the platforms that the registry knows.
      type: list
      elements: str
    counts:
      description: The number of records with each outcome, over all platforms.
      type: dict
    changed_at:
      description: When the registry was last changed, in UTC. Null if it never was.
      type: str
witness:
  description: What the witness (O(witness)) shows of the registry, for O(platform) or for all platforms. Null if it is turned off.
  returned: success
  type: dict
  version_added: 2.0.0
  contains:
    path:
      description: The file of the platform, or the folder of the registry if there are several platforms.
      type: str
    entries:
      description: The number of its lines. A DID may have several.
      type: int
    missing:
      description: The number of DIDs that the registry has lost. If there are any, there is a warning too.
      type: int
error:
  description: What went wrong, for programs, as in M(nextbilling.did.did).
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
