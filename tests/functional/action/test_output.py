# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a run prints about many DIDs, with Ansible's default callback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program

COLLECTIONS = Path(client.__file__).parents[5]
RANGE = {"did_number": "1130001000", "last_number": "1130001499", "description": "Line {number}"}
SHEET = [
    {"did_number": f"113000{1000 + place}", "description": f"Customer {place * 7}"}
    for place in range(500)
]
REFUSED = ["1130001003", "1130001101", "1130001102", "1130001333"]


def play(runner: Runner, folder: Path, dids: object, *options: str, form: str) -> tuple[int, str]:
    """Declare DIDs in a playbook. Returns its exit code, and all that it prints."""
    login = {
        "api_url": runner.simulator.url,
        "api_token": runner.simulator.token,
        "api_key": runner.simulator.key,
        "registry": runner.store.location,
        "concurrency": 4,
        "defaults": {"customer_id": 13, "host": "192.0.2.10", "port": 5060},
    }
    task = {"name": "Declare", "nextbilling.did.dids": {**login, "dids": dids}}
    book = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    (folder / "book.yml").write_text(yaml.safe_dump(book), "utf-8")
    (folder / "ansible.cfg").write_text(QUIET, "utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": form,
    }
    return output_of([program("ansible-playbook"), *options, "book.yml"], folder, environment)


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("dids", [[RANGE], SHEET], ids=["range", "sheet"])
def test_a_run_with_few_failures_prints_little(
    runner: Runner, tmp_path: Path, dids: object, form: str
) -> None:
    for number in REFUSED:
        runner.simulator.fault("status", status=422, match={"did_number": number})
    code, output = play(runner, tmp_path, dids, form=form)
    assert code == 2 and len(runner.simulator.created()) == 496
    assert len(output.encode()) < 8_000, output
    if form == "yaml":
        # The message keeps its line breaks, and is near the end.
        _before, message = output.rsplit("    msg: ", 1)
        assert "DID 1130001333\n" in message and len(message) < 1_800, output


def test_a_diff_of_a_range_is_short(runner: Runner, tmp_path: Path) -> None:
    code, output = play(runner, tmp_path, [RANGE], "--check", "--diff", form="yaml")
    assert code == 0 and len(output.encode()) < 3_000, output
    assert "500 DIDs: 500 create\n" in output
    assert 'description: "Line {number}"' in output
