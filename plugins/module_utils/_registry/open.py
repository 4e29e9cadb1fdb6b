# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Opens the registry that a location names."""

from __future__ import annotations

import typing as t

from .._errors import RegistryMismatch
from .backends.interface import RESTORE, NoRegistry
from .identity import ARRIVING, check_current, check_id, check_in_use, creating_task, read_meta
from .location import _DATABASE
from .registry import Registry

if t.TYPE_CHECKING:  # pragma: no cover
    from .backends.interface import Database, Place


def place_of(location: str, password: str | None = None) -> Place:
    """Return the place that a location of C(locate) names.

    :param password: for a database; without one, libpq looks for it in the environment and in ~/.pgpass.
    """
    if location.startswith(_DATABASE):
        from .backends.postgresql import PostgresqlPlace

        return PostgresqlPlace(location, password)
    from .backends.sqlite import SqlitePlace

    return SqlitePlace(location)


def open_registry(
    location: str,
    platform: str | None,
    *,
    registry_id: str | None,
    write: bool,
    timeout: float,
    password: str | None = None,
    retired: bool = False,
) -> Registry:
    """Open a registry, to read alone or to write too.

    :param location: an absolute path, or the URL of a database.
    :param platform: the platform that it must know, or None.
    :param registry_id: the id that the registry must bear, or None.
    :param timeout: seconds to wait for another process's transaction.
    :param retired: whether it may be one that was moved, to look at what it held.
    :raises RegistryMismatch: it is missing, another one, of another schema, has moved, or does not know the platform; the message
        holds the task that creates, migrates or moves it.
    :raises RegistryUnavailable: it cannot be read, or is damaged.
    """
    place = place_of(location, password)
    database = _open(place, platform, write=write, timeout=timeout)
    try:
        meta = read_meta(database)
        check_current(database, meta, platform)
        check_id(meta["registry_id"], registry_id, location)
        if not retired or ARRIVING in meta:
            check_in_use(meta, location)
        registry = Registry(database, meta)
        if platform is not None and platform not in registry.platforms():
            from .identity import unknown

            raise unknown(database, platform)
    except BaseException:
        database.close()
        raise
    return registry


_NEVER_BY_ACCIDENT = (
    "Nothing was sent: without the registry every DID would look new. If there is one, correct 'registry', or mount what holds it. If it is"
    f" lost, {RESTORE}. If this is the first run, create it once, then pin the registry_id that this returns:\n"
)


def _open(place: Place, platform: str | None, *, write: bool, timeout: float) -> Database:
    try:
        return place.open(write=write, timeout=timeout)
    except NoRegistry as error:
        step = creating_task(place.location, platform)
        raise RegistryMismatch(f"{error.message}. {_NEVER_BY_ACCIDENT}{step}") from None
