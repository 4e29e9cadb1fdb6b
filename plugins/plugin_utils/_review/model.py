# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The model of a review: what C(did) and C(dids) did or would do, in the order in which a person decides. All its files come from it."""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    LimitExceeded,
    PlanChanged,
    SimilarNumber,
)
from ansible_collections.nextbilling.did.plugins.module_utils._fields import (
    BY_NAME,
    DID_NUMBER,
    identity,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning import grouping
from ansible_collections.nextbilling.did.plugins.module_utils._snippets import Target

Value = t.Union[str, int, float, bool, None, list[t.Union[str, int, float, bool, None]]]

SCHEMA_VERSION = 1

# What a task's summary counts, in its order.
COUNTS = (
    "total",
    "create",
    "update",
    "adopt",
    "none",
    "failed",
    "unknown",
    "unrecorded",
    "not_attempted",
    "unlisted",
)
ACTIONS = ("create", "update", "adopt")
TROUBLES = ("unrecorded", "unknown", "failed", "not_attempted")
# The kinds of lines of a review, in the order in which a person decides.
KINDS = (*TROUBLES, "create", "adopt", "update")
DECISION, CREATE, ROUTES, OTHER = "decision", "create", "routes", "other"
SECTIONS = (DECISION, CREATE, ROUTES, OTHER)

CHECK, APPLY, MIXED = "check", "apply", "mixed"
# An apply that sent nothing, as the module refused each plan as a whole.
REFUSED = "plan_refused"
# Why a review cannot see the result of a task.
NO_LOG, NOT_AWAITED, LOST, STOPPED = "no_log", "async", "lost", "stopped"
# What the review of a run that did not come to its end shows: all that was applied, as far as it was reported or the registry had it; or
# only what was reported.
INTERRUPTED, PARTIAL = "interrupted", "partial"
# The outcomes of DIDs in the registry that a run or a person still has to settle.
OPEN_OUTCOMES = ("unknown", "uncertain", "under_way")


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A field's value before (null: not known) and after, in wire form; secrets as marks."""

    field: str
    before: Value
    after: Value

    @property
    def affects_routing(self) -> bool:
        """Tell whether this changes where calls go."""
        return BY_NAME[self.field].affects_routing


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as C(error) and C(msg) of a result have it."""

    kind: str
    msg: str | None = None
    http_status: int | None = None
    reason: str | None = None
    did_number: str | None = None
    record_id: int | None = None
    attempt: str | None = None


class Label(t.NamedTuple):
    """By what people know a DID: its customer and its description, as last known, or else as declared; null if not known."""

    customer_id: int | None
    description: str | None


NO_LABEL = Label(None, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One DID that is not as declared. C(run) is the place of its task in C(Review.runs); C(index) that of the DID in its list.

    C(has_age): the result tells when the values before were applied, or that they never were. A group of DIDs does not tell, nor does a
    line of the registry's history. C(is_refused): the module refused the plan of its task.
    """

    run: int
    outcome: str
    action: str | None
    did_number: str | None
    record_id: int | None
    changes: tuple[Change, ...] = ()
    label: Label = NO_LABEL
    error: Failure | None = None
    before_confirmed_at: str | None = None
    index: int | None = None
    source: str | None = None
    similar_to: tuple[str, ...] = ()
    has_age: bool = False
    is_refused: bool = False

    @property
    def name(self) -> str:
        """Return what the DID is called."""
        return grouping.did_name(self.did_number, self.record_id)

    @property
    def kind(self) -> str:
        """Return what this is about: the trouble with this DID, or else what is done to it."""
        return self.outcome if self.outcome in TROUBLES else str(self.action)

    @property
    def why(self) -> str:
        """Return the kind of trouble, as far as it says why the module gave no message."""
        return REFUSED if self.is_refused and self.kind == "not_attempted" else self.kind

    @property
    def section(self) -> str:
        """Return the part of the review that this belongs to."""
        if self.kind in TROUBLES:
            return DECISION
        if self.kind == "create":
            return CREATE
        return ROUTES if any(change.affects_routing for change in self.changes) else OTHER

    @property
    def listed_changes(self) -> tuple[Change, ...]:
        """Return the changes without the number that a create or an adoption names, as that is the DID itself."""
        if self.action not in ("create", "adopt"):
            return self.changes
        return tuple(
            change for change in self.changes if BY_NAME[change.field].type is not DID_NUMBER
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Unlisted:
    """A DID that the registry knows and the list of a task does not name."""

    run: int
    did_number: str | None
    record_id: int | None
    outcome: str | None

    @property
    def open_outcome(self) -> str | None:
        """Return the outcome if it is not that of a DID at rest."""
        return self.outcome if self.outcome in OPEN_OUTCOMES else None

    @property
    def key(self) -> tuple[str | None, int | None]:
        """Return which DID of the registry it is, whatever it was at when a task looked."""
        return (
            (None, self.record_id) if self.did_number is None else (identity(self.did_number), None)
        )


class _PlatformLists(t.NamedTuple):
    """What the lists for one platform of one registry leave out together: what is named, and how many there are at most."""

    unlisted: tuple[Unlisted, ...]
    most: int
    is_exact: bool


@dataclasses.dataclass(frozen=True)
class Run:
    """A task on a host, with one registry and one platform. C(counts) is null if the task failed before it could count.

    C(omitted): how many DIDs that are not as declared already it counts and does not name.
    """

    host: str
    play: str
    task: str
    module: str
    check_mode: bool
    platform: str | None
    registry_id: str | None
    registry_location: str | None
    plan_checksum: str | None
    counts: dict[str, int] | None
    error: Failure | None = None
    backoff: dict[str, int] | None = None
    omitted: int = 0

    @property
    def target(self) -> Target | None:
        """Return what plays about its DIDs name, None if that is not known."""
        if self.platform and self.registry_location and self.registry_id:
            return Target(self.platform, self.registry_location, self.registry_id)
        return None

    @property
    def is_refused(self) -> bool:
        """Tell whether the module refused the plan as a whole, and so sent nothing."""
        if self.module != "dids" or self.error is None:
            return False
        error = self.error
        # The plan of one DID may have changed, too. The others were then sent.
        is_of_plan = error.did_number is None and error.record_id is None
        return error.kind == SimilarNumber.kind or (
            is_of_plan and error.kind in (LimitExceeded.kind, PlanChanged.kind)
        )

    @property
    def manner(self) -> str:
        """Return how the task ran: in check mode, in apply, or refused."""
        if self.check_mode:
            return CHECK
        return REFUSED if self.is_refused else APPLY


@dataclasses.dataclass(frozen=True)
class Unseen:
    """A task whose results a review cannot see, and why. C(dids) is null if it is not known how many DIDs they are about."""

    host: str
    play: str
    task: str
    module: str
    check_mode: bool
    why: str
    results: int
    failed: int
    dids: int | None


@dataclasses.dataclass(frozen=True)
class Repeated:
    """A DID that more than one result is about."""

    did_number: str
    platform: str | None
    times: int


@dataclasses.dataclass(frozen=True)
class Review:
    """What a run of Ansible did or would do about DIDs. C(interrupted): null if the run came to its end, or else what is shown of it."""

    generated_at: str
    runs: tuple[Run, ...]
    entries: tuple[Entry, ...]
    unlisted: tuple[Unlisted, ...]
    unseen: tuple[Unseen, ...]
    interrupted: str | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether no task about DIDs ran."""
        return not self.runs and not self.unseen

    @property
    def mode(self) -> str:
        """Tell whether this was a check run, an apply, or both."""
        modes = {run.check_mode for run in self.runs} | {one.check_mode for one in self.unseen}
        if len(modes) == 2:
            return MIXED
        return CHECK if True in modes else APPLY

    @property
    def manner(self) -> str:
        """Return the mode, or that each plan was refused."""
        refused = {run.manner for run in self.runs} == {REFUSED} and not self.unseen
        return REFUSED if refused else self.mode

    @property
    def counts(self) -> dict[str, int]:
        """Return the sums of what the tasks counted. C(unlisted) counts the DIDs that no list for their platform names."""
        return {
            name: sum(run.counts[name] for run in self.runs if run.counts is not None)
            for name in COUNTS
        } | {"unlisted": sum(platform.most for platform in self._platforms)}

    @property
    def unlisted_at_most(self) -> bool:
        """Tell whether fewer DIDs may be unlisted than counted, because not each task for a platform has named its own."""
        return not all(platform.is_exact for platform in self._platforms)

    @property
    def common_unlisted(self) -> tuple[Unlisted, ...]:
        """Return the unlisted DIDs that every task for their platform has named, of those that name any."""
        return tuple(one for platform in self._platforms for one in platform.unlisted)

    @functools.cached_property
    def _platforms(self) -> tuple[_PlatformLists, ...]:
        """Return the lists for each platform of each registry."""
        lists: dict[tuple[str | None, ...], list[int]] = collections.defaultdict(list)
        for number, run in enumerate(self.runs):
            if run.module == "dids" and run.counts is not None:
                lists[run.platform, run.registry_id, run.registry_location].append(number)
        named: dict[int, list[Unlisted]] = collections.defaultdict(list)
        for one in self.unlisted:
            named[one.run].append(one)
        return tuple(self._compare_lists(runs, named) for runs in lists.values())

    def _compare_lists(
        self, runs: Sequence[int], named: Mapping[int, Sequence[Unlisted]]
    ) -> _PlatformLists:
        counts = [(self.runs[run].counts or {})["unlisted"] for run in runs]
        # A task that counts none has none to name.
        lists = [named[run] for run, count in zip(runs, counts) if run in named or not count]
        common: Sequence[Unlisted] = lists[0] if lists else ()
        for other in lists[1:]:
            keys = {one.key for one in other}
            common = [one for one in common if one.key in keys]
        return _PlatformLists(
            tuple(common),
            min([*counts, *([len(common)] if lists else [])]) if len(runs) > 1 else counts[0],
            len(runs) == 1 or len(lists) == len(runs),
        )

    @property
    def failed_tasks(self) -> int:
        """Return how many tasks failed before they could count their DIDs."""
        return sum(run.counts is None for run in self.runs)

    def unseen_dids(self, why: str) -> int:
        """Return how many DIDs are known to be unseen for a reason."""
        return sum(unseen.dids or 0 for unseen in self.unseen if unseen.why == why)

    def unseen_tasks(self, why: str) -> int:
        """Return how many unseen results are about an unknown number of DIDs."""
        return sum(
            unseen.results for unseen in self.unseen if unseen.why == why and unseen.dids is None
        )

    @property
    def pending(self) -> int:
        """Return how many DIDs, or tasks that could not count theirs, are not known to be as declared: 0 is "nothing to do"."""
        planned = sum(
            run.counts[action]
            for run in self.runs
            if run.check_mode and run.counts is not None
            for action in ACTIONS
        )
        troubles = sum(self.counts[trouble] for trouble in TROUBLES)
        unseen = sum(
            unseen.results if unseen.dids is None else unseen.dids for unseen in self.unseen
        )
        # Nobody knows what an interrupted run had still to do.
        return planned + troubles + unseen + self.failed_tasks or int(self.interrupted is not None)

    @property
    def failed_runs(self) -> tuple[Run, ...]:
        """Return the tasks whose error is not also that of one of their DIDs."""
        reported = {
            (entry.run, entry.error.kind, entry.error.did_number, entry.error.record_id)
            for entry in self.entries
            if entry.error is not None
        }
        return tuple(
            run
            for number, run in enumerate(self.runs)
            if run.error is not None
            and (number, run.error.kind, run.error.did_number, run.error.record_id) not in reported
        )

    @property
    def repeated(self) -> tuple[Repeated, ...]:
        """Return the DIDs that more than one result is about, by their numbers."""
        named = collections.Counter(
            (
                self.runs[entry.run].platform,
                self.runs[entry.run].registry_id,
                identity(entry.did_number),
            )
            for entry in self.entries
            if entry.did_number
        )
        return tuple(
            Repeated(number, platform, times)
            for (platform, _registry, number), times in sorted(named.items(), key=str)
            if times > 1
        )

    def as_json(self) -> dict[str, t.Any]:
        """Return what C(review.json) holds, as docs/review.schema.json describes it. C(dids) is an iterator, as there may be very many."""
        return {
            "schema_version": SCHEMA_VERSION,
            "generated_at": self.generated_at,
            "mode": self.mode,
            "interrupted": self.interrupted,
            "pending": self.pending,
            "counts": self.counts,
            "failed_tasks": self.failed_tasks,
            "runs": [dataclasses.asdict(run) for run in self.runs],
            "dids": map(_entry_as_json, self.entries),
            "unlisted": [dataclasses.asdict(unlisted) for unlisted in self.common_unlisted],
            "unlisted_at_most": self.unlisted_at_most,
            "unseen": [dataclasses.asdict(unseen) for unseen in self.unseen],
            "repeated": [dataclasses.asdict(repeated) for repeated in self.repeated],
        }


def _entry_as_json(entry: Entry) -> dict[str, t.Any]:
    return {
        "section": entry.section,
        "kind": entry.kind,
        "run": entry.run,
        "index": entry.index,
        "source": entry.source,
        "outcome": entry.outcome,
        "action": entry.action,
        "did_number": entry.did_number,
        "record_id": entry.record_id,
        "changes": {
            change.field: {"before": change.before, "after": change.after}
            for change in entry.changes
        },
        "label": entry.label._asdict(),
        "before_confirmed_at": entry.before_confirmed_at,
        "similar_to": list(entry.similar_to),
        "error": None if entry.error is None else dataclasses.asdict(entry.error),
    }


def sort_entries(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Sort entries: what needs a decision, creates, changes of where calls go, the rest; each part by task and number."""
    return tuple(sorted(entries, key=sort_key))


def sort_key(entry: Entry) -> tuple[t.Any, ...]:
    """Return by what entries are sorted."""
    return (
        SECTIONS.index(entry.section),
        KINDS.index(entry.kind),
        entry.run,
        *grouping.number_order(entry.name),
        entry.record_id or 0,
        entry.index or 0,
    )
