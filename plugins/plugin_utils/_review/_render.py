# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The three files of a review."""

from __future__ import annotations

import json
import typing as t

from ._markdown import markdown
from ._page import page

if t.TYPE_CHECKING:  # pragma: no cover
    from ._model import Review
    from ._words import Words


def render(review: Review, words: Words) -> dict[str, str]:
    """Return the files of a review by their names."""
    return {
        # As ASCII: then no character of a value can do anything in a terminal or an editor.
        "review.json": json.dumps(review.as_json(), indent=2, allow_nan=False) + "\n",
        "review.md": markdown(review, words),
        "review.html": page(review, words),
    }
