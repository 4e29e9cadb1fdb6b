# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tasks as Ansible runs them, as modules or by their action plugins, with one platform and one registry."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pytest
from ansible import module_utils
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.connection.local import Connection
from ansible.template import Templar

from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.stores import FileStore, Store

Result = dict[str, Any]
Action = TypeVar("Action", bound=ActionBase)

PLUGINS = "ansible_collections.nextbilling.did.plugins"
MODULE, PROCESS = "module", "process"
# How the tasks of a test run; the mark of a function overrides that of its file. Without one, a task runs as a module, or as --ways says.
in_both_ways = pytest.mark.ways(MODULE, PROCESS)
as_a_module = pytest.mark.ways(MODULE)

# The fields of the vendor's page's sample for a create.
VENDOR_CREATE: dict[str, Any] = {
    "customer_id": 13,
    "description": "Número Entrante",
    "did_number": "1166",
    "host": "192.168.0.2",
    "port": 5060,
    "host_additional": ["192.168.0.1", "192.168.0.3"],
}
# And of its sample for an edit, of record 12.
VENDOR_EDIT: dict[str, Any] = {
    "description": "Número Entrante Editado",
    "host": "192.168.0.2",
    "port": 5060,
    "host_additional": ["192.168.0.1", "192.168.0.3"],
}


def run_module(main: Callable[[], None], parameters: dict[str, Any]) -> Result:
    """Run a module's main() with parameters as Ansible passes them; return its result."""
    if "inject_invocation" in PASS_VARS:
        # Since ansible-core 2.21 a result holds the invocation only where the configuration asks for it.
        parameters = {**parameters, "_ansible_inject_invocation": True}
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": parameters}).encode()
    printed = io.StringIO()
    ansible_warnings._global_warnings.clear()
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(basic, "_ANSIBLE_ARGS", arguments))
        if hasattr(basic, "_ANSIBLE_PROFILE"):
            stack.enter_context(mock.patch.object(basic, "_ANSIBLE_PROFILE", "legacy"))
        internal = getattr(module_utils, "_internal", None)
        if hasattr(internal, "is_controller"):
            # Since ansible-core 2.19 modules warn by the controller's display where its code is imported.
            stack.enter_context(mock.patch.object(internal, "is_controller", False))
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.suppress(SystemExit))
        main()
    result: Result = json.loads(printed.getvalue())
    return result


def make_action(plugin: type[Action], name: str, parameters: dict[str, Any]) -> Action:
    """Return an action plugin as Ansible's worker process has it for a task on the host itself."""
    task = Task()
    task.action = f"nextbilling.did.{name}"
    task.args = parameters
    context, loader = PlayContext(), DataLoader()
    return plugin(task, Connection(context), context, loader, Templar(loader=loader), None)


def run_action(name: str, parameters: dict[str, Any], *, check: bool) -> Result:
    """Run a module's action plugin, with a diff; return its result."""
    plugin = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule
    action = make_action(plugin, name, parameters)
    action._task.check_mode, action._task.diff = check, True
    # As in run_module.
    with mock.patch.dict(os.environ, {"ANSIBLE_INJECT_INVOCATION": "true"}):
        result: Result = action.run(task_vars={})
    assert _is_json(result), "holds what a module's result cannot hold"
    return result


def _is_json(value: object) -> bool:
    """Tell whether a value consists of the types of JSON alone, without tags."""
    kind = value.__class__
    if isinstance(value, dict):
        return kind is dict and all(map(_is_json, (*value, *value.values())))
    if isinstance(value, list):
        return kind is list and all(map(_is_json, value))
    return value is None or kind in (str, int, float, bool)


