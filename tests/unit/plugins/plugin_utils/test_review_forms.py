# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a review and its three forms: order, folding, limits, and text that others wrote to do harm."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import hypothesis
import jsonschema
import pytest

from ansible_collections.nextbilling.did.plugins.module_utils._fields import FIELDS
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.html import page as page_of
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.lines import (
    fold,
    fold_sections,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.output import render
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.phrases import (
    blocks,
    closing_line,
    range_names,
    settling_steps,
    sources,
)
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.result_reader import Event
from ansible_collections.nextbilling.did.plugins.plugin_utils._review.translations import (
    LANGUAGES,
    REVIEW_ORDER,
    TEXTS,
    Translations,
    find_language,
)
from ansible_collections.nextbilling.did.tests.support.reviews import (
    LIMIT,
    NASTY,
    SCHEMA,
    WORDS,
    Item,
    Page,
    check_hostile_text,
    check_markdown,
    failing,
    item,
    many,
    result,
    review_of,
    told,
    utf16,
)


def lines_of(items: list[Item]) -> list[str]:
    """Return the numbers of each line, as ranges."""
    review = review_of(told(result(items)))
    return [
        ", ".join(" – ".join(range_names(members, WORDS)) for members in line.ranges)
        for line in fold(review.entries)
    ]


def test_creates_of_unknown_outcome_share_a_line_though_each_is_another_attempt() -> None:
    def unknown(number: str, attempt: str) -> Item:
        words = f"DID {number}: outcome not known. forgotten, attempt: {attempt}"
        return failing(number, "unknown", words, kind="unknown_outcome", attempt=attempt)

    attempts = ["18a1" + "0" * 27 + digit for digit in "123"]
    items = [unknown(f"113000100{n}", attempt) for n, attempt in enumerate(attempts)]
    assert lines_of(items) == ["1130001000 – 1130001002"]
    assert lines_of([items[0], {**items[1], "error": {**items[1]["error"], "msg": "other"}}]) == [
        "1130001000",
        "1130001001",
    ]


def test_what_needs_a_decision_comes_first_and_what_moves_calls_before_the_rest() -> None:
    items = [
        item("5", changes={"description": {"before": "a", "after": "b"}}),
        item(
            "4",
            changes={
                "description": {"before": "a", "after": "b"},
                "host": {"before": "c", "after": "d"},
            },
        ),
        item("3", action="create", changes={"host": {"before": None, "after": "d"}}),
        item("2", "not_attempted"),
        failing("1"),
        failing("9", "unknown"),
    ]
    entries = review_of(told(result(items))).entries
    assert [entry.did_number for entry in entries] == ["9", "1", "2", "3", "4", "5"]
    assert [entry.section for entry in entries] == [*["decision"] * 3, "create", "routes", "other"]


def test_the_fields_that_move_calls_are_those_of_the_page() -> None:
    moving = "customer_id did_type did_type_id device_id host port ip_address1 port1 ip_address2 port2 status host_additional"
    assert {field.name for field in FIELDS if field.affects_routing} == set(moving.split())


def test_contiguous_numbers_with_the_same_change_share_a_line() -> None:
    assert lines_of([item(f"11300010{n:02}") for n in (3, 1, 2, 5)]) == [
        "1130001001 – 1130001003, 1130001005"
    ]
    assert lines_of([item("0099"), item("0100")]) == ["0099 – 0100"]
    assert lines_of([item("999"), item("1000")]) == ["999, 1000"]
    assert lines_of([item("+551"), item("+552")]) == ["+551 – +552"]
    assert lines_of([item("551"), item("+552")]) == ["551, +552"]
    assert lines_of([item("551"), item("551")]) == ["551, 551"]
    assert lines_of([item(None), item(None, record_id=14)]) == ["record 13, record 14"]
    assert lines_of([item("٣"), item("٤")]) == ["٣, ٤"]
    other = item("2", changes={"customer_id": {"before": 8, "after": 9}})
    assert lines_of([item("1"), other, item("3")]) == ["1, 3", "2"]
    long = "1" * 6000
    assert lines_of([item(long), item(long[:-1] + "2")]) == [f"{long}, {long[:-1]}2"]


def number_blocks(count: int, size: int) -> list[Item]:
    """Return the change of a carrier for blocks of contiguous numbers."""
    changes = {"host": {"before": "192.0.2.10", "after": "198.51.100.7"}}
    return [
        item(f"1130{block:03}{n:03}", changes=changes)
        for block in range(count)
        for n in range(size)
    ]


def test_one_change_of_many_blocks_is_one_line_that_unfolds_to_them() -> None:
    items = number_blocks(30, 25)
    files = render(review_of(told(result(items))), WORDS)
    (line,) = [one for one in files["review.md"].split("\n- ") if "192.0.2.10" in one]
    assert line.startswith(
        "750 DIDs in 30 ranges: **to update** host `192.0.2.10` → `198.51.100.7` · customer 7 · last applied"
    )
    for block in range(30):
        assert f"`1130{block:03}000` – `1130{block:03}024`" in line
        assert f"1130{block:03}000 – 1130{block:03}024" in files["review.html"]
    assert files["review.html"].count('<li class="line') == 1
    assert len(json.loads(files["review.json"])["dids"]) == 750
    # Of very many ranges the first are shown, and the others counted.
    files = render(review_of(told(result(number_blocks(300, 2)))), WORDS)
    assert "`1130039000` – `1130039001` and 260 ranges more with 520 DIDs" in files["review.md"]
    assert "and 100 ranges more with 200 DIDs" in files["review.html"]
    assert 'data-numbers="1130000000:2 1130001000:2 ' in files["review.html"]
    files = render(review_of(told(result(number_blocks(300, 1)))), WORDS)
    assert "and 260 DIDs more" in files["review.md"]
    assert "and 100 DIDs more" in files["review.html"]


def test_a_range_with_its_numbers_in_the_descriptions_is_one_line() -> None:
    items = [
        item(
            f"1130{n:06}",
            action="create",
            source="big.csv, line 2",
            changes={
                "did_number": {"before": None, "after": f"1130{n:06}"},
                "description": {"before": None, "after": f"Ramal 1130{n:06}"},
            },
        )
        for n in range(3_000)
    ]
    files = render(review_of(told(result(items))), WORDS)
    text = files["review.md"]
    assert len(text.encode()) < 4_000
    assert (
        "- `1130000000` – `1130002999`: **to create** description `Ramal {number}`, 3,000 DIDs · customer 7 · `big.csv, line 2`"
        in text
    )
    assert files["review.html"].count('<li class="line') == 1


def labelled(number: str, customer_id: int | None, description: str | None, **more: Any) -> Item:
    """Return an edit of a DID that people know by these."""
    label = {"customer_id": customer_id, "description": description}
    return item(
        number, changes={"port": {"before": 5060, "after": 5061}}, **{"label": label, **more}
    )


def test_each_line_names_customer_and_description_as_last_known() -> None:
    items = [
        labelled("1130001000", 7, "Padaria"),
        labelled("1130001001", 7, "Padaria"),
        labelled("1130001002", 9, "Oficina"),
        item("1130003000", label={"customer_id": 7, "description": "Line 1130003000"}),
        item("1130003001", label={"customer_id": 7, "description": "Line 1130003001"}),
        item(
            "1130004000",
            action="create",
            changes={"description": {"before": None, "after": "Once"}},
            label={"customer_id": 13, "description": "Once"},
        ),
        {**failing("1130005000"), "label": {"customer_id": 44, "description": "Bank"}},
        labelled("1130006000", None, None, before_confirmed_at=None),
    ]
    review = review_of(told(result(items)))
    files = render(review, WORDS)
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    labels = {one["did_number"]: one["label"] for one in data["dids"]}
    assert labels == {one["did_number"]: one["label"] for one in items}
    text = files["review.md"]
    # What differs between the DIDs of a line stands at their numbers.
    assert (
        "`1130001000` – `1130001001` customer 7 `Padaria`, `1130001002` customer 9 `Oficina`\n"
        in text
    )
    # What is a part of the change stands there alone.
    assert "customer_id `7` → `9`, 2 DIDs · `Line {number}` ·" in text
    assert "`1130004000`: **to create** description `Once` · customer 13\n" in text
    assert "`1130005000`: **failed** customer 44 · `Bank` · `refused`" in text
    assert (
        "`1130006000`: **to update** port `5060` → `5061` · recorded, never applied by this registry\n"
        in text
    )
    page = Page(files["review.html"]).text
    for words in ("2 customers", "2 DIDs · customer 7 · Padaria", "customer 44 · Bank"):
        assert words in " ".join(page.split())


@pytest.mark.parametrize("label", [None, 7, {"customer_id": "x", "description": 5}, []])
def test_a_label_of_any_other_shape_is_not_known(label: Any) -> None:
    (entry,) = review_of(told(result([item("1", label=label)]))).entries
    assert entry.label == (None, None)


def test_a_value_that_was_not_known_cannot_be_read_as_a_create() -> None:
    changes = {
        "port": {"before": None, "after": 5060},
        "did_number": {"before": "11", "after": "+11"},
    }
    items = [
        item("1", changes=changes),
        item("2", action="adopt", changes=changes),
        item("3", action="create", changes=changes),
        item("4", "not_attempted", changes=changes),
    ]
    text = render(review_of(told(result(items))), WORDS)["review.md"]
    assert text.count("port not known → `5060`") == 3
    assert "`3`: **to create** port `5060`" in text
    assert "did_number `11` → `+11`" in text
    files = render(review_of(told(result(items))), Translations("pt-BR"))
    assert files["review.html"].count("<del class=unknown>desconhecido</del>") == 3


def test_an_unlisted_did_that_is_not_at_rest_says_so() -> None:
    unlisted = [
        {"did_number": str(n), "record_id": n, "outcome": outcome}
        for n, outcome in enumerate(("confirmed", "unknown", "uncertain", "under_way", "x"))
    ]
    values = result([item("1")], unlisted=unlisted)
    values["summary"]["unlisted"] = len(unlisted)
    files = render(review_of(told(values)), WORDS)
    assert (
        "- `0`\n- `1` (outcome not known)\n- `2` (last edit uncertain)\n- `3` (under way)\n- `4`\n"
        in files["review.md"]
    )
    assert files["review.html"].count("under way") == 1


def test_places_in_the_list_are_read_as_lines() -> None:
    def sources_of(*places: tuple[int, str | None]) -> str:
        items = [
            item(f"1{n}", index=index, source=source) for n, (index, source) in enumerate(places)
        ]
        (line,) = fold(review_of(told(result(items))).entries)
        return sources(line)

    file = [(n, f"big.csv, line {n + 2}") for n in range(40)]
    assert sources_of(*file[30:40]) == "big.csv, lines 32–41"
    assert sources_of(*reversed(file[30:40])) == "big.csv, lines 32–41"
    assert sources_of(*file[1:3], file[7]) == "big.csv, lines 3–4, 9"
    assert sources_of(file[1], file[1]) == "big.csv, line 3"
    assert sources_of((0, "big.csv, line 2"), (1, "big.csv, line 2")) == "big.csv, line 2"
    assert sources_of((0, None)) == ""
    assert sources_of((0, "x"), (1, "y")) == "x"
    many_places = sources_of(*file[::2])
    assert many_places == "big.csv, lines 2, 4, 6, 8, 10, 12 and 14 more"


PLAY = """- name: "Record it"
  hosts: localhost
  tasks:
    - name: "Record it"
      nextbilling.did.did_registry:
        state: recorded"""
COMMAND = 'ansible-playbook nextbilling.did.export -e \'{"export_dest": "open.csv"}\''


def test_plays_and_commands_are_told_from_the_words_around_them() -> None:
    text = f"Look it up.\n{PLAY}\n{PLAY}\nThen:\n{COMMAND}\nOr wait.\nOr not."
    assert blocks(text) == [
        ("Look it up.", False),
        (PLAY, True),
        (PLAY, True),
        ("Then:", False),
        (COMMAND, True),
        ("Or wait.\nOr not.", False),
    ]
    assert blocks("") == []


def test_an_open_did_has_the_plays_that_resolve_it_though_its_result_has_not() -> None:
    open_did = failing("1000", "unknown", "DID 1000", kind="unknown_outcome", attempt="1a" * 16)
    files = render(review_of(told(result([open_did]), check_mode=False)), WORDS)
    (shown,) = json.loads(files["review.json"])["dids"]
    words, *plays = re.split(r"\n(?=- name: )", shown["error"]["msg"])
    assert words.startswith("DID 1000. Look it up there") and len(plays) == 2
    for play in plays:
        assert play in html.unescape(files["review.html"])
    assert "1a" * 16 in plays[1] and "/srv/registry.db" in plays[0]


def test_several_open_dids_are_settled_by_one_file() -> None:
    def unknown(number: str) -> Item:
        return failing(
            number, "unknown", f"DID {number}", kind="unknown_outcome", attempt=number * 4
        )

    one = told(result([unknown("1000")]), check_mode=False)
    assert settling_steps(review_of(one)) == []
    another = told(result([unknown("1001")], platform="other"), check_mode=False, task_uuid="2")
    assert settling_steps(review_of(one, another)) == []
    two = told(result([unknown("1002")]), check_mode=False, task_uuid="3")
    (steps,) = settling_steps(review_of(one, two))
    files = render(review_of(one, two), WORDS)
    for command in ("export", "settle"):
        assert f"\nansible-playbook nextbilling.did.{command} -e '" in steps
    assert '"settle_src": "open.csv"' in steps and "/srv/registry.db" in steps
    assert steps.split("\n")[-1] in files["review.md"]
    assert "Settle all open DIDs together" in files["review.html"]


@pytest.mark.parametrize("lacking", ["platform", "registry"])
def test_open_dids_are_settled_together_only_where_their_registry_is_known(lacking: str) -> None:
    items = [failing(n, "unknown", kind="unknown_outcome", attempt=n * 32) for n in ("1", "2")]
    review = review_of(told(result(items, **{lacking: None}), check_mode=False))
    assert settling_steps(review) == []
    files = render(review, WORDS)
    assert review.counts["unknown"] == 2 and "nextbilling.did.settle" not in files["review.md"]


def test_each_kind_has_a_meaning_in_the_legend() -> None:
    for language in LANGUAGES:
        words = Translations(language)
        for kind in REVIEW_ORDER:
            assert words.about(kind)
    page = render(review_of(told(result([item("1")]))), WORDS)["review.html"]
    assert WORDS.about("update") in page and WORDS.about("create") not in page


def test_similar_numbers_are_shown_and_do_not_keep_lines_of_a_range_apart() -> None:
    def create(number: str, *others: str) -> Item:
        return item(number, action="create", changes={}, similar_to=list(others))

    block = [create(f"+55113000{n}", f"113000{n}", f"0113000{n}") for n in range(1008, 1012)]
    items = [*block, create("+551130001012"), create("+551130001013", "01130001013")]
    assert lines_of(items) == ["+551130001008 – +551130001011", "+551130001012", "+551130001013"]
    apart = [create("+551130001001", "1130001001"), create("+551130001003", "1130001003")]
    assert lines_of(apart) == ["+551130001001, +551130001003"]
    text = render(review_of(told(result(apart))), WORDS)["review.md"]
    assert "notation: `1130001001`, `1130001003`" in text
    for language in LANGUAGES:
        files = render(review_of(told(result(items))), Translations(language))
        data = json.loads(files["review.json"])
        jsonschema.validate(data, SCHEMA)
        assert [each["similar_to"] for each in data["dids"]][3:] == [
            ["1130001011", "01130001011"],
            [],
            ["01130001013"],
        ]
        words = Translations(language)("similar_to")
        assert files["review.md"].count(words) == 2
        assert (
            f"{words} `1130001008 – 1130001011`, `01130001008 – 01130001011`" in files["review.md"]
        )
        assert "1130001008 – 1130001011, 01130001008 – 01130001011" in files["review.html"]
    # Anything else than a list of texts is left out.
    broken = [item("1", action="create", similar_to=value) for value in (None, "x", [1, None])]
    assert {each.similar_to for each in review_of(told(result(broken))).entries} == {()}


def test_times_and_the_number_itself_do_not_keep_lines_apart() -> None:
    later = "2026-02-01T08:30:00Z"
    made = [
        item(number, action="create", changes={"did_number": {"before": None, "after": number}, "port": {"before": None, "after": 5060}})
        for number in ("10", "11")
    ]  # fmt: skip
    edits = [
        item("20"),
        item("21", before_confirmed_at=later),
        item("22", before_confirmed_at=None),
    ]
    assert lines_of([*made, *edits]) == ["10 – 11", "20 – 21", "22"]
    text = render(review_of(told(result(edits))), WORDS)["review.md"]
    assert "last applied 2026-01-31 12:00 – 2026-02-01 08:30 UTC" in text


def test_what_does_not_tell_when_its_values_were_applied_is_not_said_to_be_never_applied() -> None:
    edit = item("20")
    del edit["before_confirmed_at"]
    files = render(review_of(told(result([edit]))), WORDS)
    jsonschema.validate(json.loads(files["review.json"]), SCHEMA)
    assert "customer_id `7` → `9`" in files["review.md"]
    for text in (files["review.md"], files["review.html"]):
        assert "never applied by this registry" not in text and "last applied 2" not in text


def test_troubles_alike_share_a_line_and_others_do_not() -> None:
    assert lines_of([failing("1"), failing("2"), failing("3", http_status=500)]) == ["1 – 2", "3"]
    assert lines_of([item("7", "not_attempted"), item("8", "not_attempted")]) == ["7 – 8"]
    text = render(review_of(told(result([failing("1"), failing("2")]))), WORDS)["review.md"]
    assert "The message about the first of them:" in text


def test_only_known_keys_are_copied_and_secrets_are_marks() -> None:
    secret = "pwd-geheim"
    changes = {
        "password": {"before": secret, "after": f"*** ({secret})", "x": secret},
        "pasword": {"before": None, "after": secret},
        "username": {"before": {"fingerprint": secret}, "after": object},
    }
    failure = failing("2", password=secret)
    failure.update(invocation=secret, password=secret, request={"body": secret})
    hostile = result(
        [item("1", changes=changes, fields={"password": secret}), failure],
        diff=secret,
        invocation=secret,
    )
    files = render(review_of(told(hostile)), WORDS)
    assert "***" in files["review.json"]
    for text in files.values():
        assert secret not in text


@pytest.mark.parametrize(
    "broken", [None, 7, "text", [], {}, [None, 7, "x", [], {}], {"a": {"b": []}}]
)
def test_a_result_of_any_other_shape_is_a_failure_and_never_an_exception(broken: Any) -> None:
    shapes: list[dict[str, Any]] = [
        {key: broken}
        for key in (
            *result([]),
            "applied",
            "unlisted",
            "error",
            "msg",
            "action",
            "changes",
            "did_number",
            "results",
            "ansible_job_id",
            "finished",
        )
    ]
    shapes += [result([item("1")], dids=[{**item("1"), key: broken}]) for key in item("1")]
    group = {"action": "create", "changes": {}, "label": {}, "ranges": [["1", "2", 2]]}
    shapes += [{**result([item("1")]), "applied": [{**group, key: broken}]} for key in group]
    shapes += [{**result([item("1")]), "applied": [{**group, "ranges": [broken]}]}]
    shapes += [
        result([item("1")], **{key: broken})
        for key in ("registry", "backoff", "plan_checksum", "error", "summary")
    ]
    review = review_of(
        *(
            told(shape, module=module, host=module, task_uuid=str(number))
            for number, shape in enumerate(shapes)
            for module in ("did", "dids", "async_status")
        )
    )
    jsonschema.validate(json.loads(render(review, WORDS)["review.json"]), SCHEMA)
    assert len(review.runs) + len(review.unseen) == 2 * len(shapes)


@pytest.mark.parametrize("value", [None, True, -7, 1.5, "x", "", ["x", 1.5, None]])
def test_any_value_of_any_field_is_shown(value: Any) -> None:
    """What comes from elsewhere need not be what a field takes."""
    changes = {field.name: {"before": value, "after": value} for field in FIELDS}
    files = render(review_of(told(result([item("1", changes=changes)]))), WORDS)
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    (told_of,) = data["dids"]
    secrets = {field.name for field in FIELDS if field.secret}
    for name, change in told_of["changes"].items():
        expected = value if name not in secrets or value is None else "***"
        assert change == {"before": expected, "after": expected}
    assert told_of["changes"].keys() == changes.keys()


def failing_apply(groups: list[dict[str, Any]], failed: list[Item], **counts: int) -> Event:
    """Return the event of a run that has applied groups of DIDs before it failed."""
    values = result(failed, applied=groups)
    values["summary"] |= {**counts, "total": len(failed) + sum(counts.values())}
    return told(values, check_mode=False, status="failed")


def test_what_a_failing_run_has_applied_is_in_its_review() -> None:
    created = {
        "action": "create",
        "changes": {
            "description": {"before": None, "after": "Line {number}"},
            "did_number": {"before": None, "after": "{number}"},
        },
        "label": {"customer_id": 13, "description": "Line {number}"},
        "ranges": [["+1130001000", "+1130001002", 3], ["+1130001004", "+1130001004", 1]],
    }
    adopted = {
        "action": "adopt",
        "changes": {"port": {"before": None, "after": 1}},
        "label": {"customer_id": None, "description": None},
        "ranges": [["record 12", "record 12", 1]],
    }
    event = failing_apply([created, adopted], [failing("+1130001003")], create=6, adopt=1)
    review = review_of(event)
    files = render(review, WORDS)
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    assert (data["counts"]["create"], data["runs"][0]["omitted"]) == (6, 2)
    assert [(one["did_number"], one["outcome"]) for one in data["dids"][1:5]] == [
        (f"+113000100{digit}", "applied") for digit in "0124"
    ]
    assert data["dids"][2]["changes"]["description"]["after"] == "Line +1130001001"
    assert (data["dids"][5]["did_number"], data["dids"][5]["record_id"]) == (None, 12)
    text = files["review.md"]
    assert "4 DIDs in 2 ranges: **created** description `Line {number}`" in text
    assert "\n  `+1130001000` – `+1130001002`, `+1130001004`\n" in text
    assert "Only counted: 2 DIDs." in text
    assert "Only counted: 2 DIDs." in files["review.html"]
    # Nothing is said of when a value before was applied, as the result does not say it.
    assert WORDS("never_applied") not in text


@pytest.mark.parametrize("count", [-1, 0, 2, 4, 10**12, True, "3", None])
def test_a_range_that_is_not_what_it_claims_is_left_out(count: Any) -> None:
    ranges = [["1130001000", "1130001002", count], ["1", str(10**12), 10**12]]
    group = {"action": "create", "changes": {}, "label": {}, "ranges": ranges}
    review = review_of(failing_apply([group], [failing("1")], create=3))
    assert ([entry.did_number for entry in review.entries], review.runs[0].omitted) == (["1"], 3)


def list_of(name: str, count: int, unlisted: list[str] | None, **more: Any) -> Event:
    """Return the event of a list; C(unlisted): the numbers that it reports."""
    values = result([item("1")], **more)
    values["summary"]["unlisted"] = count
    if unlisted is not None:
        values["unlisted"] = [
            {"did_number": number, "record_id": 1, "outcome": "confirmed"} for number in unlisted
        ]
    return told(values, task=name, task_uuid=name)


@pytest.mark.parametrize(
    ("events", "count", "numbers", "at_most"),
    [
        ([list_of("a", 5, None)], 5, [], False),
        ([list_of("a", 3, ["7", "8", "9"]), list_of("b", 2, ["9", "7"])], 2, ["7", "9"], False),
        ([list_of("a", 1, ["7"]), list_of("b", 0, [])], 0, [], False),
        ([list_of("a", 1, ["+7"]), list_of("b", 1, ["7"])], 1, ["+7"], False),
        ([list_of("a", 3, ["7", "8", "9"]), list_of("b", 2, None)], 2, ["7", "8", "9"], True),
        ([list_of("a", 9, None), list_of("b", 4, None)], 4, [], True),
        (
            [list_of("a", 2, ["7", "8"]), list_of("b", 2, ["8", "9"]), list_of("c", 2, None)],
            1,
            ["8"],
            True,
        ),
        ([list_of("a", 2, None), list_of("b", 3, None, platform="other")], 5, [], False),
    ],
)
def test_a_did_is_unlisted_if_no_list_for_its_platform_names_it(
    events: list[Event], count: int, numbers: list[str], at_most: bool
) -> None:
    review = review_of(*events)
    files = render(review, WORDS)
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    assert [one["did_number"] for one in data["unlisted"]] == numbers
    assert (data["counts"]["unlisted"], data["unlisted_at_most"]) == (count, at_most)
    for text in (files["review.md"], files["review.html"], closing_line(review, WORDS, None)):
        assert ("at most" in text) == at_most
    if count:
        words = "at most 2 unlisted" if (at_most, count) == (True, 2) else f"{count} unlisted"
        assert words in closing_line(review, WORDS, None)


def test_how_far_a_run_slowed_down_is_told() -> None:
    review = review_of(told(result([item("1")], backoff={"refusals": 3, "concurrency": 2})))
    files = render(review, WORDS)
    assert json.loads(files["review.json"])["runs"][0]["backoff"] == {
        "refusals": 3,
        "concurrency": 2,
    }
    for text in (files["review.md"], files["review.html"]):
        assert "fewer requests 3 times (429); the run went down to 2 at a time" in text


def test_a_loop_that_ansible_ends_is_a_failure_beside_its_passes() -> None:
    done = {"action": "create", "did_number": "1", "changes": {}}
    passes = [told(done, module="did", item=True, check_mode=False)]
    broken = told({"msg": "x"}, module="did", status="failed", check_mode=False)
    review = review_of(*passes, broken)
    assert (review.counts["total"], review.counts["create"], review.counts["failed"]) == (2, 1, 1)
    whole = told({"results": [done]}, module="did", check_mode=False)
    assert review_of(*passes, whole).counts["total"] == 1


def test_the_outcome_of_a_job_that_is_lost_is_unknown_until_somebody_finds_it() -> None:
    job = {"ansible_job_id": "j1", "started": True, "finished": False}
    ended = {**job, "finished": True}
    missing = {**ended, "msg": "could not find job"}

    def lost_of(module: str, check_mode: bool) -> list[Event]:
        return [
            told(job, module=module, check_mode=check_mode),
            told(missing, module="async_status", status="failed", check_mode=check_mode),
        ]

    lost = lost_of("did", check_mode=False)
    review = review_of(*lost)
    assert not review.unseen and review.pending == 1
    assert (review.counts["total"], review.counts["unknown"], review.counts["failed"]) == (1, 1, 0)
    assert closing_line(review, WORDS, None) == "DIDs: 1 unknown"
    assert "its job cannot be found" in render(review, WORDS)["review.md"]
    # How many DIDs a list had is not known.
    review = review_of(*lost_of("dids", check_mode=False))
    assert [(one.why, one.dids, one.failed) for one in review.unseen] == [("lost", None, 0)]
    assert closing_line(review, WORDS, None) == "DIDs: 1 task of unknown outcome"
    # In check mode, nothing can have been applied.
    review = review_of(*lost_of("did", check_mode=True))
    assert [(one.why, one.dids, one.failed) for one in review.unseen] == [("async", 1, 0)]
    found = told({**ended, "action": "create", "did_number": "1"}, module="async_status")
    review = review_of(*lost, found, found)
    assert not review.unseen and review.counts["create"] == review.counts["total"] == 1


@pytest.mark.parametrize(
    ("ended", "check_mode", "kind"),
    [
        ({"msg": "'x' is undefined"}, False, "failed"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "rc": 1}, False, "unknown"),
        ({"msg": "MODULE FAILURE", "module_stdout": "", "rc": 1}, True, "failed"),
        ({"msg": "Timed out", "timedout": {"frame": "x", "period": 5}}, False, "unknown"),
        ({"msg": "did not complete", "async_result": {}}, False, "unknown"),
        ({"msg": "Failed to connect", "unreachable": True}, False, "unknown"),
        ({"msg": "Failed to connect", "unreachable": True}, True, "failed"),
    ],
)
def test_what_ansible_ended_is_certainly_not_applied_only_if_the_module_did_not_run(
    ended: dict[str, Any], check_mode: bool, kind: str
) -> None:
    status = "unreachable" if "unreachable" in ended else "failed"
    review = review_of(told(ended, module="did", status=status, check_mode=check_mode))
    assert [entry.kind for entry in review.entries] == [kind] and review.counts[kind] == 1


