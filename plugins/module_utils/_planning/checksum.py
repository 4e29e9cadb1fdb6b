# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The checksum of a plan: identifies the plan that was reviewed, and that may then be applied. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from .._fields import with_fingerprints
from .._model import Job
from .._secrets import Fingerprints

_VERSION = 1


def checksum(
    platform: str, registry_id: str, jobs: Sequence[Job], fingerprints: Fingerprints
) -> str:
    """Return SHA-256, in hexadecimal, over the canonical JSON of a plan.

    That is an object with C(dids), C(platform), C(registry) and C(version), with sorted keys and no white space. C(dids) is sorted
    by identity and holds for each DID its action (or the kind of error that stops it), record id, known values and the values that
    are sent or compared; secrets as fingerprints, and no times.
    """
    entries = sorted(_entry(job, fingerprints) for job in jobs)
    digest = hashlib.sha256()
    digest.update(b'{"dids":[')
    for place, (_identity, text) in enumerate(entries):
        digest.update(f"{',' if place else ''}{text}".encode())
    rest = {"platform": platform, "registry": registry_id, "version": _VERSION}
    digest.update(f"],{_canonical(rest)[1:]}".encode())
    return digest.hexdigest()


def list_digest(jobs: Sequence[Job], fingerprints: Fingerprints) -> str:
    """Return a digest of what a list declares, in hexadecimal. It is keyed, as the list may hold passwords that can be guessed."""
    return fingerprints.digest(
        _canonical([job.desired.record_id, job.desired.values]).encode() for job in jobs
    )


def _entry(job: Job, fingerprints: Fingerprints) -> tuple[str, str]:
    desired, plan = job.desired, job.plan
    known = None if plan is None else plan.known
    if plan is None:
        action, record_id = job.error.kind if job.error is not None else None, desired.record_id
    else:
        action, record_id = plan.action, plan.record_id
    values = desired.values if plan is None or not plan.sends else plan.payload
    entry = {
        "number": desired.number,
        "action": action,
        "record_id": record_id,
        "known": None if known is None else [known.outcome, known.fields, known.attempted],
        "desired": with_fingerprints(values, fingerprints),
    }
    return desired.number or f"record {desired.record_id}", _canonical(entry)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
