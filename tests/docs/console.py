# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command lines that the documentation tells to type: which of them the tests run, and why not the others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.nextbilling.did.tests.docs.examples import COMMAND, Example

# The languages of what is typed.
TYPED = ("console", COMMAND)
# Regular expressions for the beginning of a command, as simple_commands() gives it.
RUN = (
    r"ansible-(doc|playbook|runner|vault) ",
    r"cat ",
    r"(cp|mv) ",
    r"export \w+",
    r"pg_dump ",
    r"python3? -c ",
    # With what is installed for the tests anyway, and without an index: it says whether the name is the right one.
    r"python -m pip install ",
    r"read -rs \w+$",
    r"rm -rf review$",
    r"sqlite3 ",
    r"test -s ",
    r"umask ",
)
MAKE = r"make [\w-]+( ARGS=.+)?$"
NOT_RUN = {
    MAKE: "Takes minutes, or installs, or never ends. That the target exists and takes the arguments is tested.",
    r"ansible-galaxy collection list ": "Lists what is installed, which is no business of the tests.",
    r"ansible-galaxy collection install nextbilling\.did( --upgrade)?$": (
        "Asks Galaxy. The tests run with what the other way installs, as the README says: ansible-galaxy collection install ."
    ),
    r"ansible-builder build ": (
        "Needs a container engine. Tests of the package do all that comes before."
    ),
    r"(?=.*\$CI_API_V4_URL/).* done ": "Speaks to GitLab; test_pipelines.py runs it with an API of its own.",
    r"(?=.*\$GITHUB_API_URL/).* fi$": "Speaks to GitHub; test_pipelines.py runs it with an API of its own.",
    r"kill -9$": "Not to be typed: it says how a run may end.",
    r"ansible-core …": "Not to be typed: it is the reason of a task.",
}


class Line(NamedTuple):
    """A line to type, and what the document shows of that which is printed then."""

    command: str
    output: tuple[str, ...] = ()


def lines(example: Example) -> list[Line]:
    """Return what a console block, or a command within a sentence, tells to type."""
    if example.language == COMMAND:
        return [Line(example.text.strip())]
    found: list[Line] = []
    for text in example.text.splitlines():
        if text.startswith("$ "):
            found.append(Line(text.removeprefix("$ ")))
        elif not found:
            raise ValueError(f"{example.place} begins with what nobody typed: {text}")
        elif text.strip():
            found[-1] = found[-1]._replace(output=(*found[-1].output, text))
    return found


def reasons(command: str) -> list[str]:
    """Return why a line is not run; nothing if it is.

    Raises C(LookupError) for a line of which nobody has decided yet whether the tests run it.
    """
    found = []
    for simple in simple_commands(command):
        if any(re.match(pattern, simple) for pattern in RUN):
            continue
        why = next((why for what, why in NOT_RUN.items() if re.match(what, simple)), None)
        if why is None:
            raise LookupError(
                f"Shall the tests run {simple!r}? Add it to RUN or NOT_RUN in console.py"
            )
        found.append(why)
    return found


def simple_commands(command: str) -> list[str]:
    """Return the commands that a line consists of, the words of each joined by single blanks; a script of several lines is one."""
    if "\n" in command.strip():
        return [" ".join(command.split())]
    return [" ".join(words) for words in _simple(command)]


def programs(command: str) -> list[str]:
    """Return the names of the programs that a line starts."""
    return [words[0] for words in _simple(command)]


def make_arguments(command: str) -> list[tuple[str, list[str]]]:
    """Return the targets of C(make) in a line, each with the arguments that it hands on."""
    return [
        (words[1], [part for word in words[2:] for part in shlex.split(word.partition("=")[2])])
        for words in _simple(command)
        if words[0] == "make"
    ]


def _simple(command: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a line, without comments, redirections, and the variables that are set before it."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if not set(token) <= set(";&|"):
            words.append(token)
            continue
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words:
            yield words
        words = []
