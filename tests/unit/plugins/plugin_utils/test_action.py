# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What forbids that a task does its work in Ansible's own process, and what becomes of its arguments there."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible import template
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.parsing import vault
from ansible.plugins.become.su import BecomeModule as Su
from ansible.plugins.connection.ssh import Connection as SshConnection
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._module.did import did_spec
from ansible_collections.nextbilling.did.plugins.module_utils._module.task import mask_value
from ansible_collections.nextbilling.did.plugins.plugin_utils import _preload
from ansible_collections.nextbilling.did.plugins.plugin_utils._action import (
    ENVIRONMENT_VARIABLE,
    HOST_VARIABLE,
    DidAction,
    Unsuitable,
    WorkerTask,
    plain,
    without_secrets,
)
from ansible_collections.nextbilling.did.tests.support.modules import make_action

SECRET = "pwd-7e1f-geheim"


class Action(DidAction):
    """An action without work."""

    module_spec = staticmethod(did_spec)
    work = staticmethod(lambda _task: {"changed": False})


class OnMacos(Action):
    platform = "darwin"


class WithNewCore(Action):
    core = "2.99.1rc1"


class WithoutRequests(Action):
    missing = ("requests",)


def action(kind: type[Action] = Action, **arguments: Any) -> Action:
    """Return an action with arguments."""
    return make_action(kind, "did", {"did_number": "1", **arguments})


def templated(value: Any) -> Any:
    """Return a value as a playbook has it. Since ansible-core 2.19 only such text is a template."""
    trust = getattr(template, "trust_as_template", None)
    return value if trust is None or not isinstance(value, str) else trust(value)


def is_unsuitable(action: Action, reason: str, **variables: Any) -> None:
    """Require the action to run as a module, for a reason."""
    with pytest.raises(Unsuitable, match=reason):
        action.prepare(variables)


def _remote(action: Action) -> None:
    action._connection = SshConnection(action._play_context)


def _become(action: Action) -> None:
    action._connection.become = Su()


def _async(action: Action) -> None:
    action._task.async_val = 60


def _environment(action: Action) -> None:
    action._task.environment = [{}, templated("{{ {} }}"), {"A": "b"}]


def test_nothing_forbids_an_ordinary_task() -> None:
    subject = action(port="5060")
    subject._task.environment = [{}, templated("{{ {} }}"), None]
    task = subject.prepare({})
    assert (task.invalid, task.params["port"]) == (None, 5060)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_remote, "its connection is not local"),
        (_become, "it has become"),
        (_async, "it has async"),
        (_environment, "it has environment"),
    ],
)
def test_what_the_task_says(change: Callable[[Action], None], reason: str) -> None:
    subject = action()
    change(subject)
    is_unsuitable(subject, reason)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (OnMacos, "macOS"),
        (WithNewCore, r"ansible-core 2.99.1rc1 is newer"),
        (WithoutRequests, f"does not have requests .{sys.executable}"),
    ],
)
def test_where_the_task_runs(kind: type[Action], reason: str) -> None:
    is_unsuitable(action(kind), reason)


@pytest.mark.parametrize("core", ["2.18.0", "2.22.0rc1", "2.22.9.dev0"])
def test_cores_that_are_supported(core: str) -> None:
    class Supported(Action):
        pass

    Supported.core = core
    action(Supported).prepare({})


def test_outside_the_main_thread() -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(is_unsuitable, action(), "it is not in the main thread").result(timeout=30)


@pytest.mark.parametrize("value", ["{{ false }}", "{{ 'no' }}", "no", "False", 0, False])
def test_the_switch_is_off(value: Any) -> None:
    is_unsuitable(
        action(),
        f"{HOST_VARIABLE} or {ENVIRONMENT_VARIABLE} is false",
        **{HOST_VARIABLE: templated(value)},
    )


@pytest.mark.parametrize("value", ["{{ true }}", "yes", 1, True])
def test_the_switch_is_on(value: Any) -> None:
    assert isinstance(action().prepare({HOST_VARIABLE: templated(value)}), WorkerTask)


def test_the_switch_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "true", "1"):
        monkeypatch.setenv(ENVIRONMENT_VARIABLE, value)
        action().prepare({})
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "no")
    is_unsuitable(action(), f"{ENVIRONMENT_VARIABLE} is false")
    is_unsuitable(action(), f"{ENVIRONMENT_VARIABLE} is false", **{HOST_VARIABLE: True})


@pytest.mark.parametrize(("variable", "environment"), [("perhaps", "true"), (True, "perhaps")])
def test_the_switch_is_neither_on_nor_off(
    monkeypatch: pytest.MonkeyPatch, variable: Any, environment: str
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, environment)
    with pytest.raises(AnsibleActionFail, match="must be true or false"):
        action().prepare({HOST_VARIABLE: variable})


