# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The errors for a platform that a registry does not know, and the play that adds it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .._errors import RegistryMismatch
from .._snippets import PLATFORM, quote, render_play
from .backends.interface import Database
from .records import known_platforms

# How many platforms a message names.
_SHOWN = 20


def unknown_platform(
    database: Database, platform: str, registry_id: str | None
) -> RegistryMismatch:
    """Return the error for a task that names a platform which the registry does not know. C(registry_id): as in C(present_play)."""
    known = known_platforms(database.query)
    play = present_play(database.location, platform, registry_id, another=bool(known))
    if not known:
        return RegistryMismatch(
            f"The registry {database.location} does not know the platform {platform}, nor any other. Nothing was sent: every DID would look"
            f" new. Add it once:\n{play}"
        )
    return RegistryMismatch(
        f"The registry {database.location} does not know the platform {platform}. {_question(known, platform)} Nothing was sent: every"
        f" DID would look new. Only if {platform} is another platform, add it once:\n{play}"
    )


def refuse_second_name(database: Database, platform: str) -> None:
    """Raise C(RegistryMismatch) where a platform to add may be one that the registry knows under another name.

    It is refused whenever the registry knows another platform, even one without records: if both names mean one platform, the first run
    under the second name would create every DID again.
    """
    others = [name for name in known_platforms(database.query) if name != platform]
    if others:
        raise RegistryMismatch(
            f"The registry {database.location} does not know the platform {platform}. {_question(others, platform)} Under a second"
            f" name, DIDs that exist would be created again. Nothing was written. Only if {platform} is another platform, with DIDs of its"
            " own, set 'another_platform: true'"
        )


def _question(known: Sequence[str], platform: str) -> str:
    ranked = sorted(known, key=lambda name: _host(name) != _host(platform))
    names = ", ".join(ranked[:_SHOWN]) + (
        f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    )
    which, other = ("this one", "") if len(known) == 1 else ("one of them", ", or the right one")
    return (
        f"It knows {names}. If you mean {which} under another name (api_url with another host, port or spelling, or an IP address), set"
        f" 'platform: {quote(ranked[0])}'{other}."
    )


def _host(name: str) -> str:
    """Return a platform's name without what may differ between two names of one: case, a trailing dot, a default port."""
    return re.sub(r":(?:443|80)$", "", name.lower()).rstrip(".").strip("[]")


def present_play(
    location: str, platform: str | None, registry_id: str | None = None, *, another: bool = False
) -> str:
    """Return the play that creates a registry, migrates it or adds a platform.

    :param registry_id: the id that the registry must have, None where that is not certain: the play would accept a wrong one.
    :param another: whether the registry knows other platforms.
    """
    options = {
        "state": "present",
        "platform": platform or PLATFORM,
        "registry": location,
        **({} if registry_id is None else {"registry_id": registry_id}),
        **({"another_platform": True} if another else {}),
    }
    return render_play("Create or update the registry of DIDs", "did_registry", options)
