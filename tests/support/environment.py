# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which tests run."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture(autouse=True)
def plain_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No setting of the one who runs the tests leaks in, and each test has a witness of its own."""
    witness = tmp_path_factory.getbasetemp() / "witnesses" / uuid.uuid4().hex
    monkeypatch.setenv("NEXTBILLING_WITNESS", str(witness))
    for name in ("URL", "TOKEN", "KEY"):
        monkeypatch.delenv(f"NEXTBILLING_API_{name}", raising=False)
    for name in ("NEXTBILLING_REGISTRY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
