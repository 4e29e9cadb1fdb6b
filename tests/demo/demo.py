# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show the collection at work against the simulated platform: single DIDs, a list of hundreds, a lost answer and its settlement.

Run by ``make demo``. The playbooks are real, and only the platform is simulated. Exits with 1 and one line if a step does
not show what it should.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

FOLDER = Path(__file__).resolve().parent
COLLECTION = FOLDER.parents[1]

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.simulator.client import (
        Simulator,
        SimulatorError,
    )
    from ansible_collections.nextbilling.did.tests.simulator.surroundings import surroundings
else:
    # As a plain file, so that no tree of collections is needed to run this.
    sys.path.insert(0, str(COLLECTION / "tests" / "simulator"))
    from client import Simulator, SimulatorError
    from surroundings import surroundings

PLAYBOOK = ["ansible-playbook", str(FOLDER.relative_to(COLLECTION) / "playbook.yml")]
TABLE = FOLDER.relative_to(COLLECTION) / "dids.csv"
PROVISION = ["ansible-playbook", "nextbilling.did.provision", "-e", f"provision_src={TABLE}"]
EDIT = ["-e", "delivery_calls=15"]
# What the playbook and the spreadsheet declare.
SINGLE, LISTED = 3, 301
# The DID of the list whose create gets no answer.
LOST = "1130002150"
# Milliseconds that the platform takes for a request of the list: enough for a list that reports its progress.
LATENCY = 20
COLUMNS = ("record", "number", "type", "calls", "description")
TYPES = {0: "ip", 5: "queue", 6: "ivr"}
# What keeps Ansible's output to the point.
CONFIGURATION = f"""\
[defaults]
deprecation_warnings = false
devel_warning = false
inventory = {os.devnull}
localhost_warning = false
nocows = true
[inventory]
inventory_unparsed_warning = false
"""
COLOUR = bool(os.environ.get("FORCE_COLOR") or sys.stdout.isatty()) and not os.environ.get(
    "NO_COLOR"
)
# Seconds for one run of Ansible, which takes twenty at most.
LIMIT = 120
# The longest line of Ansible that is shown whole: a failed task prints its result in one.
LONGEST_LINE = 400
# How many records the table shows.
SHOWN = 5
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class DemoError(Exception):
    """A step that does not show what it should; the message is one line."""


def main() -> int:
    """Run all steps; return the exit code."""
    try:
        with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
            review = Path(os.environ.get("NEXTBILLING_REVIEW_DIR") or Path(folder) / "review")
            show(simulator, Path(folder), review)
    except (DemoError, SimulatorError) as problem:
        # What the simulator says may be a traceback: its last line tells why.
        print(f"demo: {str(problem).splitlines()[-1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(simulator: Simulator, folder: Path, review: Path) -> None:
    """Take a newcomer through the steps, and check what each of them did."""
    environment = surroundings(
        simulator,
        folder,
        configuration=CONFIGURATION,
        ANSIBLE_FORCE_COLOR=str(COLOUR),
        ANSIBLE_NOCOLOR=str(not COLOUR),
    )
    say(f"A simulated NextBilling platform listens on {simulator.url}.")
    say("Its address, token and key are in NEXTBILLING_API_URL, _TOKEN and _KEY.")

    heading("Once: create the registry, which stores what was applied")
    run(["ansible", "localhost", "-o", "-m", "nextbilling.did.did_registry"], environment)
    show_single_dids(simulator, environment)
    reviewing = {
        **environment,
        "ANSIBLE_CALLBACKS_ENABLED": "nextbilling.did.review",
        "NEXTBILLING_REVIEW_DIR": str(review),
    }
    show_list(simulator, reviewing)
    # It stays there, to be looked at: the list's own review says more than that of the run after the settlement.
    again = {**reviewing, "NEXTBILLING_REVIEW_DIR": str(review / "again")}
    show_settlement(simulator, folder, review, again)

    heading("What the platform holds now, and what it received")
    summarise(simulator)


def show_single_dids(simulator: Simulator, environment: dict[str, str]) -> None:
    """Show one task for each DID: checked, applied, applied again, edited."""
    heading("Check three DIDs of a playbook: nothing is sent, nothing is written")
    expect(run([*PLAYBOOK, "--check", "--diff"], environment), changed=1)
    require(not simulator.requests(), "check mode sent a request")

    heading("Apply: the platform creates the three DIDs")
    expect(run(PLAYBOOK, environment), changed=1)
    require(len(simulator.created()) == SINGLE, "three DIDs were to be created")

    heading("Apply again: everything is as declared, so nothing is sent")
    expect(run(PLAYBOOK, environment), changed=0)
    require(len(simulator.requests()) == SINGLE, "the second run was to send nothing")

    heading("Edit one of them: 15 calls at a time instead of 10")
    expect(run([*PLAYBOOK, *EDIT, "--diff"], environment), changed=1)
    require(len(simulator.edited()) == 1, "one DID was to be edited")


def show_list(simulator: Simulator, environment: dict[str, str]) -> None:
    """Show a list of DIDs, and an answer of the platform that is lost on its way."""
    heading(
        f"A spreadsheet of {LISTED} DIDs: each request takes {LATENCY} ms, and one answer is lost"
    )
    simulator.switch(latency_ms=LATENCY)
    simulator.fault("drop_after", match={"method": "PUT", "did_number": LOST})
    expect(run(PROVISION, environment, code=2), failed=1)
    simulator.switch(latency_ms=0)
    require(len(simulator.created()) == SINGLE + LISTED, f"{LISTED} DIDs were to be created")


def show_settlement(
    simulator: Simulator, folder: Path, review: Path, environment: dict[str, str]
) -> None:
    """Show how a person settles the create whose answer was lost, with a play of the error message."""
    (record_id,) = (each["record_id"] for each in simulator.created() if each["did_number"] == LOST)
    heading(f"Settle it: {LOST} is on the platform, as record {record_id}. Run the first play")
    play = folder / "settle.yml"
    play.write_text(first_play(review).replace("record_id: 0", f"record_id: {record_id}"), "utf-8")
    expect(run(["ansible-playbook", str(play)], environment), changed=1)

    heading(
        "Apply the spreadsheet again: only the settled DID is sent, and it is not created again"
    )
    expect(run(PROVISION, environment), changed=1)
    require(len(simulator.edited()) == 2, "the settled DID was to be edited")


def first_play(review: Path) -> str:
    """Return the first of the plays that the error message of the lost answer offers, from the review's data."""
    dids = json.loads((review / "review.json").read_text("utf-8"))["dids"]
    (message,) = (did["error"]["msg"] for did in dids if did["error"])
    plays = re.split(r"^(?=- name: )", message, flags=re.MULTILINE)
    require(len(plays) == 3, "the error was to offer two plays")
    return str(plays[1])


def run(command: list[str], environment: dict[str, str], code: int = 0) -> str:
    """Show a command as it would be typed, run it and show its output as it comes; return that without colours."""
    say(paint("1", f"$ {shlex.join(command)}"))
    try:
        process = subprocess.Popen(
            command,
            cwd=COLLECTION,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise DemoError(f"{command[0]} is not on the PATH") from None
    printed: list[str] = []
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    with process:
        assert process.stdout is not None
        for line in without_blank_ends(process.stdout):
            printed.append(_ESCAPES.sub("", line))
            say(shortened(line))
    require(limit.is_alive(), f"{shlex.join(command)} took longer than {LIMIT} seconds")
    limit.cancel()
    require(process.returncode == code, f"{shlex.join(command)} ended with {process.returncode}")
    return "\n".join(printed)


def without_blank_ends(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines without Ansible's blank ones at both ends, which would separate what belongs together."""
    blank: list[str] | None = None
    for line in (line.rstrip() for line in lines):
        if line:
            yield from blank or ()
            yield line
            blank = []
        elif blank is not None:
            blank.append(line)


def shortened(line: str) -> str:
    """Return a line, or the beginning of a very long one."""
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]} … ({len(line):,} characters, cut by this demo)" + (
        "\x1b[0m" if COLOUR else ""
    )


