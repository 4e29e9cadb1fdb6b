# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the pictures of the README and the site from what the demo prints and writes. Run by ``make pictures``; needs Chromium."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image, PngImagePlugin
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from ansible_collections.nextbilling.did.tests.pictures import demonstration

# As in tests/support/browser.py, which belongs to the tests.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
# The size of the picture of a review, at most, in CSS pixels.
WIDTH, HEIGHT = 1000, 1300
FOLD = """() => {
  for (const each of document.querySelectorAll("details")) each.open = false;
  return document.documentElement.scrollHeight;
}"""
# What stands around the lines in the SVG: rich's own template asks another host for a font.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="The output of make demo" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(folder: Path) -> int:
    """Make both pictures in a folder; return the exit code."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("pictures: no Chromium is on the PATH (apt-get install chromium)", file=sys.stderr)
        return 1
    demo = demonstration.show()
    (folder / "demo.svg").write_text(terminal(demo.printed), "utf-8")
    content = page(chromium, demo.review)
    (folder / "review.png").write_bytes(compressed(content, demonstration.words(demo.review)))
    return 0


def terminal(printed: str) -> str:
    """Return the SVG of a terminal that shows the chosen steps of the demo."""
    text = Text.from_ansi(demonstration.excerpt(printed))
    width = max(len(line.rstrip()) for line in text.plain.splitlines())
    console = Console(
        record=True, file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor"
    )
    console.print(text, overflow="ignore", no_wrap=True)
    return console.export_svg(title="make demo", code_format=TEMPLATE, unique_id="demo")


def page(chromium: str, review: str) -> bytes:
    """Return a screenshot of a review, with all that a reader can fold folded."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        # Twice as many pixels as are shown, for screens that have them.
        tab = browser.new_page(
            viewport={"width": WIDTH, "height": 800}, device_scale_factor=1.6, color_scheme="light"
        )
        tab.set_content(review)
        height = tab.evaluate(FOLD)
        tab.set_viewport_size({"width": WIDTH, "height": min(height, HEIGHT)})
        content = tab.screenshot()
        browser.close()
    return content


def compressed(screenshot: bytes, words: str) -> bytes:
    """Return a screenshot in 256 colours, which are enough for text, with the review's words beside it."""
    picture = (
        Image.open(io.BytesIO(screenshot)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    )
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt(demonstration.NOTE, words, zip=True)
    target = io.BytesIO()
    picture.save(target, "PNG", optimize=True, pnginfo=notes)
    return target.getvalue()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
