# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Reads the text of a file of DIDs: a regular file of bounded size, in UTF-8, and no other format under a wrong name."""

from __future__ import annotations

import os
import re
import stat

from .._errors import InvalidParameter

# More than a million rows with all fields. A limit, as the whole file is read into memory.
SIZE_LIMIT = 256 * 1024 * 1024
_PATH_CHARACTERS = 300
_HEAD = 200  # bytes


def file_error(path: str, problem: str, place: int | str | None = None) -> InvalidParameter:
    """Return the error for a file that cannot be used.

    :param problem: words of the collection, never those of a parser.
    :param place: a line, or a place in a sheet.
    """
    where = f", line {place}" if isinstance(place, int) else f", {place}" if place else ""
    return InvalidParameter(f"src: {os.path.basename(path)}{where}: {problem}")


def read_text(path: str) -> str:
    """Return the text of a file.

    :raises InvalidParameter: the file cannot be read, or is no text in UTF-8.
    """
    content = read_bytes(path)
    for start, kind in _FORMATS:
        if content.startswith(start):
            raise file_error(path, f"is not UTF-8 text but {kind}", 1)
    return _decode(path, content)


def read_workbook(path: str) -> bytes:
    """Return the content of an C(.xlsx) file, which is a ZIP archive.

    :raises InvalidParameter: the file cannot be read, or is something else.
    """
    content = read_bytes(path)
    if not content.startswith(b"PK\x03\x04"):
        raise file_error(path, f"is no .xlsx workbook but {_kind_of(content)}")
    return content


def refuse_other_format(path: str) -> InvalidParameter:
    """Return the error for a file with a suffix that is not read. It says what the file is, and what to do."""
    try:
        kind = _kind_of(read_bytes(path))
    except InvalidParameter as error:
        return error
    return file_error(path, f"is none of .csv, .xlsx, .json, .yml. It is {kind}")


def _kind_of(content: bytes) -> str:
    """Return what a file is that is no text of a list, and the next step."""
    head = content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return f"HTML or XML, as some web pages export it under the name of a spreadsheet{_SAVE_AS}"
    for start, kind in _FORMATS:
        if content.startswith(start):
            return kind
    if b"\0" not in content and b"\t" in content.partition(b"\n")[0]:
        return "text with tabs between the cells; name it .csv"
    return "another format; save the list as .csv, .xlsx, .json or .yml"


ENCRYPTED = "is encrypted by Ansible Vault, which only Ansible itself can read. "
_DECRYPT = (
    'Have ansible.builtin.copy decrypt it into a temporary file with mode 0600, and give that as src: the guide "Many DIDs" has the'
    " play. Or leave src out, and give the content of a YAML or JSON file by dids:"
    " \"{{ lookup('ansible.builtin.file', 'dids.yml') | from_yaml }}\""
)
_SAVE_AS = "; open it in a spreadsheet program, and save it as .xlsx or as 'CSV UTF-8'"
_SAVE_AS_UTF8 = "; save it with the character set UTF-8"
# UTF-32 begins as UTF-16 does.
_FORMATS = (
    (
        b"PK\x03\x04",
        f"a spreadsheet such as .xlsx, or another ZIP archive, under another name; if it is an .xlsx, name it so{_SAVE_AS}",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        f"an .xls spreadsheet (Excel 97 to 2003), or one with a password{_SAVE_AS}, without a password",
    ),
    (b"\x1f\x8b", "compressed by gzip; decompress it first"),
    (b"%PDF", "a PDF document under another name"),
    (b"\xff\xfe\0\0", f"UTF-32{_SAVE_AS_UTF8}"),
    (b"\0\0\xfe\xff", f"UTF-32{_SAVE_AS_UTF8}"),
    (b"\xff\xfe", f"UTF-16 (some programs call it 'Unicode'){_SAVE_AS_UTF8}"),
    (b"\xfe\xff", f"UTF-16 (some programs call it 'Unicode'){_SAVE_AS_UTF8}"),
)


def read_bytes(path: str) -> bytes:
    """Return the content of a file that is not encrypted by Ansible Vault.

    The kind is checked first: to open a pipe may block for ever, and to open a device may do anything.
    """
    try:
        _check_kind(path, os.stat(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as handle:
            # Another file may have taken the place of the one that was checked.
            _check_kind(path, os.fstat(descriptor))
            content = handle.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        start = path if len(path) <= _PATH_CHARACTERS else path[:_PATH_CHARACTERS] + "…"
        raise file_error(
            path[-_PATH_CHARACTERS:], f"cannot be read ({reason}: {start!r})"
        ) from None
    if len(content) > SIZE_LIMIT:
        raise _too_large(path)
    if content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"$ANSIBLE_VAULT;"):
        raise file_error(path, f"{ENCRYPTED}{_DECRYPT}")
    return content


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _check_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise file_error(path, f"cannot be read: it must be a regular file, and is {kind}")
    if status.st_size > SIZE_LIMIT:
        raise _too_large(path)


def _too_large(path: str) -> InvalidParameter:
    return file_error(
        path,
        f"is larger than {SIZE_LIMIT // 1024 ** 2} MiB, the most that is read; give the list in several files, one after the other",
    )


def _decode(path: str, content: bytes) -> str:
    if b"\0" in content:
        raise file_error(
            path,
            f"holds a NUL byte, so it is no text, or text in UTF-16{_SAVE_AS_UTF8}",
            _line_of_byte(content, content.index(b"\0")),
        )
    try:
        # A file that was joined from several has several byte order marks.
        text = content.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise file_error(
            path,
            "is not UTF-8 text; save it with the character set UTF-8 (a spreadsheet calls that 'CSV UTF-8', or asks for the character set)",
            _line_of_byte(content, error.start),
        ) from None
    if not text or text.isspace():
        raise file_error(path, "is empty")
    return text


def _line_of_byte(content: bytes, end: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", content[:end])) + 1


def line_of(text: str, end: int) -> int:
    """Return the number of the line that holds a position of a text."""
    return len(re.findall(r"\r\n|\r|\n", text[:end])) + 1
