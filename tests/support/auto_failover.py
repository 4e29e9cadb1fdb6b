# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two PostgreSQL servers that pg_auto_failover looks after, with its monitor."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.processes import descendants_of
from ansible_collections.nextbilling.did.tests.support.stores import (
    DatabaseStore,
    free_port,
)
from ansible_collections.nextbilling.did.tests.support.waiting import until

DATABASE = "registry"
_HOST = "127.0.0.1"
# Where Debian has the programs of a server that the extension is made for.
_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
_EXTENSION = Path("/usr/share/postgresql/15/extension/pgautofailover.control")
# Timeouts of the monitor, in milliseconds. With its own ones a failover takes a minute.
_SETTINGS = {
    "health_check_period": 500,
    "health_check_timeout": 500,
    "health_check_max_retries": 1,
    "health_check_retry_delay": 200,
    "node_considered_unhealthy_timeout": 2000,
    "startup_grace_period": 1000,
    "primary_demote_timeout": 2000,
}
_TRUST = f"host all,replication all {_HOST}/32 trust\n"


class _Node:
    """A server, and the process of pg_autoctl that looks after it."""

    def __init__(self, cluster: AutoFailover, name: str) -> None:
        self.name = name
        self.port = free_port()
        self.folder = cluster.folder / name
        self._cluster = cluster
        self._process: subprocess.Popen[bytes] | None = None

    def create(self, kind: str, *options: str) -> None:
        """Make the server's files."""
        self._cluster.run(
            "create",
            kind,
            *("--pgdata", str(self.folder)),
            *("--pgport", str(self.port)),
            *("--hostname", _HOST),
            *("--listen", _HOST),
            *("--auth", "trust"),
            "--no-ssl",
            *options,
        )
        with (self.folder / "pg_hba.conf").open("a") as file:
            file.write(_TRUST)

    def start(self) -> None:
        """Start it."""
        with (self._cluster.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                self._cluster.command("run", "--pgdata", str(self.folder)),
                stdout=log,
                stderr=log,
                cwd="/",
                user=self._cluster.user,
                env=self._cluster.environment,
            )

    def kill(self) -> None:
        """Kill it with all that belongs to it, as if its machine was switched off."""
        if self._process is None:
            return
        for process in (self._process.pid, *descendants_of(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def url(self, database: str = DATABASE) -> str:
        """The URL of a database."""
        return f"postgresql://postgres@{_HOST}:{self.port}/{database}"


class AutoFailover:
    """A monitor and two servers, of which it makes one the primary. C(location): reaches whichever is the primary."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("pg_autoctl") is None or not _EXTENSION.exists():
            pytest.skip(
                "pg_auto_failover is not installed (on Debian 12: apt-get install pg-auto-failover-cli postgresql-15-auto-failover)"
            )
        self.folder = folder
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user is not None:
            shutil.chown(folder, self.user)
        self.environment = {
            "PATH": f"{_PROGRAMS}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(folder),
            # Where the sockets of its servers are, and where it looks for them.
            "PG_REGRESS_SOCK_DIR": str(folder),
            "PGHOST": str(folder),
        }
        self._monitor = _Node(self, "monitor")
        self.nodes = [_Node(self, name) for name in ("first", "second")]
        hosts = ",".join(f"{_HOST}:{node.port}" for node in self.nodes)
        self.location = f"postgresql://postgres@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout=2"
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._monitor.create("monitor")
        with (self._monitor.folder / "postgresql.conf").open("a") as file:
            file.writelines(f"pgautofailover.{name} = {ms}\n" for name, ms in _SETTINGS.items())
        self._monitor.start()
        until(lambda: self._states() is not None)
        monitor = f"postgresql://autoctl_node@{_HOST}:{self._monitor.port}/pg_auto_failover?sslmode=prefer"
        for node in self.nodes:
            node.create("postgres", "--name", node.name, "--monitor", monitor, "--dbname", DATABASE)
            node.start()
            until(lambda: "single" in self.states().values() or self.is_replicated())
        until(self.is_replicated)

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of pg_autoctl."""
        return ["pg_autoctl", *arguments]

    def run(self, *arguments: str) -> None:
        """Run a command of pg_autoctl."""
        done = subprocess.run(
            self.command(*arguments),
            user=self.user,
            cwd="/",
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def _states(self) -> dict[str, str] | None:
        import psycopg

        try:
            with psycopg.connect(self._monitor.url("pg_auto_failover")) as connection:
                rows: list[tuple[Any, ...]] = connection.execute(
                    "SELECT nodename, reportedstate::text FROM pgautofailover.node"
                ).fetchall()
        except psycopg.Error:
            return None
        return dict(rows)

    def states(self) -> dict[str, str]:
        """Return the state of each server by its name, as the monitor knows it."""
        return self._states() or {}

    def is_replicated(self) -> bool:
        """Tell whether there is a primary with a standby that its commits wait for."""
        return sorted(self.states().values()) == ["primary", "secondary"]

    def store(self) -> DatabaseStore:
        """The registry, looked into on the primary."""
        return DatabaseStore(self.location, self.location)

    def kill_primary(self) -> _Node:
        """Kill the primary. Returns it."""
        states = self.states()
        (primary,) = [node for node in self.nodes if states[node.name] == "primary"]
        primary.kill()
        return primary

    def repair(self, node: _Node) -> None:
        """Start a server again that was killed, and wait until it follows."""
        node.start()
        until(self.is_replicated)

    def stop(self) -> None:
        """End everything."""
        for node in (*self.nodes, self._monitor):
            node.kill()


@contextlib.contextmanager
def running_cluster() -> Iterator[AutoFailover]:
    """A cluster, and its folder, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
        os.chmod(folder, 0o755)
        cluster = AutoFailover(Path(folder))
        try:
            yield cluster
        finally:
            cluster.stop()
