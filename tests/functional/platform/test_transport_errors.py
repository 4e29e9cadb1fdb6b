# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no answer, in words of our own: never in those of a library or of a server."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from ansible_collections.nextbilling.did.plugins.module_utils._platform.client import Client
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import (
    Connection,
    check_connection,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.outcome import Outcome

SECRET = "geheim"


def attempt(**settings: Any) -> Outcome:
    """Try to create a DID where that cannot be."""
    connection = Connection(**{"api_token": SECRET, "api_key": SECRET, "timeout": 5, **settings})
    with contextlib.closing(Client(connection)) as client:
        return client.create(b'{"did_number": "1"}', lambda seconds: None)


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
    assert (
        words in outcome.message and "ca_path" in outcome.message and SECRET not in outcome.message
    )


# urllib3 1 leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("content", [None, "", SECRET])
def test_authorities_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        outcome = attempt(api_url=url, ca_path=str(path), timeout=1)
    gc.collect()
    assert (outcome.kind, "ca_path" in outcome.message) == ("unreachable", True)


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
    assert SECRET not in outcome.message


@pytest.mark.parametrize("proxy", ["socks5h://geheim@127.0.0.1:9", "SOCKS4://127.0.0.1:9"])
def test_a_proxy_that_speaks_socks(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    outcome = attempt(api_url="https://127.0.0.1:9", timeout=2)
    assert outcome.kind == "unreachable"
    assert "SOCKS proxy" in outcome.message and "no_proxy" in outcome.message
    assert SECRET not in outcome.message and "geheim" not in outcome.message


def test_a_proxy_that_refuses_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(listener: socket.socket) -> None:
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(f"HTTP/1.1 407 {SECRET}\r\n\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=[listener])
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        outcome = attempt(api_url="https://sip.example.com")
        thread.join()
    assert (outcome.kind, outcome.retryable) == ("unreachable", True)
    assert "proxy" in outcome.message and "tunnel" in outcome.message
    assert SECRET not in outcome.message and "certificates" not in outcome.message


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


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"https://sip.example.com {SECRET}", "a space or a line end"),
        (f" https://{SECRET}.example", "a space or a line end"),
        (f"https://{SECRET}.example\r\n", "a space or a line end"),
        (f"https://sip.example.com\u00a0{SECRET}", "a space or a line end"),
        (SECRET, "must be the platform's address"),
        (f"https://{SECRET}.example:65536", "must be the platform's address"),
        (f"https://{SECRET}\u00e3o.example", "must be the platform's address"),
        (f"https://{SECRET}@sip.example.com", "no user, password, query or fragment"),
        (f"https://sip.example.com?{SECRET}", "no user, password, query or fragment"),
        (f"https://sip.example.com/api/manageDID/{SECRET}", "without /api/manageDID"),
    ],
)
def test_an_address_that_is_refused_is_not_shown(url: str, words: str) -> None:
    (problem,) = check_connection(Connection(url, SECRET, SECRET))
    assert problem.startswith("api_url: ") and words in problem and SECRET not in problem


def test_a_file_of_authorities_that_nobody_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    outcome = attempt(api_url="https://127.0.0.1:9", ca_path=str(folder), timeout=2)
    assert (outcome.kind, os.fspath(folder) in outcome.message) == ("unreachable", False)
