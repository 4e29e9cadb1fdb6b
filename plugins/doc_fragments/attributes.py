# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
    details:
      - With the C(local) connection, the work is done in Ansible's own process, with the controller's Python and its libraries. A task then costs
        about as much as one of M(ansible.builtin.debug).
      - The task runs as an ordinary module if it has another connection, C(become), C(async) or C(environment), if
        C(ansible_python_interpreter) names another Python than the controller's, if the controller's Python lacks a library, on macOS, and with an
        ansible-core that is newer than those tested. With C(-v), the reason is shown.
      - The variable C(nextbilling_did_in_process=false), or the environment variable C(NEXTBILLING_DID_IN_PROCESS=false), makes it always run as a
        module.
      - The guide on where a task runs lists all reasons and differences.
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/nextbilling.did.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - nextbilling.did.all
"""
