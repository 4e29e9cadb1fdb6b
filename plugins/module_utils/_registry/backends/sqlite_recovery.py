# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Recovers a database that a process left in the middle of a write, in memory, as SQLite does (https://www.sqlite.org/fileformat.html, 3, 4).

SQLite itself recovers only a file with a name, beside its journal. Such a copy would stay behind if this process were killed.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator

from ..._errors import RegistryUnavailable

_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_JOURNAL_HEADER = struct.Struct(">8sIIIII")
# The page of this byte is used for locks and holds no data.
_LOCK_BYTE = 0x40000000
_REST_OF_FILE = 0xFFFFFFFF
_LOG_MAGIC = 0x377F0682
_LOG_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_WORD_MASK = 0xFFFFFFFF


def recover(database: bytes, journal: bytes, log: bytes) -> bytes:
    """Return a database as it is after recovery, without a write-ahead log.

    :param journal: the content of its rollback journal, or no bytes.
    :param log: the content of its write-ahead log, or no bytes.
    """
    pages = bytearray(database)
    _roll_back(pages, journal)
    _replay(pages, log)
    # Read and write versions: 2 would ask for a write-ahead log.
    pages[18:20] = b"\1\1"
    return bytes(pages)


def _roll_back(database: bytearray, journal: bytes) -> None:
    """Restore the pages of a hot journal, up to the first incomplete one (3.1, and pager_playback of pager.c)."""
    if not journal.startswith(_JOURNAL_MAGIC) or len(journal) < _JOURNAL_HEADER.size:
        return
    if journal.endswith(_JOURNAL_MAGIC):
        raise RegistryUnavailable(
            "The registry was in the middle of a transaction over several databases, which only a run without check mode can end"
        )
    _magic, _count, _nonce, size, sector, page_size = _JOURNAL_HEADER.unpack_from(journal)
    if not (_is_power_of_two(page_size, 512, 65536) and _is_power_of_two(sector, 32, 65536)):
        return
    del database[size * page_size :]
    for number, page in _journal_pages(journal, sector, page_size):
        if number <= size:
            database[(number - 1) * page_size : number * page_size] = page


def _is_power_of_two(value: int, least: int, most: int) -> bool:
    return least <= value <= most and value & (value - 1) == 0


def _journal_pages(journal: bytes, sector: int, page_size: int) -> Iterator[tuple[int, bytes]]:
    """Yield numbers and contents of a journal's pages. It has a further header for each time that it was synchronised."""
    offset = 0
    while offset + sector <= len(journal):
        magic, count, nonce, *_rest = _JOURNAL_HEADER.unpack_from(journal, offset)
        if magic != _JOURNAL_MAGIC:
            return
        offset += sector
        if count == _REST_OF_FILE:
            count = (len(journal) - offset) // (page_size + 8)
        for _record in range(count):
            end = offset + page_size + 8
            if end > len(journal):
                return
            number = int.from_bytes(journal[offset : offset + 4], "big")
            page = journal[offset + 4 : end - 4]
            if number in (0, _LOCK_BYTE // page_size + 1):
                return
            if int.from_bytes(journal[end - 4 : end], "big") != _page_checksum(page, nonce):
                return
            yield number, page
            offset = end
        offset = -(-offset // sector) * sector


def _page_checksum(page: bytes, nonce: int) -> int:
    return (nonce + sum(page[len(page) - 200 : 0 : -200])) & _WORD_MASK


def _replay(database: bytearray, log: bytes) -> None:
    """Write the pages of a write-ahead log up to its last commit (4.1 to 4.4)."""
    if len(log) < _LOG_HEADER.size:
        return
    magic, _version, page_size, _sequence, *salts, sum1, sum2 = _LOG_HEADER.unpack_from(log)
    if magic & ~1 != _LOG_MAGIC or not _is_power_of_two(page_size, 512, 65536):
        return
    big = bool(magic & 1)
    sums = _log_checksum(log[: _LOG_HEADER.size - 8], (0, 0), big)
    if sums != (sum1, sum2):
        return
    written: dict[int, bytes] = {}
    offset = _LOG_HEADER.size
    while offset + _FRAME_HEADER.size + page_size <= len(log):
        number, size, *rest = _FRAME_HEADER.unpack_from(log, offset)
        page = log[offset + _FRAME_HEADER.size : offset + _FRAME_HEADER.size + page_size]
        sums = _log_checksum(log[offset : offset + 8] + page, sums, big)
        if number == 0 or rest != [*salts, *sums]:
            return
        written[number] = page
        offset += _FRAME_HEADER.size + page_size
        if size:
            _write(database, written, size, page_size)
            written = {}


def _write(database: bytearray, pages: dict[int, bytes], size: int, page_size: int) -> None:
    del database[size * page_size :]
    database.extend(bytes(size * page_size - len(database)))
    for number, page in pages.items():
        if number <= size:
            database[(number - 1) * page_size : number * page_size] = page


def _log_checksum(data: bytes, sums: tuple[int, int], big: bool) -> tuple[int, int]:
    """Return the cumulative checksum of a log's words (4.2)."""
    words = array("I", data)
    if big != (sys.byteorder == "big"):
        words.byteswap()
    sum1, sum2 = sums
    for index in range(0, len(words), 2):
        sum1 = (sum1 + words[index] + sum2) & _WORD_MASK
        sum2 = (sum2 + words[index + 1] + sum1) & _WORD_MASK
    return sum1, sum2
