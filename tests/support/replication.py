# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two PostgreSQL servers, of which the second follows the first and takes its place when it dies."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.nextbilling.did.tests.support.processes import children_of
from ansible_collections.nextbilling.did.tests.support.stores import DatabaseStore, Server
from ansible_collections.nextbilling.did.tests.support.waiting import until

DATABASE = "registry"
STANDBY = "standby"
_WALRECEIVER = b"walreceiver"


class Primary(Server):
    """A server of a new cluster. C(kept): a folder that keeps a new cluster for others: to copy it takes less time than to make one."""

    def __init__(self, folder: Path, kept: Path | None, **settings: str) -> None:
        self._kept = kept
        super().__init__(folder, **settings)

    def _make_cluster(self) -> None:
        cluster = None if self._kept is None else self._kept / "cluster"
        if cluster is not None and cluster.exists():
            _copy(cluster, self.folder)
        super()._make_cluster()
        if cluster is not None and not cluster.exists():
            _copy(self.folder, cluster)


def _copy(source: Path, target: Path) -> None:
    # It keeps the owner, which shutil does not.
    subprocess.run(["cp", "-aT", source, target], check=True)


class Standby(Server):
    """A server that follows another one."""

    def __init__(self, folder: Path, primary: Server) -> None:
        self._primary = primary
        super().__init__(folder, **primary.settings)

    def _make_cluster(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if self.user is not None:
            owner = pwd.getpwnam(self.user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o700)
        name = f"host=127.0.0.1 port={self._primary.port} user=postgres application_name={STANDBY}"
        subprocess.run(
            [
                self.programs / "pg_basebackup",
                "-D",
                self.folder,
                "-d",
                name,
                "-R",
                "-c",
                "fast",
                "--no-sync",
            ],
            check=True,
            user=self.user,
            cwd="/",
            capture_output=True,
        )

    def walreceiver(self) -> int:
        """The process that receives what the primary writes."""
        return until(lambda: next(iter(children_of(self.process_id, _WALRECEIVER)), 0))

    def promote(self) -> None:
        """Make it a primary."""
        self.run("SELECT pg_promote(true, 60)")


class ReplicatedPair:
    """A primary and its standby, with the database of a registry. C(location): reaches whichever of them is the primary."""

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        self.primary = Primary(
            folder / "first",
            kept,
            wal_retrieve_retry_interval="200ms",
            wal_receiver_status_interval="1s",
        )
        self.primary.fresh(DATABASE)
        try:
            self.standby = Standby(folder / "second", self.primary)
        except BaseException:
            self.primary.stop()
            raise
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        self.location = f"postgresql://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout=2"

    def store(self, server: Server | None = None) -> DatabaseStore:
        """The registry, looked into on one server; on the primary if none is named."""
        return DatabaseStore(self.location, (server or self.primary).url(DATABASE))

    def synchronous(self, *, wait: bool = True) -> None:
        """Have each commit wait for the standby."""
        self.primary.run(
            f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'", "SELECT pg_reload_conf()"
        )
        if wait:
            until(lambda: self._is("sync_state = 'sync'"))

    def reset(self) -> None:
        """Have both at work as at the beginning, with an empty database."""
        for process in (
            children_of(self.standby.process_id, _WALRECEIVER) if self.standby.runs else []
        ):
            os.kill(process, signal.SIGCONT)
        if not self.standby.runs:
            self.standby.start()
        self.primary.run(
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
            "ALTER ROLE postgres RESET synchronous_commit",
        )
        self.streaming()
        self.primary.fresh(DATABASE)

    def streaming(self) -> None:
        """Wait until the standby follows."""
        until(lambda: self._is("state = 'streaming'"))

    def caught_up(self) -> None:
        """Wait until the standby has all that the primary has written."""
        until(lambda: self._is("replay_lsn >= pg_current_wal_lsn()"))

    def _is(self, condition: str) -> bool:
        query = f"SELECT 1 FROM pg_stat_replication WHERE application_name = '{STANDBY}' AND {condition}"
        return bool(self.store().rows(query))

    def hold(self) -> None:
        """Have the standby receive nothing from here on."""
        os.kill(self.standby.walreceiver(), signal.SIGSTOP)

    def go_on(self) -> None:
        """Have the standby receive again."""
        os.kill(self.standby.walreceiver(), signal.SIGCONT)

    def fail_over(self, *, kill: bool = True) -> None:
        """Kill the primary with all its processes, and promote the standby with what it has received until now.

        C(kill): whether the old primary dies. One that lives makes a split brain.
        """
        receiver = self.standby.walreceiver()
        if kill:
            children = children_of(self.primary.process_id)
            for process in (self.primary.process_id, *children):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.primary.stop(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(receiver, signal.SIGKILL)
        # The standby restarts all its processes then.
        until(lambda: receiver not in children_of(self.standby.process_id))
        self.standby.wait_until_it_answers()
        self.standby.promote()

    def stop(self) -> None:
        """End both."""
        for server in (self.standby, self.primary):
            server.stop(signal.SIGQUIT)


@contextlib.contextmanager
def running_pair(kept: Path | None = None) -> Iterator[ReplicatedPair]:
    """A pair, and its folders, for as long as the block lasts. C(kept): as in C(Primary)."""
    with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
        os.chmod(folder, 0o755)
        pair = ReplicatedPair(Path(folder), kept)
        try:
            yield pair
        finally:
            pair.stop()
