# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Makes a registry exist, have the current schema and know a platform. The only place that does."""

from __future__ import annotations

import contextlib
import typing as t

from .._errors import RegistryMismatch, RegistryUnavailable
from .._model import timestamp
from .backends.interface import RESTORE, Collision
from .backends.schema import CURRENT
from .identity import ARRIVING, MOVED, MOVING, check_id, not_in_use, read_meta, schema_version
from .open import place_of

if t.TYPE_CHECKING:  # pragma: no cover
    from .backends.interface import Database, Place


def take_into_use(database: Database) -> None:
    """Forget that a registry was moved, in whole or in part."""
    with database.writing() as transaction:
        for name in (MOVING, MOVED):
            transaction.execute("DELETE FROM meta WHERE name = ?", name)


def add_platform(database: Database, platform: str) -> None:
    """Make a platform known, so that its DIDs can be recorded."""
    with contextlib.suppress(Collision), database.writing() as transaction:
        transaction.execute(
            "INSERT INTO platforms (name, added_at) VALUES (?, ?)", platform, timestamp()
        )


def make_present(
    location: str,
    platform: str,
    *,
    registry_id: str | None,
    timeout: float,
    apply: bool,
    password: str | None = None,
    overwrite: bool = False,
    another_platform: bool = False,
) -> dict[str, t.Any]:
    """Make the registry exist, have the current schema and know the platform; or tell what that would take.

    :param overwrite: whether one that was moved is taken into use again.
    :param another_platform: whether the platform may be added to a registry that knows others.

    Returns C({"changes": [sentences], "registry_id": str or None where it would be created}).
    """
    place = place_of(location, password)
    changes: list[str] = []
    if place.is_missing(timeout=timeout):
        _check_creatable(place, registry_id, timeout)
        changes.append(f"create the registry {location}")
        if not apply:
            return {"changes": [*changes, f"add the platform {platform}"], "registry_id": None}
        from .backends.schema import make_registry

        place.create(make_registry, timeout=timeout)
    database = place.open(write=apply, timeout=timeout)
    try:
        found = _bring_up_to_date(
            database,
            platform,
            changes,
            registry_id=registry_id,
            apply=apply,
            overwrite=overwrite,
            another_platform=another_platform,
        )
    finally:
        database.close()
    if place.tighten(apply=apply):
        changes.append("set the file's mode to 0600")
    return {"changes": changes, "registry_id": found}


def _check_creatable(place: Place, registry_id: str | None, timeout: float) -> None:
    if registry_id is not None:
        raise RegistryMismatch(
            f"There is no registry at {place.location}, and registry_id demands {registry_id}: a new one would have another id."
            f" Correct 'registry', or leave registry_id out to create a new one. If that registry is lost: {RESTORE}"
        )
    reason = place.uncreatable(timeout=timeout)
    if reason:
        raise RegistryUnavailable(f"The registry {place.location} cannot be created ({reason})")


def _bring_up_to_date(
    database: Database,
    platform: str,
    changes: list[str],
    *,
    registry_id: str | None,
    apply: bool,
    overwrite: bool,
    another_platform: bool,
) -> str:
    """Do what a registry that exists lacks, and add that to the changes. Returns its id."""
    from .backends.schema import migrate

    meta = read_meta(database)
    check_id(meta["registry_id"], registry_id, database.location)
    version = schema_version(database, meta)
    gone = not_in_use(meta, database.location)
    if gone is not None and not (overwrite and ARRIVING not in meta):
        raise gone
    if gone is not None:
        changes.append("take the registry into use again, though it was moved")
    if version < CURRENT:
        changes.append(f"migrate the registry from schema {version} to {CURRENT}")
    known = database.query("SELECT 1 FROM platforms WHERE name = ?", platform)
    if not known:
        if not another_platform:
            from .identity import refuse_second_name

            refuse_second_name(database, platform)
        changes.append(f"add the platform {platform}")
    reason = database.unwritable(keeping=True) if changes else None
    if reason:
        raise RegistryUnavailable(f"The registry {database.location} cannot be written ({reason})")
    if apply and gone is not None:
        take_into_use(database)
    if apply and version < CURRENT:
        migrate(database)
    if apply and not known:
        add_platform(database, platform)
    return meta["registry_id"]
