# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Where a task runs: in Ansible's worker process, or as a module where something forbids that."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import threading
import time
import typing as t
from collections.abc import Callable, Iterator, Mapping, Set
from datetime import date, datetime

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.release import __version__
from ansible.utils.display import Display

from ..module_utils._errors import InvalidParameter
from ..module_utils._module.results import perform
from ..module_utils._module.stop import Stop
from ..module_utils._module.task import Result, Spec, Task, nested_options
from ..module_utils._registry.location import is_database
from ._progress import ProgressLines, totals_text

ENVIRONMENT_VARIABLE, HOST_VARIABLE = "NEXTBILLING_DID_IN_PROCESS", "nextbilling_did_in_process"
_NEWEST_CORE = (2, 22)
_INVOCATION = "INJECT_INVOCATION"
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_WATCH_INTERVAL = 0.5
# The parameters of libpq that name files.
_RELATIVE_FILE = re.compile(
    r"[?&](?:passfile|servicefile|ssl(?:cert|crl|crldir|key|rootcert))=(?!/|%2F|system(?:&|$))",
    re.IGNORECASE,
)
# The environment variables of requests and libpq that name files.
_FILE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LIBPQ_FILE_VARIABLES = (
    *("PGPASSFILE", "PGSERVICEFILE", "PGSSLCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLKEY"),
    "PGSSLROOTCERT",
)

# From ansible-core 2.22 on, it masks secrets wherever it shows a result.
_MASKING = "ansible.module_utils.secrets"
masking: t.Any = importlib.import_module(_MASKING) if importlib.util.find_spec(_MASKING) else None

display = Display()


class Unsuitable(Exception):
    """The task cannot run in this process. The text says why, and holds no value of an argument."""


class WorkerTask(Task):
    """A task in Ansible's worker process.

    C(warnings): what is to be warned of. C(invalid): what is wrong with the arguments, or None.

    :param show: shows a line to people. If nobody reads it, it may block for ever.
    """

    def __init__(
        self,
        argument_spec: Spec,
        arguments: dict[str, t.Any],
        stop: Stop,
        lines: ProgressLines,
        show: Callable[[str], None],
    ) -> None:
        self.argument_spec = argument_spec
        self.params = arguments
        self.nested = nested_options(argument_spec, arguments)
        self.no_log_values = set()
        self.check_mode = self.diff = False
        self.stop = stop
        self.warnings: list[str] = []
        self._lines = lines
        self._show = show
        self.invalid: str | None = None

    def warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def progress(self, done: int, total: int, failed: int) -> None:
        line = self._lines.next_line(done, total, failed) if self.params.get("progress") else None
        # After a signal, the main process may not read it any more.
        if line is not None and self.stop.reason() is None:
            self._show(line)

    def validate(self, name: str) -> None:
        """Validate the arguments, and note what is wrong with them. C(name): the task's action."""
        validation = ArgumentSpecValidator(self.argument_spec).validate(self.params)
        self.params.update(validation.validated_parameters)
        self.no_log_values = {
            str(self.params[option])
            for option, spec in self.argument_spec.items()
            if spec.get("no_log") and self.params.get(option)
        }
        if not validation.error_messages:
            return
        message = str(validation.error_messages[0])
        if isinstance(validation.errors[0], UnsupportedError):
            message = f"Unsupported parameters for ({name}) module: {message}"
        self.invalid = self.without_values(message)


