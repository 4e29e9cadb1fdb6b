# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why there is no answer, in words of our own: never in those of a library or of a server."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._platform import (
    transport_errors as _transport_errors,
)
from ansible_collections.nextbilling.did.plugins.module_utils._platform.connection import (
    Connection,
)

SECRET = "geheim"
CONNECTION = Connection("https://sip.example.com", SECRET, SECRET)


def explained(failure: BaseException, began: bool = False) -> str:
    words, _retryable = _transport_errors.describe(failure, CONNECTION, began)
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


def test_another_host_name_is_called_so_by_any_library() -> None:
    """urllib3 1 compares the names itself. A retry would meet the same certificate."""
    error = type("CertificateError", (ValueError,), {})(SECRET)
    words, retryable = _transport_errors.describe(RuntimeError(error), CONNECTION, False)
    assert "another host name" in words and not retryable
