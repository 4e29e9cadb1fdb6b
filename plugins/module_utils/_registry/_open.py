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
from urllib.parse import unquote

from .._errors import InvalidParameter, RegistryMismatch, RegistryUnavailable
from ._place import ARRIVING, NoRegistry, check_in_use
from ._schema import CURRENT
from ._store import SqlRegistry, read_meta, schema_version

if t.TYPE_CHECKING:  # pragma: no cover
    from ._protocols import Database, Place

DEFAULT_LOCATION = "~/.local/state/nextbilling-did/registry.db"
_DATABASE = "postgresql://"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# libpq takes passwords as user:password@ and as the parameters password and sslpassword.
_PASSWORD = re.compile(r"//[^@]*:[^@]*@|password[^&=]*=", re.IGNORECASE)


def may_be_shown(location: str) -> bool:
    """Tell whether a location certainly holds no password: a path, or a URL with nothing in it that may be one."""
    plain = unquote(location)
    if plain.startswith(("/", "~")):
        return "://" not in plain and "password=" not in plain.lower()
    return location.startswith(_DATABASE) and _PASSWORD.search(plain) is None


def locate(location: str, option: str = "registry") -> str:
    """Return where a registry is, an absolute path or the URL of a database, or raise C(InvalidParameter).

    :param option: how the message calls it; the option for its password is called after it.
    """
    if _SCHEME.match(location) and _PASSWORD.search(unquote(location)):
        raise InvalidParameter(
            f"{option}: a URL that holds a password is refused, as Ansible shows module arguments at -vvv. Give the password by"
            f" {option}_password, by the environment variable PGPASSWORD or in ~/.pgpass"
        )
    if location.startswith(_DATABASE) and "\0" not in location:
        return location
    if _SCHEME.match(location):
        raise InvalidParameter(
            f"{option}: {location.split(':', maxsplit=1)[0]}: is no kind of registry. Give a path, absolute or from '~', or postgresql://…"
        )
    path = os.path.expanduser(location)
    if not os.path.isabs(path) or "\0" in path:
        # It may be a connection string of any form, with a password in it: not a word of it is shown.
        raise InvalidParameter(
            f"{option}: is a relative path, which would be another registry in every folder, or no path at all. Give an absolute path,"
            " or one from '~'"
        )
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
            raise RegistryMismatch(
                f"The registry {location} does not know the platform {platform}. Nothing was sent: every DID would look new. If this"
                " platform was known under another name (api_url changed?), set 'platform' to that name. If it is new to this"
                f" registry, add it once:\n{creating_task(location, platform)}"
            )
    except BaseException:
        database.close()
        raise
    return registry


_NEVER_BY_ACCIDENT = (
    "Nothing was sent: without the registry every DID would look new. If one was there before, restore it from a backup or correct"
    " where it is. If this is the first run, create it once, then pin the registry_id that this returns:\n"
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
            f" sent. Make a backup, then bring it up to date:\n{creating_task(database.location, platform)}"
        )
    if database.strange_tables():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: its tables are not those of a registry. Nothing was sent. Restore it from"
            " its newest backup"
        )


def check_id(found: str, wanted: str | None, location: str) -> None:
    """Raise C(RegistryMismatch) unless the registry bears the id that the task demands."""
    if wanted is not None and found != wanted:
        raise RegistryMismatch(
            f"The registry {location} has the id {found}, and registry_id demands {wanted}. Nothing was sent: another registry knows"
            " other DIDs. Correct 'registry', restore the right one from a backup, or correct 'registry_id'"
        )


def creating_task(location: str, platform: str | None) -> str:
    """Return the task that creates a registry or brings it up to date."""
    from .._pasting import PLATFORM, pasteable_task

    return pasteable_task(
        "Create or update the registry of DIDs",
        "did_registry",
        {
            "state": "present",
            "platform": platform or PLATFORM,
            "registry": location,
        },
    )
