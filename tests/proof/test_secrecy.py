# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole run of ansible-playbook prints and stores, at the highest verbosity, under every fault."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.nextbilling.did.tests.simulator import client
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import MODULE, PROCESS
from ansible_collections.nextbilling.did.tests.support.programs import program

TOKEN = "tkn-5b0e61f0-4f83-9990"
KEY = "key-8d9c8f7a-2b6e-8629"
PASSWORD = "pwd-7e1f-geheim"
COLLECTIONS = Path(client.__file__).parents[5]

# Files in which a secret stands where no value is expected.
ACCIDENTS = {
    "tag.yml": f"- did_number: '996'\n  password: !{PASSWORD}\n",
    "type.yml": f"- did_number: '996'\n  port: !!int {PASSWORD}\n",
    "alias.yml": f"- did_number: '996'\n  password: *{PASSWORD}\n",
    "anchor.yml": f"- did_number: '996'\n  password: &{PASSWORD}\n",
    "key.yml": f"- did_number: '996'\n  {PASSWORD}: password\n",
    "twice.json": f'[{{"did_number": "996", "{PASSWORD}": 1, "{PASSWORD}": 2}}]',
    "broken.json": f'[{{"did_number": "996", "password": "{PASSWORD}]',
    "type.json": f'[{{"did_number": "996", "did_type": {{"password": "{PASSWORD}"}}}}]',
    "header.csv": f"996;{PASSWORD};1\n",
    "quotes.csv": f'did_number;password\n996;"{PASSWORD}\n',
}
FAULTS: list[dict[str, Any]] = [
    {"fault": "status", "status": 403},
    {"fault": "status", "status": 422},
    {"fault": "status", "status": 500, "body": f"at /api/manageDID/{TOKEN}/{KEY} with {PASSWORD}"},
    {"fault": "error_body", "reason": f"no {TOKEN} {KEY} {PASSWORD}"},
    # As a stack trace cuts arguments, and as other programs quote them.
    {"fault": "error_body", "reason": f"#0 api.php(12): did('{TOKEN:.15}...', '{KEY:.15}...')"},
    {"fault": "error_body", "reason": base64.b64encode(f"{TOKEN}:{KEY}".encode()).decode()},
    {"fault": "error_body", "reason": PASSWORD.encode().hex(" ") + KEY[::-1]},
    {"fault": "error_body", "reason": "".join(f"\\x{ord(each):02x}" for each in TOKEN)},
    {"fault": "error_body", "reason": "<b></b>".join(PASSWORD)},
    {"fault": "error_body", "reason": [TOKEN, {"key": KEY}]},
    {
        "fault": "raw_answer",
        "answer": f"HTTP/1.1 422 {TOKEN}\r\nX-{KEY}: {PASSWORD}\r\nbad\r\n\r\n",
    },
    {"fault": "raw_answer", "answer": f"{TOKEN} {KEY} {PASSWORD}\r\n\r\n"},
    {"fault": "redirect", "status": 301, "location": f"https://{TOKEN}.example{{path}}"},
    {"fault": "drop_before"},
    {"fault": "drop_after"},
    {"fault": "reset_before"},
    {"fault": "reset_after"},
    {"fault": "hang_before"},
    {"fault": "slow_drip", "seconds_per_byte": 0.2},
    {"fault": "status_after", "status": 502},
    {"fault": "throttle", "times": None, "retry_after": 0},
    {"fault": "truncate"},
    {"fault": "raw_body", "body": f"<html>{TOKEN}/{KEY}</html>"},
    {"fault": "raw_body", "body": ""},
    {"fault": "raw_body", "body": '{"error":0,"reason":"OK"}'},
    {"fault": "redirect", "status": 302, "location": "https://other.example{path}"},
    {"fault": "redirect", "status": 302, "location": f"/login?{TOKEN}"},
    {"fault": "garbage"},
]


def _task(number: int, **more: Any) -> dict[str, Any]:
    fields = {"did_number": f"9{number:03}", "port": 5060, "password": "{{ did_password }}", **more}
    return {
        "name": f"DID {number}",
        "nextbilling.did.did": fields,
        "register": "result",
        "ignore_errors": True,
        "diff": True,
    }


def _playbook(simulator: Simulator, registry: Path) -> list[dict[str, Any]]:
    login = {
        "api_url": simulator.url,
        "api_token": "{{ login_token }}",
        "api_key": "{{ login_key }}",
        "registry": str(registry),
        "retries": 0,
        "timeout": 1,
    }
    shown = {"name": "Show", "ansible.builtin.debug": {"var": "result"}}
    tasks: list[dict[str, Any]] = [
        {"name": "Create the registry", "nextbilling.did.did_registry": {}},
        _task(900),
        shown,
        _task(900, password="{{ did_password }}-2"),
        shown,
        {**_task(901), "check_mode": True},
        shown,
        _task(902, port=70000),
        _task(902, pasword="{{ did_password }}"),
        _task(902, password={"x": "{{ did_password }}"}),
        _task(902, password=["{{ did_password }}", {"y": ["{{ did_password }}"]}]),
        _task(902, api_key={"x": "{{ login_key }}"}, port="x"),
        _task(902, registry_password=["{{ did_password }}"], retries="{{ did_password }}"),
        _task(902, host_additional=[{"password": "{{ did_password }}"}]),
        _task(902, force="{{ did_password }}"),
        _task(902, state="{{ did_password }}"),
        _task(902, copy_from_password="{{ did_password }}", port={"x": "{{ did_password }}"}),
        _task(902, did_type=1),
        _task(902, api_url="http://127.0.0.1:9", platform=simulator.url[7:]),
        _task(902, api_url="https://127.0.0.1:9", platform="unknown"),
        _task(902, api_url=simulator.url.replace("http:", "https:"), platform=simulator.url[7:]),
        _task(902, api_url=simulator.url + "/api/manageDID/{{ login_token }}/{{ login_key }}"),
        _task(902, registry="postgresql://me:{{ did_password }}@db/x"),
        _task(902, registry="/nowhere/registry.db"),
    ]
    tasks += [_task(number) for number in range(len(FAULTS))]
    tasks += _lists()
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        # Ansible quotes the lines of a playbook in which a task failed.
        "vars_files": ["secrets.yml"],
        "module_defaults": {"group/nextbilling.did.all": login},
        "tasks": tasks,
    }
    return [play]


