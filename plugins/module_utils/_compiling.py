# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Makes Python compile each source once that is imported after this one.

Ansible ships a module and what it imports as sources in a ZIP file, and nothing keeps what was compiled of them. Python's
zipimport compiles each of them twice: when it is asked for the file's name, and when it loads it. The second time was a third of
what C(did) with nothing to do costs beyond what any module does.

Where the module does not come from a ZIP file, nothing is changed. Python 3.9 and older load without asking for the code, so
nothing is saved there.
"""

from __future__ import annotations

import sys
import zipimport
from types import CodeType


class Importer(zipimport.zipimporter):
    """An importer of ZIP files that keeps a module's code from the search to the load."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._searched: dict[str, CodeType] = {}

    def get_filename(self, fullname: str) -> str:
        self._searched[fullname] = code = super().get_code(fullname)
        return code.co_filename

    def get_code(self, fullname: str) -> CodeType:
        return self._searched.pop(fullname, None) or super().get_code(fullname)


if isinstance(__spec__.loader, zipimport.zipimporter):
    sys.path_hooks.insert(0, Importer)
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter):
            del sys.path_importer_cache[path]
