# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The review as a page: one file that loads nothing else, and can be read without its script."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import typing as t
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from ansible_collections.nextbilling.did.plugins.module_utils._planning.invisible import (
    split_at_invisible,
)

from . import phrases
from .escape import cut
from .lines import Line, Range
from .model import DECISION, SECTIONS, TROUBLES, Change, Entry, Failure, Label, Review, Unseen
from .translations import REVIEW_ORDER, Translations, tense

_FOLDER = Path(__file__).parent
# The most characters of a text that others wrote. Nobody reads more in a page.
_TEXT = 4_000
# The most parts below a line, and the most characters of a description beside a number.
_PARTS, _LABEL = 200, 100
# Up to so many parts, a line shows them without being asked.
_OPEN_PARTS = 5
# The most lines of a section, the most characters of all lines (as UTF-8), and how many each section has for itself: a page that loads at once.
_LINES, _CHARACTERS, _LEAST_CHARACTERS = 2_000, 7_000_000, 1_000_000
# The most ranges of a line that can be copied and searched, and the most names of a list of DIDs.
_NUMBERS, _NAMES = 100_000, 3_000
# Up to so many rows of a section, the next steps of its messages are open.
_OPEN = 20
# The bar: its width, the least width of a part, and the gap between two parts.
_WIDTH, _LEAST, _GAP = 1_000.0, 5.0, 2.0
# Kinds that the bar leaves out: they are no part of the total, or they count tasks.
_NO_SHARE = (
    *("unlisted", "failed_tasks"),
    *("lost_tasks", "stopped_tasks", "no_log_tasks", "async_tasks"),
)


@dataclasses.dataclass(frozen=True)
class _Change:
    field: str
    affects_routing: bool
    is_not_known: bool
    before: Markup | str | None
    after: Markup | str


@dataclasses.dataclass(frozen=True)
class _Trouble:
    """Why something needs a decision: a message, and the further lines of it."""

    message: Markup | str
    blocks: Sequence[tuple[Markup, bool]]
    is_example: bool
    # The language of a message: the modules' are in English.
    language: str | None


@dataclasses.dataclass(frozen=True)
class _Part:
    """A range of contiguous numbers below a line. C(remarks): how many DIDs, customer and description."""

    name: Markup | str
    remarks: Sequence[Markup | str]


@dataclasses.dataclass(frozen=True)
class _Row:
    """A line of the page. C(numbers) can be copied, and are searched: see C(_copyable). C(parts): the ranges of a line that has several."""

    kind: str
    kind_name: str
    name: Markup | str
    extent: str
    dids: int
    numbers: str
    place: int
    since: str
    label: Sequence[Markup | str] = ()
    changes: Sequence[_Change] = ()
    remarks: Sequence[Markup | str] = ()
    trouble: _Trouble | None = None
    parts: Sequence[_Part] = ()
    more_parts: str = ""


@dataclasses.dataclass(frozen=True)
class _Tile:
    kind: str
    number: str
    label: str
    width: float
    start: float


