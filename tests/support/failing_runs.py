# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of C(dids) over 500 DIDs that fail, each in another way: what they declare, and how the platform and the registry are prepared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of, program

Options = dict[str, Any]
Kind = Callable[[Runner], Options]
COLLECTIONS = Path(client.__file__).parents[5]
# What a run that fails may print, in bytes.
PAGE = 8_000
RANGE = {"did_number": "1130001000", "last_number": "1130001499", "description": "Line {number}"}
SHEET = [
    {"did_number": f"113000{1000 + place}", "description": f"Customer {place * 7}"}
    for place in range(500)
]
NUMBERS = [did["did_number"] for did in SHEET]
FEW = ["1130001003", "1130001101", "1130001102", "1130001333"]


def _each(runner: Runner, fault: str, numbers: list[str], **parameters: Any) -> None:
    for number in numbers:
        runner.simulator.fault(fault, match={"did_number": number}, **parameters)


def _always(runner: Runner, status: int) -> None:
    runner.simulator.fault("status", status=status, times=None)


def _record(runner: Runner) -> None:
    known = [
        {"did_number": number, "record_id": 1000 + place} for place, number in enumerate(NUMBERS)
    ]
    runner.did_registry(state="recorded", dids=known)


def few_refused(runner: Runner) -> Options:
    _each(runner, "status", FEW, status=422)
    return {"dids": SHEET}


def few_refused_of_a_range(runner: Runner) -> Options:
    _each(runner, "status", FEW, status=422)
    return {"dids": [RANGE]}


def few_unknown(runner: Runner) -> Options:
    _each(runner, "drop_after", FEW)
    return {"dids": SHEET}


def few_open(runner: Runner) -> Options:
    _each(runner, "drop_after", NUMBERS[:9])
    runner.dids(dids=SHEET[:9])
    return {"dids": SHEET}


def all_refused(runner: Runner) -> Options:
    _always(runner, 422)
    return {"dids": SHEET}


def all_refused_for_reasons(runner: Runner) -> Options:
    for place, number in enumerate(NUMBERS[:50]):
        body = f'{{"error": 1, "reason": "rate {place} is not one of this customer"}}'
        _each(runner, "status", [number], status=400, body=body)
    return {"dids": SHEET}


def every_other_unknown(runner: Runner) -> Options:
    _each(runner, "drop_after", NUMBERS[:200:2])
    return {"dids": SHEET}


def no_clear_answer(runner: Runner) -> Options:
    _always(runner, 503)
    return {"dids": SHEET}


def throttled(runner: Runner) -> Options:
    _always(runner, 429)
    return {"dids": SHEET, "retries": 0}


def ended_by_max_failures(runner: Runner) -> Options:
    _always(runner, 422)
    return {"dids": SHEET, "max_failures": 3}


def refused_by_max_creates(_runner: Runner) -> Options:
    return {"dids": SHEET, "max_creates": 10}


def refused_by_checksum(_runner: Runner) -> Options:
    return {"dids": SHEET, "plan_checksum": "0" * 64}


def refused_as_similar(runner: Runner) -> Options:
    _record(runner)
    dids = [{**did, "did_number": f"+55{did['did_number']}"} for did in SHEET]
    return {"dids": dids, "similar": "refuse"}


def refused_with_warnings(runner: Runner) -> Options:
    return {**refused_as_similar(runner), "similar": "warn", "max_changes": 499}


def all_in_conflict(runner: Runner) -> Options:
    _record(runner)
    return {"dids": [{**did, "record_id": 5000 + place} for place, did in enumerate(SHEET)]}


def check_with_conflicts(runner: Runner) -> Options:
    declared = all_in_conflict(runner)["dids"][:50]
    others = [{**did, "did_number": f"12{did['did_number']}"} for did in SHEET[50:]]
    return {"dids": [*declared, *others], "check_mode": True}


def the_same_twice(runner: Runner) -> Options:
    _record(runner)
    return {"dids": [*SHEET, *({"record_id": 1000 + place} for place in range(500))]}


def requests_too_large(_runner: Runner) -> Options:
    return {"dids": [{**did, "annotations": "x" * 130_000} for did in SHEET[:50]]}


def wrong_columns(_runner: Runner) -> Options:
    return {"dids": [{**did, "port": f"x{place}"} for place, did in enumerate(SHEET)]}


KINDS: tuple[Kind, ...] = (
    few_refused,
    few_refused_of_a_range,
    few_unknown,
    few_open,
    all_refused,
    all_refused_for_reasons,
    every_other_unknown,
    no_clear_answer,
    throttled,
    ended_by_max_failures,
    refused_by_max_creates,
    refused_by_checksum,
    refused_as_similar,
    refused_with_warnings,
    all_in_conflict,
    check_with_conflicts,
    the_same_twice,
    requests_too_large,
    wrong_columns,
)


def play(
    runner: Runner,
    folder: Path,
    options: Options,
    *arguments: str,
    form: str = "yaml",
    playbook: str | Path | None = None,
) -> tuple[int, str]:
    """Declare DIDs in a playbook; return its exit code, and all that it prints.

    :param options: of the task, and C(check_mode).
    :param form: how Ansible's default callback prints a result.
    :param playbook: the program ansible-playbook; None for the one beside this interpreter.
    """
    check_mode = options.pop("check_mode", False)
    login = {
        "api_url": runner.simulator.url,
        "api_token": runner.simulator.token,
        "api_key": runner.simulator.key,
        "registry": runner.store.location,
        "witness": str(folder / "witness"),
        "concurrency": 4,
        "defaults": {"customer_id": 13, "host": "192.0.2.10", "port": 5060},
    }
    task = {
        "name": "Declare",
        "check_mode": check_mode,
        "nextbilling.did.dids": {**login, **options},
    }
    book = [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]
    (folder / "book.yml").write_text(yaml.safe_dump(book), "utf-8")
    (folder / "ansible.cfg").write_text(QUIET, "utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": form,
    }
    command = [str(playbook or program("ansible-playbook")), *arguments, "book.yml"]
    return output_of(command, folder, environment)
