# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decide what a person's statements about DIDs change in the registry. Pure."""

from __future__ import annotations

import json
import typing as t

from .._errors import Conflict, RegistryBusy
from .._fields import identity, is_same, mask_secrets
from .._model import CONFIRMED, FORGOTTEN, RECORDED, UNKNOWN, Forgotten, Holding, Record, Revision
from .._registry.claims import end_of, live_claim

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Sequence

    from .._model import Found


class Statement(t.NamedTuple):
    """What a task says of one DID. C(place): where it says it. C(fields): wire values, fingerprints for secrets.

    C(not_known): fields that it declares, but whose value cannot be recorded. C(attempt): the create that it says was not applied.
    """

    place: str
    number: str | None
    record_id: int | None
    fields: t.Mapping[str, t.Any]
    not_known: t.Collection[str] = ()
    attempt: str | None = None

    @property
    def label(self) -> str:
        """Return how messages call it."""
        return f"{self.place} ({self.fields.get('did_number') or f'record {self.record_id}'})"


_Decisions = list[tuple[Statement, "list[Revision] | _Contradiction"]]


def _all_of(decisions: _Decisions) -> list[Revision]:
    """Return all corrections, or raise what stands against any of them."""
    revisions: list[Revision] = []
    problems: list[str] = []
    busy = False
    for statement, decided in decisions:
        if isinstance(decided, _Contradiction):
            busy |= isinstance(decided, _UnderWay)
            problems.append(f"{statement.label}: {decided}")
        else:
            revisions += decided
    problems += _entangled(revisions)
    if problems:
        raise (RegistryBusy if busy else Conflict)("Nothing was written. " + "; ".join(problems))
    return revisions


def _entangled(revisions: Sequence[Revision]) -> list[str]:
    """Two entries that change one record would depend on their order."""
    seen: set[str] = set()
    problems: list[str] = []
    for known in (revision.known for revision in revisions):
        if known is not None and known.key in seen:
            name = f"record {known.record_id}" if known.number is None else f"DID {known.number}"
            problems.append(
                f"two entries would change {name} of the registry: give them to two tasks, one after the other"
            )
        elif known is not None:
            seen.add(known.key)
    return problems


class _Contradiction(Exception):
    """A statement does not fit what the registry knows."""


class _UnderWay(_Contradiction):
    """A run is at work on what a statement speaks of."""


def _is_open(record: Record | None) -> bool:
    return record is not None and record.outcome == UNKNOWN


def _record(statement: Statement, by_number: Record | None, by_id: Record | None) -> list[Revision]:
    record_id = t.cast("int", statement.record_id)
    known = by_id or by_number
    if known is not None and len(known.numbers) > 1 and statement.number is None:
        raise _Contradiction(
            f"two numbers lead to it in the registry ({' and '.join(known.numbers)}), as a renumbering is not settled: say by"
            " did_number which one it bears"
        )
    dropped = (
        by_number
        if by_number is not None and known is not None and by_number.key != known.key
        else None
    )
    holding = Holding(
        statement.number or _only_number(known), record_id, _fields_after(statement, known)
    )
    revisions = [] if dropped is None else [Revision(FORGOTTEN, dropped, None)]
    if dropped is None and known is not None and _holds(known, holding):
        return []
    return [*revisions, Revision(RECORDED, known, holding)]


def _check_recorded(
    statement: Statement, by_number: Record | None, by_id: Record | None, past: Forgotten | None
) -> None:
    """Refuse what contradicts the registry, or was said of something that has changed since, as by a task left in a playbook.

    :param past: what was forgotten of its number, if a create of that is open.
    """
    if past is not None and statement.record_id in past.record_ids:
        raise _Contradiction(
            f"record {statement.record_id} was forgotten, and a create that was begun since is open: that would make another record. Look"
            f" both up on the platform; if it is record {statement.record_id} all the same, overwrite: true says so"
        )
    if (
        by_number is not None
        and len(by_number.numbers) > 1
        and _is_number_before(statement, by_number)
    ):
        raise _Contradiction(
            f"whether record {by_number.record_id} has been renumbered ({' and '.join(by_number.numbers)}) is not settled. Run the task that"
            " renumbers it again, which does no harm; if you know that it still bears this number, overwrite: true says so"
        )
    if by_number is not None and by_number.record_id not in (None, statement.record_id):
        raise _Contradiction(
            f"the registry knows it as record {by_number.record_id}, not {statement.record_id}; overwrite: true replaces that"
        )
    if (
        by_id is not None
        and by_id.numbers
        and statement.number is not None
        and statement.number not in by_id.numbers
    ):
        raise _Contradiction(
            f"the registry knows record {statement.record_id} as DID {by_id.number}; overwrite: true replaces that"
        )
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        raise _Contradiction(
            f"in the registry the number and record {statement.record_id} are two records; overwrite: true makes them one"
        )