def page(review: Review, sections: Mapping[str, Sequence[Line]], translate: Translations) -> str:
    """Return the whole page. C(sections): the lines of each section."""
    style, script = ((_FOLDER / file).read_text("utf-8") for file in ("page.css", "page.js"))
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["display_time"] = phrases.display_time
    environment.filters["mark_invisible"] = _mark_invisible
    environment.filters["provenance"] = phrases.provenance
    environment.filters["run_notes"] = lambda run: phrases.run_notes(run, translate)
    environment.filters["join_remarks"] = _join_remarks
    environment.filters["did_name"] = lambda unlisted: _mark_invisible(
        phrases.did_name(unlisted, translate), 100
    )
    environment.filters["outcome"] = lambda outcome: translate(f"outcome.{outcome}")
    macros, template = (
        environment.from_string((_FOLDER / file).read_text("utf-8"))
        for file in ("page_macros.html.j2", "page.html.j2")
    )
    parts = macros.make_module({"translate": translate, "open_parts": _OPEN_PARTS})
    shown = list(_sections(review, sections, translate, parts))
    return template.render(
        review=review,
        translate=translate,
        mode=review.manner,
        interruption=phrases.interruption(review, translate),
        at_most=phrases.at_most(review, "unlisted", translate),
        tiles=list(_tiles(review, translate)),
        sections=shown,
        left=_left_out(sum((section["left_lines"] for section in shown), Counter()), translate),
        macros=parts,
        most_names=_NAMES,
        script_texts=json.dumps(
            {key: translate(key) for key in ("shown", "copied", "of", "show_more")}
            | {key: [translate.form(key, 1), translate.form(key, 2)] for key in ("lines", "dids")}
        ),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _hash(text: str) -> str:
    """Return the source expression by which a content security policy allows this text, and no other style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _mark_invisible(
    text: str | None, limit: int = _TEXT, unlike: Collection[int] = ()
) -> Markup | str:
    """Return a text that others wrote. Invisible characters, and those at the positions in C(unlike), stand as marked codes."""
    shortened = cut(text or "", limit)
    if shortened.isascii() and shortened.isprintable():
        return shortened
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if is_code else escape(piece)
        for piece, is_code in split_at_invisible(shortened, unlike)
    )


def _join_remarks(remarks: Sequence[Markup | str]) -> Markup:
    """Return remarks with dots between them. The direction of one's text does not affect the others."""
    return Markup(" · ").join(
        remark if remark.isascii() else Markup("<bdi>{}</bdi>").format(remark) for remark in remarks
    )


def _tiles(review: Review, translate: Translations) -> Iterator[_Tile]:
    counts = {
        kind: number for kind, number in phrases.tally(review, REVIEW_ORDER).items() if number
    }
    shares = {kind: number for kind, number in counts.items() if kind not in _NO_SHARE}
    whole = sum(shares.values()) or 1
    room = _WIDTH - _GAP * max(0, len(shares) - 1)
    widths = {kind: max(_LEAST, room * number / whole) for kind, number in shares.items()}
    # The parts with the least width take more than their share from the others.
    scale = room / (sum(widths.values()) or 1)
    start = 0.0
    for kind, number in counts.items():
        width = widths.get(kind, 0.0) * scale
        label = translate.kind(kind, review.mode, number)
        shown = phrases.at_most(review, kind, translate) + translate.number(number)
        yield _Tile(kind, shown, label, round(width, 2), round(start, 2))
        start += width + _GAP if width else 0.0


def _sections(
    review: Review,
    sections: Mapping[str, Sequence[Line]],
    translate: Translations,
    macros: t.Any,
) -> Iterator[dict[str, t.Any]]:
    """Yield what the page shows of each section. Lines for which a page has no room are counted."""
    characters = _CHARACTERS
    for place, section in enumerate(SECTIONS):
        lines = sections[section]
        tasks: list[_Row] = []
        if section == DECISION:
            tasks += _failed_tasks(review, translate)
            tasks += (_unseen_row(one, translate) for one in review.unseen)
        count = phrases.section_extent(sum(line.dids for line in lines), len(tasks), translate)
        length = len(tasks) + len(lines)
        if not length:
            continue
        kept = sum(
            min(_LEAST_CHARACTERS, 2_000 * len(sections[later])) for later in SECTIONS[place + 1 :]
        )
        rows: list[Markup] = []
        for row in itertools.chain(tasks, (_row(line, translate) for line in lines)):
            text = macros.line(row, length <= _OPEN)
            characters -= len(text.encode())
            if len(rows) == _LINES or characters < kept:
                characters += len(text.encode())
                break
            rows.append(text)
        left = lines[max(0, len(rows) - len(tasks)) :]
        left_lines = Counter(lines=length - len(rows), dids=sum(line.dids for line in left))
        yield {
            "steps": [
                _blocks(text) for text in phrases.settling_steps(review) if section == DECISION
            ],
            "name": section,
            "heading": translate(section),
            "count": count,
            "rows": rows,
            "length": len(rows),
            "open": length <= _OPEN,
            "left": _left_out(left_lines, translate),
            "left_lines": left_lines,
        }


def _left_out(left: Counter[str], translate: Translations) -> str:
    """Return how many lines are not on the page, and with how many DIDs; an empty text if none are left out."""
    if not left["lines"]:
        return ""
    counts = {name: translate.count(name, left[name]) for name in ("lines", "dids")}
    return translate("left_out", **counts)


def _row(line: Line, translate: Translations) -> _Row:
    first = line.first
    remarks = _error_remarks(first.error, translate)
    remarks += filter(None, [phrases.since(line, translate)])
    if first.kind == "update" and not line.changes:
        remarks.append(translate("no_difference"))
    similar = Markup(", ").join(map(_mark_invisible, phrases.similar_numbers(line)))
    if similar:
        remarks.append(Markup("{} {}").format(translate("similar_to"), similar))
    sources = phrases.sources(line)
    if sources:
        remarks.append(_mark_invisible(sources))
    return _Row(
        kind=first.kind,
        kind_name=translate.kind(first.kind, tense(first.outcome), line.dids),
        name=_name(line, translate),
        extent=phrases.line_extent(line, translate) if 1 == len(line.ranges) < line.dids else "",
        dids=line.dids,
        numbers=_numbers(line),
        # No list of DIDs is longer than the factor.
        place=first.run * 10_000_000 + (first.index or 0),
        since=line.known_since[0] if line.known_since else "",
        label=_label(phrases.line_label(line), translate, line.customers),
        changes=[_change(first, change, translate) for change in line.changes],
        remarks=remarks,
        trouble=(
            _trouble(first.error, first.why, line.dids, translate)
            if first.kind in TROUBLES
            else None
        ),
        parts=(
            [_part(line, members, translate) for members in line.parts[:_PARTS]]
            if len(line.parts) > 1
            else ()
        ),
        more_parts=phrases.more_parts(line, _PARTS, translate),
    )


def _name(line: Line, translate: Translations) -> Markup | str:
    """Return what heads a line: the only range of it, or else how many DIDs and ranges there are."""
    if len(line.ranges) > 1:
        return phrases.line_extent(line, translate)
    return _range_name(line.ranges[0], translate)


def _part(line: Line, members: Range, translate: Translations) -> _Part:
    remarks = _label(phrases.part_label(line, members), translate)
    if len(members) > 1:
        remarks.insert(0, translate.count("dids", len(members)))
    return _Part(_range_name(members, translate), remarks)


def _label(label: Label, translate: Translations, customers: int = 0) -> list[Markup | str]:
    """Return customer and description. C(customers): how many there are, if it is not one."""
    texts: list[Markup | str] = []
    if label.customer_id is not None:
        texts.append(translate("customer", id=label.customer_id))
    elif customers > 1:
        texts.append(translate.count("customers", customers))
    if label.description:
        texts.append(_mark_invisible(label.description, _LABEL))
    return texts


def _change(entry: Entry, change: Change, translate: Translations) -> _Change:
    before, after = phrases.sides(change)
    is_not_known = phrases.is_not_known(entry, change)
    shown = translate("not_known") if is_not_known else _value(before)
    return _Change(
        change.field,
        change.affects_routing,
        is_not_known,
        shown if is_not_known or change.before is not None else None,
        _value(after),
    )


def _range_name(members: Range, translate: Translations) -> Markup:
    names = phrases.range_names(members, translate)
    return Markup(" – ").join(_mark_invisible(text, 100) for text in names)


def _value(side: phrases.Side) -> Markup | str:
    return _mark_invisible(side.text, unlike=side.unlike) if side.text else '""'


def _numbers(line: Line) -> str:
    """Return the numbers of a line for the script, all of them or none."""
    if len(line.ranges) > _NUMBERS:
        return ""
    return " ".join(filter(None, map(_copyable, line.ranges)))


def _copyable(members: Range) -> str:
    """Return the numbers of a range as the script reads them: the first one, and how many there are; an empty text for what is no number."""
    number = members[0].did_number or ""
    if not (number.isascii() and number.removeprefix("+").isdigit()):
        return ""
    return number if len(members) == 1 else f"{number}:{len(members)}"


def _trouble(error: Failure | None, kind: str, dids: int, translate: Translations) -> _Trouble:
    message, *more = phrases.failure_message(error, kind, translate).split("\n", 1)
    is_of_module = error is not None and error.msg is not None
    return _Trouble(
        message=_mark_invisible(message),
        blocks=_blocks("".join(more)),
        is_example=dids > 1 and is_of_module,
        language="en" if is_of_module else None,
    )


def _blocks(text: str) -> list[tuple[Markup, bool]]:
    """Return the further lines of a message, as C(phrases.blocks) does."""
    return [
        (Markup("\n").join(map(_mark_invisible, block.text.split("\n"))), block.is_snippet)
        for block in phrases.blocks(cut(text.strip("\n"), _TEXT))
    ]


def _error_remarks(error: Failure | None, translate: Translations) -> list[Markup | str]:
    remarks: list[Markup | str] = []
    if error is not None:
        remarks.append(_mark_invisible(error.kind))
        if error.http_status is not None:
            remarks.append(translate("http_status", n=error.http_status))
        if error.reason:
            remarks.append(
                Markup("{}: {}").format(translate("platform_said"), _mark_invisible(error.reason))
            )
    return remarks


def _failed_tasks(review: Review, translate: Translations) -> Iterator[_Row]:
    for run in review.failed_runs:
        yield _Row(
            kind="failed_tasks",
            kind_name=translate.form("failed_tasks", 1),
            name=_mark_invisible(run.task, 200),
            extent="",
            dids=0,
            numbers="",
            place=0,
            since="",
            remarks=[
                *_error_remarks(run.error, translate),
                _mark_invisible(run.host),
                _mark_invisible(run.play),
            ],
            trouble=_trouble(run.error, "failed", 1, translate),
        )


def _unseen_row(unseen: Unseen, translate: Translations) -> _Row:
    return _Row(
        kind=unseen.why + ("_tasks" if unseen.dids is None else ""),
        kind_name=translate.form(unseen.why + "_tasks", 1),
        name=_mark_invisible(unseen.task, 200),
        extent="" if unseen.dids in (None, 1) else translate.count("dids", unseen.dids or 0),
        dids=unseen.dids or 0,
        numbers="",
        place=0,
        since="",
        remarks=[
            _mark_invisible(unseen.host),
            _mark_invisible(unseen.play),
            phrases.extent(unseen, translate),
        ],
        trouble=_Trouble(
            translate("why." + unseen.why), blocks=(), is_example=False, language=None
        ),
    )
