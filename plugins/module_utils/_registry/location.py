# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Checks a registry's location: an absolute path, or the URL of a database.

Results and messages show the location, so it is accepted only where nothing in it can be a secret. No part of a refused one is shown, as
any part may be a password.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from .._errors import InvalidParameter

DEFAULT_LOCATION = "~/.local/state/nextbilling-did/registry.db"
_SCHEME = "postgresql://"
# A path that cannot be taken for a URL, or for a parameter of a connection.
_PATH = re.compile(r"[/~](?!/)[\w ./+-]*")


def may_be_shown(location: str) -> bool:
    """Tell whether a location certainly holds no secret, as C(locate) accepts no other."""
    try:
        locate(location)
    except InvalidParameter:
        return False
    return True


def locate(location: str, option: str = "registry") -> str:
    """Return where a registry is, an absolute path or the URL of a database, or raise C(InvalidParameter).

    :param option: its option. The option of the password has this name with C(_password).
    """
    if _PATH.fullmatch(location) is None:
        problem = _problem(location, option)
        if problem is not None:
            raise InvalidParameter(f"{option}: {problem}")
        if is_database(location):
            return location
    path = os.path.expanduser(location)
    if not os.path.isabs(path):
        raise InvalidParameter(f"{option}: there is no home of the user that it begins with")
    return os.path.normpath(path)


def is_database(location: str) -> bool:
    """Tell whether a location of C(locate) is the URL of a database."""
    return location.startswith(_SCHEME)


_EXAMPLE = "postgresql://user@host:5432/database?sslmode=verify-full"
# https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS: those that hold no secret, and may be useful here.
PARAMETERS = frozenset(
    (
        "application_name channel_binding client_encoding connect_timeout dbname"
        " fallback_application_name gssdelegation gssencmode gsslib host hostaddr keepalives"
        " keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts"
        " max_protocol_version min_protocol_version options passfile port require_auth"
        " requirepeer service servicefile ssl_max_protocol_version ssl_min_protocol_version"
        " sslcert sslcertmode sslcompression sslcrl sslcrldir sslkey sslmode sslnegotiation"
        " sslrootcert sslsni target_session_attrs tcp_user_timeout user"
    ).split()
)
# Further parameters of libpq. A message may name them, as a name is no secret.
_REFUSED_PARAMETERS = frozenset(
    (
        "authtype oauth_client_id oauth_client_secret oauth_issuer oauth_scope password"
        " replication requiressl scram_client_key scram_server_key ssl sslkeylogfile sslpassword"
        " tty"
    ).split()
)
_OTHER_SCHEMES = frozenset(
    {"file", "http", "https", "jdbc", "mariadb", "mongodb", "mssql", "mysql", "oracle", "redis"}
    | {"sqlite", "sqlite3", "ssh"}
)
_ANY_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# As libpq parses a URL, but without what is ambiguous: https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNSTRING
_TEXT = r"(?:[\w.~+*!$-]|%[0-9A-Fa-f]{2})"
_HOST = rf"(?:{_TEXT}*|\[[0-9A-Fa-f:.%]+\])(?::[0-9]{{0,5}})?"
_URL = re.compile(
    rf"postgresql://(?:(?P<user>{_TEXT}+)@)?{_HOST}(?:,{_HOST})*(?:/(?P<dbname>{_TEXT}*))?(?:\?(?P<parameters>[^?#]*))?"
)
# Commas, colons and slashes are in lists of hosts and in paths.
_VALUE = re.compile(rf"(?:{_TEXT}|[,:/])*")
_SECOND_VALUE = re.compile(r"[=;&#]|://|:[^@]*@")
_NAMES = ("application_name", "dbname", "fallback_application_name", "service", "user")
# The only setting of the server that may be set, the one that says where the tables are; and what some services need to find the server.
_OPTIONS = re.compile(r"(?:-c ?|--)search_path=[\w$, \"]+|(?:endpoint|project)=[\w.-]+", re.ASCII)
_HINTS = {
    "options": "It may set search_path (options=-csearch_path%3DSCHEMA) and nothing else",
}
_CREDENTIALS = re.compile(r"//[^@]*:[^@]*@")
# Of a URL whose beginning was lost.
_PATH_CREDENTIALS = re.compile(r"/[^/]*:[^/]*@")
_ASSIGNMENT = re.compile(r"(?:password|passwd|secret|key|token)\s*[=:]", re.IGNORECASE)
_NO_PATH = (
    "begins like a path, and holds what may be a password. Give an absolute path, or one from '~'"
)


def _problem(location: str, option: str) -> str | None:
    plain = unquote(location)
    if _CREDENTIALS.search(location):
        return _no_password(option)
    if not location.isprintable() or not plain.isprintable() or location != location.strip():
        return "holds a space at one end, a line's end, or another character that cannot be seen"
    if location.startswith(("/", "~")):
        suspicious = _ASSIGNMENT.search(plain) or _PATH_CREDENTIALS.search(plain) or "://" in plain
        return _NO_PATH if suspicious else None
    scheme = _ANY_SCHEME.match(location)
    if scheme is None:
        return (
            "is a relative path, which would be another registry in every folder, or no path at all. Give an absolute path, or one from"
            f" '~', or {_EXAMPLE}"
        )
    name = scheme[1].lower()
    if scheme[1] != "postgresql" and name.split("+")[0] in ("postgresql", "postgres"):
        return f"write the scheme of a database's URL as postgresql://, such as {_EXAMPLE}"
    if name != "postgresql":
        named = f"{name}: is" if name in _OTHER_SCHEMES else "what it begins with is"
        return f"{named} no kind of registry. Give a path, absolute or from '~', or {_EXAMPLE}"
    url = _URL.fullmatch(location)
    if url is None:
        return (
            f"is no URL of a database in the form {_EXAMPLE}. Write other characters than letters, digits and '.', '-', '_', '~' as %XX, and"
            " separate several hosts by commas"
        )
    if ":" in unquote(url["user"] or ""):
        return _no_password(option)
    return _wrong_parameters(url["parameters"] or "", option)


def _wrong_parameters(text: str, option: str) -> str | None:
    seen: set[str] = set()
    for part in text.split("&") if text else []:
        written, _equals, value = part.partition("=")
        name = unquote(written)
        if name.lower() in ("password", "sslpassword"):
            return _no_password(option)
        if name not in PARAMETERS:
            named = (
                f"the parameter {name.lower()}, which is"
                if name.lower() in _REFUSED_PARAMETERS
                else "one"
            )
            return (
                f"of a URL's parameters, only those that hold no secret are taken, and this one holds {named} not among them. They are"
                f" {', '.join(sorted(PARAMETERS))}. Give anything else by a service file of PostgreSQL's library, and name the service"
                " here (service=NAME)"
            )
        if name in seen:
            return f"the URL holds the parameter {name} twice"
        seen.add(name)
        if not _may_hold(name, value):
            return f"the URL's parameter {name} holds what may be a secret. {_HINTS.get(name, '')}"
    return None


def _may_hold(name: str, value: str) -> bool:
    plain = unquote(value)
    if name == "options":
        return _OPTIONS.fullmatch(plain) is not None
    if _VALUE.fullmatch(value) is None or _SECOND_VALUE.search(plain):
        return False
    return ":" not in plain or name not in _NAMES


def _no_password(option: str) -> str:
    return (
        "a URL that holds a password is refused, as Ansible shows module arguments at -vvv. Give the password by"
        f" {option}_password, by the environment variable PGPASSWORD or in ~/.pgpass"
    )
