# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The review as a page: one file that asks nothing of any other place, and reads well without its script."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import typing as t
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from ansible_collections.nextbilling.did.plugins.module_utils._planning.visible import pieces

from ._model import DECISION, SECTIONS, TROUBLES, fold
from ._telling import explained, extent, name, names, provenance, sides, since, sources, tally, when
from ._text import cut
from ._words import TELLING, tense

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Collection, Iterator, Sequence

    from ._model import Failure, Line, Review, Unseen
    from ._telling import Side
    from ._words import Words

_FOLDER = Path(__file__).parent
# How much is shown of a text that others wrote, in characters: nobody reads more in a page.
_TEXT = 4_000
# Up to this many troubles, the ways to go on stand open.
_OPEN = 20
# The bar: its width, the least width of a part, and the gap between two parts.
_WIDTH, _LEAST, _GAP = 1_000.0, 5.0, 2.0
# Kinds that the bar leaves out: what is not part of the total, and tasks beside DIDs.
_NO_SHARE = ("unlisted", "failed_tasks", "no_log_tasks", "async_tasks")


@dataclasses.dataclass(frozen=True)
class _Change:
    field: str
    routes: bool
    before: Markup | str | None
    after: Markup | str


@dataclasses.dataclass(frozen=True)
class _Trouble:
    """Why something needs a decision: a message, and the further lines of it."""

    message: Markup | str
    more: Markup | str
    is_example: bool


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line of the page. C(first) is a number that can be copied, and the first of C(dids) contiguous ones."""

    kind: str
    label: str
    names: Sequence[Markup | str]
    dids: int
    first: str
    place: int
    since: str
    changes: Sequence[_Change] = ()
    remarks: Sequence[Markup | str] = ()
    trouble: _Trouble | None = None


@dataclasses.dataclass(frozen=True)
class _Tile:
    kind: str
    number: str
    label: str
    width: float
    start: float


def page(review: Review, words: Words) -> str:
    """Return the whole page."""
    style, script = ((_FOLDER / file).read_text("utf-8") for file in ("page.css", "page.js"))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["when"] = when
    environment.filters["told"] = _told
    environment.filters["provenance"] = provenance
    environment.filters["apart"] = _apart
    environment.filters["called"] = lambda unlisted: _told(name(unlisted, words), 100)
    template = environment.from_string((_FOLDER / "page.html.j2").read_text("utf-8"))
    return template.render(
        review=review,
        words=words,
        mode=review.mode,
        tiles=list(_tiles(review, words)),
        sections=list(_sections(review, words)),
        script_words=json.dumps(
            {key: words(key) for key in ("shown", "copied")}
            | {key: [words.form(key, 1), words.form(key, 2)] for key in ("lines", "dids")}
        ),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _hash(text: str) -> str:
    """Return how a content security policy names this one text, so that no other style or script is heeded."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _told(text: str | None, limit: int = _TEXT, unlike: Collection[int] = ()) -> Markup | str:
    """Return a text that others wrote, with the codes of invisible characters, and of those at further places, marked as such."""
    shortened = cut(text or "", limit)
    if shortened.isascii() and shortened.isprintable():
        return shortened
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if is_code else escape(piece)
        for piece, is_code in pieces(shortened, unlike)
    )


def _apart(remarks: Sequence[Markup | str]) -> Markup:
    """Return remarks with a dot between two of them, each keeping the direction of its text to itself."""
    return Markup(" · ").join(
        remark if remark.isascii() else Markup("<bdi>{}</bdi>").format(remark) for remark in remarks
    )


def _tiles(review: Review, words: Words) -> Iterator[_Tile]:
    counts = {kind: number for kind, number in tally(review, TELLING).items() if number}
    shares = {kind: number for kind, number in counts.items() if kind not in _NO_SHARE}
    whole = sum(shares.values()) or 1
    room = _WIDTH - _GAP * max(0, len(shares) - 1)
    widths = {kind: max(_LEAST, room * number / whole) for kind, number in shares.items()}
    # What the least widths take beyond their share, the others give.
    scale = room / (sum(widths.values()) or 1)
    start = 0.0
    for kind, number in counts.items():
        width = widths.get(kind, 0.0) * scale
        label = words.kind(kind, review.mode, number)
        yield _Tile(kind, words.number(number), label, round(width, 2), round(start, 2))
        start += width + _GAP if width else 0.0


