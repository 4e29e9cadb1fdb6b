# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the place of secrets."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils import _source
from ansible_collections.nextbilling.did.plugins.module_utils._exchange import Connection
from ansible_collections.nextbilling.did.plugins.module_utils._plan import Desired, Policy, decide
from ansible_collections.nextbilling.did.plugins.module_utils._redaction import (
    Redactor,
)
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import (
    Fingerprints,
)

TOKEN = "tkn-5b0e61f0-4f83"
PASSWORD = "it's señor/geheim  x"


@pytest.mark.parametrize(
    "echo",
    [
        TOKEN,
        TOKEN.upper(),
        "".join(f"{character}\0" for character in TOKEN),
        "\u200b".join(TOKEN),
        f"/api/manageDID/{TOKEN[:9]}",
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        html.escape(PASSWORD),
        PASSWORD.replace("'", "&#039;"),
        PASSWORD.replace("'", "&apos;"),
        PASSWORD.replace("'", "\\'"),
        PASSWORD.replace("'", "''"),
        PASSWORD.replace("ñ", "&ntilde;"),
        PASSWORD.replace("  ", " "),
        PASSWORD.replace("  ", "\t\n"),
        PASSWORD.replace("ñ", "\\u00f1"),
        PASSWORD.replace("/", "\\/"),
    ],
)
def test_no_spelling_of_a_secret_gets_through(echo: str) -> None:
    cleaned = Redactor([TOKEN, PASSWORD]).clean(f"before {echo} after")
    for part in ("5b0e", "geheim", "e 6 1", "señor"):
        assert part not in cleaned.lower()
    assert cleaned.startswith("before ") and cleaned.endswith(" after")


@pytest.mark.parametrize(
    "secret", ['a"1b2c3', "a\\1b2c3", "1b/2c3", "1b''2c3", "çé1b2c3", "😀 <1b>&2c3"]
)
def test_an_escape_of_an_escape_hides_no_secret(secret: str) -> None:
    """An answer may quote the body that was sent, which is JSON, in JSON of its own, in a URL or in a page."""
    escapes: list[Callable[[str], str]] = [
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        lambda text: quote(text, safe=""),
        html.escape,
        lambda text: re.sub(r"[\\'\"]", r"\\\g<0>", text),
        lambda text: text.replace("'", "''"),
    ]
    for first, second, third in itertools.product(escapes, repeat=3):
        echo = third(second(first(secret)))
        assert Redactor([secret]).clean(f"a {echo} b") == "a *** b"


def test_the_login_is_hidden_where_the_slashes_of_its_path_are_escaped() -> None:
    for slash in ("/", "\\/", "\\\\/", "\\\\\\/", "%2F", "%252f"):
        cleaned = Redactor([TOKEN]).clean(f"{slash}api{slash}manageDID{slash}{TOKEN[:9]}")
        assert TOKEN[:9] not in cleaned


def test_no_escape_brings_what_is_invisible() -> None:
    assert Redactor(["ñ1b2c3"]).clean("a&#8238;b%1b[c &ntilde;1b2c3") == "ab[c ***"


def test_the_cut_comes_last() -> None:
    redactor = Redactor([TOKEN])
    for offset in range(480, 500):
        cleaned = redactor.clean("x" * offset + TOKEN + "y" * 100)
        assert len(cleaned) <= 500 and "tkn" not in cleaned


def test_text_without_secrets_stays() -> None:
    text = "Número já existe <1166> & 50%"
    assert Redactor([TOKEN, "", "\u200b"]).clean(text) == text
    assert Redactor([]).clean(text) == text


def test_what_holds_secrets_does_not_show_them() -> None:
    """As in a debugger, or in the output of a test that fails."""
    (entry,) = _source.inline([{"did_number": "1166", "password": PASSWORD}], "dids")
    (item,), _problems = _source.check([entry], "dids")
    desired = Desired(item.values)
    plan = decide(desired, None, None, Policy(), Fingerprints(TOKEN, "registry"))
    connection = Connection("https://sip.example.com", TOKEN, TOKEN)
    assert plan.payload["password"] == PASSWORD
    for holder, words in (
        (entry, "dids[0]"),
        (item, "dids[0]"),
        (desired, "1166"),
        (plan, "create"),
        (connection, "sip.example.com"),
    ):
        for shown in (repr(holder), str(holder), f"{[holder]}"):
            assert words in shown
            assert TOKEN not in shown and "geheim" not in shown


def test_fingerprints() -> None:
    one = Fingerprints("key", "registry")
    stored = one.of("password", "secret")
    assert one.made(stored) and stored == Fingerprints("key", "registry").of("password", "secret")
    assert one.of("password", "other") != stored != one.of("username", "secret")
    for other in (Fingerprints("key2", "registry"), Fingerprints("key", "registry2")):
        assert not other.made(stored)
        assert other.of("password", "secret") != stored
    assert "secret" not in str(stored)