def test_what_runs_in_the_background_is_counted_once_or_named() -> None:
    started = {"started": True, "finished": False}
    ended = {"finished": True, "action": "create", "changes": {}}
    lists = result([item("1130001006", "applied", "create")])

    def start(job: str, module: str = "did", **more: Any) -> Event:
        return told({"ansible_job_id": job, **started}, module=module, task_uuid=job, **more)

    def wait(job: str, found: dict[str, Any], **more: Any) -> Event:
        named = {"module": "async_status", "task_uuid": f"wait for {job}", **more}
        return told({"ansible_job_id": job, **found}, **named)

    one = {**ended, "did_number": "1130001000"}
    refusal = {"failed": True, "msg": "x", "error": {"kind": "invalid_parameter"}}
    review = review_of(
        start("one"),
        wait("one", {"finished": False}),
        wait("one", one),
        wait("one", one, task_uuid="again"),
        start("two", item=True),
        start("three", item=True),
        wait("two", {**ended, "did_number": "1130001001"}, item=True),
        wait("three", {**ended, "did_number": "1130001002"}, item=True),
        start("bad"),
        wait("bad", {"finished": True, **refusal}, status="failed"),
        start("never", task="Never asked for"),
        start("dark", task="Asked for in the dark"),
        told({"censored": "x"}, module="async_status", task_uuid="wait in the dark"),
        told({"ansible_job_id": "polled", **ended, "did_number": "1130001005"}, module="did"),
        start("many", "dids"),
        wait("many", {"finished": True, **lists}),
        start("list", "dids", task="A list never asked for"),
    )
    counts = {name: number for name, number in review.counts.items() if number}
    assert counts == {"total": 6, "create": 5, "failed": 1}
    assert [(one.task, one.why, one.dids) for one in review.unseen] == [
        ("Never asked for", "async", 1),
        ("Asked for in the dark", "async", 1),
        ("A list never asked for", "async", None),
    ]
    assert "1 task not awaited" in closing_line(review, WORDS, None)


