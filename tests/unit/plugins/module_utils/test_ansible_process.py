# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ansible-playbook a task belongs to."""

from __future__ import annotations

import os

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._module.ansible_process import (
    session_id,
)


def test_a_process_of_which_the_system_says_nothing_has_no_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As without /proc, or where it does not show the processes of others."""
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # more than a process can have
    assert session_id() is None
