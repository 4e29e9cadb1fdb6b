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
from ansible_collections.nextbilling.did.plugins.module_utils._planning.checksum import checksum
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
            "desired": {"did_number": "3", "password": PASSWORD, "description": "Número"},
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


def expected(entries: Sequence[dict[str, Any]], version: int = 1) -> str:
    """Return the checksum of the document with these entries."""
    document = {"dids": entries, "platform": "p:443", "registry": "r", "version": version}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def of(jobs: Sequence[Job]) -> str:
    """Return the checksum of a plan."""
    return checksum("p:443", "r", jobs, FINGERPRINTS)


def test_the_checksum_of_one_did_is_that_of_its_document() -> None:
    for each, entry in JOBS:
        assert of([each]) == expected([entry]), entry


def test_the_entries_are_in_the_order_of_their_identities() -> None:
    jobs = {entry["number"]: each for each, entry in JOBS if entry["action"] != "none"}
    entries = {entry["number"]: entry for _job, entry in JOBS if entry["action"] != "none"}
    # As text; what has no number is called "record 8".
    order = ["1", "20", "3", None]
    assert of([jobs[number] for number in reversed(order)]) == expected(
        [entries[number] for number in order]
    )


def test_a_plan_for_nothing_has_a_checksum_too() -> None:
    assert of([]) == expected([])
