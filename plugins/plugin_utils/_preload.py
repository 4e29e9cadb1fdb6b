# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins!

"""Imports, once and before Ansible forks its workers, what C(did) and C(dids) need to send.

The code itself imports this where it is used, as a module that sends nothing then does not compile it. In a worker, that import would
be repeated for each host of a task.
"""

from __future__ import annotations

# All of these are unused here: to have imported them is what this file is for.
from ..module_utils._engine import (  # noqa: F401  # pylint: disable=unused-import
    executor,
    preflight,
)
from ..module_utils._platform import client  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._registry import reports  # noqa: F401  # pylint: disable=unused-import
from ..module_utils._registry.backends import sqlite  # noqa: F401  # pylint: disable=unused-import

try:
    import requests  # noqa: F401  # pylint: disable=unused-import
except ImportError:
    MISSING: tuple[str, ...] = ("requests",)
else:
    MISSING = ()
