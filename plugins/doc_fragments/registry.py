# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  registry:
    description:
      - Where the registry is, which holds the last known record id and parameters of each DID. An absolute path, or one from C(~), for the runs of
        one host; V(postgresql://user@host:5432/database) for the runs of many. Any other scheme is refused.
      - A path must lead to a file of its own. A file with a second hard link, or one that is mounted alone (C(docker run -v
        registry.db:/data/registry.db)), is refused, as runs under two paths would not see each other. Mount the folder, never the file.
      - A URL takes those parameters of PostgreSQL's library that hold no secret, such as C(sslmode=verify-full) and C(sslrootcert), as it is shown in
        results and messages. Any other is refused. Several hosts are separated by commas. A registry in PostgreSQL needs the Python
        library C(psycopg) (3.1 or newer). The guide R(From one machine to many,ansible_collections.nextbilling.did.docsite.shared_registry)
        says how to set one up, which rights a role needs, and how to move a registry there.
      - The platform cannot be asked what exists. Whoever loses the registry has to tell it anew which DIDs exist, or creates them a
        second time. Keep it on a disk that stays, and back it up.
      - It is never created by accident. M(nextbilling.did.did_registry) with O(nextbilling.did.did_registry#module:state=present) does
        that, once.
      - If empty or not given, the environment variable E(NEXTBILLING_REGISTRY) is used before the default.
    type: str
    default: ~/.local/state/nextbilling-did/registry.db
  registry_password:
    description:
      - Password for a registry in a database. A URL that holds a password is refused, as Ansible prints module arguments at C(-vvv).
      - If not given, PostgreSQL's library takes it from the environment variable E(PGPASSWORD) or from C(~/.pgpass).
    type: str
  registry_id:
    description:
      - If given, the registry must bear this id; a task with any other registry is refused before anything is sent.
      - M(nextbilling.did.did_registry) returns the id. Keep it beside O(registry) in your variables.
    type: str
  registry_timeout:
    description:
      - Seconds to wait for another run that holds the same DID, or for the registry itself. A server that has no connection to give is waited
        for, too.
    type: float
    default: 90.0
  platform:
    description:
      - The name under which the records of this platform are kept, so that one registry serves several platforms. Under a second name every DID of a
        platform would look new.
      - If not given, host and port of O(api_url), such as V(sip.nextbilling.com.br:443). Give it the old name if the platform's
        address changes.
    type: str
"""
