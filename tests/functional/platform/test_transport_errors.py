# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no answer, in words of our own: never in those of a library or of a server."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.nextbilling.did.plugins.module_utils._platform import (
    transport_errors as _transport_errors,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.client import Platform
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import (
    Connection,
    check_connection,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import Outcome

SECRET = "geheim"
CONNECTION = Connection("https://sip.example.com", SECRET, SECRET)


def attempt(**settings: Any) -> Outcome:
    """Try to create a DID where that cannot be."""
    connection = Connection(**{"api_token": SECRET, "api_key": SECRET, "timeout": 5, **settings})
    with contextlib.closing(Platform(connection)) as client:
        return client.create({"did_number": "1"}, lambda seconds: None)


def explained(failure: BaseException, began: bool = False) -> str:
    words, _retryable = _transport_errors.explain(failure, CONNECTION, began)
    return words


@pytest.mark.parametrize("began", [False, True])
@pytest.mark.parametrize(
    "failure",
    [
        OSError(f"Could not find a suitable TLS CA certificate bundle, invalid path: {SECRET}"),
        OSError(errno.ECONNREFUSED, SECRET),
        OSError(12345, SECRET),
        ssl.SSLError(1, f"[SSL: {SECRET}] {SECRET} (_ssl.c:1)"),
        ssl.SSLCertVerificationError(1, SECRET),
        http.client.BadStatusLine(SECRET),
        http.client.IncompleteRead(SECRET.encode()),
        http.client.InvalidURL(SECRET),
        UnicodeError(SECRET),
        ValueError(SECRET),
        RuntimeError(SECRET),
        type(SECRET, (Exception,), {})(SECRET),
        socket.gaierror(-2, SECRET),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_of_an_exceptions_words_is_shown(failure: BaseException, began: bool) -> None:
    if isinstance(failure, ssl.SSLError):
        failure.reason = SECRET
    if isinstance(failure, ssl.SSLCertVerificationError):
        failure.verify_code, failure.verify_message = 79, SECRET
    for each in (failure, RuntimeError(failure)):
        words = explained(each, began)
        assert words and SECRET not in words
        # No class's name either.
        assert type(failure).__name__ not in words


def test_numbers_and_codes_have_words() -> None:
    assert "refused" in explained(OSError(errno.ECONNREFUSED, ""))
    assert "ENOBUFS" in explained(OSError(errno.ENOBUFS, ""))
    assert "unknown" in explained(OSError(12345, ""))
    untrusted = ssl.SSLCertVerificationError(1, "")
    for code, words in ((10, "expired"), (62, "another host name"), (79, "79")):
        untrusted.verify_code = code
        assert words in explained(untrusted) and "ca_path" in explained(untrusted)


@pytest.mark.parametrize(
    ("name", "words"),
    [("sip.example.com", "another"), ("127.0.0.1", "not known here")],
)
def test_a_certificate_that_is_not_trusted(tmp_path: Path, name: str, words: str) -> None:
    authority, other = trustme.CA(), trustme.CA(organization_name=SECRET)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (other if name == "127.0.0.1" else authority).issue_cert(
        name, organization_name=SECRET
    ).configure_cert(context)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            context.wrap_socket(listener.accept()[0], server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        outcome = attempt(api_url=url, ca_path=str(tmp_path / "ca.pem"))
        thread.join()
    assert (outcome.kind, outcome.retryable) == ("unreachable", False)
    assert words in outcome.words and "ca_path" in outcome.words and SECRET not in outcome.words


@pytest.mark.parametrize("content", [None, "", SECRET])
def test_authorities_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        outcome = attempt(api_url=url, ca_path=str(path), timeout=1)
    assert (outcome.kind, "ca_path" in outcome.words) == ("unreachable", True)


@pytest.mark.parametrize(
    "proxy", ["http://[geheim", "http://host:geheim", "geheim://x", "//", "http://", "http://:1"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_no_address(
    monkeypatch: pytest.MonkeyPatch, proxy: str, scheme: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    outcome = attempt(api_url=f"{scheme}://127.0.0.1:9", timeout=2)
    assert outcome.kind == "unreachable"
    assert SECRET not in outcome.words


URLS = [
    "https://[::1",
    "https://::1]",
    "https://[geheim]",
    "https://[v1.x]:1",
    "https://[fe80::1%25lo]:1",
    "https://x:65536",
    "https://x:-1",
    "https://x:0",
    "https://x:1:2",
    "https://x:",
    "https://.",
    "https://..",
    "https://.x",
    "https://a..b",
    "https://" + "a" * 64 + ".example",
    "https://xn--geheim-.example",
    "https://%zz",
    "https://a%00b",
    "https://a\\b",
    "https://a^b|c",
    "https://*",
    "https:///x",
    "https:x",
    "//x",
    "http://[::ffff:1.2.3.4.5]/",
    "https://1.2.3.4.5:443/%2e%2e/",
]


@pytest.mark.parametrize("url", URLS)
def test_an_address_of_any_kind_raises_nothing(url: str) -> None:
    problems = check_connection(Connection(url, SECRET, SECRET))
    assert all(SECRET not in problem for problem in problems)
    if not problems:
        assert attempt(api_url=url, timeout=2).kind == "unreachable"


def test_a_file_of_authorities_that_nobody_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    outcome = attempt(api_url="https://127.0.0.1:9", ca_path=str(folder), timeout=2)
    assert (outcome.kind, os.fspath(folder) in outcome.words) == ("unreachable", False)