@dataclass
class Runner:
    """Runs tasks with one platform and one registry. C(way): C(MODULE) or C(PROCESS)."""

    simulator: Simulator
    store: Store
    options: dict[str, Any] = field(default_factory=dict)
    way: str = MODULE

    def did(self, *, check: bool = False, **parameters: Any) -> Result:
        """Run the module did. A parameter that is Ellipsis is left out."""
        return self._run("did", check, parameters)

    def dids(self, *, check: bool = False, **parameters: Any) -> Result:
        """Run the module dids."""
        return self._run("dids", check, parameters)

    def did_registry(self, *, check: bool = False, **parameters: Any) -> Result:
        """Run the module did_registry."""
        return self._run("did_registry", check, parameters)

    def did_info(self, *, check: bool = False, **parameters: Any) -> Result:
        """Run the module did_info."""
        return self._run("did_info", check, parameters)

    def attempt(self, number: str) -> str:
        """Which create of a number is open, as did_info shows it."""
        (known,) = self.did_info(did_number=number)["dids"]
        assert known["attempt"], known
        return str(known["attempt"])

    def forget(self, *numbers: str) -> Result:
        """Say of open creates that they were not applied, as somebody does who has looked."""
        dids = [{"did_number": number, "attempt": self.attempt(number)} for number in numbers]
        return self.did_registry(state="forgotten", dids=dids)

    def _run(self, name: str, check: bool, parameters: dict[str, Any]) -> Result:
        everything = {
            "api_url": self.simulator.url,
            "api_token": self.simulator.token,
            "api_key": self.simulator.key,
            "registry": self.store.location,
            "retries": 0,
            **self.options,
            **parameters,
        }
        given = {option: value for option, value in everything.items() if value is not ...}
        if self.way == PROCESS:
            return run_action(name, given, check=check)
        module = importlib.import_module(f"{PLUGINS}.modules.{name}")
        given |= {"_ansible_check_mode": check, "_ansible_diff": True}
        return run_module(module.main, given)

    def requests(self, method: str | None = None) -> list[dict[str, Any]]:
        """What the platform saw."""
        return self.simulator.requests(method)

    def both(self, **parameters: Any) -> Result:
        """Run did in check mode, then in earnest; check that nothing moved in between, and that both say the same."""
        predicted, done = self._rehearsed(self.did, parameters)
        for key in ("changed", "action", "changes", "diff", "fields", "request", "similar_to"):
            assert predicted.get(key) == done.get(key), key
        return done

    def both_dids(self, **parameters: Any) -> Result:
        """Do for a list what C(both) does for one DID. On the way nothing may go wrong that a plan cannot foresee."""
        predicted, done = self._rehearsed(self.dids, {"details": True, **parameters})
        for key in ("changed", "diff", "summary", "unlisted", "plan_checksum", "backoff", "msg"):
            assert predicted.get(key) == done.get(key), key
        for before, after in zip(predicted.get("dids", []), done.get("dids", []), strict=True):
            assert (before["outcome"] == "planned") == (after["outcome"] == "applied")
            differing = {"outcome", "confirmed_at"} | (
                {"record_id"} if after["action"] == "create" else set()
            )
            for key in before.keys() - differing:
                assert before[key] == after[key], (key, before, after)
        return done

    def both_registry(self, state: str, *dids: Any, **options: Any) -> Result:
        """Do for statements to the registry what C(both) does for one DID."""
        parameters = {"state": state, "dids": list(dids), **options}
        predicted, done = self._rehearsed(self.did_registry, parameters)
        for key in ("changed", "diff", "failed"):
            assert predicted.get(key) == done.get(key), key
        return done

    def _rehearsed(
        self, run: Callable[..., Result], parameters: dict[str, Any]
    ) -> tuple[Result, Result]:
        seen, stored = len(self.requests()), self.traces()
        predicted = run(check=True, **parameters)
        assert len(self.requests()) == seen, "check mode sent a request"
        assert self.traces() == stored, "check mode left a trace beside or in the registry"
        done = run(**parameters)
        assert bool(predicted.get("failed")) == bool(done.get("failed"))
        assert (predicted.get("error") or {}).get("kind") == (done.get("error") or {}).get("kind")
        return predicted, done

    @property
    def registry(self) -> Path:
        """The registry's file, in a test that is about files."""
        store = self.store
        if not isinstance(store, FileStore):
            raise TypeError("the registry of this test is in a database")
        return store.path  # pylint: disable=no-member

    def traces(self) -> Any:
        """All that a write would change."""
        return self.store.traces()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Look into the registry past the collection."""
        return self.store.rows(query)

    def write(self, *statements: str) -> None:
        """Write into the registry past the collection."""
        self.store.write(*statements)
