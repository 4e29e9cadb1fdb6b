# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a review in a real Chromium: counts, filters, search, order, copying, keyboard, and no request to anywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page as Tab

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    Translations,
)
from ansible_collections.nextbilling.did.tests.support.browser import (
    browser,
    check_that_it_stays_fluid,
    heard,
    needs_chromium,
    numbers,
    show,
)
from ansible_collections.nextbilling.did.tests.support.reviews import (
    hostile,
    item,
    page_of_each_kind,
    result,
    review_of,
    told,
)

__all__ = ["browser", "heard", "show"]

pytestmark = needs_chromium


def test_the_page_tells_the_counts_and_finds_what_is_asked_for(show: Callable[..., Tab]) -> None:
    tab = show(page_of_each_kind())
    tiles = tab.locator(".tile").all_inner_texts()
    assert [" ".join(tile.split()) for tile in tiles] == [
        "1 unknown",
        "1 failed",
        "1 not attempted",
        "1 hidden",
        "2 to create",
        "102 to update",
        "393 unchanged",
        "500 in all",
    ]
    assert tab.locator("svg rect").count() == 7
    everything = numbers(tab)
    assert everything == [
        *("A secret", "1130004000", "1130004005", "1130005000", "1130002000", "1130002005"),
        *("1130001000 – 1130001099", "1130003000", "1130003007"),
    ]
    search, status = tab.get_by_role("searchbox"), tab.get_by_role("status")
    for query, found in (
        ("1130001050", ["1130001000 – 1130001099"]),
        ("(11) 3000-1050", ["1130001000 – 1130001099"]),
        ("NUMERO de", ["1130002000"]),
        ("may or may not", ["1130004000"]),
        ("1130009999", []),
    ):
        search.fill(query)
        assert numbers(tab) == found, query
    assert tab.get_by_text("Nothing matches.").is_visible()
    search.fill("1130001050")
    assert status.inner_text() == "1 line with 100 DIDs"
    heading = tab.get_by_role("heading", name="Other changes")
    assert not heading.is_visible()
    search.fill("description")
    assert " ".join(heading.inner_text().split()) == "Other changes 2 of 2 DIDs"
    search.fill("1130003007")
    assert " ".join(heading.inner_text().split()) == "Other changes 1 of 2 DIDs"
    tab.get_by_role("button", name="Show all").click()
    assert " ".join(heading.inner_text().split()) == "Other changes 2 DIDs"
    assert numbers(tab) == everything

    tab.get_by_role("button", name="2 to create").click()
    tab.get_by_role("button", name="1 failed").click()
    assert numbers(tab) == ["1130004005", "1130002000", "1130002005"]
    assert tab.get_by_role("button", name="1 failed").get_attribute("aria-pressed") == "true"
    assert not tab.get_by_role("heading", name="Other changes").is_visible()
    tab.get_by_role("button", name="1 failed").click()
    assert status.inner_text() == "2 lines with 2 DIDs"
    search.fill("abc")
    assert numbers(tab) == ["1130002005"]
    search.press("Escape")
    assert numbers(tab) == everything


def test_a_change_of_many_blocks_unfolds_and_each_number_in_it_is_found(
    show: Callable[..., Tab],
) -> None:
    items = [
        item(f"+1130{block:03}{n:03}", changes={"port": {"before": 5060, "after": 5061}})
        for block in range(30)
        for n in range(25)
    ]
    items.append(item("1130500000", changes={"port": {"before": 5060, "after": 5062}}))
    page = render(review_of(told(result(items))), Translations("en"))["review.html"]
    tab = show(page, permissions=["clipboard-read", "clipboard-write"])
    assert numbers(tab) == ["750 DIDs in 30 ranges", "1130500000"]
    last = tab.get_by_text("+1130029000 – +1130029024")
    assert not last.is_visible()
    summary = tab.get_by_text("Numbers", exact=True)
    summary.focus()
    tab.keyboard.press("Enter")
    assert last.is_visible()
    tab.get_by_role("searchbox").fill("+1130017013")
    assert numbers(tab) == ["750 DIDs in 30 ranges"]
    tab.get_by_role("searchbox").fill("1130017025")
    assert numbers(tab) == []
    tab.get_by_role("searchbox").fill("")
    tab.get_by_role("button", name="Copy 750 DIDs in 30 ranges").click()
    copied = tab.evaluate("navigator.clipboard.readText()").split("\n")
    assert copied == [one["did_number"] for one in items[:-1]]


