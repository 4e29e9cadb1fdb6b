# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the process of a module ends."""

from __future__ import annotations

import subprocess
import sys

# Python goes through all that is not frozen once more, after the last function that was registered with atexit.
ENDING = """\
import atexit, gc, sys
from ansible_collections.nextbilling.did.plugins.module_utils._module.results import run
from ansible_collections.nextbilling.did.plugins.module_utils._module.stop import Stop

class Module:
    argument_spec = {}
    nested = {}
    stop = Stop(lambda: False, deliver=False)

    def exit_json(self, **result):
        print("done", gc.get_freeze_count() > 1000)
        sys.exit(0)

atexit.register(lambda: print("ended", gc.get_freeze_count() > 1000))
run(Module(), lambda module: {})
"""


def test_a_module_that_has_ended_is_not_searched_for_garbage() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines() == ["done False", "ended True"]
