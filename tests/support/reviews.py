# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reviews to test: results as the modules return them, among them large and hostile ones, and what must hold of each form of a review."""

from __future__ import annotations

import html.parser
import json
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ansible_collections.nextbilling.did.plugins.module_utils._fields import FIELDS
from ansible_collections.nextbilling.did.plugins.module_utils._planning.invisible import (
    escape_invisible,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.collect import Collector
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.lines import fold
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.model import (
    COUNTS,
    TROUBLES,
    Review,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.phrases import closing_line
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.result_reader import Event
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    Translations,
)
from ansible_collections.nextbilling.did.tests.simulator import client

SCHEMA = json.loads(
    (Path(client.__file__).parents[2] / "docs" / "review.schema.json").read_text("utf-8")
)
WORDS = Translations("en")
LIMIT = 65_000
NOW = "2026-01-31T12:00:00Z"
# A word that is in every text of a hostile result, and nowhere else.
MARKER = "xEVILx"
Item = dict[str, Any]


def item(
    number: str | None, outcome: str = "planned", action: str | None = "update", **more: Any
) -> Item:
    """Return an entry of the result of C(dids)."""
    return {
        "index": 0,
        "source": None,
        "outcome": outcome,
        "error": None,
        "action": action,
        "did_number": number,
        "record_id": 13,
        "changes": {"customer_id": {"before": 7, "after": 9}},
        "label": {"customer_id": 7, "description": None},
        "before_confirmed_at": NOW,
        **more,
    }


def failing(number: str, outcome: str = "failed", msg: str | None = None, **more: Any) -> Item:
    """Return an entry about which something went wrong."""
    error = {
        "kind": "refused",
        "http_status": 422,
        "reason": "no",
        "did_number": number,
        "record_id": None,
    }
    return item(
        number,
        outcome,
        None,
        changes={},
        error={**error, "msg": msg or f"DID {number}: it was refused", **more},
    )


def result(items: list[Item], **more: Any) -> dict[str, Any]:
    """Return a result of C(dids), with the summary that belongs to it."""
    summary = dict.fromkeys(COUNTS, 0)
    for one in items:
        trouble = one["outcome"] in TROUBLES
        summary[one["outcome"] if trouble else one["action"]] += 1
    return {
        "changed": bool(items),
        "summary": {**summary, "total": len(items)},
        "dids": items,
        "plan_checksum": "5f" * 32,
        "platform": "sip.example.com:443",
        "registry": {"id": "8c1d", "location": "/srv/registry.db"},
        "backoff": None,
        **more,
    }


def told(result: dict[str, Any], **more: Any) -> Event:
    """Return what the callback tells of a result."""
    usual = {
        "host": "one",
        "play": "DIDs",
        "task": "Declare them",
        "task_uuid": "1",
        "module": "dids",
        "check_mode": True,
        "status": "ok",
        "item": False,
    }
    return Event(**{**usual, **more}, result=result)


def review_of(*all_told: Event, interrupted: str | None = None) -> Review:
    """Return the review of results. Those with the status C(started) are tasks that begin."""
    collector = Collector()
    for one in all_told:
        (collector.start if one.status == "started" else collector.add)(one)
    return collector.review(NOW, interrupted)


def page_of_each_kind(language: str = "en") -> str:
    """Return a page with each kind of line of a run that came to its end."""
    items = [
        *(item(f"11300010{n:02}") for n in range(100)),
        item("1130002000", action="create", changes={"description": {"before": None, "after": "Número de vendas"}}),
        item("1130002005", action="create", changes={"description": {"before": None, "after": "abc"}}, index=1),
        item("1130003000", changes={"description": {"before": "a", "after": "b"}}, before_confirmed_at="2020-01-01T00:00:00Z"),
        item("1130003007", changes={"description": {"before": "a", "after": "c"}}),
        failing("1130004000", "unknown", "DID 1130004000: it may or may not be applied\n- name: Look\n  x: y"),
        failing("1130004005"),
        item("1130005000", "not_attempted"),
    ]  # fmt: skip
    many = result(items)
    many["summary"] |= {"none": 393, "total": 500}
    review = review_of(
        told(many), told({"censored": "x"}, task_uuid="2", module="did", task="A secret")
    )
    return render(review, Translations(language))["review.html"]


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def many(lines: int, length: int) -> dict[str, list[Item]]:
    """Return lists of more DIDs than a review in Markdown has room for. C(lines): how many at least; C(length): of the longest texts."""
    creates = [
        item(
            f"11{n * 3:08}",
            action="create",
            changes={"description": {"before": None, "after": f"Padaria nº {n}"}},
        )
        for n in range(lines)
    ]
    return {
        "creates": creates,
        "failures": [failing(f"11{n * 3:08}", msg=f"Line {n}: refused\n" + "step\n" * 100) for n in range(lines // 3)],
        "long texts": [
            item(f"1{n * 2}", changes={"description": {"before": "🎈" * length, "after": f"{n}" + "`" * length}})
            for n in range(lines // 8)
        ],
        "few failures": [failing("1"), *creates],
        "all kinds": [
            one
            for n in range(0, lines // 2, 2)
            for one in (
                failing(f"1{n:06}", "unknown", f"Line {n}"),
                item(f"2{n:06}", action="create", changes={"max_calls": {"before": None, "after": n}}),
                item(f"3{n:06}", action="adopt", changes={"max_calls": {"before": None, "after": n}}),
                item(f"4{n:06}", changes={"max_calls": {"before": n, "after": 0}}),
                item(f"5{n:06}", "not_attempted", changes={"max_calls": {"before": n, "after": 0}}),
            )
        ],
    }  # fmt: skip


def check_markdown(items: list[Item], language: str) -> None:
    """Require a review of these to be short enough in Markdown, and to drop no count."""
    words = Translations(language)
    review = review_of(told(result(items)))
    files = render(review, words)
    text = files["review.md"]
    assert utf16(text) < LIMIT and len(text.encode()) < 2**20
    # Little of the room is wasted.
    assert utf16(text) > LIMIT * 0.9
    for kind, number in review.counts.items():
        if number and kind != "total":
            assert f"**{words.number(number)}** {words.kind(kind, 'check', number)}" in text
    for section in {entry.section for entry in review.entries}:
        number = sum(entry.section == section for entry in review.entries)
        assert f"### {words(section)}: {words.count('dids', number)}\n" in text
    assert "review.html" in text and text.count("…") > 0
    assert len(json.loads(files["review.json"])["dids"]) == len(items)
    lines, on_page = len(fold(review.entries)), files["review.html"].count('<li class="line')
    assert on_page == lines or f"{words.count('lines', lines - on_page)} " in files["review.html"]


NASTY = st.text(
    st.one_of(
        st.sampled_from("`|<>&[]()!*_~#@:\\/\"'\n\r\t -{}%$=+.0123456789"),
        st.sampled_from(
            "\u202e\u2066\u200b\u00ad\ufeff\u0000\u001b\u0085\u2028\u3164\ufe0f\U000e0041"
        ),
        st.characters(),
    ),
    max_size=40,
)


def hostile(text: str) -> list[Event]:
    """Return results that have a text wherever they have one."""
    evil = MARKER + text
    error = {
        "kind": evil,
        "http_status": 500,
        "reason": evil,
        "did_number": evil,
        "record_id": 1,
        "msg": f"{evil}\n{evil}",
    }
    changes = {
        field.name: {
            "before": evil,
            "after": [evil, evil] if field.name == "host_additional" else text + MARKER,
        }
        for field in FIELDS
    }
    items = [
        item(evil, source=evil, changes=changes, similar_to=[evil]),
        item(
            evil,
            changes={"port": {"before": None, "after": 1}},
            label={"customer_id": 7, "description": evil},
        ),
        item(evil, "failed", None, error=error, source=evil),
        *(item(evil, "unknown", None, error={**error, "attempt": evil}) for _two in "12"),
        item("1", before_confirmed_at=evil),
    ]
    whole = result(
        items,
        unlisted=[{"did_number": evil, "record_id": None, "outcome": evil}],
        plan_checksum=evil,
        platform=evil,
        registry={"id": evil, "location": evil},
        error={**error, "kind": evil + "2"},
        msg=evil,
    )
    named = {"host": evil, "play": evil, "task": evil}
    return [
        told(whole, **named),
        told({"censored": evil}, task_uuid="2", **named),
        told({"ansible_job_id": evil}, task_uuid="3", **named),
        told({"error": error, "msg": evil}, task_uuid="4", module="did", status="failed", **named),
    ]


class Page(html.parser.HTMLParser):
    """Reads a page: its elements with their attributes, and the text outside the style and the script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def invisible(text: str) -> set[str]:
    return {
        c
        for c in text
        if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }


CALM = render(review_of(*hostile("")), WORDS)
SAFE = {
    *("a", "b", "bdi", "body", "button", "dd", "del", "details", "div", "dl", "dt", "h1", "h2", "head", "header", "html", "input", "ins"),
    *("label", "li", "link", "main", "mark", "meta", "ol", "option", "p", "pre", "rect", "script", "section", "select", "small", "span"),
    *("style", "summary", "svg", "time", "title", "ul"),
}  # fmt: skip


def _skeleton(page: Page) -> list[tuple[str, list[str]]]:
    """Return the elements of a page but for those that depend on whether a text is long or has invisible characters."""
    may_be = ("mark", "bdi", "details", "summary", "pre")
    return [(tag, sorted(attributes)) for tag, attributes in page.elements if tag not in may_be]


_CALM_TOKENS = [
    token.type for token in MarkdownIt("commonmark").enable(["table"]).parse(CALM["review.md"])
]
_CALM_SKELETON = _skeleton(Page(CALM["review.html"]))


def check_hostile_text(text: str) -> None:
    """Require a text to stay text in every form, wherever it stands."""
    review = review_of(*hostile(text))
    files = render(review, WORDS)
    assert files["review.json"].isascii()
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    assert data["runs"][0]["platform"] == MARKER + text

    assert not invisible(files["review.md"]) and not invisible(files["review.html"])
    # In Markdown, nothing of it is outside code: there are no links, tags, headings or tables of its making.
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(files["review.md"])
    flat = [child for token in tokens for child in (token.children or [token])]
    bare = [token for token in flat if token.type not in ("code_inline", "fence")]
    assert not any(MARKER in token.content for token in bare)
    assert not any(token.type.startswith(("link", "image", "html", "s_")) for token in flat)
    assert [token.type for token in tokens] == _CALM_TOKENS
    codes = {token.content for token in flat if token.type == "code_inline"}
    assert escape_invisible(MARKER + text) in codes

    page = Page(files["review.html"])
    assert {tag for tag, _attributes in page.elements} <= SAFE
    assert sum(tag == "script" for tag, _attributes in page.elements) == 1
    assert not any(
        name.startswith("on") for _tag, attributes in page.elements for name in attributes
    )
    addresses = {
        attributes.get(name)
        for _tag, attributes in page.elements
        for name in ("href", "src", "action")
        if name in attributes
    }
    assert addresses == {"#list", "data:,"}
    assert _skeleton(page) == _CALM_SKELETON
    assert not invisible(closing_line(review, WORDS, "review/review.html"))
