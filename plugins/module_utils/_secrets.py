# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Secrets: what stands in their place in the registry and in results, and how such a mark is told from a value."""

from __future__ import annotations

import hmac
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Mapping

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
