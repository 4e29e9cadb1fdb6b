# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Names that are no field of a DID, and which of them may be shown."""

from __future__ import annotations

import difflib
import functools
import re
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection

_RESEMBLES = 0.75
# Names that other lists and results have.
_ELSEWHERE = frozenset({"attempt", "confirmed_at", "last_number", "outcome", "platform"})
_LENGTH = 24


def shown_name(name: object, fields: Collection[str]) -> str | None:
    """Return a name that is a field's, but for a slip, or one that has its place elsewhere in the collection; else None.

    Any other one may be a value, and the value may be a secret: of a table without a header, or of a list with a wrong indentation.
    For the same reason a digit is let through only where the field has one: C(Password1) is a password.
    """
    if not isinstance(name, str) or not re.fullmatch(
        rf"(?=.{{1,{_LENGTH}}}\Z)[A-Za-z_]+[12]?", name
    ):
        return None
    nearest = _nearest(name.lower(), _ELSEWHERE.union(fields))
    if nearest is None or (name[-1].isdigit() and not nearest[-1].isdigit()):
        return None
    return name


# A list has the same slip in each of its entries.
@functools.lru_cache(maxsize=256)
def _nearest(name: str, fields: frozenset[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, fields, 1, _RESEMBLES)), None)
