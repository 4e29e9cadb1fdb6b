# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipelines of the guides: linted as a repository's own, and their comments written to an API of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.docs.comments_api import GITHUB, GITLAB, Comments
from ansible_collections.nextbilling.did.tests.docs.examples import (
    COLLECTION,
    Example,
    yaml_examples,
)
from ansible_collections.nextbilling.did.tests.docs.given import GUIDES
from ansible_collections.nextbilling.did.tests.docs.reading import PIPELINE, kind

PIPELINES = [each for each in yaml_examples() if kind(each) == PIPELINE]
OF_GITHUB = {each.place: each.text for each in PIPELINES if "jobs" in each.parse()}
OF_GITLAB = {each.place: each.text for each in PIPELINES if each.place not in OF_GITHUB}
WORKFLOWS = {
    **OF_GITHUB,
    **{path.name: path.read_text("utf-8") for path in COLLECTION.glob(".github/workflows/*.yml")},
}
# Where the requirements of the tests install programs, and where the system has them.
_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
_LABELS = "self-hosted-runner: {labels: [nextbilling]}\n"
_BROKEN = "on: pull_request_target\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ github.head_ref }}'}]}}\n"
_MARKER = "<!-- nextbilling.did.review -->"
REVIEW = "# DIDs\n\n| número | → |\n" + "| @1130001000 | 'ação' `x` $HOME |\n" * 1500


def lint(*command: str) -> str:
    """Return what a linter has to say; nothing if it finds nothing."""
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        pytest.skip(f"{command[0]} is not installed: tests/unit/requirements.txt has it")
    environment = {**os.environ, "PATH": _PATH, "NO_COLOR": "1"}
    done = subprocess.run(
        [program, *command[1:]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return f"{done.stdout}\nexit code {done.returncode}" if done.returncode else ""


def actionlint(path: Path) -> str:
    """Have actionlint check a workflow, and ShellCheck the scripts in it."""
    labels = path.with_name("actionlint.yaml")
    labels.write_text(_LABELS, "utf-8")
    return lint("actionlint", "-no-color", "-config-file", str(labels), str(path))


def zizmor(path: Path) -> str:
    """Have zizmor look for ways in which a workflow gives secrets away."""
    return lint("zizmor", "--offline", "--no-progress", "--no-config", str(path))


def schema_of_github(path: Path) -> str:
    """Compare a workflow with the schema."""
    return lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path))


def schema_of_gitlab(path: Path) -> str:
    """Compare a pipeline of GitLab with the schema."""
    return lint(
        *("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci"),
        *("--data-transform", "gitlab-ci", str(path)),
    )


def workflow(text: str, folder: Path) -> Path:
    """Write a workflow where linters expect one; return its path."""
    path = folder / ".github" / "workflows" / "dids.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("check", [actionlint, zizmor, schema_of_github])
@pytest.mark.parametrize("text", WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_is_right(check: Any, text: str, tmp_path: Path) -> None:
    assert check(workflow(text, tmp_path)) == ""


@pytest.mark.parametrize("text", OF_GITLAB.values(), ids=OF_GITLAB)
def test_a_pipeline_of_gitlab_is_right(text: str, tmp_path: Path) -> None:
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(text, "utf-8")
    assert schema_of_gitlab(path) == ""


def test_a_script_of_gitlab_is_right(tmp_path: Path) -> None:
    path = tmp_path / "script"
    for text in OF_GITLAB.values():
        jobs = [job for job in yaml.safe_load(text).values() if "script" in job]
        path.write_text("\n".join(line for job in jobs for line in job["script"]), "utf-8")
        # ShellCheck knows neither CI's variables nor its -e.
        assert lint("shellcheck", "--shell=sh", "--exclude=SC2154", str(path)) == ""


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (actionlint, _BROKEN),
        (zizmor, _BROKEN),
        (schema_of_github, "on: push\njobs: {a: {runs_on: x}}\n"),
        (schema_of_gitlab, "a: {script: [x], artifacts: {when: sometimes}}\n"),
    ],
)
def test_a_mistake_is_found(check: Any, text: str, tmp_path: Path) -> None:
    assert check(workflow(text, tmp_path)) != ""


