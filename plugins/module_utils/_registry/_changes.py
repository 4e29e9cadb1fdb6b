# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What is written into the registry: requests about to be sent, and corrections."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

    from ._records import Record


class Intent(t.NamedTuple):
    """A request about to be sent, written down before it leaves.

    C(known): the record as planned with, None for one that is new to the registry. C(number): the identity which it will
    bear. C(sending): wire values of the body, fingerprints for secrets. C(lease): seconds after which the claim ends.
    """

    action: str
    known: Record | None
    number: str | None
    record_id: int | None
    sending: Mapping[str, t.Any]
    lease: float


class Holding(t.NamedTuple):
    """What a person says that the platform holds: identity, record id and wire values (fingerprints for secrets)."""

    number: str | None
    record_id: int
    fields: Mapping[str, t.Any]


class Revision(t.NamedTuple):
    """A person's correction of one record, with the line of history that it leaves.

    C(known): the record as looked at, None for one that is new. C(holding): what it becomes, None to forget it. C(attempt): the create
    that the person says was not applied, kept in the history.
    """

    event: str
    known: Record | None
    holding: Holding | None
    attempt: str | None = None

    @property
    def number(self) -> str | None:
        """Return the identity that it speaks of, or None."""
        if self.holding is not None and self.holding.number is not None:
            return self.holding.number
        return self.known.numbers[0] if self.known is not None and self.known.numbers else None


class Forgotten(t.NamedTuple):
    """What people have forgotten of one identity, by the history: creates that were not applied, and record ids."""

    attempts: set[str]
    record_ids: set[int]


class LateAnswer(Exception):
    """The answer to an intent does not fit what the registry holds by now: C(record). It is in the history."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record
