# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests in several folders share: the collection is built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.nextbilling.did.tests.unit.packaging.tarball import build, install


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's tarball."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def installed(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collection as its tarball installs it."""
    folder = tmp_path_factory.mktemp("collections")
    install(tarball, folder)
    return folder
