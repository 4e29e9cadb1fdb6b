# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation, as they stand there."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
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
MODULES = [
    path.relative_to(COLLECTION).as_posix()
    for path in sorted((COLLECTION / "plugins" / "modules").glob("*.py"))
    if path.stem != "__init__"
]
# The language of a command that stands within a sentence.
COMMAND = "command"

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S+)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\S+)\n(?P<text>(?:\n|(?P=indent) +\S.*\n)+)",
    re.M,
)
_MARKDOWN_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.M)
_RST_HEADING = re.compile(r"^(?P<title>\S.*)\n(?P<line>[=\-^~])(?P=line)+$", re.M)
_MARKDOWN_CODE = re.compile(r"(?<!`)`(?P<text>[^`]+)`(?!`)")
_RST_CODE = re.compile(r"(?<!`)``(?P<text>[^`]+)``(?!`)")
# A program with arguments is a command; alone it is a mere name.
_PROGRAM = re.compile(
    r"(?:ansible-\w+|curl|gh|git|kill|make|pg_dump|pip|psql|python3?|sqlite3) \S", re.A
)


class Example(NamedTuple):
    """A block of code in a document of the collection."""

    document: str
    line: int
    language: str
    text: str
    # The heading that it stands under.
    section: str = ""

    @property
    def place(self) -> str:
        """Return where it begins."""
        return f"{self.document}:{self.line}"

    @property
    def is_yaml(self) -> bool:
        """Tell whether it is YAML, with or without templates in it."""
        return self.language.startswith("yaml")

    @property
    def is_playbook(self) -> bool:
        """Tell whether it can be given to ansible-playbook."""
        return self.is_yaml and "hosts:" in self.text

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
    content = read(document)
    return [
        Example(
            document,
            _line(content, found),
            found["language"].lower(),
            textwrap.dedent(found["text"]).strip("\n") + "\n",
            _section(document, content, found.start()),
        )
        for found in _blocks(document).finditer(content)
    ]


def passages(document: str) -> list[Example]:
    """Return all that a document, or the examples of a module, tell to run: blocks of code, and commands within sentences, in their order."""
    if document in MODULES:
        return [_of_module(document)]
    content = read(document)
    commands = [
        Example(
            document,
            _line(content, found),
            COMMAND,
            " ".join(found["text"].split()) + "\n",
            _section(document, content, found.start()),
        )
        for found in _inline(document, content)
        if _PROGRAM.match(found["text"])
    ]
    return sorted([*examples(document), *commands], key=lambda example: example.line)


def names(document: str) -> Iterator[tuple[int, str]]:
    """Yield all that is set as code within sentences, each with its line."""
    content = read(document)
    for found in _inline(document, content):
        yield _line(content, found), " ".join(found["text"].split())


def read(document: str) -> str:
    """Return a document's text."""
    return (COLLECTION / document).read_text("utf-8")


def _of_module(document: str) -> Example:
    tree = ast.parse(read(document))
    (found,) = (
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES"
    )
    text = ast.literal_eval(found.value).strip("\n") + "\n"
    return Example(document, found.lineno, "yaml+jinja", text)


def _blocks(document: str) -> re.Pattern[str]:
    return _DIRECTIVE if document.endswith(".rst") else _FENCE


def _inline(document: str, content: str) -> Iterator[re.Match[str]]:
    code = _RST_CODE if document.endswith(".rst") else _MARKDOWN_CODE
    return code.finditer(_without_blocks(document, content))


def _section(document: str, content: str, position: int) -> str:
    expression = _RST_HEADING if document.endswith(".rst") else _MARKDOWN_HEADING
    headings = expression.finditer(_without_blocks(document, content)[:position])
    return ([""] + [found["title"] for found in headings])[-1]


def _without_blocks(document: str, content: str) -> str:
    """Return a document with blanks in place of its blocks, so that all else stays where it is."""
    return _blocks(document).sub(lambda found: re.sub(r"[^\n]", " ", found[0]), content)


def _line(content: str, found: re.Match[str]) -> int:
    return content.count("\n", 0, found.start()) + 1


def yaml_examples() -> list[Example]:
    """Return all YAML of all documents."""
    return [each for document in DOCUMENTS for each in examples(document) if each.is_yaml]
