# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  sheet:
    description:
      - The sheet of an C(.xlsx) file. The default is the first sheet that is not hidden.
    type: str
    version_added: 2.0.0
  columns:
    description:
      - The field that each header of the list stands for, or null to leave the column out. Example, C(Número) leads to C(did_number).
      - Headers are compared without regard to case and surrounding space, and a line break in a header is a space. A header that is a field's name needs
        no entry. The keys of an inline list, a C(.json) or a C(.yml) file are headers too.
      - Two headers for one field are refused, and so is an entry whose header is not in the list.
      - Put C(Yes), C(No), C(On) and C(Off) in quotes. YAML reads them as booleans.
    type: dict
    version_added: 2.0.0
  values:
    description:
      - What the words in the list stand for, for each field. C(did_type) with C(Fila) leading to C(queue) reads the cell C(Fila) as V(queue). Null
        stands for a field that is not managed.
      - The words are compared like the headers in O(columns). A cell that is not named here is read as it stands.
    type: dict
    version_added: 2.0.0
  empty_text:
    description:
      - What an empty text in an inline list, a C(.json) or a C(.yml) file stands for.
      - With V(value), it is a value and is sent.
      - With V(unmanaged), it is not managed, as an empty cell of a table. This is for lists from C(community.general.read_csv) and
        C(community.general.from_csv), in which everything is text. The hosts of C(host_additional) are then separated as in a C(.csv) file.
    type: str
    choices:
      - value
      - unmanaged
    default: value
    version_added: 2.0.0
"""
