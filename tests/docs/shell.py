# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program for somebody who types at a terminal, as some insist on one."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.nextbilling.did.tests.support.programs import LIMIT


def in_terminal(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], typed: str
) -> tuple[int, str]:
    """Do what C(output_of) does where input and output are a terminal, and each line is typed when a prompt asks for it.

    Earlier would be too early: a prompt for a password throws away what was typed before it.
    """
    near, far = pty.openpty()
    answers = typed.splitlines(keepends=True)
    printed = b""
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment,
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
    ) as process:
        os.close(far)
        # An error is how Linux says that nobody holds the other end any more.
        with contextlib.suppress(OSError):
            while select.select([near], [], [], LIMIT)[0] and (chunk := os.read(near, 65536)):
                printed += chunk
                if answers and printed.endswith(b": "):
                    os.write(near, answers.pop(0).encode())
        os.close(near)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return code, printed.decode().replace("\r\n", "\n")
