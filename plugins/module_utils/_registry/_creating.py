# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Makes the file of a registry in SQLite."""

from __future__ import annotations

import os
import stat
import tempfile
import typing as t

from .._errors import RegistryUnavailable
from ._sqlite import APPLICATION_ID, SqliteDatabase

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Callable

    from ._protocols import Transaction


def uncreatable(path: str) -> str | None:
    """Return why a registry cannot be created, or None, without creating anything."""
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write {folder}, or a read-only file system"
    limit = os.pathconf(folder, "PC_NAME_MAX")
    if any(len(os.fsencode(part)) > limit for part in path.split(os.sep)):
        return "a name in its path is too long"
    return None


def create_sqlite(path: str, fill: Callable[[Transaction], None], *, timeout: float) -> bool:
    """Create a registry (file mode 0600, in a folder that is made with 0700). Returns False where a file is there already.

    :param fill: makes its tables, and what is in them.

    It appears under its name complete or not at all: it is made beside it and linked into place, which never replaces a file.
    """
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".registry-", suffix=".new", dir=folder)
        os.close(handle)
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {path} cannot be created ({error.strerror}: {folder})"
        ) from None
    try:
        _fill(draft, fill, timeout)
        os.link(draft, path)
        _synchronise_folder(folder)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        raise RegistryUnavailable(
            f"The registry {path} cannot be created ({error.strerror})"
        ) from None
    finally:
        os.unlink(draft)


def _fill(draft: str, fill: Callable[[Transaction], None], timeout: float) -> None:
    database = SqliteDatabase(draft, draft, write=True, timeout=timeout)
    try:
        with database.writing() as transaction:
            transaction.change(f"PRAGMA application_id = {APPLICATION_ID}")
            fill(transaction)
    finally:
        database.close()


def _synchronise_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tighten(path: str, *, apply: bool) -> bool:
    """Take every permission but the owner's from the file. Returns whether there is, or was, something to take."""
    loose = stat.S_IMODE(os.stat(path).st_mode) & 0o077 != 0
    if loose and apply:
        os.chmod(path, 0o600)
    return loose
