# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the witness finds out that a registry lacks something, and what it takes for that. No database: rows are given."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryMismatch
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CREATE,
    UNKNOWN,
    UPDATE,
    Intent,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    ServerState,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.recovery import (
    RecordedOutcome,
    witness_entry,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness import Witness
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness_check import (
    check_entries,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.witness_file import Entry
from ansible_collections.nextbilling.did.plugins.module_utils._snippets import Target

AT = "2026-01-31T12:00:00Z"
LOST = Entry("1166", 13, AT, "a", 2)
TARGET = Target("platform", "postgresql://db/x", "id")


@pytest.mark.parametrize(
    ("is_standby", "words"),
    [(True, "from a standby, which lacks 1 DIDs"), (False, "lost its newest writes")],
)
def test_a_standby_that_lags_behind_is_no_registry_that_has_lost_writes(
    tmp_path: Path, is_standby: bool, words: str
) -> None:
    """To record on it again what it lacks, or to accept it, would be wrong."""
    witness = Witness(str(tmp_path), write=True)
    witness.bind("id")
    witness.append("platform", [LOST])
    witness.close()
    state = ServerState(None, is_standby, False)
    database = SimpleNamespace(server_state=lambda: state)
    empty: Any = SimpleNamespace(database=database, query=lambda sql, *values: [])
    reader: Any = None
    with pytest.raises(RegistryMismatch, match=words) as refused:
        check_entries(witness, empty, reader, TARGET)
    assert ("state: recorded" in refused.value.message) != is_standby
    assert ("accept_older" in refused.value.message) != is_standby


FOUND = Record("a", 1, None, UNKNOWN, ("1166",), {"did_number": "+1166"}, {}, AT, None)
SENT = {"did_number": "+1166", "port": 1}


@pytest.mark.parametrize(
    ("intent", "record_id", "number"),
    [
        (Intent(CREATE, None, "1166", None, SENT, 90.0), 13, "+1166"),
        (Intent(CREATE, None, "1166", None, SENT, 90.0), None, "no entry"),
        (Intent(UPDATE, None, None, 13, {"port": 1}, 90.0), 13, None),
        # The record gets its id from a request that does not send its number.
        (Intent(UPDATE, FOUND, "1166", 13, {"port": 1}, 90.0), 13, "+1166"),
        (Intent(UPDATE, FOUND._replace(record_id=13), "1166", 13, SENT, 90.0), 13, "no entry"),
        (
            Intent(UPDATE, FOUND._replace(record_id=13), "77", 13, {"did_number": "77"}, 90.0),
            13,
            "77",
        ),
    ],
)
def test_what_the_witness_keeps_of_an_outcome(
    intent: Intent, record_id: int | None, number: str | None
) -> None:
    """Each that gives a record its id or its number, with the number as it is written."""
    entry = witness_entry(RecordedOutcome("token", "platform", intent, record_id, AT, "a", 3))
    assert entry == (None if number == "no entry" else Entry(number, 13, AT, "a", 3))