class DidAction(NormalAction):
    """Does the work of a module in this process, or hands it over to the module."""

    # Which options the module has, and what does its work.
    module_spec: Callable[[], Spec]
    work: Callable[[Task], Result]
    # Libraries that the work needs and that the controller's Python does not have.
    missing: tuple[str, ...] = ()
    # Whether a task ends with a line that gives the totals of its result.
    has_totals = False
    platform: str = sys.platform
    core: str = __version__

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Run the task."""
        variables = task_vars or {}
        # In a loop, the main process may have ended since the last item.
        _parent_watch.switch_off()
        _leave_if_orphaned()
        try:
            task = self.prepare(variables)
        except Unsuitable as reason:
            return self._run_module(tmp, variables, str(reason))
        result: dict[str, t.Any] = ActionBase.run(self, tmp, task_vars)
        if task.invalid is None:
            outcome = perform(task, self.work)
        else:
            outcome = {"msg": task.invalid, "error": InvalidParameter(task.invalid).details()}
        _leave_if_orphaned()
        _parent_watch.switch_on()
        if task.stop.reason() is None:
            self._show_totals(outcome, task.params.get("progress"), variables)
        result.update(self._to_module_result(task, outcome, variables))
        return result

    def _run_module(
        self, tmp: str | None, variables: dict[str, t.Any], reason: str
    ) -> dict[str, t.Any]:
        reason = f"runs as a module: {reason}"
        display.v(f"{self._task.action} {reason}", host=self._host(variables))
        _parent_watch.switch_on()
        result: dict[str, t.Any] = super().run(tmp, variables)
        self._show_totals(result, self._task.args.get("progress"), variables, reason)
        return result

    def _show_totals(
        self, result: Result, progress: object, variables: dict[str, t.Any], *remarks: str
    ) -> None:
        """Show the totals of a task that has some. C(progress): the value of the option, not validated."""
        summary = result.get("summary") if self.has_totals else None
        if summary is None or not (progress is None or boolean(str(progress), strict=False)):
            return
        if self._task.check_mode:
            remarks = ("check mode", *remarks)
        counts = None if self._task.no_log else summary
        self._show(variables, totals_text(counts, remarks))

    def _show(self, variables: dict[str, t.Any], line: str) -> None:
        """Show a line to people. Standard output may be data, as with ansible.posix.json."""
        host = self._host(variables)
        place = "" if host in (None, "localhost") else f"[{host}] "
        display.display(f"{place}{self._task.action}: {line}", stderr=True)

    def prepare(self, variables: dict[str, t.Any]) -> WorkerTask:
        """Return the task that can be done in this process. Raise C(Unsuitable) if it must run as a module."""
        reason = next(self._reasons(variables), None)
        if reason is not None:
            raise Unsuitable(reason)
        task = self._make_task(variables)
        task.validate(self._task.action)
        self._check_arguments(task)
        return task

    def _make_task(self, variables: dict[str, t.Any]) -> WorkerTask:
        arguments = {str(name): plain(value) for name, value in self._task.args.items()}
        task = WorkerTask(
            self.module_spec(),
            arguments,
            Stop(_is_orphaned, deliver=True),
            ProgressLines(counts=not self._task.no_log),
            functools.partial(self._show, variables),
        )
        task.check_mode, task.diff = bool(self._task.check_mode), bool(self._task.diff)
        return task

    def _to_module_result(
        self, task: WorkerTask, outcome: Result, variables: dict[str, t.Any]
    ) -> Result:
        """Return a result as a module returns it, without the values of C(no_log) options."""
        if "error" in outcome:
            outcome["failed"] = True
        if _INVOCATION not in C.config.get_configuration_definitions() or C.config.get_config_value(
            _INVOCATION, variables=variables
        ):
            outcome["invocation"] = task.masked_invocation()
        if task.warnings:
            outcome["warnings"] = task.warnings
        if masking is None:
            return without_secrets(outcome, task.no_log_values)
        masking.register_secrets(task.no_log_values)
        return outcome

    # What forbids to run in this process

    def _reasons(self, variables: dict[str, t.Any]) -> Iterator[str]:
        """Yield why the task must run as a module, whatever its arguments are."""
        if not self._is_switched_on(variables):
            yield f"{HOST_VARIABLE} or {ENVIRONMENT_VARIABLE} is false"
        if type(self._connection).__module__ != "ansible.plugins.connection.local":
            yield "its connection is not local"
        if self._connection.become:
            yield "it has become"
        if self._task.async_val:
            yield "it has async"
        if any(self._templar.template(each) for each in self._task.environment or [] if each):
            yield "it has environment"
        if self.platform == "darwin":
            yield "requests may crash in forked processes of macOS"
        if threading.current_thread() is not threading.main_thread():
            yield "it is not in the main thread, which alone can handle signals"
        if tuple(int(part) for part in self.core.split(".")[:2]) > _NEWEST_CORE:
            yield f"ansible-core {self.core} is newer than those tested"
        if self.missing:
            yield _lacks(", ".join(self.missing))
        if self._has_other_interpreter(variables):
            yield f"another Python is named for the host than {sys.executable}"

    def _is_switched_on(self, variables: dict[str, t.Any]) -> bool:
        value = self._templar.template(variables.get(HOST_VARIABLE, True))
        try:
            return bool(boolean(value) and boolean(os.environ.get(ENVIRONMENT_VARIABLE) or True))
        except TypeError:
            raise AnsibleActionFail(
                f"{HOST_VARIABLE} and {ENVIRONMENT_VARIABLE} must be true or false"
            ) from None

    def _has_other_interpreter(self, variables: dict[str, t.Any]) -> bool:
        """Tell whether another Python is named for modules on the host than that of this process."""
        host = variables
        if self._task.delegate_to:
            host = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        named = self._templar.template(
            C.config.get_config_value("INTERPRETER_PYTHON", variables=host)
        )
        if named is None or str(named).startswith("auto"):
            return False
        path = shutil.which(os.path.expanduser(str(named))) or ""
        # A link in another folder is another environment, with other libraries.
        return os.path.dirname(path) != os.path.dirname(sys.executable) or not os.path.samefile(
            path, sys.executable
        )

    def _check_arguments(self, task: WorkerTask) -> None:
        """Raise C(Unsuitable) if an argument needs what this process does not have."""
        locations = [
            str(task.option(name)) for name in ("registry", "copy_from") if name in task.params
        ]
        databases = [location for location in locations if is_database(location)]
        if databases and importlib.util.find_spec("psycopg") is None:
            raise Unsuitable(_lacks("psycopg"))
        ca_path = task.option("ca_path")
        if ca_path and not os.path.isabs(ca_path):
            self._check_folder("ca_path is a relative path")
        if any(_RELATIVE_FILE.search(location) for location in databases):
            self._check_folder("the registry's URL has a relative path")
        for name in (*_FILE_VARIABLES, *(_LIBPQ_FILE_VARIABLES if databases else ())):
            path = os.environ.get(name)
            if path and not os.path.isabs(path) and path != "system":
                self._check_folder(f"{name} is a relative path")

    def _check_folder(self, reason: str) -> None:
        """Raise C(Unsuitable) if this process is not in the playbook's folder, in which a module runs."""
        if os.getcwd() != os.path.abspath(self._loader.get_basedir()):
            raise Unsuitable(reason)

    def _host(self, variables: Mapping[str, t.Any]) -> str | None:
        name = variables.get("inventory_hostname")
        return None if name is None else str(name)


