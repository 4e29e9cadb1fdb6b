# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) ensures that the DID exists with the declared parameters. The platform's API deletes nothing. The guide on retiring a number says
        how to take a DID out of service.
    type: str
    choices:
      - present
    default: present
  force:
    description:
      - Whether to send all declared fields even if none of them differs from what was last applied. This reverts changes that were made by hand.
      - It turns C(none) into an edit. It never causes a create.
      - The diff marks each unchanged field that is sent with C(# sent again).
    type: bool
    default: false
  update_password:
    description:
      - V(on_change) sends the password with each request and compares it with the last known one.
      - V(on_create) sends the password only with the create and never compares it.
    type: str
    choices:
      - on_change
      - on_create
    default: on_change
  similar:
    description:
      - What to do about a DID to create whose number may be another number in another notation, such as C(+551130001000) if C(1130001000) is in the
        registry. To the platform, these are two numbers, and a create would make a second DID.
      - Two numbers are similar if they are equal without C(+), the international prefix C(00), the country code and the leading zero of long-distance
        calls, and if at least 8 digits are left. They are compared with the registry's numbers of the same platform, and with those of the same list.
      - V(warn) gives one warning. V(refuse) fails with the kind C(similar_number) before anything is sent, in check mode too. V(ignore) does not look for
        similar numbers.
    type: str
    choices:
      - warn
      - refuse
      - ignore
    default: warn
    version_added: 2.0.0
  country_code:
    description:
      - The country code that O(similar) leaves out of the comparison, without C(+). The numbers that are sent do not change.
    type: str
    default: "55"
    version_added: 2.0.0
"""
