# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation, as they stand there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ansible_collections.nextbilling.did.tests.simulator import client

COLLECTION = Path(client.__file__).parents[2]
DOCUMENTS = [
    path.relative_to(COLLECTION).as_posix()
    for pattern in ("README*.md", "roles/*/README.md", "docs/docsite/rst/*.rst")
    for path in sorted(COLLECTION.glob(pattern))
]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S+)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\S+)\n(?P<text>(?:\n|(?P=indent) +\S.*\n)+)",
    re.M,
)


class Example(NamedTuple):
    """A block of code in a document of the collection."""

    document: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Return where it begins."""
        return f"{self.document}:{self.line}"

    @property
    def is_playbook(self) -> bool:
        """Tell whether it can be given to ansible-playbook."""
        return self.language.startswith("yaml") and "hosts:" in self.text

    @property
    def is_table(self) -> bool:
        """Tell whether it is a CSV of DIDs."""
        head = self.text.partition("\n")[0].split(";")
        return self.language in ("csv", "text") and "did_number" in head

    def parse(self) -> Any:
        """Return what YAML makes of it."""
        return yaml.safe_load(self.text)


def examples(document: str) -> list[Example]:
    """Return all blocks of code of a document, in their order."""
    content = (COLLECTION / document).read_text("utf-8")
    expression = _DIRECTIVE if document.endswith(".rst") else _FENCE
    return [
        Example(
            document,
            content.count("\n", 0, found.start()) + 1,
            found["language"].lower(),
            textwrap.dedent(found["text"]).strip("\n") + "\n",
        )
        for found in expression.finditer(content)
    ]


def yaml_examples() -> list[Example]:
    """Return all YAML of all documents."""
    return [
        each
        for document in DOCUMENTS
        for each in examples(document)
        if each.language.startswith("yaml")
    ]
