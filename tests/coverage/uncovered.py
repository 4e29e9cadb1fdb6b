# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare what no test takes with what uncovered.yml says of it, so that neither grows unseen.

``python uncovered.py REPORT``, with the report of ``coverage json``. A place is named by its file, its function and the text of its
line, so that it is found again when lines move: the first of a run of lines that no test takes, or the one behind which a branch is not
taken. Exits with 1 where a place is not listed. One that is listed and was taken is told alone, as that may depend on time and machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

COLLECTION = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("uncovered.yml")
# In place of a line, for a file that no test loads.
NEVER_LOADED = "never loaded"


class Place(NamedTuple):
    """Where something is not taken."""

    file: str
    function: str
    line: str

    def __str__(self) -> str:
        return f"{self.file}: {self.function or 'outside functions'}: {self.line}"


def places(report: dict[str, Any], root: Path = COLLECTION) -> Iterator[Place]:
    """Yield the places that a report calls not taken, and the files of C(plugins/) that it does not know."""
    for file, found in report["files"].items():
        text = (root / file).read_text(encoding="utf-8").splitlines()
        for function, region in found["functions"].items():
            for number in _numbers(region):
                yield Place(file, function, text[number - 1].strip())
    for path in sorted(root.glob("plugins/**/*.py")):
        file = path.relative_to(root).as_posix()
        if file not in report["files"] and path.read_bytes():
            yield Place(file, "", NEVER_LOADED)


def _numbers(region: dict[str, Any]) -> Iterator[int]:
    missing = set(region["missing_lines"])
    before = 0
    for number in sorted(missing.union(region["executed_lines"])):
        if number in missing and before not in missing:
            yield number
        before = number
    # A branch to a line that is missing is told by that line; one out of the function has a negative target.
    yield from (
        origin
        for origin, target in region["missing_branches"]
        if origin not in missing and target not in missing
    )


def listed(text: str) -> set[Place]:
    """Return the places of a list, each of which must have a reason."""
    found = set()
    for file, functions in yaml.safe_load(text).items():
        for function, entries in functions.items():
            for entry in entries:
                if not str(entry["why"]).strip():
                    raise ValueError(f"{file}: {function}: no reason is given")
                found.add(Place(file, function, entry["line"]))
    return found


def main(report: str) -> int:
    """Tell what differs; return what the process exits with."""
    found = set(places(json.loads(Path(report).read_text(encoding="utf-8"))))
    expected = listed(LIST.read_text(encoding="utf-8"))
    for place in sorted(expected - found):
        print(f"Taken after all, or changed; see whether it is still to be listed: {place}")
    for place in sorted(found - expected):
        print(f"No test takes this, and {LIST.name} does not say why: {place}")
    print(f"{len(found & expected)} places that no test takes are listed with their reasons.")
    return 1 if found - expected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
