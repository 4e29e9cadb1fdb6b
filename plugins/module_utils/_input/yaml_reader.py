# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a list of DIDs in YAML."""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections.abc import Callable
from types import ModuleType

from .._errors import InvalidParameter
from .._fields import Unsupported
from .files import ENCRYPTED, file_error, line_of
from .raw_entries import NOT_A_LIST, RawEntry, duplicate_key, read_decimal, read_integer


def read_yaml(path: str, text: str, names: t.AbstractSet[str]) -> list[RawEntry]:
    """Read a list in YAML. Its values are of the core types: text, whole numbers, booleans, null, lists and dictionaries."""
    try:
        import yaml
    except ImportError:
        raise file_error(
            path, "needs the Python library PyYAML where the module runs; or use JSON or CSV"
        ) from None
    return _YamlReader(path, text, names, yaml).entries()


_TAG = "tag:yaml.org,2002:"
_TRUE, _FALSE = ("yes", "true", "on"), ("no", "false", "off")
_INVALID_FOR_TAG = Unsupported("a value that does not fit its tag")
_NOTATION = Unsupported("a number in another notation than plain decimal digits")
_DATE = Unsupported("a date")
# Deeper than any field, and not too deep for Python's stack.
_DEPTH = 16
# Merge keys can build very large dictionaries from a short text.
_KEYS = 100


