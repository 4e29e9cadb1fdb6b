# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Warnings of what a failover of the registry's server would lose."""

from __future__ import annotations

from .backends.interface import Database


def replication_warnings(database: Database, *, detailed: bool = False) -> list[str]:
    """Return what a person should know of the servers of a registry.

    :param detailed: whether to tell also which check cannot be made.
    """
    state = database.server_state()
    if state is None:
        return []
    warnings = []
    if state.loses_writes:
        warnings.append(
            f"The server of the registry {database.location} has a standby and does not wait for it (synchronous_standby_names is empty). If the"
            " standby takes its place, the newest writes are lost. A run that is then at work records its own answers again; what runs that"
            " have ended wrote in the last seconds is lost, and those DIDs would be created again. Set synchronous_standby_names (with Patroni,"
            " synchronous_mode)"
        )
    if state.is_standby:
        warnings.append(
            f"The registry {database.location} was read from a standby, which may lack the newest writes"
        )
    elif detailed and state.position is None:
        warnings.append(
            f"The server of the registry {database.location} does not tell its timeline, so a run cannot notice one whose place another server"
            " has taken"
        )
    return warnings
