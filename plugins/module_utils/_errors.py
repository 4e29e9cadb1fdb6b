# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The errors, each with the machine-readable C(kind) that a playbook can branch on."""

from __future__ import annotations

import typing as t


class DidError(Exception):
    """A failure that stops one DID, or the task before anything was sent.

    The message is for people and ends with the next step. C(details()) is for machines: the same keys for every kind, null where
    they do not apply. Neither ever holds a secret. C(changed): whether the platform was changed nevertheless. C(is_unknown): whether
    it may have been. C(resolution): the end of the message that says what to do about this DID alone, if there is one.
    """

    kind = "internal_error"
    changed = False
    is_unknown = False
    resolution = ""

    def __init__(
        self,
        message: str,
        *,
        did_number: str | None = None,
        record_id: int | None = None,
        http_status: int | None = None,
        reason: str | None = None,
        attempt: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.did_number = did_number
        self.record_id = record_id
        self.http_status = http_status
        self.reason = reason
        self.attempt = attempt

    @property
    def problem(self) -> str:
        """Return the message without its resolution."""
        return self.message.removesuffix(self.resolution)

    def details(self) -> dict[str, t.Any]:
        """Return what the module's result calls C(error)."""
        return {
            "kind": self.kind,
            "http_status": self.http_status,
            "reason": self.reason,
            "did_number": self.did_number,
            "record_id": self.record_id,
            "attempt": self.attempt,
        }


class InvalidParameter(DidError):
    """An option, or a combination of options, is not valid; nothing was sent."""

    kind = "invalid_parameter"


class Unreachable(DidError):
    """No byte of the request left this machine."""

    kind = "unreachable"


class Refused(DidError):
    """The platform refused the request."""

    kind = "refused"


class Throttled(DidError):
    """The platform answered 429 until the retries were used up; nothing was applied."""

    kind = "throttled"


class UnknownOutcome(DidError):
    """It is not known whether the platform applied the request."""

    kind = "unknown_outcome"
    is_unknown = True


class Unrecorded(DidError):
    """The platform applied the request, and that could not be recorded. C(is_create): it created a DID, so its id is at stake."""

    kind = "unrecorded"
    changed = True
    is_create = False


class Conflict(DidError):
    """The number, the record id and the registry contradict each other."""

    kind = "conflict"


class RegistryUnavailable(DidError):
    """The registry cannot be read or written, or what it holds is damaged."""

    kind = "registry_unavailable"


class RegistryMismatch(DidError):
    """The registry is missing, is another one, has another schema, or does not know the platform.

    C(moved_to): the location to which it was moved, if that is the reason and it may be shown.
    """

    kind = "registry_mismatch"
    moved_to: str | None = None


class RegistryBusy(DidError):
    """Another run holds the DID, or the registry, for longer than this one may wait."""

    kind = "registry_busy"


class LimitExceeded(DidError):
    """The plan has more creates or more requests than the task allows; nothing was sent."""

    kind = "limit_exceeded"


class SimilarNumber(DidError):
    """A DID to create may be another number in another notation, and the task refuses that; nothing was sent."""

    kind = "similar_number"


class PlanChanged(DidError):
    """The plan is not the one that was reviewed."""

    kind = "plan_changed"


class Interrupted(DidError):
    """A signal stopped the run before it attempted this."""

    kind = "interrupted"


def defect(error: BaseException) -> DidError:
    """Return the error for an unexpected exception. It names its place in the code; its text may hold anything."""
    import os
    import traceback

    place = traceback.extract_tb(error.__traceback__)[-1]
    return DidError(
        f"Unexpected {type(error).__name__} in {os.path.basename(place.filename)}, line {place.lineno}. This is a defect of"
        " nextbilling.did: please report it. If a request was under way, its outcome is kept in the registry as not known"
    )