def test_a_fork_gets_neither_secrets_nor_the_runner_of_the_registry() -> None:
    for text in OF_GITHUB.values():
        assert "pull_request_target" not in text
        for job in yaml.safe_load(text)["jobs"].values():
            condition = job.get("if", "")
            if "self-hosted" in job["runs-on"]:
                assert (
                    "head.repo.full_name == github.repository" in condition or "push" in condition
                )
    (pipeline,) = (each.parse() for each in of_reviews() if each.place in OF_GITLAB)
    for name in ("review", "comment"):
        (rule,) = pipeline[name]["rules"]
        assert "SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID" in rule["if"]


def test_the_job_that_comments_runs_nothing_of_the_pull_request_and_has_no_secrets() -> None:
    for each in of_reviews():
        pipeline = each.parse()
        job = pipeline.get("jobs", pipeline)["comment"]
        text = yaml.safe_dump([job, pipeline.get("env", {}), pipeline.get("variables", {})])
        for word in ("ansible-playbook", "actions/checkout", "secrets.", "API_TOKEN", "API_KEY"):
            assert word not in text
    for text in OF_GITHUB.values():
        for name, job in yaml.safe_load(text)["jobs"].items():
            assert ("write" in str(job["permissions"])) == (name == "comment")


def of_reviews() -> list[Example]:
    """Return the pipelines that write a comment."""
    found = [each for each in PIPELINES if each.document == f"{GUIDES}reviews.rst"]
    assert len(found) == 2
    return found


class Job:
    """The job of a pipeline that writes the comment, in a folder that has the artifact of the job before it."""

    def __init__(self, service: str, server: Comments, folder: Path) -> None:
        (example,) = (each for each in of_reviews() if (each.place in OF_GITHUB) == (service == "GitHub"))  # fmt: skip
        pipeline = example.parse()
        if service == "GitHub":
            self.author: str | int = GITHUB
            (step,) = (each for each in pipeline["jobs"]["comment"]["steps"] if "run" in each)
            self._script, variables = step["run"], step["env"]
            # As GitHub starts it where no shell is named.
            self._shell = ["bash", "-e", "-c"]
            needed = "gh"
        else:
            self.author = GITLAB
            (self._script,) = pipeline["comment"]["script"]
            variables = pipeline["comment"]["variables"]
            self._shell = ["sh", "-e", "-c"]
            needed = "jq"
        for program in ("curl", needed):
            if shutil.which(program) is None:
                pytest.skip(f"no {program} on the PATH: the comment is not written (apt-get install {program})")  # fmt: skip
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CI_API_V4_URL": server.url,
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "12",
            "GITHUB_API_URL": server.url,
            "GITHUB_REPOSITORY": "operator/dids",
            "REVIEW_TOKEN": "glpat-x",
            **variables,
            "GH_TOKEN": "ghs_x",
            "PR": "12",
        }

    def run(self, review: str) -> subprocess.CompletedProcess[str]:
        """Write the comment for a review."""
        file = self._folder / "review" / "review.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(review, "utf-8")
        return subprocess.run(
            [*self._shell, self._script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )


@pytest.fixture
def server() -> Iterator[Comments]:
    """An API with no comments yet."""
    with Comments() as running:
        yield running
        running.shutdown()


@pytest.fixture(params=["GitHub", "GitLab"])
def job(request: pytest.FixtureRequest, server: Comments, tmp_path: Path) -> Job:
    """The job that comments, of both services."""
    return Job(request.param, server, tmp_path)


def test_each_pull_request_has_one_comment(job: Job, server: Comments) -> None:
    for review in (REVIEW, "now another\n"):
        done = job.run(review)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (comment,) = server.comments
        assert comment["body"].rstrip() == f"{_MARKER}\n{review}".rstrip()


def test_a_comment_is_found_among_those_of_people(job: Job, server: Comments) -> None:
    server.write("somebody", f"{_MARKER}\nwritten by a person")
    server.write(job.author, "of another pipeline")
    for number in range(150):
        server.write("somebody", f"remark {number}")
    server.write(job.author, f"{_MARKER}\nof the last push")
    assert job.run(REVIEW).returncode == 0
    assert server.requests in (["PATCH"], ["PUT"])
    assert server.comments[-1]["body"].startswith(f"{_MARKER}\n# DIDs")


def test_a_list_that_cannot_be_read_brings_no_second_comment(job: Job, server: Comments) -> None:
    server.write(job.author, f"{_MARKER}\nof the last push")
    server.fails = True
    assert job.run(REVIEW).returncode != 0
    assert server.requests == []
