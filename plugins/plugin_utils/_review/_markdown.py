# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The review as Markdown, for a comment on a pull request or a step's summary."""

from __future__ import annotations

import typing as t

from ._model import DECISION, SECTIONS, TROUBLES, fold
from ._telling import explained, extent, name, names, provenance, sides, since, sources, tally
from ._text import code_block, code_span, turns
from ._words import TELLING, tense

if t.TYPE_CHECKING:  # pragma: no cover
    from collections.abc import Iterator, Sequence

    from ._model import Change, Failure, Line, Review, Run, Unseen
    from ._words import Words

# GitHub takes 65,536 characters for a comment. They are counted here as UTF-16 has them, which is the strictest way.
LIMIT = 65_000
# How much is shown of a value and of a message, in characters; the last one where not everything fits.
_VALUE, _MESSAGE, _SHORT_MESSAGE = 300, 4_000, 160
# How much is told of the tasks where not everything fits.
_RUNS_LIMIT = 12_000
# What a section has for itself, however much those before it could tell.
_SHARE = 8_000
# Room for the words that say what was left out of a section.
_NOTE = 300


class _Section(t.NamedTuple):
    """A part of the review: a heading with its count, and items, each with the number of DIDs that it is about."""

    heading: str
    items: Sequence[tuple[int, str]]

    @property
    def length(self) -> int:
        """Return how long all the items are."""
        return sum(_length(item) + 1 for _dids, item in self.items)