def _lists() -> list[dict[str, Any]]:
    """Tasks with many DIDs, by the module and by the role: some that are right, some that fail, some that make no sense."""
    both = [{"did_number": f"99{number}", "password": "{{ did_password }}"} for number in "12"]
    mistyped = {"did_number": "993", "pasword": "{{ did_password }}"}
    by_module: list[dict[str, Any]] = [
        {"dids": both, "concurrency": 4},
        {"dids": [{"did_number": "994"}], "defaults": {"password": "{{ did_password }}"}},
        {"dids": [*both, {"did_number": "x"}, mistyped]},
        {"dids": [["{{ did_password }}"]], "defaults": "{{ did_password }}"},
        {"src": "{{ playbook_dir }}/dids.csv"},
        *({"src": f"{{{{ playbook_dir }}}}/{name}"} for name in ACCIDENTS),
    ]
    # What the role's specification refuses, Ansible reports by itself.
    by_role: list[dict[str, Any]] = [
        {"dids": [{**both[0], "port": 1}]},
        {"dids": "{{ did_password }}", "registry_password": "{{ did_password }}"},
        {"dids": ["did_number=995 password={{ did_password }} port=x"], "state": "absent"},
        {"dids": both, "defaults": "{{ did_password }}", "timeout": "soon"},
    ]
    tasks: list[dict[str, Any]] = [{"nextbilling.did.dids": options} for options in by_module]
    for options in by_role:
        variables = {f"provision_{name}": value for name, value in options.items()}
        role = {"include_role": {"name": "nextbilling.did.provision"}, "vars": variables}
        shown = {"ansible.builtin.debug": {"var": "provision_result"}}
        tasks.append({"block": [role], "rescue": [shown]})
    return [{"ignore_errors": True, "diff": True, **task} for task in tasks]


@pytest.mark.parametrize("way", [MODULE, PROCESS])
def test_secrets_appear_nowhere(tmp_path: Path, way: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    book = tmp_path / "play" / "book.yml"
    book.parent.mkdir()
    with Simulator.start(token=TOKEN, key=KEY) as simulator:
        for number, fault in enumerate(FAULTS):
            simulator.fault(
                match={"did_number": f"9{number:03}"}, name=fault["fault"], **_rest(fault)
            )
        book.write_text(yaml.safe_dump(_playbook(simulator, home / "state" / "registry.db")))
        (book.parent / "dids.csv").write_text(
            f"did_number;password;port\n996;{PASSWORD};1\n997;{PASSWORD};x\n"
        )
        for name, content in ACCIDENTS.items():
            (book.parent / name).write_text(content)
        secrets = {"login_token": TOKEN, "login_key": KEY, "did_password": PASSWORD}
        (book.parent / "secrets.yml").write_text(yaml.safe_dump(secrets))
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            # Of a module, Ansible then prints the arguments as they are.
            "ANSIBLE_DEBUG": str(way == PROCESS),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            # Since ansible-core 2.21 a result shows the parameters only where this asks for it. They may hold no secret either.
            "ANSIBLE_INJECT_INVOCATION": "true",
            "ANSIBLE_LOG_PATH": str(home / "log"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "HOME": str(home),
            "NEXTBILLING_DID_IN_PROCESS": str(way == PROCESS),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "TMPDIR": str(home),
        }
        done = subprocess.run(
            [program("ansible-playbook"), "-vvvvv", str(book)],
            env=environment,
            capture_output=True,
            check=False,
            timeout=600,
        )
        seen = len(simulator.requests())
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    assert seen > len(FAULTS)
    printed = done.stdout + done.stderr
    assert b"unknown_outcome" in printed and b"throttled" in printed and b"unreachable" in printed
    stored = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert any(path.name == "registry.db" for path in stored) and (home / "log") in stored
    assert b"withheld" in printed
    assert (b"runs as a module" in printed) == (way == MODULE)
    for echoed in map(str.encode, _spellings()):
        for place, emitted in [("printed", printed), *stored.items()]:
            assert echoed not in emitted, (place, _around(emitted, echoed))


def _spellings() -> Iterator[str]:
    """Yield parts of the secrets, and these as the faults encode them. The first characters stand in the names of other things."""
    for secret in (TOKEN, KEY, PASSWORD):
        yield secret[4:10]
        yield secret[6:12][::-1]
        yield secret.encode().hex(" ")
        yield base64.b64encode(secret.encode()).decode()[:16]
        yield "".join(f"\\x{ord(each):02x}" for each in secret[:6])
        yield "<b></b>".join(secret[:6])


def _rest(fault: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fault.items() if name != "fault"}


def _around(content: bytes, secret: bytes) -> bytes:
    place = content.index(secret)
    return content[max(0, place - 200) : place + 100]
