# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checksum of a plan is that of the document which its description promises, written here once more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.nextbilling.did.plugins.module_utils._errors import Conflict, DidError
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    Desired,
    Job,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.checksum import (
    checksum,
    unchanged_digest,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.decide import decide
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints

FINGERPRINTS = Fingerprints("key", "registry")
PASSWORD = FINGERPRINTS.of("password", "geheim")


def job(
    values: dict[str, Any],
    known: Record | None = None,
    record_id: int | None = None,
    error: DidError | None = None,
) -> Job:
    """Return a DID with its plan, or with what stops it."""
    made = Job(Desired(values, record_id))
    made.error = error
    if error is None:
        made.plan = decide(made.desired, known, None, Policy(), FINGERPRINTS)
    return made


KNOWN = Record("key", 1, 12, CONFIRMED, ("20",), {"did_number": "20", "port": 1}, {}, None, None)
# Each with what the document says of it.
JOBS: list[tuple[Job, dict[str, Any]]] = [
    (
        job({"did_number": "3", "password": "geheim", "description": "Número"}),
        {
            "number": "3",
            "action": "create",
            "record_id": None,
            "known": None,
            "desired": {"description": "Número", "did_number": "3", "password": PASSWORD},
        },
    ),
    (
        job({"did_number": "20", "port": 2}, KNOWN),
        {
            "number": "20",
            "action": "update",
            "record_id": 12,
            "known": ["confirmed", {"did_number": "20", "port": 1}, {}],
            "desired": {"did_number": "20", "port": 2},
        },
    ),
    (
        job({"did_number": "+20", "port": 1}, KNOWN),
        {
            "number": "20",
            "action": "none",
            "record_id": 12,
            "known": ["confirmed", {"did_number": "20", "port": 1}, {}],
            # Compared, though nothing is sent.
            "desired": {"did_number": "+20", "port": 1},
        },
    ),
    (
        job({"did_number": "1"}, record_id=7, error=Conflict("no")),
        {
            "number": "1",
            "action": "conflict",
            "record_id": 7,
            "known": None,
            "desired": {"did_number": "1"},
        },
    ),
    (
        job({"port": 9}, record_id=8),
        {
            "number": None,
            "action": "adopt",
            "record_id": 8,
            "known": None,
            "desired": {"port": 9},
        },
    ),
]


def expected(entries: Sequence[dict[str, Any]], version: int = 2) -> str:
    """Return the checksum of the document with these entries."""
    head = to_json([version, "p:443", "r"]).encode()
    digests = sorted(map(_digest, entries))
    return f"v{version}-{hashlib.sha256(head + b''.join(digests)).hexdigest()}"


def _digest(entry: dict[str, Any]) -> bytes:
    outcome, fields, attempted = entry["known"] or (None, None, {})
    known = "" if fields is None else to_json(fields)
    desired = to_json(entry["desired"])
    names = [entry["number"], entry["action"], entry["record_id"], outcome]
    texts = [known, to_json(attempted), "=" if desired == known else desired]
    return hashlib.sha256("\n".join([to_json(names), *texts]).encode()).digest()


def to_json(value: object) -> str:
    """Return a value as JSON without white space."""
    return json.dumps(value, separators=(",", ":"))


def of(jobs: Sequence[Job], unchanged: bytes = b"") -> str:
    """Return the checksum of a plan."""
    return checksum("p:443", "r", jobs, FINGERPRINTS, unchanged)


def test_the_checksum_of_one_did_is_that_of_its_document() -> None:
    for each, entry in JOBS:
        assert of([each]) == expected([entry]), entry


def test_the_order_of_the_entries_does_not_matter() -> None:
    jobs = [each for each, _entry in JOBS]
    assert of(jobs) == of(jobs[::-1]) == expected([entry for _job, entry in JOBS])


def test_a_did_that_was_left_out_counts_as_one_that_needs_nothing() -> None:
    unchanged = job({"port": 1, "did_number": "20"}, KNOWN)
    known, declared = '{"did_number":"20","port":1}', '{"did_number":"20","port":1}'
    digest = unchanged_digest("20", 12, known, declared)
    others = [each for each, entry in JOBS if entry["number"] != "20"]
    assert of(others, digest) == of([*others, unchanged])
    assert of(others, digest) != of(others)


def test_a_plan_for_nothing_has_a_checksum_too() -> None:
    assert of([]) == expected([])
