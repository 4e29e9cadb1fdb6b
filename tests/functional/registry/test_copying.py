# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a registry to another place: everything comes along, and at no moment both places are in use."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import (
    InvalidParameter,
    RegistryMismatch,
)
from ansible_collections.nextbilling.did.plugins.module_utils._model import Correction, Intent
from ansible_collections.nextbilling.did.plugins.module_utils._registry import open as _open
from ansible_collections.nextbilling.did.plugins.module_utils._registry import relocate as _relocate
from ansible_collections.nextbilling.did.plugins.module_utils._registry.journal import Journal
from ansible_collections.nextbilling.did.plugins.module_utils._registry.move_marks import (
    ARRIVED,
    ARRIVING,
    MOVED,
    MOVING,
)
from ansible_collections.nextbilling.did.plugins.module_utils._registry.registry import Registry
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import (
    VENDOR_CREATE,
    Result,
    Runner,
)
from ansible_collections.nextbilling.did.tests.support.stores import (
    POSTGRESQL,
    DatabaseStore,
    FileStore,
    Server,
    Store,
)

PLATFORM = "sip.nextbilling.com.br:443"
TABLES = ("platforms", "records", "numbers", "history", "runs")


class Killed(BaseException):
    """The run is dead."""


class Ends:
    """Two places, and the tasks that use or move a registry there."""

    def __init__(self, simulator: Simulator, source: Store, target: Store) -> None:
        self.here = Runner(simulator, source)
        self.there = Runner(simulator, target)

    def copy(self, *, check: bool = False, back: bool = False, **options: Any) -> Result:
        """Move the registry there, or back."""
        to, origin = (self.here, self.there) if back else (self.there, self.here)
        return to.did_registry(
            check=check, state="copied", copy_from=origin.store.location, **options
        )

    def move(self, reached: Callable[[str], object] = lambda step: None) -> None:
        """Move it there, and be told of each step."""
        source, target = (
            _open.backend_at(runner.store.location) for runner in (self.here, self.there)
        )
        _relocate.move_registry(
            source,
            target,
            registry_id=None,
            timeout=5,
            overwrite=False,
            apply=True,
            reached=reached,
        )

    def killed_after(self, step: str) -> None:
        """Begin to move it there, and die after a step."""

        def die(reached: str) -> None:
            if reached == step:
                raise Killed

        with pytest.raises(Killed):
            self.move(die)

    def both(self, **options: Any) -> Result:
        """Move it in check mode, see that nothing was touched, then move it."""
        before = self.here.traces(), self.there.traces()
        foreseen = self.copy(check=True, **options)
        assert (self.here.traces(), self.there.traces()) == before
        done = self.copy(**options)
        for key in ("changed", "registry", "diff", "failed", "error", "warnings"):
            assert foreseen.get(key) == done.get(key), key
        return done

    def content(self, runner: Runner) -> dict[str, list[Any]]:
        """All rows, without what a move changes."""
        rows = {table: sorted(runner.rows(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
        rows["records"] = [row[:10] + row[11:] for row in rows["records"]]
        meta = "SELECT name, value FROM meta WHERE name IN ('registry_id', 'schema', 'created_at')"
        return {**rows, "meta": sorted(runner.rows(meta))}

    def usable(self) -> list[Runner]:
        """Those of the two places which a task would use."""
        return [
            runner
            for runner in (self.here, self.there)
            if not runner.did(check=True, did_number="99").get("failed")
        ]


@pytest.fixture(
    params=[
        "file-file",
        *(
            pytest.param(kinds, marks=pytest.mark.store(POSTGRESQL))
            for kinds in ("file-database", "database-file", "database-database")
        ),
    ]
)
def ends(
    request: pytest.FixtureRequest, simulator: Simulator, tmp_path: Path
) -> Callable[[], Ends]:
    """Makes two places of each kind, with a registry at the first that holds something of everything."""

    def database(name: str) -> Store:
        server: Server = request.getfixturevalue("server")
        url = server.fresh(name)
        return DatabaseStore(url, url)

    def make() -> Ends:
        for name in ("here", "there"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        kinds = request.param.split("-")
        stores = [
            FileStore(tmp_path / name / "registry.db") if kind == "file" else database(name)
            for name, kind in zip(("here", "there"), kinds)
        ]
        ends = Ends(simulator, *stores)
        _fill(ends.here)
        return ends

    return make


def _fill(runner: Runner) -> None:
    assert runner.did_registry()["changed"]
    assert runner.did_registry(platform=PLATFORM, another_platform=True)["changed"]
    assert runner.did(**VENDOR_CREATE, password="geheim")["changed"]
    assert runner.did(did_number="2")["changed"]
    runner.did_registry(state="recorded", dids=[{"did_number": "20", "record_id": 70}])
    runner.did_registry(state="recorded", dids=[{"record_id": 71}])
    runner.simulator.fault("drop_after")
    assert runner.did(did_number="3")["error"]["kind"] == "unknown_outcome"
    runner.simulator.fault("drop_after")
    assert runner.did(did_number="2", port=5061)["error"]["kind"] == "unknown_outcome"


def test_everything_comes_along(ends: Callable[[], Ends]) -> None:
    places = ends()
    before = places.content(places.here)
    done = places.both()
    assert done["changed"], done
    assert done["registry"]["id"] == places.here.did_info()["registry"]["id"]
    assert places.content(places.there) == before == places.content(places.here)
    there = places.there
    assert there.both(**VENDOR_CREATE, password="geheim")["action"] == "none"
    assert there.both(did_number="3")["error"]["kind"] == "unknown_outcome"
    assert there.both(did_number="2", port=5061)["action"] == "update"
    told = there.did_info(history=True, runs=9)
    events = [line["event"] for line in told["history"]]
    assert len([event for event in events if event != "applied"]) == 2
    # The runs of both places.
    assert {line["run"] for line in told["history"]} - {None} <= {
        run for session in told["runs"] for run in session["runs"]
    }
    # Again, with what happened since.
    assert not places.both()["changed"]
    assert there.both(did_number="2", port=5061)["action"] == "none"


def test_the_source_is_retired(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.copy()
    here, there = places.here, places.there.store.location
    seen = len(here.requests())
    for result in (
        here.both(did_number="4"),
        here.both(**VENDOR_CREATE),
        here.dids(dids=[{"did_number": "4"}]),
        here.did_registry(),
        here.did_registry(state="forgotten", dids=[{"did_number": "3"}]),
    ):
        assert result["error"]["kind"] == "registry_mismatch"
        assert there in result["msg"], result["msg"]
    assert len(here.requests()) == seen
    looked = here.did_info()
    assert looked["registry"]["moved_to"] == there
    assert len(looked["dids"]) == 5
    assert places.there.did_info()["registry"]["moved_to"] is None
    assert places.usable() == [places.there]


def test_there_and_back(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.copy()
    assert places.there.did(did_number="5")["changed"]
    assert places.copy(back=True)["changed"]
    assert places.usable() == [places.here]
    assert places.here.both(did_number="5")["action"] == "none"
    assert places.copy()["changed"]
    assert places.usable() == [places.there]
    assert not places.copy()["changed"]


def test_a_claim_moves_as_it_is(ends: Callable[[], Ends]) -> None:
    places = ends()
    platform = places.here.did_registry()["platform"]
    intent = Intent("create", None, "6", None, {"did_number": "6"}, 60)
    with _opened(places.here, platform) as late:
        token = late.journal.claim(platform, intent)
        assert token is not None
        places.copy(registry_timeout=0)
        with _opened(places.there, platform) as there:
            record, _by_id = there.find(platform, "6", None)
            assert record is not None and record.claim is not None
            assert record.claim.token == token and 50 < record.claim.seconds_left <= 60
        # Its answer comes to the old place, which keeps it and tells where to go.
        with pytest.raises(RegistryMismatch, match="was moved"):
            late.journal.confirm(token, platform, intent, 88, "2026-01-31T12:00:00Z")
        for ending in (late.journal.rollback, late.journal.mark_unknown):
            with pytest.raises(RegistryMismatch):
                ending(token)
        with pytest.raises(RegistryMismatch):
            late.journal.claim(platform, Intent("create", None, "7", None, {}, 60))
        with pytest.raises(RegistryMismatch):
            late.journal.apply_corrections(platform, [Correction("forgotten", None, None)])
    history = places.here.did_info(history=True)["history"]
    assert [(entry["event"], entry["record_id"]) for entry in history][-1] == ("answered", 88)
    assert places.there.did(did_number="6", registry_timeout=0)["error"]["kind"] == "registry_busy"
    assert places.there.requests("PUT") == places.here.requests("PUT")


def test_what_a_moved_registry_could_not_record_is_recorded_where_it_is_now(
    ends: Callable[[], Ends], monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ends()
    confirm = Journal.confirm

    def confirm_after_a_move(*arguments: Any) -> Any:
        assert places.copy(registry_timeout=0)["changed"]
        return confirm(*arguments)

    monkeypatch.setattr(Journal, "confirm", confirm_after_a_move)
    result = places.here.dids(dids=[{"did_number": "6"}], timeout=0.5, details=True)
    assert result["error"]["kind"] == "unrecorded", result
    assert "Nothing was sent" not in result["msg"]
    for message in (result["msg"], result["dids"][0]["error"]["msg"]):
        play = message[message.index("\n- name: ") :]
        assert f'registry: "{places.there.store.location}"' in play, play
        assert f'registry: "{places.here.store.location}"' not in play


@contextlib.contextmanager
def _opened(runner: Runner, platform: str) -> Any:
    registry: Registry = _open.open_registry(
        runner.store.location, platform, registry_id=None, write=True, timeout=5
    )
    with contextlib.closing(registry):
        yield registry


def test_an_answer_on_its_way_is_waited_for(ends: Callable[[], Ends]) -> None:
    places = ends()
    platform = places.here.did_registry()["platform"]
    intent = Intent("create", None, "6", None, {"did_number": "6"}, 60)
    with _opened(places.here, platform) as other:
        token = other.journal.claim(platform, intent)
        timer = threading.Timer(
            1,
            lambda: other.journal.confirm(str(token), platform, intent, 88, "2026-01-31T12:00:00Z"),
        )
        timer.start()
        assert places.copy()["changed"]
        timer.join()
    assert places.there.did(check=True, did_number="6")["action"] == "none"


# What it refuses


def test_another_registry_is_refused(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.there.did_registry()
    for overwrite in (False, True):
        refused = places.both(overwrite=overwrite)
        assert refused["error"]["kind"] == "registry_mismatch"
        assert "another registry" in refused["msg"]
    assert len(places.usable()) == 2
    assert places.both(registry_id="0" * 32)["error"]["kind"] == "registry_mismatch"


def test_a_target_that_went_its_own_way(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.copy()
    places.there.did(did_number="5")
    # Somebody restores the source from a backup that is older than the move.
    places.here.write("DELETE FROM meta WHERE name = 'moved'")
    refused = places.both()
    assert refused["error"]["kind"] == "registry_mismatch"
    assert "overwrite" in refused["msg"]
    done = places.both(overwrite=True)
    assert done["changed"]
    assert "anew" in str(done["warnings"])
    assert places.content(places.there) == places.content(places.here)
    # What the target alone knew is in the witness.
    assert places.usable() == []
    assert places.there.did_registry(accept_older=True)["changed"]
    assert places.usable() == [places.there]


def test_a_run_at_work_with_the_target_is_not_disturbed(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.copy()
    places.here.write("DELETE FROM meta WHERE name = 'moved'")
    platform = places.there.did_registry()["platform"]
    with _opened(places.there, platform) as there:
        there.journal.claim(platform, Intent("create", None, "6", None, {}, 60))
    assert places.both(overwrite=True)["error"]["kind"] == "registry_busy"


def test_a_target_that_got_lost_is_not_made_from_the_old_source(
    ends: Callable[[], Ends], tmp_path: Path
) -> None:
    """The source does not know what was done since."""
    places = ends()
    places.copy()
    places.there.did(did_number="5")
    if isinstance(places.there.store, FileStore):
        places.there.store.path.unlink()
    else:
        places.there.write("DROP TABLE meta, numbers, records, platforms, history, runs")
    refused = places.both()
    assert refused["error"]["kind"] == "registry_mismatch"
    assert "backup" in refused["msg"]
    assert places.usable() == []
    assert places.both(overwrite=True)["changed"]
    assert places.usable() == []
    assert places.there.did_registry(accept_older=True)["changed"]
    assert places.usable() == [places.there]


def test_a_source_moves_to_one_place_alone(ends: Callable[[], Ends], tmp_path: Path) -> None:
    places = ends()
    places.copy()
    third = tmp_path / "third" / "registry.db"
    refused = places.there.did_registry(
        state="copied", copy_from=places.here.store.location, registry=str(third)
    )
    assert refused["error"]["kind"] == "registry_mismatch"
    assert places.there.store.location in refused["msg"]
    assert not third.parent.exists()
    # The registry in use may move on.
    moved = places.there.did_registry(
        state="copied", copy_from=places.there.store.location, registry=str(third)
    )
    assert moved["changed"]
    assert places.usable() == []


def test_a_registry_is_not_moved_onto_itself(ends: Callable[[], Ends], tmp_path: Path) -> None:
    places = ends()
    location = places.here.store.location
    if isinstance(places.here.store, FileStore):
        (tmp_path / "link.db").symlink_to(location)
        other = str(tmp_path / "link.db")
    else:
        other = location + "?application_name=other"
    for name in (location, other):
        refused = places.here.did_registry(
            state="copied", copy_from=name, overwrite=True, registry_timeout=1
        )
        assert refused["error"]["kind"] == "invalid_parameter", refused
    assert places.usable() == [places.here]


class Untold:
    """A backend whose server tells nothing of itself by which two addresses of it could be known as one."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def identity(self, *, timeout: float) -> object:
        """Return another value each time."""
        return object()


def test_a_mark_shows_that_two_addresses_are_one_registry(
    ends: Callable[[], Ends], tmp_path: Path
) -> None:
    """Whatever the servers say: what is written at one address is seen at the other."""
    places = ends()
    before = places.content(places.here)
    location = places.here.store.location
    if isinstance(places.here.store, FileStore):
        (tmp_path / "link.db").symlink_to(location)
        other = str(tmp_path / "link.db")
    else:
        other = location + "?application_name=other"
    with pytest.raises(InvalidParameter, match="same registry"):
        _relocate.move_registry(
            Untold(_open.backend_at(location)),
            Untold(_open.backend_at(other)),
            registry_id=None,
            timeout=1,
            overwrite=True,
            apply=True,
        )
    assert places.usable() == [places.here]
    assert places.content(places.here) == before


def test_a_target_that_cannot_be_made(ends: Callable[[], Ends], tmp_path: Path) -> None:
    places = ends()
    (tmp_path / "file").write_text("")
    places.there.store = FileStore(tmp_path / "file" / "x" / "registry.db")
    refused = places.both()
    assert refused["error"]["kind"] == "registry_unavailable"
    for words in (str(tmp_path / "file"), "cannot be written", "Nothing was written"):
        assert words in refused["msg"]
    assert not places.here.did(check=True, did_number="99").get("failed")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "copied"}, "copy_from"),
        ({"state": "copied", "copy_from": "here.db"}, "copy_from"),
        ({"state": "copied", "copy_from": "/x", "dids": []}, "recorded"),
        ({"state": "present", "copy_from": "/x"}, "copied"),
        ({"state": "copied", "copy_from": "postgresql://u:geheim@h/x"}, "copy_from_password"),
    ],
)
def test_what_does_not_go_together(
    simulator: Simulator, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    result = Runner(simulator, FileStore(tmp_path / "registry.db")).did_registry(**options)
    assert result["error"]["kind"] == "invalid_parameter"
    assert words in result["msg"]
    assert "geheim" not in json.dumps(result)


def test_a_source_that_is_missing_or_damaged(ends: Callable[[], Ends]) -> None:
    places = ends()
    places.here.write("DELETE FROM numbers WHERE number = '3'")
    assert places.both()["error"]["kind"] == "registry_unavailable"
    places.here.write("DELETE FROM meta WHERE name = 'schema'")
    assert places.both()["error"]["kind"] == "registry_unavailable"
    if isinstance(places.here.store, FileStore):
        places.here.store.path.unlink()
    else:
        places.here.write("DROP TABLE meta, numbers, records, platforms, history, runs")
    assert places.both()["error"]["kind"] == "registry_mismatch"
    assert places.there.store.is_empty()


# Interrupted


@pytest.mark.parametrize("undone", [False, True])
@pytest.mark.parametrize(
    "step", [_relocate.CHECKED, MOVING, _relocate.FILLED, ARRIVING, MOVED, ARRIVED]
)
def test_a_move_that_is_interrupted(ends: Callable[[], Ends], step: str, undone: bool) -> None:
    """Nothing is in use twice, and the next run completes it; or the source is taken into use again."""
    places = ends()
    before = places.content(places.here)
    places.killed_after(step)
    if step == _relocate.CHECKED:
        assert places.usable() == [places.here]
    elif step == ARRIVED:
        assert places.usable() == [places.there]
    else:
        assert places.usable() == []
        stopped = places.here.did(did_number="4")
        assert stopped["error"]["kind"] == "registry_mismatch"
    if undone and step in (MOVING, _relocate.FILLED, ARRIVING):
        assert places.here.did_registry()["error"]["kind"] == "registry_mismatch"
        assert places.here.did_registry(check=True, overwrite=True)["changed"]
        assert places.here.did_registry(overwrite=True)["changed"]
        assert places.usable() == [places.here]
        assert places.there.did_registry(overwrite=True).get("failed") or step != ARRIVING
        return
    assert places.both()["changed"] == (step != ARRIVED)
    assert places.usable() == [places.there]
    assert places.content(places.there) == before
    assert not places.copy()["changed"]


def test_a_broken_move_whose_source_is_lost(ends: Callable[[], Ends]) -> None:
    """The target holds everything, and the message has the task that takes it into use."""
    places = ends()
    before = places.content(places.here)
    places.killed_after(ARRIVING)
    stopped = places.there.did(did_number="4")
    assert "overwrite: true" in stopped["msg"] and "state: present" in stopped["msg"]
    # While the source is there, the move can be completed.
    assert places.there.did_registry(overwrite=True)["error"]["kind"] == "registry_mismatch"
    if isinstance(places.here.store, FileStore):
        places.here.store.path.unlink()
    else:
        places.here.write("DROP TABLE meta, platforms, records, numbers, history, runs")
    assert places.there.did_registry()["error"]["kind"] == "registry_mismatch"
    assert places.there.did_registry(check=True, overwrite=True)["changed"]
    assert places.there.did_registry(overwrite=True)["changed"]
    assert not places.there.did(check=True, did_number="99").get("failed")
    assert places.content(places.there) == before


def test_a_registry_that_an_older_release_moved_onto_itself(ends: Callable[[], Ends]) -> None:
    """It is marked as arriving from itself. A task takes it into use again."""
    places = ends()
    here = places.here
    location = here.store.location
    places.killed_after(MOVING)
    ((text,),) = here.rows("SELECT value FROM meta WHERE name = 'moving'")
    move = json.loads(text)
    move.update(source=location, target=location + "?application_name=other")
    here.write(
        "DELETE FROM meta WHERE name = 'moving'",
        f"INSERT INTO meta (name, value) VALUES ('arriving', '{json.dumps(move)}')",
    )
    assert here.did(did_number="4")["error"]["kind"] == "registry_mismatch"
    assert here.did_registry(overwrite=True)["changed"]
    assert places.usable() == [here]


def test_a_registry_that_has_not_arrived_moves_nowhere(
    ends: Callable[[], Ends], tmp_path: Path
) -> None:
    places = ends()
    places.killed_after(ARRIVING)
    third = Runner(places.here.simulator, FileStore(tmp_path / "third" / "registry.db"))
    onwards = Ends(places.here.simulator, places.there.store, third.store)
    for overwrite in (False, True):
        refused = onwards.both(overwrite=overwrite)
        assert refused["error"]["kind"] == "registry_mismatch"
        assert "not arrived" in refused["msg"]
        assert places.here.store.location in refused["msg"]
    assert third.store.is_empty()
    assert places.both()["changed"]
    assert places.usable() == [places.there]


def test_a_source_that_is_taken_into_use_again_meanwhile(ends: Callable[[], Ends]) -> None:
    """Whoever does that decides which of the two is in use; the move ends, and says so."""
    places = ends()

    def use_again(step: str) -> None:
        if step == ARRIVING:
            assert places.here.did_registry(overwrite=True)["changed"]

    with pytest.raises(RegistryMismatch, match=r"taken into use again.*not complete"):
        places.move(use_again)
    assert places.usable() == [places.here]
    assert places.here.did(did_number="77")["changed"]
    assert places.both(overwrite=True)["changed"]
    assert places.usable() == [places.there]
    assert places.there.both(did_number="77")["action"] == "none"


def test_two_that_move_it_at_once(ends: Callable[[], Ends]) -> None:
    places = ends()
    errors: list[Exception] = []

    def move() -> None:
        try:
            places.move()
        except Exception as error:  # pylint: disable=broad-exception-caught
            errors.append(error)

    threads = [threading.Thread(target=move) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert places.usable() == [places.there]


def test_a_long_history_moves(ends: Callable[[], Ends]) -> None:
    places = ends()
    numbers = [{"did_number": str(number), "record_id": number} for number in range(2000, 3500)]
    places.here.did_registry(state="recorded", dids=numbers)
    places.copy()
    assert places.content(places.there) == places.content(places.here)
    assert places.there.did_info()["registry"]["counts"]["confirmed"] >= 1500


def test_the_password_of_the_source(simulator: Simulator, server: Server, tmp_path: Path) -> None:
    direct = server.fresh("here")
    password = "geheim-7c21-pwd"
    server.run(f"CREATE ROLE mover LOGIN SUPERUSER PASSWORD '{password}'")
    try:
        source = Runner(simulator, DatabaseStore(direct, direct))
        _fill(source)
        target = Runner(simulator, FileStore(tmp_path / "there" / "registry.db"))
        task: dict[str, Any] = {"state": "copied", "copy_from": server.url("here", user="mover")}
        assert target.did_registry(**task)["error"]["kind"] == "registry_unavailable"
        done = target.did_registry(**task, copy_from_password=password)
        assert done["changed"]
        assert password not in json.dumps(done)
        assert password not in repr(target.traces())
    finally:
        server.run("DROP ROLE mover")
