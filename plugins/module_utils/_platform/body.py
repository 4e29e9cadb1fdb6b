# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""A request's body."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping

from .._errors import InvalidParameter

BODY_LIMIT = 128_000
"""Bytes; the vendor's error page: 413 for a body over 128 kB."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def encode(payload: Mapping[str, t.Any]) -> bytes:
    """Return the request's body: JSON in UTF-8, as the vendor's samples write it. Raises C(InvalidParameter) if it is too large."""
    body = _ENCODER.encode(payload).encode("utf-8")
    if len(body) > BODY_LIMIT:
        raise InvalidParameter(
            f"the request's body would be {len(body)} bytes; the platform takes {BODY_LIMIT} (128 kB). Shorten annotations, description"
            " or host_additional"
        )
    return body
