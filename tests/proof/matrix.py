# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix: every fault of the platform, for each kind of request, under every answer to the open questions.

The cases are generated; what is expected follows from what the client gets to see. The test runs them, and the documentation's
table is made from the same source: ``python matrix.py FILE`` writes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.nextbilling.did.tests.support.tables import write_table

# What the client gets to see of an exchange.
SUCCESS = "the documented answer"
REFUSAL = "a documented refusal"
THROTTLING = "429"
NO_CONNECTION = "no connection"
NOTHING_CLEAR = "anything else"

CREATE, EDIT, ADOPT = "create", "edit", "adopt"
OPERATIONS = (CREATE, EDIT, ADOPT)

# The open questions of the vendor's page: the simulator's switches, the assumed answer first.
SWITCHES: dict[str, tuple[Any, ...]] = {
    "duplicates": ("accept", "refuse"),
    "post": ("merge", "replace"),
    "trailing_comma": (True, False),
    "ids_as_strings": (False, True),
    "post_new_record": ("absent", "same"),
    "failures": ("status", "body"),
    "host_additional": ("replace", "append"),
    "bom": (False, True),
}


@dataclass(frozen=True)
class Fault:
    """A fault: how the documentation calls it, what the client sees, and how the simulator makes it."""

    words: str
    seen: str
    name: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


