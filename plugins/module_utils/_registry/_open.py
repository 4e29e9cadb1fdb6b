# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Opens the registry that a location names."""

from __future__ import annotations

import os
import re
import typing as t

from .._errors import InvalidParameter, RegistryMismatch, RegistryUnavailable
from ._place import ARRIVING, RESTORE, NoRegistry, check_in_use
from ._schema import CURRENT
from ._store import SqlRegistry, read_meta, schema_version

if t.TYPE_CHECKING:  # pragma: no cover
    from ._protocols import Database, Place

DEFAULT_LOCATION = "~/.local/state/nextbilling-did/registry.db"
_DATABASE = "postgresql://"
# A path in which nothing can be taken for a URL, or for a parameter of a connection.
_PATH = re.compile(r"[/~](?!/)[\w ./+-]*")


def may_be_shown(location: str) -> bool:
    """Tell whether a location certainly holds no secret: C(locate) accepts no other."""
    try:
        locate(location)
    except InvalidParameter:
        return False
    return True


def locate(location: str, option: str = "registry") -> str:
    """Return where a registry is, an absolute path or the URL of a database, or raise C(InvalidParameter).

    :param option: how the message calls it; the option for its password is called after it.
    """
    if _PATH.fullmatch(location) is None:
        from ._location import checked

        if checked(location, option).startswith(_DATABASE):
            return location
    path = os.path.expanduser(location)
    if not os.path.isabs(path):
        raise InvalidParameter(f"{option}: there is no home of the user that it begins with")
    return os.path.normpath(path)


def place_of(location: str, password: str | None = None) -> Place:
    """Return the place that a location of C(locate) names.

    :param password: for a database; without one, libpq looks for it in the environment and in ~/.pgpass.
    """
    if location.startswith(_DATABASE):
        from ._postgresql import PostgresqlPlace

        return PostgresqlPlace(location, password)
    from ._sqlite import SqlitePlace

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
) -> SqlRegistry:
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
        registry = SqlRegistry(database, meta)
        if platform is not None and platform not in registry.platforms():
            from ._platforms import unknown

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


def check_current(database: Database, meta: dict[str, str], platform: str | None = None) -> None:
    """Raise C(RegistryMismatch) unless a registry has the current schema, C(RegistryUnavailable) if its tables are not that.

    :param platform: which platform the task names that brings it up to date.
    """
    version = schema_version(database, meta)
    if version < CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did needs schema {CURRENT}. Nothing was"
            f" sent. Make a backup, then bring it up to date:\n{creating_task(database.location, platform or _first_platform(database))}"
        )
    if database.strange_tables():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: its tables are not those of a registry. Nothing was sent. To go on, {RESTORE}"
        )


def check_id(found: str, wanted: str | None, location: str) -> None:
    """Raise C(RegistryMismatch) unless the registry bears the id that the task demands."""
    if wanted is not None and found != wanted:
        raise RegistryMismatch(
            f"The registry {location} has the id {found}, and registry_id demands {wanted}. Nothing was sent: another registry knows"
            " other DIDs. Correct 'registry' or 'registry_id'"
        )


def _first_platform(database: Database) -> str | None:
    rows = database.look("SELECT name FROM platforms ORDER BY name LIMIT 1")
    return next((name for (name,) in rows), None)


def creating_task(location: str, platform: str | None, *, another: bool = False) -> str:
    """Return the play that creates a registry or brings it up to date. C(another): it knows other platforms."""
    from .._pasting import PLATFORM, pasteable_task

    return pasteable_task(
        "Create or update the registry of DIDs",
        "did_registry",
        {
            "state": "present",
            "platform": platform or PLATFORM,
            "registry": location,
            **({"another_platform": True} if another else {}),
        },
    )
