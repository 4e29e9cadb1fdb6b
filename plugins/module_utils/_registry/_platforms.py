# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A platform that a registry does not know. Under a second name for one that it knows, every DID would be created again."""

from __future__ import annotations

import re
import typing as t

from .._errors import RegistryMismatch
from ._open import creating_task

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    from ._protocols import Database

_SHOWN = 20


def unknown(database: Database, platform: str) -> RegistryMismatch:
    """Return the error of a task that names a platform which the registry does not know."""
    known = _known(database)
    another = needs_consent(database, platform)
    task = creating_task(database.location, platform, another=another)
    if not known:
        return RegistryMismatch(
            f"The registry {database.location} does not know the platform {platform}, nor any other. Nothing was sent: every DID would look"
            f" new. Add it once:\n{task}"
        )
    return RegistryMismatch(
        f"The registry {database.location} does not know the platform {platform}. {_question(known, platform)} Nothing was sent: every"
        f" DID would look new. Only if {platform} is another platform, add it once:\n{task}"
    )


def refuse_second_name(database: Database, platform: str) -> None:
    """Raise C(RegistryMismatch) where a platform to add may be one that the registry knows under another name."""
    if needs_consent(database, platform):
        raise RegistryMismatch(
            f"The registry {database.location} does not know the platform {platform}. {_question(_known(database), platform)} Under a second"
            f" name, DIDs that exist would be created again. Nothing was written. Only if {platform} is another platform, with DIDs of its"
            " own, set 'another_platform: true'"
        )


def needs_consent(database: Database, platform: str) -> bool:
    """Tell whether a platform may only be added knowingly: whenever another one is known, with records or without any yet.

    Of two names that are known, either may be used first. If they are names of one platform, the second one then creates every DID again.
    """
    return any(name != platform for name in _known(database))


def _known(database: Database) -> list[str]:
    return [name for (name,) in database.look("SELECT name FROM platforms ORDER BY name")]


def _question(known: Sequence[str], platform: str) -> str:
    ranked = sorted(known, key=lambda name: not _is_alike(name, platform))
    names = ", ".join(ranked[:_SHOWN]) + (
        f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    )
    which = "it" if len(known) == 1 else "one of them"
    return (
        f"It knows {names}. Is {which} meant, under another name (api_url with another host, port or spelling, or an IP address)? Then set"
        f" 'platform: {ranked[0]}'{' or the right one of them' if len(known) > 1 else ''}."
    )


def _is_alike(one: str, other: str) -> bool:
    """Tell whether two names differ in case, a trailing dot or a default port alone."""
    return _host(one) == _host(other)


def _host(name: str) -> str:
    return re.sub(r":(?:443|80)$", "", name.lower()).rstrip(".").strip("[]")
