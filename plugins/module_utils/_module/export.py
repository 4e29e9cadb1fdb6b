# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""Exports the DIDs of a platform from the registry to a file. Its memory does not grow with their number."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import tempfile
import typing as t
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from .._errors import InvalidParameter, RegistryMismatch
from .._model import OUTCOMES, Record
from .._registry.registry import Registry
from .._registry.witness_file import is_witness
from . import arguments
from .export_formats import (
    Entry,
    ExportError,
    csv_lines,
    entry_of,
    json_lines,
    used_names,
    yaml_lines,
)
from .results import change_result, record_result, witness_result
from .session import open_task_registry
from .task import Result, Spec, Task

_SUFFIXES = (".csv", ".json", ".yml", ".yaml")
_DEFAULT_MODE = "0600"
_WRITE, _SET_MODE = "write", "set mode"
# How many lines are written at a time, and how many entries are made before the run looks whether it is to stop.
_CHUNK = 1000
_V = t.TypeVar("_V")


def export_spec() -> Spec:
    """Return the options of an export."""
    return {
        "dest": {"type": "path"},
        "mode": {"type": "raw"},
        "outcome": {"type": "str", "choices": list(OUTCOMES)},
    }


def export_registry(task: Task, location: str, problems: list[str]) -> Result:
    """Write the DIDs of a platform to a file, unless it holds them already."""
    dest = _read_dest(task, problems)
    mode = task.params["mode"] or _DEFAULT_MODE
    if not isinstance(mode, str) or not re.fullmatch("0?[0-7]{3}", mode):
        problems.append("mode: must be octal digits in quotes, such as '0600'")
    arguments.raise_problems(problems)
    with open_task_registry(task, location, None, write=False, to_read=True) as registry:
        platform = _only_platform(registry, task.option("platform"))
        _check_is_other_file(dest, registry)
        for warning in registry.server_warnings():
            task.warn(warning)
        witness_result(task, registry, platform)
        with _open_spool(task, platform, dest) as spool:
            registry.reports.scan(platform, task.params["outcome"], spool.fill)
            change = _change_of(dest, int(mode, 8), spool.chunks())
            if change is not None and not task.check_mode:
                _make(change, dest, int(mode, 8), spool.chunks)
            elif change == _WRITE:
                # Say also in check mode where the format cannot hold a text.
                deque(spool.chunks(), maxlen=0)
        registry_id = registry.registry_id
    words = {
        _WRITE: f"write {sum(spool.counts.values())} DIDs to {dest}",
        _SET_MODE: f"set the mode of {dest} to {mode}",
    }
    return {
        **change_result(task, [words[change]] if change else [], registry_id, location),
        "platform": platform,
        "exported": {outcome: spool.counts[outcome] for outcome in OUTCOMES},
    }


def _read_dest(task: Task, problems: list[str]) -> str:
    dest = task.option("dest")
    if dest is None:
        problems.append("dest: is required with state exported")
    elif not os.path.isabs(dest):
        problems.append(
            'dest: is a relative path; give an absolute one, such as "{{ playbook_dir }}/dids.csv"'
        )
    elif not dest.lower().endswith(_SUFFIXES):
        problems.append("dest: must end in .csv, .json or .yml")
    elif os.path.lexists(dest) and not stat.S_ISREG(os.lstat(dest).st_mode):
        problems.append("dest: is there already, and is no regular file")
    return str(dest)


def _only_platform(registry: Registry, platform: str | None) -> str:
    """Return the platform to export, the one that the task names or the only one of the registry."""
    if registry.moved_to is not None:
        raise RegistryMismatch(
            f"The registry {registry.location} was moved. Export {registry.moved_to}. Nothing was written"
        )
    known = registry.platforms()
    if platform is None and len(known) == 1:
        return known[0]
    if platform not in known:
        raise InvalidParameter(
            "platform: name one that the registry knows, as a file is for one platform (with the playbook nextbilling.did.export, by"
            f" -e export_platform=NAME). The registry knows {', '.join(known) or 'none'}. Nothing was written"
        )
    return platform


