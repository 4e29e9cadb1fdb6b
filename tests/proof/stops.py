# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a run, on each ansible-core and in both ways: the cases, what must come of them, and the documentation's table.

Each combination of these is a case. How Ansible was started, the kind of registry and the task are spread over the cases such that
every two values meet. ``python stops.py FILE`` writes the table.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from ansible_collections.nextbilling.did.tests.support.pairs import extend
from ansible_collections.nextbilling.did.tests.support.stores import POSTGRESQL, SQLITE
from ansible_collections.nextbilling.did.tests.support.tables import write_table

CORES = ("2.18", "2.19", "2.20", "2.21", "2.22")
IN_PROCESS, MODULE = "in process", "module"
WAYS = (IN_PROCESS, MODULE)
# What ends the run, and what the documentation calls it.
HOWS = {
    "ctrl-c": "Ctrl-C",
    "double ctrl-c": "Ctrl-C twice",
    "sigint": "SIGINT to ``ansible-playbook`` alone",
    "sigterm": "SIGTERM to ``ansible-playbook``",
    "sighup": "SIGHUP to ``ansible-playbook``",
    "kill": "``kill -9`` of ``ansible-playbook``",
    "terminal": "The terminal is closed",
    "nohup": "The terminal is closed, under ``nohup``",
    "timeout": "``timeout:`` of the task",
    "runner": "SIGTERM to ``ansible-runner``, as AWX cancels a job",
}
# ansible-playbook leads the session of its terminal, as under "ssh -t" and "docker run -it", or a shell does.
LEADER, SHELL = "leader", "shell"
LOOP, DIDS_1, DIDS_4 = "did in a loop", "dids 1", "dids 4"

CONFIRMED, MAY_BE_UNKNOWN, COMPLETE = "confirmed", "may be unknown", "complete"


class Case(NamedTuple):
    """A run, and what ends it. C(task): did in a loop, or dids with a concurrency."""

    how: str
    core: str
    way: str
    store: str
    task: str
    start: str

    @property
    def concurrency(self) -> int:
        """How many requests are under way at once."""
        return 4 if self.task == DIDS_4 else 1


CASES = [
    Case(*row)
    for row in extend(
        list(itertools.product(HOWS, CORES, WAYS)),
        (SQLITE, POSTGRESQL),
        (LOOP, DIDS_1, DIDS_4),
        (LEADER, SHELL),
    )
]


def expected(how: str, core: str) -> str:
    """Return what becomes of the requests under way."""
    if how == "nohup":
        return COMPLETE
    # Before 2.19, workers and modules are in the process group of ansible-playbook.
    if core == "2.18" and how in ("double ctrl-c", "runner"):
        return MAY_BE_UNKNOWN
    return CONFIRMED


def table() -> str:
    """Return the documentation's table, in reStructuredText."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - What ends the run",
        *(f"     - {core}" for core in CORES),
    ]
    for how, words in HOWS.items():
        lines.append(f"   * - {words}")
        lines.extend(f"     - {expected(how, core)}" for core in CORES)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_table(table())
