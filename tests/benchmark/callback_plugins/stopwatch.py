# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: stopwatch
type: stdout
short_description: Say how long each task took
description:
  - Prints a line of JSON for each task and host, with the seconds from the start of the task on its first host to the result, and what
    the result says of change and failure.
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "stopwatch"

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._task: str | None = None
        self._started = 0.0

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        if task._uuid != self._task:
            self._task, self._started = task._uuid, time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._tell(result, None)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._tell(result, str(result._result.get("msg")))

    def _tell(self, result: t.Any, failure: str | None) -> None:
        seconds = time.perf_counter() - self._started
        told = {
            "seconds": seconds,
            "changed": bool(result._result.get("changed")),
            "failure": failure,
        }
        self._display.display(json.dumps(told))
