# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups of DIDs by identical change: no DID and no change is lost, and what a pattern stands for comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._model import (
    CONFIRMED,
    Desired,
    Plan,
    Policy,
    Record,
)
from ansible_collections.nextbilling.did.plugins.module_utils._planning import grouping
from ansible_collections.nextbilling.did.plugins.module_utils._planning.decide import decide
from ansible_collections.nextbilling.did.plugins.module_utils._planning.diff import (
    PlanWithSimilar,
    diff,
    list_diff,
)
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import Fingerprints

FINGERPRINTS = Fingerprints("key", "registry")
NUMBERS = st.integers(0, 400).map(lambda number: f"11300{number:05}")
NAMES = st.one_of(
    NUMBERS, NUMBERS.map(lambda number: f"+{number}"), st.just("record 12"), st.text(max_size=8)
)


@given(st.lists(st.tuples(NAMES, st.sampled_from("abc"))))
def test_a_group_has_all_dids_with_one_change(dids: list[tuple[str, str]]) -> None:
    groups = grouping.group(dids, lambda did: did[0], lambda did: did[1])
    members = [did for group in groups for did in group.members]
    assert sorted(members) == sorted(dids)
    assert [group.members[0][1] for group in groups] == list(dict.fromkeys(did[1] for did in dids))
    for group in groups:
        assert group.count == len(group.members)
        for one in group.ranges:
            names = [name for name, _change in one]
            assert grouping.numbers_between(names[0], names[-1], len(names)) == names


@given(NAMES, st.text(alphabet="0123456789+ a", max_size=30))
def test_a_pattern_stands_for_the_text_of_each_did(name: str, text: str) -> None:
    for field in ("description", "did_number", "host"):
        for value in (text, f"Line {name}.", name, None, 5):
            pattern = grouping.to_pattern(field, value, name)
            assert grouping.from_pattern(field, pattern, name) == value


def test_a_range_that_does_not_hold_what_it_claims_has_no_numbers() -> None:
    assert grouping.numbers_between("0998", "1001", 4) == ["0998", "0999", "1000", "1001"]
    for first, last, count in (("1", "3", 4), ("3", "1", 3), ("+1", "3", 3), ("a", "b", 2)):
        assert grouping.numbers_between(first, last, count) is None


def test_names_are_in_the_order_of_their_numbers() -> None:
    long, longer = "9" * 100, "1" * 101
    names = ["record 12", longer, long, "10", "+9", "9"]
    assert sorted(names, key=grouping.number_order) == ["+9", "9", "10", long, "record 12", longer]


def plan_of(number: str, known: dict[str, object] | None, **values: object) -> Plan:
    """Return the plan for a DID, of which the registry knows these fields."""
    record = None
    if known is not None:
        fields = {"did_number": number, **known}
        record = Record(number, 1, 12, CONFIRMED, (number.lstrip("+"),), fields, {}, None, None)
    desired = Desired({"did_number": number, **values})
    return decide(desired, record, None, Policy(), FINGERPRINTS)


def unlike(plans: list[Plan]) -> list[PlanWithSimilar]:
    """Return plans whose numbers resemble no other."""
    return [(plan, ()) for plan in plans]


def test_a_diff_of_a_range_is_one() -> None:
    plans = [
        plan_of(f"1130{n:06}", None, description=f"Line 1130{n:06}", port=5060) for n in range(500)
    ]
    totals, shown = list_diff(unlike(plans))
    assert totals == {"prepared": "500 DIDs: 500 create\n"}
    assert shown == {
        "before": "",
        "after": 'description: "Line {number}"\ndid_number: "{number}"\nport: 5060\n',
        "before_header": "DIDs 1130000000 – 1130000499 (not in the registry)",
        "after_header": "500 DIDs (create)",
    }
    assert list_diff(unlike(plans[:1])) == [diff(plans[0])]
    assert list_diff([]) == []
    _totals, similar = list_diff([(plans[0], ("01130000000",)), (plans[1], ())])
    assert similar["after_header"] == "2 DIDs (create, 1 similar to other numbers)"


def test_a_diff_of_equal_edits_leaves_out_what_differs_and_does_not_change() -> None:
    plans = [
        plan_of("1130000001", {"port": 1, "host": "192.0.2.1", "description": "One"}, port=2),
        plan_of("1130000003", {"port": 1, "host": "192.0.2.1", "description": "Two"}, port=2),
        plan_of("1130000002", {"port": 3, "host": "192.0.2.1"}, port=2),
        plan_of("1130000004", None, port=2),
    ]
    totals, edits, other, create = list_diff(unlike(plans))
    assert totals["prepared"] == "4 DIDs: 3 update, 1 create\n"
    assert edits["before_header"] == "DIDs 1130000001, 1130000003 (as last applied)"
    assert edits["before"] == 'did_number: "{number}"\nhost: "192.0.2.1"\nport: 1\n'
    assert edits["after"] == 'did_number: "{number}"\nhost: "192.0.2.1"\nport: 2\n'
    assert (other, create) == (diff(plans[2]), diff(plans[3]))