def test_lines_are_put_in_order(show: Callable[..., Tab]) -> None:
    tab = show(page_of_each_kind())
    tab.get_by_role("combobox").select_option("age")
    assert numbers(tab)[-2:] == ["1130003000", "1130003007"]
    tab.get_by_role("combobox").select_option("list")
    assert numbers(tab)[4:6] == ["1130002000", "1130002005"]
    tab.get_by_role("combobox").select_option("number")
    assert numbers(tab)[0] == "A secret"


def test_numbers_are_copied_and_the_keyboard_is_enough(show: Callable[..., Tab]) -> None:
    tab = show(page_of_each_kind(), permissions=["clipboard-read", "clipboard-write"])
    tab.get_by_role("button", name="Copy 1130002000").click()
    assert tab.evaluate("navigator.clipboard.readText()") == "1130002000"
    folded = tab.get_by_role("button", name="Copy 1130001000 – 1130001099")
    folded.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('[role=status]').textContent === 'Copied'")
    copied = tab.evaluate("navigator.clipboard.readText()").split("\n")
    assert copied == [f"11300010{n:02}" for n in range(100)]
    for name, text in (("Copy: Plan checksum", "5f" * 32), ("Copy", "- name: Look\n  x: y")):
        tab.get_by_role("button", name=name, exact=True).click()
        assert tab.evaluate("navigator.clipboard.readText()") == text

    tab.keyboard.press("/")
    tab.keyboard.type("1130003007")
    assert numbers(tab) == ["1130003007"]
    tab.keyboard.press("Escape")
    # From the top: the link past all, then each thing that can be worked, and every one of them has a name.
    tab = show(page_of_each_kind())
    reached = []
    for _step in range(12):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("document.activeElement.tagName + ' ' + document.activeElement.innerText")
        )
    assert reached[0].startswith("A Skip") and sum(one.startswith("BUTTON") for one in reached) >= 5
    assert any(one.startswith("INPUT") for one in reached)


def test_the_page_reads_without_its_script(show: Callable[..., Tab]) -> None:
    tab = show(page_of_each_kind("pt-BR"), java_script_enabled=False)
    assert len(numbers(tab)) == 9
    assert tab.get_by_role("heading", name="Pedem uma decisão").is_visible()
    assert tab.get_by_role("searchbox").count() == 0 and tab.locator("button:visible").count() == 0
    assert "- name: Look" in tab.locator("pre:visible").inner_text()


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_everything_can_be_read(
    show: Callable[..., Tab], width: int, scheme: str
) -> None:
    tab = show(
        render(review_of(*hostile("x" * 300 + "\u202e <b>")), Translations("pt-BR"))["review.html"],
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(_LEAST_CONTRAST) >= 4.5


# The least contrast of any text with what is behind it, as WCAG 2 reckons it. Backgrounds that let others shine through are laid over each other.
_LEAST_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let least = 21;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("script, option")) continue;
    const behind = [];
    for (let e = element; e; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const [text, back] = [light(over([...behind, getComputedStyle(element).color])), light(over(behind))];
    least = Math.min(least, (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05));
  }
  return least;
}"""


def test_hostile_text_does_nothing_in_a_browser(show: Callable[..., Tab], heard: list[str]) -> None:
    text = "</script><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\"'><svg onload=alert(3)>"
    tab = show(render(review_of(*hostile(text)), Translations("en"))["review.html"])
    assert tab.locator("img").count() == 0 and tab.locator("script").count() == 1
    # Even a script that got in would not run, and could ask for nothing.
    ran = tab.evaluate("""() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          return window.ran === true;
        }""")
    policy = tab.locator("meta[http-equiv]").get_attribute("content")
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy
    assert not ran
    assert "Content Security Policy" in heard.pop()


def test_many_dids_stay_fluid(show: Callable[..., Tab]) -> None:
    check_that_it_stays_fluid(show, 2_000)
