# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The marks of a registry that moves from one place to another, each of them a C(Move) as JSON. See C(_place)."""

from __future__ import annotations

import json
import typing as t

from .._errors import RegistryMismatch
from .._pasting import pasteable_task
from ._place import ARRIVING, MOVED, MOVING

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping


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
    from ._open import may_be_shown

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
    return pasteable_task(
        "Complete the move of the registry of DIDs",
        "did_registry",
        {"state": "copied", "registry": move.shown_target, "copy_from": move.shown_source},
    )
