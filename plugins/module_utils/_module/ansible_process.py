# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Identifies the Ansible process that a task belongs to."""

from __future__ import annotations

import hashlib
import os
import socket
import typing as t

_PROGRAMS = ("ansible-playbook", "ansible")


class _Process(t.NamedTuple):
    parent: int
    start: str
    is_ansible: bool


def session_id() -> str | None:
    """Return an id that all tasks of one C(ansible-playbook) have in common, and no others.

    None where it cannot be known: on another host than Ansible's, and on systems without C(/proc).
    """
    pid, found = os.getpid(), None
    while pid > 0:
        process = _read(pid)
        if process is None:
            break
        if process.is_ansible:
            # Its workers are copies of it, so the outermost one is meant.
            found = f"{socket.gethostname()} {pid} {process.start}"
        elif found is not None:
            break
        pid = process.parent
    return None if found is None else hashlib.sha256(found.encode()).hexdigest()[:16]


def _read(pid: int) -> _Process | None:
    """Return what C(/proc) says of a process (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html), None where it says nothing."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            # The name, in brackets, may hold anything.
            fields = stat.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            arguments = cmdline.read().split(b"\0")[:3]
    except OSError:
        return None
    names = {os.path.basename(os.fsdecode(argument)) for argument in arguments}
    return _Process(int(fields[1]), fields[19], not names.isdisjoint(_PROGRAMS))
