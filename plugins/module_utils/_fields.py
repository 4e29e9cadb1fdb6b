# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The table of fields: the parameters of the vendor's page "Criando-Alterando um DID", and everything that depends on them.

The argument specification, validation, comparison, display and wire form of a field come from C(FIELDS). A value has three forms:
the declared one (what a task or a file says), the wire form (what the JSON body holds, and the registry unless it is secret), and
the displayed one (what a person reads in a diff). A new field takes one row in the table, and its documentation.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata
from collections.abc import Callable, Hashable, Mapping

from ._hosts import CONJUNCTIONS, address, host_key, hosts_key, is_host_name
from ._secrets import MARK_REFUSED, MASK, Fingerprints, is_mark

Wire = t.Union[str, int, list[str]]

PLACEHOLDER = "{number}"
# What JSON readers and databases agree on; ids of the platform are far below.
_INTEGER_LIMIT = 2**63 - 1


class DidType(t.NamedTuple):
    """A value of C(did_type), and the field that the vendor's page asks for beside it."""

    code: int
    name: str
    needs: str | None


DID_TYPES = (
    DidType(0, "ip", "device_id"),
    DidType(1, "line", "device_id"),
    DidType(4, "extension_menu", "device_id"),
    DidType(5, "queue", "did_type_id"),
    DidType(6, "ivr", "did_type_id"),
    DidType(8, "reverse_callback", None),
    DidType(9, "reverse_ivr", "device_id"),
    DidType(10, "audio_test", None),
)
_TYPES_BY_WORD = {word: entry for entry in DID_TYPES for word in (entry.name, str(entry.code))}
_TYPES_BY_CODE = {entry.code: entry for entry in DID_TYPES}