class _YamlReader:
    """Builds values from the events of PyYAML's parser.

    The library's own constructors fail in many ways, quote what they read, and do not report a duplicate key.
    """

    def __init__(self, path: str, text: str, names: t.AbstractSet[str], yaml: ModuleType) -> None:
        self._path = path
        self._text = text
        self._names = names
        self._yaml = yaml
        self._loader: t.Any = None
        self._resources = contextlib.ExitStack()
        self._line = 1
        self._anchors: dict[str, object] = {}
        # The lines of the anchors of scalars that no alias has used so far.
        self._unused: dict[str, int] = {}
        self._problems: list[str] = []

    def entries(self) -> list[RawEntry]:
        """Return the entries of the only document."""
        yaml = self._yaml
        with self._resources:
            event = self._next_event()
            while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
                event = self._next_event()
            if not isinstance(event, yaml.SequenceStartEvent):
                raise file_error(self._path, NOT_A_LIST)
            entries = list(self._entries())
            self._next_event()  # the end of the document
            if not isinstance(self._next_event(), yaml.StreamEndEvent):
                raise self._error("begins another document; a file holds one list")
        if self._unused:
            raise self._error(_UNUSED_ANCHOR, min(self._unused.values()))
        return entries

    def _entries(self) -> t.Iterator[RawEntry]:
        while not isinstance(event := self._next_event(), self._yaml.SequenceEndEvent):
            place = f", line {self._line}"
            value = self._read_value(event, 0)
            yield RawEntry(place, value, tuple(self._problems))
            self._problems.clear()

    def _next_event(self) -> t.Any:
        """Return the next event of the parser. What it raises becomes an error in words of the collection."""
        yaml = self._yaml
        try:
            if self._loader is None:
                self._loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self._text)
                self._resources.callback(self._loader.dispose)
            event = self._loader.get_event()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._syntax_error(self._line if mark is None else mark.line + 1) from None
        except yaml.reader.ReaderError:
            match = yaml.reader.Reader.NON_PRINTABLE.search(self._text)
            line = self._line if match is None else line_of(self._text, match.start())
            raise self._error(
                "holds a control character, which YAML does not allow", line
            ) from None
        # The parser has defects, for example with an escaped character that does not exist.
        except Exception:  # pylint: disable=broad-exception-caught
            raise self._syntax_error(self._line) from None
        self._line = event.start_mark.line + 1
        return event

    def _error(self, problem: str, line: int | None = None) -> InvalidParameter:
        return file_error(self._path, problem, line or self._line)

    def _syntax_error(self, line: int) -> InvalidParameter:
        lines = self._text.splitlines()[line - 1 : line]
        if lines and re.match(r" *\t", lines[0]):
            return self._error(
                "is not YAML from here on: the line is indented by a tab; use spaces", line
            )
        return self._error(
            "is not YAML from here on; is it indented as the lines above, and are quotation marks and brackets closed? Put text in quotes"
            " that begins with another character than a letter or a digit, or that holds ': ' or ' #'",
            line,
        )

    def _read_value(self, event: t.Any, depth: int) -> object:
        yaml = self._yaml
        line = self._line
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._error(
                    "a '*' begins an alias, and no '&' before it gave a complete value this name; put text that begins with '*' in quotes"
                )
            self._unused.pop(event.anchor, None)
            return self._anchors[event.anchor]
        if depth > _DEPTH:
            raise self._error("cannot be read: it is nested too deeply")
        # An alias inside the value of its own anchor would never end.
        self._anchors.pop(event.anchor, None)
        if event.anchor in self._unused:
            raise self._error(_UNUSED_ANCHOR, self._unused[event.anchor])
        value = self._read_content(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
            if isinstance(event, yaml.ScalarEvent):
                self._unused[event.anchor] = line
        return value

    def _read_content(self, event: t.Any, depth: int) -> object:
        yaml = self._yaml
        tag = event.tag
        if tag is not None and not tag.startswith(_TAG):
            if tag in ("!vault", "!vault-encrypted"):
                raise self._error(_ENCRYPTED_VALUE)
            raise self._error(_BAD_TAG)
        if isinstance(event, yaml.ScalarEvent):
            return self._read_scalar(event)
        if isinstance(event, yaml.SequenceStartEvent) and tag in (None, f"{_TAG}seq"):
            elements = []
            while not isinstance(event := self._next_event(), yaml.SequenceEndEvent):
                elements.append(self._read_value(event, depth + 1))
            return elements
        if isinstance(event, yaml.MappingStartEvent) and tag in (None, f"{_TAG}map"):
            return self._read_mapping(depth)
        raise self._error(_BAD_TAG)

    def _read_mapping(self, depth: int) -> dict[object, object]:
        yaml = self._yaml
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        lines: dict[object, int] = {}
        while not isinstance(event := self._next_event(), yaml.MappingEndEvent):
            line = self._line
            is_merge = isinstance(event, yaml.ScalarEvent) and (
                self._tag_of(event) == f"{_TAG}merge"
            )
            key = event.value if is_merge else self._read_value(event, depth + 1)
            # No other key is a field. An object of its own is equal to no other key.
            key = key if isinstance(key, str) else object()
            value = self._read_value(self._next_event(), depth + 1)
            if key in lines:
                self._problems.append(
                    duplicate_key(key, self._names, f"in line {lines[key]} and in line {line}")
                )
            lines.setdefault(key, line)
            if is_merge:
                self._merge(value, merged, line)
            else:
                own[key] = value
            if len(own) > _KEYS or len(merged) > _KEYS:
                raise self._error(f"has more than {_KEYS} keys in one dictionary", line)
        # A mapping's own key takes precedence over a merged one, in any order.
        return {**merged, **own}

    def _merge(self, value: object, merged: dict[object, object], line: int) -> None:
        for mapping in value if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                raise self._error(
                    "merges by '<<' what is no dictionary, nor a list of dictionaries", line
                )
            for key, inner in mapping.items():
                merged.setdefault(key, inner)

    def _tag_of(self, event: t.Any) -> str:
        """Return the tag of a scalar: the explicit one, or the one that YAML derives from its text."""
        if event.tag is not None:
            return str(event.tag)
        node = self._yaml.ScalarNode
        return str(self._loader.resolve(node, event.value, event.implicit))

    def _read_scalar(self, event: t.Any) -> object:
        read = _SCALARS.get(self._tag_of(event)[len(_TAG) :])
        value = _INVALID_FOR_TAG if read is None else read(str(event.value))
        if event.tag is not None and isinstance(value, Unsupported):
            raise self._error(_BAD_TAG)
        return value


def _null(text: str) -> object:
    return None if text.lower() in ("", "~", "null") else _INVALID_FOR_TAG


def _boolean(text: str) -> object:
    word = text.lower()
    return word in _TRUE if word in _TRUE + _FALSE else _INVALID_FOR_TAG


def _whole_number(text: str) -> object:
    """Return a decimal number. YAML also reads other notations, and makes 8 of C(010), and 750 of C(12:30)."""
    if re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text):
        return read_integer(text)
    return _NOTATION


_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "value": str,
    "merge": str,
    "null": _null,
    "bool": _boolean,
    "int": _whole_number,
    "float": read_decimal,
    "timestamp": lambda _text: _DATE,
}
_BAD_TAG = "has a tag that is not of plain YAML, or does not fit its value ('!' begins a tag); put text that begins with '!' in quotes"
_UNUSED_ANCHOR = "has an anchor that no alias uses ('&' begins an anchor); put text that begins with '&' in quotes"
# What reads variables can decrypt such a value. The filter from_yaml cannot.
_ENCRYPTED_VALUE = (
    f"holds a value that {ENCRYPTED}Leave src out, and make the list a variable in a file for vars_files or"
    " ansible.builtin.include_vars, to be given by dids; or encrypt the file as a whole"
)
