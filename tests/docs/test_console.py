# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody has decided of each example whether it runs, and what is not run is checked as far as it can be."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.benchmark import report
from ansible_collections.nextbilling.did.tests.docs import console, given
from ansible_collections.nextbilling.did.tests.docs.examples import (
    COLLECTION,
    DOCUMENTS,
    MODULES,
    Example,
    examples,
    passages,
    read,
)
from ansible_collections.nextbilling.did.tests.docs.outputs import differences
from ansible_collections.nextbilling.did.tests.docs.reading import (
    PIPELINE,
    jobs,
    kind,
)

PASSAGES = [each for document in (*DOCUMENTS, *MODULES) for each in passages(document)]


def _lines() -> Iterator[tuple[str, console.Line]]:
    """Yield all that somebody types or a pipeline runs, and where it stands."""
    for example in PASSAGES:
        if example.language in console.TYPED:
            yield from ((example.place, line) for line in console.lines(example))
        elif example.is_yaml and kind(example) == PIPELINE:
            yield from (
                (example.place, console.Line(line)) for line, _variables in jobs(example.parse())
            )


LINES = list(_lines())


@pytest.mark.parametrize(("place", "line"), LINES, ids=[place for place, _line in LINES])
def test_somebody_has_decided_whether_a_line_is_run(place: str, line: console.Line) -> None:
    reasons = console.reasons(line.command)
    # What is shown beneath a line that is not run would be compared with nothing.
    assert not (reasons and line.output)


def test_a_line_of_which_nobody_has_decided_is_found() -> None:
    for command in ("helm install did", "export A=1 && helm install did", "cat x | helm"):
        with pytest.raises(LookupError, match="helm"):
            console.reasons(command)
    assert console.reasons("A=b cat x >> y && umask 077   # helm") == []


def test_every_decision_is_about_a_line_that_there_is() -> None:
    commands = [words for _place, line in LINES for words in console.simple_commands(line.command)]
    for pattern in (*console.RUN, *console.NOT_RUN):
        assert any(re.match(pattern, words) for words in commands), pattern
    text = "\n".join(each.text for each in PASSAGES)
    for written in given.STAND_INS:
        assert written in text, written


def test_every_example_runs_or_somebody_says_why_not() -> None:
    assert given.uncovered() == []


@pytest.mark.parametrize("scene", given.SCENES, ids=lambda scene: scene.name)
def test_a_scene_is_about_what_there_is(scene: given.Scene) -> None:
    assert set(scene.sections) <= {each.section for each in passages(scene.document)}
    text = "\n".join(each.text for each in scene.passages())
    for command in [command for command, _words in scene.says] + list(scene.typed):
        assert command in text, command


def test_only_what_somebody_has_thought_of_stands_in_a_block() -> None:
    for example in PASSAGES:
        if example.is_yaml:
            assert kind(example)
        else:
            known = example.language in (*console.TYPED, "sql") or example.is_table
            assert known or (example.document, example.language) in given.NOT_RUN, example.place
    strange = Example("README.md", 1, "yaml", "colour: red\n")
    with pytest.raises(LookupError, match="colour"):
        kind(strange)


@pytest.mark.parametrize("document", ["README.md", "README.pt-BR.md"])
def test_the_way_in_which_the_tests_install_is_documented(document: str) -> None:
    assert "ansible-galaxy collection install .\n" in read(document)


def test_the_folder_of_a_job_is_the_one_that_is_shown() -> None:
    document = f"{given.GUIDES}execution_environments.rst"
    (shown,) = (each for each in examples(document) if each.language == "text")
    folder, *places = (line.split()[0] for line in shown.text.splitlines())
    (scene,) = (each for each in given.SCENES if each.document == document)
    assert {f"{folder}{place}" for place in places} < scene.files.keys()


def test_targets_of_make_exist_and_take_their_arguments() -> None:
    makefile = (COLLECTION / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))
    program = [sys.executable, "-m", "ansible_collections.nextbilling.did.tests.benchmark"]
    help_text = {
        "benchmark": subprocess.run(
            [*program, "--help"],
            cwd=Path(*COLLECTION.parts[:-3]),
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
    }
    found = [call for _place, line in LINES for call in console.make_arguments(line.command)]
    assert found
    for target, arguments in found:
        assert target in targets
        for option in arguments:
            if option.startswith("-"):
                assert re.search(rf"{option}\b", help_text[target]), (target, option)


def test_the_benchmarks_tables_have_the_columns_that_it_prints() -> None:
    (shown,) = (
        each for each in examples(f"{given.GUIDES}benchmark.rst") if each.language == "text"
    )
    heads = {line for line in shown.text.splitlines() if line.startswith("client ")}
    assert heads
    for head in heads:
        assert re.split(r" {2,}", head) == list(report._HEAD)


def test_what_is_shown_is_compared_with_what_is_printed() -> None:
    printed = "PLAY [x]\nDIDs: 2 create, 1 unchanged → review/review.html\n"
    for right in (
        "DIDs: 3 create, 2 update, 1 unknown, 1,494 unchanged → review/review.html",
        "DIDs: 3 a criar, 2 a alterar, 1 desconhecido, 1.494 sem mudança → review/review.html",
        "…",
    ):
        assert differences([right], printed) == []
    for wrong in (
        "DIDs: 3 made → review/review.html",
        "DIDs: 2 update, 3 create → review/review.html",
        "DIDs: 2 create, 3 a alterar → review/review.html",
        "DIDs: 3 criar, 2 alterar → review/review.html",
        "DIDs: 2 create → somewhere.html",
        "changed=0",
    ):
        assert differences([wrong], printed) == [wrong]
