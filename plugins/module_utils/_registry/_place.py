# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Whether a registry is where it should be, and in use there.

A registry that moves from one place to another bears marks in its table C(meta). The source bears C(moving), then C(moved); the target
bears C(arriving), then C(arrived). Only a registry that bears none of the first three may be used.
"""

from __future__ import annotations

import typing as t

from .._errors import RegistryMismatch

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

# What to do where a registry is damaged or lost, and nowhere else.
RESTORE = (
    "restore it from its newest backup, as 'Backup and restore' in the guide 'From one machine to many' says: an older copy does not know"
    " the DIDs that were created since, and they would be created again"
)
MOVING, MOVED, ARRIVING, ARRIVED = MARKS = ("moving", "moved", "arriving", "arrived")


class NoRegistry(RegistryMismatch):
    """There is nothing where the registry should be."""


def not_in_use(meta: Mapping[str, str], location: str) -> RegistryMismatch | None:
    """Return why a registry must not be used, because it moves, has moved or has not arrived; or None."""
    if meta.keys().isdisjoint((MOVING, MOVED, ARRIVING)):
        return None
    from ._moving import reason

    return reason(meta, location)


def check_in_use(meta: Mapping[str, str], location: str) -> None:
    """Raise C(RegistryMismatch) if C(not_in_use) has a reason."""
    reason = not_in_use(meta, location)
    if reason is not None:
        raise reason
