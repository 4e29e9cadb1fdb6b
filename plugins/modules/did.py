#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: did
short_description: Keep one DID (inbound number) of a NextBilling platform as declared
version_added: 1.0.0
description:
  - Creates a DID (C(PUT)) or edits it (C(POST)) if the declared parameters differ from the parameters last applied. Otherwise it does nothing.
  - The platform can create a DID and edit one. It cannot list the DIDs that exist. The module therefore compares the declared parameters with the
    registry, which holds what this collection last applied. A change made by hand on the platform is not detected. O(force=true) sends all
    declared fields in any case.
  - No DID is ever created twice as long as its registry is kept. If the outcome of a create is unknown, the task fails, and the DID is not changed
    until somebody has looked it up on the platform.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.fields
  - nextbilling.did.policy
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - requests (Python library, 2.25.1 or newer), if a request is sent
attributes:
  check_mode:
    support: full
    details:
      - Sends nothing and writes nothing. It reads the registry and predicts what a run would do.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true), an edit is sent each time.
  platform:
    platforms: posix
options:
  record_id:
    description:
      - The platform's id of the record, if it is known. Needed once for a DID that already exists and is not in the registry.
      - A record id that is not in the registry is adopted. The module sends all declared fields to it and records it.
    type: int
  renumber:
    description:
      - Whether the record O(record_id) may get the number O(did_number) if the registry knows it under another number.
    type: bool
    default: false
notes:
  - The module must run where the registry is, usually on C(localhost).
  - In a loop over items that contain passwords, Ansible itself prints a failing item, regardless of C(label). Use M(nextbilling.did.dids), or set
    C(no_log) on the task.
seealso:
  - module: nextbilling.did.did_registry
"""

EXAMPLES = r"""
- name: A DID that leads to a queue
  nextbilling.did.did:
    api_url: https://sip.nextbilling.com.br
    api_token: "{{ vault_nextbilling_token }}"
    api_key: "{{ vault_nextbilling_key }}"
    did_number: "1130001000"
    customer_id: 13
    description: Support
    did_type: queue
    did_type_id: 7
    host: 192.168.0.2
    port: 5060
    host_additional:
      - 192.168.0.1
      - 192.168.0.3

# Token and key come from NEXTBILLING_API_TOKEN and NEXTBILLING_API_KEY from here on.
- name: Take over a DID that exists already, as record 12
  nextbilling.did.did:
    api_url: https://sip.nextbilling.com.br
    did_number: "1130001001"
    record_id: 12
    description: Sales

- name: Edit a record whose number does not matter
  nextbilling.did.did:
    api_url: https://sip.nextbilling.com.br
    record_id: 12
    description: Número Entrante Editado
    host: 192.168.0.2
    port: 5060

- name: Give record 12 a new number
  nextbilling.did.did:
    api_url: https://sip.nextbilling.com.br
    record_id: 12
    did_number: "1130001002"
    renumber: true

- name: Put back what was changed by hand on the platform
  nextbilling.did.did:
    api_url: https://sip.nextbilling.com.br
    did_number: "1130001000"
    host: 192.168.0.2
    force: true
"""

RETURN = r"""
action:
  description: What was done, or would be done in check mode.
  returned: success
  type: str
  sample: update
  choices:
    - create
    - update
    - adopt
    - none
did_number:
  description: The number as last known. Null for a record known by its id alone.
  returned: success
  type: str
  sample: "1130001000"
record_id:
  description: The platform's id of the record. Null for a create in check mode.
  returned: success
  type: int
  sample: 13
changes:
  description:
    - The fields that differ from what was last applied, each with C(before) and C(after) as sent to the platform. C(before) is null if the value is
      not known. Marks replace secrets.
    - An edit also rewrites values that differ only in spelling, such as a number with a C(+). They are included. A difference in spelling alone does
      not cause an edit.
  returned: success
  type: dict
  sample:
    port:
      before: 5060
      after: 5061