def _is_number_before(statement: Statement, known: Record) -> bool:
    """Tell whether a statement names the number that a record bore before a renumbering that is not settled."""
    before = known.fields.get("did_number")
    return before is not None and statement.number == identity(before)


def _only_number(known: Record | None) -> str | None:
    return known.numbers[0] if known is not None and len(known.numbers) == 1 else None


def _fields_after(statement: Statement, known: Record | None) -> dict[str, t.Any]:
    """What was known of the same record stays, but for what a request of unknown outcome may have changed since."""
    if known is None or known.record_id != statement.record_id:
        return dict(statement.fields)
    doubtful = {*known.attempted, *statement.not_known}
    certain = {name: value for name, value in known.fields.items() if name not in doubtful}
    return {**certain, **statement.fields}


def _holds(known: Record, holding: Holding) -> bool:
    settled = not known.attempted and known.outcome == CONFIRMED
    same_number = known.numbers == (() if holding.number is None else (holding.number,))
    same_fields = known.fields.keys() == holding.fields.keys() and all(
        is_same(name, value, holding.fields[name]) for name, value in known.fields.items()
    )
    return settled and same_number and same_fields and known.record_id == holding.record_id


def _check_attempt(
    statement: Statement, platform: str, made: tuple[str, str | None] | None
) -> None:
    """Refuse an attempt at another DID, as from a row of a spreadsheet that was moved, or from another platform."""
    if made is None or made == (platform, statement.number):
        return
    called = "a record without a number" if made[1] is None else f"DID {made[1]}"
    where = "" if made[0] == platform else f" on the platform {made[0]}"
    raise _Contradiction(f"its attempt is the one that made {called}{where}")


def _forget(statement: Statement, by_number: Record | None, by_id: Record | None) -> list[Revision]:
    known = by_number or by_id
    if known is None:
        return []
    _check_free(by_number, by_id)
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        raise _Contradiction(
            f"the number is one record in the registry, and record {statement.record_id} is another"
        )
    if statement.number is not None and by_number is None and known.numbers:
        raise _Contradiction(f"the registry knows record {known.record_id} as DID {known.number}")
    if known.outcome == UNKNOWN:
        return [Revision(FORGOTTEN, known, None, _attempt_of(statement, known))]
    if statement.attempt is not None:
        raise _Contradiction(
            f"the registry knows it as record {known.record_id} by now, so this is no create whose outcome is not known. Look it up on the"
            " platform again"
        )
    if statement.record_id is None:
        raise _Contradiction(
            f"the registry knows it as record {known.record_id}. If it is to be forgotten all the same, give that record_id too: a run"
            " that declares it afterwards creates it anew"
        )
    if known.record_id != statement.record_id:
        raise _Contradiction(
            f"the registry knows it as record {known.record_id}, not {statement.record_id}"
        )
    return [Revision(FORGOTTEN, known, None)]


def _check_free(*found: Record | None) -> None:
    """Refuse while a run is at work: what the person saw may be otherwise when it ends."""
    claim = live_claim(t.cast("Found", found))
    if claim is not None:
        raise _UnderWay(
            f"a run ({claim.holder}) is at work on its {claim.action}, until {end_of(claim)} at the latest. What comes of that nobody has"
            " seen yet. Wait until did_info no longer shows it as under_way, look it up on the platform again, and say then what is so"
        )


def _attempt_of(statement: Statement, known: Record) -> str:
    """Return the attempt which a statement about a create of unknown outcome must name, and does."""
    if statement.record_id is not None:
        raise _Contradiction("no record id is known of it, so none can be given to forget it")
    if statement.attempt is None:
        raise _Contradiction(
            "a create of it was begun, and its outcome is not known. Look it up on the platform; if it is not there, give beside its"
            " did_number the attempt that did_info shows, as this may be another create than the one that you looked for"
        )
    if statement.attempt != known.attempt:
        raise _Contradiction(
            "the create whose outcome is not known is another one than this attempt. Look it up on the platform again; if it is not"
            " there, give the attempt that did_info shows now"
        )
    return statement.attempt


def lines(revisions: Sequence[Revision]) -> tuple[str, str]:
    """Return the corrections as a person reads them: the DIDs before and after, a line each, without secrets."""
    before = [
        _line(r.known.number, r.known.record_id, r.known.outcome, r.known.fields)
        for r in revisions
        if r.known
    ]
    after = [
        _line(
            r.holding.fields.get("did_number") or r.holding.number,
            r.holding.record_id,
            CONFIRMED,
            r.holding.fields,
        )
        for r in revisions
        if r.holding
    ]
    return "".join(before), "".join(after)


def _line(
    number: str | None, record_id: int | None, outcome: str, fields: t.Mapping[str, t.Any]
) -> str:
    known = json.dumps(mask_secrets(fields), ensure_ascii=False)
    return (
        f"{number or 'number not known'}: record {record_id or 'not known'}, {outcome}, {known}\n"
    )