class Unsupported:
    """A value of a file that no field takes. Only the name of its type is kept, in words that follow "not"."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


FRACTION = Unsupported("a number with a decimal point")
_QUOTE_IT = (
    ": put it in quotes, as YAML reads unquoted text such as 0010, 1.10, 12:30 or yes as something else. Where a template gives the number"
    " that is meant, write '| string' behind it"
)


def _normalise_text(value: object) -> str:
    """Return a text. Another type is refused, as what YAML makes of unquoted text is not what was written."""
    if not isinstance(value, str):
        advice = _QUOTE_IT if isinstance(value, (int, float, Unsupported)) else ""
        raise ValueError(f"must be text, not {type_name(value)}{advice}")
    if (not value.isascii() or "\0" in value) and _MAY_BE_GARBLED.search(value):
        from ._characters import check_characters

        check_characters(value)
    return value


_MAY_BE_GARBLED = re.compile(r"[^\x00-\x7f]{2}|[\0\x80-\x9f\ufffd\ud800-\udfff]")  # or lost
QUOTED_CHARACTERS = 60


def _quote(text: str) -> str:
    """Return a value that is not secret in quotes, cut to a length that a person reads."""
    return repr(text) if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS]!r}…"


def _normalise_digits(value: object) -> str:
    """Return a string that often looks like a number, without the space around it. What a spreadsheet made of another value is refused."""
    if not isinstance(value, str):
        raise ValueError(_explain_unquoted(value))
    text = _normalise_text(value).strip()
    if not text and value:
        raise ValueError("is nothing but space: leave it out, or give an empty text to clear it")
    # What a spreadsheet makes of a value begins with a digit, a sign or "Err:". A list of user names does not load the check of it.
    plain = text.isascii() and text.isprintable() and not text.startswith("Err:")
    if not text or (plain and (text.isalnum() or text[0].isalpha())):
        return text
    _check_rendered(text)
    from ._spreadsheets import explain_cell

    problem = explain_cell(text)
    if problem is not None:
        raise ValueError(problem)
    return text


def _normalise_password(value: object) -> str:
    """Return a secret that may look like a number. Nothing of it is dropped, and no message quotes it."""
    if not isinstance(value, str):
        raise ValueError(_explain_unquoted(value))
    text = _normalise_text(value)
    _check_rendered(text)
    if not (ends := text[:1] + text[-1:]).isprintable() or " " in ends:
        raise ValueError(
            "begins or ends with space, a line break or another character that is not seen, which is more likely an accident than part"
            " of it. Give it without"
        )
    return text


def _check_rendered(text: str) -> None:
    if re.search(r"\{\{.+?\}\}", text, re.DOTALL):
        raise ValueError(
            "holds a template in {{ }} that nothing has rendered, as Ansible renders neither files nor what a lookup reads from one: give"
            " the value itself, or the list by dids in the playbook or in a file of variables"
        )


def _explain_unquoted(value: object) -> str:
    """Return why a value must be a string: another type has already lost what was written."""
    problem = f"must be a quoted string, not {type_name(value)}"
    if isinstance(value, bool):
        return f"{problem}: put it in quotes, as YAML reads unquoted words such as yes and no as truth values"
    if isinstance(value, float) or value is FRACTION:
        return (
            f"{problem}: it was read as a decimal number, and digits may be lost. Put it in quotes where it is written. If it comes from a"
            " table, have its column read as text (in pandas: dtype=str). The filter 'string' comes too late"
        )
    if value is None or isinstance(value, (dict, list, tuple)):
        return problem
    return (
        f"{problem}: put it in quotes where it is written, as YAML reads an unquoted number with a leading zero as another number"
        " (octal). Only where a template computes a whole number, add the filter 'string' there"
    )


def normalise_did_number(value: object) -> str:
    """Return the digits of a telephone number, and the C(+) before them. Digits without separators are taken as they are."""
    if not isinstance(value, str):
        raise ValueError(_explain_unquoted(value))
    text = value.strip()
    if _is_number(text[1:] if text.startswith("+") else text):
        return text
    # The usual list holds digits alone. It does not load what tells a number from another text.
    from . import _numbers

    if _numbers.objection(text) is None:
        return _numbers.join(text)
    from ._spreadsheets import explain

    raise ValueError(explain(text))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _normalise_integer(value: object) -> int:
    if isinstance(value, str) and len(value) <= 30:
        # Some programs write 13.0. Three zeros may be thousands: 13.000.
        text = re.sub(r"[.,]0{1,2}\Z", "", value.strip())
        if _is_number(text[1:] if text.startswith(("+", "-")) else text):
            value = int(text)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {type_name(value)}")
    if abs(value) > _INTEGER_LIMIT:
        raise ValueError("is too large")
    return value


def _normalise_count(value: object) -> int:
    number = _normalise_integer(value)
    if number < 0:
        raise ValueError(f"must be 0 or more, not {number}")
    return number


def _normalise_port(value: object) -> int:
    number = _normalise_integer(value)
    if not 0 <= number <= 65535:
        raise ValueError(f"must be a port from 0 to 65535, not {number}")
    return number


# The words of Ansible's own booleans, and those that a spreadsheet in Portuguese writes into a CSV. A number equals its key: 1.0 is 1.
_FLAGS: dict[object, int] = {
    **dict.fromkeys(("y", "yes", "on", "1", "true", "t", "verdadeiro", "s", "sim", "x", 1), 1),
    **dict.fromkeys(("n", "no", "off", "0", "false", "f", "falso", "não", "nao", 0), 0),
}


def _normalise_flag(value: object) -> int:
    word = unicodedata.normalize("NFC", value.strip().lower()) if isinstance(value, str) else value
    flag = _FLAGS.get(word) if isinstance(word, (str, int, float)) else None
    if flag is None:
        raise ValueError(f"must be true or false, not {type_name(value)}")
    return flag


def _normalise_did_type(value: object) -> int:
    word = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    entry = None if word is None else _TYPES_BY_WORD.get(word.strip().lower())
    if entry is None:
        known = ", ".join(f"{entry.name} ({entry.code})" for entry in DID_TYPES)
        quoted = _quote(word) if word is not None and is_word(word) else type_name(value)
        raise ValueError(f"must be one of {known}, not {quoted}")
    return entry.code


def is_word(text: str) -> bool:
    """Tell whether a text is a short number or a word. A message may quote it, as a password looks different."""
    return len(text) <= 2 or text.replace("_", "").replace(" ", "").isalpha()


def _normalise_host(value: object) -> str:
    text = _normalise_text(value)
    if text == "" or address(text) is not None or is_host_name(text):
        return text
    if text != text.strip():
        raise ValueError("begins or ends with space: write the address or the name alone")
    # A text with other characters may be a password, for example of a table whose cells stand in the wrong columns.
    quoted = f"{_quote(text)} " if re.fullmatch(r"[\w.:/,\s-]+", text) else ""
    raise ValueError(
        f"{quoted}is neither an IP address nor a host name (a port has a field of its own)"
    )


def _normalise_hosts(value: object) -> list[str]:
    # As Ansible reads the text of an option that is a list.
    elements = value.split(",") if isinstance(value, str) else value
    if not isinstance(elements, (list, tuple)):
        raise ValueError(f"must be a list of hosts, not {type_name(value)}")
    hosts = [_normalise_host(each.strip() if isinstance(each, str) else each) for each in elements]
    if "" in hosts:
        raise ValueError("holds an empty host")
    for word in CONJUNCTIONS.intersection(hosts) if len(hosts) > 1 else ():
        raise ValueError(f"holds the word {word!r} between hosts: list the hosts alone")
    return hosts


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    *((bool, "a boolean"), (int, "a number"), (float, "a number with a decimal point")),
    *((str, "text"), (dict, "a dictionary"), (list, "a list")),
)


def type_name(value: object) -> str:
    """Return the type of a value in YAML's terms. A message names the type alone, as the value may be a secret."""
    if isinstance(value, Unsupported):
        return value.type_name
    return next(
        (name for kind, name in _TYPE_NAMES if isinstance(value, kind)),
        "null" if value is None else "this type",
    )


