# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workbooks as spreadsheet programs write them: by openpyxl, which writes what Excel does, and part by part as LibreOffice Calc does."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Union
from xml.sax.saxutils import escape

import openpyxl

Row = Sequence[Union[str, int, None]]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SPREADSHEET}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SPREADSHEET}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rId2" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId3" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><fileVersion appName="Calc"/><workbookPr backupFile="false"/>'
        '<sheets><sheet name="Planilha1" sheetId="1" state="visible" r:id="rId2"/></sheets>'
        '<calcPr iterateCount="100" refMode="A1" iterate="false" iterateDelta="0.001"/></workbook>'
    ),
}
# The cell styles of a workbook by Calc: the standard one, text, and a format of the user's.
GENERAL, TEXT, CUSTOM = 0, 1, 2


def by_excel(path: Path, rows: Iterable[Iterable[object]], name: str = "Plan1") -> Path:
    """Write rows into a workbook: texts as texts, numbers as numbers, in cells of the format General."""
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet(name)
    for row in rows:
        sheet.append(list(row))
    workbook.save(path)
    return path


def by_libreoffice(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows into a workbook: texts in cells of the format text."""
    strings: dict[str, int] = {}
    written = "".join(
        f'<row r="{number}" customFormat="false" ht="12.8" hidden="false" customHeight="false" outlineLevel="0" collapsed="false">'
        + "".join(
            _cell(f"{chr(65 + column)}{number}", value, strings) for column, value in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    # Calc writes a last empty row where a column has a format.
    written += '<row r="1048576" customFormat="false" ht="12.8" hidden="false" customHeight="true" outlineLevel="0" collapsed="false"/>'
    return workbook_of(path, written, list(strings))


def _cell(reference: str, value: str | int | None, strings: dict[str, int]) -> str:
    if value is None:
        return f'<c r="{reference}" s="{TEXT}"/>'
    if isinstance(value, int):
        return f'<c r="{reference}" s="{GENERAL}" t="n"><v>{value}</v></c>'
    return (
        f'<c r="{reference}" s="{TEXT}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'
    )


def workbook_of(
    path: Path,
    rows: str,
    strings: Sequence[str] = (),
    *,
    after: str = "",
    custom: str = "General",
    parts: Mapping[str, str] | None = None,
) -> Path:
    """Write a workbook with one sheet as Calc does.

    :param rows: the XML of its rows.
    :param strings: its shared texts.
    :param after: XML that follows the rows.
    :param custom: the number format of the style C(CUSTOM).
    :param parts: parts in place of those that a workbook has.
    """
    texts = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    quoted = escape(custom, {'"': "&quot;"})
    made = {
        **_PARTS,
        "xl/styles.xml": (
            f'<styleSheet xmlns="{_MAIN}"><numFmts count="3"><numFmt numFmtId="164" formatCode="General"/>'
            f'<numFmt numFmtId="165" formatCode="@"/><numFmt numFmtId="166" formatCode="{quoted}"/></numFmts>'
            '<cellXfs count="3"><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs></styleSheet>'
        ),
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}" count="{len(strings)}" uniqueCount="{len(strings)}">{texts}</sst>',
        "xl/worksheets/sheet1.xml": (
            f'<worksheet xmlns="{_MAIN}"><sheetPr filterMode="false"/><dimension ref="A1:H9"/>'
            f"<sheetData>{rows}</sheetData>{after}</worksheet>"
        ),
        **(parts or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in made.items():
            archive.writestr(name, _DECLARATION + text)
    return path
