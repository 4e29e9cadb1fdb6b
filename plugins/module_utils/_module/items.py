# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What may be shown of lists of DIDs."""

from __future__ import annotations

import typing as t

from .. import _fields
from .._ranges import LAST_NUMBER
from .._secrets import MASK
from .._source import ATTEMPT, is_attempt

_SHOWN_ITEMS = 20
# An unknown key may be a mistyped secret.
_PLAIN = {field.name for field in _fields.FIELDS if not field.secret}
_PLAIN |= {"record_id", LAST_NUMBER}


def shown_items(value: t.Any) -> t.Any:
    """Return an item, or the first items of a list, as they may be shown: of thousands, nobody reads more."""
    if not isinstance(value, list):
        return _shown_item(value)
    shown: list[t.Any] = [_shown_item(item) for item in value[:_SHOWN_ITEMS]]
    rest = len(value) - _SHOWN_ITEMS
    return [*shown, f"… and {rest} more"] if rest > 0 else shown


def _shown_item(item: t.Any) -> t.Any:
    """Return an item of a list with a mark in place of whatever is not a plain value of a field that may be shown."""
    if not isinstance(item, dict):
        return MASK
    return {
        str(name) if name in _PLAIN or name == ATTEMPT else MASK: (
            value if _may_be_shown(name, value) else MASK
        )
        for name, value in item.items()
    }


def _may_be_shown(name: object, value: t.Any) -> bool:
    return is_attempt(value) if name == ATTEMPT else name in _PLAIN and is_plain(value)


def is_plain(value: t.Any) -> bool:
    """Tell whether a value is of a kind that a field may have. What a wrong indentation puts into another one may be a secret."""
    if isinstance(value, list):
        return all(is_plain(element) and not isinstance(element, list) for element in value)
    return value is None or isinstance(value, (str, int, float))