def test_a_mixture_of_check_and_apply_is_shown_as_such() -> None:
    done = result([item("1130001000", "applied", "create")])
    review = review_of(
        told(done, check_mode=False, task_uuid="1"),
        told(result([item("1130001001", action="create")]), task_uuid="2"),
    )
    assert (review.mode, review.pending) == ("mixed", 1)
    text = render(review, WORDS)["review.md"]
    assert "others ran in check mode" in text
    assert "**created**" in text and "**to create**" in text


def test_a_limit_says_why_nothing_was_attempted() -> None:
    items = [item(f"113000100{n}", "not_attempted", None, changes={}) for n in range(10)]
    error = {
        "kind": "limit_exceeded",
        "http_status": None,
        "reason": None,
        "did_number": None,
        "record_id": None,
    }
    files = render(
        review_of(told(result(items, error=error, msg="10 creates"), status="failed")), WORDS
    )
    assert json.loads(files["review.json"])["runs"][0]["error"]["kind"] == "limit_exceeded"
    assert json.loads(files["review.json"])["counts"]["not_attempted"] == 10
    assert "limit_exceeded" in files["review.md"] and "limit_exceeded" in files["review.html"]
    assert "`1130001000` – `1130001009`" in files["review.md"]


REFUSAL = {
    "kind": "limit_exceeded",
    "http_status": None,
    "reason": None,
    "did_number": None,
    "record_id": None,
}


