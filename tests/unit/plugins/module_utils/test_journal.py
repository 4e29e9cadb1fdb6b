# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the journal does where a commit fails, or nobody knows whether it did. No database: what it is asked is noted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import CREATE, Intent
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    Collision,
    CommitUnknown,
    PipelineFailed,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.records import RecordReader
from ansible_collections.nextbilling.did.plugins.module_utils._registry.transactions import (
    Transactions,
)

INTENT = Intent(CREATE, None, "1166", None, {"did_number": "1166"}, 90.0)


class Database:
    """Transactions that end as a test says. C(ends): what their commits raise, in turn; None where they go well."""

    location = "/state/registry.db"
    now = "0"
    connections = 1
    reconnects = True

    def __init__(self, *ends: Exception | None, inserted: int = 1) -> None:
        self.ends = list(ends)
        self.inserted = inserted
        self.within = False
        self.looked_for: list[str] = []

    @property
    def database(self) -> Database:
        """Return what is below."""
        return self

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """Commit at the end of the block."""
        self.within = True
        yield
        self.within = False
        self._commit()

    @contextlib.contextmanager
    def writing(self, **_options: Any) -> Iterator[Database]:
        """Write; outside a block, it commits at the end."""
        yield self
        if not self.within:
            self._commit()

    def _commit(self) -> None:
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end

    def retry(self, work: Callable[[], Any], *, records_outcome: bool = False) -> Any:
        """Do the work once."""
        assert not records_outcome
        return work()

    def execute(self, _statement: str, *_values: Any) -> int:
        """Change rows."""
        return self.inserted

    def change_one(self, statement: str, *_values: Any) -> bool:
        """Change a row, or none."""
        return self.execute(statement) == 1

    def query(self, _query: str, *values: Any) -> list[Any]:
        """Note whose claims are looked for."""
        self.looked_for += values
        return []


def journal(database: Database) -> Journal:
    """Return a journal over these transactions."""
    return Journal(cast(Transactions, database), cast(RecordReader, None))


def claim(written: Journal) -> str:
    """Take a claim that is granted."""
    token = written.claim("platform", INTENT)
    assert token is not None
    return token


def test_claims_are_undone_where_nobody_knows_whether_they_were_written() -> None:
    database = Database(CommitUnknown("lost"))
    tokens: list[str] = []
    written = journal(database)
    with pytest.raises(CommitUnknown):
        written.atomic(lambda: tokens.extend([claim(written), claim(written)]))
    written.undo_claims()
    assert sorted(database.looked_for) == sorted(tokens) and len(tokens) == 2


def test_claims_of_an_earlier_block_are_not_undone() -> None:
    database = Database(None, CommitUnknown("lost"))
    written = journal(database)
    written.atomic(lambda: claim(written))
    tokens: list[str] = []
    with pytest.raises(CommitUnknown):
        written.atomic(lambda: tokens.append(claim(written)))
    written.undo_claims()
    assert database.looked_for == tokens and len(tokens) == 1


@pytest.mark.parametrize("second", [RegistryUnavailable("gone"), Collision("others")])
def test_claims_that_cannot_be_undone_are_tried_again(second: Exception) -> None:
    database = Database(CommitUnknown("lost"), second)
    written = journal(database)
    tokens: list[str] = []
    with pytest.raises(CommitUnknown, match="lost"):
        written.atomic(lambda: tokens.append(claim(written)))
    for _time in range(3):
        written.undo_claims()
    assert database.looked_for == tokens * 2 and len(tokens) == 1


def test_others_that_write_at_the_same_time_are_named_with_the_registry() -> None:
    database = Database(Collision("serialization"))
    written = journal(database)
    with pytest.raises(RegistryBusy, match=r"/state/registry\.db") as caught:
        written.atomic(lambda: claim(written))
    written.undo_claims()
    assert caught.value.__suppress_context__ and database.looked_for == []


def test_a_claim_that_is_not_granted_is_not_undone() -> None:
    database = Database(CommitUnknown("lost"), inserted=0)
    written = journal(database)
    with pytest.raises(CommitUnknown):
        written.atomic(lambda: written.claim("platform", INTENT))
    written.undo_claims()
    assert database.looked_for == []


def test_writes_that_were_sent_together_in_vain_are_done_once_more() -> None:
    database = Database(PipelineFailed("others"), None)
    written = journal(database)
    tokens: list[str] = []

    def work() -> str:
        tokens.append(claim(written))
        return "done"

    assert written.atomic(work) == "done"
    assert len(tokens) == 2
    # Nothing of the first attempt was written.
    written.undo_claims()
    assert database.looked_for == []


def test_a_claim_of_its_own_is_undone_where_nobody_knows_whether_it_was_written() -> None:
    database = Database(CommitUnknown("lost"))
    written = journal(database)
    with pytest.raises(CommitUnknown):
        written.claim("platform", INTENT)
    written.undo_claims()
    assert len(database.looked_for) == 1


def test_a_claim_that_another_run_took_first_is_not_granted() -> None:
    database = Database(Collision("unique"))
    written = journal(database)
    assert written.claim("platform", INTENT) is None
    written.undo_claims()
    assert database.looked_for == []
