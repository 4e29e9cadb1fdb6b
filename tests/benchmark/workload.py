# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The DIDs that the benchmark declares, as a file, as a list, and as the platform is to receive them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

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


def sent(index: int) -> dict[str, Any]:
    """Return what the platform receives of it."""
    return {**declared(index), "did_type": 5}


def write_csv(path: Path, size: int, *, with_records: bool = False) -> None:
    """Write DIDs as a spreadsheet would; ``with_records``: with the ids which the simulator gives them."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([*declared(0), *(["record_id"] if with_records else [])])
        for index in range(size):
            did = declared(index)
            did["host_additional"] = " ".join(did["host_additional"])
            writer.writerow([*did.values(), *([FIRST_RECORD + index] if with_records else [])])


def write_json(path: Path, size: int, *, with_passwords: bool) -> None:
    """Write DIDs as JSON, to be read by a template."""
    dids = [declared(index) for index in range(size)]
    if not with_passwords:
        for did in dids:
            del did["password"]
    path.write_text(json.dumps(dids), encoding="utf-8")
