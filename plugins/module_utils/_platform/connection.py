# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The platform's address and the settings of a connection. Nothing is sent here."""

from __future__ import annotations

import ipaddress
import os
import re
import typing as t
from urllib.parse import SplitResult, urlsplit

from .._errors import InvalidParameter
from .._secrets import MASK

_ENDPOINT = "/api/manageDID"


class Connection(t.NamedTuple):
    """Where the platform is and how to talk to it. Times in seconds; C(timeout) is a deadline for a whole exchange."""

    api_url: str
    api_token: str
    api_key: str
    validate_certs: bool = True
    ca_path: str | None = None
    connect_timeout: float = 10.0
    timeout: float = 60.0
    allow_http: bool = False

    def __repr__(self) -> str:
        return f"Connection({origin(self.api_url)})"


def platform_name(api_url: str) -> str:
    """Return the name under which a platform's records are kept: its host and port, whichever way the URL writes them."""
    return authority(_parts(api_url))


def authority(parts: SplitResult) -> str:
    """Return the host and port of a split URL, normalised for case, default port and trailing dot."""
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_connection(connection: Connection) -> list[str]:
    """Return what is wrong with the connection's settings, a line each; none of them holds a secret."""
    problems = [
        f"{name}: must be one word of printable ASCII, without spaces or line ends"
        for name, value in (("api_token", connection.api_token), ("api_key", connection.api_key))
        if not re.fullmatch(r"[!-~]+", value) or value in (".", "..")
    ]
    if connection.ca_path is not None and not os.path.exists(connection.ca_path):
        problems.append(f"ca_path: there is no file or folder {connection.ca_path}")
    for name, seconds in (
        ("timeout", connection.timeout),
        ("connect_timeout", connection.connect_timeout),
    ):
        if not 0 < seconds <= 86400:
            problems.append(f"{name}: must be more than 0 and at most 86400 seconds")
    try:
        parts = _parts(connection.api_url)
    except InvalidParameter as error:
        return [*problems, error.message]
    if (
        parts.scheme == "http"
        and not connection.allow_http
        and not is_loopback(parts.hostname or "")
    ):
        problems.append(
            "api_url: http:// would send token and key readable to everyone on the way. Use https://, or allow_http: true if the"
            " network between is safe"
        )
    return problems


def _parts(api_url: str) -> SplitResult:
    """Split the platform's address, or raise C(InvalidParameter). What it says never holds the URL: it may hold secrets."""
    try:
        parts = urlsplit(api_url)
        usable = bool(parts.scheme in ("http", "https") and parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if re.search(r"\s", api_url):
        raise InvalidParameter(
            "api_url: holds a space or a line end; give the address without it, such as https://sip.nextbilling.com.br"
        )
    if not usable or not re.fullmatch(r"[!-~]+", api_url):
        raise InvalidParameter(
            "api_url: must be the platform's address, such as https://sip.nextbilling.com.br"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InvalidParameter("api_url: must hold no user, password, query or fragment")
    if "managedid" in parts.path.lower():
        raise InvalidParameter(
            "api_url: is the address of the platform alone, without /api/manageDID; token and key have options of their own"
        )
    return parts


def origin(api_url: str) -> str | None:
    """Return scheme, host and port of an address: what follows may be a token, mistakenly. None if it is no address."""
    try:
        parts = urlsplit(api_url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}" if host else None


def has_path(api_url: str) -> bool:
    """Tell whether the address has a path, so that host and port alone do not name the platform."""
    return _parts(api_url).path.strip("/") != ""


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3; RFC 6761, 6.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def masked_path(connection: Connection, record_id: int | None) -> str:
    """Return the request's path with marks in place of token and key."""
    path = request_path(connection, MASK, MASK)
    return path if record_id is None else f"{path}/{record_id}"


def request_path(connection: Connection, token: str, key: str) -> str:
    """Return the path of a create."""
    return f"{urlsplit(connection.api_url).path.rstrip('/')}{_ENDPOINT}/{token}/{key}"
