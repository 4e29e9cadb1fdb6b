# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an example is, what it is called in its document, and what it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.nextbilling.did.plugins.module_utils._module.arguments import shared_spec
from ansible_collections.nextbilling.did.tests.docs.examples import Example, passages, read

PLAYBOOK, TASKS, DIDS, TABLE, PIPELINE, ROLE, OPTIONS, KEYWORDS, PASTED, AWX, OTHER = (
    *("playbook", "tasks", "list of DIDs", "table of DIDs", "pipeline", "variables of the role"),
    *("options", "keywords of a play", "to be pasted", "for AWX and its images", "no data"),
)
# Parts of tasks and plays, which need what else a document makes.
PARTS = (OPTIONS, KEYWORDS)
# The definition of an image, and the two configurations of a credential type.
_OF_AWX = ("version", "images", "dependencies", "fields", "required", "extra_vars", "env")
# Where that waits which somebody is about to paste into an editor.
PASTED_FILE = "pasted.yml"


def kind(example: Example) -> str:
    """Tell what an example is. Raises C(LookupError) for YAML of which nothing is known that one could do with it."""
    if not example.is_yaml:
        return TABLE if example.is_table else OTHER
    content = example.parse()
    if isinstance(content, list):
        if all("hosts" in each for each in content):
            return PLAYBOOK
        return DIDS if all("did_number" in each for each in content) else TASKS
    if "jobs" in content or any(
        isinstance(job, dict) and "script" in job for job in content.values()
    ):
        return PIPELINE
    for what, known in (
        (KEYWORDS, lambda name: name == "module_defaults"),
        (AWX, lambda name: name in _OF_AWX),
        (ROLE, lambda name: name.startswith("provision_")),
        (OPTIONS, lambda name: name in shared_spec()),
        (PASTED, lambda name: name.startswith("vault_")),
    ):
        if all(map(known, content)):
            return what
    raise LookupError(f"{example.place}: what shall be done with {sorted(content)}?")


def file_name(example: Example) -> str:
    """Return the name of the file that a reader makes of an example; "" where the document gives none."""
    what = kind(example)
    if what == TABLE:
        # What a document speaks of last before a table, or first after it.
        return (*_mentioned(example, "csv", before=True)[-1:], *_mentioned(example, "csv"))[0]
    if what == PLAYBOOK:
        return _called(example)
    if what == DIDS:
        # What is mentioned before a list is a playbook.
        return _mentioned(example, "yml")[0]
    if what == ROLE:
        # Variables are in a file where a command takes them from it.
        later = "\n".join(read(example.document).splitlines()[example.line :])
        found = re.search(r"-e @([\w-]+\.yml)", later)
        return found[1] if found else ""
    return PASTED_FILE if what == PASTED else ""


def _called(example: Example) -> str:
    """Return the name under which the rest of a document runs a playbook, before it comes to the next one."""
    following = passages(example.document)
    for each in following[following.index(example) + 1 :]:
        if each.is_playbook:
            break
        if found := re.search(r"ansible-playbook (\S+\.yml)", each.text):
            return found[1]
    return ""


def _mentioned(example: Example, ending: str, *, before: bool = False) -> list[str]:
    """Return the names of files with an ending that stand after an example in its document, or before it."""
    lines = read(example.document).splitlines()
    part = lines[: example.line] if before else lines[example.line :]
    names: list[str] = re.findall(rf"[\w-]+\.{ending}\b", "\n".join(part))
    return names


def jobs(pipeline: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each line that a pipeline runs, with its variables: of GitHub Actions, or of GitLab CI."""
    for job in pipeline.get("jobs", {}).values():
        for step in job["steps"]:
            if "run" in step:
                yield step["run"], {**pipeline.get("env", {}), **step.get("env", {})}
    for job in pipeline.values():
        if isinstance(job, dict) and "script" in job:
            variables = {**pipeline.get("variables", {}), **job.get("variables", {})}
            for line in (*job["script"], *job.get("after_script", ())):
                yield line, variables
