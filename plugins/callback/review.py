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

import datetime
import os
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.collect import (
    ASYNC_STATUS,
    DID,
    DIDS,
    Collector,
    Event,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render, write
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.phrases import closing_line
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


class CallbackModule(CallbackBase):
    """Passes results to the collector, and writes the review at the end. Nothing in it may disturb a run."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "nextbilling.did.review"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._collector = Collector()
        self._play = ""

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = str(play.get_name())

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
        review = self._collector.review(_now())
        if review.is_empty:
            return
        translate = Translations(self._language())
        folder = self.get_option("output_dir")
        page: str | None = _short(os.path.join(folder, PAGE))
        try:
            write(folder, render(review, translate))
        except OSError as error:
            page = None
            self._display.warning(
                f"The review of DIDs could not be written to {_short(folder)}: {error.strerror or error}."
                " Files of an earlier review may still be there"
            )
        # Standard output may be data, as with ansible.posix.json.
        self._display.display(closing_line(review, translate, page), stderr=True)

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
        self._collector.add(
            Event(
                host=str(host.get_name()),
                play=self._play,
                task=str(result.task_name),
                task_uuid=str(task._uuid),
                module=module,
                check_mode=boolean(task.check_mode, strict=False),
                status=status,
                item=item,
                result=values,
            )
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


def _short(path: str) -> str:
    """Return a path as a user types it: relative to the working directory if it is below that."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
