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
  - Does for a list of DIDs, inline or from a file, what M(nextbilling.did.did) does for one DID. It handles the list in one task and reads the
    registry once.
  - The whole list is validated and planned before anything is sent. If an entry is invalid, the list is refused, and all invalid entries are
    reported at once, each with its position. A later failure of one DID, such as a refusal, does not stop the others.
  - The list is also refused if it contains the same DID twice, or if two entries refer to the same record.
  - SIGINT (Ctrl-C) or SIGTERM ends a run after the requests in flight. Their results are recorded, and the DIDs that were not attempted are reported.
  - A run also ends early after ten DIDs in a row without a clear answer, because the platform is then probably down or broken.
extends_documentation_fragment:
  - nextbilling.did.connection
  - nextbilling.did.registry
  - nextbilling.did.lists
  - nextbilling.did.policy
  - nextbilling.did.attributes
  - nextbilling.did.attributes.actiongroup_all
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - requests (Python library, 2.25.1 or newer), if a request is sent
  - PyYAML (Python library), to read a C(.yml) file
  - openpyxl (Python library, 3.0.3 or newer), to read an C(.xlsx) file
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
      - With O(force=true), edits are sent each time.
  platform:
    platforms: posix
options:
  dids:
    description:
      - The DIDs. Each entry is a dictionary with C(did_number), C(record_id) or both, and any of the fields of M(nextbilling.did.did), under the
        same names and with the same rules.
      - An entry with C(did_number) and C(last_number) declares all numbers from the first to the last. Write both in full, in any notation that
        O(nextbilling.did.did#module:did_number) accepts. They must have the same length. A range has at most 100,000 numbers and no C(record_id).
        In its C(description), C({number}) is replaced with each number. Elsewhere C({number}) is refused.
      - An export may be given as it is. C(outcome), C(attempt) and C(confirmed_at) have no effect.
      - Exactly one of O(dids) and O(src) is required.
    type: list
    elements: dict
  src:
    description:
      - A file with the content of O(dids), on the host where the module runs. Give an absolute path.
      - A C(.csv) file is in UTF-8, with or without a byte order mark, and has a header row, see O(columns). Cells are separated by semicolons, commas,
        tabs or C(|). An empty cell is not managed. The hosts of C(host_additional) are separated by spaces, commas or C(|). Empty rows and a line such as
        C(sep=;) may precede the header.
      - In an C(.xlsx) file, one sheet is read in the same way, see O(sheet). A cell is read as the sheet shows it. If that is not certain, it is refused
        with its sheet and cell, for example a date, a number with decimals, an error value, a merged cell, or a formula whose value
        is not stored or not calculated.
      - In a table, a word that programs write for a cell without a value is refused, such as C(NULL) or C(NaN), unless O(values) lists it.
      - In a table, flags may also be C(sim), C(não), C(s), C(n), C(x), C(VERDADEIRO) and C(FALSO), in capital or small letters.
      - In a C(.csv) file, a cell of exactly two quote characters is an empty value. An apostrophe is removed before a text that begins with C(=), C(+),
        C(-) or C(@), where the filter P(nextbilling.did.to_csv#filter) writes one.
      - A C(.json) or C(.yml) file contains a list of dictionaries. Put numbers and text in quotes. A duplicate key is refused. Of YAML, only the plain
        types are accepted, without dates and tags.
      - It must be a regular file of at most 256 MiB. An C(.xlsx) file may hold at most 256 MiB of XML.
      - The module cannot read a file that is encrypted with Ansible Vault. Have M(ansible.builtin.copy) decrypt it into a temporary file, or pass its
        content with O(dids).
    type: path
  defaults:
    description:
      - Values for all DIDs. A field that an entry omits, sets to null, or has as an empty cell takes its value from here.
      - C(did_number), C(last_number) and C(record_id) are not allowed here. A C(description) with C({number}) applies to ranges only.
    type: dict
  concurrency:
    description:
      - The maximum number of requests in flight, from 1 to 64.
      - A platform that does not accept simultaneous requests answers them with 429. The module then sends them again, at first one at a time and
        later more at once. It reports this in RV(backoff) and in a warning.
    type: int
    default: 1
  max_creates:
    description:
      - The maximum number of creates in the plan. If the plan contains more, nothing is sent and the task fails, in check mode too.
    type: int
  max_changes:
    description:
      - The maximum number of requests in the plan, including creates. If the plan contains more, nothing is sent and the task fails, in check mode too.
    type: int
  max_failures:
    description:
      - How many of the DIDs that are sent may fail before the run ends. The remaining DIDs are then not attempted and are reported. V(0) ends the run
        at the first failure.
      - Failures that the plan itself predicts do not count, because nothing is sent for these DIDs. They are conflicts with the registry and creates of
        unknown outcome.
      - A DID that the platform refuses counts in every run. If the limit is smaller than the number of such DIDs, every run ends at the same place.
    type: int
  apply_at_most:
    description:
      - Send only the first requests of the plan, for at most so many DIDs. DIDs that fail count, and retries do not. The remaining DIDs are
        C(not_attempted), with a warning. The task does not fail for that reason, and the next run continues with them.
      - A check run predicts the same. O(max_creates), O(max_changes) and O(plan_checksum) apply to the whole plan, so the checksum is another one after
        each run that sent something.
      - Useful for the first run after taking over a platform.
    type: int
    version_added: 2.0.0
  plan_checksum:
    description:
      - The RV(plan_checksum) of the reviewed plan, usually from a run in check mode. If the plan has changed, nothing is sent and the task fails.
      - An empty text is refused. Without a reviewed plan, leave the option out.
      - A checksum of release 1, which is without V(v2-), is refused. Review the plan again.
      - With this option, O(max_creates) or O(max_changes), a DID fails with C(plan_changed) if another run has changed what must be done for it since
        the plan was made. It does not fail if nothing is left to do.
    type: str
  report_unlisted:
    description:
      - Whether to return the DIDs that are in the registry for this platform but not in the list, as RV(unlisted). They are always counted and never
        changed.
    type: bool
    default: false
  details:
    description:
      - Whether the result describes each DID in detail. RV(dids) then also has C(fields) and C(request), and lists all DIDs in a failing run too, in
        place of RV(applied) and RV(not_attempted).
    type: bool
    default: false
    version_added: 2.0.0
  progress:
    description:
      - Whether to write lines for people to standard error. The result is the same.
      - While a long run is under way, a line says how many of the DIDs to send are done, how many per second, how much time is left, and how many failed.
        The first line comes after 5 seconds, and further ones at most every 10 seconds. A task that runs as a module writes none, see the
        attribute C(action).
      - At the end of each run, in check mode too, a line gives the totals of RV(summary). It also says why a task ran as a module. A run that a signal
        has stopped writes no such line.
      - With C(no_log), no line contains a count.
    type: bool
    default: true
    version_added: 2.0.0
notes:
  - The module must run where the registry is, usually on C(localhost).
  - If O(dids) comes from a template, C(from_json) and C(from_yaml) preserve quoted numbers.
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

- name: A spreadsheet with headers and words of its own
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/numeros.xlsx"
    sheet: Plan1
    columns:
      Número: did_number
      Assinante: customer_id
      Situação: status
      Observações: null
    values:
      status:
        Ativo: 1
        Inativo: 0

- name: Exactly what was reviewed
  nextbilling.did.dids:
    api_url: https://sip.nextbilling.com.br
    src: "{{ playbook_dir }}/dids.csv"
    plan_checksum: "{{ plan.plan_checksum }}"
"""

RETURN = r"""
summary:
  description:
    - The number of DIDs by what was done, or would be done in check mode. C(create), C(update), C(adopt), C(none), C(failed), C(unknown),
      C(unrecorded) and C(not_attempted) add up to C(total).
    - C(update) counts the DIDs that are edited. Read it as C(summary['update']), because Jinja reads C(summary.update) as a method of the dictionary.
  returned: success, or failure once there is a plan
  type: dict
  contains:
    total:
      description: DIDs that the list declares, including those of ranges.
      type: int
    create:
      description: Created.
      type: int
    adopt:
      description: Edited for the first time, under a record id from the task.
      type: int
    none:
      description: Already as declared.
      type: int
    failed:
      description: Certainly not applied, or in conflict with the registry.
      type: int
    unknown:
      description: Of unknown outcome. They may or may not have been applied.
      type: int
    unrecorded:
      description: Applied by the platform, but not recorded. RV(dids[].error) says what to do.
      type: int
      version_added: 2.0.0
    not_attempted:
      description: Not attempted, because the run ended early, the plan was not allowed, or O(apply_at_most) left it to a later run.
      type: int
    unlisted:
      description: DIDs that are in the registry for this platform, but not in the list.
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
  description:
    - One entry for each DID that was not already as declared.
    - If the task fails, it lists only the DIDs that failed, as many as a terminal shows on a page, because Ansible prints the result of a failed task.
      Those whose outcome cannot be found out elsewhere come first. RV(dids_omitted) counts the rest, and RV(applied) and RV(not_attempted) have the
      other DIDs. With O(details=true), it lists all.
  returned: success, or failure once there is a plan
  type: list
  elements: dict
  contains:
    index:
      description: The position of the DID's entry in the list or file, from 0.
      type: int
    source:
      description: File and line, or file and position, of the DID's entry. Null for an inline list.
      type: str
      sample: dids.csv, line 4
    outcome:
      description:
        - C(applied), C(planned) (in check mode), C(failed) (certainly not applied), C(unknown) (may or may not have been applied), C(unrecorded)
          (applied, but not in the registry) or C(not_attempted).
      type: str
    error:
      description:
        - What went wrong, as in M(nextbilling.did.did), with the message as C(msg). Null if nothing went wrong.
        - What to do about a create of unknown outcome is in the message of the task. With O(details=true), it is also in this one.
      type: dict
    action:
      description: As in M(nextbilling.did.did). Null if no plan could be made.
      type: str
      sample: create
    did_number:
      description: The number as last known.
      type: str
      sample: "1130001000"
    record_id:
      description: The platform's id of the record. Null if it is not known.
      type: int
      sample: 13
    changes:
      description: The fields that differ from what was last applied, as in M(nextbilling.did.did).
      type: dict
    label:
      description: By what people know the DID, as last known before the task, or else as declared.
      type: dict
      version_added: 2.0.0
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
    fields:
      description: With O(details=true), what is known of the DID after the task, as in M(nextbilling.did.did).
      type: dict
    request:
      description: With O(details=true), the request that was sent, or would be sent, as in M(nextbilling.did.did).
      type: dict
    similar_to:
      description: Numbers in the registry or the list that may be the number of this DID in another notation, see O(similar). Empty unless the DID is
        to be created.
      type: list
      elements: str
      sample: ["1130001000"]
      version_added: 2.0.0
    confirmed_at:
      description: When the platform last confirmed a request for this DID, in UTC. Null if it never did.
      type: str
      sample: "2026-01-31T12:00:00Z"
    before_confirmed_at:
      description: When the platform confirmed the values that are C(before) in the changes, in UTC. Null if nothing was known.
      type: str
      sample: "2026-01-31T12:00:00Z"
dids_omitted:
  description: The number of DIDs that failed and that RV(dids) leaves out.
  returned: with RV(applied)
  type: int
  version_added: 2.0.0
applied:
  description:
    - What a failing run has applied, or would apply in check mode, grouped by identical change, with the largest groups first.
    - At most 40 groups are listed, and only as many as a terminal shows on a page. RV(applied_omitted) counts the DIDs that they leave out.
  returned: failure once there is a plan, unless O(details=true)
  type: list
  elements: dict
  version_added: 2.0.0
  contains:
    action:
      description: As in M(nextbilling.did.did).
      type: str
      sample: create
    changes:
      description:
        - The fields that differ from what was last applied, as in RV(dids[].changes). If the group has several DIDs, C({number}) stands in the
          description, and in a changed number, where each DID has its own number.
      type: dict
    label:
      description: As in RV(dids[].label). A value that differs between the DIDs is null.
      type: dict
    ranges:
      description: The DIDs, as ranges of contiguous numbers. Each range has its first number, its last number, and their count. A DID that is known by
        its id alone is called such as C(record 13).
      type: list
      elements: list
      sample: [["1130001000", "1130001099", 100]]
applied_omitted:
  description: The number of DIDs that were applied and that RV(applied) leaves out.
  returned: with RV(applied)
  type: int
  version_added: 2.0.0
not_attempted:
  description: What a failing run has not attempted, grouped as in RV(applied). RV(not_attempted_omitted) counts the DIDs that are left out.
  returned: with RV(applied)
  type: list
  elements: dict
  version_added: 2.0.0
not_attempted_omitted:
  description: The number of DIDs that were not attempted and that RV(not_attempted) leaves out.
  returned: with RV(applied)
  type: int
  version_added: 2.0.0
unlisted:
  description: The DIDs that are in the registry for this platform, but not in the list.
  returned: with O(report_unlisted=true), success, or failure once there is a plan
  type: list
  elements: dict
  contains:
    did_number:
      description: The number. Null for a record known by its id alone.
      type: str
    record_id:
      description: The platform's id of the record. Null if it is not known.
      type: int
    outcome:
      description: C(confirmed), C(unknown), C(uncertain) or C(under_way), as in M(nextbilling.did.did_info).
      type: str
plan_checksum:
  description:
    - V(v2-) and the SHA-256 of the whole plan, for O(plan_checksum). It covers the platform, the registry, and the action, record id, known
      values and declared values of each DID, with secrets as fingerprints.
  returned: success, or failure once there is a plan
  type: str
  sample: v2-5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
run:
  description:
    - The id of this run in the registry. O(nextbilling.did.did_info#module:runs) shows it, and each line of
      RV(nextbilling.did.did_info#module:history) names its run.
    - Null in check mode, and if nothing was sent.
  returned: success, or failure once there is a plan
  type: str
  version_added: 2.0.0
backoff:
  description: How the module reacted to refusals of simultaneous requests. Null if there were none.
  returned: success, or failure once there is a plan
  type: dict
  contains:
    refusals:
      description: The number of requests that were answered 429 while others were in flight.
      type: int
    concurrency:
      description: The lowest number of concurrent requests that the module then used.
      type: int
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
  description:
    - What went wrong, for programs, as in M(nextbilling.did.did). If single DIDs failed, it is the error of the first DID that is C(unrecorded), or
      else of the first DID that failed. C(kind) may also be C(limit_exceeded) or C(plan_changed).
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
