# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Opens the registry at a location."""

from __future__ import annotations

from collections.abc import Callable

from .._errors import RegistryMismatch
from .._snippets import Target
from .backends.interface import RESTORE, Backend, Database, NoRegistry, never_stops
from .backends.schema import SCHEMA, Schema
from .location import is_database
from .meta import check_id, check_schema, read_meta
from .move_marks import ARRIVING, check_in_use
from .registry import Registry
from .witness import Witness
from .witness_check import check_location, missing_registry


def backend_at(
    location: str,
    password: str | None = None,
    schema: Schema = SCHEMA,
    stop_reason: Callable[[], str | None] = never_stops,
) -> Backend:
    """Return the backend for a location that C(locate) accepted.

    :param password: for a database; without one, libpq looks for it in the environment and in ~/.pgpass.
    :param stop_reason: returns why the run has been told to stop, or None. A wait for a database then ends sooner.
    """
    if is_database(location):
        from .backends.postgresql_backend import PostgresqlBackend

        return PostgresqlBackend(location, password, schema, stop_reason)
    from .backends.sqlite import SqliteBackend

    return SqliteBackend(location, schema)


def open_registry(
    location: str,
    platform: str | None,
    *,
    registry_id: str | None,
    write: bool,
    timeout: float,
    password: str | None = None,
    allow_moved: bool = False,
    allow_older: bool = False,
    schema: Schema = SCHEMA,
    stop_reason: Callable[[], str | None] = never_stops,
    witness: Witness | None = None,
    compare: bool = False,
) -> Registry:
    """Open a registry, to read, or to read and write.

    :param location: an absolute path, or the URL of a database.
    :param platform: the platform that it must know, or None.
    :param registry_id: the id that it must have, or None.
    :param timeout: seconds to wait for another process's transaction.
    :param allow_moved: whether it may be one that was moved, to read what it held.
    :param allow_older: whether it may have an older schema, to read what it holds.
    :param stop_reason: as in C(backend_at).
    :param witness: what runs on this host have recorded, None where nothing is kept of that.
    :param compare: whether to refuse a registry that is older than the witness knows it, or another one. It needs a platform.
    :raises RegistryMismatch: it is missing, another one, older, of another schema, has moved, or does not know the platform; the message
        holds the play that creates, migrates, moves or completes it.
    :raises RegistryUnavailable: it cannot be read, or is damaged.
    """
    backend = backend_at(location, password, schema, stop_reason)
    database = _open(backend, platform, write=write, timeout=timeout, witness=witness)
    try:
        meta = read_meta(database)
        check_schema(database, meta, platform, allow_older=allow_older)
        check_id(meta, registry_id, location)
        if witness is not None:
            witness.bind(meta["registry_id"])
            if compare and platform is not None:
                check_location(witness, location, meta["registry_id"], registry_id, platform)
        if not allow_moved or ARRIVING in meta:
            check_in_use(meta, location)
        registry = Registry(database, meta, witness)
        if platform is not None and platform not in registry.platforms():
            from .platforms import unknown_platform

            # Only the comparison tells that this is no other registry than before.
            certain_id = meta["registry_id"] if compare else registry_id
            raise unknown_platform(database, platform, certain_id)
        if compare and platform is not None:
            registry.compare_with_witness(Target(platform, location, meta["registry_id"]))
        if witness is not None:
            witness.note_location(location, replace=registry_id is not None)
    except BaseException:
        database.close()
        raise
    return registry


def _open(
    backend: Backend,
    platform: str | None,
    *,
    write: bool,
    timeout: float,
    witness: Witness | None,
) -> Database:
    try:
        return backend.open(write=write, timeout=timeout)
    except NoRegistry as error:
        from .platforms import present_play

        known = "" if witness is None else missing_registry(witness, backend.location, platform)
        # A registry is created by one task alone: a run that created it here would take every DID for a new one.
        raise RegistryMismatch(
            f"{error.message}. Nothing was sent: without the registry every DID would look new. If there is one, correct 'registry', or mount"
            f" what holds it.{known} If it is lost, {RESTORE}. If this is the first run, create it once, then pin the registry_id that this"
            f" returns:\n{present_play(backend.location, platform)}"
        ) from None
