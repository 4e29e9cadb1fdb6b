# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a task says of a DID against what the registry says: which record is meant, and where the two contradict each other. Pure."""

from __future__ import annotations

import typing as t

from ._errors import Conflict

if t.TYPE_CHECKING:  # pragma: no cover
    from ._plan import Desired, Policy
    from ._registry._records import Record


def reconcile(
    desired: Desired, by_number: Record | None, by_id: Record | None, policy: Policy
) -> Record | None:
    """Return the one record that the task is about, or raise C(Conflict)."""
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        holder = (
            "has no known record id"
            if by_number.record_id is None
            else f"is record {by_number.record_id}"
        )
        raise _conflict(
            desired,
            f"the number {desired.did_number} {holder} in the registry, and record {by_id.record_id} is {_called(by_id)}: two records"
            " behind one task",
        )
    if (
        by_number is not None
        and by_number.record_id is not None
        and desired.record_id not in (None, by_number.record_id)
    ):
        raise _conflict(
            desired,
            f"the registry knows {desired.did_number} as record {by_number.record_id}, and the task says {desired.record_id}",
        )
    if (
        by_id is not None
        and by_number is None
        and desired.number is not None
        and by_id.numbers
        and not policy.renumber
    ):
        raise _conflict(
            desired,
            f"the registry knows record {by_id.record_id} as {_called(by_id)}, and the task calls it {desired.did_number}. If the record"
            " is to get this new number, set renumber: true",
        )
    return by_number or by_id


def _called(record: Record) -> str:
    return f"DID {record.number}" if record.number is not None else "known without a number"


def _conflict(desired: Desired, words: str) -> Conflict:
    return Conflict(
        f"{desired.label}: {words}. Nothing was sent. Correct did_number or record_id; if it is the registry that is wrong, forget its"
        " record with nextbilling.did.did_registry (state: forgotten, with its record_id, or the attempt that did_info shows) first",
        did_number=desired.did_number,
        record_id=desired.record_id,
    )
