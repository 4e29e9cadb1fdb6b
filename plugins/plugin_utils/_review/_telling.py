# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What all forms of a review say alike: counts, names, values, times."""

from __future__ import annotations

import typing as t

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME
from ansible_collections.nextbilling.did.plugins.module_utils._planning.visible import look_alikes

from ._model import MIXED, NO_LOG, NOT_AWAITED
from ._words import CLOSING

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterator, Sequence

    from ._model import Change, Entry, Failure, Line, Review, Run, Unlisted, Unseen, Value
    from ._words import Words


def tally(review: Review, order: Sequence[str]) -> dict[str, int]:
    """Return every count that a review tells, but for the total, in the order asked for."""
    counts = {
        **review.counts,
        "failed_tasks": review.failed_tasks,
        NO_LOG: review.unseen_dids(NO_LOG),
        NOT_AWAITED: review.unseen_dids(NOT_AWAITED),
        "no_log_tasks": review.unseen_tasks(NO_LOG),
        "async_tasks": review.unseen_tasks(NOT_AWAITED),
    }
    return {key: counts[key] for key in order}


def closing_line(review: Review, words: Words, page: str | None) -> str:
    """Return the one line that is printed at the end; C(page) is where the page is, null where it could not be written."""
    told = [
        f"{number} {words.kind(key, MIXED, number)}"
        for key, number in tally(review, CLOSING).items()
        if number
    ]
    line = f"DIDs: {', '.join(told) or words('nothing')}"
    return line if page is None else f"{line} → {page}"


def shown(change: Change, value: Value) -> str:
    """Return a value of a field as a person reads it; empty for what is not known."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    return _scalar(BY_NAME[change.field].kind.show(value))


class Side(t.NamedTuple):
    """A value before or after, as a person reads it. C(unlike): places at which it only looks like the other one."""

    text: str
    unlike: frozenset[int]


def sides(change: Change) -> tuple[Side, Side]:
    """Return both values of a change."""
    before, after = shown(change, change.before), shown(change, change.after)
    unlike_before, unlike_after = look_alikes(before, after)
    return Side(before, unlike_before), Side(after, unlike_after)


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def name(entry: Entry | Unlisted, words: Words) -> str:
    """Return what a DID is called."""
    if entry.did_number:
        return entry.did_number
    return words("nameless") if entry.record_id is None else words("record", id=entry.record_id)


def names(line: Line, words: Words) -> tuple[str, ...]:
    """Return the first and the last name of a line, or the only one."""
    ends = (line.first,) if len(line.entries) == 1 else (line.first, line.last)
    return tuple(name(entry, words) for entry in ends)


def sources(line: Line) -> str:
    """Return where the lists of DIDs have what a line tells; empty where that is not told."""
    ends = [entry.source for entry in line.entries if entry.source]
    if not ends:
        return ""
    return ends[0] if ends[0] == ends[-1] else f"{ends[0]} – {ends[-1]}"


def when(time: str) -> str:
    """Return a time of the model as a person reads it: to the minute, in UTC."""
    return f"{time[:10]} {time[11:16]} UTC"


def since(line: Line, words: Words) -> str:
    """Return what the values before an edit stand on: when they were applied, or that they never were; empty for other lines."""
    if line.first.kind not in ("update", "adopt"):
        return ""
    if line.known_since is None:
        known = any(change.before is not None for change in line.first.changes)
        return words("recorded" if known else "never_applied")
    first, last = map(when, line.known_since)
    return f"{words('last_applied')} " + (first if first == last else f"{first[:-4]} – {last}")


def provenance(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the names and the texts of what a task's plan was made against. A failure may tell nothing of it."""
    told = {
        "platform": run.platform,
        "registry": run.registry_id,
        "location": run.registry_location,
        "checksum": run.plan_checksum,
    }
    yield from ((key, text) for key, text in told.items() if text is not None)


def extent(unseen: Unseen, words: Words) -> str:
    """Return how much is known of what a review cannot see."""
    if unseen.dids is None:
        told = f"{words.count('results', unseen.results)}, {words('uncounted')}"
    else:
        told = words.count("dids", unseen.dids)
    return f"{told}, {words('of_which_failed', n=unseen.failed)}" if unseen.failed else told


def explained(error: Failure | None, kind: str, words: Words) -> str:
    """Return the message of a trouble: the module's own, or what is known where the module said nothing."""
    if error is not None and error.msg is not None:
        return error.msg
    key = f"why.{kind if error is None else error.kind}"
    return words(key) if key in words else ""