@pytest.mark.parametrize(
    "error",
    [
        REFUSAL,
        {**REFUSAL, "kind": "plan_changed"},
        # It names the first of the numbers.
        {**REFUSAL, "kind": "similar_number", "did_number": "1130001000"},
    ],
    ids=lambda error: str(error["kind"]),
)
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("What was refused", "The plan was refused: nothing was sent", "the plan was refused, and")),
        ("pt-BR", ("O que foi recusado", "O plano foi recusado: nada foi enviado", "o plano foi recusado, e")),
    ],
)  # fmt: skip
def test_a_refused_plan_is_not_shown_as_applied(
    error: dict[str, Any], language: str, words: tuple[str, ...]
) -> None:
    items = [item(f"113000100{n}", "not_attempted", "create", changes={}) for n in range(10)]
    refused = told(result(items, error=error, msg="no"), status="failed", check_mode=False)
    review = review_of(refused)
    files = render(review, Translations(language))
    data = json.loads(files["review.json"])
    jsonschema.validate(data, SCHEMA)
    assert data["mode"] == "apply"
    page = Page(files["review.html"]).text
    for text in (files["review.md"], page):
        assert not [each for each in words if each not in text]
        for other in ("What was changed", "alterado", "Applied", "Aplicado", "apply_at_most"):
            assert other not in text
    assert f"**{Translations(language)('tag.plan_refused')}**" in files["review.md"]
    # Another task was applied.
    done = told(result([item("1", "applied")]), task_uuid="2", check_mode=False)
    text = render(review_of(refused, done), WORDS)["review.md"]
    assert "What was changed" in text and "**refused**" in text and "**applied**" in text


