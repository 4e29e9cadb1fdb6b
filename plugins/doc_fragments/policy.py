# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) ensures that the DID exists with the declared parameters. The platform's API cannot remove a DID.
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
"""
