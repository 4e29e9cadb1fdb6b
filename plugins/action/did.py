# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the work of the module C(did) in Ansible's worker process where that is possible."""

from __future__ import annotations

from ansible_collections.nextbilling.did.plugins.module_utils._module.did import (
    converge_did,
    did_spec,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._action import DidAction
from ansible_collections.nextbilling.did.plugins.plugin_utils._preload import MISSING


class ActionModule(DidAction):
    module_spec = staticmethod(did_spec)
    work = staticmethod(converge_did)
    missing = MISSING
