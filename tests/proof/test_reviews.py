# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reviews of many DIDs, and of text that others wrote to do harm.

C(PROOF_STEPS) sets how many texts are tried, C(make proof) sets it to many.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import hypothesis
import pytest
from playwright.sync_api import Page as Tab

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import LANGUAGES
from ansible_collections.nextbilling.did.tests.support.browser import (
    browser,
    check_that_it_stays_fluid,
    heard,
    needs_chromium,
    show,
)
from ansible_collections.nextbilling.did.tests.support.reviews import (
    NASTY,
    check_hostile_text,
    check_markdown,
    many,
)

__all__ = ["browser", "heard", "show"]

TEXTS = int(os.environ.get("PROOF_STEPS", "1200")) // 24


@hypothesis.settings(deadline=None, max_examples=TEXTS)
@hypothesis.given(NASTY)
def test_hostile_text_stays_text_in_every_form(text: str) -> None:
    check_hostile_text(text)


@pytest.mark.long
@pytest.mark.parametrize("name", many(1, 1))
@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_stays_short_and_drops_no_count(name: str, language: str) -> None:
    check_markdown(many(10_000, 5_000)[name], language)


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize("dids", [10_000, 100_000])
def test_very_many_dids_stay_fluid(show: Callable[..., Tab], dids: int) -> None:
    check_that_it_stays_fluid(show, dids)
