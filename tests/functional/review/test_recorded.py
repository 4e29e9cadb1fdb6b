# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the review of a stopped run reads from the registry."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator

import jsonschema
import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._errors import RegistryUnavailable
from ansible_collections.nextbilling.did.plugins.module_utils._module import ansible_process
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.recorded import read_recorded
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.reviews import (
    SCHEMA,
    WORDS,
    review_of,
    told,
)

SESSION = "this ansible-playbook"


def test_each_open_did_is_shown_with_what_is_open_of_it(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ansible_process, "session_id", lambda: SESSION)
    runner.did(did_number="1")
    for number in ("2", "1"):
        runner.simulator.fault("reset_before")
        runner.did(did_number=number, port=5060)
    monkeypatch.setattr(ansible_process, "session_id", lambda: "another one")
    runner.did(did_number="3")

    (result,) = read_recorded(runner.store.location, SESSION, "", ())

    shown = {each["did_number"]: each for each in result["dids"] if each["outcome"] == "unknown"}
    assert {each["outcome"] for each in result["dids"]} == {"applied", "unknown"}
    assert "create (PUT) has an unknown outcome" in shown["2"]["error"]["msg"]
    assert "edit (POST) has an unknown outcome" in shown["1"]["error"]["msg"]
    counts = {kind: count for kind, count in result["summary"].items() if count}
    assert counts == {"create": 1, "unknown": 2, "total": 3}
    files = render(review_of(told(result, check_mode=False)), WORDS)
    jsonschema.validate(json.loads(files["review.json"]), SCHEMA)
    assert "may or may not exist on the platform" in files["review.md"]


def test_what_was_reported_is_not_shown_again(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ansible_process, "session_id", lambda: SESSION)
    known = [runner.did(did_number=number)["run"] for number in ("1", "2")]
    (result,) = read_recorded(runner.store.location, SESSION, "", known[:1])
    assert [each["did_number"] for each in result["dids"]] == ["2"]
    assert not read_recorded(runner.store.location, SESSION, "", known)


@contextlib.contextmanager
def _server_without_answers() -> Iterator[tuple[str, list[int]]]:
    """A server that ends each connection at once. Yields its URL, and the numbers of the connections."""
    connections: list[int] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                connections.append(connection.fileno())
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        yield f"postgresql://127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable", connections
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("is_late", [False, True])
def test_a_review_waits_for_a_database_but_not_for_long(
    monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    pytest.importorskip("psycopg")
    with _server_without_answers() as (location, connections):
        if is_late:
            # Each look at the clock is 20 seconds after the one before.
            monkeypatch.setattr(time, "monotonic", itertools.count(1_000.0, 20.0).__next__)
        with pytest.raises(RegistryUnavailable):
            read_recorded(location, SESSION, "", ())
    assert (len(connections) == 1) is is_late
