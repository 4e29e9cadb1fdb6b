# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The phrases that all forms of a review share: counts, names, values, times."""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.nextbilling.did.plugins.module_utils._fields import BY_NAME
from ansible_collections.nextbilling.did.plugins.module_utils._input.folding import fold_places
from ansible_collections.nextbilling.did.plugins.module_utils._messages import settling_commands
from ansible_collections.nextbilling.did.plugins.module_utils._planning.invisible import look_alikes
from ansible_collections.nextbilling.did.plugins.module_utils._snippets import Target

from .lines import Line, Range, share_label
from .model import (
    LOST,
    MIXED,
    NO_LOG,
    NOT_AWAITED,
    PARTIAL,
    STOPPED,
    Change,
    Entry,
    Failure,
    Label,
    Review,
    Run,
    Unlisted,
    Unseen,
    Value,
)
from .translations import CLOSING_ORDER, Translations


def tally(review: Review, order: Sequence[str]) -> dict[str, int]:
    """Return every count of a review but the total, in the given order."""
    counts = {
        **review.counts,
        "failed_tasks": review.failed_tasks,
        NO_LOG: review.unseen_dids(NO_LOG),
        NOT_AWAITED: review.unseen_dids(NOT_AWAITED),
        **{
            f"{why}_tasks": review.unseen_tasks(why) for why in (NO_LOG, NOT_AWAITED, LOST, STOPPED)
        },
    }
    return {key: counts[key] for key in order}


def closing_line(review: Review, translate: Translations, page: str | None) -> str:
    """Return the line that is printed at the end. C(page): the path of the page, null if it could not be written."""
    unlisted = at_most(review, "unlisted", translate)
    mode = translate.closing_mode(review.mode)
    counts = join_counts(tally(review, CLOSING_ORDER), translate, mode, unlisted=unlisted)
    line = f"DIDs: {counts}"
    return line if page is None else f"{line} → {page}"


def interruption(review: Review, translate: Translations) -> str:
    """Return what is to be known of a review whose run did not come to its end; an empty text for any other."""
    if review.interrupted is None:
        return ""
    texts = [translate(review.interrupted)]
    if any(unseen.why == STOPPED and not unseen.check_mode for unseen in review.unseen):
        is_partial = review.interrupted == PARTIAL
        texts.append(translate("reported_only" if is_partial else "recorded_only"))
    return " ".join(texts)


def at_most(review: Review, kind: str, translate: Translations) -> str:
    """Return the words before a count that may be too large, or an empty text."""
    return f"{translate('at_most')} " if kind == "unlisted" and review.unlisted_at_most else ""


def join_counts(
    counts: Mapping[str, int], translate: Translations, mode: str = MIXED, **before: str
) -> str:
    """Return counts by kind as one text, without those that are 0. C(before): the words before the count of a kind."""
    texts = [
        f"{before.get(kind, '')}{translate.number(number)} {translate.kind(kind, mode, number)}"
        for kind, number in counts.items()
        if number
    ]
    return ", ".join(texts) or translate("nothing")


def display_value(change: Change, value: Value) -> str:
    """Return a value of a field as a person reads it; an empty text if it is not known."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    return _scalar(BY_NAME[change.field].type.show(value))


class Side(t.NamedTuple):
    """A value before or after, as a person reads it. C(unlike): positions at which it only looks like the other one."""

    text: str
    unlike: frozenset[int]


def is_not_known(entry: Entry, change: Change) -> bool:
    """Tell whether an edit replaces a value that is not known. It must not read as a create, which replaces nothing."""
    return change.before is None and entry.action != "create"


def sides(change: Change) -> tuple[Side, Side]:
    """Return both values of a change."""
    before, after = display_value(change, change.before), display_value(change, change.after)
    unlike_before, unlike_after = look_alikes(before, after)
    return Side(before, unlike_before), Side(after, unlike_after)


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def did_name(entry: Entry | Unlisted, translate: Translations) -> str:
    """Return what a DID is called."""
    if entry.did_number:
        return entry.did_number
    return (
        translate("nameless")
        if entry.record_id is None
        else translate("record", id=entry.record_id)
    )


def range_names(members: Range, translate: Translations) -> tuple[str, ...]:
    """Return the first and the last name of a range, or the only one."""
    ends = members if len(members) == 1 else (members[0], members[-1])
    return tuple(did_name(entry, translate) for entry in ends)


def line_extent(line: Line, translate: Translations) -> str:
    """Return how many DIDs a line is about, and in how many ranges if it has several."""
    dids = translate.count("dids", line.dids)
    if len(line.ranges) == 1:
        return dids
    return translate("in_ranges", dids=dids, ranges=translate.count("ranges", len(line.ranges)))


def line_label(line: Line) -> Label:
    """Return by what people know the DIDs of a line, as far as it is the same for all and no part of the change."""
    return _without_changes(line, line.label)


def part_label(line: Line, members: Range) -> Label:
    """Return by what people know some DIDs of a line, as far as C(line_label) does not have it."""
    known, own = line.label, share_label(members)
    return _without_changes(
        line,
        Label(
            own.customer_id if known.customer_id is None else None,
            own.description if known.description is None else None,
        ),
    )


def _without_changes(line: Line, label: Label) -> Label:
    return label._replace(
        **{change.field: None for change in line.changes if change.field in label._fields}
    )


def section_extent(dids: int, tasks: int, translate: Translations) -> str:
    """Return how many DIDs a section is about, and how many tasks."""
    counts = {"dids": dids, "tasks": tasks}
    texts = [translate.count(key, number) for key, number in counts.items() if number]
    return ", ".join(texts) or translate.count("dids", 0)


def more_parts(line: Line, shown: int, translate: Translations) -> str:
    """Return how many parts of a line follow those that are shown, and with how many DIDs; an empty text if none do."""
    rest = line.parts[shown:]
    if not rest:
        return ""
    count = sum(map(len, rest))
    dids = translate.count("dids", count)
    if count == len(rest):
        return translate("more_dids", dids=dids)
    return translate("more_ranges", ranges=translate.count("ranges", len(rest)), dids=dids)


def sources(line: Line) -> str:
    """Return where the list has the DIDs of a line, such as C(dids.csv, lines 32–41); an empty text if that is not known."""
    places = {entry.source: entry.index or 0 for entry in line.entries if entry.source}
    if len(places) < 2:
        return "".join(places)
    return fold_places(sorted((position, place) for place, position in places.items()))


def similar_numbers(line: Line) -> list[str]:
    """Return which numbers may be those of a line in another notation, as ranges as the line's own."""
    pairs = (
        pair
        for members in line.ranges
        for pair in zip(members[0].similar_to, members[-1].similar_to)
    )
    return [first if first == last else f"{first} – {last}" for first, last in pairs]


