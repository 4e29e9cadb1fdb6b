# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The review as Markdown, for a comment on a pull request or a step's summary."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import phrases
from .escape import code_block, code_span, has_right_to_left
from .lines import Line, Range
from .model import (
    DECISION,
    SECTIONS,
    TROUBLES,
    Change,
    Entry,
    Failure,
    Label,
    Repeated,
    Review,
    Run,
    Unlisted,
    Unseen,
)
from .translations import REVIEW_ORDER, Translations, tense

# GitHub takes 65,536 characters for a comment. They are counted here as UTF-16 has them, which is the strictest way.
LIMIT = 65_000
# The most characters of a value and of a message. The last limit is for a review that does not fit otherwise.
_VALUE, _MESSAGE, _SHORT_MESSAGE = 300, 4_000, 160
# The most parts of a line, and the most characters of a description beside a number.
_PARTS, _LABEL = 40, 60
# The most characters about tasks in a review that does not fit otherwise.
_RUNS_LIMIT = 12_000
# The characters that each section has for itself, whatever those before it need.
_SHARE = 8_000
# Room for the note on what was left out of a section.
_NOTE = 300


@dataclasses.dataclass
class _Item:
    """A part of a section, and the number of DIDs that it is about. It is written when it is needed."""

    dids: int
    write: Callable[[], str]

    @functools.cached_property
    def text(self) -> str:
        """Return it as Markdown."""
        return f"{self.write()}\n"

    @functools.cached_property
    def length(self) -> int:
        """Return how long it is."""
        return _length(self.text)


class _Section(t.NamedTuple):
    """A part of the review: a heading with its count, and items."""

    heading: str
    items: Sequence[_Item]

    @property
    def share(self) -> int:
        """Return how long the items are, or else what a section has for itself."""
        length = 0
        for item in self.items:
            length += item.length
            if length >= _SHARE:
                return _SHARE
        return length


