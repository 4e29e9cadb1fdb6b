# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries may hold: lists of DIDs with all kinds of values, for tests of properties."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils import _fields
from ansible_collections.nextbilling.did.plugins.module_utils._characters import is_garbled

Did = dict[str, Any]
EXAMPLE_PASSWORD = "geheim-7e1f"

_ODD_TEXTS = (
    *("", '""', "'", " ", "\t", "=1+1", "+1", "-1", "@x", "'=x", "a;=b", "a,-b", "\t=1", "\r\n=1"),
    *("#N/A", "0010", "1.10", "yes", "null", "~", "- x", "a: b # c", ' "x"', "{{ 7*7 }}", "\u2028"),
    *("é;ü", "\U0001f600", "[x]", "{x}", "!x", "&x", "*x", "%x", "2026-01-31", "12:30", "\x7f\xa0"),
)
_TEXT = st.sampled_from(_ODD_TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
).filter(lambda text: text.isascii() or not is_garbled(text))
_HOST = st.sampled_from(["", "10.0.0.1", "2001:db8::1", "sip.example.com", "a_b", "X.y."])
_COUNT = st.integers(0, 2**40)
# By the normaliser of a type of field.
_VALUES: dict[object, st.SearchStrategy[Any]] = {
    _fields.TEXT.normalise: _TEXT,
    _fields.DIGITS.normalise: st.sampled_from(["", "+55", "0010", "-", "@a", "#1", "1e5"]) | _TEXT,
    _fields.PASSWORD.normalise: st.just(EXAMPLE_PASSWORD),
    _fields.INTEGER.normalise: st.integers(-9, 9),
    _fields.COUNT.normalise: _COUNT,
    _fields.PORT.normalise: st.integers(0, 65535),
    _fields.FLAG.normalise: st.booleans(),
    _fields.DID_TYPE.normalise: st.sampled_from([entry.name for entry in _fields.DID_TYPES]),
    _fields.HOST.normalise: _HOST,
    _fields.HOSTS.normalise: st.lists(_HOST.filter(bool), max_size=3),
}
_NUMBER = st.from_regex(r"\+?[0-9]{3,16}", fullmatch=True)


@st.composite
def _dids(draw: st.DrawFn) -> list[Did]:
    numbers = draw(st.lists(st.none() | _NUMBER, min_size=1, max_size=8, unique_by=_identity))
    return [_did(draw, number, record_id) for record_id, number in enumerate(numbers, 1)]


def _identity(number: str | None) -> object:
    return object() if number is None else _fields.identity(number)


def _did(draw: st.DrawFn, number: str | None, record_id: int) -> Did:
    names = draw(st.sets(st.sampled_from(sorted(_fields.BY_NAME.keys() - {"did_number"}))))
    values = {name: draw(_VALUES[_fields.BY_NAME[name].type.normalise]) for name in sorted(names)}
    # Some of these values are refused, as those of a spreadsheet's accident.
    valid = {
        name: value for name, value in values.items() if not _fields.normalise({name: value})[1]
    }
    return {"did_number": number, "record_id": record_id, **valid}


DIDS = _dids()
"""Lists that did_registry records: confirmed DIDs of one platform."""