FAULTS = (
    Fault("none", SUCCESS),
    Fault("slow answer, within the timeout", SUCCESS, "latency", {"seconds": 0.05}),
    Fault("right answer, and another one a little later", SUCCESS, "late_answer", {"seconds": 2}),
    Fault("no connection", NO_CONNECTION),
    Fault("400", REFUSAL, "status", {"status": 400}),
    Fault("403", REFUSAL, "status", {"status": 403}),
    Fault("404", REFUSAL, "status", {"status": 404}),
    Fault("413", REFUSAL, "status", {"status": 413}),
    Fault("422", REFUSAL, "status", {"status": 422}),
    Fault(
        "401, 405, 409 and others that HTTP defines as refusals",
        REFUSAL,
        "status",
        {"status": 409, "body": "<h1>No</h1>"},
    ),
    Fault("``error: 1`` in a 200", REFUSAL, "error_body", {"reason": "no"}),
    Fault(
        "redirect to another host, same path",
        REFUSAL,
        "redirect",
        {"status": 301, "location": "https://other.example{path}"},
    ),
    Fault("429", THROTTLING, "throttle"),
    Fault("429 with Retry-After", THROTTLING, "throttle", {"retry_after": 1}),
    Fault(
        "408, and others that HTTP does not define as refusals",
        NOTHING_CLEAR,
        "status",
        {"status": 408},
    ),
    Fault("460 or 499 of a gateway, applied", NOTHING_CLEAR, "status_after", {"status": 499}),
    Fault(
        "422 with a ``new_record`` of any kind",
        NOTHING_CLEAR,
        "raw_body",
        {"status": 422, "body": '{"error":0,"new_record":77.0}'},
    ),
    Fault(
        "400 with a ``new_record`` that is an object",
        NOTHING_CLEAR,
        "raw_body",
        {"status": 400, "body": '{"new_record":{"id":77}}'},
    ),
    Fault(
        "403 with ``error: 0``", NOTHING_CLEAR, "raw_body", {"status": 403, "body": '{"error":0}'}
    ),
    Fault(
        "429 with ``error: 0``, in another envelope",
        NOTHING_CLEAR,
        "raw_body",
        {"status": 429, "body": '{"data":[{"Error":"0"}]}'},
    ),
    Fault(
        "409 whose page names a ``new_record``",
        NOTHING_CLEAR,
        "raw_body",
        {"status": 409, "body": "<pre>{&quot;new_record&quot;:77}</pre>"},
    ),
    Fault(
        "``error: 1`` with a ``new_record`` elsewhere",
        NOTHING_CLEAR,
        "raw_body",
        {"body": '{"error":1,"data":{"new_record":77}}'},
    ),
    Fault("500, not applied", NOTHING_CLEAR, "status", {"status": 500}),
    Fault("500, applied", NOTHING_CLEAR, "status_after", {"status": 500}),
    Fault("502, applied", NOTHING_CLEAR, "status_after", {"status": 502}),
    Fault("503, applied", NOTHING_CLEAR, "status_after", {"status": 503}),
    Fault("504, applied", NOTHING_CLEAR, "status_after", {"status": 504}),
    Fault("connection closed, not applied", NOTHING_CLEAR, "drop_before"),
    Fault("connection closed, applied", NOTHING_CLEAR, "drop_after"),
    Fault("connection reset, not applied", NOTHING_CLEAR, "reset_before"),
    Fault("connection reset, applied", NOTHING_CLEAR, "reset_after"),
    Fault("no answer in time, not applied", NOTHING_CLEAR, "hang_before"),
    Fault("no answer in time, applied", NOTHING_CLEAR, "hang_after"),
    Fault("answer drips in too slowly", NOTHING_CLEAR, "slow_drip", {"seconds_per_byte": 0.1}),
    Fault("answer cut short", NOTHING_CLEAR, "truncate"),
    Fault("HTML page, applied", NOTHING_CLEAR, "raw_body", {"body": "<html>"}),
    Fault(
        "HTML page, not applied", NOTHING_CLEAR, "raw_body", {"body": "<html>", "process": False}
    ),
    Fault("empty body", NOTHING_CLEAR, "raw_body", {"body": ""}),
    Fault("unusable new_record", NOTHING_CLEAR, "reply", {"json": {"error": 0, "new_record": -1}}),
    Fault(
        "redirect to another path", NOTHING_CLEAR, "redirect", {"status": 302, "location": "/login"}
    ),
    Fault(
        "redirect to another host, whose page names a ``new_record``",
        NOTHING_CLEAR,
        "raw_answer",
        {
            "answer": "HTTP/1.1 307 X\r\nLocation: https://other.example{path}\r\nContent-Length: 17\r\n\r\n"
            '{"new_record":77}'
        },
    ),
    Fault(
        "refusal with two lengths",
        NOTHING_CLEAR,
        "raw_answer",
        {
            "answer": "HTTP/1.1 422 X\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
        },
    ),
    Fault(
        "refusal with another answer behind it",
        NOTHING_CLEAR,
        "raw_answer",
        {
            "answer": "HTTP/1.1 422 X\r\nContent-Length: 0\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        },
    ),
    Fault("bytes that are no HTTP", NOTHING_CLEAR, "garbage"),
)


@dataclass(frozen=True)
class Expected:
    """What must come of a case, with one retry allowed and the fault there until the run has ended.

    C(outcome): ``applied`` or the error's kind. C(requests): how many the platform sees at the most. C(registry): the
    record's outcome then, or ``as before``. C(next_run): the action of the next run without the fault, or its error's kind.
    """

    outcome: str
    requests: int
    registry: str
    next_run: str


def expected(fault: Fault, operation: str) -> Expected:
    """Derive what must come of a fault from what is seen of it: the three kinds of outcome, and nothing else."""
    first = {CREATE: "create", EDIT: "update", ADOPT: "adopt"}[operation]
    if fault.seen == SUCCESS:
        return Expected("applied", 1, "confirmed", "none")
    if fault.seen == NO_CONNECTION:
        return Expected("unreachable", 0, "as before", first)
    if fault.seen == REFUSAL:
        return Expected("refused", 1, "as before", first)
    if fault.seen == THROTTLING:
        return Expected("throttled", 2, "as before", first)
    if operation == CREATE:
        return Expected("unknown_outcome", 1, "unknown", "unknown_outcome")
    # An edit that is answered with another record is not repeated.
    requests = 1 if fault.words == "unusable new_record" else 2
    return Expected("unknown_outcome", requests, "uncertain", "update")


def switch_settings(pairs: bool) -> Iterator[dict[str, Any]]:
    """Yield settings of the switches: the assumed answers, then each other answer alone, then every two of these together."""
    others = [(name, value) for name, values in SWITCHES.items() for value in values[1:]]
    for size in range(3 if pairs else 2):
        for chosen in itertools.combinations(others, size):
            yield dict(chosen)


def table() -> str:
    """Return the documentation's table, in reStructuredText."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - What happens",
        *(f"     - {operation}" for operation in OPERATIONS),
    ]
    for fault in FAULTS:
        lines.append(f"   * - {fault.words}")
        for operation in OPERATIONS:
            case = expected(fault, operation)
            requests = "1 request" if case.requests == 1 else f"{case.requests} requests"
            lines.append(
                f"     - {case.outcome}; {requests}; registry: {case.registry}; next run: {case.next_run}"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_table(table())