def identity(did_number: str) -> str:
    """Return the identity of a DID: the digits of its number. C("+551130001000") gives C("551130001000")."""
    return did_number.lstrip("+")


def _as_is(wire: t.Any) -> t.Any:
    return wire


def _show_did_type(wire: t.Any) -> str:
    return f"{_TYPES_BY_CODE[wire].name} ({wire})" if wire in _TYPES_BY_CODE else str(wire)


class FieldType(t.NamedTuple):
    """How the values of a field are declared, checked, compared and shown.

    C(normalise) turns a declared value into its wire form, or raises C(ValueError) with the words that follow "port: ".
    C(comparison_key) turns a wire form into what is compared, C(show) into what a person reads.
    """

    option: Mapping[str, t.Any]
    normalise: Callable[[object], Wire]
    comparison_key: Callable[[t.Any], Hashable] = _as_is
    show: Callable[[t.Any], object] = _as_is


class Field(t.NamedTuple):
    """A parameter of the vendor's page. The value of a secret one is never shown and never kept.

    C(affects_routing): the field decides where calls go, for whom, or whether they go at all.
    """

    name: str
    type: FieldType
    secret: bool = False
    affects_routing: bool = False

    @property
    def option(self) -> dict[str, t.Any]:
        """Return the field's entry in an argument specification."""
        return dict(self.type.option, no_log=True) if self.secret else dict(self.type.option)


TEXT = FieldType({"type": "raw"}, _normalise_text)
DIGITS = FieldType({"type": "raw"}, _normalise_digits)
PASSWORD = FieldType({"type": "raw"}, _normalise_password)
DID_NUMBER = FieldType({"type": "raw"}, normalise_did_number, comparison_key=identity)
INTEGER = FieldType({"type": "int"}, _normalise_integer)
COUNT = FieldType({"type": "int"}, _normalise_count)
PORT = FieldType({"type": "int"}, _normalise_port)
# That flags go as 0 and 1 is inferred from the vendor's pages on sibling endpoints.
FLAG = FieldType({"type": "bool"}, _normalise_flag, show=bool)
DID_TYPE = FieldType({"type": "str"}, _normalise_did_type, show=_show_did_type)
HOST = FieldType({"type": "raw"}, _normalise_host, comparison_key=host_key)
HOSTS = FieldType({"type": "list", "elements": "raw"}, _normalise_hosts, comparison_key=hosts_key)

FIELDS = (
    Field("customer_id", COUNT, affects_routing=True),
    Field("description", TEXT),
    Field("rate_id", COUNT),
    Field("rate_cost_id", COUNT),
    Field("did_number", DID_NUMBER),
    Field("did_type", DID_TYPE, affects_routing=True),
    Field("did_type_id", COUNT, affects_routing=True),
    Field("device_id", COUNT, affects_routing=True),
    Field("host", HOST, affects_routing=True),
    Field("port", PORT, affects_routing=True),
    Field("username", DIGITS),
    Field("password", PASSWORD, secret=True),
    Field("techprefix1", DIGITS),
    Field("ip_address1", HOST, affects_routing=True),
    Field("port1", PORT, affects_routing=True),
    Field("techprefix2", DIGITS),
    Field("ip_address2", HOST, affects_routing=True),
    Field("port2", PORT, affects_routing=True),
    Field("callerid_add", DIGITS),
    Field("max_calls", COUNT),
    Field("play_audio", FLAG),
    Field("hide_from_reseller", FLAG),
    Field("enable_fixed", FLAG),
    Field("enable_mobile", FLAG),
    Field("enable_ddi", FLAG),
    Field("register", FLAG),
    Field("status", INTEGER, affects_routing=True),
    Field("annotations", TEXT),
    Field("host_additional", HOSTS, affects_routing=True),
)
BY_NAME = {field.name: field for field in FIELDS}
SECRETS = tuple(field.name for field in FIELDS if field.secret)


