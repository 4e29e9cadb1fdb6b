# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Marks that stand in place of secrets, fingerprints, and the check that a text of the platform holds no part of a secret.

Secrets are masked where they would be shown: fields by C(_fields.mask_secrets), changes in C(_planning/decide), options by
C(_module/task.mask_value), the path of a request by C(_platform/connection.masked_path), reviews in C(plugin_utils/_review/result_reader).
"""

from __future__ import annotations

import array
import hmac
import threading
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

MASK = "***"
MASK_AS_APPLIED = f"{MASK} (as last applied)"
MASK_OF_OTHER_KEY = f"{MASK} (recorded with another api_key, cannot be compared)"
MASK_NEW = f"{MASK} (new)"
MARK_REFUSED = (
    "is a mark that stands in place of a secret, as a result or a review shows it, and not the value itself: give the real value, or leave"
    " it out"
)


_DOTS = "\N{BULLET}\N{BLACK CIRCLE}"


def is_mark(value: str) -> bool:
    """Tell whether a value is a mark of this collection or of Ansible in place of a secret, or a fingerprint of the registry.

    A mark of the collection is a whole value. One of Ansible may be a part of a value, as it replaces secrets within texts. A row of dots is
    what web pages show.
    """
    if not value.isascii() and not value.strip(_DOTS):
        return True
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
    """Keyed fingerprints (HMAC-SHA-256) of secrets. By them the registry knows whether a secret changed, without holding it.

    The key is derived from the API key and the registry's id: a copy of the registry alone does not allow guessing passwords.
    Each fingerprint names its key by an id, as it cannot be compared with one of another API key.
    """

    def __init__(self, api_key: str, registry_id: str) -> None:
        self._key = _mac(api_key.encode(), b"nextbilling.did registry " + registry_id.encode())
        self.key_id = _mac(self._key, b"key id").hex()[:16]

    def of(self, field: str, value: str) -> dict[str, str]:
        """Return what the registry keeps of a secret: C({"fingerprint": hex, "key": id of the key})."""
        return {"fingerprint": self._hexadecimal(field, value), "key": self.key_id}

    def _hexadecimal(self, field: str, value: str) -> str:
        return _mac(self._key, f"{field}\0{value}".encode()).hex()

    def digest(self, parts: Iterable[bytes]) -> str:
        """Return a digest of texts with secrets in them, in hexadecimal. It tells whether they are the same, and nothing else."""
        digest = hmac.new(self._key, b"digest\0", "sha256")
        for part in parts:
            digest.update(part + b"\0")
        return digest.hexdigest()

    def json_of(self, field: str, value: str) -> str:
        """Return what C(of) returns, as the JSON that the registry stores."""
        return f'{{"fingerprint":"{self._hexadecimal(field, value)}","key":"{self.key_id}"}}'

    def is_comparable(self, stored: Mapping[str, str]) -> bool:
        """Tell whether a stored fingerprint was made with this key."""
        return stored.get("key") == self.key_id


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


FRAGMENT_LENGTH = 6
"""So many characters in a row of a secret are no accidental part of another word."""
_MIN_LENGTH = 3
REASON_LIMIT = 500
# So many characters are read for the limit: what is invisible is left out.
_READ_LIMIT = 4 * REASON_LIMIT
_BUCKETS = 1 << 16


class SecretIndex:
    """The fragments of a run's secrets: six characters in a row each. A secret of three to five characters is one fragment.

    The index is built when the first text is looked at, as most runs never do. A fragment takes 8 bytes: a set of strings would
    take ten times that, and a list may hold 100,000 passwords.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = secrets
        self._lock = threading.Lock()
        self._buckets: dict[int, array.array[int]] | None = None
        self._lengths: set[int] = set()

    def sanitize(self, text: str) -> str | None:
        """Return a text on one line, without control characters and cut at the limit; or None if that contains a part of a secret."""
        line = _single_line(text)
        return None if self._contains_fragment(line) else line

    def _contains_fragment(self, line: str) -> bool:
        from ._decoding import decodings  # most runs look at no text

        buckets = self._build()
        return any(
            text is None or any(map(partial(_is_indexed, buckets), self._windows(text)))
            for text in decodings(line)
        )

    def _windows(self, text: str) -> Iterator[str]:
        for form in _normal_forms(text):
            for length in self._lengths:
                yield from (form[at : at + length] for at in range(len(form) - length + 1))

    def _build(self) -> dict[int, array.array[int]]:
        with self._lock:
            if self._buckets is not None:
                return self._buckets
            buckets: dict[int, array.array[int]] = {}
            for fragment in _fragments(self._secrets):
                number = hash(fragment)
                place = number % _BUCKETS
                if place in buckets:
                    buckets[place].append(number)
                else:
                    buckets[place] = array.array("q", (number,))
                self._lengths.add(len(fragment))
            self._buckets = buckets
            return buckets


def _is_indexed(buckets: Mapping[int, array.array[int]], window: str) -> bool:
    number = hash(window)
    return number in buckets.get(number % _BUCKETS, ())


def _fragments(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if len(secret) < _MIN_LENGTH:
            continue
        for form in _normal_forms(secret):
            if len(form) >= FRAGMENT_LENGTH:
                last = len(form) - FRAGMENT_LENGTH
                yield from (form[at : at + FRAGMENT_LENGTH] for at in range(last + 1))
            elif len(form) >= _MIN_LENGTH and form.isascii() == secret.isascii():
                yield form


def _normal_forms(text: str) -> Collection[str]:
    """Return the forms in which a text is compared, all of them without case.

    With its punctuation, and without. Where it is not ASCII, also without all other characters, as a wrong character set changes
    those alone, and without accents.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    printable = folded if folded.isprintable() else "".join(filter(str.isprintable, folded))
    bare = folded if folded.isalnum() else "".join(filter(str.isalnum, folded))
    if folded.isascii():
        return {printable, bare}
    plain = "".join(filter(str.isascii, bare))
    unaccented = "".join(filter(str.isascii, unicodedata.normalize("NFKD", bare)))
    return {printable, bare, plain, unaccented}


def _single_line(text: str) -> str:
    visible = "".join(map(_drop_invisible, text[:_READ_LIMIT]))
    line = " ".join(visible.split())
    cut = len(line) > REASON_LIMIT or len(text) > _READ_LIMIT
    return line[: REASON_LIMIT - 1] + "…" if cut else line


def _drop_invisible(character: str) -> str:
    if character.isspace():
        return " "
    # Cc and Cf: control characters, and invisible ones such as those which turn the direction of text.
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character
