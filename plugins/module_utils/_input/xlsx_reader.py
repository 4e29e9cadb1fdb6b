# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads a sheet of an C(.xlsx) workbook (ECMA-376). A cell reads as the sheet shows it, or is refused with sheet and cell.

openpyxl reads the texts, the number formats and the relationships of the workbook. The cells are read here, from the sheet's XML and once:
openpyxl gives the same for a formula without a stored value as for an empty cell, and in its fast mode knows no merged cells.
"""

from __future__ import annotations

import decimal
import functools
import io
import re
import typing as t
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.parsers import expat

from .._errors import InvalidParameter
from .._fields import BY_NAME, FLAG
from .files import SIZE_LIMIT, file_error
from .mapping import FieldMapping
from .names import fold, strip
from .number_formats import GENERAL, is_date, show_number, shows_text
from .raw_entries import RawEntry
from .tables import UNNAMED, failed_cells, fields_of_header, finish_row

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORKBOOK, _STYLES = "xl/workbook.xml", "xl/styles.xml"
_STRICT = "purl.oclc.org/ooxml"
_BROKEN = (
    "cannot be read as a workbook; open it in a spreadsheet program, and save it again as .xlsx"
)
_SAVE_AS_XLSX = "; open it in a spreadsheet program, and save it as .xlsx ('Excel Workbook')"
# The elements of a sheet that matter here, as the parser names them.
_TAGS = {f"{_MAIN} {name}": name for name in ("row", "c", "v", "f", "t", "rPh", "mergeCell")}
_LAST_COLUMN = 16384
_EXACT = 10**15  # a spreadsheet keeps 15 digits of a number
_NAMED_SHEETS = 10
_NAMED_MERGES = 5
_PLAIN = re.compile(r"0|[1-9][0-9]*")
_ESCAPE = re.compile(r"_x[0-9A-Fa-f]{4}_")
# A workbook has the names of functions in English.
_TOTALS = re.compile(
    r"\s*(?:_xlfn\.)?(?:SUM|SUBTOTAL|AGGREGATE|COUNT|AVERAGE)[A-Z]*\(", re.IGNORECASE
)
# The fields that tell which DID a row is about. Totals of other fields stand beside them, or in no DID's row.
_IDENTITIES = frozenset({"did_number", "last_number", "record_id"})
_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, expat.ExpatError),
    *(ElementTree.ParseError, ValueError, TypeError, KeyError, IndexError),
)


class Refused(t.NamedTuple):
    """A cell that is no value. C(why): words that follow the name of the field."""

    why: str


Cell = t.Union[str, bool, Refused]
_AS_TEXT = "give the column the format 'text', and enter the value as it is meant"
_DATE = Refused(f"holds a date or a time; {_AS_TEXT}")
_DECIMAL = Refused(f"holds a number with decimals; {_AS_TEXT}")
_ERROR_VALUE = Refused(
    "holds an error value of the spreadsheet; correct the formula, or enter the value"
)
_FORMATTED = Refused(
    f"has a number format that shows other signs than the digits, or may depend on the language; {_AS_TEXT}"
)
_HIDDEN = Refused(f"has a number format that hides its text or adds to it; {_AS_TEXT}")
_CONTROL_CHARACTER = Refused("holds a control character; enter the value again")
_TOTAL = Refused(
    "holds a total of other cells, as the last row of a table has; remove that row, or enter the value"
)
_NO_VALUE = Refused(
    "holds a formula whose value is not stored; open the file in a spreadsheet program, and save it again"
)
_NOT_CALCULATED = Refused(
    "holds a formula that no spreadsheet program has calculated, as the program that wrote the file says; open it in one, and save it again"
)
_TOO_LONG = Refused(
    f"holds a number of more than 15 digits, and a spreadsheet keeps no more of them; look it up, {_AS_TEXT}"
)
_TRUTH_VALUE = Refused(f"holds a truth value, and is no flag; {_AS_TEXT}")


def read_xlsx(
    path: str, content: bytes, mapping: FieldMapping, sheet: str | None
) -> list[RawEntry]:
    """Read a sheet with a header row. An empty cell is "not managed".

    :param sheet: the name of the sheet; None for the first one that is not hidden.
    """
    try:
        workbook = Workbook(path, content)
        name, part = workbook.find_sheet(sheet)
        return SheetReader(path, name, workbook, mapping).read(part)
    except _ERRORS:
        # What the libraries say may quote the file.
        raise file_error(path, _BROKEN) from None


class Workbook:
    """The parts of a workbook that its sheets share."""

    def __init__(self, path: str, content: bytes) -> None:
        try:
            from openpyxl.packaging.relationship import get_dependents, get_rels_path
            from openpyxl.reader.strings import read_string_table
            from openpyxl.styles.numbers import BUILTIN_FORMATS
        except ImportError:
            raise file_error(
                path,
                "needs the Python library openpyxl where the module runs; or save it as 'CSV UTF-8'",
            ) from None
        self._path = path
        # Of bytes in memory: there is no file to close.
        self._archive = zipfile.ZipFile(io.BytesIO(content))  # pylint: disable=consider-using-with
        self._names = set(self._archive.namelist())
        self._check_parts()
        tree = self._read_tree(_WORKBOOK)
        if _STRICT in tree.tag:
            raise file_error(path, f"is a 'Strict Open XML' workbook{_SAVE_AS_XLSX}")
        # XlsxWriter and others write 0 or an old value for a formula, and leave the calculation to who opens the workbook (18.2.2).
        properties = tree.find(f"{{{_MAIN}}}calcPr")
        flag = None if properties is None else properties.get("fullCalcOnLoad")
        self.is_calculated = flag not in ("1", "true")
        self._part(get_rels_path(_WORKBOOK))  # checked before openpyxl reads it
        found = get_dependents(self._archive, get_rels_path(_WORKBOOK))
        # Before openpyxl 3.1, what it returns is no list, but has one.
        related = list(getattr(found, "Relationship", found))
        targets = {each.Id: each.target for each in related if each.Type.endswith("/worksheet")}
        self._sheets = [
            (sheet.get("name", ""), targets[key], sheet.get("state", "visible") == "visible")
            for sheet in tree.iter(f"{{{_MAIN}}}sheet")
            if (key := sheet.get(f"{{{_RELATION}}}id")) in targets
        ]
        strings = [each.target for each in related if each.Type.endswith("/sharedStrings")]
        self.strings: list[str] = (
            read_string_table(io.BytesIO(self._part(strings[0]))) if strings else []
        )
        self.formats: list[str | None] = []
        if _STYLES in self._names:
            self.formats = list(self._number_formats(BUILTIN_FORMATS))

    def _check_parts(self) -> None:
        """Refuse what is another format in the same kind of archive, or too large."""
        if _WORKBOOK not in self._names:
            if "xl/workbook.bin" in self._names:
                raise file_error(
                    self._path, f"is an .xlsb workbook under another name{_SAVE_AS_XLSX}"
                )
            kind = "an .ods spreadsheet" if "content.xml" in self._names else "another ZIP archive"
            raise file_error(self._path, f"is {kind} under another name{_SAVE_AS_XLSX}")
        for info in self._archive.infolist():
            if info.flag_bits & 1:
                raise file_error(self._path, f"is encrypted{_SAVE_AS_XLSX}, without a password")
        size = sum(
            info.file_size
            for info in self._archive.infolist()
            if info.filename.endswith((".xml", ".rels"))
        )
        if size > SIZE_LIMIT:
            raise file_error(
                self._path,
                f"has {size // 1024 ** 2} MiB of XML in it, and {SIZE_LIMIT // 1024 ** 2} MiB are the most that is read; give the list in several"
                " files",
            )

    def _part(self, name: str) -> bytes:
        """Return a part whose XML is safe to parse: no definition of entities, which could grow without end."""
        part = self._archive.read(name)
        encoding = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding=[\"']([^\"']*)", part)
        if encoding is not None and encoding[1].lower() not in (b"utf-8", b"us-ascii"):
            raise file_error(self._path, _BROKEN)
        if b"<!DOCTYPE" in part or part[:2] in (b"\xfe\xff", b"\xff\xfe"):
            raise file_error(self._path, _BROKEN)
        return part

    def _read_tree(self, name: str) -> ElementTree.Element:
        return ElementTree.fromstring(self._part(name))

    def _number_formats(self, builtin: dict[int, str]) -> Iterator[str | None]:
        """Yield the number format of each style that a cell may have. None for one that depends on the language of the program."""
        tree = self._read_tree(_STYLES)
        codes: dict[int, str] = dict(builtin)
        codes.update(
            (int(each.get("numFmtId", "")), each.get("formatCode", GENERAL))
            for each in tree.iterfind(f"{{{_MAIN}}}numFmts/{{{_MAIN}}}numFmt")
        )
        for style in tree.iterfind(f"{{{_MAIN}}}cellXfs/{{{_MAIN}}}xf"):
            yield codes.get(int(style.get("numFmtId", 0)))

    def find_sheet(self, wanted: str | None) -> tuple[str, t.IO[bytes]]:
        """Return the name and the XML of a sheet."""
        for name, part, visible in self._sheets:
            if visible if wanted is None else fold(name) == fold(wanted):
                return name, self._archive.open(part)  # pylint: disable=consider-using-with
        if wanted is None:
            raise file_error(self._path, "has no sheet that is not hidden")
        names = ", ".join(repr(name) for name, _part, _visible in self._sheets[:_NAMED_SHEETS])
        more = len(self._sheets) - _NAMED_SHEETS
        raise file_error(
            self._path,
            f"has no sheet of the name that the option sheet gives. It has {names}{f' and {more} more' if more > 0 else ''}",
        )


class SheetReader:
    """Reads the rows of a sheet from the events of an XML parser."""

    def __init__(self, path: str, name: str, workbook: Workbook, mapping: FieldMapping) -> None:
        self._path, self._sheet = path, name
        self._workbook = workbook
        self._mapping = mapping
        self._fields: list[str | None] = []
        self._columns: dict[str, str] = {}
        self._header_row = 0
        self._entries: list[RawEntry] = []
        self._merges: list[str] = []
        # The row and the cell that are being read.
        self._row = self._column = 0
        self._cells: dict[int, Cell] = {}
        self._attributes: dict[str, str] = {}
        self._text: list[str] | None = None
        self._value: str | None = None
        self._formula: str | None = None
        self._is_phonetic = False

    def read(self, part: t.IO[bytes]) -> list[RawEntry]:
        """Return the entries of the sheet."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_definitions
        with part:
            parser.ParseFile(part)
        if not self._header_row:
            raise file_error(
                self._path, "is empty: it has no names of fields, and no DIDs", self._sheet
            )
        self._check_merges()
        return self._entries

    def _refuse_definitions(self, *_arguments: object) -> None:
        raise file_error(self._path, _BROKEN)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _TAGS.get(tag)
        if name == "c":
            self._attributes = attributes
            reference = attributes.get("r")
            self._column = self._column + 1 if reference is None else _column_of(reference)
            self._value = self._formula = None
        elif name in ("v", "t", "f"):
            self._text = None if self._is_phonetic else []
        elif name == "rPh":
            self._is_phonetic = True
        elif name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0
            self._cells = {}
        elif name == "mergeCell":
            self._merges.append(attributes["ref"])

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        name = _TAGS.get(tag)
        if name in ("v", "t"):
            if self._text is not None:
                # The text of a cell with formatting of its own stands in several parts.
                self._value = (self._value or "") + "".join(self._text)
            self._text = None
        elif name == "f":
            self._formula, self._text = "".join(self._text or ()), None
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "c":
            cell = self._read_cell()
            if self._formula and self._is_total(self._formula):
                cell = _TOTAL
            if cell != "":
                self._cells[self._column] = cell
        elif name == "row" and self._cells:
            if self._header_row:
                self._read_row()
            else:
                self._read_header()

    def _is_total(self, formula: str) -> bool:
        """Tell whether the cell is a total, in a column that tells which DID a row is about."""
        field = self._fields[self._column - 1] if self._column <= len(self._fields) else None
        return field in _IDENTITIES and _TOTALS.match(formula) is not None

    def _read_cell(self) -> Cell:
        """Return what the sheet shows in a cell, an empty text for an empty one."""
        kind, value = self._attributes.get("t", "n"), self._value
        if kind == "e":
            return _ERROR_VALUE
        if value is None or (value == "" and kind != "str"):
            return "" if self._formula is None else _NO_VALUE
        if self._formula is not None and not self._workbook.is_calculated:
            return _NOT_CALCULATED
        formats = self._workbook.formats
        style = int(self._attributes.get("s", 0))
        code = formats[style] if formats or style else GENERAL
        if kind == "n":
            return _read_number(value, code)
        if kind == "b":
            return value in ("1", "true")
        if kind == "d":
            return _DATE
        text = self._workbook.strings[int(value)] if kind == "s" else value
        if "_x" in text and _ESCAPE.search(text):
            return _CONTROL_CHARACTER
        if text and code is not None and not shows_text(code):
            return _HIDDEN
        return text

    def _read_header(self) -> None:
        header = [""] * max(self._cells)
        for column, cell in self._cells.items():
            if not isinstance(cell, str):
                why = cell.why if isinstance(cell, Refused) else "holds a truth value"
                raise self._error(f"{why}; the first row must be the names of the fields", column)
            header[column - 1] = strip(cell)
        if not any(header):
            return
        self._header_row = self._row
        self._fields = fields_of_header(
            self._path, header, self._mapping, f"{self._sheet}, row {self._row}", column_name
        )
        self._columns = {
            name: f"{self._sheet}!{column_name(column)}"
            for column, name in enumerate(self._fields, 1)
            if name
        }

    def _read_row(self) -> None:
        declared: dict[str, object] = {}
        problems: list[str] = []
        for column, cell in self._cells.items():
            if isinstance(cell, str) and cell.isspace():
                continue
            name = self._fields[column - 1] if column <= len(self._fields) else UNNAMED
            if name is None:
                continue
            if name == UNNAMED:
                raise self._error("is in a column without a name in the header", column)
            if isinstance(cell, bool) and not (name in BY_NAME and BY_NAME[name].type is FLAG):
                cell = _TRUTH_VALUE
            if isinstance(cell, Refused):
                problems.append(f"{name}: {cell.why}")
            else:
                declared[name] = cell
        problems += failed_cells(declared, self._mapping)
        fields = finish_row(declared, self._mapping)
        if fields or problems:
            place = f", {self._sheet}, row {self._row}"
            self._entries.append(RawEntry(place, fields, tuple(problems), self._columns))

    def _error(self, problem: str, column: int) -> InvalidParameter:
        return file_error(self._path, problem, f"{self._sheet}!{column_name(column)}{self._row}")

    def _check_merges(self) -> None:
        """Refuse merged cells where values are read: the sheet shows one value for several cells."""
        read = {column for column, name in enumerate(self._fields, 1) if name}
        merged = []
        for reference in self._merges:
            first, _colon, last = reference.partition(":")
            left, right = _column_of(first), _column_of(last or first)
            top, bottom = _row_of(first), _row_of(last or first)
            if (
                bottom >= self._header_row
                and top <= self._row
                and any(left <= column <= right for column in read)
            ):
                merged.append(reference)
        if merged:
            named = ", ".join(f"{self._sheet}!{reference}" for reference in merged[:_NAMED_MERGES])
            more = f" and {len(merged) - _NAMED_MERGES} more" if len(merged) > _NAMED_MERGES else ""
            raise file_error(
                self._path,
                f"has merged cells ({named}{more}); unmerge them, and write the value into each cell",
            )


