# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Encodes the body of a request. Pure."""

from __future__ import annotations

import json

from .._errors import InvalidParameter
from .._model import Plan

_ENCODER = json.JSONEncoder(ensure_ascii=False)
# Bytes. The vendor's error page: 413 for a body over 128 kB.
_BODY_LIMIT = 128_000


def encode_payload(plan: Plan) -> bytes:
    """Return the body of the request: JSON in UTF-8, as the vendor's samples write it.

    Raises C(InvalidParameter) if there is nothing to send, or too much.
    """
    desired = plan.desired
    if not plan.payload:
        raise InvalidParameter(
            f"{desired.label}: there is no field to send. Declare at least one (with update_password: on_create, an edit does not send the"
            " password)",
            did_number=desired.did_number,
            record_id=plan.record_id,
        )
    body = _ENCODER.encode(plan.payload).encode("utf-8")
    if len(body) > _BODY_LIMIT:
        raise InvalidParameter(
            f"{desired.label}: the request's body would be {len(body)} bytes; the platform takes {_BODY_LIMIT} (128 kB). Shorten"
            " annotations, description or host_additional",
            did_number=desired.did_number,
            record_id=plan.record_id,
        )
    return body
