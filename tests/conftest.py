# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests run: on which kinds of registry, and those that take long only where they are asked for."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from ansible_collections.nextbilling.did.tests.support.modules import MODULE, PROCESS
from ansible_collections.nextbilling.did.tests.support.stores import POOLER, POSTGRESQL, SQLITE

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile(
    "no deadline",
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("no deadline")

WAYS = (MODULE, PROCESS)
STORES = (SQLITE, POSTGRESQL, POOLER)
# The fixtures that start a program, and the kind of registry that they belong to.
PROGRAMS = {"server": POSTGRESQL, "pooler": POOLER}


def _some_of(*known: str) -> Callable[[str], list[str]]:
    def choose(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen).difference(known):
            raise argparse.ArgumentTypeError(
                f"{', '.join(sorted(unknown))}: not among {', '.join(known)}"
            )
        return chosen

    return choose


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption("--long", action="store_true", help="run the tests that take long, too")
    parser.addoption(
        "--stores",
        type=_some_of(*STORES),
        default=list(STORES),
        help=f"run only tests that need no other kind of registry than these: {','.join(STORES)} (the default)",
    )
    parser.addoption(
        "--ways",
        type=_some_of(*WAYS),
        default=[MODULE],
        help=f"run the tasks of a test that no mark says it of in these ways: {MODULE} (the default), {','.join(WAYS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for line in (
        "stores(*kinds): the kinds of registry that the test runs on; SQLite if there is no such marker",
        "ways(*ways): how the tasks of the test run: as a module, in process, or both; as --ways says if there is no such marker",
        "store(name): the test needs this kind of registry, where neither a fixture nor a parameter says so",
        "long: the test runs only with --long",
        "kills: the test kills a server, so it gets a pair of servers of its own",
        "slow: the test takes many seconds, so make test leaves it to make test-all",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each kind of registry, and its tasks in each way, that its nearest markers name."""
    definition = metafunc.definition
    given = any("empty_store" in mark.args[0] for mark in definition.iter_markers("parametrize"))
    if "empty_store" in metafunc.fixturenames and not given:
        marker = definition.get_closest_marker("stores")
        kinds = marker.args if marker else (SQLITE,)
        metafunc.parametrize("empty_store", kinds, indirect=True)
    if "way" in metafunc.fixturenames:
        marker = definition.get_closest_marker("ways")
        ways = marker.args if marker else metafunc.config.getoption("--ways")
        if list(ways) != [MODULE]:
            metafunc.parametrize("way", ways, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that need a kind of registry which was not chosen, and those that take long."""
    chosen = set(config.getoption("--stores"))
    long = config.getoption("--long")
    dropped = {
        item
        for item in items
        if not chosen.issuperset(_needed(item)) or (item.get_closest_marker("long") and not long)
    }
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = [item for item in items if item not in dropped]


def _needed(item: pytest.Item) -> Iterator[str]:
    """Yield the kinds of registry that a test needs."""
    if isinstance(item, pytest.Function):
        yield from (PROGRAMS[name] for name in item.fixturenames if name in PROGRAMS)
        if hasattr(item, "callspec") and "empty_store" in item.callspec.params:
            yield str(item.callspec.params["empty_store"])
    yield from (mark.args[0] for mark in item.iter_markers("store"))


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Has SIGHUP and SIGINT end what a test starts, also where the tests run under C(nohup) or in the background of a shell.

    What is started there would inherit that they are ignored.
    """
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hangup)
    signal.signal(signal.SIGINT, interrupt)
