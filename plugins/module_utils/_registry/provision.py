# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Creates a registry, migrates it to the current schema, adds a platform. The only module that does."""

from __future__ import annotations

import contextlib
import socket
import typing as t
from collections.abc import Mapping, Sequence

from .._errors import DidError, RegistryMismatch, RegistryUnavailable
from .._model import timestamp
from .._snippets import Target
from .backends.interface import RESTORE, Backend, Collision, Database
from .backends.schema import SCHEMA, Schema
from .meta import check_id, read_meta, schema_version
from .migrations import create_registry, migrate
from .move_marks import ARRIVING, MOVED, MOVING, not_in_use_error, read_move
from .open import backend_at
from .platforms import refuse_second_name
from .records import known_platforms
from .replication import replication_warnings
from .witness import Witness
from .witness_check import accept

# Seconds in which the source of a broken move must answer to count as there.
_SOURCE_TIMEOUT = 10.0


class ProvisionResult(t.NamedTuple):
    """What was, or would be, changed. C(changes) and C(warnings): sentences. C(registry_id): None where the registry would be created."""

    changes: list[str]
    registry_id: str | None
    warnings: Sequence[str] = ()


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
    witness: Witness | None = None,
    accept_older: bool = False,
    schema: Schema = SCHEMA,
) -> ProvisionResult:
    """Make the registry exist, have the current schema and know the platform; or tell what that would change.

    :param overwrite: whether one that was moved is taken into use again.
    :param another_platform: whether the platform may be added to a registry that knows others.
    :param witness: what runs on this host have recorded.
    :param accept_older: whether the registry is right, though it is older than the witness knows it, or another one.
    """
    backend = backend_at(location, password, schema)
    changes: list[str] = []
    if backend.is_missing(timeout=timeout):
        _check_creatable(backend, registry_id, timeout)
        changes.append(f"create the registry {location}")
        if not apply:
            return ProvisionResult([*changes, f"add the platform {platform}"], None)
        backend.create(lambda transaction: create_registry(transaction, schema), timeout=timeout)
    with contextlib.closing(backend.open(write=apply, timeout=timeout)) as database:
        meta = read_meta(database)
        check_id(meta, registry_id, location)
        changes += _update(
            database,
            meta,
            platform,
            apply=apply,
            overwrite=overwrite,
            another_platform=another_platform,
        )
        warnings = replication_warnings(database)
        if witness is not None:
            target = Target(platform, location, meta["registry_id"])
            changes += _tell_witness(
                witness, database, target, accept_older, replace=registry_id is not None
            )
    if backend.restrict_permissions(apply=apply):
        changes.append("set the file's mode to 0600")
    return ProvisionResult(changes, meta["registry_id"], warnings)


def _tell_witness(
    witness: Witness, database: Database, target: Target, accept_older: bool, *, replace: bool
) -> list[str]:
    """Note where the registry is, and accept it as it is where that is asked for. Returns the changes."""
    witness.bind(target.registry_id)
    changes = accept(witness, database, target) if accept_older else []
    witness.note_location(target.registry, replace=replace)
    return changes


def _check_creatable(backend: Backend, registry_id: str | None, timeout: float) -> None:
    if registry_id is not None:
        raise RegistryMismatch(
            f"There is no registry at {backend.location}, and registry_id demands {registry_id}: a new one would have another id."
            f" Correct 'registry', or leave registry_id out to create a new one. If that registry is lost: {RESTORE}"
        )
    reason = backend.why_not_creatable(timeout=timeout)
    if reason:
        raise RegistryUnavailable(f"The registry {backend.location} cannot be created ({reason})")


def _update(
    database: Database,
    meta: dict[str, str],
    platform: str,
    *,
    apply: bool,
    overwrite: bool,
    another_platform: bool,
) -> list[str]:
    """Do what a registry that exists lacks. Returns the changes."""
    changes: list[str] = []
    version, current = schema_version(database, meta), database.schema.version
    not_in_use = not_in_use_error(meta, database.location)
    if not_in_use is not None:
        if not overwrite or not _may_be_used(meta):
            raise not_in_use
        changes.append(
            "take the registry into use, though its move here is not complete"
            if ARRIVING in meta
            else "take the registry into use again, though it was moved"
        )
    if version < current:
        changes.append(f"migrate the registry from schema {version} to {current}")
    is_known = platform in known_platforms(database.query)
    if not is_known:
        if not another_platform:
            refuse_second_name(database, platform)
        changes.append(f"add the platform {platform}")
    reason = database.why_not_writable(as_owner=True) if changes else None
    if reason:
        raise RegistryUnavailable(f"The registry {database.location} cannot be written ({reason})")
    if apply and not_in_use is not None:
        _delete_marks(database)
    if apply and not is_known:
        _add_platform(database, platform)
    if apply and version < current:
        # The last write: a connection takes tables that were not there before for another registry.
        migrate(database)
    return changes


def _may_be_used(meta: Mapping[str, str]) -> bool:
    """Tell whether a registry may be taken into use by somebody who says so, though its move is not complete.

    Not a target whose source is there: either that one is in use, or the move can be completed.
    """
    move = read_move(meta, ARRIVING)
    if move is None or move.host not in (None, socket.gethostname()):
        return True
    try:
        source = backend_at(move.source).open(write=False, timeout=_SOURCE_TIMEOUT)
    except DidError:
        return True
    with contextlib.closing(source):
        found = read_meta(source)
    is_target = move == read_move(found, ARRIVING)
    return is_target or found["registry_id"] != meta["registry_id"]


def _delete_marks(database: Database) -> None:
    with database.writing() as transaction:
        for mark in (MOVING, MOVED, ARRIVING):
            transaction.execute("DELETE FROM meta WHERE name = ?", mark)


def _add_platform(database: Database, platform: str) -> None:
    # Another run may have added it meanwhile.
    with contextlib.suppress(Collision), database.writing() as transaction:
        transaction.execute(
            "INSERT INTO platforms (name, added_at) VALUES (?, ?)", platform, timestamp()
        )
