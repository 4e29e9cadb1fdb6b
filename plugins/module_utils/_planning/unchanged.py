# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Tells which DIDs need nothing by their stored texts alone, as C(decide) would say, and faster. Pure."""

from __future__ import annotations

import json

from .._fields import SECRETS
from .._model import Policy
from .._registry.registry import ConfirmedText
from .checksum import stored_text, unchanged_digest

_MISSING = object()


def digest_if_unchanged(
    number: str, record_id: int | None, declared: str, record: ConfirmedText, policy: Policy
) -> bytes | None:
    """Return the digest of a DID that needs nothing, for the plan's checksum; None for one of which C(decide) has to say what it needs.

    :param record_id: the declared one.
    :param declared: its stored text.
    :param record: the record of its number, confirmed and not claimed.
    """
    known_id, fields = record
    if policy.force or (record_id is not None and record_id != known_id):
        return None
    if declared == fields:
        return unchanged_digest(number, known_id, fields, declared)
    # An edit adds fields behind the others, and a list need not declare all of them.
    try:
        known = json.loads(fields)
    except ValueError:
        return None
    values = json.loads(declared)
    compared = values.keys()
    if policy.update_password == "on_create":
        compared -= set(SECRETS)
    if not isinstance(known, dict) or any(
        known.get(name, _MISSING) != values[name] for name in compared
    ):
        return None
    return unchanged_digest(number, known_id, stored_text(known), declared)
