# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Lists of DIDs, from an option or a file: read and validated as a whole, every problem with its place."""

from __future__ import annotations

import functools
import itertools
import os
import re
import typing as t
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from .. import _fields
from .chunks import CHUNK, Chunk, Entry, chunks_of
from .folding import NAMED_PAIRS, Problem, fold_problems, quotation
from .mapping import UNMANAGED, VALUE, FieldMapping, read_mapping, unknown_keys
from .names import EXPORT_NAMES, list_of_fields
from .ranges import LAST_NUMBER, expand_range
from .tables import failed_cells

if t.TYPE_CHECKING:  # pragma: no cover
    from .raw_entries import RawEntry

FIELD_NAMES = {*_fields.BY_NAME, "record_id"}
# The create that a statement about the registry is about.
ATTEMPT = "attempt"
# Only a task that settles open DIDs reads it.
OUTCOME = "outcome"
_STATEMENT_NAMES = frozenset({*FIELD_NAMES, *EXPORT_NAMES})
_DEFAULT_NAMES = frozenset({*FIELD_NAMES, LAST_NUMBER})
_RANGE_NAMES = _DEFAULT_NAMES | EXPORT_NAMES
EMPTY_TEXTS = (VALUE, UNMANAGED)
# Reads a list anew each time, in chunks of a size.
ChunkReader = Callable[[int], Iterator[Chunk]]
_NO_FIELD = "is no field of a DID"
# The fields of which a message may show a wrong value that is a word: a password mostly looks different.
_WORD_TYPES = (_fields.COUNT, _fields.INTEGER, _fields.PORT, _fields.FLAG, _fields.DID_TYPE)
_NOTHING: Mapping[str, object] = {}


class Item(t.NamedTuple):
    """One DID of a valid declaration. C(values): wire forms, secrets in the clear."""

    entry: Entry
    values: Mapping[str, t.Any]
    record_id: int | None
    attempt: str | None = None

    @property
    def place(self) -> str:
        """Return the place of its entry."""
        return self.entry.place

    @property
    def number(self) -> str | None:
        """Return the identity of the DID, or None for one that is named by its record id alone."""
        number = self.values.get("did_number")
        return None if number is None else _fields.identity(number)

    def __repr__(self) -> str:
        return f"Item({self.entry.place})"


def read_items(
    dids: Sequence[object] | None, src: str | None, **options: t.Any
) -> tuple[list[Item], list[str]]:
    """Return the valid items of the list that a task gives, and its problems. Takes what C(open_list) takes."""
    did_list, problems = open_list(dids, src, **options)
    return ([], problems) if did_list is None else did_list.items()


def witness_items(declared: Sequence[object], file_name: str) -> tuple[list[Item], list[str]]:
    """Return the valid items of what a file of the witness declares, and a line for each problem."""
    mapping = FieldMapping(_STATEMENT_NAMES)
    read = _chunk_reader(lambda: _option_entries(declared, file_name, mapping))
    return DidList(read, "src").items()


def open_list(
    dids: Sequence[object] | None,
    src: str | None,
    *,
    columns: Mapping[str, object] | None = None,
    values: Mapping[str, object] | None = None,
    sheet: str | None = None,
    empty_text: str = VALUE,
    defaults: Mapping[str, t.Any] | None = None,
    ranges: bool = False,
    attempts: bool = False,
) -> tuple[DidList | None, list[str]]:
    """Return the list that a task gives, by the option C(dids) or the option C(src); or None and the problems of these options."""
    names = _RANGE_NAMES if ranges else _STATEMENT_NAMES
    mapping, problems = read_mapping(names, columns, values, is_text=empty_text == UNMANAGED)
    if sheet is not None and not (src or "").lower().endswith(".xlsx"):
        problems.append("sheet: goes with src, an .xlsx file")
    if problems:
        return None, problems
    if dids is None:
        name, read = "src", _file_reader(str(src), mapping, sheet)
    else:
        name, read = "dids", _chunk_reader(lambda: _option_entries(dids, "dids", mapping))
    did_list = DidList(
        read,
        name,
        defaults=defaults,
        ranges=ranges,
        attempts=attempts,
        translated=mapping.values.keys(),
    )
    return did_list, []


