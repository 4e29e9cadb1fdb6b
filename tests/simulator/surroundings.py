# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment in which a real ansible-playbook meets the simulator, and nothing of the user's own settings.

Imports no sibling but the client, so it is usable as a plain file on ``sys.path``.
"""

from __future__ import annotations

import locale
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator

COLLECTION = Path(__file__).resolve().parents[2]


def surroundings(
    simulator: Simulator, folder: Path, *, configuration: str = "", **settings: str
) -> dict[str, str]:
    """Return the environment for Ansible, which finds all that it needs in a folder of the caller's.

    The collection is there by a link, so these very files are used wherever they lie. ``configuration`` is the text of
    ansible.cfg; ``settings`` are further variables.
    """
    link = folder / "ansible_collections" / "nextbilling" / "did"
    link.parent.mkdir(parents=True)
    link.symlink_to(COLLECTION)
    (folder / "ansible.cfg").write_text(configuration, encoding="utf-8")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ANSIBLE_") and not name.lower().endswith("_proxy")
    }
    if not _locale_suits():
        kept["LC_ALL"] = "C.UTF-8"
    return {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "NEXTBILLING_API_KEY": simulator.key,
        "NEXTBILLING_API_TOKEN": simulator.token,
        "NEXTBILLING_API_URL": simulator.url,
        "NEXTBILLING_REGISTRY": str(folder / "registry.db"),
        "NEXTBILLING_WITNESS": str(folder / "witness"),
        **settings,
    }


def _locale_suits() -> bool:
    """Tell whether Ansible would start: it refuses a locale that is not installed, or that is not UTF-8."""
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    return (locale.getlocale()[1] or "").upper() in ("UTF-8", "UTF8")
