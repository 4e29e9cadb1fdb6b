# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option --stores, which chooses the kinds of registry that tests run on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from ansible_collections.nextbilling.did.tests.support.stores import POOLER, POSTGRESQL, SQLITE

STORES = (SQLITE, POSTGRESQL, POOLER)
# The fixtures that start a program, and the kind of registry that they belong to.
PROGRAMS = {"server": POSTGRESQL, "pooler": POOLER}


def _stores(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := set(chosen).difference(STORES):
        raise argparse.ArgumentTypeError(
            f"{', '.join(sorted(unknown))}: not among {', '.join(STORES)}"
        )
    return chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption(
        "--stores",
        type=_stores,
        default=list(STORES),
        help=f"run only tests that need no other kind of registry than these: {','.join(STORES)} (the default)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of a test that needs a kind of registry, where neither a fixture nor a parameter says so."""
    config.addinivalue_line("markers", "store(name): the test needs this kind of registry")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that need a kind of registry which was not chosen."""
    chosen = set(config.getoption("--stores"))
    dropped = [item for item in items if not chosen.issuperset(_needed(item))]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if chosen.issuperset(_needed(item))]


def _needed(item: pytest.Item) -> Iterator[str]:
    """Yield the kinds of registry that a test needs."""
    if isinstance(item, pytest.Function):
        yield from (PROGRAMS[name] for name in item.fixturenames if name in PROGRAMS)
        if hasattr(item, "callspec") and "empty_store" in item.callspec.params:
            yield str(item.callspec.params["empty_store"])
    yield from (mark.args[0] for mark in item.iter_markers("store"))
