# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as a process: how it starts, where it listens, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ansible_collections.nextbilling.did.tests.functional.simulator.conftest import Caller
    from ansible_collections.nextbilling.did.tests.simulator.client import Simulator


@contextmanager
def run(folder: Path, *options: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """The simulator by its plain command, ended at the latest with the block."""
    command = [sys.executable, str(folder), "--port", "0", "--exit-with-parent", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_ready_line_and_a_clean_end(folder: Path, tmp_path: Path, number: int) -> None:
    ready_file = tmp_path / "ready.json"
    # A copy elsewhere, under another name: it needs no collection around it.
    copy = shutil.copytree(folder, tmp_path / "moved")
    with run(copy, "--ready-file", str(ready_file), cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        ready = json.loads(line)
        assert ready_file.read_text(encoding="utf-8") == line
        process.send_signal(number)
        out, errors = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert f"export NEXTBILLING_API_URL={ready['url']}" in errors
    assert "NEXTBILLING_API_TOKEN" in errors
    assert "NEXTBILLING_API_KEY" in errors
    assert ready == {
        "url": ready["url"],
        "admin": ready["url"] + "/_simulator",
        "token": "7cb40d54-4ebf-55a6-875a-5f57234e97cc-9990",
        "key": "b12c87a7-6dd6-5f99-9b47-c7c3be66fe73-8629",
        "ca_path": None,
        "pid": process.pid,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["moved", "ready.json"]


def test_it_ends_while_requests_hang(client: ModuleType, caller: Callable[[Any], Caller]) -> None:
    with client.Simulator.start() as sim:
        sim.fault("hang_before")
        sim.fault("slow_drip", seconds_per_byte=60)
        call = caller(sim)
        with call.open() as first, call.open() as second:
            first.sendall(call.request({"did_number": "1"}))
            second.sendall(call.request({"did_number": "2"}))
            assert second.recv(1) or first.recv(1)
            assert sim.stop() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.com", ""])
def test_only_loopback(folder: Path, tmp_path: Path, host: str) -> None:
    with run(folder, "--host", host, cwd=tmp_path) as process:
        out, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert "loopback" in errors


@pytest.mark.parametrize(
    ("switch", "word"), [("bom", "name=value"), ("bom=2", "bom"), ("colour=red", "colour")]
)
def test_bad_switches_on_the_command_line(
    folder: Path, tmp_path: Path, switch: str, word: str
) -> None:
    with run(folder, "--switch", switch, cwd=tmp_path) as process:
        _printed, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert word in errors


def test_switches_on_the_command_line(
    client: ModuleType, folder: Path, tmp_path: Path, caller: Callable[[Any], Caller]
) -> None:
    given = ["bom=true", "duplicates=refuse", "existing_ids=3,4", "required_fields=did_number,host"]
    options = [word for text in given for word in ("--switch", text)]
    with run(folder, *options, "--switch", "first_id=7", cwd=tmp_path) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        sim = client.Simulator(ready["url"], ready["token"], ready["key"])
        switches = sim.switches()
        assert caller(sim).put({"did_number": "1", "host": "h"}).status == 200
        assert sorted(sim.dids()) == [3, 4, 7]
    assert (switches["bom"], switches["duplicates"]) == (True, "refuse")
    assert switches["required_fields"] == ["did_number", "host"]


def test_a_port_that_is_taken(client: ModuleType, sim: Simulator) -> None:
    port = int(sim.url.rpartition(":")[2])
    with pytest.raises(client.SimulatorError, match=r"address already in use(?s:.*)--port 0"):
        client.Simulator.start(port=port)


def test_it_ends_with_its_parent(folder: Path, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    # The parent starts the simulator, waits until it serves, and dies without a word to it.
    parent = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "os._exit(0)\n"
    )
    simulator = [sys.executable, str(folder), "--port", "0", "--exit-with-parent"]
    command = [sys.executable, "-c", parent, *simulator, "--ready-file", str(ready_file)]
    subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)
    pid = json.loads(ready_file.read_text(encoding="utf-8"))["pid"]
    for _turn in range(100):
        if not alive(pid):
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the simulator outlived its parent")


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet is dead all the same."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    return state.rpartition(")")[2].split()[0] != "Z"


def test_tls(client: ModuleType, tmp_path: Path, caller: Callable[[Any], Caller]) -> None:
    with client.Simulator.start(tls=True, tls_dir=tmp_path / "tls") as sim:
        assert sim.url.startswith("https://127.0.0.1:")
        assert sim.ca_path == str(tmp_path / "tls" / "ca.pem")
        assert [path.name for path in (tmp_path / "tls").iterdir()] == ["ca.pem"]
        assert caller(sim).put({"did_number": "1"}).status == 200
        for name in ("localhost", "127.0.0.1"):
            url = client.Simulator(sim.url.replace("127.0.0.1", name), "t", "k", sim.ca_path)
            assert len(url.created()) == 1
        with pytest.raises(ssl.SSLCertVerificationError):
            client.Simulator(sim.url, sim.token, sim.key).ledger()


def test_tls_in_a_folder_of_its_own(client: ModuleType) -> None:
    with client.Simulator.start(tls=True) as sim:
        assert Path(sim.ca_path).read_text(encoding="utf-8").startswith("-----BEGIN CERT")
        assert sim.stop() == 0
    assert not Path(sim.ca_path).parent.exists()


def test_the_client_goes_past_a_proxy(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert sim.requests() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_other_loopback_addresses(client: ModuleType, host: str) -> None:
    if host == "::1" and not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    with client.Simulator.start(host=host, tls=True) as sim:
        assert host in sim.url
        assert sim.dids() == {12: {}}
