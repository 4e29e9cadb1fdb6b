# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: review
type: aggregate
short_description: Write the changes of DIDs, predicted or applied, as a review for people
version_added: 1.0.0
description:
  - Collects the results of all M(nextbilling.did.did) and M(nextbilling.did.dids) tasks of a run, over all hosts and plays, in check mode and
    in apply, and writes one review in three formats. C(review.json) is for programs, C(review.md) is a comment for a pull request, and
    C(review.html) is a self-contained web page.
  - The review begins with what needs a decision (DIDs that were applied but not recorded, DIDs of unknown outcome, failures, DIDs that were not
    attempted). New DIDs, changes of call destinations and other changes follow. Identical changes share a line, which lists the ranges of numbers.
  - Values before a change are what the registry last applied, not what the platform holds now.
  - "It prints one line at the end to standard error, such as C(DIDs: 3 create, 2 update, 1 unknown, 494 unchanged → review/review.html)."
  - The review of a run that is interrupted shows what was reported, and is marked as interrupted. After Ctrl-C, it also shows what the registry
    has recorded of the tasks that were stopped, if the registry can be read on the controller. During an apply, a review of what was
    reported so far is in the folder, marked the same way, so it is there after C(kill -9) too.
  - The files contain no secret. If a file cannot be written, the callback warns and does not fail the run. A run without any such task writes nothing.
author:
  - nextbilling.did contributors (@nextbilling-did)
requirements:
  - Enable it in the configuration, for example C(ANSIBLE_CALLBACKS_ENABLED=nextbilling.did.review)
options:
  output_dir:
    description:
      - The folder for the files. It is created if it is missing. Files of an earlier review are replaced.
    type: path
    default: review
    env:
      - name: NEXTBILLING_REVIEW_DIR
    ini:
      - section: callback_nextbilling_review
        key: output_dir
  language:
    description:
      - The language of the page, of the Markdown and of the closing line, V(en) or V(pt-BR). V(pt), V(pt_BR) and V(pt-br) mean V(pt-BR).
        Any other value gives a warning, and the review is in English. Error messages of the modules stay in English.
    type: str
    default: en
    env:
      - name: NEXTBILLING_REVIEW_LANGUAGE
    ini:
      - section: callback_nextbilling_review
        key: language
notes:
  - The review cannot see the results of a task with C(no_log), or of a task with C(poll=0) that M(ansible.builtin.async_status) does not await. It
    names each such task.
  - A callback cannot fail a job. The guide on reviews in CI shows a command that fails if changes are pending.
seealso:
  - module: nextbilling.did.did
  - module: nextbilling.did.dids
