# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Where a registry is, and the marks of a move from one place to another.

A registry that moves bears marks in its table C(meta), each of them a C(Move) as JSON. The source bears C(moving), then C(moved);
the target bears C(arriving), then C(arrived). Only a registry that bears none of the first three may be used.
"""

from __future__ import annotations

import json
import typing as t

from .._errors import RegistryMismatch, pasteable_task

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Mapping

    from ._store import Database, Transaction

MOVING, MOVED, ARRIVING, ARRIVED = MARKS = ("moving", "moved", "arriving", "arrived")


class NoRegistry(RegistryMismatch):
    """There is nothing where the registry should be."""


class Place(t.Protocol):
    """Where a registry is, or may be made."""

    location: str

    @property
    def now(self) -> str:
        """An SQL expression, as C(Database.now)."""

    def open(self, *, write: bool, timeout: float) -> Database:
        """Open the registry that is there. Raises C(NoRegistry) where there is none."""

    def is_missing(self, *, timeout: float) -> bool:
        """Tell whether there is nothing yet."""

    def uncreatable(self, *, timeout: float) -> str | None:
        """Return why nothing can be created there, or None, without creating anything."""

    def create(self, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
        """Make a registry there with what C(fill) puts in: all of it or nothing. Returns False where another run was first."""

    def tighten(self, *, apply: bool) -> bool:
        """Take permissions from others. Returns whether there is, or was, something to take."""

    def identity(self, *, timeout: float) -> object:
        """Return what is the same for two locations if they lead to one registry, and else differs."""


class Move(t.NamedTuple):
    """A move of a registry. C(host): where both places are, if either of them is a path. C(at): UTC, ISO 8601."""

    token: str
    source: str
    target: str
    host: str | None
    at: str

    def dump(self) -> str:
        fields = {
            "token": self.token,
            "source": self.source,
            "target": self.target,
            "host": self.host,
            "at": self.at,
        }
        return json.dumps(fields, separators=(",", ":"))


def mark(meta: Mapping[str, str], *names: str) -> Move | None:
    """Return the move that one of these marks tells of."""
    texts = (meta[name] for name in names if name in meta)
    return next((Move(**json.loads(text)) for text in texts), None)


def moved_to(meta: Mapping[str, str]) -> str | None:
    """Return where a registry was moved, or is being moved, from here; or None."""
    move = mark(meta, MOVING, MOVED)
    return None if move is None else move.target


def not_in_use(meta: Mapping[str, str], location: str) -> RegistryMismatch | None:
    """Return why a registry must not be used, because it moves, has moved or has not arrived; or None."""
    if meta.keys().isdisjoint((MOVING, MOVED, ARRIVING)):
        return None
    moved = mark(meta, MOVED)
    if moved is not None:
        return RegistryMismatch(
            f"The registry {location} was moved to {moved.target} on {moved.at} and is no longer in use. Nothing was sent, as what is done"
            f" here is not known there. Set 'registry' to {moved.target}"
        )
    move = t.cast("Move", mark(meta, MOVING, ARRIVING))
    return RegistryMismatch(
        f"The registry {location} is not in use until its move from {move.source} to {move.target}, begun on {move.at}, is complete."
        f" Nothing was sent. If that was interrupted, complete it:\n{_moving_task(move)}"
    )


def check_in_use(meta: Mapping[str, str], location: str) -> None:
    """Raise C(RegistryMismatch) if C(not_in_use) has a reason."""
    reason = not_in_use(meta, location)
    if reason is not None:
        raise reason


def _moving_task(move: Move) -> str:
    return pasteable_task(
        "Complete the move of the registry of DIDs",
        "did_registry",
        {"state": "copied", "registry": move.target, "copy_from": move.source},
    )