@pytest.mark.parametrize(
    ("error", "more"),
    [
        ({**REFUSAL, "kind": "plan_changed", "did_number": "1130001000"}, {}),
        ({**REFUSAL, "kind": "refused"}, {}),
        (REFUSAL, {"check_mode": True}),
    ],
)
def test_other_failures_are_not_shown_as_refused_plans(
    error: dict[str, Any], more: dict[str, Any]
) -> None:
    items = [item("1130001001", "not_attempted", "create", changes={})]
    failed = told(
        result(items, error=error, msg="no"), **{"status": "failed", "check_mode": False, **more}
    )
    text = render(review_of(failed), WORDS)["review.md"]
    assert "What was refused" not in text
    # The platform refused this one.
    without_message = item("1", "failed", None, error={"kind": "refused", "msg": None})
    text_of_did = render(review_of(told(result([without_message]))), WORDS)["review.md"]
    assert "`refused`" in text_of_did and "plan was refused" not in text_of_did
    assert ("apply_at_most" in text) == (error is not REFUSAL)


def test_a_plan_that_was_applied_already_is_nothing_that_is_as_declared_alone() -> None:
    error = {**REFUSAL, "kind": "plan_changed"}
    review = review_of(told(result([], error=error, msg="done"), status="failed", check_mode=False))
    text = render(review, WORDS)["review.md"]
    assert "The plan was refused: nothing was sent" in text and "done" in text
    assert "nothing to decide" not in text