"""

import atexit
import contextlib
import dataclasses
import functools
import itertools
import multiprocessing
import os
import re
import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase

from ansible_collections.nextbilling.did.plugins.module_utils._model import timestamp
from ansible_collections.nextbilling.did.plugins.module_utils._module.ansible_process import (
    session_id,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.location import (
    DEFAULT_LOCATION,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.collect import Collector
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.model import (
    INTERRUPTED,
    PARTIAL,
    Review,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import (
    remove,
    render,
    write,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.phrases import closing_line
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.recorded import read_recorded
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.result_reader import (
    ASYNC_STATUS,
    DID,
    DIDS,
    Event,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    LANGUAGES,
    Translations,
    find_language,
)

_COLLECTION = "nextbilling.did"
_MODULES = {
    f"{_COLLECTION}.did": DID,
    f"{_COLLECTION}.dids": DIDS,
    "ansible.builtin.async_status": ASYNC_STATUS,
    "ansible.legacy.async_status": ASYNC_STATUS,
    "async_status": ASYNC_STATUS,
}
PAGE = "review.html"
# During an apply, what was reported so far is written again and again. That may take so many seconds of
# the processor, and such a part of the time.
_SECONDS = 1.0
_SHARE = 0.02
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_VARIABLE = re.compile(r"\{\{ *(\w+) *(\| *default\(omit\) *)?\}\}")


class CallbackModule(CallbackBase):
    """Passes results to the collector, and writes the review at the end. Nothing in it may disturb a run.

    What ends a run decides what is called then. At its end, that is C(v2_playbook_on_stats). Ctrl-C and errors of Ansible end the
    process by C(sys.exit), so that functions of C(atexit) are called. SIGTERM, SIGHUP and SIGKILL end it at once: what was reported
    so far must have been written before.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "nextbilling.did.review"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._collector = Collector()
        self._play: t.Any = None
        # Of each task that is under way: returns its registry.
        self._registries: dict[tuple[str, str], t.Callable[[], str | None]] = {}
        # When the first task began, and whether the run has ended.
        self._began_at: str | None = None
        self._has_ended = False
        self._clock = 0.0
        self._is_written = False
        self._seconds_writing = 0.0

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        module = _module(task)
        if module not in (DID, DIDS):
            return
        if self._began_at is None:
            self._began_at, self._clock = timestamp(), time.monotonic()
            atexit.register(self._end_early, os.getpid())
        name = str(host.get_name())
        self._registries[name, task._uuid] = functools.partial(
            _find_registry, self._play, host, task
        )
        event = self._event(name, str(task.get_name()), task, module)
        self._collector.start(event)
        self._write_so_far(event)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._add(result, "ok")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._add(result, "failed")

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._add(result, "skipped")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._add(result, "unreachable")

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self._add(result, "ok", item=True)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        self._add(result, "failed", item=True)

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        self._add(result, "skipped", item=True)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._has_ended = True
        self._end(None)

    def _end(self, interrupted: str | None) -> None:
        """Write the review, and the closing line."""
        review = self._collector.review(timestamp(), interrupted)
        folder = self.get_option("output_dir")
        if review.is_empty:
            if self._is_written:
                remove(folder)
            return
        page: str | None = _short(os.path.join(folder, PAGE))
        try:
            self._write(review)
        except OSError as error:
            page = None
            self._display.warning(
                f"The review of DIDs could not be written to {_short(folder)}: {error.strerror or error}."
                " Files of an earlier review may still be there"
            )
        # Standard output may be data, as with ansible.posix.json.
        self._display.display(closing_line(review, self._translate, page), stderr=True)

    def _write(self, review: Review) -> None:
        write(self.get_option("output_dir"), render(review, self._translate))

    def _write_so_far(self, event: Event) -> None:
        """Write what was reported so far, as this process may be killed. A check run leaves nothing that could be lost."""
        began = time.thread_time()
        budget = _SECONDS + _SHARE * (time.monotonic() - self._clock)
        if event.check_mode or self._seconds_writing > budget:
            return
        review = self._collector.review(timestamp(), PARTIAL)
        if not review.is_empty:
            # At its end, the run warns of this.
            with contextlib.suppress(OSError):
                self._write(review)
                self._is_written = True
        self._seconds_writing += time.thread_time() - began

    def _end_early(self, process: int) -> None:
        """Write the review of a run that did not come to its end. C(process): this one, not a worker that was forked from it."""
        if self._has_ended or os.getpid() != process:
            return
        self._has_ended = True
        is_whole = False
        # Whatever keeps the registry from being read does not cost the review.
        with contextlib.suppress(Exception):
            is_whole = self._add_recorded()
        try:
            self._end(INTERRUPTED if is_whole else PARTIAL)
        # Its text may be anything.
        except Exception as error:  # pylint: disable=broad-exception-caught
            self._display.warning(
                f"The review of DIDs could not be written ({type(error).__name__})"
            )

    def _add_recorded(self) -> bool:
        """Add what the registry has recorded of the tasks that were stopped. Return whether all of it could be read."""
        stopped = [event for event in self._collector.stopped if not event.check_mode]
        if not stopped:
            return True
        # What Ansible hides must stay hidden.
        locations = {self._registries[event.host, event.task_uuid]() for event in stopped}
        session = session_id()
        if session is None or None in locations or self._collector.has_hidden:
            return False
        # They record the answers to their last requests. Python waits for them in any case, before it ends this process.
        for worker in multiprocessing.active_children():
            worker.join()
        tasks = [*{(event.host, event.play, event.task): None for event in stopped}]
        host, play, task = (", ".join(dict.fromkeys(names)) for names in zip(*tasks))
        since, reported = str(self._began_at), self._collector.reported_runs
        results = [read_recorded(str(each), session, since, reported) for each in locations]
        for result in itertools.chain.from_iterable(results):
            self._collector.add(
                Event(
                    host=host,
                    play=play,
                    task=task,
                    task_uuid="",
                    module=DIDS,
                    check_mode=False,
                    status="ok",
                    item=False,
                    result=result,
                )
            )
        return True

    @functools.cached_property
    def _translate(self) -> Translations:
        return Translations(self._language())

    def _language(self) -> str:
        name = str(self.get_option("language"))
        language = find_language(name)
        if language is None:
            self._display.warning(
                f"The review of DIDs is in English, as there are no texts in the language {name!r}: use one of {', '.join(LANGUAGES)}"
            )
        return language or LANGUAGES[0]

    def _add(self, result: t.Any, status: str, item: bool = False) -> None:
        # ansible-core 2.18 has these under private names alone.
        task = result.task if hasattr(result, "task") else result._task
        module = _module(task)
        if module is None:
            return
        host = result.host if hasattr(result, "host") else result._host
        values = result.result if hasattr(result, "result") else result._result
        name = str(host.get_name())
        event = dataclasses.replace(
            self._event(name, str(result.task_name), task, module),
            status=status,
            item=item,
            result=values,
        )
        if not item:
            self._registries.pop((name, event.task_uuid), None)
        self._collector.add(event)
        self._write_so_far(event)

    def _event(self, host: str, name: str, task: t.Any, module: str) -> Event:
        """Return the start of a task."""
        return Event(
            host=host,
            play="" if self._play is None else str(self._play.get_name()),
            task=name,
            task_uuid=str(task._uuid),
            module=module,
            check_mode=boolean(task.check_mode, strict=False),
            status="started",
            item=False,
            result={},
        )


