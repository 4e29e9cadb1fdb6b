# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!
"""What the filters share: DIDs as C(did_info) returns them become entries, and these the text of a file."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError

from ansible_collections.nextbilling.did.plugins.module_utils._module.export_formats import (
    Entry,
    ExportError,
    csv_lines,
    entry_of,
    used_names,
    yaml_lines,
)

_P = t.ParamSpec("_P")
_T = t.TypeVar("_T")


def as_filter(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make a filter of a function, which fails with the words of C(ExportError) and the filter's name."""

    @functools.wraps(function)
    def apply(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except ExportError as error:
            raise AnsibleFilterError(f"nextbilling.did.{function.__name__}: {error}") from None

    return apply


def entries(dids: object) -> list[Entry]:
    """Return an entry for each DID that C(did_info) returned.

    :raises ExportError: it is no such list, or has DIDs of several platforms.
    """
    if isinstance(dids, str) or not isinstance(dids, Sequence):
        raise ExportError("needs the list 'dids' of a result of nextbilling.did.did_info")
    made = [_entry(did) for did in dids]
    platforms = sorted({str(did["platform"]) for did in dids})
    if len(platforms) > 1:
        raise ExportError(
            f"the list has DIDs of several platforms ({', '.join(platforms)}), and a list that is read back is for one: name it by the"
            " option platform of nextbilling.did.did_info"
        )
    return made


def _entry(did: object) -> Entry:
    if not isinstance(did, Mapping) or not {"platform", "did_number", "record_id", "fields"} <= set(
        did
    ):
        raise ExportError("an element of the list is no DID as nextbilling.did.did_info returns it")
    return entry_of(did)


def to_csv(
    dids: Sequence[Entry], *, separator: str = ";", bom: bool = True, all_fields: bool = False
) -> str:
    """Return entries as the text of a CSV file."""
    used = set().union(*map(used_names, dids))
    return "".join(csv_lines(dids, used, separator=separator, bom=bom, all_fields=all_fields))


def to_yaml(dids: Sequence[Entry]) -> str:
    """Return entries as the text of a YAML file."""
    return "".join(yaml_lines(dids))
