# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a run that fails prints on each ansible-core, with its default callback."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.proof.stops import CORES
from ansible_collections.nextbilling.did.tests.support.failing_runs import KINDS, PAGE, Kind, play
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import core_program


@pytest.mark.long
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_fails_prints_a_page(
    runner: Runner, tmp_path: Path, kind: Kind, core: str
) -> None:
    program = core_program(core, "ansible-playbook")
    code, output = play(runner, tmp_path, kind(runner), playbook=program)
    assert code == 2 and len(output.encode()) < PAGE, output
    assert 0 < len(output) - output.rindex("    msg: ") < PAGE // 2, output