def mask_secrets(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return wire forms with a mark in place of each secret, in the order of the vendor's page."""
    return {
        name: MASK if field.secret else values[name]
        for name, field in BY_NAME.items()
        if name in values
    }


def with_fingerprints(values: Mapping[str, t.Any], fingerprints: Fingerprints) -> dict[str, t.Any]:
    """Return wire forms in the form that the registry keeps: a fingerprint in place of each secret."""
    return {
        name: fingerprints.of(name, value) if BY_NAME[name].secret else value
        for name, value in values.items()
    }


def is_same(name: str, stored: t.Any, wire: t.Any) -> bool:
    """Tell whether two values of a field mean the same, both in the form that the registry keeps."""
    if stored == wire or BY_NAME[name].secret:
        return bool(stored == wire)
    key = BY_NAME[name].type.comparison_key
    return key(stored) == key(wire)


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """Return the options of a task that declares one DID's fields."""
    return {field.name: field.option for field in FIELDS}


def normalise(
    declared: Mapping[str, object],
    defaults: Mapping[str, Wire] | None = None,
    *,
    is_range: bool = False,
    exists: bool = False,
) -> tuple[dict[str, Wire], list[str]]:
    """Turn declared values into wire forms, in the order of the vendor's page.

    Null and absent are "not managed": the default's wire form holds. Returns wire forms, and a line without secrets for each problem.

    :param is_range: the values are those of a range of numbers, whose description may hold a placeholder for the number.
    :param exists: the DID exists, and may have what its type needs already; see C(missing_companion).
    """
    wires, problems = wire_forms(declared, defaults or {})
    if not exists:
        problems.extend(filter(None, [missing_companion(wires, declared)]))
    problems.extend(_misused_placeholder(str(wires.get("description", "")), is_range))
    return wires, problems


def wire_forms(
    declared: Mapping[str, object], defaults: Mapping[str, Wire]
) -> tuple[dict[str, Wire], list[str]]:
    """Return wire forms and problems as C(normalise) does, without the checks that concern several fields."""
    wires: dict[str, Wire] = {}
    problems: list[str] = []
    for field in FIELDS:
        name = field.name
        value = declared.get(name)
        try:
            if value is not None:
                wires[name] = wire_form(field, value)
            elif name in defaults:
                wires[name] = defaults[name]
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return wires, problems


def wire_form(field: Field, value: object) -> Wire:
    """Return the wire form of a declared value, or raise C(ValueError) with the words that follow "port: "."""
    check_no_mark(value)
    wire = field.type.normalise(value)
    if field.name != "description" and isinstance(wire, str) and _placeholders(wire):
        raise ValueError(
            f"holds {PLACEHOLDER}, which only the description of a range may hold: write what is meant"
        )
    return wire


def check_no_mark(value: object) -> None:
    """Raise C(ValueError) for what results, reviews and the registry hold in place of a secret."""
    for text in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(text, str) and is_mark(text):
            raise ValueError(MARK_REFUSED)


def _placeholders(text: str) -> list[str]:
    """Return the placeholders for a number in a text, misspelled ones included."""
    return re.findall(r"\{+\s*number\s*\}+", text, re.IGNORECASE) if "{" in text else []


def _misused_placeholder(description: str, is_range: bool) -> list[str]:
    found = _placeholders(description)
    if found and not is_range:
        return [
            f"description: holds {PLACEHOLDER}, which is replaced in a range alone (an item of dids with last_number): write the number itself"
        ]
    if set(found) - {PLACEHOLDER}:
        return [
            f"description: a placeholder for the number is not spelled {PLACEHOLDER}, in small letters, without spaces and with one pair of braces"
        ]
    return []


def missing_companion(wires: Mapping[str, t.Any], others: Mapping[str, object]) -> str | None:
    """Return the problem of a type without the field that it needs, among the wire forms or the other values; or None."""
    code = wires.get("did_type")
    needs = None if code is None else _TYPES_BY_CODE[code].needs
    if needs is None or needs in wires or others.get(needs) is not None:
        return None
    return f"did_type: {_show_did_type(code)} needs {needs} beside it (the vendor's page says so)"


def normalise_record_id(value: object) -> int:
    """Return a record id, 1 or more, or raise C(ValueError)."""
    check_no_mark(value)
    number = _normalise_integer(value)
    if number < 1:
        raise ValueError(f"must be 1 or more, not {number}")
    return number