def _option_entries(
    declared: Sequence[object], name: str, mapping: FieldMapping
) -> Iterator[Entry]:
    entries = (
        Entry(index, f"{name}[{index}]", None, entry) for index, entry in enumerate(declared)
    )
    return _map_entries(entries, name, mapping)


def _chunk_reader(read: Callable[[], Iterable[Entry]]) -> ChunkReader:
    return lambda size: chunks_of(read(), size)


def _file_reader(path: str, mapping: FieldMapping, sheet: str | None) -> ChunkReader:
    """Return what reads the entries of a file. It is opened once. Only the reader of its format is imported."""
    from . import files

    if not os.path.isabs(path):
        raise files.file_error(
            path, 'is a relative path; give an absolute one, such as "{{ playbook_dir }}/dids.csv"'
        )
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".csv":
        from .csv_reader import read_csv

        # The text of a table takes a fraction of what its entries take.
        return functools.partial(read_csv, path, files.read_text(path), mapping)
    raw_entries: Sequence[RawEntry]
    if suffix == ".xlsx":
        from .xlsx_reader import read_xlsx

        raw_entries = read_xlsx(path, files.read_workbook(path), mapping, sheet)
    elif suffix == ".json":
        from .json_reader import read_json

        raw_entries = read_json(path, files.read_text(path), mapping.names)
    elif suffix in (".yml", ".yaml"):
        from .yaml_reader import read_yaml

        raw_entries = read_yaml(path, files.read_text(path), mapping.names)
    else:
        raise files.refuse_other_format(path)

    def entries() -> Iterator[Entry]:
        name = os.path.basename(path)
        for index, (where, declared, problems, columns) in enumerate(raw_entries):
            place = f"{name}{where}"
            yield Entry(index, place, place, declared, problems, columns)

    # The header of a table was mapped already.
    return _chunk_reader(
        entries if suffix == ".xlsx" else lambda: _map_entries(entries(), "src", mapping)
    )


def _map_entries(entries: Iterable[Entry], name: str, mapping: FieldMapping) -> Iterator[Entry]:
    """Yield entries under the names of the fields. C(name): the option that the list comes from."""
    found: set[str] = set()
    is_empty = True
    for entry in entries:
        is_empty = False
        if isinstance(entry.declared, dict):
            fields, problems = mapping.map_entry(entry.declared, found)
            if mapping.is_text:
                problems += failed_cells(fields, mapping)
            if fields is not entry.declared:
                entry = entry._replace(declared=fields, problems=(*entry.problems, *problems))
        yield entry
    missing = [] if is_empty else mapping.missing_headers(found)
    if missing:
        from .._errors import InvalidParameter

        raise InvalidParameter(f"{name}: {'; '.join(missing)}")


