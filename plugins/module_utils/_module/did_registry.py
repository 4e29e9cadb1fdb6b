# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did_registry)."""

from __future__ import annotations

import os
import re
import time
import typing as t

from .. import _fields
from .._engine.correct import correct
from .._engine.preflight import length_warnings
from .._input.entries import Item, stated_outcome, witness_items
from .._model import FORGOTTEN, OUTCOMES, RECORDED, timestamp
from .._planning.corrections import Statement
from .._planning.diff import corrections_diff
from .._registry.open import backend_at
from .._registry.provision import make_present
from .._registry.registry import Registry
from .._registry.witness_file import is_witness, read_entries
from .._secrets import Fingerprints
from . import arguments
from .export import export_registry, export_spec
from .results import change_result, registry_result
from .session import open_task_registry, show_warnings, task_witness
from .task import Result, Spec, Task

_PRESENT, _COPIED, _PRUNED, _SETTLED = "present", "copied", "pruned", "settled"
_EXPORTED = "exported"
# Options that go with one state alone.
_STATES = {
    "copy_from": _COPIED,
    "keep_history": _PRUNED,
    **dict.fromkeys(export_spec(), _EXPORTED),
}
_OF_A_LIST = f"goes with state {RECORDED}, {FORGOTTEN} or {_SETTLED}"
# The outcome of a row of which a person states that the create was not applied.
_ABSENT = "absent"
_UNTOUCHED = ("", *OUTCOMES)
_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"([0-9]{1,6})([hdw])")


def did_registry_spec() -> Spec:
    """Return the options of C(did_registry)."""
    return {
        **arguments.shared_spec(),
        "state": {
            "type": "str",
            "choices": [_PRESENT, RECORDED, FORGOTTEN, _SETTLED, _EXPORTED, _COPIED, _PRUNED],
            "default": _PRESENT,
        },
        **arguments.list_spec(),
        "overwrite": {"type": "bool", "default": False},
        "another_platform": {"type": "bool", "default": False},
        "accept_older": {"type": "bool", "default": False},
        "copy_from": {"type": "str"},
        "copy_from_password": {"type": "str", "no_log": True},
        "keep_history": {"type": "str"},
        **export_spec(),
        "progress": {"type": "bool", "default": True},
    }


def manage_registry(task: Task) -> Result:
    """Do the work of the module C(did_registry)."""
    declared = task.take_items()
    problems = arguments.check_limits(task)
    state = task.params["state"]
    # A copy has all platforms, and a registry may know only the one that is exported.
    is_named = state not in (_COPIED, _EXPORTED)
    platform = arguments.read_platform(task, problems) if is_named else ""
    location = arguments.read_location(task, problems)
    arguments.read_witness(task, problems)
    lists = arguments.list_options(task, declared)
    problems += _misplaced_options(task, lists)
    if state == _COPIED:
        return _copy(task, location, problems)
    if state == _EXPORTED:
        return export_registry(task, location, problems)
    if state == _PRUNED:
        return _prune(task, location, platform, problems)
    if state != _PRESENT and len(lists) != 1:
        problems.append(arguments.ONE_LIST)
    arguments.raise_problems(problems)
    if state == _PRESENT:
        return _make_present(task, location, platform)
    src = task.option("src")
    is_from_witness = state == RECORDED and src is not None and is_witness(src)
    read = _read_settled if state == _SETTLED else _read_statements
    stated = [] if is_from_witness else read(task, declared)
    with open_task_registry(task, location, platform, write=not task.check_mode) as registry:
        if is_from_witness:
            stated = [(item, RECORDED) for item in _missing_items(registry, platform, src)]
        return _correct(task, registry, platform, stated)


def _misplaced_options(task: Task, lists: list[str]) -> list[str]:
    """Return the problems of options that do not go with the state. C(lists): the options that give a list."""
    state = task.params["state"]
    problems = [
        f"{name}: goes with state {wanted}"
        for name, wanted in _STATES.items()
        if task.option(name) is not None and state != wanted
    ]
    if state == _SETTLED and task.params["overwrite"]:
        problems.append("overwrite: does not go with state settled")
    problems += [
        f"{name}: goes with state present"
        for name in ("another_platform", "accept_older")
        if task.params[name] and state != _PRESENT
    ]
    if state not in (RECORDED, FORGOTTEN, _SETTLED) and lists:
        problems.append(f"{lists[0]}: {_OF_A_LIST}")
    return problems


def _missing_items(registry: Registry, platform: str, src: str) -> list[Item]:
    """Return what a witness knows and the registry has lost. The rest may be out of date."""
    missing = registry.missing_of(platform, read_entries(src))
    declared = [{"did_number": each.did_number, "record_id": each.record_id} for each in missing]
    items, problems = witness_items(declared, os.path.basename(src))
    arguments.raise_problems(problems if missing else [])
    return items


def _make_present(task: Task, location: str, platform: str) -> Result:
    witness = task_witness(task, write=not task.check_mode)
    if witness is None and task.params["accept_older"]:
        arguments.raise_problems(["accept_older: needs the witness that knows the newer registry"])
    made = make_present(
        location,
        platform,
        registry_id=task.option("registry_id"),
        timeout=task.params["registry_timeout"],
        apply=not task.check_mode,
        password=task.option("registry_password"),
        overwrite=task.params["overwrite"],
        another_platform=task.params["another_platform"],
        witness=witness,
        accept_older=task.params["accept_older"],
    )
    show_warnings(task, witness, made.warnings)
    result = change_result(task, made.changes, made.registry_id, location)
    return {**result, "platform": platform}


