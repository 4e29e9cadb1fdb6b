# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Which registry it is, whether it is in use where it lies, and which platforms it knows."""

from __future__ import annotations

import json
import re
import typing as t

from .._errors import RegistryMismatch, RegistryUnavailable
from .._snippets import render_play
from .backends.interface import RESTORE
from .backends.schema import CURRENT

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping, Sequence

    from .backends.interface import Database


def read_meta(database: Database) -> dict[str, str]:
    """Return the registry's own description, or raise if it is not a registry or not of the schema that this code knows."""
    meta: dict[str, str] = dict(database.query("SELECT name, value FROM meta"))
    if not meta.get("registry_id") or not meta.get("schema", "").isdigit():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: it has lost its id or its schema version. To go on, {RESTORE}"
        )
    return meta


def schema_version(database: Database, meta: dict[str, str]) -> int:
    """Return the registry's schema version, or raise C(RegistryMismatch) for one that is newer than this code."""
    version = int(meta["schema"])
    if version > CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did knows schemas up to {CURRENT}."
            " Nothing was written and nothing was sent. Install the release that wrote it, or a newer one"
        )
    return version


MOVING, MOVED, ARRIVING, ARRIVED = MARKS = ("moving", "moved", "arriving", "arrived")


def not_in_use(meta: Mapping[str, str], location: str) -> RegistryMismatch | None:
    """Return why a registry must not be used, because it moves, has moved or has not arrived; or None."""
    if meta.keys().isdisjoint((MOVING, MOVED, ARRIVING)):
        return None

    return reason(meta, location)


def check_in_use(meta: Mapping[str, str], location: str) -> None:
    """Raise C(RegistryMismatch) if C(not_in_use) has a reason."""
    reason = not_in_use(meta, location)
    if reason is not None:
        raise reason


class Move(t.NamedTuple):
    """A move of a registry. C(host): where both places are, if either of them is a path. C(at): UTC, ISO 8601."""

    token: str
    source: str
    target: str
    host: str | None
    at: str

    @property
    def shown_source(self) -> str:
        """Return where it comes from, as it may be shown: an older release took locations that hold secrets."""
        return _shown(self.source)

    @property
    def shown_target(self) -> str:
        """Return where it goes, as it may be shown."""
        return _shown(self.target)

    def dump(self) -> str:
        fields = {
            "token": self.token,
            "source": self.source,
            "target": self.target,
            "host": self.host,
            "at": self.at,
        }
        return json.dumps(fields, separators=(",", ":"))


def _shown(location: str) -> str:
    from .location import may_be_shown

    return location if may_be_shown(location) else "a database whose URL may hold a secret"


def mark(meta: Mapping[str, str], *names: str) -> Move | None:
    """Return the move that one of these marks tells of."""
    texts = (meta[name] for name in names if name in meta)
    return next((Move(**json.loads(text)) for text in texts), None)


def moved_to(meta: Mapping[str, str]) -> str | None:
    """Return where a registry was moved, or is being moved, from here; or None."""
    move = mark(meta, MOVING, MOVED)
    return None if move is None else move.shown_target


def reason(meta: Mapping[str, str], location: str) -> RegistryMismatch:
    """Return why a registry that bears one of the marks must not be used."""
    moved = mark(meta, MOVED)
    if moved is not None:
        error = RegistryMismatch(
            f"The registry {location} was moved to {moved.shown_target} on {moved.at} and is no longer in use: what is done here is not known"
            f" there. Set 'registry' to {moved.shown_target}"
        )
        if moved.shown_target == moved.target:
            error.moved_to = moved.target
        return error
    move = t.cast("Move", mark(meta, MOVING, ARRIVING))
    return RegistryMismatch(
        f"The registry {location} is not in use until its move from {move.shown_source} to {move.shown_target}, begun on {move.at}, is complete."
        f" Nothing was sent. If that was interrupted, complete it:\n{_moving_task(move)}"
    )


def _moving_task(move: Move) -> str:
    return render_play(
        "Complete the move of the registry of DIDs",
        "did_registry",
        {"state": "copied", "registry": move.shown_target, "copy_from": move.shown_source},
    )


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
    return [name for (name,) in database.query("SELECT name FROM platforms ORDER BY name")]


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


def check_current(database: Database, meta: dict[str, str], platform: str | None = None) -> None:
    """Raise C(RegistryMismatch) unless a registry has the current schema, C(RegistryUnavailable) if its tables are not that.

    :param platform: which platform the task names that brings it up to date.
    """
    version = schema_version(database, meta)
    if version < CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did needs schema {CURRENT}. Nothing was"
            f" sent. Make a backup, then bring it up to date:\n{creating_task(database.location, platform or _first_platform(database))}"
        )
    if database.strange_tables():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: its tables are not those of a registry. Nothing was sent. To go on, {RESTORE}"
        )


def check_id(found: str, wanted: str | None, location: str) -> None:
    """Raise C(RegistryMismatch) unless the registry bears the id that the task demands."""
    if wanted is not None and found != wanted:
        raise RegistryMismatch(
            f"The registry {location} has the id {found}, and registry_id demands {wanted}. Nothing was sent: another registry knows"
            " other DIDs. Correct 'registry' or 'registry_id'"
        )


def _first_platform(database: Database) -> str | None:
    rows = database.query("SELECT name FROM platforms ORDER BY name LIMIT 1")
    return next((name for (name,) in rows), None)


def creating_task(location: str, platform: str | None, *, another: bool = False) -> str:
    """Return the play that creates a registry or brings it up to date. C(another): it knows other platforms."""
    from .._snippets import PLATFORM, render_play

    return render_play(
        "Create or update the registry of DIDs",
        "did_registry",
        {
            "state": "present",
            "platform": platform or PLATFORM,
            "registry": location,
            **({"another_platform": True} if another else {}),
        },
    )
