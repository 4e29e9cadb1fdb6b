# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the guides that tests write."""

from __future__ import annotations

import sys
from pathlib import Path

BEGIN, END = ".. begin of the table\n", ".. end of the table\n"


def put_table(text: str, table: str) -> str:
    """Return a document with the table in its place."""
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{table}\n{END}{tail}"


def write_table(table: str) -> None:
    """Put the table into the document that the command line names."""
    document = Path(sys.argv[1])
    document.write_text(put_table(document.read_text(encoding="utf-8"), table), encoding="utf-8")
