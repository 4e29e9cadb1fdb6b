# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry in PostgreSQL: how it is reached, who may do what, and what becomes of a connection that breaks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    RegistryBusy,
    RegistryMismatch,
    RegistryUnavailable,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    UNKNOWN,
    Correction,
    Intent,
    NewState,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry import provision as _making
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.interface import (
    CommitUnknown,
    PipelineFailed,
    TooManyConnections,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql import (
    PostgresqlDatabase,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.postgresql_backend import (
    PostgresqlBackend,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    SCHEMA,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.move_marks import (
    MOVED,
    Move,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.runs import Run
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import VENDOR_CREATE, Runner
from ansible_collections.nextbilling.did.tests.support.processes import end_leases
from ansible_collections.nextbilling.did.tests.support.stores import (
    DatabaseStore,
    Proxy,
    Server,
    Store,
    in_postgresql,
    running_pooler,
)
from ansible_collections.nextbilling.did.tests.support.waiting import until

PLATFORM = "sip.nextbilling.com.br:443"
AT = "2026-01-31T12:00:00Z"
PASSWORD = "geheim-pwd-52c1"
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "docsite" / "rst" / "shared_registry.rst"

pytestmark = in_postgresql


# How it is reached


def test_a_missing_library(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for check in (True, False):
        result = runner.did(check=check, **VENDOR_CREATE)
        assert result["error"]["kind"] == "registry_unavailable"
        assert "psycopg" in result["msg"] and "pip install" in result["msg"]
    assert runner.requests() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("/registry", "/nowhere"), "database"),
        (("postgres@", "nobody@"), "password"),
        (("127.0.0.1", "host.invalid"), "resolved"),
        (("registry", "registry?sslmode=verify-full"), "TLS"),
        (("127.0.0.1", "127.0.0.1:1,127.0.0.2"), ""),
        # A parameter without a value.
        (("registry", "registry?sslmode"), "no URL that PostgreSQL's library understands"),
    ],
)
def test_a_database_that_cannot_be_reached(
    runner: Runner, change: tuple[str, str], words: str
) -> None:
    location = change[1].join(runner.store.location.rsplit(change[0], 1))
    result = runner.both(**VENDOR_CREATE, registry=location, registry_timeout=0.5)
    assert result["error"]["kind"] == "registry_unavailable"
    assert words in result["msg"]
    assert runner.requests() == []


@pytest.mark.parametrize(
    ("statements", "database", "words"),
    [
        (
            ["CREATE DATABASE refusing ALLOW_CONNECTIONS false"],
            "refusing",
            "accepts no connections",
        ),
        (["ALTER ROLE keeper NOLOGIN"], "registry", "may not log in"),
        (["REVOKE CONNECT ON DATABASE registry FROM public"], "registry", "may not connect"),
    ],
)
def test_a_refusal_is_told_in_words_of_our_own(
    runner: Runner, server: Server, statements: list[str], database: str, words: str
) -> None:
    """The server's words hold names, and may hold anything."""
    server.run(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'", *statements)
    try:
        location = server.url(database, user="keeper")
        result = runner.both(**VENDOR_CREATE, registry=location, registry_password=PASSWORD)
    finally:
        server.run(
            "GRANT CONNECT ON DATABASE registry TO public",
            "DROP ROLE keeper",
            "DROP DATABASE IF EXISTS refusing",
        )
    assert result["error"]["kind"] == "registry_unavailable"
    assert words in result["msg"], result["msg"]
    assert "FATAL" not in result["msg"] and '"' not in result["msg"]
    assert runner.requests() == []


def test_the_first_of_several_hosts_that_answers_is_used(runner: Runner, server: Server) -> None:
    """The first that answers holds the registry, as after a failover."""
    location = runner.store.location.replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:")
    result = runner.both(**VENDOR_CREATE, registry=location)
    assert result["action"] == "create"
    assert result["registry"]["location"] == location
    assert result["invocation"]["module_args"]["registry"] == location


def test_a_server_that_does_not_answer(runner: Runner) -> None:
    proxy = Proxy(1)
    proxy.cut(down=True)
    location = f"postgresql://me@127.0.0.1:{proxy.port}/x"
    result = runner.both(**VENDOR_CREATE, registry=location, registry_timeout=0.5)
    proxy.close()
    assert result["error"]["kind"] == "registry_unavailable"


@pytest.fixture
def login(runner: Runner, server: Server) -> Iterator[str]:
    """The URL of the registry for a role with a password."""
    server.run(f"CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    yield server.url("registry", user="keeper")
    server.run("DROP OWNED BY keeper", "DROP ROLE keeper")


def test_where_the_password_comes_from(
    runner: Runner, server: Server, login: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def task(**options: Any) -> dict[str, Any]:
        result = runner.both(**VENDOR_CREATE, registry=login, **options)
        assert PASSWORD not in json.dumps(result)
        return result

    for wrong in ({}, {"registry_password": "wrong-" + PASSWORD[::-1]}):
        refused = task(**wrong)
        assert refused["error"]["kind"] == "registry_unavailable"
        assert "password" in refused["msg"]
    assert task(registry_password=PASSWORD)["action"] == "create"
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert task()["action"] == "none"
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / ".pgpass"
    passfile.write_text(f"127.0.0.1:{server.port}:registry:keeper:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    assert task()["action"] == "none"
    assert PASSWORD not in repr(runner.traces())


def test_sslmode_and_sslrootcert_of_the_url_are_obeyed(
    runner: Runner, server: Server, tmp_path: Path
) -> None:
    """The tests' server has no TLS, but a pooler before it has."""
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    stranger.cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    certificate = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    with running_pooler(server, certificate) as pooler:
        url = server.url("registry", port=pooler.port).replace("127.0.0.1", "localhost")
        good = f"{url}?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}"
        assert runner.both(**VENDOR_CREATE, registry=good)["action"] == "create"
        for bad, words in (
            (good.replace("ca.pem", "stranger.pem"), "trusted"),
            (good.replace("localhost", "127.0.0.1"), "another host"),
            (good.replace("ca.pem", "missing.pem"), "sslrootcert"),
            (f"{url}?sslmode=disable", "TLS"),
        ):
            result = runner.both(**VENDOR_CREATE, registry=bad)
            assert result["error"]["kind"] == "registry_unavailable"
            assert words in result["msg"], result["msg"]


# Who may do what


class Roles:
    """The three roles of the guide, each as a runner of its own, and the guide's statements."""

    def __init__(self, bare: Runner, server: Server) -> None:
        text = GUIDE.read_text("utf-8")
        blocks = re.findall(r"^\.\. code-block:: sql\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
        self.roles, self.grants = blocks
        self._server = server
        self._bare = bare
        self.passwords = dict(re.findall(r"CREATE ROLE (\w+) LOGIN PASSWORD '([^']+)'", self.roles))
        assert len(self.passwords) == 3

    def admin(self, *statements: str) -> None:
        """Run statements as an administrator."""
        self._server.run(*statements, database="registry")

    def runner(self, role: str) -> Runner:
        """A runner that logs in as a role."""
        role = f"nextbilling_{role}"
        location = self._server.url("registry", user=role)
        store = DatabaseStore(location, self._server.url("registry"), schema="nextbilling")
        return Runner(self._bare.simulator, store, {"registry_password": self.passwords[role]})


@pytest.fixture
def roles(bare: Runner, server: Server) -> Iterator[Roles]:
    """The roles of the guide, and a registry that the owner made, with the grants of the guide."""
    roles = Roles(bare, server)
    roles.admin(roles.roles)
    try:
        made = roles.runner("owner").did_registry()
        assert made["changed"], made
        roles.admin(roles.grants)
        yield roles
    finally:
        names = ", ".join(roles.passwords)
        roles.admin(f"DROP OWNED BY {names}", f"DROP ROLE {names}")


def test_each_role_can_do_its_work(roles: Roles) -> None:
    owner, runner, reader = map(roles.runner, ("owner", "runner", "reader"))
    assert runner.both(**VENDOR_CREATE)["action"] == "create"
    assert runner.both(**{**VENDOR_CREATE, "port": 1})["action"] == "update"
    assert runner.both(did_number="77", record_id=13, renumber=True)["action"] == "update"
    assert runner.both(did_number="77")["action"] == "none"
    runner.simulator.fault("status", status=422)
    assert runner.did(did_number="78")["error"]["kind"] == "refused"
    runner.simulator.fault("drop_after")
    assert runner.did(did_number="78")["error"]["kind"] == "unknown_outcome"
    recorded: dict[str, Any] = {
        "state": "recorded",
        "dids": [{"did_number": "78", "record_id": 99}],
    }
    assert runner.did_registry(**recorded)["changed"]
    forgotten: dict[str, Any] = {
        "state": "forgotten",
        "dids": [{"did_number": "78", "record_id": 99}],
    }
    assert runner.did_registry(check=True, **forgotten)["changed"]
    assert runner.did_registry(**forgotten)["changed"]
    assert runner.dids(dids=[{"did_number": str(number)} for number in range(30)])["changed"]
    assert reader.did_info()["registry"]["counts"]["confirmed"] == 31
    assert reader.both(did_number="77")["action"] == "none"
    assert not owner.did_registry()["changed"]


def test_a_reader_writes_nothing(roles: Roles) -> None:
    reader = roles.runner("reader")
    denied = reader.both(**VENDOR_CREATE)
    assert denied["error"]["kind"] == "registry_unavailable"
    assert "nextbilling_reader" in denied["msg"] and "Roles and grants" in denied["msg"]
    assert reader.requests() == []


@pytest.mark.parametrize(
    "right",
    [
        "INSERT ON nextbilling.records",
        "UPDATE ON nextbilling.records",
        "DELETE ON nextbilling.records",
        "INSERT ON nextbilling.numbers",
        "DELETE ON nextbilling.numbers",
        "INSERT ON nextbilling.history",
        "INSERT ON nextbilling.runs",
        "UPDATE ON nextbilling.runs",
        "UPDATE (added_at) ON nextbilling.platforms",
    ],
)
def test_a_right_that_is_missing_is_noticed_before_anything_is_sent(
    roles: Roles, right: str
) -> None:
    runner = roles.runner("runner")
    roles.admin(f"REVOKE {right} FROM nextbilling_runner")
    for _both in runner.both(**VENDOR_CREATE), runner.dids(dids=[{"did_number": "5"}]):
        assert _both["error"]["kind"] == "registry_unavailable"
        assert "lacks the right" in _both["msg"], _both["msg"]
    assert runner.requests() == []
    assert runner.rows("SELECT * FROM nextbilling.records") == []


def test_a_right_that_is_taken_away_while_a_request_is_under_way(
    roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = roles.runner("runner")
    confirm = Journal.confirm

    def confirm_without_the_right(*arguments: Any) -> Any:
        roles.admin("REVOKE UPDATE ON nextbilling.records FROM nextbilling_runner")
        return confirm(*arguments)

    monkeypatch.setattr(Journal, "confirm", confirm_without_the_right)
    result = runner.did(**VENDOR_CREATE)
    assert result["error"]["kind"] == "unrecorded"
    assert (result["error"]["record_id"], result["changed"]) == (13, True)
    for words in ("permission denied", "Roles and grants", "record_id: 13"):
        assert words in result["msg"], result["msg"]


def test_only_the_owner_keeps_the_registry(roles: Roles) -> None:
    runner = roles.runner("runner")
    for check in (True, False):
        denied = runner.did_registry(check=check, platform="other:443", another_platform=True)
        assert denied["error"]["kind"] == "registry_unavailable"
        assert "own" in denied["msg"]
        assert not runner.did_registry(check=check)["changed"]


def test_only_the_owner_deletes_history(roles: Roles) -> None:
    runner = roles.runner("runner")
    assert runner.did(**VENDOR_CREATE)["action"] == "create"
    history = runner.rows("SELECT * FROM nextbilling.history")
    for check in (True, False):
        denied = runner.did_registry(check=check, state="pruned", keep_history="365d")
        assert denied["error"]["kind"] == "registry_unavailable", denied
        assert "does not own" in denied["msg"] and "Nothing was deleted" in denied["msg"]
    assert runner.rows("SELECT * FROM nextbilling.history") == history
    assert roles.runner("owner").did_registry(state="pruned", keep_history="365d")["pruned"]


def test_a_server_that_does_not_tell_its_timeline(roles: Roles) -> None:
    """Some services do not allow that. It is used all the same, and a person may know which check is not made."""
    owner, runner = map(roles.runner, ("owner", "runner"))
    roles.admin("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
    try:
        result = runner.both(**VENDOR_CREATE)
        assert result["action"] == "create" and "timeline" not in str(result.get("warnings"))
        assert "does not tell its timeline" in str(owner.did_info()["warnings"])
        # It is the same registry under a second address, too.
        location = owner.store.location.replace("127.0.0.1", "localhost")
        moved = owner.did_registry(
            state="copied",
            copy_from=location,
            copy_from_password=owner.options["registry_password"],
        )
        assert "same registry" in moved["msg"], moved
    finally:
        roles.admin("GRANT EXECUTE ON FUNCTION pg_control_system() TO public")
    assert "timeline" not in str(owner.did_info().get("warnings"))


def test_a_server_that_no_longer_tells_its_timeline_takes_an_answer(roles: Roles) -> None:
    """The right is taken away while a request is under way, and the connection breaks."""
    runner = roles.runner("runner")
    platform = roles.runner("owner").did_registry()["platform"]
    password = roles.passwords["nextbilling_runner"]
    with contextlib.closing(
        _open.open_registry(
            runner.store.location,
            platform,
            registry_id=None,
            write=True,
            timeout=5,
            password=password,
        )
    ) as registry:
        token = str(registry.journal.claim(platform, INTENT))
        roles.admin("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
        try:
            registry._database.close()
            assert registry.journal.confirm(token, platform, INTENT, 13, AT).record_id == 13
        finally:
            roles.admin("GRANT EXECUTE ON FUNCTION pg_control_system() TO public")


def test_a_role_that_may_not_create(roles: Roles) -> None:
    roles.admin("DROP SCHEMA nextbilling CASCADE", "CREATE SCHEMA nextbilling")
    owner = roles.runner("owner")
    for words in ("names no schema", "may not create"):
        for check in (True, False):
            denied = owner.did_registry(check=check)
            assert denied["error"]["kind"] == "registry_unavailable"
            assert words in denied["msg"], denied["msg"]
        roles.admin("GRANT USAGE ON SCHEMA nextbilling TO nextbilling_owner")
    assert "cannot be used" not in owner.did(**VENDOR_CREATE)["msg"]


def test_a_database_that_is_read_only(roles: Roles) -> None:
    runner = roles.runner("runner")
    roles.admin("ALTER ROLE nextbilling_runner SET default_transaction_read_only = on")
    denied = runner.both(**VENDOR_CREATE)
    assert denied["error"]["kind"] == "registry_unavailable"
    assert "read_only" in denied["msg"]
    assert runner.requests() == []


@pytest.mark.parametrize(
    ("default", "used"),
    [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ],
)
def test_a_commit_is_on_disk_whatever_the_default_is(roles: Roles, default: str, used: str) -> None:
    """An intent that is lost with a server's memory, or by a failover to its standby, would not be durable."""
    roles.admin(f"ALTER ROLE nextbilling_runner SET synchronous_commit = {default}")
    url, password = roles.runner("runner").store.location, roles.passwords["nextbilling_runner"]
    backend = PostgresqlBackend(url, password)
    with contextlib.closing(backend.open(write=True, timeout=5)) as database:
        assert database.query("SHOW synchronous_commit") == [(default,)]
        for begin in (database.writing, database.creating):
            with begin() as transaction:
                assert transaction.query("SHOW synchronous_commit") == [(used,)]
        assert database.query("SHOW synchronous_commit") == [(default,)]


# Tables that are not what they seem

SECOND_SCHEMA = [
    "CREATE SCHEMA IF NOT EXISTS nextbilling",
    "CREATE TABLE nextbilling.records (LIKE records INCLUDING ALL)",
    "CREATE TABLE nextbilling.numbers (LIKE numbers INCLUDING ALL)",
]
FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN {} ; END $$"


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["ALTER TABLE history SET UNLOGGED"], "ALTER TABLE history SET LOGGED"),
        (
            ["ALTER TABLE numbers SET UNLOGGED", "ALTER TABLE records SET UNLOGGED"],
            "UNLOGGED",
        ),
        (["CREATE RULE r AS ON INSERT TO numbers DO INSTEAD NOTHING"], "rule r"),
        (["CREATE RULE r AS ON DELETE TO records DO ALSO SELECT 1"], "rule r"),
        (["ALTER TABLE records ENABLE ROW LEVEL SECURITY"], "row security"),
        (["ALTER TABLE numbers FORCE ROW LEVEL SECURITY"], "row security"),
        (
            [
                FUNCTION.format("NULL"),
                "CREATE TRIGGER t BEFORE INSERT ON numbers FOR EACH ROW EXECUTE FUNCTION f()",
            ],
            "AFTER trigger",
        ),
        (
            [
                FUNCTION.format("NEW"),
                "CREATE TRIGGER t BEFORE UPDATE ON records FOR EACH ROW EXECUTE FUNCTION f()",
                "ALTER TABLE records ENABLE ALWAYS TRIGGER t",
            ],
            "trigger t",
        ),
        (["CREATE TABLE child () INHERITS (records)"], "inherits"),
        (
            ["ALTER TABLE history RENAME TO h", "CREATE VIEW history AS SELECT * FROM h"],
            "history is a view",
        ),
        (["ALTER TABLE records ALTER confirmed_at SET DEFAULT 'x'"], "not those of a registry"),
        (
            [
                "ALTER TABLE records DROP claim_before",
                "ALTER TABLE records ADD claim_before TEXT GENERATED ALWAYS AS (platform) STORED",
            ],
            "not those of a registry",
        ),
        (["ALTER TABLE records ADD CHECK (record_id < 50)"], "not those of a registry"),
        (["CREATE UNIQUE INDEX u ON numbers (platform) WHERE number > ''"], "not those"),
        (["CREATE UNIQUE INDEX u ON numbers (length(number))"], "not those"),
        (
            [
                "ALTER TABLE numbers DROP CONSTRAINT numbers_pkey",
                "ALTER TABLE numbers ADD PRIMARY KEY (platform, number) DEFERRABLE INITIALLY DEFERRED",
            ],
            "not those of a registry",
        ),
        (
            [
                "ALTER TABLE numbers DROP CONSTRAINT numbers_pkey",
                "ALTER TABLE numbers ADD PRIMARY KEY (platform) INCLUDE (number)",
            ],
            "not those of a registry",
        ),
        (
            [
                "ALTER TABLE records DROP CONSTRAINT records_platform_record_id_key",
                "ALTER TABLE records ADD UNIQUE NULLS NOT DISTINCT (platform, record_id)",
            ],
            "not those of a registry",
        ),
        (
            ["UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'numbers_pkey'::regclass"],
            "not those of a registry",
        ),
        (
            [
                "CREATE DOMAIN number AS TEXT",
                "ALTER TABLE numbers ALTER number TYPE number",
            ],
            "not those of a registry",
        ),
        (
            [
                "CREATE DOMAIN text AS pg_catalog.text",
                "ALTER TABLE numbers ALTER number TYPE public.text",
            ],
            "not those of a registry",
        ),
    ],
    ids=lambda value: value[-1][:60] if isinstance(value, list) else "",
)
def test_tables_that_are_not_what_they_seem(
    runner: Runner, statements: list[str], words: str
) -> None:
    """What is written there could be lost, changed or hidden, and the DID be created again."""
    assert runner.did(did_number="1")["action"] == "create"
    runner.write(*statements)
    for result in (
        runner.both(**VENDOR_CREATE),
        runner.dids(check=True, dids=[VENDOR_CREATE]),
        runner.dids(dids=[VENDOR_CREATE]),
    ):
        assert result["error"]["kind"] == "registry_unavailable", result
        assert words in result["msg"], result["msg"]
    recorded: dict[str, Any] = {
        "state": "recorded",
        "dids": [{"did_number": "2", "record_id": 9}],
    }
    for check in (True, False):
        result = runner.did_registry(check=check, **recorded)
        assert result["error"]["kind"] == "registry_unavailable", result
    assert len(runner.requests()) == 1


@pytest.mark.parametrize("schemas", ["nextbilling, public", "public, nextbilling"])
def test_tables_of_two_schemas(bare: Runner, server: Server, schemas: str) -> None:
    """Rows are looked for where search_path leads, and not where the registry's description is."""
    assert bare.did_registry()["changed"]
    assert bare.did(**VENDOR_CREATE)["action"] == "create"
    bare.write(*SECOND_SCHEMA)
    location = f"{bare.store.location}?options=-csearch_path%3D{schemas.replace(' ', '')}"
    location = location.replace(",", "%2C")
    tasks: list[Callable[[], dict[str, Any]]] = [
        lambda: bare.both(**VENDOR_CREATE, registry=location),
        lambda: bare.did_info(registry=location),
        lambda: bare.did_registry(registry=location, check=True),
        lambda: bare.did_registry(registry=location, platform="other:443"),
    ]
    for task in tasks:
        result = task()
        if schemas.startswith("public"):
            assert not result.get("failed") or "another_platform" in result["msg"], result
        else:
            assert result["error"]["kind"] == "registry_unavailable", result
            assert "search_path" in result["msg"] and "nextbilling" in result["msg"]
    assert len(bare.requests()) == 1


def test_a_temporary_table_in_the_way(registry: Registry, store: DatabaseStore) -> None:
    """A session that a pooler hands on may still have one of somebody else's."""
    other = Intent("create", None, "77", None, {}, 60)
    assert registry.journal.claim(PLATFORM, other) is not None
    # The protocol of a database has no connection.
    connection = registry._database._connection  # type: ignore[attr-defined]
    connection.execute("CREATE TEMPORARY TABLE numbers (LIKE public.numbers INCLUDING ALL)")
    with pytest.raises(RegistryMismatch, match="in other tables"):
        registry.journal.claim(PLATFORM, INTENT)
    assert store.rows("SELECT number FROM numbers") == [("77",)]


def test_a_registry_of_temporary_tables_is_never_made(bare: Runner) -> None:
    """It would be gone with the connection."""
    location = f"{bare.store.location}?options=-csearch_path%3Dpg_temp"
    for check in (True, False):
        result = bare.did_registry(check=check, registry=location)
        assert result["error"]["kind"] == "registry_unavailable", result
        assert "temporary" in result["msg"]
    assert bare.store.is_empty()


@pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
def test_a_commit_with_a_warning_is_not_relied_on(runner: Runner, event: str) -> None:
    """So ends one whose wait for a synchronous standby was cancelled. A failover to that standby loses what was written."""
    runner.write(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'canceling wait'; RETURN NULL; END $$",
        f"CREATE CONSTRAINT TRIGGER t AFTER {event} ON records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
    )
    result = runner.did(**VENDOR_CREATE, registry_timeout=1.0)
    if event == "INSERT":
        assert result["error"]["kind"] == "registry_unavailable", result
        assert "warned during a commit" in result["msg"] and "canceling" not in result["msg"]
        assert runner.requests() == [] and runner.did_info()["dids"] == []
    else:
        assert result["action"] == "create" and len(runner.requests()) == 1, result
        assert runner.did_info(outcome="unknown")["dids"] == []


def test_a_notice_during_a_commit_is_no_warning(runner: Runner) -> None:
    runner.write(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'kept'; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()",
    )
    result = runner.did(**VENDOR_CREATE, registry_timeout=1.0)
    assert result["action"] == "create" and "warnings" not in result, result


def test_an_audit_may_look_on(runner: Runner) -> None:
    runner.write(
        "CREATE TABLE audit (x TEXT)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (TG_OP); RETURN NULL; END $$",
        "CREATE TRIGGER t AFTER INSERT OR UPDATE OR DELETE ON records FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER off BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE records DISABLE TRIGGER off",
    )
    assert runner.both(**VENDOR_CREATE)["action"] == "create"
    assert runner.rows("SELECT * FROM audit") == [("INSERT",), ("UPDATE",)]


def test_a_platform_is_not_added_to_tables_that_are_not_what_they_seem(runner: Runner) -> None:
    runner.write("CREATE RULE r AS ON INSERT TO platforms DO INSTEAD NOTHING")
    for check in (True, False):
        result = runner.did_registry(check=check, platform="other:443", another_platform=True)
        assert result["error"]["kind"] == "registry_unavailable"
        assert "rule r" in result["msg"]


def test_the_tables_are_looked_at_anew_after_a_reconnection(
    registry: Registry, store: DatabaseStore, line: Proxy
) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    store.write("CREATE RULE r AS ON INSERT TO numbers DO INSTEAD NOTHING")
    line.cut()
    with pytest.raises(RegistryUnavailable, match="rule r"):
        registry.journal.claim(PLATFORM, Intent("create", None, "77", None, {}, 60))


# A server that has no connection to give


@pytest.fixture
def few(runner: Runner, server: Server) -> Iterator[Runner]:
    """A runner whose role may have one connection at a time."""
    server.run(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 1")
    server.run(
        "GRANT USAGE ON SCHEMA public TO keeper",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO keeper",
        database="registry",
    )
    location = server.url("registry", user="keeper")
    yield Runner(
        runner.simulator,
        DatabaseStore(location, server.url("registry")),
        {"registry_password": PASSWORD},
    )
    server.run("DROP OWNED BY keeper", database="registry")
    server.run("DROP OWNED BY keeper", "DROP ROLE keeper")


def _occupy(runner: Runner) -> Any:
    import psycopg

    return psycopg.connect(runner.store.location, password=PASSWORD)


def test_too_many_connections_are_waited_for(few: Runner) -> None:
    occupied = _occupy(few)
    threading.Timer(1, occupied.close).start()
    result = few.did(**VENDOR_CREATE)
    assert result.get("action") == "create", result["msg"]


def test_too_many_connections_for_too_long(few: Runner) -> None:
    with _occupy(few):
        began = time.monotonic()
        results = [
            few.both(**VENDOR_CREATE, registry_timeout=0.5),
            few.did_info(registry_timeout=0.5),
            few.dids(dids=[VENDOR_CREATE], registry_timeout=0.5),
        ]
        took = time.monotonic() - began
    for result in results:
        assert result["error"]["kind"] == "registry_busy", result["msg"]
        assert "max_connections" in result["msg"] and "FATAL" not in result["msg"]
    assert took < 15
    assert few.requests() == []


def test_a_pooler_that_has_no_place(runner: Runner, server: Server) -> None:
    import psycopg

    with running_pooler(server, clients=1) as pooler:
        location = server.url("registry", port=pooler.port)
        with psycopg.connect(location):
            result = runner.both(**VENDOR_CREATE, registry=location, registry_timeout=0.5)
    assert result["error"]["kind"] == "registry_busy", result["msg"]
    assert runner.requests() == []


def test_a_pooler_whose_server_has_no_connection_to_give(few: Runner, server: Server) -> None:
    with running_pooler(server, login=f"user=keeper password={PASSWORD}") as pooler:
        location = server.url("registry", port=pooler.port) + "?connect_timeout=10"
        with _occupy(few):
            result = few.both(**VENDOR_CREATE, registry=location, registry_timeout=0.5)
    assert result["error"]["kind"] == "registry_busy", result["msg"]
    assert few.requests() == []


def test_a_wait_for_a_connection_is_not_repeated_in_each_transaction(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for each of a hundred DIDs: the time that a run waits is its own."""
    tries: list[float] = []
    now = [1000.0]

    def refuse(location: str, _password: str | None) -> Any:
        tries.append(now[0])
        raise TooManyConnections(f"{location} is full")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(PostgresqlDatabase, "sleep", staticmethod(sleep))
    monkeypatch.setattr(PostgresqlDatabase, "clock", staticmethod(lambda: now[0]))
    registry._database.close()
    with monkeypatch.context() as patch:
        patch.setattr(PostgresqlDatabase, "connect", staticmethod(refuse))
        for _transaction in range(100):
            with pytest.raises(RegistryBusy):
                registry.journal.claim(PLATFORM, INTENT)
    assert 3 < now[0] - 1000 <= 5
    assert registry.journal.claim(PLATFORM, INTENT) is not None


# What is no registry, or is damaged


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DROP TABLE history", "restore"),
        ("DROP INDEX numbers_by_record", "restore"),
        ("ALTER TABLE numbers DROP CONSTRAINT numbers_pkey", "restore"),
        ("ALTER TABLE records DROP CONSTRAINT records_platform_record_id_key", "restore"),
        ("ALTER TABLE records ALTER version DROP NOT NULL", "restore"),
        ("ALTER TABLE records ADD more TEXT NOT NULL DEFAULT ''", "restore"),
        ("ALTER TABLE records DROP attempted", "restore"),
        ("DELETE FROM meta WHERE name = 'registry_id'", "lost its id"),
        ("DROP TABLE meta", "not a registry"),
    ],
)
def test_a_damaged_registry_is_refused(runner: Runner, damage: str, words: str) -> None:
    runner.write(damage)
    result = runner.both(**VENDOR_CREATE)
    assert result["error"]["kind"] == "registry_unavailable", result
    assert words in result["msg"].lower(), result["msg"]
    assert runner.requests() == []


def test_more_than_is_needed_is_no_damage(runner: Runner) -> None:
    runner.write("CREATE INDEX quicker ON history (at)", "CREATE TABLE other (x TEXT)")
    assert runner.both(**VENDOR_CREATE)["action"] == "create"


def test_a_schema_of_others_is_left_alone(bare: Runner) -> None:
    bare.write("CREATE TABLE history (x TEXT)")
    for check in (True, False):
        refused = bare.did_registry(check=check)
        assert refused["error"]["kind"] == "registry_unavailable"
        assert "not a registry" in refused["msg"]
    bare.write("CREATE TABLE meta (x TEXT)")
    refused = bare.both(**VENDOR_CREATE)
    assert refused["error"]["kind"] == "registry_unavailable"
    assert "not a registry" in refused["msg"]


@pytest.mark.parametrize("made", range(1, len(SCHEMA.statements()) + 1))
def test_tables_of_which_a_part_was_made(bare: Runner, store: DatabaseStore, made: int) -> None:
    """As on a server whose DDL is in no transaction, where the task that creates them was killed."""
    with store.connect() as connection:
        for statement in SCHEMA.statements()[:made]:
            connection.execute(statement)
    refused = bare.both(**VENDOR_CREATE)
    assert refused["error"]["kind"] == "registry_mismatch", refused
    assert "There is no registry" in refused["msg"]
    assert bare.did_registry(check=True)["changed"]
    assert bare.did_registry()["changed"]
    assert bare.both(**VENDOR_CREATE)["action"] == "create"


def test_tables_that_hold_something_are_not_completed(runner: Runner) -> None:
    """Tables that were there were lost, and with them what they held."""
    runner.write("DROP TABLE numbers", "DROP TABLE records")
    assert not runner.did_registry()["changed"]
    result = runner.both(**VENDOR_CREATE)
    assert result["error"]["kind"] == "registry_unavailable", result
    assert "damaged" in result["msg"]


def test_two_that_create_at_once(store: Store) -> None:
    ids: list[str] = []

    def create() -> None:
        made = _making.make_present(
            store.location, PLATFORM, registry_id=None, timeout=5, apply=True
        )
        ids.append(str(made.registry_id))

    threads = [threading.Thread(target=create) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 6 and len(set(ids)) == 1


# Connections that break


@pytest.fixture
def registry(store: Store, server: Server, line: Proxy) -> Iterator[Registry]:
    """A registry behind that line."""
    location = server.url("registry", port=line.port)
    _making.make_present(location, PLATFORM, registry_id=None, timeout=5, apply=True)
    registry = _open.open_registry(location, PLATFORM, registry_id=None, write=True, timeout=5)
    yield registry
    registry.close()


INTENT = Intent("create", None, "1166", None, {"did_number": "1166", "port": 5060}, 60)


def test_a_connection_that_broke_is_made_anew(registry: Registry, line: Proxy) -> None:
    line.cut()
    assert registry.find(PLATFORM, "1166", None) == (None, None)
    line.cut()
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    line.cut()
    assert registry.journal.is_claim_valid(token, 55)
    line.cut()
    assert registry.journal.confirm(token, PLATFORM, INTENT, 13, AT).record_id == 13


def test_a_new_connection_that_breaks_while_its_server_is_compared(
    registry: Registry, line: Proxy
) -> None:
    """The next one is compared, too: nothing is written to a server whose place another one has taken."""
    assert registry.journal.claim(PLATFORM, OTHER) is not None
    line.cut()
    line.cut_at(b"pg_walfile_name")
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None and line.cuts == 2
    database: Any = registry._database
    later = database.read_position()
    database._position = later._replace(timeline=later.timeline + 1)
    line.cut()
    line.cut_at(b"pg_walfile_name")
    with pytest.raises(RegistryMismatch, match="whose place another one has taken"):
        registry.journal.confirm(token, PLATFORM, INTENT, 13, AT)
    assert line.cuts == 4


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("statement", [b"INSERT INTO records", b"COMMIT\0"])
def test_a_claim_that_is_interrupted_is_taken_again(
    registry: Registry, line: Proxy, store: Store, statement: bytes, after: bool
) -> None:
    """An attempt of which it is not known whether it was written leaves nothing."""
    line.cut_at(statement, after=after)
    token = registry.journal.claim(PLATFORM, INTENT)
    assert line.cuts == 1
    assert token is not None and registry.journal.is_claim_valid(token, 50)
    assert store.rows("SELECT record_key FROM records") == [(token,)]


@pytest.mark.parametrize("statement", [b"INSERT INTO records", b"COMMIT\0"])
def test_a_claim_that_is_given_up_is_rolled_back_later(
    registry: Registry, line: Proxy, monkeypatch: pytest.MonkeyPatch, statement: bytes
) -> None:
    """Nothing was sent under it. Nobody should have to look that up once the server is there again."""
    monkeypatch.setattr(registry._database, "_timeout", 0.3)
    line.cut_at(statement, after=True, down=True)
    with pytest.raises(RegistryUnavailable):
        registry.journal.claim(PLATFORM, INTENT)
    line.up()
    other = Intent("create", None, "77", None, {"did_number": "77"}, 60)
    assert registry.journal.claim(PLATFORM, other) is not None
    assert registry.find(PLATFORM, "1166", None) == (None, None)


def test_a_claim_that_is_given_up_is_rolled_back_at_the_end(
    registry: Registry, line: Proxy, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    monkeypatch.setattr(registry._database, "_timeout", 0.3)
    monkeypatch.setattr(registry._database, "outcome_timeout", 0.3)
    line.cut(down=True)
    with pytest.raises(RegistryUnavailable):
        registry.journal.rollback(str(token))
    assert len(store.rows("SELECT 1 FROM records")) == 1
    line.up()
    registry.close()
    assert store.rows("SELECT 1 FROM records") == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("statement", [b"BEGIN", b"UPDATE records", b"COMMIT\0"])
def test_an_answer_that_is_interrupted_is_written_all_the_same(
    registry: Registry, line: Proxy, statement: bytes, after: bool
) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    line.cut_at(statement, after=after)
    record = registry.journal.confirm(token, PLATFORM, INTENT, 13, AT)
    assert line.cuts == 1
    assert (record.record_id, record.did_number, record.claim) == (13, "1166", None)
    assert all(entry.event == "applied" for entry in registry.reports.history(None))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("ending", ["rollback", "mark_unknown"])
def test_an_ending_that_is_interrupted(
    registry: Registry, line: Proxy, ending: str, after: bool
) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    line.cut_at(b"COMMIT\0", after=after)
    getattr(registry.journal, ending)(token)
    assert line.cuts == 1
    found, _by_id = registry.find(PLATFORM, "1166", None)
    if ending == "rollback":
        assert found is None
    else:
        assert found is not None and found.outcome == UNKNOWN
        assert found.claim is not None and not found.claim.live


@pytest.mark.parametrize("after", [False, True])
def test_writes_that_are_interrupted_together(registry: Registry, line: Proxy, after: bool) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    other = Intent("create", None, "77", None, {"did_number": "77"}, 60)
    line.cut_at(b"COMMIT\0", after=after)

    def write() -> None:
        registry.journal.confirm(token, PLATFORM, INTENT, 13, AT)
        assert registry.journal.claim(PLATFORM, other) is not None

    with pytest.raises(RegistryUnavailable):
        registry.journal.atomic(write)
    # Nothing was sent for the second, and the first is written alone.
    assert registry.journal.confirm(token, PLATFORM, INTENT, 13, AT).record_id == 13
    assert registry.find(PLATFORM, "77", None) == (None, None)
    assert all(entry.event == "applied" for entry in registry.reports.history(None))


def test_a_commit_that_gets_no_answer_is_not_relied_on(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it last for ever, though the server does not even react to its cancellation."""
    database: Any = registry._database
    monkeypatch.setattr(database, "_timeout", 0.1)
    registry.find(PLATFORM, "1166", None)
    if not hasattr(database._connection, "cancel_safe"):
        pytest.skip("psycopg 3.1 keeps other threads waiting while it cancels, and one is the line")
    process_id = database._connection.info.backend_pid

    def stop_before_the_commit() -> None:
        with database.writing() as transaction:
            transaction.execute("UPDATE platforms SET added_at = added_at")
            os.kill(process_id, signal.SIGSTOP)

    began = time.monotonic()
    try:
        with pytest.raises(CommitUnknown, match="not known whether"):
            stop_before_the_commit()
    finally:
        os.kill(process_id, signal.SIGCONT)
    assert time.monotonic() - began < 30
    assert registry.find(PLATFORM, "1166", None) == (None, None)
    assert database._connection.info.backend_pid != process_id


def test_an_outage_is_waited_for_once(
    registry: Registry, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = [
        registry.journal.claim(PLATFORM, Intent("create", None, number, None, {}, 60))
        for number in "12"
    ]
    waited: list[float] = []
    now = [1000.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(PostgresqlDatabase, "sleep", staticmethod(sleep))
    monkeypatch.setattr(PostgresqlDatabase, "clock", staticmethod(lambda: now[0]))
    line.cut(down=True)
    for token in tokens:
        with pytest.raises(RegistryUnavailable):
            registry.journal.confirm(str(token), PLATFORM, INTENT, 13, AT)
    assert 85 < sum(waited) < 95
    line.up()
    assert registry.journal.confirm(str(tokens[0]), PLATFORM, INTENT, 13, AT).record_id == 13


def test_a_server_that_restarts_meanwhile(registry: Registry, server: Server) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    server.stop()
    starting = threading.Timer(1, server.start)
    starting.start()
    assert registry.journal.confirm(token, PLATFORM, INTENT, 13, AT).record_id == 13
    starting.join()


def test_a_restart_makes_no_other_registry(
    registry: Registry, server: Server, store: Store, line: Proxy
) -> None:
    """Nor does a second address: what identifies a registry is the cluster, not its present server."""
    registry.close()
    first = PostgresqlBackend(store.location, None)
    before = first.identity(timeout=5)
    server.stop()
    server.start()
    assert first.identity(timeout=5) == before
    second = PostgresqlBackend(server.url("registry", port=line.port), None)
    assert second.identity(timeout=5) == before


def test_another_registry_behind_the_same_address(
    registry: Registry, line: Proxy, store: Store
) -> None:
    """After a failover, or with a pooler that leads elsewhere, nothing is taken for known or unknown."""
    store.write("UPDATE meta SET value = 'another' WHERE name = 'registry_id'")
    with pytest.raises(RegistryMismatch):
        registry.journal.claim(PLATFORM, INTENT)
    line.cut()
    with pytest.raises(RegistryMismatch):
        registry.find(PLATFORM, "1166", None)


def test_a_runner_that_holds_the_others_up(
    registry: Registry, store: DatabaseStore, simulator: Simulator
) -> None:
    """A transaction of another run is waited for, but not for ever."""
    blocking = store.connect()
    with blocking, blocking.transaction():
        blocking.execute("SELECT 1 FROM platforms FOR UPDATE")
        runner = Runner(simulator, store, {"platform": PLATFORM})
        busy = runner.did(**VENDOR_CREATE, registry_timeout=0.2)
        assert busy["error"]["kind"] == "registry_busy"
        # Nobody waits to look.
        assert registry.find(PLATFORM, "1166", None) == (None, None)
    assert runner.both(**VENDOR_CREATE)["action"] == "create"


@pytest.mark.parametrize("read", [True, False], ids=["read", "claim"])
def test_a_server_that_restarts_before_anything_is_sent(
    registry: Registry, server: Server, read: bool
) -> None:
    """A run survives the seconds of a failover, whatever it is about to do."""
    registry.find(PLATFORM, "1166", None)
    server.stop()
    starting = threading.Timer(1, server.start)
    starting.start()
    if read:
        assert registry.find(PLATFORM, "1166", None) == (None, None)
    else:
        assert registry.journal.claim(PLATFORM, INTENT) is not None
    starting.join()


def test_a_server_that_restarts_before_it_is_reached(runner: Runner, server: Server) -> None:
    server.stop()
    starting = threading.Timer(1, server.start)
    starting.start()
    result = runner.did(**VENDOR_CREATE)
    starting.join()
    assert result.get("action") == "create", result


def test_a_wrong_password_is_told_at_once(runner: Runner, login: str) -> None:
    began = time.monotonic()
    result = runner.did(**VENDOR_CREATE, registry=login, registry_password="another")
    assert "does not accept the password" in result["msg"]
    assert time.monotonic() - began < 60


def test_every_first_attempt_is_undone_in_favour_of_others(runner: Runner, server: Server) -> None:
    """As by a server with optimistic transactions: SQLSTATE 40001 for each unit of work, whatever it writes."""
    runner.write(
        "CREATE SEQUENCE undone",
        # A sequence does not go back with the transaction that is undone.
        "CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('undone') % 2 = 1 THEN"
        " RAISE 'no' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$",
        "CREATE TRIGGER undo AFTER INSERT OR UPDATE ON records FOR EACH STATEMENT EXECUTE FUNCTION undo()",
    )
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1100)]
    result = runner.dids(dids=wanted)
    assert result["summary"]["create"] == 100 and "failed" not in result, result
    assert len(runner.simulator.created()) == len(runner.requests("PUT")) == 100
    ((undone,),) = runner.rows("SELECT last_value FROM undone")
    assert undone >= 200


def test_every_first_read_is_undone_in_favour_of_others(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers undo also what only reads. Nothing in PostgreSQL does that on demand, so the library raises its error."""
    import psycopg

    original, undone = psycopg.Connection.execute, set()

    def execute(connection: Any, query: Any, params: Any = None, **options: Any) -> Any:
        read = (str(query), str(params))
        if read[0].startswith("SELECT") and read not in undone:
            undone.add(read)
            raise psycopg.errors.SerializationFailure("undone in favour of others")
        return original(connection, query, params, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    monkeypatch.setattr(PostgresqlDatabase, "sleep", staticmethod(lambda seconds: None))
    wanted = [{"did_number": str(number), "port": 5060} for number in range(1000, 1100)]
    result = runner.dids(dids=wanted)
    assert "failed" not in result and result["summary"]["create"] == 100, result
    assert len(runner.simulator.created()) == len(runner.requests("PUT")) == 100
    assert len(undone) > 5
    assert runner.did_info()["registry"]["counts"]["confirmed"] == 100


def test_what_is_undone_again_and_again_is_not_tried_for_ever(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    now, tries = [1000.0], []

    def execute(_connection: Any, query: Any, *_values: Any, **_options: Any) -> Any:
        tries.append(query)
        raise psycopg.errors.SerializationFailure("undone in favour of others")

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(PostgresqlDatabase, "sleep", staticmethod(sleep))
    monkeypatch.setattr(PostgresqlDatabase, "clock", staticmethod(lambda: now[0]))
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", execute)
        with pytest.raises(RegistryBusy, match="at the same time"):
            registry.platforms()
    assert 3 < now[0] - 1000 <= 5 and len(tries) > 3
    assert registry.platforms() == [PLATFORM]


@pytest.fixture
def refusing(store: DatabaseStore) -> Callable[..., None]:
    """Lets the database refuse what it is asked to write: it keeps rules that somebody else has made."""

    def refuse(event: str, code: str, when: str = "") -> None:
        deferred = f"CREATE CONSTRAINT TRIGGER refuse AFTER {event} DEFERRABLE INITIALLY DEFERRED"
        store.write(
            f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '{code}'; END $$",
            f"{deferred if when else f'CREATE TRIGGER refuse AFTER {event}'} FOR EACH ROW EXECUTE FUNCTION refuse()",
        )

    return refuse


def test_an_intent_that_is_refused_at_the_commit_is_not_sent(
    runner: Runner, refusing: Callable[..., None]
) -> None:
    refusing("INSERT ON numbers", "P0001", when="at the commit")
    result = runner.did(**VENDOR_CREATE)
    assert (result["error"]["kind"], result["changed"]) == ("registry_unavailable", False), result
    assert "cannot be recorded first" in result["msg"]
    assert runner.requests() == []
    assert runner.rows("SELECT * FROM records") == []


def test_an_intent_whose_commit_has_an_unknown_outcome_is_not_sent(
    runner: Runner, refusing: Callable[..., None]
) -> None:
    """As by a server that has lost contact with others in the middle of a commit: SQLSTATE 40003."""
    refusing("INSERT ON numbers", "40003", when="at the commit")
    result = runner.did(**VENDOR_CREATE, registry_timeout=0.5)
    assert (result["error"]["kind"], result["changed"]) == ("registry_unavailable", False), result
    assert "not known whether" in result["msg"]
    assert runner.requests() == []


@pytest.mark.parametrize(
    ("code", "when", "words"),
    [
        ("P0001", "at the commit", "cannot be used"),
        ("40001", "", "written by others all the time"),
    ],
    ids=["refused at the commit", "undone again and again"],
)
def test_an_answer_that_the_database_does_not_take(
    runner: Runner,
    refusing: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    when: str,
    words: str,
) -> None:
    """The id is told, and the next run does not create the DID again."""
    monkeypatch.setattr(PostgresqlDatabase, "outcome_timeout", 0.5)
    refusing("UPDATE ON records", code, when)
    result = runner.did(**VENDOR_CREATE, registry_timeout=0.5)
    assert (result["error"]["kind"], result["error"]["record_id"]) == ("unrecorded", 13), result
    assert words in result["msg"]
    assert (result["changed"], "record_id: 13" in result["msg"]) == (True, True)
    runner.write("DROP TRIGGER refuse ON records")
    end_leases(runner)
    assert runner.both(**VENDOR_CREATE)["error"]["kind"] == "unknown_outcome"
    assert runner.both(**VENDOR_CREATE, record_id=13)["action"] == "adopt"
    assert runner.simulator.duplicates() == {}


@pytest.mark.parametrize("written", ["answer", "statement"])
def test_what_a_new_trigger_drops_is_not_taken_for_written(
    registry: Registry, store: Store, written: str
) -> None:
    """Somebody makes the trigger while a run is at work, which has looked at the tables before."""
    token = str(registry.journal.claim(PLATFORM, INTENT))
    event = "UPDATE" if written == "answer" else "INSERT"
    store.write(
        "CREATE FUNCTION dropping() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        f"CREATE TRIGGER dropping BEFORE {event} ON records FOR EACH ROW EXECUTE FUNCTION dropping()",
    )
    try:
        with pytest.raises(RegistryUnavailable, match="a trigger or a rule of the database drops"):
            if written == "answer":
                registry.journal.confirm(token, PLATFORM, INTENT, 13, AT)
            else:
                state = NewState("1167", 14, {"did_number": "1167"})
                statement = Correction("recorded", None, state)
                registry.journal.apply_corrections(PLATFORM, [statement])
    finally:
        store.write("DROP TRIGGER dropping ON records", "DROP FUNCTION dropping")
    found, _by_id = registry.find(PLATFORM, "1166", None)
    assert found is not None and found.outcome == UNKNOWN
    assert store.rows("SELECT 1 FROM history") == []


def test_writes_together_that_are_undone_for_others(
    registry: Registry, store: DatabaseStore
) -> None:
    """Where two wait for each other, the server ends one of them. It is the run, and it may write again."""
    token = registry.journal.claim(PLATFORM, INTENT)
    assert token is not None
    other = store.connect()
    waiting: list[Future[object]] = []

    def wait_and_end() -> None:
        other.execute("SELECT 1 FROM platforms FOR UPDATE")
        other.execute("ROLLBACK")

    def write() -> int | None:
        if not waiting:
            # This sends what begins the transaction.
            registry.journal.rollback("no such claim")
            waiting.append(threads.submit(wait_and_end))
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            until(lambda: bool(store.rows(waits)))
        return registry.journal.confirm(token, PLATFORM, INTENT, 13, AT).record_id

    with other, ThreadPoolExecutor(1) as threads:
        # Only the run looks whether it waits in vain.
        other.execute("SET deadlock_timeout = '60s'")
        other.execute("BEGIN")
        other.execute("UPDATE records SET changed_at = changed_at")
        assert registry.journal.atomic(write) == 13
        waiting[0].result(timeout=30)
    assert all(entry.event == "applied" for entry in registry.reports.history(None))


def test_a_correction_that_is_cut_off_while_it_is_undone(
    registry: Registry, store: DatabaseStore, line: Proxy
) -> None:
    token = registry.journal.claim(PLATFORM, INTENT)
    known = registry.journal.confirm(str(token), PLATFORM, INTENT, 13, AT)
    store.write("UPDATE records SET version = version + 1")
    line.cut_at(b"ROLLBACK")
    assert not registry.journal.apply_corrections(PLATFORM, [Correction("forgotten", known, None)])
    assert line.cuts == 1
    found, _by_id = registry.find(PLATFORM, "1166", None)
    assert all(entry.event == "applied" for entry in registry.reports.history(None))
    assert registry.journal.apply_corrections(PLATFORM, [Correction("forgotten", found, None)])


@pytest.mark.parametrize("after", [False, True])
def test_a_statement_whose_commit_is_interrupted_is_written_once(
    registry: Registry, store: Store, line: Proxy, after: bool
) -> None:
    """Nobody knows whether it was written, so the person is told, and looks."""
    statement = Correction("recorded", None, NewState("1166", 13, {"did_number": "1166"}))
    line.cut_at(b"COMMIT\0", after=after)
    with pytest.raises(RegistryUnavailable, match="not known whether"):
        registry.journal.apply_corrections(PLATFORM, [statement])
    assert line.cuts == 1
    assert (
        len(store.rows("SELECT 1 FROM history"))
        == len(store.rows("SELECT 1 FROM records"))
        == after
    )


def test_what_was_not_committed_is_told(registry: Registry) -> None:
    """PostgreSQL answers to the commit of a transaction that has failed as if nothing were wrong."""
    database = registry._database
    with pytest.raises(RegistryUnavailable):
        with database.writing() as transaction:
            with contextlib.suppress(RegistryUnavailable):
                transaction.execute("NOT SQL AT ALL")


def test_statements_that_were_sent_together_in_vain(registry: Registry, store: Store) -> None:
    """Nothing of them is committed, whoever takes the error; and the next attempt waits for each result."""
    database = registry._database
    insertion = "INSERT INTO platforms (name, added_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
    granted = []
    with pytest.raises(PipelineFailed):
        with database.writing(pipelined=True) as transaction:
            granted += [transaction.change_one(insertion, name, AT) for name in ("new", PLATFORM)]
            with contextlib.suppress(PipelineFailed):
                transaction.query("SELECT 1")
    assert granted == [True, True]
    assert store.rows("SELECT name FROM platforms") == [(PLATFORM,)]
    with database.writing(pipelined=True) as transaction:
        granted = [transaction.change_one(insertion, name, AT) for name in ("new", PLATFORM)]
    assert granted == [True, False]
    assert len(store.rows("SELECT name FROM platforms")) == 2


def test_a_registry_that_is_moved_between_two_claims(registry: Registry, store: Store) -> None:
    assert registry.journal.claim(PLATFORM, INTENT) is not None
    move = Move("token", registry.location, "/elsewhere.db", None, AT).dump()
    store.write(f"INSERT INTO meta (name, value) VALUES ('{MOVED}', '{move}')")
    with pytest.raises(RegistryMismatch, match="elsewhere"):
        registry.journal.claim(PLATFORM, OTHER)
    assert len(store.rows("SELECT 1 FROM records")) == 1


# Writes that are lost: another server takes the place of one that failed, and has the registry as it was a moment ago


KEPT = ("records", "numbers", "history", "runs")


@pytest.fixture
def lose(store: DatabaseStore, line: Proxy) -> Iterator[Callable[[], None]]:
    """Sets the registry back to what it was when the test asked for this, behind a connection that breaks."""

    def go_back() -> None:
        store.write(
            *(f"DELETE FROM {table}" for table in reversed(KEPT)),
            *(f"INSERT INTO {table} SELECT * FROM kept_{table}" for table in KEPT),
        )
        line.cut()

    yield go_back
    store.write(*(f"DROP TABLE IF EXISTS kept_{table}" for table in KEPT))


def _keep(store: Store) -> None:
    store.write(*(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in KEPT))


OTHER = Intent("create", None, "77", None, {"did_number": "77"}, 60)


@pytest.mark.parametrize("when", ["before the claim", "after the claim"])
@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize("is_known", [True, False], ids=["confirmed", "unknown"])
def test_an_outcome_that_was_lost_is_recorded_again(
    registry: Registry,
    store: Store,
    lose: Callable[[], None],
    when: str,
    action: str,
    is_known: bool,
) -> None:
    journal = registry.journal
    journal.runs.run = Run("a run", PLATFORM)
    intent = INTENT._replace(run="a run")
    if action == "update":
        token = journal.claim(PLATFORM, intent)
        known = journal.confirm(str(token), PLATFORM, intent, 13, AT)
        intent = Intent("update", known, "1166", 13, {"port": 1}, 60, {}, "a run")
    if when == "before the claim":
        _keep(store)
    token = str(journal.claim(PLATFORM, intent))
    if when == "after the claim":
        _keep(store)
    if is_known:
        journal.confirm(token, PLATFORM, intent, 13, AT)
    else:
        journal.mark_unknown(token)
    expected = registry.find(PLATFORM, "1166", 13)[0]
    lines = "SELECT entry_key, at, event, number, record_id, run_key, action, details FROM history ORDER BY 1"
    told, runs = store.rows(lines), store.rows("SELECT * FROM runs")
    assert len(told) == (action == "update") + is_known and len(runs) == 1
    lose()
    assert journal.claim(PLATFORM, OTHER) is not None
    found = registry.find(PLATFORM, "1166", 13)[0]
    assert found is not None and expected is not None
    for name in ("record_id", "outcome", "numbers", "fields", "attempted", "confirmed_at"):
        assert getattr(found, name) == getattr(expected, name), name
    assert journal.restored == 1
    assert (store.rows(lines), store.rows("SELECT * FROM runs")) == (told, runs)
    # What was restored is no longer missing on the next connection.
    versions = "SELECT record_key, version FROM records ORDER BY 1"
    restored = store.rows(versions)
    registry._database.close()
    journal.rollback("no such claim")
    assert store.rows(versions) == restored


@pytest.mark.parametrize("is_taken", [False, True], ids=["free", "taken meanwhile"])
def test_a_renumbering_that_was_lost_is_recorded_again(
    registry: Registry, store: Store, lose: Callable[[], None], is_taken: bool
) -> None:
    journal = registry.journal
    token = str(journal.claim(PLATFORM, INTENT))
    known = journal.confirm(token, PLATFORM, INTENT, 13, AT)
    intent = Intent("update", known, "1167", 13, {"did_number": "1167"}, 60)
    _keep(store)
    token = str(journal.claim(PLATFORM, intent))
    journal.confirm(token, PLATFORM, intent, 13, AT)
    lose()
    if is_taken:
        with contextlib.closing(
            _open.open_registry(store.location, PLATFORM, registry_id=None, write=True, timeout=5)
        ) as other:
            new = Intent("create", None, "1167", None, {"did_number": "1167"}, 60)
            token = str(other.journal.claim(PLATFORM, new))
            other.journal.confirm(token, PLATFORM, new, 14, AT)
    assert journal.claim(PLATFORM, OTHER) is not None
    found, _by_id = registry.find(PLATFORM, "1167", None)
    assert found is not None and found.record_id == (14 if is_taken else 13)
    registry.reports.verify()
    registry.reports.verify_new(PLATFORM, ["1168"])


def test_an_outcome_that_was_lost_and_contradicts_what_others_have_recorded_since(
    registry: Registry, store: Store, lose: Callable[[], None]
) -> None:
    """The platform gave its id to another DID as well: both are kept, and each new connection finds the same."""
    journal = registry.journal
    token = str(journal.claim(PLATFORM, INTENT))
    _keep(store)
    journal.confirm(token, PLATFORM, INTENT, 13, AT)
    lose()
    with contextlib.closing(
        _open.open_registry(store.location, PLATFORM, registry_id=None, write=True, timeout=5)
    ) as other:
        other_token = str(other.journal.claim(PLATFORM, OTHER))
        other.journal.confirm(other_token, PLATFORM, OTHER, 13, AT)
    third = OTHER._replace(number="78", stored_payload={"did_number": "78"})
    assert journal.claim(PLATFORM, third) is not None
    assert journal.restored == 1
    for _connection in range(2):
        found, by_id = registry.find(PLATFORM, "1166", 13)
        assert found is not None and (found.outcome, found.record_id) == (UNKNOWN, None)
        assert by_id is not None and by_id.numbers == ("77",)
        lines = store.rows("SELECT event, number, record_id FROM history ORDER BY event")
        assert lines == [("answered", "1166", 13), ("applied", "77", 13)]
        registry._database.close()
        journal.rollback("no such claim")


def test_what_was_sent_under_a_claim_that_was_lost(
    registry: Registry, store: Store, lose: Callable[[], None]
) -> None:
    """Nobody knows whether it was applied: the next run must not create the DID again."""
    _keep(store)
    token = str(registry.journal.claim(PLATFORM, INTENT))
    lose()
    registry.journal.mark_unknown(token)
    found, _by_id = registry.find(PLATFORM, "1166", None)
    assert found is not None and (found.outcome, found.attempt) == (UNKNOWN, token)


def test_what_a_person_has_forgotten_meanwhile_stays_forgotten(
    registry: Registry, store: Store, line: Proxy
) -> None:
    token = str(registry.journal.claim(PLATFORM, INTENT))
    known = registry.journal.confirm(token, PLATFORM, INTENT, 13, AT)
    with contextlib.closing(
        _open.open_registry(registry.location, PLATFORM, registry_id=None, write=True, timeout=5)
    ) as other:
        assert other.journal.apply_corrections(PLATFORM, [Correction("forgotten", known, None)])
    line.cut()
    assert registry.journal.claim(PLATFORM, OTHER) is not None
    assert registry.find(PLATFORM, "1166", 13) == (None, None)
    assert registry.journal.restored == 0


@pytest.mark.parametrize("when", ["before the claim", "after the claim"])
@pytest.mark.parametrize("action", ["create", "renumber"])
def test_what_people_said_before_does_not_keep_an_outcome_from_being_recorded_again(
    registry: Registry, store: Store, lose: Callable[[], None], action: str, when: str
) -> None:
    """The clock of their host is ahead of the run's."""
    journal = registry.journal
    token = str(journal.claim(PLATFORM, INTENT))
    known = journal.confirm(token, PLATFORM, INTENT, 13, AT)
    if action == "create":
        assert journal.apply_corrections(PLATFORM, [Correction("forgotten", known, None)])
        intent = INTENT
    else:
        state = NewState("1166", 13, known.fields)
        assert journal.apply_corrections(PLATFORM, [Correction("recorded", known, state)])
        record = registry.find(PLATFORM, "1166", 13)[0]
        intent = Intent("update", record, "1167", 13, {"did_number": "1167"}, 60)
    assert max(store.rows("SELECT at FROM history WHERE event <> 'applied'")) > (AT,)
    if when == "before the claim":
        _keep(store)
    token = str(journal.claim(PLATFORM, intent))
    if when == "after the claim":
        _keep(store)
    expected = journal.confirm(token, PLATFORM, intent, 13, AT)
    lose()
    assert journal.claim(PLATFORM, OTHER) is not None
    found = registry.find(PLATFORM, intent.number, None)[0]
    assert found is not None and found.numbers == (intent.number,)
    assert (found.record_id, found.fields) == (13, expected.fields)
    assert journal.restored == 1


@pytest.mark.parametrize("known_before", [True, False])
def test_what_a_person_has_recorded_since_stays_as_it_is(
    registry: Registry, store: Store, lose: Callable[[], None], known_before: bool
) -> None:
    journal, intent, record = registry.journal, INTENT, None
    if known_before:
        token = str(journal.claim(PLATFORM, INTENT))
        record = journal.confirm(token, PLATFORM, INTENT, 13, AT)
        intent = Intent("update", record, "1166", 13, {"port": 1}, 60)
    _keep(store)
    token = str(journal.claim(PLATFORM, intent))
    journal.confirm(token, PLATFORM, intent, 13, AT)
    lose()
    state = NewState("1166", 14, {"did_number": "1166"})
    with contextlib.closing(
        _open.open_registry(store.location, PLATFORM, registry_id=None, write=True, timeout=5)
    ) as other:
        assert other.journal.apply_corrections(PLATFORM, [Correction("recorded", record, state)])
    assert journal.claim(PLATFORM, OTHER) is not None
    found = registry.find(PLATFORM, "1166", None)[0]
    assert found is not None and found.record_id == 14
    assert journal.restored == 0


def test_many_outcomes_of_which_the_newest_were_lost(
    registry: Registry, store: Store, lose: Callable[[], None]
) -> None:
    for number in range(1000, 1250):
        if number == 1010:
            _keep(store)
        intent = Intent("create", None, str(number), None, {"did_number": str(number)}, 60)
        token = str(registry.journal.claim(PLATFORM, intent))
        registry.journal.confirm(token, PLATFORM, intent, number, AT)
    lose()
    assert registry.journal.claim(PLATFORM, OTHER) is not None
    assert registry.journal.restored == 240
    assert registry.reports.count_records(PLATFORM) == 251
