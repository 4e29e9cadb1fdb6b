# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The migration guide's way to take over a spreadsheet: its mapping and its playbook as they are written, and a sheet of 3,000 DIDs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.docs.examples import examples
from ansible_collections.nextbilling.did.tests.support.fixtures import (
    bare,
    empty_store,
    installed,
    runner,
    running,
    simulator,
    store,
    tarball,
    way,
)
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import output_of, program
from ansible_collections.nextbilling.did.tests.support.tarball import of_a_user
from ansible_collections.nextbilling.did.tests.support.workbooks import (
    Row,
    by_excel,
    by_libreoffice,
)

__all__ = [
    "bare",
    "empty_store",
    "installed",
    "runner",
    "running",
    "simulator",
    "store",
    "tarball",
    "way",
]
GUIDE, SECTION = "docs/docsite/rst/migration.rst", "A spreadsheet with headers of its own"
COUNT = 3000
HEADER = ["Número", "Descrição", "Assinante", "Tipo", "Fila/URA", "Situação", "ID"]
TYPES = ("Fila", "URA", "Linha")


def _row(number: int) -> list[str | int | None]:
    """Return a DID as people write it: with capital letters now and then, and numbers as texts or as numbers."""
    kind = TYPES[number % 3]
    return [
        f"1130{number:06}" if number % 2 else 1130000000 + number,
        f"Recepção — nº {number}",
        13,
        kind.upper() if number % 10 == 0 else kind,
        None if kind == "Linha" else number % 7 + 1,
        "Inativo" if number % 5 == 0 else "Ativo",
        number + 100,
    ]


@pytest.mark.long
@pytest.mark.parametrize("write", [by_excel, by_libreoffice])
def test_a_sheet_of_3000_dids_is_taken_over_and_5_changes_are_5_edits(
    runner: Runner,
    installed: Path,
    tmp_path: Path,
    write: Callable[[Path, Sequence[Row]], Path],
) -> None:
    folder = tmp_path / "where the user stands"
    folder.mkdir()
    mapping, playbook = (
        each for each in examples(GUIDE) if each.section == SECTION and each.is_yaml
    )
    (folder / "mapping.yml").write_text(mapping.text, "utf-8")
    (folder / "record.yml").write_text(playbook.text, "utf-8")
    rows = [_row(number) for number in range(COUNT)]
    sheet = write(folder / "numeros.xlsx", [HEADER, *rows])
    runner.simulator.switch(existing_ids=[number + 100 for number in range(COUNT)])
    environment = of_a_user(runner, tmp_path, installed)

    def play(*arguments: str) -> str:
        command = [program("ansible-playbook"), *arguments, "-e", "@mapping.yml"]
        code, printed = output_of(command, folder, environment)
        assert code == 0, printed
        return printed

    provision = (
        *("nextbilling.did.provision", "-e", "provision_src=numeros.xlsx"),
        *("-e", "provision_max_creates=0"),
    )
    assert "changed=1" in play("record.yml", "-e", "spreadsheet=numeros.xlsx")
    assert "3,000 unchanged" in play(*provision)
    assert runner.requests() == []

    for number in (3, 700, 1501, 2222, 2999):
        rows[number][5] = "Ativo" if rows[number][5] == "Inativo" else "Inativo"
    write(sheet, [HEADER, *rows])
    assert "5 update" in play(*provision)
    assert len(runner.requests("POST")) == len(runner.requests()) == 5
    assert "3,000 unchanged" in play(*provision)
