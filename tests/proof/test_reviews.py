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

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    LANGUAGES,
    Translations,
)
from ansible_collections.nextbilling.did.tests.support.accessibility import (
    check_keyboard,
    check_with_axe,
)
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
    hostile,
    item,
    many,
    page_of_each_kind,
    result,
    review_of,
    told,
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


def _pages() -> dict[str, str]:
    """Return pages to look at, in both languages."""
    blocks = [
        item(f"1130{block:03}{n:03}", "applied", changes={"host": {"before": "a", "after": "b"}})
        for block in range(30)
        for n in range(25)
    ]
    reviews = {
        "blocks": review_of(told(result(blocks), check_mode=False)),
        "interrupted": review_of(
            told(result(blocks[:40]), check_mode=False),
            told({}, status="started", task_uuid="2", check_mode=False),
            interrupted="interrupted",
        ),
        "hostile": review_of(*hostile("x" * 300 + "\u202e <b>")),
        "nothing": review_of(told(result([]))),
        "left out": review_of(told(result(many(10_000, 5_000)["creates"]))),
    }
    pages = {name: render(review, Translations("pt-BR")) for name, review in reviews.items()}
    return {
        **{name: files["review.html"] for name, files in pages.items()},
        "each kind": page_of_each_kind("en"),
    }


OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize("width", [390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(show: Callable[..., Tab], width: int, scheme: str) -> None:
    # The fixture requires that no page asks for anything.
    for text in _pages().values():
        tab = show(text, viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab.evaluate(OPEN)
        check_with_axe(tab)


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize("is_open", [False, True])
def test_the_keyboard_reaches_everything(show: Callable[..., Tab], is_open: bool) -> None:
    for name, text in _pages().items():
        if name != "left out":
            tab = show(text)
            if is_open:
                tab.evaluate(OPEN)
            check_keyboard(tab)


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize("dids", [10_000, 100_000])
def test_very_many_dids_stay_fluid(show: Callable[..., Tab], dids: int) -> None:
    check_that_it_stays_fluid(show, dids)
