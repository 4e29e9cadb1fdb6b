# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show the collection at work against the simulated platform: declare, check, apply, apply again, edit; and a spreadsheet.

Run by ``make demo``. The playbook beside this file is the real thing; only the platform is simulated. Exits with 1 and
one line if a step does not show what it should.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
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
COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
# Seconds for one run of Ansible, which takes a few.
LIMIT = 120
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class DemoError(Exception):
    """A step that does not show what it should; the message is one line."""


def main() -> int:
    """Run all steps; return the exit code."""
    try:
        with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
            show(simulator, Path(folder))
    except (DemoError, SimulatorError) as problem:
        # What the simulator says may be a traceback: its last line tells why.
        print(f"demo: {str(problem).splitlines()[-1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(simulator: Simulator, folder: Path) -> None:
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

    heading("Once: create the registry, which remembers what was applied")
    run(["ansible", "localhost", "-o", "-m", "nextbilling.did.did_registry"], environment)

    heading("Check: what would happen? Nothing is sent, nothing is written")
    expect(run([*PLAYBOOK, "--check", "--diff"], environment), changed=1)
    require(not simulator.requests(), "check mode sent a request")

    heading("Apply: the platform creates three DIDs")
    expect(run(PLAYBOOK, environment), changed=1)
    require(len(simulator.created()) == 3, "three DIDs were to be created")

    heading("Apply again: all is as declared, so nothing is sent")
    expect(run(PLAYBOOK, environment), changed=0)
    require(len(simulator.requests()) == 3, "the second run was to send nothing")

    heading("Check an edit: the deliveries get 15 calls at a time instead of 10")
    expect(run([*PLAYBOOK, *EDIT, "--check", "--diff"], environment), changed=1)
    require(len(simulator.requests()) == 3, "check mode sent a request")

    heading("Apply the edit: one DID changes, two are left alone")
    expect(run([*PLAYBOOK, *EDIT], environment), changed=1)
    require(len(simulator.edited()) == 1, "one DID was to be edited")

    heading("A spreadsheet of four DIDs more, by the collection's own playbook")
    expect(run(PROVISION, environment), changed=1)
    require(len(simulator.created()) == 7, "four DIDs were to be created")
    expect(run(PROVISION, environment), changed=0)

    heading("What the platform holds now, and what it was sent")
    summarise(simulator)


def run(command: list[str], environment: dict[str, str]) -> str:
    """Show a command as it would be typed, run it and show what it says; return that without colours."""
    say(paint("1", f"$ {shlex.join(command)}"))
    try:
        done = subprocess.run(
            command,
            cwd=COLLECTION,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT,
            check=False,
        )
    except FileNotFoundError:
        raise DemoError(f"{command[0]} is not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise DemoError(f"{shlex.join(command)} took longer than {LIMIT} seconds") from None
    # Ansible's blank lines at both ends would tear the steps apart.
    say(done.stdout.strip())
    require(done.returncode == 0, f"{shlex.join(command)} ended with {done.returncode}")
    return _ESCAPES.sub("", done.stdout)


def expect(output: str, changed: int) -> None:
    """Require the recap of a playbook to count this many changed tasks."""
    found = re.search(r"^localhost\s*:.*\bchanged=(\d+)", output, re.MULTILINE)
    if found is None or int(found.group(1)) != changed:
        shown = "no recap" if found is None else f"changed={found.group(1)}"
        raise DemoError(f"the recap was to say changed={changed}, and there was {shown}")


def require(kept: bool, broken: str) -> None:
    """Stop the demo with one line unless a step kept its word."""
    if not kept:
        raise DemoError(broken)


def summarise(simulator: Simulator) -> None:
    """Show the simulator's own view: its records, and the requests it saw."""
    held = {record_id: fields for record_id, fields in simulator.dids().items() if fields}
    table([COLUMNS, *(row(record_id, fields) for record_id, fields in held.items())])
    methods = Counter(entry["method"] for entry in simulator.requests())
    twice = len(simulator.duplicates())
    say(
        f"\nRequests that it saw: {methods['PUT']} PUT (create), {methods['POST']} POST (edit)."
        f" Numbers created twice: {twice or 'none'}."
    )
    require(methods == {"PUT": 7, "POST": 1}, "it was to see 7 PUT and 1 POST")
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