# --- limits -------------------------------------------------------------------------------------

MANY = many(1_500, 500)


# Every word that a count has is in the last of them, so the other language is tried with that one alone.
@pytest.mark.parametrize(
    ("name", "language"), [*((name, "en") for name in MANY), ("all kinds", "pt-BR")]
)
def test_markdown_stays_short_and_drops_no_count(name: str, language: str) -> None:
    check_markdown(MANY[name], language)


def test_markdown_stays_short_with_many_tasks_and_hosts() -> None:
    seen = [
        told(result([item("1" * 3 + str(n))]), host=f"host-{n}" * 20, task_uuid=str(n))
        for n in range(2_000)
    ]
    hidden = [told({"censored": "x"}, host=f"h{n}", task_uuid=f"h{n}") for n in range(2_000)]
    review = review_of(*seen, *hidden)
    text = render(review, WORDS)["review.md"]
    assert utf16(text) < LIMIT
    assert "**2,000** tasks hidden" in text and "Needs a decision: 2,000 tasks" in text
    assert "tasks left out here" in text


def test_counts_of_dids_in_dropped_lines_add_up() -> None:
    text = render(review_of(told(result(MANY["creates"]))), WORDS)["review.md"]
    shown = text.count(": **to create**")
    assert f"{len(MANY['creates']) - shown:,} DIDs left out here" in text


