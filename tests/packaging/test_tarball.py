# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball holds what the collection's users have a use for: all of that, and nothing else."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.support.programs import program
from ansible_collections.nextbilling.did.tests.support.tarball import COLLECTION, plain

# A new file in the repository's root is for users, and named here; or it is not, and named in galaxy.yml under build_ignore.
SINGLE_FILES = {
    "CHANGELOG.md",
    "COPYING",
    "LICENSES/GPL-3.0-or-later.txt",
    "README.md",
    "README.pt-BR.md",
    "SECURITY.md",
    "changelogs/changelog.yaml",
    "docs/review.schema.json",
}
WHOLE_FOLDERS = ("docs/docsite", "meta", "playbooks", "plugins", "roles")
MADE_BY_THE_BUILD = {"FILES.json", "MANIFEST.json"}


@pytest.fixture(scope="module")
def files(tarball: Path) -> set[str]:
    """The files in the tarball."""
    with tarfile.open(tarball) as archive:
        return {member.name for member in archive if not member.isdir()}


def test_nothing_else_is_in_it(files: set[str]) -> None:
    rest = files - MADE_BY_THE_BUILD - SINGLE_FILES
    assert not {name for name in rest if not name.startswith(tuple(f"{f}/" for f in WHOLE_FOLDERS))}


def test_all_of_that_is_in_it(files: set[str]) -> None:
    wanted = MADE_BY_THE_BUILD | SINGLE_FILES
    for folder in WHOLE_FOLDERS:
        inside = {
            path.relative_to(COLLECTION).as_posix()
            for path in (COLLECTION / folder).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        assert inside, folder
        wanted |= inside
    assert not wanted - files


def test_it_says_what_it_is(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        manifest = archive.extractfile("MANIFEST.json")
        assert manifest is not None
        told = json.load(manifest)["collection_info"]
    assert tarball.name == f"nextbilling-did-{told['version']}.tar.gz"
    assert told["license"] == ["GPL-3.0-or-later"] and told["dependencies"] == {}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("module", ["did", "dids", "did_info", "did_registry"]),
        ("callback", ["review"]),
        ("filter", ["to_csv", "to_entries", "to_yaml"]),
        ("role", ["provision"]),
    ],
)
def test_what_is_installed_explains_itself(
    installed: Path, tmp_path: Path, kind: str, names: list[str]
) -> None:
    """C(ansible-doc), which the README points to, needs nothing of the source tree."""
    full = [f"nextbilling.did.{name}" for name in names]
    done = subprocess.run(
        [program("ansible-doc"), "--type", kind, "--json", *full],
        env={**plain(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert set(json.loads(done.stdout)) == set(full), done.stderr
