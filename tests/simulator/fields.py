# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platform takes as fields of a DID, by the parameter list of the vendor's page.

Deliberately not shared with the collection: a mistake in its table of fields has to show here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

Check = Callable[[Any], Optional[str]]

# The codes that the vendor's page lists; 2, 3 and 7 are not among them.
DID_TYPES = (0, 1, 4, 5, 6, 8, 9, 10)


def _whole(least: int, most: int | None = None) -> Check:
    """A check for a JSON number without a fraction; true and false are no numbers."""
    bounds = f"from {least}" if most is None else f"from {least} to {most}"

    def check(value: Any) -> str | None:
        right = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if right and (most is None or value <= most):
            return None
        return f"must be a whole number {bounds}"

    return check


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


def _number(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch(r"\+?[0-9]+", value):
        return None
    return "must be a string of digits"


def _did_type(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and value in DID_TYPES:
        return None
    return "must be one of " + ", ".join(str(code) for code in DID_TYPES)


def _texts(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return None
    return "must be a list of strings"


_ID = _whole(0)
_PORT = _whole(0, 65535)
# Flags as 0 and 1 are inferred from the platform's sibling endpoints.
_FLAG = _whole(0, 1)

FIELDS: Mapping[str, Check] = {
    "customer_id": _ID,
    "description": _text,
    "rate_id": _ID,
    "rate_cost_id": _ID,
    "did_number": _number,
    "did_type": _did_type,
    "did_type_id": _ID,
    "device_id": _ID,
    "host": _text,
    "port": _PORT,
    "username": _text,
    "password": _text,
    "techprefix1": _text,
    "ip_address1": _text,
    "port1": _PORT,
    "techprefix2": _text,
    "ip_address2": _text,
    "port2": _PORT,
    "callerid_add": _text,
    "max_calls": _whole(0),
    "play_audio": _FLAG,
    "hide_from_reseller": _FLAG,
    "enable_fixed": _FLAG,
    "enable_mobile": _FLAG,
    "enable_ddi": _FLAG,
    "register": _FLAG,
    "status": _whole(0),
    "annotations": _text,
    "host_additional": _texts,
}


def first_fault(
    fields: Mapping[str, Any], required: Iterable[str], *, takes_unknown: bool = False
) -> str | None:
    """Say what is wrong with the fields of a request, or None.

    ``required`` names the fields that must be there, ``takes_unknown`` tells whether there may be
    some that are not on the vendor's page. Values never appear in the answer.
    """
    for name in required:
        if name not in fields:
            return f"required parameter {name} is missing"
    for name, value in fields.items():
        check = FIELDS.get(name)
        if check is None:
            if takes_unknown:
                continue
            return f"unknown parameter {name[:80]}"
        problem = check(value)
        if problem is not None:
            return f"parameter {name} {problem}"
    return None


def digits(number: Any) -> str:
    """The identity of a DID: the digits of its number alone."""
    return re.sub(r"[^0-9]", "", number) if isinstance(number, str) else ""