# The Python that is named


def _named(path: object) -> dict[str, str]:
    return {"ansible_python_interpreter": templated(str(path))}


def test_the_interpreter_of_this_process_may_be_named() -> None:
    for name in (sys.executable, "auto", "auto_silent", "{{ 'auto' }}"):
        action().prepare(_named(name))


def test_another_interpreter_is_named(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    for name in (link, "/usr/bin/false", "/nowhere/python", "no-such-python"):
        is_unsuitable(action(), "another Python is named for the host", **_named(name))


def test_the_interpreter_is_that_of_the_host_that_the_task_is_delegated_to() -> None:
    subject = action()
    subject._task.delegate_to = "there"
    subject.prepare({**_named("/usr/bin/false"), "ansible_delegated_vars": {"there": {}}})
    delegated = {"ansible_delegated_vars": {"there": _named("/usr/bin/false")}}
    is_unsuitable(subject, "another Python is named", **delegated)


# Arguments


def test_a_database_needs_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    database, file = action(registry="postgresql://db/x"), action(registry="/x/registry.db")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "psycopg" else find_spec(name, *rest),
    )
    is_unsuitable(database, "does not have psycopg")
    file.prepare({})
    monkeypatch.setenv("NEXTBILLING_REGISTRY", "postgresql://db/x")
    is_unsuitable(action(), "does not have psycopg")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"ca_path": "ca.pem"}, "ca_path is a relative path"),
        ({"registry": "postgresql://db/x?sslrootcert=ca.pem"}, "URL has a relative path"),
        ({"registry": "postgresql://db/x?a=b&sslcert=x%2Fa.pem"}, "URL has a relative path"),
        ({"registry": "postgresql://db/x?PASSFILE=.pgpass"}, "URL has a relative path"),
    ],
)
def test_a_relative_path_needs_the_playbooks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], reason: str
) -> None:
    subject = action(**arguments)
    subject.prepare({})  # this process is in the playbook's folder
    subject._loader.set_basedir(os.getcwd())
    monkeypatch.chdir(tmp_path)
    is_unsuitable(subject, reason)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("REQUESTS_CA_BUNDLE", {}),
        ("PGSSLROOTCERT", {"registry": "postgresql://db/x"}),
    ],
)
def test_a_relative_path_of_the_environment_needs_the_playbooks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]
) -> None:
    subject = action(**arguments)
    subject._loader.set_basedir(os.getcwd())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "/etc/ca.pem")
    subject.prepare({})
    monkeypatch.setenv(name, "ca.pem")
    is_unsuitable(subject, f"{name} is a relative path")


@pytest.mark.parametrize(
    "arguments",
    [
        {"ca_path": "/etc/ca.pem"},
        {"registry": "postgresql://db/x?sslrootcert=/etc/ca.pem&sslcert=%2fetc%2Fc.pem"},
        {"registry": "postgresql://db/x?sslrootcert=system"},
    ],
)
def test_an_absolute_path_is_used_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    subject = action(**arguments)
    subject._loader.set_basedir(os.getcwd())
    monkeypatch.chdir(tmp_path)
    subject.prepare({})


def test_an_argument_that_json_cannot_hold() -> None:
    is_unsuitable(action(port=object()), r"of a type that JSON does not have \(object\)")
    is_unsuitable(action(dids=[{("1", "2"): 3}]), "has a key that JSON does not have")


# What a module gets


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2), "2026-01-02T00:00:00"),
        ((1, ("2", None)), [1, ["2", None]]),
        ({1.5}, [1.5]),
        (frozenset([True]), [True]),
        (10**400, 10**400),
        (-(2**63) - 1, -(2**63) - 1),
        (1e400, math.inf),
        (-math.inf, -math.inf),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ({1.5: {"x": ({"y": date(2026, 1, 2)},)}}, {"1.5": {"x": [{"y": "2026-01-02"}]}}),
        ("", ""),
        ([], []),
        ({}, {}),
    ],
)
def test_a_value_in_the_types_of_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
    json.dumps(plain(value))