def _copy(task: Task, location: str, problems: list[str]) -> Result:
    # The other states do not load what copies a registry.
    from .._registry.relocate import move_registry

    if task.option("copy_from") is None:
        problems.append("copy_from: is required with state copied")
        source = ""
    else:
        source = arguments.read_location(task, problems, "copy_from")
    if source and source == location:
        problems.append("copy_from: is the same as registry")
    arguments.raise_problems(problems)
    witness = task_witness(task, write=not task.check_mode)
    moved = move_registry(
        backend_at(source, task.option("copy_from_password")),
        backend_at(location, task.option("registry_password")),
        registry_id=task.option("registry_id"),
        timeout=task.params["registry_timeout"],
        overwrite=task.params["overwrite"],
        apply=not task.check_mode,
        sleep=task.stop.wait_for_runs,
        witness=witness,
    )
    show_warnings(task, witness, moved.warnings)
    return change_result(task, moved.changes, moved.registry_id, location)


def _prune(task: Task, location: str, platform: str, problems: list[str]) -> Result:
    age = _AGE.fullmatch(task.option("keep_history") or "")
    if age is None:
        problems.append(
            "keep_history: is required with state pruned, a number of hours, days or weeks, such as 365d"
        )
    arguments.raise_problems(problems)
    count, unit = t.cast("re.Match[str]", age).groups()
    before = timestamp(time.time() - int(count) * _SECONDS[unit])
    with open_task_registry(task, location, platform, write=not task.check_mode) as registry:
        pruned = registry.prune(platform, before, apply=not task.check_mode)
        registry_id = registry.registry_id
    changes = [
        f"delete {number} {name} from before {before}"
        for name, number in (("lines of history", pruned.history), ("runs", pruned.runs))
        if number
    ]
    return {
        **change_result(task, changes, registry_id, location),
        "platform": platform,
        "pruned": pruned._asdict(),
    }


# Items with the state that each of them is about, None for one that states nothing.
_Stated = list[tuple[Item, t.Optional[str]]]


def _read_statements(task: Task, declared: list[t.Any] | None) -> _Stated:
    """Return the items of a list whose statements are all of the task's state."""
    state = task.params["state"]
    items, problems = arguments.read_list(task, declared, attempts=state == FORGOTTEN)
    if state == RECORDED:
        problems += [
            f"{item.place}: needs record_id, the platform's id of it"
            for item in items
            if item.record_id is None
        ]
    arguments.raise_problems(problems)
    return [(item, state) for item in items]


def _read_settled(task: Task, declared: list[t.Any] | None) -> _Stated:
    """Return the items of an export that a person has filled in. Their fields are what was sent, and no statement of the person."""
    items, problems = arguments.read_list(task, declared, attempts=True)
    stated: _Stated = []
    for item in items:
        outcome = stated_outcome(item)
        state = None if item.record_id is None else RECORDED
        if outcome == _ABSENT:
            state = FORGOTTEN
            if item.record_id is not None:
                problems.append(
                    f"{item.place}: outcome: is absent, but there is a record_id; keep the one that is true"
                )
            elif item.attempt is None or item.number is None:
                problems.append(
                    f"{item.place}: outcome: is absent; that needs did_number and attempt, as the export has them"
                )
        elif outcome not in _UNTOUCHED:
            problems.append(
                f"{item.place}: outcome: must be the word {_ABSENT}, or stay as it was exported (empty, {', '.join(OUTCOMES)})"
            )
        number = item.values.get("did_number")
        stated.append(
            (item._replace(values={} if number is None else {"did_number": number}), state)
        )
    arguments.raise_problems(problems)
    return stated


def _correct(task: Task, registry: Registry, platform: str, stated: _Stated) -> Result:
    items = [item for item, _state in stated]
    for warning in length_warnings(item.values.get("did_number") for item in items):
        task.warn(warning)
    for warning in registry.server_warnings():
        task.warn(warning)
    registry.check_writable()
    api_key = task.option("api_key")
    fingerprints = None if api_key is None else Fingerprints(api_key, registry.registry_id)
    corrections = correct(
        registry,
        platform,
        [
            _statement(task, item, state, fingerprints)
            for item, state in stated
            if state is not None
        ],
        overwrite=task.params["overwrite"],
        timeout=task.params["registry_timeout"],
        apply=not task.check_mode,
        report=task.progress,
        sleep=task.stop.wait_for_runs,
    )
    result: Result = {
        "changed": bool(corrections),
        "platform": platform,
        "registry": registry_result(registry),
    }
    if task.diff:
        result["diff"] = corrections_diff(corrections)
    if task.params["state"] == _SETTLED:
        states = [state for _item, state in stated]
        result["summary"] = {
            RECORDED: states.count(RECORDED),
            FORGOTTEN: states.count(FORGOTTEN),
            "open": states.count(None),
        }
        result["open"] = [
            {"did_number": item.values.get("did_number"), "source": item.entry.source}
            for item, state in stated
            if state is None
        ]
    return result


def _statement(task: Task, item: Item, state: str, fingerprints: Fingerprints | None) -> Statement:
    values = item.values
    not_known: set[str] = set()
    if fingerprints is not None:
        values = _fields.with_fingerprints(values, fingerprints)
    else:
        not_known = set(_fields.SECRETS) & values.keys()
        values = {name: value for name, value in values.items() if name not in not_known}
        for name in not_known:
            task.warn(
                f"{item.place}: without api_key no fingerprint of its {name} can be made; it is recorded as not known, and a task that"
                " declares it sends it"
            )
    return Statement(
        item.place, item.number, item.record_id, values, not_known, item.attempt, state
    )
