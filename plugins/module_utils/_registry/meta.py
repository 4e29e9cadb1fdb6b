# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads the table C(meta), and checks by it which registry this is and which schema it has."""

from __future__ import annotations

from collections.abc import Mapping

from .._errors import RegistryMismatch, RegistryUnavailable
from .backends.interface import RESTORE, Database
from .records import known_platforms


def read_meta(database: Database) -> dict[str, str]:
    """Return the table C(meta), or raise C(RegistryUnavailable) if it lacks the id or the schema version."""
    meta: dict[str, str] = dict(database.query("SELECT name, value FROM meta"))
    if not meta.get("registry_id") or not meta.get("schema", "").isdigit():
        raise RegistryUnavailable(
            f"The registry {database.location} is damaged: it has lost its id or its schema version. To go on, {RESTORE}"
        )
    return meta


def check_id(meta: Mapping[str, str], wanted: str | None, location: str) -> None:
    """Raise C(RegistryMismatch) unless the registry has the id that the task demands."""
    if wanted is not None and meta["registry_id"] != wanted:
        raise RegistryMismatch(
            f"The registry {location} has the id {meta['registry_id']}, and registry_id demands {wanted}. Nothing was sent: another registry"
            " knows other DIDs. Correct 'registry' or 'registry_id'"
        )


def schema_version(database: Database, meta: Mapping[str, str]) -> int:
    """Return the registry's schema version, or raise C(RegistryMismatch) for one that is newer than this code."""
    version, newest = int(meta["schema"]), database.schema.version
    if version > newest:
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did knows schemas up to {newest}."
            " Nothing was written and nothing was sent. Install the release that wrote it, or a newer one"
        )
    return version


def check_schema(
    database: Database,
    meta: Mapping[str, str],
    platform: str | None = None,
    *,
    allow_older: bool = False,
) -> None:
    """Raise C(RegistryMismatch) unless the registry has the current schema, C(RegistryUnavailable) if its tables differ from its schema.

    :param platform: the platform that the play in the message names, None for any that the registry knows.
    :param allow_older: whether it may have an older schema.
    """
    version, current = schema_version(database, meta), database.schema.version
    if version < current and not allow_older:
        from .platforms import present_play

        known = platform or next(iter(known_platforms(database.query)), None)
        raise RegistryMismatch(
            f"The registry {database.location} has schema {version}; this release of nextbilling.did needs schema {current}. Nothing was"
            f" sent. Make a backup, then bring it up to date:\n{present_play(database.location, known)}"
        )
    reason = database.why_unexpected_schema(version)
    if reason is not None:
        raise RegistryUnavailable(f"The registry {database.location} {reason}")
