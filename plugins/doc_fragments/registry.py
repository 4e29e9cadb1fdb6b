# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  registry:
    description:
      - The location of the registry, which holds the last known record id and parameters of each DID. It is an absolute path, or a path from C(~), for the
        runs of one host, or V(postgresql://user@host:5432/database) for the runs of several hosts. Any other scheme is refused.
      - A path must lead to a file with a single name. A file with a second hard link, or one that is mounted alone (C(docker run -v
        registry.db:/data/registry.db)), is refused, because runs under two paths do not see each other's changes. Mount the folder, never the file.
      - A URL appears in results and messages. It may therefore contain only libpq parameters that hold no secret, such as C(sslmode=verify-full) and
        C(sslrootcert). Any other is refused. Separate several hosts with commas. A registry in PostgreSQL requires the Python library C(psycopg) (3.1 or
        newer). The guide R(From one machine to many,ansible_collections.nextbilling.did.docsite.shared_registry) describes the setup, the rights of each
        role, and how to move a registry there.
      - The platform cannot list the DIDs that exist. If the registry is lost, every DID must be recorded again, or it is created a second time. Keep the
        registry on persistent storage and back it up.
      - A registry is never created by accident. Only M(nextbilling.did.did_registry) with O(nextbilling.did.did_registry#module:state=present) creates one.
      - If empty or not given, the environment variable E(NEXTBILLING_REGISTRY) is used before the default.
    type: str
    default: ~/.local/state/nextbilling-did/registry.db
  registry_password:
    description:
      - The password for a registry in a database. Ansible prints module arguments at C(-vvv), so a URL that contains a password is refused.
      - If not given, libpq takes it from the environment variable E(PGPASSWORD) or from C(~/.pgpass).
    type: str
  registry_id:
    description:
      - If given, the registry must have this id. A task with any other registry is refused before anything is sent.
      - M(nextbilling.did.did_registry) returns the id. Keep it beside O(registry) in your variables.
    type: str
  registry_timeout:
    description:
      - How long to wait for another run that holds the same DID, for the registry itself, for a server without a free connection, for another server to take
        the place of one that failed, or for a synchronous standby, in seconds. A failover may take a minute.
    type: float
    default: 90.0
  platform:
    description:
      - The name under which the records of this platform are kept. One registry can serve several platforms. Under a second name, every DID of a platform
        would look new.
      - If not given, it is the host and port of O(api_url), such as V(sip.nextbilling.com.br:443). If the platform's address changes, set this option to the
        old name.
    type: str
  witness:
    description:
      - The folder of the witness, an absolute path, or a path from C(~). Each run keeps there which record has which number, so that a later run notices a
        registry that has lost its newest writes, through a restored backup or a failover, or another registry at the same location. M(nextbilling.did.did)
        and M(nextbilling.did.dids) refuse such a registry with the play that records the lost DIDs again.
      - The folder has one C(.csv) file per registry and platform, without secrets. Keep it on another disk than the registry, and have CI cache it. See the
        guide R(From one machine to many,ansible_collections.nextbilling.did.docsite.shared_registry).
      - A folder that cannot be read or written is a warning and never a failure. Check mode and M(nextbilling.did.did_info) write nothing there.
      - V(false), V(no) or V(none) turns the witness off.
      - If empty or not given, the environment variable E(NEXTBILLING_WITNESS) is used before the default.
    type: str
    default: ~/.local/state/nextbilling-did-witness
    version_added: 2.0.0
"""
