# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What the registry has recorded of tasks that were stopped before they could report it. The only part of a review that opens a registry."""

from __future__ import annotations

import contextlib
import itertools
import time
import typing as t
from collections.abc import Collection, Iterator, Sequence

from ansible_collections.nextbilling.did.plugins.module_utils._errors import UnknownOutcome
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    APPLIED_EVENT,
    LABEL,
    UNDER_WAY,
    UNKNOWN,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.location import locate
from ansible_collections.nextbilling.did.plugins.module_utils._registry.open import open_registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.reports import HistoryEntry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.run_reports import RunReport

from .model import COUNTS

# Seconds to wait for another process's transaction, and for a database altogether.
_TIMEOUT, _LONGEST = 2.0, 10.0
# How many of the newest runs are looked through, those of one ansible-playbook as one: others may have begun meanwhile.
_RUNS = 50

Result = dict[str, t.Any]


def read_recorded(
    location: str, session: str, since: str, reported: Collection[str]
) -> list[Result]:
    """Return what the runs of a session have recorded, a result for each platform, as C(dids) returns it.

    The registry is only read. Raises C(DidError) if that is not possible.

    :param since: when the first of these runs can have begun.
    :param reported: the ids of runs whose results are known, and which are left out.
    """
    end = time.monotonic() + _LONGEST
    registry = open_registry(
        locate(location),
        None,
        registry_id=None,
        write=False,
        timeout=_TIMEOUT,
        allow_moved=True,
        stop_reason=lambda: "It takes too long" if time.monotonic() > end else None,
    )
    with contextlib.closing(registry):
        found = [
            run
            for run in registry.reports.runs(None, _RUNS)
            if run.session == session and run.began_at >= since
        ]
        return list(_results(registry, found, reported))


def _results(
    registry: Registry, found: Sequence[RunReport], reported: Collection[str]
) -> Iterator[Result]:
    by_platform = sorted(found, key=lambda run: run.platform)
    for platform, runs in itertools.groupby(by_platform, key=lambda run: run.platform):
        keys = [key for run in runs for key in run.runs if key not in reported]
        items = list(_items(registry, platform, keys))
        if items:
            yield {
                "summary": _summary(items),
                "dids": items,
                "platform": platform,
                "registry": {"id": registry.registry_id, "location": registry.location},
            }


def _items(registry: Registry, platform: str, runs: Sequence[str]) -> Iterator[Result]:
    applied = registry.reports.applied_by(runs)
    records = registry.find_many(platform, [(None, entry.record_id) for entry in applied])
    for entry, (_of_number, record) in zip(applied, records):
        yield _applied_item(entry, record)
    for record in registry.reports.open_of(runs):
        yield _open_item(record)


def _applied_item(entry: HistoryEntry, record: Record | None) -> Result:
    changes = {
        name: {"before": before, "after": after}
        for name, (before, after) in entry.details["changes"].items()
    }
    return {
        "outcome": APPLIED_EVENT,
        "action": entry.action,
        "did_number": entry.number if record is None else record.did_number,
        "record_id": entry.record_id,
        "changes": changes,
        "label": {} if record is None else {name: record.fields.get(name) for name in LABEL},
    }


def _open_item(record: Record) -> Result:
    known = {"did_number": record.did_number, "record_id": record.record_id}
    return {
        **known,
        "outcome": UNKNOWN,
        "label": {name: record.fields.get(name, record.attempted.get(name)) for name in LABEL},
        "error": {
            **known,
            "kind": UNDER_WAY if record.is_held else UnknownOutcome.kind,
            "msg": f"DID {record.did_number}: {_why_open(record)}",
            "attempt": record.attempt,
        },
    }


def _why_open(record: Record) -> str:
    if record.is_held:
        return "a request was under way when the run ended. did_info shows its outcome"
    if record.outcome == UNKNOWN:
        return "the create (PUT) has an unknown outcome. It may or may not exist on the platform"
    return "the edit (POST) has an unknown outcome. Run again: it is repeated, which does no harm"


def _summary(items: Sequence[Result]) -> dict[str, int]:
    counts = dict.fromkeys(COUNTS, 0)
    for item in items:
        counts[UNKNOWN if item["outcome"] == UNKNOWN else item["action"]] += 1
    return {**counts, "total": len(items)}
