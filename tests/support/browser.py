# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a review in a real Chromium. The conftest.py of a tier imports the fixtures that its tests need."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    Translations,
)
from ansible_collections.nextbilling.did.tests.support.reviews import (
    item,
    result,
    review_of,
    told,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="no Chromium on the PATH: the page is not tried in a browser (apt-get install chromium)",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def heard() -> list[str]:
    """What a page asks for or says, beside itself: requests, dialogs, errors, and messages on the console."""
    return []


@pytest.fixture
def show(browser: Browser, heard: list[str], tmp_path: Path) -> Iterator[Callable[..., Tab]]:
    """Shows a page. In the end nothing must have been heard."""
    contexts = []

    def shown(text: str, **options: Any) -> Tab:
        file = tmp_path / "review.html"
        file.write_text(text, "utf-8")
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: heard.append(request.url))
        tab.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
        tab.on("console", lambda message: heard.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: heard.append(f"error: {error}"))
        tab.goto(file.as_uri())
        heard.remove(file.as_uri())
        return tab

    yield shown
    for context in contexts:
        context.close()
    assert heard == []


def numbers(tab: Tab) -> list[str]:
    """Return what stands at the head of each line that can be seen."""
    return tab.locator(".line:visible .who .name").all_inner_texts()


def check_that_it_stays_fluid(show: Callable[..., Tab], dids: int) -> None:
    """Require a page of so many DIDs to answer to what is typed."""
    items = [
        item(f"11{n * 3:08}", action="create" if n % 2 else "update", changes={
            "description": {"before": "a", "after": f"Padaria nº {n}"},
            "host": {"before": "10.0.0.1", "after": "10.0.0.2"},
            "port": {"before": 5060, "after": 5061},
        })
        for n in range(dids)
    ]  # fmt: skip
    text = render(review_of(told(result(items))), Translations("en"))["review.html"]
    began = time.monotonic()
    tab = show(text)
    loaded = time.monotonic() - began
    took = tab.evaluate(
        """async (queries) => {
          const field = document.querySelector("input");
          let longest = 0;
          for (const query of queries) {
            const start = performance.now();
            field.value = query;
            field.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            longest = Math.max(longest, performance.now() - start);
          }
          return longest;
        }""",
        ["1", "11", "1100000", "padaria nº 99", "none of them", ""],
    )
    print(
        f"\n{dids:,} lines: {len(text.encode()):,} bytes loaded in {loaded:.1f} s, the slowest keystroke took {took:.0f} ms"
    )
    assert len(text.encode()) < 10_000_000
    on_page = text.count('<li class="line')
    assert tab.get_by_role("status").inner_text() == f"{on_page:,} lines with {on_page:,} DIDs"
    left = f"{dids - on_page:,} lines with {dids - on_page:,} DIDs not on this page"
    assert (on_page < dids) == any(left in one for one in tab.locator(".left").all_inner_texts())
    assert (
        tab.evaluate("getComputedStyle(document.querySelector('.line')).contentVisibility")
        == "auto"
    )
    # Each section shows some lines at first, and more whenever somebody asks.
    assert len(numbers(tab)) == 400
    tab.get_by_role("button", name="Show 200 more").first.press("Enter")
    assert len(numbers(tab)) == 600
    last = tab.locator(".line .who .name").all_inner_texts()[-1]
    tab.get_by_role("searchbox").fill(last)
    assert numbers(tab) == [last]