def test_a_long_section_leaves_those_after_it_whole() -> None:
    items = [
        *MANY["creates"],
        *(item(f"5{n}", changes={"max_calls": {"before": n, "after": 0}}) for n in range(0, 40, 2)),
    ]
    text = render(review_of(told(result(items))), WORDS)["review.md"]
    assert utf16(text) < LIMIT and text.count("left out here") == 1
    assert text.count(": **to update**") == 20


def test_a_page_has_so_many_lines_that_it_loads_at_once_and_counts_the_others() -> None:
    items = many(2_010, 0)["creates"]
    files = render(review_of(told(result(items))), WORDS)
    page = Page(files["review.html"]).text
    assert files["review.html"].count('<li class="line') == 2_000
    assert "10 lines with 10 DIDs not on this page" in page and "2,010" in page
    assert len(json.loads(files["review.json"])["dids"]) == 2_010


@pytest.mark.slow
def test_a_line_of_very_many_ranges_has_no_numbers_to_copy() -> None:
    """A browser would stand still. Some of the numbers would be taken for all of them."""
    ranges = [[str(n), str(n), 1] for n in range(2_000_000, 2_200_002, 2)]
    group = {"action": "create", "changes": {}, "label": {}, "ranges": ranges}
    review = review_of(failing_apply([group], [failing("1")], create=len(ranges)))
    text = page_of(review, fold_sections(review), WORDS)
    assert "100,001 DIDs" in text
    assert 'data-numbers="2000000' not in text and 'data-numbers="1"' in text


