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

from .._errors import InvalidParameter, RegistryMismatch, RegistryUnavailable, pasteable_task
from ._schema import CURRENT
from ._store import SqlRegistry, read_meta, schema_version

if t.TYPE_CHECKING:  # pragma: no cover
    from ._store import Database

DEFAULT_LOCATION = "~/.local/state/nextbilling-did/registry.db"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PASSWORD = re.compile(r"//[^@]*:[^@]*@|password", re.IGNORECASE)


def may_be_shown(location: str) -> bool:
    """Tell whether a location certainly holds no password: a path, or a URL with nothing in it that may be one."""
    plain = unquote(location)
    if plain.startswith(("/", "~")):
        return "://" not in plain and "password=" not in plain.lower()
    return plain.startswith("postgresql://") and _PASSWORD.search(plain) is None


def locate(location: str) -> str:
    """Return the absolute path of a registry's file, or raise C(InvalidParameter)."""
    if _SCHEME.match(location) and _PASSWORD.search(unquote(location)):
        raise InvalidParameter(
            "registry: a URL that holds a password is refused, as Ansible shows module arguments at -vvv. Give the password by"
            " registry_password"
        )
    if location.startswith("postgresql://"):
        raise InvalidParameter(
            "registry: this release keeps registries in files alone; a registry in PostgreSQL is not there yet"
        )
    if _SCHEME.match(location):
        raise InvalidParameter(
            f"registry: {location.split(':', maxsplit=1)[0]}: is no kind of registry. Give a path, absolute or from '~', or postgresql://…"
        )
    path = os.path.expanduser(location)
    if not os.path.isabs(path) or "\0" in path:
        # It may be a connection string of any form, with a password in it: not a word of it is shown.
        raise InvalidParameter(
            "registry: is a relative path, which would be another registry in every folder, or no path at all. Give an absolute path,"
            " or one from '~'"
        )
    return os.path.normpath(path)


def open_registry(
    location: str, platform: str | None, *, registry_id: str | None, write: bool, timeout: float
) -> SqlRegistry:
    """Open a registry, to read alone or to write too.

    :param location: an absolute path.
    :param platform: the platform that it must know, or None.
    :param registry_id: the id that the registry must bear, or None.
    :param timeout: seconds to wait for another process's transaction.
    :raises RegistryMismatch: it is missing, another one, of another schema, or does not know the platform; the message holds
        the task that creates or migrates it.
    :raises RegistryUnavailable: it cannot be read, or is damaged.
    """
    step = _creating_task(location, platform or "NAME_OF_THE_PLATFORM")
    database = _open(location, write=write, timeout=timeout, step=step)
    try:
        meta = read_meta(database)
        _check_current(database, meta, step)
        registry = SqlRegistry(database, meta["registry_id"])
        check_id(registry.registry_id, registry_id, location)
        if platform is not None and platform not in registry.platforms():
            raise RegistryMismatch(
                f"The registry {location} does not know the platform {platform}. Nothing was sent: every DID would look new. If this"
                " platform was known under another name (api_url changed?), set 'platform' to that name. If it is new to this"
                f" registry, add it once:\n{step}"
            )
    except BaseException:
        database.close()
        raise
    return registry


_NEVER_BY_ACCIDENT = (
    "Nothing was sent: without the registry every DID would look new. If one was there before, restore it from a backup or correct"
    " the path. If this is the first run, create it once, then pin the registry_id that this returns:\n"
)


def _open(location: str, *, write: bool, timeout: float, step: str) -> Database:
    from ._sqlite import NoRegistry, open_sqlite

    try:
        return open_sqlite(location, write=write, timeout=timeout)
    except NoRegistry as error:
        raise RegistryMismatch(f"{error.message}. {_NEVER_BY_ACCIDENT}{step}") from None


def _check_current(database: Database, meta: dict[str, str], step: str) -> None:
    version = schema_version(database, meta)
    if version < CURRENT:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did needs schema {CURRENT}. Nothing was"
            f" sent. Make a backup, then bring it up to date:\n{step}"
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


def _creating_task(location: str, platform: str) -> str:
    return pasteable_task(
        "Create or update the registry of DIDs",
        "did_registry",
        {"state": "present", "platform": platform, "registry": location},
    )


def make_present(
    location: str, platform: str, *, registry_id: str | None, timeout: float, apply: bool
) -> dict[str, t.Any]:
    """Make the registry exist, have the current schema and know the platform; or tell what that would take.

    Returns C({"changes": [sentences], "registry_id": str or None where it would be created}).
    """
    from ._creating import create_sqlite, tighten, uncreatable
    from ._sqlite import open_sqlite
    from ._writing import add_platform, migrate

    changes: list[str] = []
    if not os.path.lexists(location):
        if registry_id is not None:
            raise RegistryMismatch(
                f"There is no registry at {location}, and registry_id demands {registry_id}: a new one would have another id. Restore"
                " that one from a backup, or leave registry_id out to create a new one"
            )
        changes.append(f"create the registry {location}")
        reason = uncreatable(location)
        if reason:
            raise RegistryUnavailable(f"The registry {location} cannot be created ({reason})")
        if not apply:
            return {"changes": [*changes, f"add the platform {platform}"], "registry_id": None}
        create_sqlite(location, timeout=timeout)
    database = open_sqlite(location, write=apply, timeout=timeout)
    try:
        meta = read_meta(database)
        found = meta["registry_id"]
        check_id(found, registry_id, location)
        version = schema_version(database, meta)
        if version < CURRENT:
            changes.append(f"migrate the registry from schema {version} to {CURRENT}")
        with database.reading() as transaction:
            known = transaction.rows("SELECT 1 FROM platforms WHERE name = ?", platform)
        if not known:
            changes.append(f"add the platform {platform}")
        reason = database.unwritable() if changes else None
        if reason:
            raise RegistryUnavailable(f"The registry {location} cannot be written ({reason})")
        if apply and version < CURRENT:
            migrate(database)
        if apply and not known:
            add_platform(database, platform)
    finally:
        database.close()
    if tighten(location, apply=apply):
        changes.append("set the file's mode to 0600")
    return {"changes": changes, "registry_id": found}
