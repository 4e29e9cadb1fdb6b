# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Decodes texts of unknown encoding: escapes, HTML, base64, hexadecimal and other numbers. Pure functions."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

_MAX_LAYERS = 4
_MAX_DECODINGS = 1000

# An escape may have been escaped again, which doubles its backslashes each time.
_BACKSLASH = re.compile(
    r"\\+(?:x\{([0-9a-f]{1,6})\}|x([0-9a-f]{2})|(?-i:U)([0-9a-f]{8})|u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|([0-7]{1,3})|([abefnrtv])"
    r"|(.)|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_PERCENT = re.compile(r"%(?:25)+(?=u?[0-9a-f]{2})", re.IGNORECASE)
# As escape() of JavaScript and some servers write other characters.
_PERCENT_UNICODE = re.compile(r"%u([0-9a-f]{4})", re.IGNORECASE)
# RFC 2045, 6.7
_QUOTED_PRINTABLE = re.compile(r"=([0-9a-f]{2})", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp;)+(?=#|[a-z])", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}")
_BASE32 = re.compile(r"[A-Z2-7]{8,}", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")
_HEXADECIMAL = re.compile(
    r"(?:(?:0x|\\+x|[xX%=]|U\+0{0,4}|\\+u00)?[0-9a-f]{2}h?[^0-9A-Za-z\\%=]{0,4}){3,}", re.IGNORECASE
)
_PREFIX = re.compile(r"0x|U\+(?:00){0,2}|\\+u00|[^0-9a-f]", re.IGNORECASE)
# Between them may stand a call: chr(88).chr(107)
_NUMBERS = re.compile(
    r"(?<!\d)\d{1,3}(?:\W{1,5}(?:[a-z]{1,5}\(\s*)?\d{1,3}){2,}(?!\d)", re.IGNORECASE
)


def unescape_layers(text: str) -> Iterator[str | None]:
    """Yield a text, and what each layer of escapes in it decodes to. Ends with None where there are too many. Linear in its length."""
    for _layer in range(_MAX_LAYERS):
        yield text
        bare = _TAG.sub("", text)
        if bare != text:
            yield bare
        inner = _unescape_entities(_unescape_percents(_unescape_backslashes(text)))
        if inner == text:
            return
        text = inner
    yield None


def decodings(text: str) -> Iterator[str | None]:
    """Yield a short text, and what each sequence of decoders makes of it. Ends with None where there are too many."""
    seen = {text}
    layer = [text]
    yield text
    for _layer in range(_MAX_LAYERS):
        below: list[str] = []
        for new in (new for known in layer for decode in _DECODERS for new in decode(known)):
            if new in seen:
                continue
            if len(seen) == _MAX_DECODINGS:
                yield None
                return
            seen.add(new)
            below.append(new)
            yield new
        layer = below


def _unescape_backslashes(text: str) -> str:
    return _BACKSLASH.sub(_unescape, text) if "\\" in text else text


def _unescape(escape: re.Match[str]) -> str:
    *hexadecimals, octal, control, other = escape.groups()
    digits = next(filter(None, hexadecimals), None)
    if digits is not None:
        code = int(digits, 16)
        return chr(code) if code <= 0x10FFFF else ""
    if octal is not None:
        return chr(int(octal, 8))
    return " " if control else other or ""


def _unescape_percents(text: str) -> str:
    if "%" not in text:
        return text
    plain = _PERCENT_UNICODE.sub(lambda match: chr(int(match[1], 16)), _PERCENT.sub("%", text))
    return unquote(plain, errors="replace")


def _unescape_quoted_printable(text: str) -> str:
    return _QUOTED_PRINTABLE.sub(lambda match: chr(int(match[1], 16)), text)


def _unescape_entities(text: str) -> str:
    return html.unescape(_ENTITY.sub("&", text)) if "&" in text else text


def _single(decode: Callable[[str], str]) -> Callable[[str], Iterator[str]]:
    return lambda text: iter((decode(text),))


def _from_base64(text: str) -> Iterator[str]:
    """Decode the base64 in a text. Where it begins within a word is not known, so each of four places is tried."""
    for whole in dict.fromkeys((text, "".join(text.split()))):
        words = _BASE64.findall(whole.translate(_URL_SAFE))
        for start in range(4):
            decoded = " ".join(filter(None, (_decode_base64(word[start:]) for word in words)))
            if decoded:
                yield decoded


def _decode_base64(word: str) -> str:
    # One character alone is less than a byte.
    usable = word[: len(word) - (len(word) % 4 == 1)]
    return _decode_octets(base64.b64decode(usable + "=" * (-len(usable) % 4)))


def _from_base32(text: str) -> Iterator[str]:
    """Decode the base32 in a text. Groups of eight characters begin at any of them."""
    words = _BASE32.findall(text)
    for start in range(8 if words else 0):
        decoded = " ".join(_decode_base32(word[start:].upper()) for word in words)
        if decoded.strip():
            yield decoded


def _decode_base32(word: str) -> str:
    # So many of the last characters are less than a byte.
    usable = word[: len(word) - {1: 1, 3: 1, 6: 1}.get(len(word) % 8, 0)]
    return _decode_octets(base64.b32decode(usable + "=" * (-len(usable) % 8)))


def _from_hexadecimal(text: str) -> Iterator[str]:
    runs = [_PREFIX.sub("", run) for run in _HEXADECIMAL.findall(text)]
    # Where a pair begins in a run of digits is not known.
    for start in range(2):
        pairs = (digits[start:] for digits in runs)
        decoded = " ".join(
            _decode_octets(bytes.fromhex(pair[: len(pair) // 2 * 2])) for pair in pairs
        )
        if decoded:
            yield decoded


def _from_numbers(text: str) -> Iterator[str]:
    """Decode lists of character codes, in decimal and in octal, as some languages print bytes."""
    lists = [re.findall(r"\d+", run) for run in _NUMBERS.findall(text)]
    for base in (10, 8):
        decoded = " ".join(
            "".join(_from_code(number, base) for number in numbers) for numbers in lists
        )
        if decoded.strip():
            yield decoded


def _from_code(number: str, base: int) -> str:
    try:
        return chr(int(number, base))
    except ValueError:
        return ""


def _decode_octets(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


_DECODERS: tuple[Callable[[str], Iterator[str]], ...] = (
    _single(_unescape_backslashes),
    _single(_unescape_percents),
    _single(_unescape_entities),
    _single(lambda text: _TAG.sub("", text)),
    _single(lambda text: text[::-1]),
    _single(_unescape_quoted_printable),
    _from_hexadecimal,
    _from_numbers,
    _from_base64,
    _from_base32,
)