def expect(output: str, **counts: int) -> None:
    """Require the recap of a playbook to contain these counts of tasks."""
    for name, count in counts.items():
        found = re.search(rf"^localhost\s*:.*\b{name}=(\d+)", output, re.MULTILINE)
        if found is None or int(found.group(1)) != count:
            shown = "no recap" if found is None else f"{name}={found.group(1)}"
            raise DemoError(f"the recap was to say {name}={count}, and there was {shown}")


def require(kept: bool, broken: str) -> None:
    """Stop the demo with one line unless a step did what it should."""
    if not kept:
        raise DemoError(broken)


def summarise(simulator: Simulator) -> None:
    """Show the simulator's own view: its records, and the requests that it received."""
    held = {record_id: fields for record_id, fields in simulator.dids().items() if fields}
    rows = [row(record_id, fields) for record_id, fields in held.items()]
    table([COLUMNS, *rows[:SHOWN]])
    say(f"… and {len(rows) - SHOWN} more")
    methods = Counter(entry["method"] for entry in simulator.requests())
    twice = len(simulator.duplicates())
    say(
        f"\nRequests: {methods['PUT']} PUT (create), {methods['POST']} POST (edit)."
        f" Numbers created twice: {twice or 'none'}."
    )
    expected = {"PUT": SINGLE + LISTED, "POST": 2}
    require(methods == expected, f"it was to receive {expected['PUT']} PUT and 2 POST")
    require(not twice, "a number was created twice")


def row(record_id: int, fields: dict[str, Any]) -> tuple[str, ...]:
    """Return a record's line in the table."""
    return (
        str(record_id),
        fields["did_number"],
        TYPES[fields["did_type"]],
        str(fields["max_calls"]),
        fields["description"],
    )


def table(rows: list[tuple[str, ...]]) -> None:
    """Show rows in aligned columns, the first row as their heads."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for number, cells in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
        say(paint("1", line) if number == 0 else line)


def heading(text: str) -> None:
    """Show in one line what comes next."""
    say("\n" + paint("1;36", f"== {text}"))


def paint(code: str, text: str) -> str:
    """Return text in a colour of the terminal, if this is one."""
    return f"\x1b[{code}m{text}\x1b[0m" if COLOUR else text


def say(text: str) -> None:
    """Print, at once, whatever the encoding of the output is able to show."""
    encoding = sys.stdout.encoding
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


if __name__ == "__main__":
    sys.exit(main())
