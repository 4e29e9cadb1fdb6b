# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which people write a telephone number, and what becomes of numbers by accident. It knows nothing of the collection.

In a template, C(x) stands for a digit, and C(A) for one from 1 to 9.
"""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from hypothesis import strategies as st


class Writing(NamedTuple):
    """A number, and one way to write it."""

    number: str
    text: str


class Way(NamedTuple):
    """A way to write one number. C(example): as the guide shows it."""

    example: str
    templates: tuple[str, ...]


WAYS = {
    "digits alone": Way("1130001000", ("x", "xxx", "xxxx", "Axxxxxxxxx", "0xxxxxxxxx", "x" * 15)),
    "with +": Way("+551130001000", ("+Axxxxxxxxx", "+55xxxxxxxxxx", "+" + "x" * 15)),
    "area and number": Way(
        "11 3000-1000",
        (
            *("xx xxxx-xxxx", "xx xxxxx-xxxx", "xx-xxxx-xxxx", "xx xxxx xxxx", "xx-xxxxx-xxxx"),
            *("0xx xxxx-xxxx", "xxx xxx-xxxx", "xxx-xxx-xxxx", "xx xxx xxxx"),
        ),
    ),
    "dots": Way("11.3000.1000", ("xx.xxxx.xxxx", "xx.xxxxx-xxxx", "xx.xxxxx.xxxx", "Axxx.xxxA")),
    "area in brackets": Way(
        "(11) 3000-1000",
        (
            *("(Ax) xxxx-xxxx", "(Ax) xxxxx-xxxx", "(Ax)xxxx-xxxx", "(Ax) xxxx.xxxx"),
            *("(Ax) xxxxxxxx", "(Axx) xxx-xxxx", "(0Ax) xxxx-xxxx", "(0Axxx) xxxxxx", "(A) xxxx xxxx"),
        ),
    ),
    "country code": Way(
        "+55 (11) 3000-1000",
        (
            *("+55 (Ax) xxxx-xxxx", "+55 Ax xxxxx-xxxx", "+55(Ax)xxxx-xxxx", "+55-Ax-xxxx-xxxx"),
            *("+55 Ax xxxx xxxx", "+55 Ax xxxxxxxx", "+55 Axxxxxxxxx", "+55.Ax.xxxx.xxxx"),
            *("+5511 xxxx-xxxx", "+5511 30xx-35xx", "+5511 xxxxxxxx", "(+55) Ax xxxx-xxxx", "+55Ax xxxxx-xxxx"),
        ),
    ),
    "country code without +": Way(
        "55 (11) 3000-1000",
        (
            *("55 (Ax) xxxx-xxxx", "55 Ax xxxx-xxxx", "55 Ax xxxxx xxxx", "55Ax xxxx-xxxx", "5511 30xx-35xx"),
            *("55 Ax xxxxxxxxx", "0055 Ax xxxx-xxxx", "00 55 Ax xxxx-xxxx"),
        ),
    ),
    "a 9 of its own": Way(
        "(11) 9 8765-4321",
        ("(Ax) 9 xxxx-xxxx", "Ax 9 xxxx-xxxx", "+55 Ax 9 xxxx xxxx", "9 xxxx-xxxx"),
    ),
    "trunk prefix": Way(
        "0 15 11 3000-1000",
        (
            *("0 Ax Ax xxxx-xxxx", "0 Ax xxxx-xxxx", "0 (Ax) xxxx-xxxx", "0Ax Ax xxxx-xxxx"),
            *("0 Ax xxxxxxxx", "01xxx xxxxxx"),
        ),
    ),
    "toll-free": Way(
        "0800 300 1002",
        (
            *("0800 xxx xxxx", "0800-xxx-xxxx", "0800 xxx-xxxx", "0300 xxx xxx", "0800 xxxxxxx"),
            *("1-8xx-xxx-xxxx", "0-800-xxx-xxxx"),
        ),
    ),
    "number without area": Way("4004-1234", ("xxxx-xxxx", "xxxx xxxx", "xxxxx-xxxx", "Axx-xxxx")),
    "groups of three": Way("912 345 678", ("xxx xxx xxx", "+Axx xxx xxx xxx", "xxx-xxx-xxx")),
    "other countries": Way(
        "+44 20 7946 0018",
        (
            *("+A (Axx) xxx-xxxx", "1 (Axx) xxx-xxxx", "+Ax Ax xxxx xxxx", "+Axx Ax xxx xxxx"),
            *("+54 9 11 xxxx-xxxx", "+Ax xx xxxxxx", "+Ax A xxxx xxxx", "+Ax xxxxx xxxxx"),
            *("+39 0x xxxx xxxx", "+Axx A xxx xxxx", "+A-Axx-xxx-xxxx", "+49 Axxx xxxxxxx"),
        ),
    ),
}  # fmt: skip


def filled(template: str) -> st.SearchStrategy[str]:
    """Return texts that a template stands for."""
    places = re.sub("[^xA]", "", template)

    def fill(number: int) -> str:
        digits = iter(f"{number:0{len(places)}d}")
        drawn = {"x": lambda: next(digits), "A": lambda: next(digits).replace("0", "7")}
        return "".join(drawn.get(each, lambda each=each: each)() for each in template)

    return st.integers(0, 10 ** len(places) - 1).map(fill) if places else st.just(template)


def _written(template: str) -> st.SearchStrategy[Writing]:
    return filled(template).map(lambda text: Writing("".join(re.findall(r"[+0-9]", text)), text))


def may_be_several(text: str) -> bool:
    """Tell whether a text without + and brackets may be a range or a list: equal lengths, ascending, the same first digit."""
    groups = re.findall("[0-9]+", text)
    if len(groups) < 2 or re.search(r"[+(]", text):
        return False
    same = len({(len(group), group[0]) for group in groups}) == 1
    return same and all(one < other for one, other in itertools.pairwise(groups))


def writings(way: str) -> st.SearchStrategy[Writing]:
    """Return numbers that are written in one of the ways."""
    found = st.sampled_from(WAYS[way].templates).flatmap(_written)
    return found.filter(lambda writing: not may_be_several(writing.text))


ANY = st.sampled_from(sorted(WAYS)).flatmap(writings)
SPACE = st.sampled_from(["", " ", "\n", "\t", "\u00a0", "  "])


class Damage(NamedTuple):
    """What an accident makes of numbers. C(advice): words of the message that refuses it.

    C(example): as the guide shows it. C(looked_up): whether the digits that are left may be wrong.
    """

    example: str
    texts: st.SearchStrategy[str]
    advice: str
    looked_up: bool = False


def _texts(*templates: str) -> st.SearchStrategy[str]:
    return st.sampled_from(templates).flatmap(filled)


def _pieces(*pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*pieces).map("".join)


def _one_of(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


FULL = _texts("Axxxxxxx", "Axxxxxxxxx", "Axxxxxxxxxx", "55Axxxxxxxxx")
SHORT = _texts("Axx", "Axxx", "Axxxx")
LONG_WRITINGS = ANY.filter(lambda writing: len(writing.number) >= 9).map(lambda one: one.text)
GROUPED = LONG_WRITINGS.filter(lambda text: re.search("[0-9][ .()-]+[0-9]", text) is not None)
OCTET = st.integers(0, 255).map(str)
_BETWEEN = ("-", " - ", "–", " – ", " a ", " até ", "..", "/", " to ", "~")


@st.composite
def _ranges(draw: st.DrawFn) -> str:
    first = draw(st.one_of(FULL, SHORT))
    count = draw(st.integers(1, 99))
    last = str(int(first) + count)
    if len(last) > len(first) or (len(first) < 6 and first[0] != last[0]):
        first, last = "1130002000", "1130002009"
    return first + draw(_one_of(*_BETWEEN)) + last


@st.composite
def _ranges_of_subscribers(draw: st.DrawFn) -> str:
    first = draw(st.integers(1000, 1998))
    last = draw(st.integers(first + 1, 1999))
    if draw(st.booleans()):
        # Nine digits, of which the first five are a group.
        return f"{draw(_texts('(Ax) ', 'Ax ', '55Ax ', '0Ax '))}3{first}{draw(_one_of('-', ' '))}3{last}"
    area = draw(_texts("(Ax) ", "Ax ", "+55 Ax ", ""))
    return f"{area}{draw(_texts('3xxx'))}-{first}-{last}"


@st.composite
def _dates(draw: st.DrawFn) -> str:
    day, month, year = (draw(st.integers(*span)) for span in ((1, 31), (1, 12), (1900, 2099)))
    padded = draw(st.booleans())
    d, m = (f"{day:02d}", f"{month:02d}") if padded else (str(day), str(month))
    mark = draw(_one_of("-", "/", ".", " "))
    order = draw(_one_of("ymd", "dmy", "mdy"))
    parts = {"y": str(year), "m": m, "d": d}
    return mark.join(parts[part] for part in order) + draw(_one_of("", " 00:00:00", "T10:30:00"))


@st.composite
def _amounts(draw: st.DrawFn) -> str:
    mark, point = draw(st.sampled_from([(".", ","), (",", ".")]))
    groups = [
        draw(_texts("A", "Ax", "Axx")),
        *draw(st.lists(_texts("xxx"), min_size=2, max_size=4)),
    ]
    return mark.join(groups) + draw(_one_of("", f"{point}00"))


# Each looks like what it stands in for.
_LOOK_ALIKES = {
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d\u00ad",
    " ": "\u00a0\u2002\u2007\u2009\u202f\u3000",
    ".": "\u2024\uff0e\u3002\u00b7",
    "(": "\uff08",
    ")": "\uff09",
    "+": "\uff0b",
    "0": "Oo\uff10\u0660\u0966\u041e",
    "1": "lI\uff11\u0661\u00b9",
    "2": "\uff12\u0662\u00b2",
    "3": "\uff13\u0663\u0417",
    "5": "S\uff15\u0665",
}  # fmt: skip
_UNSEEN = "\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u0000\u007f"


@st.composite
def _strange(draw: st.DrawFn) -> str:
    text = draw(LONG_WRITINGS)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        return text[:place] + draw(st.sampled_from(_UNSEEN)) + text[place:]
    places = [place for place, character in enumerate(text) if character in _LOOK_ALIKES]
    if not places:
        return f"\uff11{text}"
    place = draw(st.sampled_from(places))
    return text[:place] + draw(st.sampled_from(_LOOK_ALIKES[text[place]])) + text[place + 1 :]


@st.composite
def _cells_in_one(draw: st.DrawFn) -> str:
    other = draw(st.integers(2, 999).filter(lambda number: number != 55))
    if draw(st.booleans()):
        return draw(
            _texts(
                *("1x Ax Axxxxxxx", "1x-Ax-Axxxxxxx", "Axx 9 Axxxxxxx", "Axxxx Axxxxxxx"),
                *("Ax 3 xxxx-xxxx", "(Ax) 4 xxxx-xxxx", "1x 9 xxx xxxx"),
            )
        )
    if draw(st.booleans()):
        return f"{other}{draw(_one_of(' ', '-', ';'))}{draw(_texts('Axxxxxxxxx', 'Axxxxxxxxxx'))}"
    return f"{other} {draw(_texts('(Ax) xxxx-xxxx', '(Ax) xxxxx-xxxx'))}"


LOOK_UP = "[Ll]ook it up"
ALONE = "digits .*alone"
DAMAGES = {
    "a decimal number": Damage(
        "1130001000.0",
        st.one_of(
            _pieces(st.one_of(FULL, SHORT), _one_of(".0", ".00", ",0", ",00", ".000", ".0000")),
            _pieces(FULL, _one_of(".", ","), _texts("A", "xA", "xxA", "xxxxA")),
            _pieces(_texts("A", "Ax"), _one_of(".", ","), _texts("A", "xA", "xxA", "xxxA")),
            _texts("Ax.xxxxxx", "Axx.xxxxxx", "Axxx.xxxxxx", "+Ax.xxxxxx", "+A.xxx", "+Axx.xxxx"),
        ),
        LOOK_UP,
        looked_up=True,
    ),
    "scientific notation": Damage(
        "1,13E+09",
        _pieces(
            _texts("A", "A,x", "A.xx", "A.xxxxx", "A,xxxxxxxxx"),
            _one_of("E+", "e+", "E-"),
            _texts("A", "0A", "1x"),
        ),
        LOOK_UP,
        looked_up=True,
    ),
    "an amount": Damage("1.130.001.000", _amounts(), LOOK_UP + "|addresses", looked_up=True),
    "a date or a time": Damage(
        "31-01-2026",
        st.one_of(
            _dates(), _one_of("12:30", "12:30:00", "jan-26", "26/jan", "1-fev-2026", "out/26", "Jan 2026")
        ),
        "date",
    ),
    "a range in one cell": Damage(
        "1130002000-1130002009", st.one_of(_ranges(), _ranges_of_subscribers()), "last_number"
    ),
    "several numbers in one cell": Damage(
        "1130002000 1130002001",
        st.one_of(
            _pieces(FULL, _one_of(" ", ";", ",", ", ", "/", "\n", " e ", " | ", "  "), FULL),
            _pieces(LONG_WRITINGS, _one_of(" ", ";", ", ", "/", " / ", "\n", " ou "), LONG_WRITINGS),
            _pieces(_texts("Axx-xxxx "), _texts("Axx-xxxx")),
            _pieces(_texts("Axx xxxx "), _texts("Axx xxxx")),
            _one_of("1166 1167 1168", "300 301 302"),
        ),
        "several|alone",
    ),
    "two cells in one": Damage("42 1130001000", _cells_in_one(), "several"),
    "a check digit, or the short end of a range": Damage(
        "1234500-99",
        st.one_of(
            _pieces(FULL, _one_of("-", " ", "/"), _texts("x", "xx")),
            _pieces(GROUPED, _one_of("-", " ", "/"), _texts("x", "xx")),
        ),
        ALONE,
    ),
    "an extension or a note": Damage(
        "1130002500 (30)",
        st.one_of(
            _pieces(
                LONG_WRITINGS,
                _one_of(" (30)", " ramal 30", " r. 30", "x30", " (Sales)", "#30", " ext 30", ";ext=30", " (old)"),
            ),
            _pieces(_texts("Axxx-xxxx ", "Ax Axxx-xxxx ", "(Ax) Axxx-xxxx "), _texts("xx", "xxx", "xxxx")),
        ),
        ALONE,
    ),
    "an IP address": Damage(
        "192.168.0.1",
        _pieces(OCTET, _one_of("."), OCTET, _one_of("."), OCTET, _one_of("."), OCTET, _one_of("", "", ":5060", "/24")),
        "address|[Ll]ook it up",
    ),
    "a postal code": Damage("01310-100", _texts("xxxxx-xxx", "xx.xxx-xxx"), "CEP|date"),
    "a character that is not what it looks like": Damage("11\u20113000\u20111000", _strange(), r"U\+[0-9A-F]{4} "),
    "a mark of text": Damage(
        "'1130001000",
        st.one_of(LONG_WRITINGS.map(lambda text: f"'{text}"), FULL.map(lambda text: f'="{text}"')),
        "mark|alone",
    ),
    "a formula": Damage(
        "=A1+1", _pieces(_one_of("=", "=SUM(", "=A"), FULL, _one_of(")", "+1", "&B2")), "formula"
    ),
    "an error value": Damage(
        "#N/A",
        _pieces(
            _one_of("#N/A", "#N/D", "#REF!", "#VALUE!", "#VALOR!", "#NAME?", "#NOME?", "#NUM!", "#DIV/0!", "#NULL!", "########"),
            _one_of(""),
        ),
        "error value",
    ),
    "a word for no value": Damage(
        "nan", _one_of("nan", "NaN", "None", "null", "NULL", "inf", "-inf", "-", "--", "n/a", "N/D", "TRUE", "?"), "value"
    ),
    "a carrier's placeholder": Damage(
        "(0xx11) 3000-1000",
        _pieces(_one_of("(0xx", "(0XX", "(0**"), _texts("Ax"), _one_of(") "), _texts("xxxx-xxxx")),
        ALONE,
    ),
    "a zero that is not always dialled": Damage(
        "+44 (0)20 7946 0018",
        _texts("+Ax (0)Ax xxxx xxxx", "(0)Ax xxxx-xxxx", "+55 (0Ax) xxxx-xxxx", "55 (0Ax) xxxx-xxxx"),
        ALONE,
    ),
    "a URI": Damage(
        "tel:+551130001000", _pieces(_one_of("tel:+", "sip:", "callto:"), FULL, _one_of("", "@example.com")), ALONE
    ),
    "too many digits": Damage(
        "0055 0015 0011 3000 1000",
        _texts("xxxx xxxx xxxx xxxx", "+xxx xxx xxxxx xxxxx", "xxxx-xxxx-xxxxx-xxx", "(Axxx) xxxx xxxx xxxx"),
        "several",
    ),
    "doubled or other separators": Damage(
        "11  3000-1000",
        st.one_of(
            _texts("Ax  xxxx-xxxx", "Ax xxxx--xxxx", "Ax.-xxxx-xxxx", "Ax xxxx- xxxx", "-Axxxxxxxxx", "Axxxxxxxxx-"),
            _texts("Ax/xxxxxxxx", "Ax_xxxx_xxxx", "Ax,xxxx,xxxx", "Ax+xxxxxxxx", "((Ax) xxxx-xxxx", "Ax) xxxx-xxxx", "() xxxx-xxxx"),
        ),
        ALONE + "|[Ll]ook it up",
    ),
    "nothing": Damage("", st.text(" \t\n\u00a0", max_size=5), "is empty"),
}  # fmt: skip

# Ways in which some people write a number, which are read as something else, or may be.
REFUSED_WAYS = {
    "pairs at the end": ("01 23 45 67 89", "123-45-67", "+33 1 23 45 67 89"),
    "a long group in front of another": ("113000-1000", "1130001-000"),
    "dots before each three digits": ("912.345.678",),
    "one dot, and six digits or fewer after it": ("21.300100", "+49.301234"),
    "two groups of five that ascend, after an area": ("91 91234 98765",),
    "two groups of one length that ascend": ("3000-3500",),
    "groups that read as a date": ("11 10 2000", "12-2030"),
    "a postal code's groups": ("12345-678",),
    "a zero in brackets after the country code": ("+44 (0)20 7946 0018", "+55 (011) 3000-1000"),
    "a country code other than 55 without +, before brackets": ("54 (11) 4000-1000",),
    "several separators, or others": ("(11) - 3000-1000", "11/3000-1000"),
    "letters": ("0800-FLOWERS", "(0xx11) 3000-1000"),
}
