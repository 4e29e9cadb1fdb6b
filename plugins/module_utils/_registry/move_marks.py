# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The marks of a registry that moves or has moved to another location. C(relocate) sets them; whoever writes checks them."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from .._errors import RegistryMismatch
from .location import may_be_shown

# Rows of the table meta. The value is a C(Move).
MOVING, MOVED, ARRIVING, ARRIVED = MARKS = ("moving", "moved", "arriving", "arrived")


class Move(t.NamedTuple):
    """A move of a registry. C(host): where both locations are, if either of them is a path. C(at): UTC, ISO 8601."""

    token: str
    source: str
    target: str
    host: str | None
    at: str

    @property
    def shown_source(self) -> str:
        """Return the source as it may be shown: an older release accepted locations that hold secrets."""
        return _public_location(self.source)

    @property
    def shown_target(self) -> str:
        """Return the target as it may be shown."""
        return _public_location(self.target)

    def dump(self) -> str:
        """Return the move as it is stored."""
        names = ("token", "source", "target", "host", "at")
        return json.dumps(dict(zip(names, self)), separators=(",", ":"))


def _public_location(location: str) -> str:
    return location if may_be_shown(location) else "a database whose URL may hold a secret"


def read_move(meta: Mapping[str, str], *marks: str) -> Move | None:
    """Return the move of the first of these marks that is set, or None."""
    texts = (meta[mark] for mark in marks if mark in meta)
    return next((Move(**json.loads(text)) for text in texts), None)


def moved_to(meta: Mapping[str, str]) -> str | None:
    """Return where a registry was moved, or is being moved, from here; or None."""
    move = read_move(meta, MOVING, MOVED)
    return None if move is None else move.shown_target


def check_in_use(meta: Mapping[str, str], location: str) -> None:
    """Raise what C(not_in_use_error) returns."""
    error = not_in_use_error(meta, location)
    if error is not None:
        raise error


def not_in_use_error(meta: Mapping[str, str], location: str) -> RegistryMismatch | None:
    """Return the error of a registry that must not be used, as it moves, has moved or has not arrived; or None."""
    moved = read_move(meta, MOVED)
    if moved is not None:
        error = RegistryMismatch(
            f"The registry {location} was moved to {moved.shown_target} on {moved.at} and is no longer in use: what is done here is not known"
            f" there. Set 'registry' to {moved.shown_target}"
        )
        if moved.shown_target == moved.target:
            error.moved_to = moved.target
        return error
    move = read_move(meta, MOVING, ARRIVING)
    if move is None:
        return None
    from .._snippets import render_play

    play = render_play(
        "Complete the move of the registry of DIDs",
        "did_registry",
        {"state": "copied", "registry": move.shown_target, "copy_from": move.shown_source},
    )
    return RegistryMismatch(
        f"The registry {location} is not in use until its move from {move.shown_source} to {move.shown_target}, begun on {move.at}, is complete."
        f" Nothing was sent. If that was interrupted, complete it:\n{play}"
    )
