# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set-ups in which the registry's server dies or the registry loses writes: what must come of it, and the documentation's table.

``python lost_writes.py FILE`` writes the table.
"""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.nextbilling.did.tests.support.tables import write_table

# How often each set-up is tested, each time at another moment of a run.
KILLS = 6
# How many ids the registry loses at least, where it loses some: a test waits for so many.
LEAST = 10
# What the user is told.
RECORDED_AGAIN = "recorded again"
LOST = "has lost its newest writes"
NOT_WAITING = "does not wait for it"
NO_STANDBY = "synchronous standby"
OLD_SERVER = "whose place another one has taken"
OTHER_REGISTRY = "another registry than before"
NO_REGISTRY = "There is no registry"
NO_WITNESS = "There is no witness"


class Setup(NamedTuple):
    """What is tested, and what must come of it.

    C(words): what the documentation calls it. C(loses): whether the registry loses ids that a run had recorded. C(duplicates): whether the
    next run creates their DIDs again. C(seen): what the user sees, with the words of the messages.
    """

    words: str
    loses: bool
    duplicates: bool
    seen: str


def _synchronous(level: str) -> Setup:
    return Setup(
        f"PostgreSQL, synchronous standby, the role has ``synchronous_commit = {level}``; the run is killed with the primary",
        False,
        False,
        "The next run names the creates that were under way, and does the rest.",
    )


SETUPS = {
    "no witness": Setup(
        "PostgreSQL, asynchronous standby, **no witness**; failover between two runs",
        True,
        True,
        f"``did_info`` and ``did_registry`` warn before: the server has a standby and '{NOT_WAITING}'.",
    ),
    "witness": Setup(
        "PostgreSQL, asynchronous standby; failover between two runs",
        True,
        False,
        f"The next run is refused: the registry '{LOST}'. The play in the message records the ids again.",
    ),
    "within a run": Setup(
        "PostgreSQL, asynchronous standby that lags; failover during a run",
        True,
        False,
        f"The run goes on and warns that its answers were '{RECORDED_AGAIN}'.",
    ),
    "on, the run goes on": Setup(
        "PostgreSQL, synchronous standby; failover during a run",
        False,
        False,
        "The run goes on, without a warning.",
    ),
    "on": _synchronous("on"),
    "local": _synchronous("local"),
    "remote_write": _synchronous("remote_write"),
    "remote_apply": _synchronous("remote_apply"),
    "cancelled wait": Setup(
        "PostgreSQL, synchronous standby that hangs; somebody cancels the wait for it; the run is killed with the primary",
        False,
        False,
        "Nothing is sent under what only the primary had. The next run names the creates that were under way, and does the rest.",
    ),
    "standby down": Setup(
        "PostgreSQL, synchronous standby that dies during a run and comes back; failover after the run",
        False,
        False,
        f"The run waits and goes on. Another run ends after ``registry_timeout``, and names the '{NO_STANDBY}'.",
    ),
    "split brain": Setup(
        "PostgreSQL, asynchronous standby, promoted during a run while the old primary can still be reached and written",
        True,
        False,
        f"At the new primary, the next run is refused: the registry '{LOST}'. The play in the message records the ids again. At the old primary,"
        f" every later run is refused: it is a server '{OLD_SERVER}'.",
    ),
    "pg_auto_failover": Setup(
        "PostgreSQL with pg_auto_failover, both servers in place; the primary is killed during a run",
        False,
        False,
        "The run waits for the new primary and goes on.",
    ),
    "older backup": Setup(
        "SQLite, a backup restored that is older than the last run",
        True,
        False,
        f"The next run is refused: the registry '{LOST}'. The play in the message records the ids again.",
    ),
    "file replaced": Setup(
        "SQLite, another registry in the place of the right one",
        True,
        False,
        f"The next run is refused: there is '{OTHER_REGISTRY}'. It goes on when the right one is back.",
    ),
    "home elsewhere": Setup(
        "SQLite in the home directory, whose disk is not mounted",
        True,
        False,
        f"The next run is refused: '{NO_REGISTRY}'. It goes on when the disk is mounted.",
    ),
    "witness elsewhere": Setup(
        "SQLite outside the home directory, whose disk with the witness is not mounted",
        False,
        False,
        f"The next run goes on and warns: '{NO_WITNESS}'.",
    ),
}


def table() -> str:
    """Return the documentation's table, in reStructuredText."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 34 6 14 12 34",
        "",
        "   * - Set-up",
        "     - Kills",
        "     - Ids lost by the registry",
        "     - Duplicates",
        "     - What the user sees",
    ]
    for setup in SETUPS.values():
        lines += [
            f"   * - {setup.words}",
            f"     - {KILLS}",
            f"     - {f'{LEAST} or more each time' if setup.loses else 0}",
            f"     - {'**all that were lost**' if setup.duplicates else 0}",
            f"     - {setup.seen}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_table(table())
