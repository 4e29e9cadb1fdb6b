# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows of that which is printed, compared with what is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.model import CHECK
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    CLOSING_ORDER,
    LANGUAGES,
    Translations,
)

# In place of lines that are left out.
LEFT_OUT = ("…", "...")
_CLOSING = re.compile(r"^DIDs: (?P<counts>.+) → (?P<page>\S+)$", re.M)
_CHANGED = re.compile(r"^localhost +: .*\bchanged=(\d+)", re.M)
_STATUS = re.compile(r"^(changed|fatal|failed|ok|skipping): \[localhost\]", re.M)


def differences(documented: Sequence[str], printed: str) -> list[str]:
    """Return the lines of a document that are not printed.

    The closing line of a review may hold other counts than the document's: then their words and their order are compared with
    what would be printed for the document's counts.
    """
    missing = []
    for line in documented:
        closing = _CLOSING.match(line)
        if line in LEFT_OUT or line in printed.splitlines():
            continue
        pages = [found["page"] for found in _CLOSING.finditer(printed)]
        if (
            closing is None
            or closing["page"] not in pages
            or closing["counts"]
            not in {closing_counts(closing["counts"], each) for each in LANGUAGES}
        ):
            missing.append(line)
    return missing


def closing_counts(counts: str, language: str) -> str:
    """Return counts as the closing line of a check run has them; those of no known kind are left out."""
    numbers = {}
    for count in counts.split(", "):
        number, _blank, word = count.partition(" ")
        numbers[word] = int(re.sub("[.,]", "", number))
    words = Translations(language)
    mode = words.closing_mode(CHECK)
    names = [(words.kind(key, mode, number), number) for key in CLOSING_ORDER for number in (1, 2)]
    order = dict.fromkeys(name for name, _number in names)
    return ", ".join(f"{words.number(numbers[name])} {name}" for name in order if name in numbers)


def statuses(printed: str) -> Iterator[list[str]]:
    """Yield for each task of a run of ansible-playbook how it ended: once, or for each turn of a loop."""
    for told in printed.split("\nTASK [")[1:]:
        yield _STATUS.findall(told)


def changed(printed: str) -> list[int]:
    """Return how many tasks changed something, for each run of ansible-playbook."""
    return [int(number) for number in _CHANGED.findall(printed)]
