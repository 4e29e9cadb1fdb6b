# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  customer_id:
    description:
      - ID of the customer who owns the DID. V(0) is a DID that is for sale.
    type: int
  description:
    description:
      - Name or description of the DID. Put it in quotes, unless YAML certainly reads it as text.
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
      - The number. Digits with an optional leading C(+) are accepted unchanged, with a warning if there are more than 15 digits.
      - Spaces, dots, hyphens and brackets are removed where they are usual within one telephone number, as in C(+55 11 3000-1000). Everything else is
        refused, such as C(1130001000.0), C(1,13E+09), a range, a date or a number with an extension.
      - The digits alone identify the DID. Adding or removing a C(+) does not make it another DID.
      - Put it in quotes. YAML reads an unquoted number with a leading zero as another number, so only strings are accepted.
    type: raw
  did_type:
    description:
      - 'What the DID does, by name or by the platform''s code: V(ip) (0), V(line) (1), V(extension_menu) (4), V(queue) (5), V(ivr) (6),
        V(reverse_callback) (8), V(reverse_ivr) (9), V(audio_test) (10).'
      - V(ip), V(line), V(extension_menu) and V(reverse_ivr) require O(device_id). V(queue) and V(ivr) require O(did_type_id).
    type: str
  did_type_id:
    description:
      - ID of the queue or of the IVR block that O(did_type) leads to.
    type: int
  device_id:
    description:
      - ID of the IP line, for the types that need the line that pays for the call.
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
      - User name at the provider, if applicable. Put it in quotes if it consists of digits.
      - In this option, O(callerid_add), O(techprefix1) and O(techprefix2), space around the value is removed. Values that a spreadsheet has converted,
        and its error values, are refused, such as C(1,13E+09), C(1130001000.0) and C(#N/A).
    type: raw
  password:
    description:
      - Password at the provider, if applicable. Put it in quotes if it consists of digits.
      - It is sent unchanged. It is refused if it begins or ends with a space, a line break or another invisible character, or if it holds a template
        that nothing has rendered.
      - It is never shown. The registry holds a keyed fingerprint of it to detect changes.
    type: raw
  techprefix1:
    description:
      - Tech prefix to send, for O(did_type=ip). Put it in quotes.
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
      - Tech prefix of the backup, for O(did_type=ip). Put it in quotes.
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
      - Caller ID to add to the original one. Put it in quotes.
    type: raw
  max_calls:
    description:
      - Maximum number of simultaneous calls.
    type: int
  play_audio:
    description:
      - Whether to play audio for busy, no answer, number does not exist and similar cases.
    type: bool
  hide_from_reseller:
    description:
      - Whether to hide the provider's data from the reseller.
    type: bool
  enable_fixed:
    description:
      - Whether to accept calls from national fixed lines.
    type: bool
  enable_mobile:
    description:
      - Whether to accept calls from national mobile lines.
    type: bool
  enable_ddi:
    description:
      - Whether to accept calls from abroad.
    type: bool
  register:
    description:
      - Whether the platform registers the DID at the provider.
    type: bool
  status:
    description:
      - Status of the record. On the vendor's other pages, V(0) is inactive and V(1) is active.
    type: int
  annotations:
    description:
      - Notes on the record. Put them in quotes, unless YAML certainly reads them as text.
    type: raw
  host_additional:
    description:
      - Additional hosts of the provider. Their order does not matter. A text is split at its commas.
      - The vendor does not document whether the platform replaces its list or adds to it.
    type: list
    elements: raw
notes:
  - A field that is omitted or null is not managed. It is not sent, and its last known value is kept. An empty string, V(0), V(false) and an
    empty list are values and are sent.
  - Text fields accept only text. YAML reads an unquoted C(12:30) as 750, C(0010) as 8, C(1.10) as 1.1 and C(yes) as a boolean, so numbers and booleans
    are refused. Put the text in quotes. If a template returns a number that is meant as text, append C(| string). From ansible-core 2.19 on, a
    template keeps the type of its result.
  - Marks that stand in place of a secret in results and reviews are refused as values. They are C(***), C(*** (new)) and similar ones,
    C(VALUE_SPECIFIED_IN_NO_LOG_PARAMETER), C($REDACTED$), C(<redacted>) and eight asterisks. C({number}) is refused except in the C(description) of a
    range in M(nextbilling.did.dids).
  - Flags are sent as 0 and 1, as on the vendor's sibling endpoints. The vendor's page on DIDs does not specify this.
"""
