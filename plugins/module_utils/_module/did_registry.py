# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The work of the module C(did_registry)."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._engine.correct import resolve
from .._fields import with_fingerprints
from .._input.entries import entries_of_file, entries_of_option, validate
from .._model import FORGOTTEN, RECORDED
from .._planning.corrections import Statement, lines
from .._registry.open import open_registry, place_of
from .._registry.provision import make_present
from .._secrets import Fingerprints
from .arguments import limits, option, platform_of, refuse, registry_location, shared_spec

if t.TYPE_CHECKING:  # pragma: no cover
    from .._input.entries import Item
    from .._registry.registry import Registry
    from .task import Module, Result, Spec

_COPIED = "copied"


def registry_module_spec() -> Spec:
    """Return the options of C(did_registry)."""
    return {
        **shared_spec(),
        "state": {
            "type": "str",
            "choices": ["present", RECORDED, FORGOTTEN, _COPIED],
            "default": "present",
        },
        "dids": {"type": "list", "elements": "dict"},
        "src": {"type": "path"},
        "overwrite": {"type": "bool", "default": False},
        "another_platform": {"type": "bool", "default": False},
        "copy_from": {"type": "str"},
        "copy_from_password": {"type": "str", "no_log": True},
    }


def keep_registry(module: Module) -> Result:
    """Do the work of the module C(did_registry)."""
    declared = module.take_items()
    problems: list[str] = limits(module)
    state = module.params["state"]
    # A copy has all platforms.
    platform = "" if state == _COPIED else platform_of(module, problems)
    location = registry_location(module, problems)
    src = option(module, "src")
    given = [name for name, value in (("dids", declared), ("src", src)) if value is not None]
    if option(module, "copy_from") is not None and state != _COPIED:
        problems.append("copy_from: goes with state copied")
    if module.params["another_platform"] and state != "present":
        problems.append("another_platform: goes with state present")
    if state in ("present", _COPIED):
        if given:
            problems.append(f"{given[0]}: goes with state recorded or forgotten")
        if state == _COPIED:
            return _copy(module, location, problems)
        refuse(problems)
        return _make_present(module, location, platform)
    if len(given) != 1:
        problems.append("dids, src: give one of them")
    refuse(problems)
    entries = entries_of_option(declared, "dids") if declared is not None else entries_of_file(src)
    items, invalid = validate(entries, given[0])
    if module.params["state"] == RECORDED:
        invalid += [
            f"{item.place}: needs record_id, the platform's id of it"
            for item in items
            if item.record_id is None
        ]
    refuse(invalid)
    registry = open_registry(
        location,
        platform,
        registry_id=option(module, "registry_id"),
        write=not module.check_mode,
        timeout=module.params["registry_timeout"],
        password=option(module, "registry_password"),
    )
    try:
        return _resolve_items(module, registry, platform, items)
    finally:
        registry.close()


def _resolve_items(module: Module, registry: Registry, platform: str, items: list[Item]) -> Result:
    from .._engine.preflight import too_long

    for warning in too_long(item.values.get("did_number") for item in items):
        module.warn(warning)
    registry.check_writable()
    api_key = option(module, "api_key")
    fingerprints = Fingerprints(api_key, registry.registry_id) if api_key is not None else None
    revisions = resolve(
        registry,
        platform,
        module.params["state"],
        [_statement(module, item, fingerprints) for item in items],
        overwrite=module.params["overwrite"],
        patience=module.params["registry_timeout"],
        apply=not module.check_mode,
    )
    result: Result = {
        "changed": bool(revisions),
        "platform": platform,
        "registry": {"id": registry.registry_id, "location": registry.location},
    }
    if module._diff:
        result["diff"] = dict(zip(("before", "after"), lines(revisions)))
    return result


def _statement(module: Module, item: Item, fingerprints: Fingerprints | None) -> Statement:
    values = dict(item.values)
    not_known: set[str] = set()
    if fingerprints is None:
        not_known = set(_fields.SECRETS) & values.keys()
        for name in not_known:
            del values[name]
            module.warn(
                f"{item.place}: without api_key no fingerprint of its {name} can be made; it is recorded as not known, and a task that"
                " declares it sends it"
            )
        fields = values
    else:
        fields = with_fingerprints(values, fingerprints)
    return Statement(item.place, item.number, item.record_id, fields, not_known, item.attempt)


def _make_present(module: Module, location: str, platform: str) -> Result:
    made = make_present(
        location,
        platform,
        registry_id=option(module, "registry_id"),
        timeout=module.params["registry_timeout"],
        apply=not module.check_mode,
        password=option(module, "registry_password"),
        overwrite=module.params["overwrite"],
        another_platform=module.params["another_platform"],
    )
    result = _kept(module, made["changes"], made["registry_id"], location)
    return {**result, "platform": platform}


def _copy(module: Module, location: str, problems: list[str]) -> Result:
    from .._registry.relocate import copy_registry

    if option(module, "copy_from") is None:
        problems.append("copy_from: is required with state copied")
        source = ""
    else:
        source = registry_location(module, problems, "copy_from")
    if source and source == location:
        problems.append("copy_from: is the same as registry")
    refuse(problems)
    copied = copy_registry(
        place_of(source, option(module, "copy_from_password")),
        place_of(location, option(module, "registry_password")),
        registry_id=option(module, "registry_id"),
        timeout=module.params["registry_timeout"],
        overwrite=module.params["overwrite"],
        apply=not module.check_mode,
    )
    if copied.warning is not None:
        module.warn(copied.warning)
    return _kept(module, copied.changes, copied.registry_id, location)


def _kept(module: Module, changes: list[str], registry_id: str | None, location: str) -> Result:
    result: Result = {
        "changed": bool(changes),
        "registry": {"id": registry_id, "location": location},
    }
    if module._diff:
        result["diff"] = {"before": "", "after": "".join(f"{change}\n" for change in changes)}
    return result
