# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry tells of runs: who changed what and when, how a run ended, and what of it is kept."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._model import Intent, timestamp
from ansible_collections.nextbilling.did.plugins.module_utils._registry import history as _history
from ansible_collections.nextbilling.did.plugins.module_utils._registry.backends.schema import (
    SCHEMA,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.open import open_registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.provision import (
    make_present,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.plugins.module_utils._registry.runs import Run
from ansible_collections.nextbilling.did.tests.support.modules import (
    VENDOR_CREATE,
    Result,
    Runner,
    in_both_ways,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    DatabaseStore,
    Store,
    in_a_file,
    in_postgresql,
    on_both_backends,
)

pytestmark = on_both_backends

AT = "2026-01-31T12:00:00Z"
ROUTES = (
    {"did_type": "queue", "did_type_id": 7},
    {"did_type": "ivr", "did_type_id": 3},
    {"did_type": "queue", "did_type_id": 8},
)


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes the runs that follow those of a user."""

    def log_in_as(user: str) -> None:
        monkeypatch.setenv("LOGNAME", user)
        _history.actor.cache_clear()

    yield log_in_as
    _history.actor.cache_clear()


def _numbers(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"did_number": str(number), **fields} for number in numbers]


def _last(runner: Runner) -> Result:
    (last,) = runner.did_info(runs=1)["runs"]
    assert isinstance(last, dict)
    return last


@contextlib.contextmanager
def _opened(runner: Runner) -> Iterator[tuple[Registry, str]]:
    platform = runner.did_registry()["platform"]
    location = runner.store.location
    with contextlib.closing(
        open_registry(location, platform, registry_id=None, write=True, timeout=5)
    ) as registry:
        yield registry, platform


# Who, what and when


@in_both_ways
def test_who_changed_the_route_of_a_number_and_when(
    runner: Runner, log_in: Callable[[str], None]
) -> None:
    runs: list[Any] = []
    for user, route in zip(("ana", "bruno", "ana"), ROUTES):
        log_in(user)
        dids = [{"did_number": "1130001000", **route}, *_numbers(5, 6, port=len(runs) + 1)]
        runs.append(runner.both_dids(dids=dids)["run"])
    assert len({*runs}) == 3
    told = runner.did_info(did_number="1130001000", history=True, runs=3)
    (did,) = told["dids"]
    assert did["history"] == told["history"]
    host = socket.gethostname()
    assert [line["actor"] for line in told["history"]] == [
        f"ana@{host}",
        f"bruno@{host}",
        f"ana@{host}",
    ]
    assert [(line["event"], line["action"], line["run"]) for line in told["history"]] == [
        ("applied", "create", runs[0]),
        ("applied", "update", runs[1]),
        ("applied", "update", runs[2]),
    ]
    assert told["history"][-1]["at"] == did["confirmed_at"]
    created, first, second = (line["details"]["changes"] for line in told["history"])
    assert created["did_type_id"] == {"before": None, "after": 7}
    assert first["did_type"] == {"before": 5, "after": 6}
    assert first["did_type_id"] == {"before": 7, "after": 3}
    assert second["did_type_id"] == {"before": 3, "after": 8}
    # The newest run comes first.
    assert [run["runs"] for run in told["runs"]] == [[run] for run in reversed(runs)]
    assert [run["actor"] for run in told["runs"]] == [
        f"{user}@{host}" for user in ("ana", "bruno", "ana")
    ]
    newest, _second, oldest = told["runs"]
    assert newest["applied"] == {"create": 0, "update": 3, "adopt": 0}
    assert oldest["applied"] == {"create": 3, "update": 0, "adopt": 0}
    assert {(run["result"], run["open"]) for run in told["runs"]} == {("completed", 0)}
    assert all(run["began_at"] <= run["ended_at"] for run in told["runs"])


def test_a_run_with_nothing_to_send_is_none(runner: Runner) -> None:
    assert runner.dids(dids=_numbers(5), check=True)["run"] is None
    assert runner.did_info(runs=5)["runs"] == []
    assert runner.dids(dids=_numbers(5))["run"] is not None
    assert runner.dids(dids=_numbers(5))["run"] is None
    assert len(runner.did_info(runs=5)["runs"]) == 1
    assert "runs" not in runner.did_info()
    assert runner.did_info(runs=-1)["error"]["kind"] == "invalid_parameter"


def test_what_a_run_says_of_its_list(runner: Runner, tmp_path: Any) -> None:
    source = tmp_path / "numbers of Ana.csv"
    source.write_text("did_number;port;password\n5;1;s3cret-of-5\n")
    runner.dids(dids=..., src=str(source))
    runner.dids(dids=_numbers(5, port=2, password="s3cret-of-5"))
    source.write_text("password;did_number;port\ns3cret-of-5;5;1\n")
    runner.dids(dids=..., src=str(source))
    runner.did(did_number="5", port=3)
    single, again, inline, first = runner.did_info(runs=9)["runs"]
    assert single["lists"] == []
    assert [each["lists"][0]["name"] for each in (again, inline, first)] == [
        source.name,
        "dids",
        source.name,
    ]
    digests = [each["lists"][0]["digest"] for each in (again, inline, first)]
    # What is declared counts, not how it is written. Who does not have the API key learns nothing from it.
    assert digests[0] == digests[2] != digests[1]
    other = Runner(runner.simulator, runner.store, {"api_key": "another-key-0123456789"})
    assert digests[0] not in json.dumps(other.did_info(runs=1))


def test_what_an_adoption_and_a_renumbering_leave(runner: Runner) -> None:
    runner.did(did_number="5", record_id=12, port=1)
    runner.did(did_number="6", record_id=12, renumber=True)
    (did,) = runner.did_info(did_number="6", history=True)["dids"]
    assert [line["action"] for line in did["history"]] == ["adopt", "update"]
    assert did["history"][1]["details"]["changes"]["did_number"] == {"before": "5", "after": "6"}
    # The line is about the new number.
    assert [line["did_number"] for line in did["history"]] == ["5", "6"]


def test_secrets_are_marks(runner: Runner) -> None:
    for password in ("first-s3cret-word", "other-s3cret-word"):
        runner.did(did_number="5", username="trunk", password=password)
    told = runner.did_info(history=True)
    created, changed = (line["details"]["changes"]["password"] for line in told["history"])
    assert created == {"before": None, "after": "***"}
    assert changed == {"before": "*** (as last applied)", "after": "*** (new)"}
    stored = json.dumps(runner.rows("SELECT * FROM history")) + json.dumps(
        runner.rows("SELECT * FROM runs")
    )
    for text in (json.dumps(told), stored):
        assert "s3cret" not in text and "fingerprint" not in text


def test_a_secret_that_is_stored_all_the_same_is_masked(runner: Runner) -> None:
    runner.did(did_number="5", password="first-s3cret-word")
    details = json.dumps({"changes": {"password": [None, {"fingerprint": "beef"}]}})
    runner.write(f"UPDATE history SET details = '{details}'")
    (line,) = runner.did_info(history=True)["history"]
    assert line["details"]["changes"]["password"] == {"before": None, "after": "***"}


# How a run ended


def test_a_run_in_which_a_did_fails(runner: Runner) -> None:
    runner.simulator.fault("status", status=422)
    assert runner.dids(dids=_numbers(5, 6, 7))["failed"]
    last = _last(runner)
    assert (last["result"], last["open"]) == ("failed", 0)
    assert last["applied"]["create"] == 2 and last["ended_at"] is not None


def test_a_run_that_ends_early(runner: Runner) -> None:
    runner.simulator.fault("status", status=422)
    result = runner.dids(dids=_numbers(5, 6, 7), max_failures=0)
    assert result["summary"]["not_attempted"] == 2
    last = _last(runner)
    assert (last["runs"], last["result"], last["open"]) == ([result["run"]], "stopped", 0)


def test_a_request_of_unknown_outcome_is_open_until_it_is_settled(runner: Runner) -> None:
    runner.simulator.fault("drop_after")
    assert runner.dids(dids=_numbers(5, 6))["failed"]
    last = _last(runner)
    assert (last["result"], last["open"], last["applied"]["create"]) == ("failed", 1, 1)
    runner.forget("5")
    assert _last(runner)["open"] == 0


def test_a_run_that_is_killed(runner: Runner) -> None:
    with _opened(runner) as (registry, platform):
        journal = registry.journal
        journal.runs.run = Run("a run", platform, list_name="dids.csv", list_digest="beef")
        for number, lease in ("5", 60.0), ("6", 1.0):
            intent = Intent(
                "create", None, number, None, {"did_number": number}, lease, {}, "a run"
            )
            token = journal.claim(platform, intent)
            assert token is not None
            assert _last(runner)["result"] == "under_way"
            if number == "5":
                journal.confirm(token, platform, intent, 13, AT)
        # Nothing more is written. The claim ends by itself.
    runner.write("UPDATE records SET claim_until = 0 WHERE claim_token IS NOT NULL")
    last = _last(runner)
    assert (last["result"], last["ended_at"]) == ("interrupted", None)
    assert (last["applied"]["create"], last["open"]) == (1, 1)
    assert last["lists"] == [{"name": "dids.csv", "digest": "beef"}]


@in_postgresql
def test_a_run_takes_no_transaction_more(runner: Runner, store: DatabaseStore) -> None:
    """One for the first claim, and one for each answer, with the next claim or the end of the run."""

    def next_transaction() -> int:
        ((number,),) = store.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return int(number)

    before = next_transaction()
    runner.dids(dids=_numbers(*range(10)))
    assert next_transaction() - before == 11
    assert _last(runner)["result"] == "completed"


@pytest.mark.parametrize("user", ["ana", "bruno"])
def test_consecutive_runs_of_one_session_are_one(
    runner: Runner, log_in: Callable[[str], None], user: str
) -> None:
    log_in("ana")
    with _opened(runner) as (_registry, platform):
        pass
    rows = [
        ("1", "first", "ana", "completed", "a.csv"),
        ("2", "second", "ana", "completed", "b.csv"),
        ("3", "second", user, "failed", "b.csv"),
        ("4", "second", "ana", "completed", "c.csv"),
        ("5", None, "ana", "completed", "a.csv"),
        ("6", None, "ana", "completed", "a.csv"),
    ]
    for key, session, actor, result, name in rows:
        given = "NULL" if session is None else f"'{session}'"
        runner.write(
            f"INSERT INTO runs VALUES ('{key}', '{platform}', '{actor}', {given}, '{name}', 'd{name}', '{AT}', '{AT}', '{result}')"
        )
    told = runner.did_info(runs=9)["runs"]
    together = [["2", "3", "4"]] if user == "ana" else [["4"], ["3"], ["2"]]
    assert [run["runs"] for run in told] == [["6"], ["5"], *together, ["1"]]
    if user == "ana":
        assert told[2]["result"] == "failed"
        assert [each["name"] for each in told[2]["lists"]] == ["b.csv", "c.csv"]
    assert [run["runs"] for run in runner.did_info(runs=2)["runs"]] == [["6"], ["5"]]


def test_many_runs_of_one_session(runner: Runner) -> None:
    with _opened(runner) as (_registry, platform):
        pass
    values = ", ".join(
        f"('{number:06}', '{platform}', 'ana', 'loop {number // 500}', NULL, NULL, '{AT}', '{AT}', 'completed')"
        for number in range(1500)
    )
    runner.write(f"INSERT INTO runs VALUES {values}")
    assert [len(run["runs"]) for run in runner.did_info(runs=2)["runs"]] == [500, 500]
    assert [len(run["runs"]) for run in runner.did_info(runs=9)["runs"]] == [500, 500, 500]


# What is kept of it


def _prune(runner: Runner, keep: str = "365d") -> Result:
    before = runner.traces()
    predicted = runner.did_registry(state="pruned", keep_history=keep, check=True)
    assert runner.traces() == before
    done = runner.did_registry(state="pruned", keep_history=keep)
    assert (predicted["pruned"], predicted["changed"]) == (done["pruned"], done["changed"])
    again = runner.did_registry(state="pruned", keep_history=keep)
    assert (again["changed"], again["pruned"]) == (False, {"history": 0, "runs": 0})
    pruned: Result = done["pruned"]
    return pruned


def _make_old(runner: Runner, *where: str) -> None:
    condition = f" WHERE {where[0]}" if where else ""
    runner.write(
        f"UPDATE history SET at = '2020' || substr(at, 5){condition}",
        *([] if where else ["UPDATE runs SET began_at = '2020-01-01T00:00:00Z'"]),
    )


def test_old_history_is_deleted_on_request(runner: Runner) -> None:
    for port in (1, 2, 3):
        runner.dids(dids=_numbers(5, 6, port=port))
    records = runner.rows("SELECT * FROM records ORDER BY 1")
    assert _prune(runner) == {"history": 0, "runs": 0}
    _make_old(runner)
    assert _prune(runner) == {"history": 4, "runs": 2}
    assert runner.rows("SELECT * FROM records ORDER BY 1") == records
    told = runner.did_info(history=True, runs=9)
    assert [line["details"]["changes"]["port"]["after"] for line in told["history"]] == [3, 3]
    assert [run["applied"]["update"] for run in told["runs"]] == [2]
    assert runner.dids(dids=_numbers(5, 6, port=3))["run"] is None


def test_what_is_never_deleted(runner: Runner) -> None:
    for port in (1, 2):
        runner.did(did_number="5", port=port)
        runner.did(did_number="6", port=port)
    # 6 is uncertain now. 7 was forgotten, recorded and forgotten.
    runner.simulator.fault("drop_after")
    assert runner.did(did_number="6", port=3)["failed"]
    seven = {"did_number": "7", "record_id": 700}
    for state in ("recorded", "forgotten") * 2:
        runner.did_registry(state=state, dids=[seven])
    _make_old(runner)
    # The older line of 5, and the two by which 7 was recorded.
    assert _prune(runner, "1h") == {"history": 3, "runs": 1}
    kept = [
        (line["did_number"], line["event"]) for line in runner.did_info(history=True)["history"]
    ]
    assert sorted(kept) == [
        ("5", "applied"),
        ("6", "applied"),
        ("6", "applied"),
        ("7", "forgotten"),
        ("7", "forgotten"),
    ]


def test_a_did_without_a_number_has_its_newest_line(runner: Runner) -> None:
    for port in (1, 2):
        runner.did(record_id=12, port=port)
    _make_old(runner)
    assert _prune(runner) == {"history": 1, "runs": 1}
    (line,) = runner.did_info(record_id=12, history=True)["history"]
    assert line["details"]["changes"]["port"]["after"] == 2


def test_another_platform_is_not_pruned(runner: Runner) -> None:
    for port in (1, 2):
        runner.did(did_number="5", port=port)
    runner.did_registry(platform="other:443", another_platform=True)
    _make_old(runner)
    pruned = runner.did_registry(state="pruned", keep_history="1w", platform="other:443")
    assert not pruned["changed"]


@in_a_file
@pytest.mark.parametrize("seed", range(5))
def test_pruning_keeps_what_it_must(runner: Runner, seed: int) -> None:
    """Whatever the history holds: compared with the rule, written down line by line."""
    choose = random.Random(seed)
    with _opened(runner) as (_registry, platform):
        pass
    lines: list[Any] = []
    for key in range(200):
        event = choose.choice(("applied", "applied", "answered", "recorded", "forgotten"))
        number = choose.choice((None, *"123456"))
        record_id = choose.randrange(1, 5)
        at = timestamp(choose.choice((0, 1, 2)) if choose.random() < 0.8 else None)
        run = choose.choice(("run 1", "run 2", None))
        lines.append((f"{key:03}", at, event, number, record_id, run))
    for name, at, event, number, record_id, run in lines:
        given, ran = ("NULL" if each is None else f"'{each}'" for each in (number, run))
        runner.write(
            "INSERT INTO history (entry_key, at, actor, event, platform, number, record_id, details, run_key)"
            f" VALUES ('{name}', '{at}', 'a', '{event}', '{platform}', {given}, {record_id}, '{{}}', {ran})"
        )

    def did_of(line: Any) -> Any:
        return line[3] if line[3] is not None else line[4]

    newest = {did_of(line): line for line in sorted(lines, key=lambda line: (line[1], line[0]))}
    kept = [
        line
        for line in lines
        if line[1] > "2000" or line[2] == "forgotten" or newest[did_of(line)] == line
    ]
    assert _prune(runner)["history"] == len(lines) - len(kept)
    assert runner.rows("SELECT entry_key FROM history ORDER BY 1") == [(line[0],) for line in kept]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "pruned"}, "keep_history: is required"),
        ({"state": "pruned", "keep_history": "a year"}, "such as 365d"),
        ({"state": "pruned", "keep_history": "365"}, "such as 365d"),
        ({"state": "present", "keep_history": "365d"}, "goes with state pruned"),
        ({"state": "pruned", "keep_history": "1d", "dids": []}, "dids: goes with"),
    ],
)
def test_options_that_do_not_fit(runner: Runner, options: dict[str, Any], words: str) -> None:
    result = runner.did_registry(**options)
    assert result["error"]["kind"] == "invalid_parameter" and words in result["msg"], result


# A registry of release 1.0


@pytest.fixture
def older(bare: Runner, store: Store) -> Runner:
    """A runner whose registry has schema 1 and one record, with a line of history."""
    platform = bare.simulator.url.split("//")[1]
    make_present(
        store.location, platform, registry_id=None, timeout=5, apply=True, schema=SCHEMA.as_of(1)
    )
    fields = json.dumps({"did_number": "1166", "port": 5060})
    bare.write(
        "INSERT INTO records (record_key, platform, version, record_id, outcome, fields, attempted, confirmed_at, changed_at)"
        f" VALUES ('key', '{platform}', 2, 12, 'confirmed', '{fields}', '{{}}', '{AT}', '{AT}')",
        f"INSERT INTO numbers VALUES ('{platform}', '1166', 'key')",
        "INSERT INTO history VALUES"
        f" ('1', '{AT}', 'ana@runner', 'answered', '{platform}', '1166', 12, '{{\"action\":\"create\",\"sent\":{{}}}}')",
    )
    return bare


def test_an_older_registry_is_read(older: Runner, tmp_path: Path) -> None:
    before = older.traces()
    told = older.did_info(history=True, runs=1)
    assert (told["registry"]["schema"], told["runs"]) == (1, [])
    (did,) = told["dids"]
    assert (did["did_number"], did["record_id"], did["fields"]["port"]) == ("1166", 12, 5060)
    (line,) = did["history"]
    assert (line["event"], line["run"], line["action"]) == ("answered", None, None)
    assert older.did_info(did_number="1166", history=True)["history"] == [line]
    exported = older.did_registry(state="exported", dest=str(tmp_path / "dids.csv"))
    assert exported["exported"]["confirmed"] == 1
    assert older.traces() == before


def test_an_older_registry_is_not_written(older: Runner) -> None:
    before = older.traces()
    for check in (True, False):
        for refused in (
            older.did(**VENDOR_CREATE, check=check),
            older.dids(dids=_numbers(5), check=check),
            older.did_registry(
                state="recorded", dids=[{"did_number": "5", "record_id": 1}], check=check
            ),
            older.did_registry(state="pruned", keep_history="1d", check=check),
        ):
            assert refused["error"]["kind"] == "registry_mismatch", refused
            for words in ("schema 1", "needs schema 2", "state: present"):
                assert words in refused["msg"]
    assert older.requests() == [] and older.traces() == before


def test_an_older_registry_is_migrated(older: Runner) -> None:
    before = older.traces()
    assert older.did_registry(check=True)["changed"]
    assert older.traces() == before
    migrated = older.did_registry()
    assert "migrate the registry from schema 1 to 2" in migrated["diff"]["after"]
    assert not older.did_registry()["changed"]
    assert older.both(did_number="1166", port=5060)["action"] == "none"
    assert older.both(did_number="1166", port=5061)["action"] == "update"
    told = older.did_info(history=True, runs=1)
    assert [line["event"] for line in told["history"]] == ["answered", "migrated", "applied"]
    assert told["runs"][0]["applied"]["update"] == 1


def test_a_migration_may_add_a_platform_too(older: Runner) -> None:
    options: dict[str, Any] = {"platform": "other:443", "another_platform": True}
    assert len(older.did_registry(check=True, **options)["diff"]["after"].splitlines()) == 2
    assert older.did_registry(**options)["changed"]
    assert not older.did_registry(**options)["changed"]
    assert older.did_info()["registry"]["schema"] == 2


@in_a_file
def test_an_older_registry_that_is_damaged(older: Runner) -> None:
    older.write("DROP INDEX numbers_by_record")
    assert older.did_info()["error"]["kind"] == "registry_unavailable"


@in_postgresql
def test_a_migration_needs_the_owner(older: Runner, store: DatabaseStore) -> None:
    with store.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS keeper")
        connection.execute("CREATE ROLE keeper LOGIN PASSWORD 'x'")
        connection.execute("GRANT USAGE ON SCHEMA public TO keeper")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO keeper")
    try:
        location = store.location.replace("//postgres@", "//keeper@")
        other = Runner(
            older.simulator, DatabaseStore(location, store.location), {"registry_password": "x"}
        )
        for check in (True, False):
            denied = other.did_registry(check=check)
            assert denied["error"]["kind"] == "registry_unavailable" and "own" in denied["msg"]
    finally:
        with store.connect() as connection:
            connection.execute("DROP OWNED BY keeper")
            connection.execute("DROP ROLE keeper")
