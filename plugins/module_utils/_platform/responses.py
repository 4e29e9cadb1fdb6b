# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""What an answer of the platform means: an answer goes in, an outcome comes out. Pure functions.

C(_REFUSALS) are the statuses that mean "not applied"; any other error leaves the outcome unknown. A refusal counts as certain only where
the body does not contradict it.
"""

from __future__ import annotations

import email.utils
import re
import time
import typing as t
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from .answer_body import (
    has_further_statement,
    hints_at_success,
    is_text,
    names_no_record,
    read_object,
    says_failed,
    usable_id,
)
from .connection import authority
from .http_parser import TRUNCATED, Answer
from .outcome import APPLIED, MAYBE_APPLIED, NOT_APPLIED, Outcome

# By the vendor's error page, the request was not applied.
_REFUSALS_OF_VENDOR = frozenset({400, 403, 404, 413, 422, 429})
# By RFC 9110 (428 and 431: RFC 6585; 451: RFC 7725), it was refused before any work.
_REFUSALS_OF_HTTP = frozenset(
    {401, 405, 407, 409, 410, 411, 414, 415, 417, 421, 426, 428, 431, 451}
)
_REFUSALS = _REFUSALS_OF_VENDOR | _REFUSALS_OF_HTTP
_REFUSED = "the platform refused the request"
# What the vendor's error page says of some of them, for people.
_STATUS_MESSAGES = {
    400: "the platform calls the request incomplete",
    403: "the token or the key is wrong, or their level does not allow this",
    404: "the platform has no such option: is api_url the platform's address?",
    413: "the body is too large",
    422: "a required parameter is missing or not valid",
    429: "too many requests at the same time",
}
# Their body is a part of something, or a difference to it (RFC 9110, 15.3.7; RFC 3229).
_PARTIAL = (206, 226)
_UNREADABLE = "is no text"


class SentRequest(t.NamedTuple):
    """A request that was sent. C(record_id): of the record that it edits; None for a create."""

    api_url: str
    path: str
    record_id: int | None


def interpret(
    answer: Answer, request: SentRequest, sanitize: Callable[[str], str | None]
) -> Outcome:
    """Return what became of a request, by the vendor's page and its error page.

    :param sanitize: returns the platform's C(reason) as it may be shown, or None where it may not.
    """
    return _Interpretation(answer, request, sanitize).outcome()


class _Interpretation:
    def __init__(
        self, answer: Answer, request: SentRequest, sanitize: Callable[[str], str | None]
    ) -> None:
        self._status = answer.status
        self._answer = answer
        self._request = request
        self._sanitize = sanitize
        self._document = read_object(answer.content)

    def outcome(self) -> Outcome:
        status, problem = self._status, self._problem()
        if problem:
            named = f"the answer (HTTP {status})" if status else "the answer"
            return self._unknown(f"{named} {problem}")
        if 200 <= status < 300 and status not in _PARTIAL:
            return self._success()
        if status in (301, 302, 303, 307, 308):
            return self._redirect()
        if status not in _REFUSALS:
            return self._unknown(
                f"the platform answered HTTP {status}, which does not tell whether it had applied the request"
            )
        if hints_at_success(self._answer.content):
            return self._unknown(
                f"the platform refused the request (HTTP {status}), and its answer says that it was applied"
            )
        message = _STATUS_MESSAGES.get(status, _REFUSED)
        return self._refused(message, throttled=status == 429)

    def _problem(self) -> str:
        # Where nothing says how long an answer is, only a document that is complete shows that it was not cut.
        cut = not self._answer.framed and self._document is None
        # What cannot be read cannot be searched for what contradicts a refusal.
        unreadable = self._document is None and not is_text(self._answer.content)
        return self._answer.problem or (TRUNCATED if cut else _UNREADABLE if unreadable else "")

    def _success(self) -> Outcome:
        document = self._document
        if document is None:
            return self._unknown("the answer is not the documented JSON")
        failed, answered = says_failed(document.get("error")), document.get("new_record")
        if failed and not hints_at_success(self._answer.content):
            return self._refused(_REFUSED)
        if failed is not False:
            return self._unknown(
                "the answer's 'error' does not say whether the request was applied"
            )
        if has_further_statement(document):
            return self._unknown("the answer says more than once whether it was applied")
        number = usable_id(answered)
        if self._request.record_id is None:
            if number is None:
                return self._unknown(
                    "the answer says that it was created, without a usable new_record"
                )
            return Outcome(APPLIED, record_id=number, http_status=self._status)
        if names_no_record(answered) or number == self._request.record_id:
            return Outcome(APPLIED, record_id=self._request.record_id, http_status=self._status)
        # Not retried: if the platform created a record for an edit, a retry would create another.
        named = "another record" if number is None else f"record {number}"
        message = f"the edit of record {self._request.record_id} was answered with {named}"
        return self._unknown(message, record_id=number, retryable=False)

    def _redirect(self) -> Outcome:
        place = _redirected_origin(self._answer, self._request)
        if place is None or hints_at_success(self._answer.content):
            return self._unknown(
                f"the platform answered with a redirect (HTTP {self._status}), which is never followed"
            )
        return self._refused(
            f"the platform redirects this request to {place}. Redirects are never followed: set api_url to the address that a"
            " browser shows after it has opened it"
        )

    def _refused(self, message: str, *, throttled: bool = False) -> Outcome:
        return self._outcome(
            NOT_APPLIED, "throttled" if throttled else "refused", message, retryable=throttled
        )

    def _unknown(
        self, message: str, *, record_id: int | None = None, retryable: bool = True
    ) -> Outcome:
        if record_id is None and self._document is not None:
            record_id = usable_id(self._document.get("new_record"))
        return self._outcome(
            MAYBE_APPLIED, "unknown_outcome", message, record_id=record_id, retryable=retryable
        )

    def _outcome(
        self, state: str, kind: str, message: str, *, record_id: int | None = None, retryable: bool
    ) -> Outcome:
        reason, remark = self._reason()
        return Outcome(
            state,
            message + remark,
            kind=kind,
            record_id=record_id,
            http_status=self._status or None,
            reason=reason,
            retry_after=_retry_after(self._answer.header("retry-after")),
            retryable=retryable,
        )

    def _reason(self) -> tuple[str | None, str]:
        """Return the documented C(reason) if it may be shown, and a remark if it may not. Nothing else that came is ever shown."""
        reason = None if self._document is None else self._document.get("reason")
        if not isinstance(reason, str):
            return None, ""
        text = self._sanitize(reason)
        if text is None:
            return None, "; the reason that it gave is withheld, as it contains a part of a secret"
        return text or None, ""


# What headers say


def _retry_after(header: str | None) -> float | None:
    """Return the pause that the platform asks for in seconds (RFC 9110, 10.2.3: seconds or a date)."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _redirected_origin(answer: Answer, request: SentRequest) -> str | None:
    """Describe where a redirect leads that changes scheme or host and nothing else. None for other redirects.

    Not for 303: by RFC 9110, 15.4.4, a server answers so after it has done what the request asked for.
    """
    location = answer.header("location")
    if answer.status == 303 or location is None or not re.fullmatch(r"[!-~]+", location):
        return None
    try:
        parts = urlsplit(location)
        place = authority(parts)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    if parts.query or parts.fragment or unquote(parts.path) != unquote(request.path):
        return None
    here = urlsplit(request.api_url)
    if (parts.scheme, place) == (here.scheme, authority(here)):
        return (
            None  # to itself: a server may answer so after it has done what the request asked for
        )
    if parts.scheme != here.scheme and parts.hostname == here.hostname:
        return f"{parts.scheme}:// on the same host"
    return "another host or port"
