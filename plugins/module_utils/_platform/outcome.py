# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The outcome of one request, as the client returns it."""

from __future__ import annotations

import typing as t

APPLIED = "applied"
NOT_APPLIED = "not_applied"
MAYBE_APPLIED = "unknown"


class Outcome(t.NamedTuple):
    """What became of one request.

    C(state): C(APPLIED), C(NOT_APPLIED) or C(MAYBE_APPLIED). C(record_id): the record that was created or edited; with C(MAYBE_APPLIED), the one
    that the answer names, if it does. C(http_status): None where nothing was answered.

    The rest is not set with C(APPLIED). C(message): what happened, for people. C(kind): that of the error, C(unknown_outcome) with
    C(MAYBE_APPLIED), and C(refused), C(throttled) or C(unreachable) with C(NOT_APPLIED). C(reason): the platform's text, None where it gave none
    or it may not be shown. C(retry_after): seconds, where the platform asked for a pause. C(retryable): whether the same request may succeed a
    little later; whether it may be sent again is for the caller to know.
    """

    state: str
    message: str = ""
    kind: str = ""
    record_id: int | None = None
    http_status: int | None = None
    reason: str | None = None
    retry_after: float | None = None
    retryable: bool = False

    @property
    def may_be_applied(self) -> bool:
        """Tell whether the platform has applied it, or may have."""
        return self.state != NOT_APPLIED


class NotPermitted(Exception):
    """Raised by the caller's C(before_send) to stop a request before its first byte."""
