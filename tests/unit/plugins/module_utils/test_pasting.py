# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays to paste: whatever stands in them, YAML reads them as what they are meant to say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nextbilling.did.plugins.module_utils._messages import resolution
from ansible_collections.nextbilling.did.plugins.module_utils._snippets import (
    PLATFORM,
    RECORD_ID,
    Target,
    render_play,
)


class _Unsafe(str):
    """A string that Ansible does not look into."""


class _Loader(yaml.SafeLoader):  # pylint: disable=too-many-ancestors  # they are PyYAML's
    """Reads as Ansible does: what is marked is text, too."""


_Loader.add_constructor("!unsafe", lambda loader, node: _Unsafe(node.value))


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the only play of a text, and the options of its only task."""
    # It is a safe loader with one constructor more.
    (play,) = yaml.load(text, Loader=_Loader)
    (task,) = play["tasks"]
    return play, task["nextbilling.did.did_registry"]


def made(**options: Any) -> str:
    return render_play("Settle it", "did_registry", options)


def test_a_play_says_what_a_person_fills_in() -> None:
    target = Target("sip.example.com:443", "/srv/registry.db", "1" * 32)
    _words, plays = resolution("0166", "18" * 16, target).split("\n", maxsplit=1)
    exists, does_not = yaml.load(plays, Loader=_Loader)
    (task,) = exists["tasks"]
    (entry,) = task["nextbilling.did.did_registry"]["dids"]
    assert entry == {"did_number": "0166", "record_id": RECORD_ID}
    assert "set record_id" in exists["name"] and "set record_id" not in does_not["name"]


def test_it_is_a_whole_play() -> None:
    play, options = read(
        made(state="forgotten", dids=[{"did_number": "0166", "attempt": "18" * 16}])
    )
    assert (play["hosts"], play["gather_facts"]) == ("localhost", False)
    assert play["name"] == play["tasks"][0]["name"] == "Settle it"
    assert options == {
        "state": "forgotten",
        "dids": [{"did_number": "0166", "attempt": "18" * 16}],
    }


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text())
def test_no_value_means_anything_but_itself(value: str, key: str) -> None:
    name = value.replace("\0", "")
    text = render_play(
        name, "did_registry", {"registry": value, "dids": [{"did_number": value, "record_id": 0}]}
    )
    assert text.isascii() or all(character.isprintable() or character == "\n" for character in text)
    play, options = read(text)
    assert play["name"] == name
    assert options == {"registry": value, "dids": [{"did_number": value, "record_id": 0}]}
    for found in (options["registry"], options["dids"][0]["did_number"]):
        looked_into = any(mark in value for mark in ("{{", "{%", "{#"))
        assert isinstance(found, _Unsafe) == looked_into


@pytest.mark.parametrize(
    "value",
    [
        '"\n  hosts: all',
        "\\",
        "a\u2028b\u0085c",
        "\ufeff",
        "\u202e",
        "yes",
        "012",
        "1e3",
        "{{ 7 * 7 }}",
        "{# x #}",
        "é😀",
        "~",
        "!x",
        "& *",
    ],
)
def test_values_that_would_mean_something(value: str) -> None:
    found = read(made(platform=value))[1]["platform"]
    assert (found, isinstance(found, _Unsafe)) == (value, value.startswith("{"))


def test_a_password_is_never_in_it_and_how_to_give_it_is() -> None:
    target = Target("p:443", "postgresql://u@db.example.com/x", "5d3f")
    text = made(state="recorded", **target.options())
    assert read(text)[1] == {"state": "recorded", **target.options()}
    for words in ("PGPASSWORD", "~/.pgpass", "registry_password"):
        assert words in text
    moved = made(registry="/x", copy_from="postgresql://u@db/x")
    assert "copy_from_password" in moved and "registry_password" not in moved
    assert "#" not in made(registry="/var/lib/registry.db")


def test_what_a_person_must_fill_in_is_no_valid_value() -> None:
    assert RECORD_ID == 0 and " " in PLATFORM
