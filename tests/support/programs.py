# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own programs, run as a user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ansible.release import __version__

# Seconds for one run of Ansible, which takes a few.
LIMIT = 120
# The ansible-core that runs the tests.
CORE = ".".join(__version__.split(".")[:2])
# The text of an ansible.cfg that keeps output to the point, and has a task start fewer processes.
QUIET = """\
[defaults]
deprecation_warnings = false
devel_warning = false
localhost_warning = false
nocows = true
[inventory]
inventory_unparsed_warning = false
[connection]
pipelining = true
"""


def program(name: str) -> str:
    """Return the program beside this interpreter, or else the first one on the PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name


def core_program(core: str, name: str) -> str:
    """Return a program of an ansible-core. Skips the test if that is not at hand.

    C(PROOF_CORES) names a folder with a virtual environment for each ansible-core, as C(make proof) makes it.
    """
    if core == CORE:
        return program(name)
    path = Path(os.environ.get("PROOF_CORES", os.devnull), core, "bin", name)
    if not path.exists():
        pytest.skip(
            f"ansible-core {core} is not at hand (make proof installs it, if its Python is)"
        )
    return str(path)


def output_of(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    typed: str = "",
    *,
    limit: float = LIMIT,
) -> tuple[int, str]:
    """Run a program; return its exit code, and what it prints to stdout and stderr.

    C(limit): the seconds after which it is killed, which raises C(subprocess.TimeoutExpired).
    """
    done = _run(arguments, folder, environment, typed, subprocess.STDOUT, limit)
    return done.returncode, done.stdout


def streams_of(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run a program; return its exit code, what it prints to stdout, and what it prints to stderr."""
    done = _run(arguments, folder, environment, "", subprocess.PIPE, LIMIT)
    return done.returncode, done.stdout, done.stderr


def _run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    typed: str,
    stderr: int,
    limit: float,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        timeout=limit,
        check=False,
        # Nor the terminal of the one who runs the tests.
        start_new_session=True,
    )