def markdown(
    review: Review, sections: Mapping[str, Sequence[Line]], translate: Translations
) -> str:
    """Return the review as Markdown that is shorter than LIMIT. Details are left out for that, counts never.

    :param sections: the lines of each section.
    """
    whole = _Writer(review, sections, translate, _MESSAGE).whole()
    return whole or _Writer(review, sections, translate, _SHORT_MESSAGE).short()


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class _Writer:
    def __init__(
        self,
        review: Review,
        sections: Mapping[str, Sequence[Line]],
        translate: Translations,
        message_limit: int,
    ) -> None:
        self._review = review
        self._lines = sections
        self._translate = translate
        self._message_limit = message_limit

    def whole(self) -> str | None:
        """Return all of it, or None if that is too long."""
        text = self._head(list(map(self._run, self._review.runs)))
        left = LIMIT - _length(text)
        for section in self._sections():
            heading = f"\n{section.heading}\n\n"
            left -= _length(heading)
            parts = [heading]
            for item in section.items:
                left -= item.length
                if left <= 0:
                    return None
                parts.append(item.text)
            text += "".join(parts)
        return text if left > 0 else None

    def short(self) -> str:
        """Return as much of it as fits. A section's heading and its count are never left out."""
        sections = list(self._sections())
        text = self._head(self._some_runs()) + f"\n{self._translate('cut_messages')}\n"
        left = LIMIT - _length(text) - sum(_length(part.heading) + _NOTE for part in sections)
        for place, section in enumerate(sections):
            kept = sum(part.share for part in sections[place + 1 :])
            text += f"\n{section.heading}\n\n"
            for number, item in enumerate(section.items):
                if left - item.length < kept:
                    text += self._left_out(section.items[number:])
                    break
                left -= item.length
                text += item.text
        return text

    def _left_out(self, items: Sequence[_Item]) -> str:
        translate = self._translate
        dids = translate.count("dids", sum(item.dids for item in items))
        return (
            f"- … {translate('cut_lines', lines=translate.count('lines', len(items)), dids=dids)}\n"
        )

    def _head(self, runs: list[str]) -> str:
        review, translate = self._review, self._translate
        mode = review.mode
        counts = [
            f"{phrases.at_most(review, key, translate)}**{translate.number(number)}** {translate.kind(key, mode, number)}"
            for key, number in phrases.tally(review, REVIEW_ORDER).items()
            if number
        ]
        interruption = phrases.interruption(review, translate)
        total = translate("of_total", total=translate.count("dids", review.counts["total"]))
        lines = [
            f"## {translate('title')}: {translate('headline.' + review.manner)}",
            "",
            f"{' · '.join(counts) or translate('nothing')} ({total})",
            "",
            *(
                [f"**{translate('tag.interrupted').capitalize()}.** {interruption}", ""]
                if interruption
                else []
            ),
            f"{translate('mode.' + review.manner)}. {translate('before_note')}",
            "",
            *runs,
        ]
        if not (review.entries or review.pending or review.failed_runs):
            lines += ["", translate("nothing_here")]
        return "\n".join(lines) + "\n"

    def _some_runs(self) -> list[str]:
        lines: list[str] = []
        left = _RUNS_LIMIT
        for run in self._review.runs:
            line = self._run(run)
            left -= _length(line) + 1
            if left < 0:
                rest = self._translate.count("tasks", len(self._review.runs) - len(lines))
                return [*lines, f"- … {self._translate('cut_runs', tasks=rest)}"]
            lines.append(line)
        return lines

    def _run(self, run: Run) -> str:
        translate = self._translate
        parts = [
            f"**{translate('tag.' + run.manner)}**",
            self._place(run),
        ]
        parts += [
            f"{translate(key)} {code_span(text, _VALUE)}" for key, text in phrases.provenance(run)
        ]
        if run.counts is not None:
            parts.append(translate.count("dids", run.counts["total"]))
        notes = phrases.run_notes(run, translate)
        return "\n  ".join(["- " + " · ".join(parts), *notes])

    def _place(self, seen: Run | Unseen) -> str:
        return " › ".join(code_span(text, 100) for text in (seen.play, seen.task, seen.host))

    def _sections(self) -> Iterator[_Section]:
        for section in (*map(self._section, SECTIONS), self._unlisted(), self._repeated()):
            if section.items:
                yield section

    def _section(self, section_name: str) -> _Section:
        review, translate = self._review, self._translate
        lines = self._lines[section_name]
        items = [_Item(line.dids, functools.partial(self._line, line)) for line in lines]
        dids = sum(line.dids for line in lines)
        tasks: list[_Item] = []
        if section_name == DECISION:
            tasks = [
                *(_Item(0, functools.partial(self._failed, run)) for run in review.failed_runs),
                *(
                    _Item(unseen.dids or 0, functools.partial(self._unseen, unseen))
                    for unseen in review.unseen
                ),
            ]
            steps = (
                _Item(0, functools.partial(self._steps, text))
                for text in phrases.settling_steps(review)
            )
            items = [*steps, *tasks, *items]
        extent = phrases.section_extent(dids, len(tasks), translate)
        return _Section(f"### {translate(section_name)}: {extent}", items)

    def _steps(self, text: str) -> str:
        block = code_block(text, "  ", _MESSAGE)
        return f"- **{self._translate('settle')}**\n{block}"

    def _line(self, line: Line) -> str:
        translate, first = self._translate, line.first
        changes = (self._change(first, change) for change in line.changes)
        content = "; ".join(changes) or self._no_changes(line)
        extent = phrases.line_extent(line, translate)
        is_one_range = len(line.ranges) == 1
        name = self._range(line.ranges[0]) if is_one_range else extent
        parts = [
            ", ".join(filter(None, (content, extent if is_one_range and line.dids > 1 else ""))),
            *self._label(phrases.line_label(line)),
            phrases.since(line, translate),
        ]
        similar = ", ".join(code_span(text, _VALUE) for text in phrases.similar_numbers(line))
        if similar:
            parts.append(f"{translate('similar_to')} {similar}")
        sources = phrases.sources(line)
        if sources:
            parts.append(code_span(sources, _VALUE))
        kind = translate.kind(first.kind, tense(first.outcome), line.dids)
        text = f"- {name}: **{kind}** " + " · ".join(filter(None, parts))
        if len(line.parts) > 1:
            text += f"\n  {self._parts(line)}"
        if first.kind in TROUBLES:
            text += self._trouble(first.error, first.why, line.dids)
        return text

    def _parts(self, line: Line) -> str:
        shown = (
            " ".join([self._range(members), *self._label(phrases.part_label(line, members))])
            for members in line.parts[:_PARTS]
        )
        more = phrases.more_parts(line, _PARTS, self._translate)
        return f"{', '.join(shown)} {more}".rstrip()

    def _label(self, label: Label) -> Iterator[str]:
        if label.customer_id is not None:
            yield self._translate("customer", id=label.customer_id)
        if label.description:
            yield code_span(label.description, _LABEL)

    def _range(self, members: Range) -> str:
        names = phrases.range_names(members, self._translate)
        return " – ".join(code_span(text, _VALUE) for text in names)

    def _no_changes(self, line: Line) -> str:
        return self._translate("no_difference") if line.first.kind == "update" else ""

    def _change(self, entry: Entry, change: Change) -> str:
        before, after = (code_span(text, _VALUE, unlike) for text, unlike in phrases.sides(change))
        if phrases.is_not_known(entry, change):
            return f"{change.field} {self._translate('not_known')} → {after}"
        if change.before is None:
            return f"{change.field} {after}"
        if has_right_to_left(before + after):
            # Words keep their places. An arrow between two such texts does not.
            return f"{change.field} {self._translate('from_to', before=before, after=after)}"
        return f"{change.field} {before} → {after}"

    def _trouble(self, error: Failure | None, kind: str, dids: int) -> str:
        """Return the rest of an item of a list that is about a trouble: error and message."""
        translate = self._translate
        text = "".join(f" · {part}" for part in self._error_parts(error))
        message = phrases.failure_message(error, kind, translate)
        if dids > 1 and error is not None and error.msg is not None:
            text += f"\n  {translate('message_of_first')}"
        return f"{text}\n{code_block(message, '  ', self._message_limit)}" if message else text

    def _error_parts(self, error: Failure | None) -> Iterator[str]:
        if error is None:
            return
        yield code_span(error.kind, _VALUE)
        if error.http_status is not None:
            yield self._translate("http_status", n=error.http_status)
        if error.reason:
            yield f"{self._translate('platform_said')} {code_span(error.reason, _VALUE)}"

    def _failed(self, run: Run) -> str:
        return (
            f"- {self._place(run)} **{self._translate.form('failed_tasks', 1)}**"
            + self._trouble(run.error, "failed", 1)
        )

    def _unseen(self, unseen: Unseen) -> str:
        translate = self._translate
        kind = translate.form(unseen.why + "_tasks", 1)
        text = f"- {self._place(unseen)} **{kind}**, {phrases.extent(unseen, translate)}"
        return f"{text}. {translate('why.' + unseen.why)}"

    def _unlisted(self) -> _Section:
        translate, unlisted = self._translate, self._review.common_unlisted
        at_most = phrases.at_most(self._review, "unlisted", translate)
        dids = translate.count("dids", len(unlisted))
        heading = f"### {translate('unlisted_heading')}: {at_most}{dids}"
        items = [_Item(1, functools.partial(self._unlisted_did, one)) for one in unlisted]
        return _Section(heading, items)

    def _unlisted_did(self, one: Unlisted) -> str:
        name = code_span(phrases.did_name(one, self._translate), _VALUE)
        outcome = one.open_outcome
        return f"- {name}" + (f" ({self._translate(f'outcome.{outcome}')})" if outcome else "")

    def _repeated(self) -> _Section:
        translate, repeated = self._translate, self._review.repeated
        heading = f"### {translate('repeated_heading')}: {translate.count('dids', len(repeated))}"
        items = [_Item(1, functools.partial(self._repeated_did, one)) for one in repeated]
        note = _Item(0, lambda: translate("repeated") + "\n")
        return _Section(heading, [note, *items] if items else [])

    def _repeated_did(self, one: Repeated) -> str:
        number = code_span(one.did_number, _VALUE)
        return f"- {number}: {self._translate('times', n=one.times)}"
