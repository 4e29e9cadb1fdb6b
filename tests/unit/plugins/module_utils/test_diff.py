# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What --diff shows of secrets: marks on both sides, and never a value. And what it shows of corrections."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    FORGOTTEN,
    RECORDED,
    UNKNOWN,
    Correction,
    Desired,
    NewState,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning.decide import decide
from ansible_collections.nextbilling.did.plugins.module_utils._planning.diff import (
    corrections_diff,
    diff,
)
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import (
    MASK,
    MASK_AS_APPLIED,
    MASK_NEW,
    MASK_OF_OTHER_KEY,
    Fingerprints,
)

FINGERPRINTS = Fingerprints("key", "registry")
OTHERS = Fingerprints("another key", "registry")


@pytest.mark.parametrize(
    ("stored", "before", "after"),
    [
        (FINGERPRINTS.of("password", "geheim"), MASK, MASK),
        (FINGERPRINTS.of("password", "anders"), MASK_AS_APPLIED, MASK_NEW),
        (OTHERS.of("password", "geheim"), MASK_OF_OTHER_KEY, MASK_NEW),
        (None, None, MASK_NEW),
    ],
)
def test_a_password_is_shown_by_what_is_known_of_it(
    stored: dict[str, str] | None, before: str | None, after: str
) -> None:
    fields: dict[str, Any] = {"did_number": "1166", "port": 1}
    if stored is not None:
        fields["password"] = stored
    known = Record("key", 1, 12, CONFIRMED, ("1166",), fields, {}, None, None)
    desired = Desired({"did_number": "1166", "port": 2, "password": "geheim"})
    shown = diff(decide(desired, known, None, Policy(), FINGERPRINTS))
    sides = [
        dict(line.split(": ", 1) for line in shown[side].splitlines())
        for side in ("before", "after")
    ]
    assert [side["port"] for side in sides] == ["1", "2"]
    assert sides[0].get("password") == (None if before is None else f'"{before}"')
    assert sides[1]["password"] == f'"{after}"'
    assert "geheim" not in str(shown)


def test_corrections_are_shown_in_words_and_fields_as_in_other_diffs() -> None:
    open_create = Record("key", 1, None, UNKNOWN, ("1166",), {}, {"did_number": "1166"}, None, None)
    fields = {"did_type": 5, "password": FINGERPRINTS.of("password", "geheim"), "enable_mobile": 1}
    known = Record("key 2", 1, 12, CONFIRMED, ("1167",), fields, {}, None, None)
    shown = corrections_diff(
        [
            Correction(FORGOTTEN, open_create, None, "attempt"),
            Correction(RECORDED, known, NewState("1167", 13, {"description": "a\u202eb"})),
        ]
    )
    assert shown["before"] == (
        "1166: no record id, outcome unknown\n"
        f'1167: record 12, confirmed, {{"did_type": "queue (5)", "password": "{MASK}", "enable_mobile": true}}\n'
    )
    assert shown["after"].startswith('1167: record 13, confirmed, {"description": "a')
    assert "\u202e" not in shown["after"]
