# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a review as axe-core judges it, and as the keyboard reaches it."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab

# https://www.npmjs.com/package/axe-core
PACKAGE = "axe-core@4.14.1"
DIGEST = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
LIMIT = 120
# All rules, those for good practice included. Nothing is loaded for them.
RUN = """async () => {
  const result = await axe.run(document, { preload: false, resultTypes: ["violations"] });
  const found = (kind) => result[kind].map((rule) =>
    rule.id + ": " + rule.nodes.slice(0, 3).map((node) => node.html.slice(0, 120) + " " + node.failureSummary).join("; "));
  return [found("violations"), result.passes.length];
}"""
# Whatever a mouse can work.
NUMBER_ALL = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0'], [contenteditable], [onclick]")];
  const seen = all.filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled);
  seen.forEach((element, place) => { element.dataset.place = place; });
  document.activeElement.blur();
  return seen.length;
}"""
REACHED = "document.activeElement.dataset.place ?? null"


@cache
def axe_source() -> str:
    """Return the source of axe-core, from npm. Skip the test if npm does not have it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on the PATH: axe-core is not run (apt-get install npm)")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        if packed.returncode != 0:
            pytest.skip(f"npm cannot get {PACKAGE}: axe-core is not run")
        (file,) = Path(folder).glob("*.tgz")
        tarball = file.read_bytes()
    assert base64.b64encode(hashlib.sha512(tarball).digest()).decode() == DIGEST
    with tarfile.open(fileobj=io.BytesIO(tarball)) as files:
        source = files.extractfile("package/axe.min.js")
        assert source is not None
        return source.read().decode()


def check_with_axe(tab: Tab) -> None:
    """Require axe-core to find nothing on a page."""
    tab.evaluate(axe_source())
    violations, passes = tab.evaluate(RUN)
    assert violations == [] and passes >= 20


def check_keyboard(tab: Tab) -> None:
    """Require the key Tab to reach all that a mouse can work, in the order of the page."""
    count = tab.evaluate(NUMBER_ALL)
    reached = []
    for _step in range(count):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate(REACHED))
    assert count > 0 and reached == [str(place) for place in range(count)]