class DidList:
    """A list of declarations. Each iteration reads it anew, so that who needs one entry after the other keeps none of them.

    C(defaults): wire forms for the fields that an entry does not name. C(chunks): reads it in chunks of a size.

    :param read: reads it, in chunks of a size.
    :param name: the option that it comes from.
    :param defaults: declared values.
    :param ranges: an entry may name a range of numbers, and stands for all of them.
    :param attempts: an entry may name the attempt that it is about. Otherwise, an attempt is ignored.
    :param translated: the fields whose values the option C(values) translates.
    """

    def __init__(
        self,
        read: ChunkReader,
        name: str,
        *,
        defaults: Mapping[str, t.Any] | None = None,
        ranges: bool = False,
        attempts: bool = False,
        translated: Collection[str] = (),
    ) -> None:
        self.chunks = read
        self._name = name
        self._ranges = ranges
        self._attempts = attempts
        self._translated = translated
        self.defaults, self._problems = _validate_defaults(defaults or {})

    def __iter__(self) -> Iterator[Entry]:
        return itertools.chain.from_iterable(self.chunks(CHUNK))

    def declared(self) -> Iterator[object]:
        """Yield all that the list declares: the defaults, then what each entry does. Secrets are in the clear."""
        yield self.defaults
        for entry in self:
            yield entry.declared

    def validate(self, entry: Entry) -> tuple[list[Item], list[Problem]]:
        """Return the items that an entry stands for, or its problems."""
        items, problems = _validate_entry(entry, self.defaults, self._ranges, self._attempts)
        return items, [_located(entry, problem) for problem in problems]

    def items(self) -> tuple[list[Item], list[str]]:
        """Return the valid items, and a line for each problem; no line holds a secret. Of what their entries declare, the outcome is kept."""
        return self._read(without_declared)

    def problems(self) -> list[str]:
        """Return a line for each problem. Keeps what tells which entries are of one DID."""
        _items, problems = self._read(_identity_of)
        return problems

    def _read(self, keep: Callable[[Item], Item]) -> tuple[list[Item], list[str]]:
        """Return what is to be kept of each valid item, and a line for each problem."""
        items: list[Item] = []
        found: list[Problem] = []
        is_empty = True
        for entry in self:
            is_empty = False
            valid, invalid = self.validate(entry)
            found += invalid
            items += map(keep, valid)
        return items, self.describe(found, items, is_empty=is_empty)

    def describe(
        self, found: Sequence[Problem], items: Sequence[Item], *, is_empty: bool
    ) -> list[str]:
        """Return a line for each problem of the list: those that were found in its entries, and entries that are of one DID."""
        problems = [*self._problems]
        if is_empty:
            problems.append(f"{self._name}: is empty: give at least one DID")
        problems += fold_problems(found) + _duplicates(items)
        invalid = {problem.text.partition(": ")[0] for problem in found}
        problems += [
            f"values: {name}: a word that it does not list is read as it stands: add what the word means"
            for name in self._translated
            if name in invalid
        ]
        if any(_NO_FIELD in problem for problem in problems):
            problems.append(list_of_fields(_RANGE_NAMES if self._ranges else _STATEMENT_NAMES))
        return problems

    def secrets(self) -> Iterator[str]:
        """Yield the secrets that the entries declare, and the default ones."""
        yield from (str(self.defaults[name]) for name in _fields.SECRETS if name in self.defaults)
        for entry in self:
            if isinstance(entry.declared, dict):
                declared = map(entry.declared.get, _fields.SECRETS)
                yield from (value for value in declared if isinstance(value, str))


def _located(entry: Entry, problem: str) -> Problem:
    """Return a problem of an entry with its place, and apart from the value that it quotes."""
    name, colon, words = problem.partition(": ")
    column = entry.columns.get(name) if colon else None
    place = entry.place
    if column is not None:
        # The number of the row is at the end of the entry's place.
        file, row = re.split(r", .*?(?=[0-9]+\Z)", place)
        place = f"{file}, {column}{row}"
    value = entry.declared.get(name) if isinstance(entry.declared, dict) else None
    if not isinstance(value, str):
        return Problem(entry.position, place, problem, problem)
    shown = quotation(value, words)
    if shown is not None:
        plain = (
            words.replace(f"{shown} ", "", 1)
            if words.startswith(shown)
            else words.replace(f", not {shown}", "", 1)
        )
        return Problem(entry.position, place, f"{name}: {plain}", problem, shown)
    field = _fields.BY_NAME.get(name)
    is_word = field is not None and field.type in _WORD_TYPES and _fields.is_word(value)
    return Problem(entry.position, place, problem, problem, repr(value) if is_word else None)