# --- text that others wrote ---------------------------------------------------------------------


@hypothesis.settings(deadline=None, max_examples=10)
@hypothesis.given(NASTY)
@hypothesis.example("</script><script>alert(1)</script>")
@hypothesis.example("\u202e</title><script>alert(1)</script><img src=x onerror=alert(1)>ção &amp;")
@hypothesis.example("` | x | ``")
@hypothesis.example("a\\| b \\")
@hypothesis.example("@all #123 https://evil.example [a](b) <!-- ![a](b)")
@hypothesis.example("\n\n# Heading\n```\n- list\n| a | b |\n|---|---|\n")
@hypothesis.example("{{ 7*7 }}{% raw %}")
def test_hostile_text_stays_text_in_every_form(text: str) -> None:
    check_hostile_text(text)


def test_what_looks_alike_is_shown_by_its_codes_where_it_differs() -> None:
    changes = {
        "annotations": {"before": "ação", "after": "açao"},
        "description": {"before": "S\u00e3o", "after": "Sa\u0303o"},
    }
    files = render(review_of(told(result([item("1", changes=changes)]))), WORDS)
    assert r"description `S\u00e3o` → `Sa\u0303o`" in files["review.md"]
    assert r"S<mark>\u00e3</mark>o" in files["review.html"]
    assert r"Sa<mark>\u0303</mark>o" in files["review.html"]
    assert "annotations `ação` → `açao`" in files["review.md"]


def test_what_was_applied_and_not_recorded_comes_first_with_its_id() -> None:
    lost = [
        failing(number, "unrecorded", f"created as record {record_id}", record_id=record_id)
        for number, record_id in (("1002", 106), ("1003", 107))
    ]
    review = review_of(told(result([failing("1001"), *lost]), check_mode=False))
    assert review.counts["unrecorded"] == review.pending - 1 == 2
    text = render(review, WORDS)["review.md"]
    assert text.index("record 106") < text.index("record 107") < text.index("`1001`")
    assert "**2** applied, not recorded" in text
    error = {"kind": "unrecorded", "did_number": "1002", "record_id": 106}
    alone = told({"changed": True, "msg": "x", "error": error}, module="did", check_mode=False)
    assert review_of(alone).entries[0].outcome == "unrecorded"


def test_an_arrow_between_texts_that_run_from_right_to_left_is_put_in_words() -> None:
    changes = {"description": {"before": "שלום", "after": "עולם"}}
    text = render(review_of(told(result([item("1", changes=changes)]))), WORDS)["review.md"]
    assert "description from `שלום` to `עולם`" in text


# --- words --------------------------------------------------------------------------------------


def test_every_text_has_the_same_places_in_each_language() -> None:
    for key, texts in TEXTS.items():
        assert len(texts) == len(LANGUAGES) and all(texts), key
        places = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in texts]
        assert places[0] == places[1], key


@pytest.mark.parametrize(
    ("name", "language"),
    [
        *((name, "pt-BR") for name in ("pt-BR", "pt_BR", "pt-br", "pt", "PT", " pt_BR.UTF-8")),
        *((name, "en") for name in ("en", "EN", "en_US", "en_GB.UTF-8")),
        *((name, None) for name in ("", "C", "pt-PT", "de", "português")),
    ],
)
def test_a_language_is_known_by_the_names_that_people_give_it(
    name: str, language: str | None
) -> None:
    assert find_language(name) == language


def test_what_the_modules_say_is_marked_as_english_in_a_page_of_another_language() -> None:
    message = f"DID 1: it was refused\nDo this:\n{PLAY}"
    review = review_of(told(result([failing("1", msg=message), item("2", "not_attempted")])))
    page = render(review, Translations("pt-BR"))["review.html"]
    assert '<p class="message" lang="en"><bdi>DID 1: it was refused' in page
    assert '<pre class="words" lang="en">Do this:' in page
    assert '<div class="copyable" lang="en"><pre tabindex="0">- name: ' in page
    assert '<p class="message"><bdi>Não enviado: ' in page
    assert 'lang="en"' not in render(review, WORDS)["review.html"].split("<body", 1)[1]


def test_the_closing_line_leaves_zeros_out() -> None:
    items = [item("1", action="create"), item("3", "unknown")]
    review = review_of(
        told(result(items, summary={**result(items)["summary"], "none": 494, "total": 496}))
    )
    assert (
        closing_line(review, WORDS, "review/review.html")
        == "DIDs: 1 create, 1 unknown, 494 unchanged → review/review.html"
    )
    assert (
        closing_line(review, Translations("pt-BR"), None)
        == "DIDs: 1 a criar, 1 desconhecido, 494 sem mudança"
    )
    done = result([item(str(n), "applied", "create") for n in range(101)])
    applied = review_of(told(done, check_mode=False))
    assert closing_line(applied, Translations("pt-BR"), None) == "DIDs: 101 criados"
    assert closing_line(applied, WORDS, None) == "DIDs: 101 create"
    assert closing_line(review_of(told(result([]))), WORDS, None) == "DIDs: none"
