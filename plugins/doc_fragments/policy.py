# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) makes the DID exist with the declared parameters. The platform's API knows no way to remove one.
    type: str
    choices:
      - present
    default: present
  force:
    description:
      - Whether all declared fields are sent even if none of them differs from what was last applied, to undo what was changed by hand.
      - It turns "nothing to do" into an edit. It never turns anything into a create.
      - The diff marks each field that is sent as it is with C(# sent again).
    type: bool
    default: false
  update_password:
    description:
      - V(on_change) sends the password with each request, and compares it with the last known one.
      - V(on_create) sends it with the create alone, and never compares it.
    type: str
    choices:
      - on_change
      - on_create
    default: on_change
"""
