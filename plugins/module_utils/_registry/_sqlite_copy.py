# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a registry in SQLite that cannot be read where it lies without writing there."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time

from .._errors import RegistryBusy, RegistryUnavailable

COMPANIONS = ("-journal", "-wal")
_COPY_ATTEMPTS = 20


def private_copy(path: str, location: str) -> sqlite3.Connection:
    """Return a copy in memory of a registry that cannot be read where it lies without writing there, as it is after recovery."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
            copy = os.path.join(folder, "registry.db")
            _copy_at_rest(path, copy)
            with contextlib.closing(sqlite3.connect(copy)) as recovered:
                recovered.backup(connection)
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {location} cannot be read ({error.strerror})"
        ) from None
    return connection


def _copy_at_rest(original: str, copy: str) -> None:
    """Copy a database and its journals, again if anything about them changed meanwhile. Read locks are not taken."""
    for _attempt in range(_COPY_ATTEMPTS):
        before = _traces(original)
        try:
            for suffix in ("", *COMPANIONS):
                _copy_if_there(original + suffix, copy + suffix)
        except OSError as error:
            raise RegistryUnavailable(
                f"The registry {original} cannot be read ({error.strerror})"
            ) from None
        if before == _traces(original):
            return
        time.sleep(0.1)
    raise RegistryBusy(
        f"The registry {original} is being written all the time: no copy of it could be read. Try again later"
    )


def _copy_if_there(source: str, target: str) -> None:
    if os.path.exists(source):
        shutil.copyfile(source, target)
    elif os.path.exists(target):
        os.unlink(target)


def _traces(original: str) -> list[tuple[int, int, int] | None]:
    traces: list[tuple[int, int, int] | None] = []
    for suffix in ("", *COMPANIONS):
        try:
            found = os.stat(original + suffix)
            traces.append((found.st_ino, found.st_size, found.st_mtime_ns))
        except FileNotFoundError:
            traces.append(None)
    return traces
