# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comments of one pull request, as the APIs of GitHub and GitLab serve them."""

from __future__ import annotations

import email
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

# The author of what a pipeline writes, by the path of the API.
GITHUB, GITLAB = "github-actions[bot]", 41


class Comments(ThreadingHTTPServer):
    """A server on the loopback interface. ``comments`` are what readers of the pull request see."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[dict[str, Any]] = []
        self.requests: list[str] = []
        # Whether lists are answered by an error.
        self.fails = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address that stands before all paths."""
        return f"http://127.0.0.1:{self.server_port}"

    def write(self, author: str | int, body: str) -> None:
        """Add a comment."""
        # GitHub tells authors by login, GitLab by id.
        self.comments.append(
            {
                "id": 1000 + len(self.comments),
                "body": body,
                "user": {"login": author},
                "author": {"id": author},
            }
        )


class _Handler(BaseHTTPRequestHandler):
    server: Comments

    def do_GET(self) -> None:
        """List a page of comments, or tell who the token belongs to."""
        address = urlsplit(self.path)
        if address.path.endswith("/user"):
            self._answer({"id": GITLAB})
            return
        if self.server.fails:
            self._answer({"message": "unavailable"}, 503)
            return
        query = {name: int(values[0]) for name, values in parse_qs(address.query).items() if values[0].isdigit()}  # fmt: skip
        page, size = query.get("page", 1), query["per_page"]
        found = self.server.comments[(page - 1) * size : page * size]
        more = len(self.server.comments) > page * size
        following = f"{self.server.url}{address.path}?per_page={size}&page={page + 1}"
        self._answer(found, headers={"Link": f'<{following}>; rel="next"'} if more else {})

    def do_POST(self) -> None:
        """Write a comment."""
        self.server.requests.append("POST")
        self.server.write(GITHUB if "/repos/" in self.path else GITLAB, self._body())
        self._answer(self.server.comments[-1], 201)

    def do_PATCH(self) -> None:
        """Edit a comment."""
        self.server.requests.append(self.command)
        (found,) = (each for each in self.server.comments if self.path.endswith(f"/{each['id']}"))
        found["body"] = self._body()
        self._answer(found)

    do_PUT = do_PATCH

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _body(self) -> str:
        """Return the text of a comment: from JSON, or from a form as curl sends it."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        if "json" in kind:
            return str(json.loads(content)["body"])
        form = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\n\n" + content)
        *_whole, part = form.walk()
        text = part.get_payload(decode=True)
        assert isinstance(text, bytes)
        return text.decode()

    def _answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:  # fmt: skip
        encoded = json.dumps(content, separators=(",", ":")).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)
