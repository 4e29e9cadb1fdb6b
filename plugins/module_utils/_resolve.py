# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What a person knows of the platform, taken into the registry: DIDs that exist there, and DIDs that do not.

Decisions are pure; C(resolve) looks, decides for the whole list, and writes all of it in one transaction or nothing.
"""

from __future__ import annotations

import json
import time
import typing as t

from ._errors import Conflict, RegistryBusy
from ._plan import masked, same
from ._registry._changes import Holding, Revision
from ._registry._records import CONFIRMED, UNKNOWN, Record
from ._registry._waiting import find_unclaimed

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable, Sequence

    from ._registry._protocols import Registry

RECORDED = "recorded"
FORGOTTEN = "forgotten"
_RACES = 100


class Statement(t.NamedTuple):
    """What a task says of one DID. C(place): where it says it. C(fields): wire values, fingerprints for secrets.

    C(not_known): fields that it declares, but whose value cannot be recorded.
    """

    place: str
    number: str | None
    record_id: int | None
    fields: t.Mapping[str, t.Any]
    not_known: t.Collection[str] = ()

    @property
    def label(self) -> str:
        """Return how messages call it."""
        return f"{self.place} ({self.fields.get('did_number') or f'record {self.record_id}'})"


def resolve(
    registry: Registry,
    platform: str,
    state: str,
    statements: Sequence[Statement],
    *,
    overwrite: bool,
    patience: float,
    apply: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Revision]:
    """Take a list of statements into the registry. Returns the corrections that were, or would be, made.

    :param patience: seconds to wait for runs that hold one of the DIDs.
    :raises Conflict: some of them contradict the registry; all of these are named, and nothing is written.
    :raises RegistryBusy: another run holds one of the DIDs for longer.
    """
    deadline = time.monotonic() + patience
    decide = _record if state == RECORDED else _forget
    for _race in range(_RACES):
        revisions: list[Revision] = []
        problems: list[str] = []
        found = find_unclaimed(registry, platform, statements, until=deadline, sleep=sleep)
        for statement, each in zip(statements, found):
            if isinstance(each, RegistryBusy):
                raise each
            try:
                revisions += decide(statement, *each, overwrite)
            except _Contradiction as problem:
                problems.append(f"{statement.label}: {problem}")
        problems += _entangled(revisions)
        if problems:
            raise Conflict("Nothing was written. " + "; ".join(problems))
        if not apply or not revisions or registry.revise(platform, revisions):
            return revisions
    raise RegistryBusy(
        "Other runs change these DIDs all the time. Nothing was written. Run again later"
    )


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


def _record(
    statement: Statement, by_number: Record | None, by_id: Record | None, overwrite: bool
) -> list[Revision]:
    record_id = t.cast("int", statement.record_id)
    if not overwrite:
        _check_recorded(statement, by_number, by_id)
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


def _check_recorded(statement: Statement, by_number: Record | None, by_id: Record | None) -> None:
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
        same(name, value, holding.fields[name]) for name, value in known.fields.items()
    )
    return settled and same_number and same_fields and known.record_id == holding.record_id


def _forget(
    statement: Statement, by_number: Record | None, by_id: Record | None, _overwrite: bool
) -> list[Revision]:
    known = by_number or by_id
    if known is None:
        return []
    if by_number is not None and by_id is not None and by_number.key != by_id.key:
        raise _Contradiction(
            f"the number is one record in the registry, and record {statement.record_id} is another"
        )
    if statement.number is not None and by_number is None and known.numbers:
        raise _Contradiction(f"the registry knows record {known.record_id} as DID {known.number}")
    if known.outcome == UNKNOWN and statement.record_id is None:
        return [Revision(FORGOTTEN, known, None)]
    if known.record_id is None:
        raise _Contradiction("no record id is known of it, so none can be given to forget it")
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
    known = json.dumps(masked(fields), ensure_ascii=False)
    return (
        f"{number or 'number not known'}: record {record_id or 'not known'}, {outcome}, {known}\n"
    )
