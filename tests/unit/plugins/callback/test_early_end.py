# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The review at the early end of a run: which registry is read, and that nothing which goes wrong there disturbs the run."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.utils.display import Display

from ansible_collections.nextbilling.did.plugins.callback import review
from ansible_collections.nextbilling.did.plugins.module_utils._registry.location import (
    DEFAULT_LOCATION,
)

SECRET = "geheim"


class Callback(review.CallbackModule):
    """The callback with options of its own."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.options = {"output_dir": folder, "language": "en"}

    def get_option(self, k: str, hostvars: Any = None) -> Any:
        """Return an option."""
        return self.options[k]


@pytest.fixture(name="ends")
def _ends(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What Python would call at the end of the process."""
    ends: list[Callable[[], None]] = []
    monkeypatch.setattr(
        atexit, "register", lambda end, *arguments: ends.append(lambda: end(*arguments))
    )
    return ends


def start(callback: Callback, variables: dict[str, Any], **keywords: Any) -> None:
    """Tell the callback that a task on the host itself begins."""
    task = SimpleNamespace(
        _uuid="1",
        get_name=lambda: "A task",
        action="nextbilling.did.dids",
        resolved_action="nextbilling.did.dids",
        connection="ssh",
        module_defaults=[],
        **{
            **dict.fromkeys(("async_val", "check_mode", "delegate_to", "no_log")),
            "args": {},
            **keywords,
        },
    )
    known = {"ansible_connection": "local", **variables}
    manager = SimpleNamespace(get_vars=lambda **_which: known)
    play = SimpleNamespace(get_name=lambda: "A play", get_variable_manager=lambda: manager)
    callback.v2_playbook_on_play_start(play)
    callback.v2_runner_on_start(SimpleNamespace(get_name=lambda: "one"), task)


@pytest.mark.parametrize(
    ("registry", "variables", "location"),
    [
        ("/srv/a.db", {}, "/srv/a.db"),
        ("{{ place }}", {"place": "/srv/b.db"}, "/srv/b.db"),
        ("{{place}}", {"place": "/srv/b.db"}, "/srv/b.db"),
        ("{{ place | default(omit) }}", {"place": "/srv/b.db"}, "/srv/b.db"),
        ("{{ place | default(omit) }}", {}, DEFAULT_LOCATION),
        ("{{ place }}", {"place": ""}, DEFAULT_LOCATION),
        # Only Ansible knows what this is, or will be.
        ("{{ place }}", {"place": "{{ other }}"}, None),
        ("{{ place }}", {"place": ["/srv/b.db"]}, None),
        ("{{ place | trim }}", {"place": "/srv/b.db"}, None),
    ],
)
def test_the_registry_that_is_read_is_the_one_that_the_task_uses(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ends: list[Callable[[], None]],
    registry: str,
    variables: dict[str, Any],
    location: str | None,
) -> None:
    read: list[str] = []

    def read_recorded(where: str, *_more: Any) -> list[dict[str, Any]]:
        read.append(where)
        return []

    monkeypatch.setattr(review, "read_recorded", read_recorded)
    monkeypatch.setattr(review, "session_id", lambda: "this process")
    start(Callback(str(tmp_path / "review")), variables, args={"registry": registry})
    (end,) = ends
    end()
    assert read == ([] if location is None else [location])
    is_marked = "interrupted" if location else "partial"
    assert f'"interrupted": "{is_marked}"' in (tmp_path / "review" / "review.json").read_text()


def test_a_review_that_cannot_be_made_is_told_without_the_words_of_the_failure(
    monkeypatch: pytest.MonkeyPatch, ends: list[Callable[[], None]]
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _display, text, **_more: warnings.append(text))
    callback = Callback("")
    start(callback, {}, check_mode=True)
    # No path, so that it is no error of the system either.
    callback.options["output_dir"] = f"{SECRET}\0"
    (end,) = ends
    end()
    assert warnings == ["The review of DIDs could not be written (ValueError)"]
    end()
    assert len(warnings) == 1
