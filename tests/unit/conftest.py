# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests are pure, or about one file: no process, no server, no database."""

from __future__ import annotations

from ansible_collections.nextbilling.did.tests.support.environment import plain_environment

__all__ = [
    "plain_environment",
]
