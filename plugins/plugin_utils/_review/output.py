# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The files of a review: their content, and how they are written. All of them are, each whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping

from .html import page
from .lines import fold_sections
from .markdown import markdown
from .model import Review
from .translations import Translations

_NAMES = ("review.json", "review.md", "review.html")


def render(review: Review, translate: Translations) -> dict[str, str]:
    """Return the files of a review by their names."""
    sections = fold_sections(review)
    texts = (
        _json(review),
        markdown(review, sections, translate),
        page(review, sections, translate),
    )
    return dict(zip(_NAMES, texts))


def _json(review: Review) -> str:
    """Return the review as JSON, with each DID in a line of its own.

    As ASCII, so that no character of a value has an effect in a terminal or an editor.
    """
    parts = []
    for key, value in review.as_json().items():
        if key == "dids":
            text = ",\n".join(json.dumps(did, allow_nan=False) for did in value)
            parts.append(f'"dids": [\n{text}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value, indent=2, allow_nan=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def remove(folder: str) -> None:
    """Remove the files of a review."""
    for name in _NAMES:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, name))


def write(folder: str, files: Mapping[str, str]) -> None:
    """Write files into a folder, which is made if it is missing. Raises C(OSError); then the old files are unchanged.

    Each file is written under a temporary name and then renamed, so that nobody reads half a file.
    """
    os.makedirs(folder, exist_ok=True)
    parts: dict[str, str] = {}
    try:
        for name, text in files.items():
            part = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
            parts[name] = part
            _write_new(part, text)
        for name in files:
            os.replace(parts[name], os.path.join(folder, name))
            del parts[name]
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):
                os.unlink(part)


def _write_new(path: str, text: str) -> None:
    # The user's umask decides who may read it, as for any other report.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        # A full disk may be noticed only now.
        os.fsync(file.fileno())
