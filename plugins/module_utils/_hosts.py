# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Knows what a host is, and when two texts mean the same one. Pure."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Hashable, Iterable

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
# What people write between the last two of several hosts. By its characters, each could be the name of one.
CONJUNCTIONS = frozenset(("and", "e", "et", "or", "ou", "und", "y"))


@functools.lru_cache(maxsize=4096)
def address(text: str) -> str | None:
    """Return the usual spelling of an IP address, or None for any other text."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def is_host_name(text: str) -> bool:
    """Tell whether a text is a host name by RFC 1123, 2.1, or has underscores beside. A last label of digits is a mistyped address."""
    labels = text[:-1].split(".") if text.endswith(".") else text.split(".")
    return (
        len(text) <= 254
        and all(re.fullmatch(_LABEL, label) for label in labels)
        and not labels[-1].isdigit()
    )


def host_key(host: str) -> Hashable:
    """Return what two spellings of one host have in common: names ignore case (RFC 4343), and an address has many spellings."""
    return address(host) or host.lower().rstrip(".")


def hosts_key(hosts: Iterable[str]) -> Hashable:
    """Return what two lists of the same hosts have in common, in any order."""
    return frozenset(map(host_key, hosts))
