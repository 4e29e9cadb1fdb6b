# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Writes lines of the history."""

from __future__ import annotations

import functools
import os
import socket
import typing as t
from collections.abc import Mapping

from .._model import Intent, timestamp
from .records import dump, new_key


@functools.cache
def actor() -> str:
    """Return who runs this, as user@host, for claims and history."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())  # a container's user often has no name
    return f"{user}@{socket.gethostname()}"


def history_row(
    event: str,
    platform: str,
    number: str | None,
    record_id: int | None,
    details: Mapping[str, t.Any],
    record_key: str | None,
) -> dict[str, t.Any]:
    """Return a line of history, by column. C(record_key): of the record that it is about, None if that is not known."""
    return {
        "entry_key": new_key(),  # rises with time, so that lines of one second keep their order
        "at": timestamp(),
        "actor": actor(),
        "event": event,
        "platform": platform,
        "number": number,
        "record_id": record_id,
        "details": dump(details),
        "record_key": record_key,
    }


def request_row(
    event: str,
    platform: str,
    intent: Intent,
    record_id: int,
    details: Mapping[str, t.Any],
    record_key: str | None,
) -> dict[str, t.Any]:
    """Return the line that a request leaves."""
    row = history_row(event, platform, intent.number, record_id, details, record_key)
    return {**row, "run_key": intent.run, "action": intent.action}