def display_time(time: str) -> str:
    """Return a time of the model as a person reads it: to the minute, in UTC."""
    return f"{time[:10]} {time[11:16]} UTC"


def since(line: Line, translate: Translations) -> str:
    """Return when the values before an edit were applied, or that they never were; an empty text if that is not known, and for other lines."""
    if line.first.kind not in ("update", "adopt") or not line.first.has_age:
        return ""
    if line.known_since is None:
        known = any(change.before is not None for change in line.first.changes)
        return translate("recorded" if known else "never_applied")
    first, last = map(display_time, line.known_since)
    return f"{translate('last_applied')} " + (first if first == last else f"{first[:-4]} – {last}")


def provenance(run: Run) -> Iterator[tuple[str, str]]:
    """Yield the names and the values of what a task's plan was made against. A failure may have none of them."""
    facts = {
        "platform": run.platform,
        "registry": run.registry_id,
        "location": run.registry_location,
        "checksum": run.plan_checksum,
    }
    yield from ((key, text) for key, text in facts.items() if text is not None)


def run_notes(run: Run, translate: Translations) -> Iterator[str]:
    """Yield what is to be known of a task beside what its plan was made against."""
    if run.backoff is not None:
        yield translate("backoff", **run.backoff)
    if run.omitted:
        yield translate("omitted", dids=translate.count("dids", run.omitted))


def extent(unseen: Unseen, translate: Translations) -> str:
    """Return how many DIDs a task is about that a review cannot see."""
    if unseen.why in (LOST, STOPPED):
        text = translate("uncounted")
    elif unseen.dids is None:
        text = f"{translate.count('results', unseen.results)}, {translate('uncounted')}"
    else:
        text = translate.count("dids", unseen.dids)
    return f"{text}, {translate('of_which_failed', n=unseen.failed)}" if unseen.failed else text


def failure_message(error: Failure | None, kind: str, translate: Translations) -> str:
    """Return the message of a trouble: the module's own, or what is known if it gave none."""
    if error is not None and error.msg is not None:
        return error.msg
    key = f"why.{kind if error is None else error.kind}"
    return translate(key) if key in translate else ""


class Block(t.NamedTuple):
    """A part of a message. C(is_snippet): it is a whole play or command, to be pasted as it stands."""

    text: str
    is_snippet: bool


def blocks(message: str) -> list[Block]:
    """Split the further lines of a message into sentences, plays and commands."""
    found: list[Block] = []
    for line in message.split("\n"):
        is_snippet = line.startswith(("- name: ", "ansible-playbook "))
        if found and not is_snippet and found[-1].is_snippet == line.startswith("  "):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line}")
        else:
            found.append(Block(line, is_snippet))
    return [block for block in found if block.text.strip()]


def settling_steps(review: Review) -> list[str]:
    """Return how to settle all creates of unknown outcome of a registry together, for each registry that has several."""
    runs = sorted(
        entry.run
        for entry in review.entries
        if entry.kind == "unknown" and entry.error is not None and entry.error.attempt is not None
    )
    counts: dict[Target, int] = {}
    for number, entries in itertools.groupby(runs):
        target = review.runs[number].target
        if target is not None:
            counts[target] = counts.get(target, 0) + sum(1 for _entry in entries)
    return [settling_commands(target) for target, count in counts.items() if count > 1]