def _validate_defaults(defaults: Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    own_fields = ("did_number", "record_id", LAST_NUMBER)
    problems = [
        f"{name} is each DID's own" for name in own_fields if defaults.get(name) is not None
    ]
    unknown = [(place, key) for place, key in enumerate(defaults, 1) if key not in _DEFAULT_NAMES]
    problems += unknown_keys(unknown, _DEFAULT_NAMES)
    wires, invalid = _fields.wire_forms({**defaults, "did_number": None}, {})
    return wires, [f"defaults: {problem}" for problem in problems + invalid]


def _validate_entry(
    entry: Entry, defaults: Mapping[str, t.Any], ranges: bool, attempts: bool
) -> tuple[list[Item], list[str]]:
    declared = entry.declared
    if not isinstance(declared, dict):
        return [], [*entry.problems, "must be a dictionary of fields"]
    problems = [*entry.problems]
    is_named = declared.get("did_number") is not None or declared.get("record_id") is not None
    # A cell that is refused names it.
    if not is_named and not any(
        each.startswith(("did_number:", "record_id:")) for each in problems
    ):
        problems.append("needs did_number, or record_id, or both")
    last = declared.get(LAST_NUMBER) if ranges else None
    # What a record that exists needs is known once it was looked up.
    exists = declared.get("record_id") is not None
    values, invalid = _fields.normalise(
        declared, defaults, is_range=last is not None, exists=exists
    )
    problems += invalid
    record_id = None
    if declared.get("record_id") is not None:
        try:
            record_id = _fields.normalise_record_id(declared["record_id"])
        except ValueError as error:
            problems.append(f"record_id: {error}")
    attempt = declared.get(ATTEMPT) if attempts else None
    if attempt is not None and not is_attempt(attempt):
        problems.append(
            f"{ATTEMPT}: must be the 32 hexadecimal digits that did_info and the error message show, in quotes"
        )
    if last is None:
        return ([] if problems else [Item(entry, values, record_id, attempt)]), problems
    return _expand(entry, values, last, problems)


def stated_outcome(item: Item) -> str:
    """Return the outcome that an item states, in small letters and without the space around it; "" if it states none."""
    outcome = t.cast("Mapping[str, object]", item.entry.declared).get(OUTCOME)
    return "" if outcome is None else str(outcome).strip().lower()


def is_attempt(value: object) -> bool:
    """Tell whether a value has the shape of an attempt."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None


def _expand(
    entry: Entry, values: dict[str, t.Any], last: object, problems: list[str]
) -> tuple[list[Item], list[str]]:
    """Return an item for each number of the range that an entry names, or the problems of the entry."""
    first = values.get("did_number")
    if isinstance(entry.declared, dict) and entry.declared.get("record_id") is not None:
        problems.append("last_number: names a range, which has no single record_id")
    elif first is None:
        problems.append("last_number: needs a valid did_number beside it, the first of the range")
    numbers: list[str] = []
    if first is not None:
        try:
            _fields.check_no_mark(last)
            numbers = expand_range(first, last)
        except ValueError as error:
            problems.append(f"last_number: {error}")
    if problems:
        return [], problems
    return [Item(entry, _with_number(values, number), None) for number in numbers], []


def _with_number(values: Mapping[str, t.Any], number: str) -> dict[str, t.Any]:
    numbered = {**values, "did_number": number}
    if _fields.PLACEHOLDER in numbered.get("description", ""):
        numbered["description"] = numbered["description"].replace(_fields.PLACEHOLDER, number)
    return numbered


def _duplicates(items: Sequence[Item]) -> list[str]:
    """Return a line for every two places that declare the same DID, however many numbers they share."""
    first: dict[tuple[str, object], str] = {}
    shared: dict[tuple[str, str, str], list[object]] = {}
    for item in items:
        for name, value in (
            ("did_number", item.number),
            ("record_id", item.record_id),
            (ATTEMPT, item.attempt),
        ):
            if value is None:
                continue
            place = first.setdefault((name, value), item.place)
            if place != item.place:
                shared.setdefault((place, item.place, name), []).append(value)
    pairs = [
        f"{place} and {other}: have the same {name} {values[0]}"
        + (f" and {len(values) - 1} more" if len(values) > 1 else "")
        for (place, other, name), values in shared.items()
    ]
    rest = len(pairs) - NAMED_PAIRS
    return (
        [*pairs[:NAMED_PAIRS], f"and {rest} more pairs of entries are of one DID"]
        if rest > 0
        else pairs
    )


def without_declared(item: Item) -> Item:
    """Return an item whose entry declares nothing but an outcome: its values say the rest, and a long list would take half as much again."""
    declared = t.cast("dict[str, object]", item.entry.declared)
    outcome = {OUTCOME: declared[OUTCOME]} if OUTCOME in declared else _NOTHING
    return item._replace(entry=item.entry._replace(declared=outcome))


def _identity_of(item: Item) -> Item:
    """Return an item without what it declares beside its number, its record id and its attempt."""
    number = item.values.get("did_number")
    return item._replace(
        entry=Entry(item.entry.position, item.entry.place, None, None),
        values={} if number is None else {"did_number": number},
    )
