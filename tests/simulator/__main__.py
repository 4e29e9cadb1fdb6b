# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the simulated platform: ``python tests/simulator``. See README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import json
import os
import shutil
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

if not __package__:
    # Run as a folder, this file belongs to no package; so it is told (PEP 366) to which one, and
    # its siblings are found wherever the folder lies.
    _FOLDER = Path(__file__).resolve().parent
    sys.path.insert(0, str(_FOLDER.parent))
    __package__ = _FOLDER.name  # pylint: disable=redefined-builtin

from . import switches
from .api import Access
from .server import Simulator

# The token and key of the samples on the vendor's page, so that its commands work as they are.
SAMPLE_TOKEN = "7cb40d54-4ebf-55a6-875a-5f57234e97cc-9990"
SAMPLE_KEY = "b12c87a7-6dd6-5f99-9b47-c7c3be66fe73-8629"
# How often --exit-with-parent looks for its parent, in seconds.
_LOOK = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0, or 1 if it cannot serve."""
    options = _options(arguments)
    folder = options.tls_dir
    own_folder = options.tls and folder is None
    if own_folder:
        folder = Path(tempfile.mkdtemp(prefix="nextbilling-simulator-"))
    try:
        asyncio.run(_run(options, folder))
    except (OSError, ImportError) as problem:
        print(f"simulator: {problem}", file=sys.stderr)
        if getattr(problem, "errno", None) == errno.EADDRINUSE:
            print(
                'Choose another port: --port 0, or make simulator ARGS="--port 0"', file=sys.stderr
            )
        return 1
    finally:
        if own_folder:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator", description="The NextBilling platform, simulated on loopback."
    )
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=8085, help="0: any free port (default: 8085)")
    parser.add_argument("--token", default=SAMPLE_TOKEN, help="default: the vendor page's sample")
    parser.add_argument("--key", default=SAMPLE_KEY, help="default: the vendor page's sample")
    parser.add_argument("--tls", action="store_true", help="HTTPS with a certificate of its own")
    parser.add_argument("--tls-dir", type=Path, help="where to write ca.pem (default: a fresh one)")
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="see README.md"
    )
    parser.add_argument("--ready-file", type=Path, help="write the ready line there, too")
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="stop when the parent process is gone"
    )
    options = parser.parse_args(arguments)
    options.switches = switches.defaults()
    try:
        for text in options.switch:
            options.switches.update(switches.parse(text))
    except switches.SwitchError as problem:
        parser.error(str(problem))
    return options


def _loopback(host: str) -> str:
    """Refuse every address that other machines could reach: token and key are no secret here."""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{host!r} is not a loopback address")


async def _run(options: argparse.Namespace, folder: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = asyncio.ensure_future(_watch_parent(stop)) if options.exit_with_parent else None
    context, ca_path = _tls(options, folder)
    simulator = Simulator(Access(options.token, options.key), options.switches)
    address = "127.0.0.1" if options.host == "localhost" else options.host
    async with simulator.serve(address, options.port, context) as port:
        _announce(options, port, ca_path)
        await stop.wait()
    if watch is not None:
        watch.cancel()


def _tls(
    options: argparse.Namespace, folder: Path | None
) -> tuple[ssl.SSLContext | None, Path | None]:
    if not options.tls or folder is None:
        return None, None
    from . import tls

    return tls.make(folder, options.host)


async def _watch_parent(stop: asyncio.Event) -> None:
    # An orphan is given another parent at once, so a change is enough to look for.
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(_LOOK)
    stop.set()


def _announce(options: argparse.Namespace, port: int, ca_path: Path | None) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"{'https' if options.tls else 'http'}://{host}:{port}"
    ready = {
        "url": url,
        "admin": f"{url}/_simulator",
        "token": options.token,
        "key": options.key,
        "ca_path": None if ca_path is None else str(ca_path),
        "pid": os.getpid(),
    }
    _tell_people(ready)
    if options.ready_file is not None:
        _write_whole(options.ready_file, json.dumps(ready) + "\n")
    print(json.dumps(ready), flush=True)


def _tell_people(ready: dict[str, Any]) -> None:
    lines = [
        "The simulated platform is ready (stop it with Ctrl-C). To rehearse playbooks against it:",
        f"  export NEXTBILLING_API_URL={ready['url']}",
        f"  export NEXTBILLING_API_TOKEN={ready['token']}",
        f"  export NEXTBILLING_API_KEY={ready['key']}",
        "  export NEXTBILLING_REGISTRY=~/nextbilling-rehearsal.db   # not the real one",
    ]
    if ready["ca_path"] is not None:
        lines.append(f"  and in the task: ca_path: {ready['ca_path']}")
    lines.append(f"What it saw: curl {ready['admin']}/ledger")
    print("\n".join(lines), file=sys.stderr, flush=True)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that who looks for it finds all of it or nothing."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
