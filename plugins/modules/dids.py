#!/usr/bin/python
# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dids
short_description: Keep many DIDs (inbound numbers) of a NextBilling platform as declared
version_added: 1.0.0
description:
  - Does for a whole list, inline or from a file, what M(nextbilling.did.did) does for one DID, in one task and with one look at the registry.
  - The whole list is checked and planned before anything is sent. An item that is not valid refuses the list, and all such items are reported at
    once, each with its place. What stops a single DID later, such as a refusal, stops that DID alone.
  - The same DID twice, or two items that turn out to be one record, refuse the list too.
  - SIGINT (Ctrl-C) or SIGTERM ends a run after the requests under way. They are recorded, and what was not attempted is reported.
  - A run also ends early when ten DIDs in a row get no clear answer from the platform, as it is then down or broken.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.policy
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - requests (Python library, 2.25.1 or newer), where a request is sent
  - PyYAML (Python library), to read a C(.yml) file
attributes:
  check_mode:
    support: full
    details:
      - Sends nothing and writes nothing. It reads the registry, and predicts what a run would do.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true) edits are sent each time.
  platform:
    platforms: posix
options:
  dids:
    description:
      - The DIDs. Each is a dictionary with C(did_number), C(record_id) or both, and any of the fields of M(nextbilling.did.did), under the same
        names and with the same rules.
      - An item with C(last_number) beside C(did_number) stands for all numbers from the one to the other. Both are written in full and in any way that
        O(nextbilling.did.did#module:did_number) takes. They have the same length and are 100,000 at the most, and C(record_id) cannot go with
        them. In its C(description), C({number}) is replaced by each number. Anywhere else C({number}) is refused.
      - Exactly one of O(dids) and O(src) is needed.
    type: list
    elements: dict
  src:
    description:
      - A file that holds what O(dids) would, where the module runs. Give an absolute path.
      - C(.csv), in UTF-8 with or without a byte order mark, has a header row of field names. Cells are separated by semicolons, commas, tabs or
        C(|), an empty cell is not managed, and the hosts of C(host_additional) are separated by spaces or C(|). Flags may be C(VERDADEIRO) and
        C(FALSO). Empty rows, and a line such as C(sep=;), may stand above the header.
      - C(.json) and C(.yml) hold a list of dictionaries. Numbers and text must be in quotes there too. A key that stands twice is refused. YAML is read
        with its plain types alone, without dates and tags.
      - It must be a regular file of at most 256 MiB.
      - A file that Ansible Vault encrypted cannot be read here. Give its content by O(dids) then.
    type: path
  defaults:
    description:
      - Fields for all DIDs. One that an item leaves out, has as null, or has as an empty cell, takes its value from here.
      - C(did_number), C(last_number) and C(record_id) are each DID's own and cannot be here. A C(description) with C({number}) is for ranges alone.
    type: dict
  concurrency:
    description:
      - How many requests may be under way at once, from 1 to 64.
      - The platform answers 429 to simultaneous requests where it does not take them. They are then sent again one by one, more are tried later,
        and RV(backoff) and a warning say so.
    type: int
    default: 1
  max_creates:
    description:
      - How many creates the plan may hold. If there are more, nothing is sent and the task fails, in check mode too.
    type: int
  max_changes:
    description:
      - How many requests the plan may hold, creates included. If there are more, nothing is sent and the task fails, in check mode too.
    type: int
  max_failures:
    description:
      - How many of the DIDs that are sent may fail before the run ends. The DIDs that are not attempted then are reported. V(0) ends it at the
        first failure.
      - DIDs that the plan itself shows to fail do not count, as nothing is sent for them. These are conflicts with the registry, and creates whose
        outcome is still not known.
      - A DID that the platform refuses in each run counts in each run. So the number must be larger than that of the DIDs which are known to
        be refused, or the run ends at the same place each time.
    type: int
  plan_checksum:
    description:
      - The RV(plan_checksum) of the plan that was reviewed, usually of a run in check mode. If the plan is another one now, nothing is sent and the
        task fails.
      - With this option, O(max_creates) or O(max_changes), a DID for which another run makes something else necessary in the meantime fails with
        C(plan_changed). One for which nothing is left to do does not.
    type: str
  report_unlisted:
    description:
      - Whether to return the DIDs which the registry knows on this platform and the list does not name, as RV(unlisted). They are counted in any
        case, and never touched.
    type: bool
    default: false
notes:
  - It runs where the registry is, usually on C(localhost).
  - Where O(dids) comes from a template, C(from_json) or C(from_yaml) keep numbers in quotes as they are.
seealso:
  - module: nextbilling.did.did
  - module: nextbilling.did.did_registry
"""

EXAMPLES = r"""
- name: DIDs in the playbook
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    api_token: "{{ vault_nextbilling_token }}"
    api_key: "{{ vault_nextbilling_key }}"
    defaults:
      customer_id: 13
      did_type: queue
    dids:
      - did_number: "1130001000"
        did_type_id: 7
        description: Support
      - did_number: "1130001001"
        did_type_id: 8
        description: Sales

# Token and key come from NEXTBILLING_API_TOKEN and NEXTBILLING_API_KEY from here on.
- name: A block of a hundred numbers
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    dids:
      - did_number: "1130002000"
        last_number: "1130002099"
        description: Customer 42, {number}
        customer_id: 42

- name: All DIDs of a spreadsheet
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/dids.csv"
    max_creates: 50
    max_failures: 20
  register: plan
  check_mode: true

- name: Exactly what was reviewed
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/dids.csv"
    plan_checksum: "{{ plan.plan_checksum }}"
"""

RETURN = r"""
summary:
  description:
    - How many DIDs there are, by what was done, or would be done in check mode. C(create), C(update), C(adopt), C(none), C(failed), C(unknown),
      C(unrecorded) and C(not_attempted) together are C(total).
    - C(update) counts those that are edited. Read it as C(summary['update']), since C(summary.update) means a method of the dictionary to Jinja.
  returned: success, or failure once there is a plan
  type: dict
  contains:
    total:
      description: DIDs that the list declares, those of ranges included.
      type: int
    create:
      description: Created.
      type: int
    adopt:
      description: Edited for the first time, under a record id that the task gives.
      type: int
    none:
      description: As declared already.
      type: int
    failed:
      description: Certainly not applied, or in conflict with the registry.
      type: int
    unknown:
      description: Not known whether they were applied.
      type: int
    unrecorded:
      description: Applied by the platform, which could not be recorded. What to do is in RV(dids[].error).
      type: int
    not_attempted:
      description: Not come to, as the run ended early, or nothing of the plan was allowed.
      type: int
    unlisted:
      description: DIDs which the registry knows on this platform, and the list does not name.
      type: int
  sample:
    total: 500
    create: 3
    update: 2
    adopt: 0
    none: 494
    failed: 0
    unknown: 1
    unrecorded: 0
    not_attempted: 0
    unlisted: 12
dids:
  description: One entry for each DID that was not as declared already.
  returned: success, or failure once there is a plan
  type: list
  elements: dict
  contains:
    index:
      description: The position of its item in the list or file, from 0.
      type: int
    source:
      description: File and line, or file and position, of its item; null for an inline list.
      type: str
      sample: dids.csv, line 4
    outcome:
      description:
        - C(applied); C(planned) in check mode; C(failed), certainly not applied; C(unknown), may or may not be applied; C(unrecorded), applied and
          not in the registry; or C(not_attempted).
      type: str
    error:
      description: What went wrong, as in M(nextbilling.did.did), with the words for people as C(msg); null if nothing did.
      type: dict
    action:
      description: As in M(nextbilling.did.did); null where no plan could be made.
      type: str
      sample: create
    did_number:
      description: The number as last known.
      type: str
      sample: "1130001000"
    record_id:
      description: The platform's id of the record; null where it is not known.
      type: int
      sample: 13
    changes:
      description: The fields that differ from what was last applied, as in M(nextbilling.did.did).
      type: dict
    fields:
      description: What is known of the DID after the task, as in M(nextbilling.did.did).
      type: dict
    request:
      description: The request that was, or would be, sent, as in M(nextbilling.did.did).
      type: dict
    confirmed_at:
      description: When the platform last confirmed a request for this DID, in UTC; null if never.
      type: str
      sample: "2026-01-31T12:00:00Z"
    before_confirmed_at:
      description: When the platform confirmed what stands as C(before) in the changes, in UTC; null where nothing was known.
      type: str
      sample: "2026-01-31T12:00:00Z"
unlisted:
  description: The DIDs which the registry knows on this platform, and the list does not name.
  returned: with O(report_unlisted=true), success, or failure once there is a plan
  type: list
  elements: dict
  contains:
    did_number:
      description: The number; null for a record known by its id alone.
      type: str
    record_id:
      description: The platform's id of the record; null where it is not known.
      type: int
    outcome:
      description: C(confirmed), C(unknown), C(uncertain) or C(under_way), as in M(nextbilling.did.did_info).
      type: str
plan_checksum:
  description:
    - SHA-256 of the whole plan, for O(plan_checksum). It covers the platform, the registry, and each DID's action, record id, known and declared
      values, secrets as fingerprints.
  returned: success, or failure once there is a plan
  type: str
  sample: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
backoff:
  description: How refusals of simultaneous requests were met; null if there were none.
  returned: success, or failure once there is a plan
  type: dict
  contains:
    refusals:
      description: How many requests were answered 429 while others were under way.
      type: int
    concurrency:
      description: The least number of requests that were then allowed at once.
      type: int
platform:
  description: The name under which the records of this platform are kept.
  returned: success, or failure once there is a plan
  type: str
  sample: sip.nextbilling.com.br:443
registry:
  description: The registry that was used.
  returned: success, or failure once there is a plan
  type: dict
  contains:
    id:
      description: Its id, for O(registry_id).
      type: str
    location:
      description: Where it is.
      type: str
error:
  description:
    - What went wrong, for machines, as in M(nextbilling.did.did). Where single DIDs failed, it is the error of the first that is C(unrecorded), or
      else of the first that failed. C(kind) may also be C(limit_exceeded) or C(plan_changed).
  returned: failure
  type: dict
"""

# It has to be imported before the others.
from ansible_collections.nextbilling.did.plugins.module_utils import (  # noqa: F401  # pylint: disable=unused-import
    _compiling,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.dids import (
    converge_dids,
    dids_spec,
)
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import run
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import Module


def main() -> None:
    run(Module(dids_spec()), converge_dids)


if __name__ == "__main__":
    main()
