# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a run prints about many DIDs, with Ansible's default callback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.support.failing_runs import (
    FEW,
    PAGE,
    RANGE,
    Kind,
    all_in_conflict,
    few_open,
    few_refused,
    play,
    refused_by_max_creates,
)
from ansible_collections.nextbilling.did.tests.support.modules import Runner


@pytest.mark.parametrize("kind", [few_open, refused_by_max_creates, all_in_conflict])
def test_a_run_that_fails_prints_a_page(runner: Runner, tmp_path: Path, kind: Kind) -> None:
    """The message stands in the last half of what is printed. C(tests/proof) has more kinds of failures."""
    code, output = play(runner, tmp_path, kind(runner))
    assert code == 2 and len(output.encode()) < PAGE, output
    assert 0 < len(output) - output.rindex("    msg: ") < PAGE // 2, output


def test_the_few_that_fail_are_all_in_the_result(runner: Runner, tmp_path: Path) -> None:
    code, output = play(runner, tmp_path, few_refused(runner))
    assert code == 2 and len(output.encode()) < PAGE, output
    assert len(runner.simulator.created()) == 496
    before, message = output.rsplit("    msg: ", 1)
    assert all(f"DID {number}\n" in message for number in FEW), output
    assert "dids_omitted: 0\n" in before and before.count("outcome: failed") == len(FEW), output


def test_the_form_without_line_breaks_is_no_longer(runner: Runner, tmp_path: Path) -> None:
    code, output = play(runner, tmp_path, few_refused(runner), form="json")
    assert code == 2 and len(output.encode()) < PAGE, output


def test_a_diff_of_a_range_is_short(runner: Runner, tmp_path: Path) -> None:
    code, output = play(runner, tmp_path, {"dids": [RANGE]}, "--check", "--diff")
    assert code == 0 and len(output.encode()) < 3_000, output
    assert "500 DIDs: 500 create\n" in output
    assert 'description: "Line {number}"' in output
