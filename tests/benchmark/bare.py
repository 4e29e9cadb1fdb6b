# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limit: a client that sends the requests and does nothing else. Run by the benchmark, as a process of its own.

Arguments: how many DIDs, how many requests at once, and ``create`` or ``edit``. Where the platform is, the environment tells.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading

import requests

from .workload import FIRST_RECORD, sent


def main() -> int:
    """Send the requests; return the exit code."""
    size, concurrency = map(int, sys.argv[1:3])
    client = _Client(size, edit=sys.argv[3] == "edit")
    if concurrency == 1:
        client.work()
    else:
        threads = [threading.Thread(target=client.work) for _number in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if client.refused:
        print(client.refused[0], file=sys.stderr)
    return 1 if client.refused else 0


class _Client:
    def __init__(self, size: int, *, edit: bool) -> None:
        base = os.environ["NEXTBILLING_API_URL"]
        login = os.environ["NEXTBILLING_API_TOKEN"], os.environ["NEXTBILLING_API_KEY"]
        self._url = "/".join([base, "api", "manageDID", *login])
        self._edit = edit
        self._orders: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in range(size):
            self._orders.put(index)
        self.refused: list[str] = []

    def work(self) -> None:
        """Send requests, one after the other on one connection, until none is left."""
        with requests.Session() as session:
            while True:
                try:
                    index = self._orders.get_nowait()
                except queue.Empty:
                    return
                self._send(session, index)

    def _send(self, session: requests.Session, index: int) -> None:
        body = json.dumps(sent(index)).encode()
        headers = {"Content-Type": "application/json"}
        if self._edit:
            url = f"{self._url}/{FIRST_RECORD + index}"
            answer = session.post(url, data=body, headers=headers, timeout=60)
        else:
            answer = session.put(self._url, data=body, headers=headers, timeout=60)
        if answer.status_code != 200 or b'"error":0' not in answer.content:
            self.refused.append(f"HTTP {answer.status_code}")


if __name__ == "__main__":
    sys.exit(main())
