# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  customer_id:
    description:
      - ID of the customer who owns the DID; V(0) for a DID that is for sale.
    type: int
  description:
    description:
      - Name or description of the DID. In quotes, unless it certainly reads as text.
    type: raw
  rate_id:
    description:
      - ID of the sale plan, if applicable.
    type: int
  rate_cost_id:
    description:
      - ID of the cost plan, if applicable.
    type: int
  did_number:
    description:
      - The number. Digits with an optional leading C(+) are taken as they are, with a warning if there are more than 15 of them.
      - Spaces, dots, hyphens and brackets are dropped where people write them in one telephone number, as in C(+55 11 3000-1000). Everything
        else is refused, such as C(1130001000.0), C(1,13E+09), a range, a date or a number with an extension.
      - It is what makes a DID the same DID, by its digits alone; a C(+) that comes or goes is no change.
      - Put it in quotes. YAML reads an unquoted number with a leading zero as another number, so anything but a string is refused.
    type: raw
  did_type:
    description:
      - 'What the DID does, by name or by the platform''s code: V(ip) (0), V(line) (1), V(extension_menu) (4), V(queue) (5), V(ivr) (6),
        V(reverse_callback) (8), V(reverse_ivr) (9), V(audio_test) (10).'
      - V(ip), V(line), V(extension_menu) and V(reverse_ivr) need O(device_id) beside it, V(queue) and V(ivr) need O(did_type_id).
    type: str
  did_type_id:
    description:
      - ID of the queue or of the IVR block to which O(did_type) leads.
    type: int
  device_id:
    description:
      - ID of the IP line, for the types that need the line which pays for the call.
    type: int
  host:
    description:
      - IP address or host name of the DID's provider.
    type: raw
  port:
    description:
      - Port of the provider.
    type: int
  username:
    description:
      - User name at the provider, if applicable. In quotes if it consists of digits.
      - Here and in the other fields that may hold digits alone, but for O(password), space around the value is dropped, and what a spreadsheet makes
        of a number or of an error is refused, such as C(1,13E+09), C(1130001000.0) and C(#N/A).
    type: raw
  password:
    description:
      - Password at the provider, if applicable. In quotes if it consists of digits.
      - It is sent as it is given. Space, a line break or another character that is not seen is refused at its beginning and at its end.
      - It is never shown. The registry holds a keyed fingerprint of it, so that a change is noticed.
    type: raw
  techprefix1:
    description:
      - Tech prefix to send, for O(did_type=ip). In quotes.
    type: raw
  ip_address1:
    description:
      - Host to send the call to, for O(did_type=ip).
    type: raw
  port1:
    description:
      - Port to send the call to, for O(did_type=ip).
    type: int
  techprefix2:
    description:
      - Tech prefix of the backup, for O(did_type=ip). In quotes.
    type: raw
  ip_address2:
    description:
      - Host of the backup, for O(did_type=ip).
    type: raw
  port2:
    description:
      - Port of the backup, for O(did_type=ip).
    type: int
  callerid_add:
    description:
      - Caller ID to add to the original one. In quotes.
    type: raw
  max_calls:
    description:
      - How many calls there may be at the same time.
    type: int
  play_audio:
    description:
      - Whether audio is played for busy, no answer, number does not exist and the like.
    type: bool
  hide_from_reseller:
    description:
      - Whether the provider's data are hidden from the reseller.
    type: bool
  enable_fixed:
    description:
      - Whether calls from national fixed lines are accepted.
    type: bool
  enable_mobile:
    description:
      - Whether calls from national mobile lines are accepted.
    type: bool
  enable_ddi:
    description:
      - Whether calls from abroad are accepted.
    type: bool
  register:
    description:
      - Whether the platform registers the DID at the provider.
    type: bool
  status:
    description:
      - Status of the record; on the vendor's other pages V(0) is inactive and V(1) is active.
    type: int
  annotations:
    description:
      - Notes on the record. In quotes, unless they certainly read as text.
    type: raw
  host_additional:
    description:
      - Further hosts of the provider. Their order does not matter.
      - Whether the platform replaces the list that it holds, or adds to it, is not documented.
    type: list
    elements: raw
notes:
  - A field that is omitted or null is not managed. It is not sent, and its last known value is kept. An empty string, V(0), V(false) and an
    empty list are values, and sent as such.
  - Text is text alone. YAML makes 750 of an unquoted C(12:30), 8 of C(0010), 1.1 of C(1.10) and a boolean of C(yes), so a number or a boolean is
    refused where text is meant. Put it in quotes. Where a template gives a number that is meant as text, write C(| string) behind it; from
    ansible-core 2.19 on a template keeps the type of what it gives.
  - What stands in place of a secret in results and reviews (C(***), C(*** (new)) and the like, C(VALUE_SPECIFIED_IN_NO_LOG_PARAMETER),
    C($REDACTED$), C(<redacted>), eight asterisks) is refused as a value. C({number}) is refused too, but for the C(description) of a range in
    M(nextbilling.did.dids).
  - Flags go to the platform as 0 and 1, as on the vendor's sibling endpoints; the vendor's page on DIDs does not say.
"""