def _read_number(value: str, code: str | None) -> Cell:
    """Return the digits that a sheet shows for a number. C(value): a number as XML writes it, such as C(13), C(1.3E1) or C(13.0)."""
    # Most numbers need no more.
    if code == GENERAL and len(value) < 16 and _PLAIN.fullmatch(value):
        return value
    if code is not None and is_date(code):
        return _DATE
    try:
        number = decimal.Decimal(value)
        if number != number.to_integral_value():
            return _DECIMAL
        is_exact = abs(number) < _EXACT
    except decimal.Overflow:
        is_exact = False
    except decimal.InvalidOperation:
        raise ValueError from None
    if not is_exact:
        return _TOO_LONG
    shown = None if code is None else show_number(code, int(number))
    return _FORMATTED if shown is None else shown


def _column_of(reference: str) -> int:
    """Return the column of a cell, from 1: 28 for C(AB17)."""
    return _column_of_letters(reference.rstrip("0123456789"))


@functools.lru_cache(maxsize=1024)
def _column_of_letters(letters: str) -> int:
    column = 0
    for letter in letters:
        if not "A" <= letter <= "Z":
            raise ValueError
        column = column * 26 + ord(letter) - ord("A") + 1
    if not 1 <= column <= _LAST_COLUMN:
        raise ValueError
    return column


def _row_of(reference: str) -> int:
    return int(reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))


def column_name(column: int) -> str:
    """Return the letters of a column: C(AB) for 28."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