def _module(task: t.Any) -> str | None:
    """Return which of the modules a task runs, whatever name it uses; None for any other."""
    for name in (task.resolved_action, task.action):
        if name in _MODULES:
            return _MODULES[name]
    # Ansible resolves a short name in a template only when the task runs.
    if _COLLECTION in (getattr(task, "collections", None) or ()):
        return _MODULES.get(f"{_COLLECTION}.{task.action}")
    return None


def _find_registry(play: t.Any, host: t.Any, task: t.Any) -> str | None:
    """Return the registry that a task uses, None if that is not known or must not be read: no template is evaluated for it.

    A registry that another host uses is not the one at the same place here.
    """
    variables = play.get_variable_manager().get_vars(play=play, host=host, task=task)
    connection = variables.get("ansible_connection", task.connection)
    is_local = task.delegate_to in _LOCAL_HOSTS if task.delegate_to else str(connection) == "local"
    if not is_local or task.async_val or task.no_log:
        return None
    names = (f"group/{_COLLECTION}.all", task.action, task.resolved_action)
    arguments = [
        defaults[name] for name in names for defaults in task.module_defaults if name in defaults
    ]
    usual = os.environ.get("NEXTBILLING_REGISTRY") or DEFAULT_LOCATION
    value: t.Any = usual
    for named in (*arguments, task.args):
        value = (named.get("registry") if isinstance(named, dict) else "{{") or value
    if variable := _VARIABLE.fullmatch(str(value)):
        value = variables.get(variable[1], usual if variable[2] else None) or usual
    return None if not isinstance(value, str) or "{" in value else str.__str__(value)


def _short(path: str) -> str:
    """Return a path as a user types it: relative to the working directory if it is below that."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
