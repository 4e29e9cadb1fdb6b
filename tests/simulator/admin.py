# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin routes under /_simulator: no part of the platform's API, and not in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from . import faults
from .state import State
from .switches import SwitchError, Values

PREFIX = "/_simulator"
Route = Callable[["Admin", Any], Any]


class Admin:
    """Looks into the state, and changes it, on behalf of tests and people.

    ``start_switches`` are the values that a reset brings back.
    """

    def __init__(self, start_switches: Values) -> None:
        self._start_switches = start_switches
        self.state = State(start_switches)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Serve one admin request: 200 with JSON; 400, 404 or 405 with ``{"error": what}``."""
        route = _ROUTES.get(request.path[len(PREFIX) :].rstrip("/"))
        if route is None:
            return _json(404, {"error": f"no such route; there are: {', '.join(_listed())}"})
        serve = route.get(request.method)
        if serve is None:
            return _json(405, {"error": f"this route takes {', '.join(route)}"})
        raw = await request.content.read()
        try:
            return _json(200, serve(self, json.loads(raw) if raw else None))
        except (SwitchError, faults.FaultError) as problem:
            return _json(400, {"error": str(problem)})
        except (ValueError, RecursionError):
            return _json(400, {"error": "the body is not JSON"})

    def reset(self) -> None:
        """Start anew. Hanging requests are let go; none still under way can touch what follows."""
        self.end()
        self.state = State(self._start_switches)

    def end(self) -> None:
        """Let go of the requests that hang."""
        self.state.ended.set()


def _ledger(admin: Admin, _body: Any) -> Any:
    entries = admin.state.entries
    return {
        "requests": entries("request"),
        "created": entries("created"),
        "edited": entries("edited"),
    }


def _dids(admin: Admin, _body: Any) -> Any:
    return admin.state.dids


def _duplicates(admin: Admin, _body: Any) -> Any:
    return admin.state.duplicates()


def _reset(admin: Admin, _body: Any) -> Any:
    admin.reset()
    return {}


def _switches(admin: Admin, _body: Any) -> Any:
    return admin.state.switches


def _set_switches(admin: Admin, body: Any) -> Any:
    admin.state.switch(body)
    return admin.state.switches


def _faults(admin: Admin, _body: Any) -> Any:
    return [fault.shown() for fault in admin.state.faults]


def _add_faults(admin: Admin, body: Any) -> Any:
    added = [faults.read(given) for given in (body if isinstance(body, list) else [body])]
    admin.state.faults.extend(added)
    return _faults(admin, None)


def _clear_faults(admin: Admin, _body: Any) -> Any:
    admin.state.faults.clear()
    return []


def _overview(_admin: Admin, _body: Any) -> Any:
    return {"routes": _listed()}


_ROUTES: Mapping[str, Mapping[str, Route]] = {
    "": {"GET": _overview, "DELETE": _reset},
    "/reset": {"POST": _reset},
    "/ledger": {"GET": _ledger},
    "/dids": {"GET": _dids},
    "/duplicates": {"GET": _duplicates},
    "/switches": {"GET": _switches, "PATCH": _set_switches},
    "/faults": {"GET": _faults, "POST": _add_faults, "DELETE": _clear_faults},
}


def _listed() -> list[str]:
    return [f"{method} {PREFIX}{path}" for path, route in _ROUTES.items() for method in route]


def _json(status: int, value: Any) -> web.Response:
    text = json.dumps(value, ensure_ascii=False) + "\n"
    return web.Response(status=status, text=text, content_type="application/json")
