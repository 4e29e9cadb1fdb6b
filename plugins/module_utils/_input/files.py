# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The text of a file of DIDs: a regular file of bounded size, in UTF-8, and no other format under a wrong name."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from .._errors import InvalidParameter
from .._fields import Unsupported

if t.TYPE_CHECKING:  # pragma: no cover
    from .._errors import InvalidParameter

_NO_LIST = "must hold a list of DIDs"
# Python refuses to read integers of thousands of digits, or takes very long for it.
_DIGITS = 30
_LARGE = Unsupported("a number that is too large")

# More than a million rows with all fields. A limit, as the whole file is read into memory.
SIZE_LIMIT = 256 * 1024 * 1024
_PATH_SHOWN = 300
_HEAD = 200


class Found(t.NamedTuple):
    """An entry as a reader finds it: where in its file it stands, what it declares, and what is wrong with how it is written."""

    place: str
    declared: object
    problems: tuple[str, ...] = ()


def unusable(path: str, words: str, line: int | None = None) -> InvalidParameter:
    """Return the error for a file that cannot be used. C(words): the collection's own, never those of a parser."""
    place = os.path.basename(path) if line is None else f"{os.path.basename(path)}, line {line}"
    return InvalidParameter(f"src: {place}: {words}")


def read_text(path: str) -> str:
    """Return the text of a file.

    :raises InvalidParameter: it cannot be read, or is no text in UTF-8.
    """
    content = _content(path)
    if content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"$ANSIBLE_VAULT;"):
        raise unusable(
            path,
            f"{ENCRYPTED}give its content, as YAML or JSON, by dids: \"{{{{ lookup('ansible.builtin.file', 'dids.yml') | from_yaml }}}}\"",
        )
    for start, words in _FORMATS:
        if content.startswith(start):
            raise unusable(path, f"is not UTF-8 text but {words}", 1)
    return _decoded(path, content)


ENCRYPTED = "is encrypted by Ansible Vault, which only Ansible itself can read. Leave src out, and "
_SAVE_AS_CSV = "; open it in a spreadsheet program, and save it as 'CSV UTF-8'"
_SAVE_AS_UTF8 = "; save it with the character set UTF-8"
# UTF-32 begins as UTF-16 does.
_FORMATS = (
    (
        b"PK\x03\x04",
        f"a spreadsheet such as .xlsx, or another ZIP archive, under another name{_SAVE_AS_CSV}",
    ),
    (b"\xd0\xcf\x11\xe0", f"an .xls spreadsheet under another name{_SAVE_AS_CSV}"),
    (b"\x1f\x8b", "compressed by gzip; decompress it first"),
    (b"%PDF", "a PDF document under another name"),
    (b"\xff\xfe\0\0", f"UTF-32{_SAVE_AS_UTF8}"),
    (b"\0\0\xfe\xff", f"UTF-32{_SAVE_AS_UTF8}"),
    (b"\xff\xfe", f"UTF-16 (some programs call it 'Unicode'){_SAVE_AS_UTF8}"),
    (b"\xfe\xff", f"UTF-16 (some programs call it 'Unicode'){_SAVE_AS_UTF8}"),
)


def _content(path: str) -> bytes:
    """Read a file. To open a pipe could wait for ever, and to open a device could do anything, so the kind is looked up before."""
    try:
        _check_kind(path, os.stat(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with open(descriptor, "rb") as handle:
            # It may be another file by now.
            _check_kind(path, os.fstat(descriptor))
            content = handle.read(SIZE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        shown = path if len(path) <= _PATH_SHOWN else path[:_PATH_SHOWN] + "…"
        raise unusable(path[-_PATH_SHOWN:], f"cannot be read ({reason}: {shown!r})") from None
    if len(content) > SIZE_LIMIT:
        raise _too_large(path)
    return content


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def _check_kind(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for test, words in _KINDS if test(status.st_mode)), "something else")
        raise unusable(path, f"cannot be read: it must be a regular file, and is {kind}")
    if status.st_size > SIZE_LIMIT:
        raise _too_large(path)


def _too_large(path: str) -> InvalidParameter:
    return unusable(
        path,
        f"is larger than {SIZE_LIMIT // 1024 ** 2} MiB, the most that is read; give the list in several files, one after the other",
    )


def _decoded(path: str, content: bytes) -> str:
    if b"\0" in content:
        raise unusable(
            path,
            f"holds a NUL byte, so it is no text, or text in UTF-16{_SAVE_AS_UTF8}",
            _bytes_line(content, content.index(b"\0")),
        )
    try:
        # More than one byte order mark comes from files that were put together.
        text = content.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise unusable(
            path,
            "is not UTF-8 text; save it with the character set UTF-8 (a spreadsheet calls that 'CSV UTF-8', or asks for the character set)",
            _bytes_line(content, error.start),
        ) from None
    if not text or text.isspace():
        raise unusable(path, "is empty")
    return text


def _bytes_line(content: bytes, end: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", content[:end])) + 1


def line_of(text: str, end: int) -> int:
    """Return the number of the line in which a position of a text is."""
    return len(re.findall(r"\r\n|\r|\n", text[:end])) + 1


def repeated(name: object, names: t.Container[object], where: str) -> str:
    """Return the words for a key that a mapping has twice. One that is no field may hold a secret."""
    shown = name if isinstance(name, str) and name in names else "a key"
    return f"{shown} stands twice ({where}); keep the one that is meant"