def markdown(review: Review, words: Words) -> str:
    """Return the review as Markdown, shorter than LIMIT whatever it holds: detail is left out, counts never."""
    whole = _Writer(review, words, _MESSAGE).whole()
    return whole if _length(whole) < LIMIT else _Writer(review, words, _SHORT_MESSAGE).short()


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class _Writer:
    def __init__(self, review: Review, words: Words, message_limit: int) -> None:
        self._review = review
        self._words = words
        self._message_limit = message_limit

    def whole(self) -> str:
        """Return all of it."""
        text = self._head(list(map(self._run, self._review.runs)))
        for section in self._sections():
            text += f"\n{section.heading}\n\n"
            text += "".join(f"{item}\n" for _dids, item in section.items)
        return text

    def short(self) -> str:
        """Return as much of it as fits. A section's heading tells its count even if nothing else of it does."""
        sections = list(self._sections())
        text = self._head(self._some_runs()) + f"\n{self._words('cut_messages')}\n"
        left = LIMIT - _length(text) - sum(_length(part.heading) + _NOTE for part in sections)
        for place, section in enumerate(sections):
            kept = sum(min(_SHARE, part.length) for part in sections[place + 1 :])
            text += f"\n{section.heading}\n\n"
            for number, (_dids, item) in enumerate(section.items):
                if left - _length(item) - 1 < kept:
                    text += self._left_out(section.items[number:])
                    break
                left -= _length(item) + 1
                text += f"{item}\n"
        return text

    def _left_out(self, items: Sequence[tuple[int, str]]) -> str:
        words = self._words
        dids = words.count("dids", sum(dids for dids, _item in items))
        return f"- … {words('cut_lines', lines=words.count('lines', len(items)), dids=dids)}\n"

    def _head(self, runs: list[str]) -> str:
        review, words = self._review, self._words
        mode = review.mode
        told = [
            f"**{words.number(number)}** {words.kind(key, mode, number)}"
            for key, number in tally(review, TELLING).items()
            if number
        ]
        total = words("of_total", total=words.count("dids", review.counts["total"]))
        lines = [
            f"## {words('title')}: {words('headline.' + mode)}",
            "",
            f"{' · '.join(told) or words('nothing')} ({total})",
            "",
            f"{words('mode.' + mode)}. {words('before_note')}",
            "",
            *runs,
        ]
        if not (review.entries or review.pending):
            lines += ["", words("nothing_here")]
        return "\n".join(lines) + "\n"

    def _some_runs(self) -> list[str]:
        told: list[str] = []
        left = _RUNS_LIMIT
        for run in self._review.runs:
            line = self._run(run)
            left -= _length(line) + 1
            if left < 0:
                rest = self._words.count("tasks", len(self._review.runs) - len(told))
                return [*told, f"- … {self._words('cut_runs', tasks=rest)}"]
            told.append(line)
        return told

    def _run(self, run: Run) -> str:
        words = self._words
        parts = [
            f"**{words('tag.check' if run.check_mode else 'tag.apply')}**",
            self._place(run),
        ]
        parts += [f"{words(key)} {code_span(text, _VALUE)}" for key, text in provenance(run)]
        if run.counts is not None:
            parts.append(words.count("dids", run.counts["total"]))
        line = "- " + " · ".join(parts)
        return line if run.backoff is None else f"{line}\n  {words('backoff', **run.backoff)}"

    def _place(self, seen: Run | Unseen) -> str:
        return " › ".join(code_span(text, 100) for text in (seen.play, seen.task, seen.host))

    def _sections(self) -> Iterator[_Section]:
        for section in (*map(self._section, SECTIONS), self._unlisted(), self._repeated()):
            if section.items:
                yield section

    def _section(self, name_of_section: str) -> _Section:
        review, words = self._review, self._words
        entries = [entry for entry in review.entries if entry.section == name_of_section]
        items = [(len(line.entries), self._line(line)) for line in fold(entries)]
        heading = f"### {words(name_of_section)}: {words.count('dids', len(entries))}"
        if name_of_section == DECISION:
            tasks = [
                *((0, self._failed(run)) for run in review.failed_runs),
                *((unseen.dids or 0, self._unseen(unseen)) for unseen in review.unseen),
            ]
            heading += f", {words.count('tasks', len(tasks))}" if tasks else ""
            items = [*tasks, *items]
        return _Section(heading, items)

    def _line(self, line: Line) -> str:
        words, first = self._words, line.first
        number = " – ".join(code_span(text, _VALUE) for text in names(line, words))
        what = "; ".join(map(self._change, first.told)) or self._no_changes(line)
        dids = words.count("dids", len(line.entries)) if len(line.entries) > 1 else ""
        told = [", ".join(filter(None, (what, dids))), since(line, words)]
        if sources(line):
            told.append(code_span(sources(line), _VALUE))
        kind = words.kind(first.kind, tense(first.outcome))
        text = f"- {number}: **{kind}** " + " · ".join(filter(None, told))
        if first.kind in TROUBLES:
            text += self._explained(first.error, first.kind, len(line.entries))
        return text

    def _no_changes(self, line: Line) -> str:
        return self._words("no_difference") if line.first.kind == "update" else ""

    def _change(self, change: Change) -> str:
        before, after = (code_span(text, _VALUE, unlike) for text, unlike in sides(change))
        if change.before is None:
            return f"{change.field} {after}"
        if turns(before + after):
            # Words keep their places where an arrow between two such texts would not.
            return f"{change.field} {self._words('from_to', before=before, after=after)}"
        return f"{change.field} {before} → {after}"

    def _explained(self, error: Failure | None, kind: str, dids: int) -> str:
        """Return what is told of a trouble, as the rest of an item of a list."""
        words = self._words
        text = "".join(f" · {part}" for part in self._error_parts(error))
        message = explained(error, kind, words)
        if dids > 1 and error is not None and error.msg is not None:
            text += f"\n  {words('message_of_first')}"
        return f"{text}\n{code_block(message, '  ', self._message_limit)}" if message else text

    def _error_parts(self, error: Failure | None) -> Iterator[str]:
        if error is None:
            return
        yield code_span(error.kind, _VALUE)
        if error.http_status is not None:
            yield self._words("http_status", n=error.http_status)
        if error.reason:
            yield f"{self._words('platform_said')} {code_span(error.reason, _VALUE)}"

    def _failed(self, run: Run) -> str:
        return f"- {self._place(run)} **{self._words.form('failed_tasks', 1)}**" + self._explained(
            run.error, "failed", 1
        )

    def _unseen(self, unseen: Unseen) -> str:
        words = self._words
        kind = words.form(unseen.why + "_tasks", 1)
        told = f"- {self._place(unseen)} **{kind}**, {extent(unseen, words)}"
        return f"{told}. {words('why.' + unseen.why)}"

    def _unlisted(self) -> _Section:
        words, unlisted = self._words, self._review.unlisted
        heading = f"### {words('unlisted_heading')}: {words.count('dids', len(unlisted))}"
        return _Section(
            heading, [(1, f"- {code_span(name(one, words), _VALUE)}") for one in unlisted]
        )

    def _repeated(self) -> _Section:
        words, repeated = self._words, self._review.repeated
        heading = f"### {words('repeated_heading')}: {words.count('dids', len(repeated))}"
        items = [
            (1, f"- {code_span(one.did_number, _VALUE)}: {words('times', n=one.times)}")
            for one in repeated
        ]
        return _Section(heading, [(0, words("repeated") + "\n"), *items] if items else [])