def _sections(review: Review, words: Words) -> Iterator[dict[str, t.Any]]:
    for section in SECTIONS:
        entries = [entry for entry in review.entries if entry.section == section]
        rows = [_row(line, words) for line in fold(entries)]
        count = words.count("dids", len(entries))
        if section == DECISION:
            tasks = [
                *_failed_tasks(review, words),
                *(_unseen_row(one, words) for one in review.unseen),
            ]
            count += f", {words.count('tasks', len(tasks))}" if tasks else ""
            rows = [*tasks, *rows]
        if rows:
            yield {
                "name": section,
                "heading": words(section),
                "count": count,
                "rows": rows,
                "length": len(rows),
                "open": len(rows) <= _OPEN,
            }


def _row(line: Line, words: Words) -> _Row:
    first = line.first
    remarks = _error_remarks(first.error, words)
    remarks += filter(None, [since(line, words)])
    if first.kind == "update" and not first.told:
        remarks.append(words("no_difference"))
    if sources(line):
        remarks.append(_told(sources(line)))
    return _Row(
        kind=first.kind,
        label=words.kind(first.kind, tense(first.outcome)),
        names=[_told(text, 100) for text in names(line, words)],
        dids=len(line.entries),
        first=_copied(first.did_number),
        # A list of DIDs is never as long as that.
        place=first.run * 10_000_000 + (first.index or 0),
        since=line.known_since[0] if line.known_since else "",
        changes=[
            _Change(
                change.field,
                change.routes,
                None if change.before is None else _value(before),
                _value(after),
            )
            for change in first.told
            for before, after in [sides(change)]
        ],
        remarks=remarks,
        trouble=(
            _trouble(first.error, first.kind, len(line.entries), words)
            if first.kind in TROUBLES
            else None
        ),
    )


def _value(side: Side) -> Markup | str:
    return _told(side.text, unlike=side.unlike) if side.text else '""'


def _copied(did_number: str | None) -> str:
    """Return a number that may go to the clipboard, and none that is something else."""
    number = did_number or ""
    return number if number.isascii() and number.removeprefix("+").isdigit() else ""


def _trouble(error: Failure | None, kind: str, dids: int, words: Words) -> _Trouble:
    message, *more = explained(error, kind, words).split("\n", 1)
    return _Trouble(
        message=_told(message),
        more=Markup("\n").join(map(_told, cut("".join(more).strip("\n"), _TEXT).split("\n"))),
        is_example=dids > 1 and error is not None and error.msg is not None,
    )


def _error_remarks(error: Failure | None, words: Words) -> list[Markup | str]:
    remarks: list[Markup | str] = []
    if error is not None:
        remarks.append(_told(error.kind))
        if error.http_status is not None:
            remarks.append(words("http_status", n=error.http_status))
        if error.reason:
            remarks.append(Markup("{}: {}").format(words("platform_said"), _told(error.reason)))
    return remarks


def _failed_tasks(review: Review, words: Words) -> Iterator[_Row]:
    for run in review.failed_runs:
        yield _Row(
            kind="failed_tasks",
            label=words.form("failed_tasks", 1),
            names=[_told(run.task, 200)],
            dids=0,
            first="",
            place=0,
            since="",
            remarks=[*_error_remarks(run.error, words), _told(run.host), _told(run.play)],
            trouble=_trouble(run.error, "failed", 1, words),
        )


def _unseen_row(unseen: Unseen, words: Words) -> _Row:
    return _Row(
        kind=unseen.why + ("_tasks" if unseen.dids is None else ""),
        label=words.form(unseen.why + "_tasks", 1),
        names=[_told(unseen.task, 200)],
        dids=unseen.dids or 0,
        first="",
        place=0,
        since="",
        remarks=[_told(unseen.host), _told(unseen.play), extent(unseen, words)],
        trouble=_Trouble(words("why." + unseen.why), "", False),
    )