def without_secrets(result: Result, secrets: Set[str]) -> Result:
    """Return a result masked as C(remove_values) does it, which takes long for many DIDs.

    Nothing is masked, and nothing copied, where the result as text holds no secret.
    """
    written = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets]
    if not any(secret in text for text in _texts(result) for secret in written):
        return result
    kept = {
        name: value for name, value in result.items() if value is None or isinstance(value, bool)
    }
    return {**remove_values(result, secrets), **kept}


def _texts(result: Result) -> Iterator[str]:
    """Yield a result as JSON in parts, as one text of many DIDs takes as much memory as they do."""
    for name, value in result.items():
        yield name
        yield from map(_ENCODER.encode, value if isinstance(value, list) else [value])


def _lacks(libraries: str) -> str:
    return f"the controller's Python does not have {libraries} ({sys.executable})"


def plain(value: t.Any) -> t.Any:
    """Return a value as a module gets it: the types of JSON alone, without tags, with vaulted values decrypted."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return {_key(name): plain(each) for name, each in value.items()}
    if isinstance(value, date):
        return str.__str__(
            datetime.isoformat(value) if isinstance(value, datetime) else date.isoformat(value)
        )
    if _is_vaulted(value):
        return str.__str__(str(value))
    if isinstance(value, (list, tuple, Set)):
        return [plain(each) for each in value]
    raise Unsuitable(f"an argument is of a type that JSON does not have ({type(value).__name__})")


def _key(name: object) -> str:
    """Return the key of a dictionary as JSON has it."""
    name = plain(name)
    if isinstance(name, str):
        return name
    if isinstance(name, list):
        raise Unsuitable("an argument has a key that JSON does not have")
    return json.dumps(name)


def _is_vaulted(value: object) -> bool:
    # Of ansible-core 2.18, and of 2.19 and newer.
    return type(value).__name__ in ("AnsibleVaultEncryptedUnicode", "EncryptedString")


def _is_orphaned() -> bool:
    """Tell whether Ansible's main process has ended, which forked this one."""
    parent = multiprocessing.parent_process()
    return parent is not None and os.getppid() != parent.pid


def _leave_if_orphaned() -> None:
    """End this process if nobody reads the pipe for results any more: to write into it might block for ever."""
    if _is_orphaned():
        os._exit(1)


class _ParentWatch:
    """Ends this process if Ansible's main process has ended, while the task sends nothing itself.

    Nobody would read its result then, and one that is larger than a pipe would block for ever. A module has nobody who reads its output
    any more, and stops.
    """

    def __init__(self) -> None:
        self._is_on = False
        self._thread: threading.Thread | None = None

    def switch_on(self) -> None:
        self._is_on = True
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def switch_off(self) -> None:
        self._is_on = False

    def _watch(self) -> None:
        # The system may give a signal to any thread, but Python handles it in the main thread, which would go on to wait for the module.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            time.sleep(_WATCH_INTERVAL)
            if self._is_on:
                _leave_if_orphaned()


_parent_watch = _ParentWatch()