label:
  description: By what people know the DID, as last known before the task, or else as declared.
  returned: success, or failure once the DID was looked up
  type: dict
  contains:
    customer_id:
      description: The customer. Null if it is not known.
      type: int
    description:
      description: The description. Null if it is not known.
      type: str
  sample:
    customer_id: 13
    description: Support
  version_added: 2.0.0
fields:
  description: What is known of the DID after the task, as sent to the platform. In check mode, what would be known. Marks replace secrets.
  returned: success
  type: dict
  sample:
    customer_id: 13
    did_number: "1130001000"
    port: 5061
request:
  description: The request that was sent, or would be sent in check mode.
  returned: if a request is sent
  type: dict
  contains:
    method:
      description: C(PUT) for a create, C(POST) for an edit.
      type: str
      sample: POST
    path:
      description: The path, with marks in place of token and key.
      type: str
      sample: /api/manageDID/***/***/13
    body:
      description: The JSON body, with marks in place of secrets.
      type: dict
run:
  description:
    - The id of this run in the registry. O(nextbilling.did.did_info#module:runs) shows it, and each line of
      RV(nextbilling.did.did_info#module:history) names its run.
    - Null in check mode, and if nothing was sent.
  returned: success, or failure once the DID was planned
  type: str
  version_added: 2.0.0
similar_to:
  description: Numbers in the registry that may be the number of this DID in another notation, see O(similar). Empty unless the DID is created.
  returned: success
  type: list
  elements: str
  sample: ["1130001000"]
  version_added: 2.0.0
confirmed_at:
  description: When the platform last confirmed a request for this DID, in UTC. Null if it never did. In check mode, the current value.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00Z"
before_confirmed_at:
  description: When the platform confirmed the values that are C(before) in RV(changes), in UTC. Null if nothing was known. The same in check mode.
  returned: success
  type: str
  sample: "2026-01-31T12:00:00Z"
platform:
  description: The name under which the records of this platform are kept.
  returned: success, or failure once the registry is open
  type: str
  sample: sip.nextbilling.com.br:443
registry:
  description: The registry that was used.
  returned: success, or failure once the registry is open
  type: dict
  contains:
    id:
      description: The id of the registry, for O(registry_id).
      type: str
    location:
      description: The path or URL of the registry.
      type: str
error:
  description: What went wrong, for programs.
  returned: failure
  type: dict
  contains:
    kind:
      description:
        - One of C(invalid_parameter), C(unreachable), C(refused), C(throttled), C(unknown_outcome), C(unrecorded), C(conflict),
          C(similar_number), C(registry_unavailable), C(registry_mismatch), C(registry_busy), C(interrupted) (by a signal) or C(internal_error) (a bug in
          the collection).
        - C(unrecorded) means that the platform applied the request, but it could not be written to the registry. The result then has C(changed),
          RV(error.record_id) is the platform's id, and the message contains the play that records it.
      type: str
    http_status:
      description: The status of the platform's answer, if there was one.
      type: int
    reason:
      description:
        - The C(reason) from the platform's answer, cut at 500 characters.
        - Null if the answer has none, or if it contains a part of a secret. In the latter case RV(ignore:msg) says that it is withheld.
      type: str
    did_number:
      description: The number of the DID that the task is about.
      type: str
    record_id:
      description: The record id that the task is about, or that the platform returned.
      type: int
    attempt:
      description:
        - Identifies the create whose outcome is unknown. Null for other errors. M(nextbilling.did.did_registry) takes it with C(state=forgotten).
      type: str
      version_added: 2.0.0
      sample: 18ec00842ff4938e690a92f04fc7a01c
"""

# It has to be imported before the others.
from ansible_collections.nextbilling.did.plugins.module_utils import (  # noqa: F401  # pylint: disable=unused-import
    _compiling,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.did import (
    converge_did,
    did_spec,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import run
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Module


def main() -> None:
    run(Module(did_spec()), converge_did)


if __name__ == "__main__":
    main()
