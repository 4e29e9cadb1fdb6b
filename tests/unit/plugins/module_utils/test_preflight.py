# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person is told before a request is sent."""

from __future__ import annotations

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._engine.preflight import (
    length_warnings,
)


@pytest.mark.parametrize(
    ("number", "warned"),
    [("1" * 15, False), ("1" * 16, True), (f"+{'1' * 15}", False), (f"+{'1' * 16}", True)],
)
def test_more_digits_than_a_telephone_number_has(number: str, warned: bool) -> None:
    assert bool(length_warnings([None, "1166", number])) is warned


@pytest.mark.parametrize(("count", "rest"), [(20, ""), (21, " and 1 more"), (30, " and 10 more")])
def test_a_warning_names_the_first_twenty(count: int, rest: str) -> None:
    (warning,) = length_warnings(str(10**17 + number) for number in range(count))
    listed = warning.partition(": more than")[0]
    last = 10**17 + 19
    assert listed.endswith(f", {last}{rest}") and str(10**17) in listed


def test_a_warning_shows_the_beginning_of_a_long_number() -> None:
    (warning,) = length_warnings(["1" * 60 + "2"])
    assert f" {'1' * 60}:" in warning
