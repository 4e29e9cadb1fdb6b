# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Names that are no field of a DID, and which of them a message may quote."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection

_SIMILARITY = 0.75
# Names that other lists and results have.
_NAMES_ELSEWHERE = frozenset({"attempt", "confirmed_at", "last_number", "outcome", "platform"})
_NAME = re.compile(r"(?=.{1,24}\Z)[A-Za-z_]+[12]?")


def quotable_name(name: object, fields: Collection[str]) -> str | None:
    """Return a name if it resembles the name of a field, or a name that the collection uses elsewhere; else None.

    Another name may be a value, and the value may be a secret: in a table without a header, or in a list with a wrong indentation.
    So a name may end in a digit only where the field's name does: C(Password1) is a password.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    nearest = _nearest(name.lower(), _NAMES_ELSEWHERE.union(fields))
    if nearest is None or (name[-1].isdigit() and not nearest[-1].isdigit()):
        return None
    return name


# A list has the same typing error in each of its entries.
@functools.lru_cache(maxsize=256)
def _nearest(name: str, fields: frozenset[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, fields, 1, _SIMILARITY)), None)
