# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DIDs that the benchmark declares, as a file, as a list, and as the platform is to receive them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.nextbilling.did.tests.support.workbooks import by_excel

# The record id of the first DID, as the simulator gives them.
FIRST_RECORD = 13


def declared(index: int) -> dict[str, Any]:
    """Return the DID number ``index`` as a task declares it. Each has a password of its own."""
    return {
        "did_number": f"+55113{index:07}",
        "customer_id": 1 + index % 100,
        "description": f"Número {index}",
        "did_type": "queue",
        "did_type_id": 7,
        "host": "192.0.2.10",
        "port": 5060,
        "host_additional": ["192.0.2.11", "192.0.2.12"],
        "username": f"cliente{index}",
        "password": f"{index * 7919:07}-senha-{index}",
    }


# The columns of a usual spreadsheet, of one with logins, and of one that has all fields.
NARROW, USUAL, WIDE = 8, 10, 29


def _row(index: int) -> dict[str, Any]:
    """Return the DID number ``index`` as a table has it, with the columns of narrower tables first."""
    return {
        **declared(index),
        "host_additional": "192.0.2.11 192.0.2.12",
        "rate_id": 1 + index % 7,
        "rate_cost_id": 2,
        "device_id": 3 + index,
        "techprefix1": "0031",
        "ip_address1": "192.0.2.21",
        "port1": 5060,
        "techprefix2": "0041",
        "ip_address2": "192.0.2.22",
        "port2": 5062,
        "callerid_add": "55",
        "max_calls": 30,
        "play_audio": 0,
        "hide_from_reseller": 1,
        "enable_fixed": 1,
        "enable_mobile": 1,
        "enable_ddi": 0,
        "register": 0,
        "status": 1,
        "annotations": f"Contrato {index}, Recepção",
    }


def sent(index: int) -> dict[str, Any]:
    """Return what the platform receives of it."""
    return {**declared(index), "did_type": 5}


def write_table(path: Path, size: int, width: int = USUAL, *, with_records: bool = False) -> None:
    """Write DIDs into a CSV file or a workbook with so many columns: numbers as numbers, texts as texts.

    ``with_records``: with the ids which the simulator gives them.
    """
    rows = _rows(size, width, with_records)
    if path.suffix == ".xlsx":
        by_excel(path, rows)
        return
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)


def _rows(size: int, width: int, with_records: bool) -> Iterator[list[Any]]:
    yield [*list(_row(0))[:width], *(["record_id"] if with_records else [])]
    for index in range(size):
        cells = list(_row(index).values())[:width]
        yield [*cells, *([FIRST_RECORD + index] if with_records else [])]


def write_json(path: Path, size: int, *, with_passwords: bool) -> None:
    """Write DIDs as JSON, to be read by a template."""
    dids = [declared(index) for index in range(size)]
    if not with_passwords:
        for did in dids:
            del did["password"]
    path.write_text(json.dumps(dids), encoding="utf-8")
