# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Secrets: fingerprints of them, the marks in their place, and whether a text that others wrote may be shown."""

from __future__ import annotations

import array
import hmac
import threading
import typing as t
import unicodedata
from functools import partial

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection, Iterable, Iterator, Mapping

REASON_LIMIT = 500
# So many characters are read for the limit: what is invisible is left out.
_READ = 4 * REASON_LIMIT
_SHORTEST = 3
_BUCKETS = 1 << 16


class SecretIndex:
    """All runs of six characters in a row of a run's secrets, and the secrets of three to five as wholes.

    It is built when the first text is looked at, as most runs never do. A run takes 8 bytes: a set of strings would take ten
    times that, and a list may hold 100,000 passwords.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = secrets
        self._lock = threading.Lock()
        self._buckets: dict[int, array.array[int]] | None = None
        self._lengths: set[int] = set()

    def sanitize(self, text: str) -> str | None:
        """Return a text on one line, without control characters and cut at the limit; or None if a part of a secret is in that."""
        line = _visible_line(text)
        return None if self._holds(line) else line

    def _holds(self, text: str) -> bool:
        from ._decoding import readings  # most runs look at no text

        buckets = self._build()
        return any(
            reading is None or any(map(partial(self._knows, buckets), self._windows(reading)))
            for reading in readings(text)
        )

    def _windows(self, text: str) -> Iterator[str]:
        for form in _forms(text):
            for length in self._lengths:
                yield from (form[at : at + length] for at in range(len(form) - length + 1))

    @staticmethod
    def _knows(buckets: Mapping[int, array.array[int]], run: str) -> bool:
        number = hash(run)
        return number in buckets.get(number % _BUCKETS, ())

    def _build(self) -> dict[int, array.array[int]]:
        with self._lock:
            if self._buckets is not None:
                return self._buckets
            buckets: dict[int, array.array[int]] = {}
            for run in _runs(self._secrets):
                number = hash(run)
                place = number % _BUCKETS
                if place in buckets:
                    buckets[place].append(number)
                else:
                    buckets[place] = array.array("q", (number,))
                self._lengths.add(len(run))
            self._buckets = buckets
            return buckets


def _runs(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if len(secret) < _SHORTEST:
            continue
        for form in _forms(secret):
            if len(form) >= DISTINCT:
                yield from (form[at : at + DISTINCT] for at in range(len(form) - DISTINCT + 1))
            elif len(form) >= _SHORTEST and form.isascii() == secret.isascii():
                yield form


def _forms(text: str) -> Collection[str]:
    """Return a text in the forms in which it is compared, none of which knows case.

    With its punctuation, and without. Where it is not ASCII, also without what is not, as a wrong character set changes that
    alone, and without accents.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    printable = folded if folded.isprintable() else "".join(filter(str.isprintable, folded))
    bare = folded if folded.isalnum() else "".join(filter(str.isalnum, folded))
    if folded.isascii():
        return {printable, bare}
    plain = "".join(filter(str.isascii, bare))
    unaccented = "".join(filter(str.isascii, unicodedata.normalize("NFKD", bare)))
    return {printable, bare, plain, unaccented}


def _visible_line(text: str) -> str:
    visible = "".join(map(_visible, text[:_READ]))
    line = " ".join(visible.split())
    cut = len(line) > REASON_LIMIT or len(text) > _READ
    return line[: REASON_LIMIT - 1] + "…" if cut else line


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    # Cc and Cf: control characters, and invisible ones such as those which turn the direction of text.
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character


MASK = "***"
MASK_AS_APPLIED = f"{MASK} (as last applied)"
MASK_OF_OTHER_KEY = f"{MASK} (recorded with another api_key, cannot be compared)"
MASK_NEW = f"{MASK} (new)"
DISTINCT = 6
"""Characters from which on a secret can be told from an accidental part of another word."""

MARK_REFUSED = (
    "is a mark that stands in place of a secret, as a result or a review shows it, and not the value itself: give the real value, or leave"
    " it out"
)


def is_mark(value: str) -> bool:
    """Tell whether a value is what this collection or Ansible shows in place of a secret, or a fingerprint out of the registry.

    The collection's own marks are a whole value. Those of Ansible may be a part of one: it replaces a secret within a text, too.
    """
    if "***" in value:
        text = value.strip()
        return text == MASK or text.startswith(f"{MASK} (") or "********" in text
    # Most values are shorter than any other mark.
    return len(value) >= 10 and (
        "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in value
        or "$REDACTED$" in value
        or "<redacted>" in value
        or "hidden due to the fact that 'no_log: true'" in value
        or ('"fingerprint":' in value and value.lstrip().startswith("{"))
    )


class Fingerprints:
    """Keyed fingerprints (HMAC-SHA-256) of secrets, so that the registry can tell whether one changed without holding it.

    The key is derived from the API key and the registry's id: a copy of the registry alone does not allow guessing passwords.
    Beside each fingerprint stands the id of the key that made it, as one made with another API key cannot be checked.
    """

    def __init__(self, api_key: str, registry_id: str) -> None:
        self._key = _mac(api_key.encode(), b"nextbilling.did registry " + registry_id.encode())
        self.key_id = _mac(self._key, b"key id").hex()[:16]

    def of(self, field: str, value: str) -> dict[str, str]:
        """Return what the registry keeps of a secret: C({"fingerprint": hex, "key": id of the key})."""
        mac = _mac(self._key, field.encode() + b"\0" + value.encode())
        return {"fingerprint": mac.hex(), "key": self.key_id}

    def made(self, stored: Mapping[str, str]) -> bool:
        """Tell whether a stored fingerprint was made with this key, so that it can be compared."""
        return stored.get("key") == self.key_id


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
