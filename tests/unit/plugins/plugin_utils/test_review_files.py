# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a review: all of them, each whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import write


@pytest.mark.parametrize("place", ["file", "/dev/full"])
def test_a_folder_that_is_none(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError):
        write(str(tmp_path / place), {"a": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(IsADirectoryError):
        write(str(tmp_path), {"b": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    write(str(tmp_path), {"a": "old", "b": "old"})

    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(os, "fsync", fill)
        write(str(tmp_path), {"a": "new", "b": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
