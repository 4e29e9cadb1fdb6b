# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The checksum of a plan: identifies the plan that was reviewed, and that may then be applied. Pure."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from .._fields import BY_NAME, with_fingerprints
from .._model import CONFIRMED, NONE, Job
from .._secrets import Fingerprints

_VERSION = 2
# A checksum of version 1 had no prefix.
PREFIX = f"v{_VERSION}-"
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_DIGEST_BYTES = 32


def checksum(
    platform: str,
    registry_id: str,
    jobs: Sequence[Job],
    fingerprints: Fingerprints,
    unchanged: bytes = b"",
) -> str:
    """Return the checksum of a plan: C(PREFIX), and in hexadecimal the SHA-256 over its head and its entries, whatever their order.

    The head is the JSON of a list: version, platform, registry. Then come the digests of the entries, in ascending order.

    :param unchanged: digests of DIDs that need nothing and are not among the jobs, one after the other.
    """
    digests = [_entry_digest(job, fingerprints) for job in jobs]
    digests += (
        unchanged[start : start + _DIGEST_BYTES]
        for start in range(0, len(unchanged), _DIGEST_BYTES)
    )
    digests.sort()
    head = _ENCODER.encode([_VERSION, platform, registry_id])
    return PREFIX + hashlib.sha256(head.encode() + b"".join(digests)).hexdigest()


def list_digest(declared: Iterable[object], fingerprints: Fingerprints) -> str:
    """Return a digest of what a list declares, in hexadecimal. It is keyed, as the list may hold passwords that can be guessed."""
    return fingerprints.digest(
        json.dumps(each, sort_keys=True, default=str).encode() for each in declared
    )


def _entry_digest(job: Job, fingerprints: Fingerprints) -> bytes:
    desired, plan = job.desired, job.plan
    known = None if plan is None else plan.known
    if plan is None:
        action, record_id = job.error.kind if job.error is not None else None, desired.record_id
    else:
        action, record_id = plan.action, plan.record_id
    values = desired.values if plan is None or not plan.sends else plan.payload
    outcome = None if known is None else known.outcome
    return _digest(
        _ENCODER.encode([desired.number, action, record_id, outcome]),
        "" if known is None else stored_text(known.fields),
        "{}" if known is None else stored_text(known.attempted),
        stored_text(with_fingerprints(values, fingerprints)),
    )


def unchanged_digest(number: str, record_id: int, known: str, declared: str) -> bytes:
    """Return the digest of a DID that needs nothing. C(known), C(declared): the stored text of its fields."""
    return _digest(f'["{number}","{NONE}",{record_id},"{CONFIRMED}"]', known, "{}", declared)


def _digest(head: str, known: str, attempted: str, declared: str) -> bytes:
    """Return the SHA-256 of an entry: four lines, of which the last one is C(=) where it repeats what is known. No times are in them.

    :param head: the JSON of a list: number, action, record id, known outcome.
    :param declared: what is sent, or else compared.
    """
    same = "=" if declared == known else declared
    return hashlib.sha256(f"{head}\n{known}\n{attempted}\n{same}".encode()).digest()


def stored_text(values: Mapping[str, t.Any]) -> str:
    """Return values in the form that the registry keeps as JSON, in the order of the vendor's page."""
    names = [name for name in BY_NAME if name in values]
    names += sorted(values.keys() - BY_NAME.keys())
    return _ENCODER.encode({name: values[name] for name in names})