def _check_is_other_file(dest: str, registry: Registry) -> None:
    """Refuse to replace a file that the collection itself needs."""
    if is_witness(dest) or os.path.realpath(dest) == os.path.realpath(registry.location):
        raise InvalidParameter(
            "dest: is a registry, or a file of the witness. Name another file. Nothing was written"
        )


@contextlib.contextmanager
def _errors_of(dest: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidParameter(
            f"dest: {dest} cannot be written ({error.strerror}). Nothing was written"
        ) from None
    except ExportError as error:
        raise InvalidParameter(f"dest: {error}. Nothing was written") from None


@contextlib.contextmanager
def _open_spool(task: Task, platform: str, dest: str) -> Iterator[_Spool]:
    """Open a spool. It is gone at the end, whatever ends the process.

    It lies beside C(dest), where there is room for the export. Some file systems make a file with a name first, so check mode takes the folder
    for temporary files.
    """
    folder = os.path.dirname(dest)
    with _errors_of(dest):
        os.stat(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with tempfile.TemporaryFile(
            "w+", encoding="utf-8", newline="\n", dir=None if task.check_mode else folder
        ) as file:
            yield _Spool(task, platform, dest, t.cast("t.TextIO", file))


class _Spool:
    """The entries of an export, in a file without a name, so that the registry is read once and quickly.

    C(counts): how many of them have each outcome.
    """

    def __init__(self, task: Task, platform: str, dest: str, file: t.TextIO) -> None:
        self._task = task
        self._platform = platform
        self._dest = dest
        self._file = file
        self._used: set[str] = set()
        self.counts: Counter[str] = Counter()

    def fill(self, records: Iterable[Record]) -> None:
        """Take records, in place of those that it has."""
        # Here, as a backend takes an error of the system for one of the registry.
        with _errors_of(self._dest):
            self._fill(records)

    def _fill(self, records: Iterable[Record]) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._used.clear()
        self.counts.clear()
        for record in self._until_stop(records):
            entry = entry_of(record_result(self._platform, record))
            self._used |= used_names(entry)
            self.counts[entry["outcome"]] += 1
            self._file.write(json.dumps(entry) + "\n")

    def chunks(self) -> Iterator[bytes]:
        """Yield the content of the exported file."""
        name = self._dest.lower()
        if name.endswith(".csv"):
            lines = csv_lines(self._entries(), self._used)
        else:
            lines = (json_lines if name.endswith(".json") else yaml_lines)(self._entries())
        while chunk := "".join(islice(lines, _CHUNK)):
            yield chunk.encode()

    def _entries(self) -> Iterator[Entry]:
        self._file.seek(0)
        return map(json.loads, self._until_stop(self._file))

    def _until_stop(self, values: Iterable[_V]) -> Iterator[_V]:
        for index, value in enumerate(values):
            if index % _CHUNK == 0:
                self._task.stop.check("read the registry to export it")
            yield value


def _change_of(path: str, mode: int, chunks: Iterator[bytes]) -> str | None:
    """Return what gives a file this content and mode, None if it has both."""
    if not os.path.lexists(path):
        return _WRITE
    with open(path, "rb") as file:
        if not all(file.read(len(chunk)) == chunk for chunk in chunks) or file.read(1):
            return _WRITE
        return None if stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode else _SET_MODE


def _make(change: str, path: str, mode: int, chunks: Callable[[], Iterator[bytes]]) -> None:
    if change == _SET_MODE:
        os.chmod(path, mode)
    else:
        _replace(path, mode, chunks())


def _replace(path: str, mode: int, chunks: Iterator[bytes]) -> None:
    """Replace a file as a whole: who reads it meanwhile sees the file before or the one after."""
    descriptor, draft = tempfile.mkstemp(prefix=".nextbilling-did-", dir=os.path.dirname(path))
    try:
        with open(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