@pytest.fixture(name="vaulted")
def _vaulted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Encrypts a text as C(!vault) in a playbook has it."""
    secret = vault.VaultSecret(b"password of a test")
    library = vault.VaultLib([("default", secret)])

    def encrypt(text: str) -> Any:
        ciphertext = library.encrypt(text, secret)
        if hasattr(vault, "EncryptedString"):
            return vault.EncryptedString(ciphertext=ciphertext.decode())
        # ansible-core 2.18
        objects = importlib.import_module("ansible.parsing.yaml.objects")
        value = objects.AnsibleVaultEncryptedUnicode(ciphertext)
        value.vault = library
        return value

    if hasattr(vault, "VaultSecretsContext"):
        context = vault.VaultSecretsContext(library.secrets)
        monkeypatch.setattr(vault.VaultSecretsContext, "_current", context)
    return encrypt


def test_a_vaulted_value_is_decrypted_wherever_it_stands(vaulted: Callable[[str], Any]) -> None:
    made = plain({"password": vaulted("geheim"), "dids": [{"port": vaulted("5060")}]})
    assert made == {"password": "geheim", "dids": [{"port": "5060"}]}
    assert {type(made["password"]), type(made["dids"][0]["port"])} == {str}


def test_a_number_that_is_none_stays_one() -> None:
    assert math.isnan(plain(math.nan))


@pytest.mark.parametrize("value", [b"bytes", bytearray(b"x"), object(), 1j, iter([]), range(3)])
def test_other_types_are_refused(value: Any) -> None:
    for each in (value, [value], {"x": (value,)}):
        with pytest.raises(Unsuitable):
            plain(each)


class Text(str):
    """A text as a template makes it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class Number(int):
    __slots__ = ()


def test_types_derived_from_plain_ones_become_these() -> None:
    made = plain({Text("a"): [Text("b"), Number(3)]})
    assert made == {"a": ["b", 3]}
    assert {type(each) for each in (*made, *made["a"])} == {str, int}


def test_tags_are_removed() -> None:
    datatag = pytest.importorskip("ansible.module_utils._internal._datatag")
    origin = pytest.importorskip("ansible._internal._datatag._tags").Origin(description="here")
    tag = datatag.AnsibleTagHelper.tag
    values = [tag(each, origin) for each in ("a", 1, 1.5, date(2026, 1, 2), [1], {"b": 2}, (3,))]
    nested = tag({tag("x", origin): [tag([each], origin) for each in values]}, origin)
    made = plain(nested)
    assert made == {"x": [["a"], [1], [1.5], ["2026-01-02"], [[1]], [{"b": 2}], [[3]]]}
    assert not any(datatag.AnsibleTagHelper.tag_types(each) for each in _all_in(made))


def _all_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value, *value, *(inner for each in value.values() for inner in _all_in(each))]
    if isinstance(value, list):
        return [value, *(inner for each in value for inner in _all_in(each))]
    return [value]


def test_a_warning_is_shown_once() -> None:
    task = action().prepare({})
    for warning in ("one", "other", "one"):
        task.warn(warning)
    assert task.warnings == ["one", "other"]


def test_without_requests_what_would_send_runs_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Python may have it, and if not, the module says so."""
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "requests", None)
        assert importlib.reload(_preload).MISSING == ("requests",)
    assert importlib.reload(_preload).MISSING == ()


def test_the_values_of_no_log_options_are_not_in_an_error() -> None:
    for wrong in ({"password": {"x": SECRET}}, {"api_key": [SECRET]}, {"pasword": SECRET}):
        task = action(**wrong).prepare({})
        assert SECRET not in str(task.invalid) + str(task.masked_invocation())


@pytest.mark.parametrize(
    "field", ["did_number", "record_id", "customer_id", "port", "did_type", "status", "register"]
)
def test_a_value_that_its_field_may_not_have_is_not_in_the_invocation(field: str) -> None:
    # The password stands in the wrong column.
    for wrong in ({field: SECRET}, {"dids": [{field: SECRET}]}, {"defaults": {field: SECRET}}):
        masked = {name: mask_value(name, {}, value) for name, value in wrong.items()}
        assert SECRET not in str(masked) and field in str(masked)


def test_a_value_that_its_field_may_have_is_in_the_invocation() -> None:
    did = {"did_number": "+55 (11) 3000-1000", "record_id": "13", "port": 1, "did_type": "queue"}
    did["host_additional"] = ["10.0.0.1", "a.b"]
    assert mask_value("dids", {}, [did]) == [did]
    assert {name: mask_value(name, {}, value) for name, value in did.items()} == did


# Characters that JSON escapes, that are not ASCII, or that numbers have.
_TEXTS = st.text('a"\\\né1', min_size=1, max_size=2)
_VALUES = st.recursive(
    st.one_of(_TEXTS, st.integers(0, 20), st.floats(0, 2), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4), st.frozensets(_TEXTS, max_size=2))
def test_a_result_is_masked_as_that_of_a_module(
    result: dict[str, Any], secrets: frozenset[str]
) -> None:
    shown = without_secrets(result, secrets)
    masked = remove_values(result, secrets)
    for name, value in result.items():
        # At the top level, the flags of a task stay what they are.
        is_flag = value is None or isinstance(value, bool)
        assert shown[name] == (value if is_flag else masked[name])
