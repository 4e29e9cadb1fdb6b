# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the place of secrets."""

from __future__ import annotations

import base64
import html
import itertools
import json
import random
import re
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import quote

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._decoding import decodings
from ansible_collections.nextbilling.did.plugins.module_utils._input.entries import open_list
from ansible_collections.nextbilling.did.plugins.module_utils._model import Desired, Policy
from ansible_collections.nextbilling.did.plugins.module_utils._planning.decide import decide
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import Connection
from ansible_collections.nextbilling.did.plugins.module_utils._secrets import (
    Fingerprints,
    SecretIndex,
)

TOKEN = "tkn-5b0e61f0-4f83"
PASSWORD = "it's señor/geheim  x"


KEY = "key-8d9c8f7a-2b6e"
REASONS = [
    "OK",
    "DID already exists",
    "Parâmetro obrigatório: device_id",
    "Número já existe <1166> & 50%",
    "did_number: 1130001000 has 10 digits (0x0a), expected 8",
    "Error in /var/www/api/manageDID.php on line 120: SQLSTATE[23000]: 1062 Duplicate entry",
    "tkn-5, gehei: no such thing",
]


def octets(text: str, form: str, between: str = "") -> str:
    """Write each octet of a text as a number."""
    return between.join(format(octet, form) for octet in text.encode())


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "NUL between": "\0".join,
    "nothing visible between": "\u200b".join,
    "line ends between": "\r\n".join,
    "punctuation between": " - ".join,
    "tags between": "<b></b>".join,
    "fifteen characters": lambda text: f"/api/manageDID/{text[:15]}...",
    "six characters": lambda text: text[4:12],
    "within a word": lambda text: f"abc{text}abc",
    "reversed": lambda text: text[::-1],
    "full width": lambda text: "".join(
        chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text
    ),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "URL": lambda text: quote(text, safe=""),
    "URL, all of it": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "URL, by character": lambda text: "".join(f"%u{ord(each):04X}" for each in text),
    "HTML": html.escape,
    "HTML by number": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "HTML by hexadecimal number": lambda text: "".join(f"&#x{ord(each):04X};" for each in text),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, all of it": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    "backslashes": lambda text: re.sub(r"[\\'\"/ -]", r"\\\g<0>", text),
    "\\x": lambda text: "".join(f"\\x{octet:02x}" for octet in text.encode()),
    "\\x{}": lambda text: "".join(f"\\x{{{ord(each):x}}}" for each in text),
    "\\U": lambda text: "".join(f"\\U{ord(each):08x}" for each in text),
    "octal": lambda text: "".join(f"\\{octet:03o}" for octet in text.encode()),
    "octal list": lambda text: octets(text, "03o", " "),
    "decimal list": lambda text: str(list(text.encode())),
    "decimal calls": lambda text: "||".join(f"chr({octet})" for octet in text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in a word": lambda text: f"0x{text.encode().hex().upper()}f",
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "hexadecimal with 0x": lambda text: octets(text, "#04x", ", "),
    "hexadecimal in UTF-16": lambda text: text.encode("utf-16-be").hex(),
    "U+": lambda text: " ".join(f"U+{ord(each):04X}" for each in text),
    "quoted printable": lambda text: "".join(f"={octet:02X}" for octet in text.encode()),
    "quoted printable, in part": lambda text: "".join(
        f"={ord(each):02X}" if place % 2 and each.isascii() else each
        for place, each in enumerate(text)
    ),
    "hexadecimal list": lambda text: str([f"{octet:02x}" for octet in text.encode()]),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32 in a word": lambda text: f"xy{base64.b32encode(text.encode()).decode()}".lower(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 of more": lambda text: base64.b64encode(f"me:{text}!".encode()).decode(),
    "base64 in a word": lambda text: f"xy{base64.b64encode(text.encode()).decode()}z",
    "base64 in lines": lambda text: "\n".join(
        re.findall(".{1,5}", base64.b64encode(text.encode()).decode())
    ),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
}


@pytest.fixture(name="secrets", scope="module")
def _secrets() -> SecretIndex:
    """The secrets of a run."""
    return SecretIndex([TOKEN, KEY, "admin123", PASSWORD])


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("secret", [TOKEN, KEY, PASSWORD])
def test_a_reason_with_a_part_of_a_secret_is_withheld(
    secrets: SecretIndex, secret: str, encode: Callable[[str], str]
) -> None:
    assert secrets.sanitize(f"before {encode(secret)} after") is None
    assert secrets.sanitize(encode(secret)) is None


@pytest.mark.parametrize("first", ENCODINGS.values(), ids=ENCODINGS)
def test_a_secret_that_was_encoded_twice_is_found(
    secrets: SecretIndex, first: Callable[[str], str]
) -> None:
    layers = ["URL", "HTML", "JSON", "backslashes", "base64", "hexadecimal", "reversed"]
    for name in layers:
        # What is longer than what is shown is cut: what is left of that need hold no part.
        echo = ENCODINGS[name](first(TOKEN)[:110])
        assert secrets.sanitize(f"a {echo} b") is None, name


@pytest.mark.parametrize(
    "secret", ['a"1b2c3', "a\\1b2c3", "1b/2c3x", "1b''2c3", "çé1b2c3", "😀 <1b>&2c3"]
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
    index = SecretIndex([secret])
    for first, second, third in itertools.product(escapes, repeat=3):
        assert index.sanitize(f"a {third(second(first(secret)))} b") is None


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_without_a_secret_is_shown(secrets: SecretIndex, reason: str) -> None:
    assert secrets.sanitize(reason) == reason
    assert SecretIndex([]).sanitize(reason) == reason


@pytest.mark.parametrize(
    ("secret", "withheld", "shown"),
    [
        ("abc", "x-a.b c-x", "ab, d"),
        ("a1b2c", "xA1B2Cx", "a1b2"),
        ("abcdef", "abcdef", "abcde"),
        ("abcdefg", "bcdefg", "abcde"),
        ("!@#$%^&*", "x#$%^&*x", "!@#$%x^&*"),
        ("!@#", "a!@#b", "!@ #"),
        ("a!b!c!d!", "ab-cd", "abc"),
        ("пароль-один", "ПАРОЛЬ", "парол"),
        ("パスワード12", "スワード 12", "12"),
        ("señorita", "senorita", "senor"),
        ("señorita", "se\ufffdorita", "se\ufffdor"),
        ("señorita", "señorita".encode().decode("latin-1"), "seÃ±or"),
        ("straße", "STRASSE", "stras"),
    ],
)
def test_how_much_of_a_secret_is_a_part(secret: str, withheld: str, shown: str) -> None:
    index = SecretIndex([secret])
    assert index.sanitize(withheld) is None
    assert index.sanitize(shown) == shown


def test_what_is_too_short_to_be_told_from_other_words_is_not_looked_for() -> None:
    assert SecretIndex(["ab", "--", "5"]).sanitize("ab -- 5") == "ab -- 5"


def test_a_reason_is_one_line_in_which_all_is_visible() -> None:
    index = SecretIndex([TOKEN])
    assert index.sanitize("a\u202e\x1b[31m\r\n b\t\u200bc\ue000") == "a[31m b c"


def test_only_what_would_be_shown_counts() -> None:
    """The cut comes first: what is left of a secret then is looked at, and nothing else."""
    index = SecretIndex([TOKEN])
    results = {index.sanitize("x" * offset + TOKEN + "y" * 100) for offset in range(470, 510)}
    assert None in results and len(results) > 1
    for shown in results - {None}:
        assert shown is not None and len(shown) <= 500 and shown.endswith("…")
        assert TOKEN[:6] not in shown


def test_a_text_of_a_megabyte_takes_no_time() -> None:
    index = SecretIndex([TOKEN, "abc"])
    for text in ("&", "\\", "%25", "<", "a ", "\u200b", "A1", "é"):
        started = time.process_time()
        index.sanitize(text * 1_000_000)
        # It took up to 31 seconds; a second is far more than it needs, on any machine.
        assert time.process_time() - started < 1


def test_what_has_too_many_decodings_is_withheld() -> None:
    parts = ["%5c", "\\x5c", "&#92;", "&amp;", "%25", "x41", "%41", "65 ", "<b>", "QUJD", "4142"]
    mixed = "".join(random.Random(3).choices(parts, k=120))[:490]
    assert list(decodings(mixed))[-1] is None
    assert SecretIndex(["nothing"]).sanitize(mixed) is None


def test_ten_thousand_passwords_are_indexed_once() -> None:
    passwords = [f"pw-{number:08}-{number * 7919 % 99991:05}x" for number in range(10_000)]
    index = SecretIndex(passwords)
    assert index.sanitize("no pw-xyz here") is not None
    assert index.sanitize(f"no {passwords[-1][5:14]} here") is None
    passwords.clear()
    assert index.sanitize("pw-00000007") is None


def test_what_holds_secrets_does_not_show_them() -> None:
    """As in a debugger, or in the output of a test that fails."""
    did_list, _problems = open_list([{"did_number": "1166", "password": PASSWORD}], None)
    assert did_list is not None
    (entry,) = did_list
    (item,), _invalid = did_list.validate(entry)
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


def test_a_fingerprint_is_comparable_by_its_own_key_alone() -> None:
    one = Fingerprints("key", "registry")
    stored = one.of("password", "secret")
    assert one.is_comparable(stored) and stored == Fingerprints("key", "registry").of(
        "password", "secret"
    )
    assert one.of("password", "other") != stored != one.of("username", "secret")
    for other in (Fingerprints("key2", "registry"), Fingerprints("key", "registry2")):
        assert not other.is_comparable(stored)
        assert other.of("password", "secret") != stored
    assert "secret" not in str(stored)
