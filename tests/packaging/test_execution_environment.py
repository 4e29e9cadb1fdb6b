# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An execution environment gets what the collection needs. All is done that ansible-builder does, but for running a container engine."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.docs.examples import examples
from ansible_collections.nextbilling.did.tests.support.programs import program
from ansible_collections.nextbilling.did.tests.support.tarball import plain

GUIDE = "docs/docsite/rst/execution_environments.rst"
ORIGIN = "  # from collection nextbilling.did"
NEEDED = ["requests", "psycopg[binary] >= 3.1", "openpyxl >= 3.0.3"]


@pytest.fixture(scope="module")
def definitions() -> list[dict[str, Any]]:
    """The guide's definition of an image, and what it adds to that."""
    parsed = [each.parse() for each in examples(GUIDE) if each.language == "yaml"]
    return [each for each in parsed if "dependencies" in each]


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, env=plain(folder), cwd=folder, check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def test_the_collection_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    printed = _run(tmp_path, program("ansible-builder"), "introspect", "--sanitize", str(installed))
    assert yaml.safe_load(printed) == {
        "python": [f"{line}{ORIGIN}" for line in NEEDED],
        "system": [],
    }


def test_the_image_of_the_guide_gets_it(
    definitions: list[dict[str, Any]], installed: Path, tmp_path: Path
) -> None:
    context = _context(definitions[0], tmp_path)
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text("utf-8"))
    assert wanted == {"collections": [{"name": "nextbilling.did"}]}
    assert _introspected(context, installed, tmp_path) == [f"{line}{ORIGIN}" for line in NEEDED]


def test_the_image_may_have_psycopg_in_another_form(
    definitions: list[dict[str, Any]], installed: Path, tmp_path: Path
) -> None:
    definition, more = definitions
    definition = {**definition, "dependencies": definition["dependencies"] | more["dependencies"]}
    context = _context(definition, tmp_path)
    assert _introspected(context, installed, tmp_path) == [
        f"requests{ORIGIN}",
        f"openpyxl >= 3.0.3{ORIGIN}",
        "psycopg>=3.1  # from collection user",
    ]
    assert (tmp_path / "src" / "bindep.txt").read_text("utf-8").startswith("libpq [platform:rpm]")


def _context(definition: dict[str, Any], folder: Path) -> Path:
    """Let ansible-builder make what a container engine builds the image from."""
    (folder / "execution-environment.yml").write_text(yaml.safe_dump(definition), "utf-8")
    _run(folder, program("ansible-builder"), "create", "--output-filename", "Containerfile")
    return folder / "context"


def _introspected(context: Path, installed: Path, folder: Path) -> list[str]:
    """Do the build's step that gathers requirements, where the collections are installed; return what it hands to pip."""
    content = (context / "Containerfile").read_text("utf-8")
    (step,) = re.findall(r"^RUN \$PYCMD /output/scripts/(introspect\.py .*)$", content, re.M)
    script, *arguments = shlex.split(step.replace("/tmp/src", str(folder / "src")))
    # The image has the files of the context in the step's working directory, and collections where the script looks unless told.
    made = context / "_build"
    _run(made, sys.executable, str(made / "scripts" / script), *arguments, str(installed))
    return (folder / "src" / "requirements.txt").read_text("utf-8").splitlines()
