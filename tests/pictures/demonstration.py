# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo prints and writes, and what of that pictures show."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from ansible_collections.nextbilling.did.tests.simulator import client

COLLECTION = Path(client.__file__).parents[2]
PICTURES = COLLECTION / "docs" / "pictures"
# The steps of the demo in the picture of the terminal, by the beginnings of their headings.
STEPS = ("Apply again: ", "Edit one of them: ", "What the platform holds now")
# The name under which the picture of the review keeps the words of the page.
NOTE = "Comment"

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# What is different each time (times, ports, temporary folders, keys), and what only newer versions of ansible-core put before a task's name.
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?( UTC|Z)?"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"/[\w/.-]*/registry\.db"), "registry.db"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "KEY"),
    (re.compile(r"\bnextbilling\.did\.provision : "), ""),
)


class Demonstration(NamedTuple):
    """What the demo printed, with colours, and the page of the list's review."""

    printed: str
    review: str


def show() -> Demonstration:
    """Run the demo."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "FORCE_COLOR": "1",
            "NEXTBILLING_REVIEW_DIR": folder,
            "NEXTBILLING_REVIEW_LANGUAGE": "en",
        }
        done = subprocess.run(
            [sys.executable, "tests/demo/demo.py"],
            cwd=COLLECTION,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            timeout=600,
            check=True,
        )
        return Demonstration(done.stdout, (Path(folder) / "review.html").read_text("utf-8"))


def excerpt(printed: str) -> str:
    """Return the chosen steps of the demo, with their colours."""
    steps = re.split(r"^(?=(?:\x1b\[[0-9;]*m)*== )", printed, flags=re.MULTILINE)
    chosen = [
        step for step in steps if _ESCAPES.sub("", step).removeprefix("== ").startswith(STEPS)
    ]
    if len(chosen) != len(STEPS):
        raise LookupError(f"the demo shows {len(chosen)} of the steps {STEPS}")
    return "".join(chosen).strip("\n")


def lines(printed: str) -> list[str]:
    """Return the lines of the chosen steps, without colours."""
    return [line.rstrip() for line in _ESCAPES.sub("", excerpt(printed)).splitlines()]


def words(review: str) -> str:
    """Return the words of a review's page in their order, with marks in place of what is different each time."""
    shown = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", review, flags=re.DOTALL)
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", shown)).split())
    for pattern, mark in _VARYING:
        text = pattern.sub(mark, text)
    return text
