# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks and tables of README and first steps run as they are written.

Each of the two in one language, as a run takes its time: test_examples compares the languages.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils import _source
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
from ansible_collections.nextbilling.did.tests.unit.docs.examples import examples
from ansible_collections.nextbilling.did.tests.unit.plugins.proof.processes import program

DECLARED = "1130001000"


@pytest.mark.parametrize("document", ["README.md", "docs/docsite/rst/first_steps_pt_br.rst"])
def test_it_works_as_written(document: str, tmp_path: Path) -> None:
    """Run all its playbooks in their order, the one that declares a DID twice, and then its table."""
    shown = examples(document)
    playbooks = []
    for number, example in enumerate(each for each in shown if each.is_playbook):
        path = tmp_path / f"{number}.yml"
        path.write_text(example.text, encoding="utf-8")
        playbooks += [path.name] * (2 if DECLARED in example.text else 1)
    (table,) = (each for each in shown if each.is_table)
    (tmp_path / "dids.csv").write_text(table.text, encoding="utf-8")
    arguments = ["-v", "-e", "provision_src=dids.csv", *playbooks, "nextbilling.did.provision"]
    with Simulator.start() as simulator:
        done = subprocess.run(
            [program("ansible-playbook"), *arguments],
            cwd=tmp_path,
            env=surroundings(simulator, tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        requests = [
            (entry["method"], entry["json"]["did_number"]) for entry in simulator.requests()
        ]
        assert simulator.duplicates() == {}
    items, _problems = _source.check(
        _source.read_file(str(tmp_path / "dids.csv"), ranges=True), "src", ranges=True
    )
    rows = {item.number for item in items}
    assert len(rows) > 2
    # The playbook's second run sent nothing. If the table names its DID too, that is one edit.
    assert Counter(requests) == {
        ("PUT", DECLARED): 1,
        **{("PUT", number): 1 for number in rows - {DECLARED}},
        **{("POST", number): 1 for number in rows & {DECLARED}},
    }
