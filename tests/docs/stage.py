# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the examples of the documentation run: a reader's folder with a shell in it, a platform, a database."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.nextbilling.did.tests.docs import console, given
from ansible_collections.nextbilling.did.tests.docs.examples import examples
from ansible_collections.nextbilling.did.tests.docs.fronts import Hosts
from ansible_collections.nextbilling.did.tests.docs.shell import in_terminal
from ansible_collections.nextbilling.did.tests.simulator.client import Simulator
from ansible_collections.nextbilling.did.tests.support.modules import Runner
from ansible_collections.nextbilling.did.tests.support.programs import QUIET, output_of
from ansible_collections.nextbilling.did.tests.support.stores import (
    DatabaseStore,
    FileStore,
    Server,
)
from ansible_collections.nextbilling.did.tests.support.workbooks import by_excel

DATABASE = "provisioning"
PLATFORM = "sip.nextbilling.com.br:443"
_CHECKSUM = re.compile(r"\bv2-[0-9a-f]{64}\b")
# Of the shell's own.
_BUILT_IN = ("export", "read", "umask")
# What says the same whenever it is asked.
_CONSTANT = re.compile(r"ansible-doc |python -m pip ")
_told: dict[str, str] = {}


@dataclass
class Stage:
    """What a scene takes for given, and the means to run something there."""

    scene: given.Scene
    folder: Path
    simulator: Simulator
    hosts: Hosts
    server: Server
    collections: Path
    environment: dict[str, str] = field(default_factory=dict)
    # All that was printed.
    printed: str = ""
    # Programs of the system that are not installed.
    missing: set[str] = field(default_factory=set)
    _plan_checksum: str = ""
    # Of no create at all, where none was cut off.
    _attempt: str = "0" * 32
    _umask: str = "0022"
    _said: list[tuple[str, str]] = field(default_factory=list)

    # Before and after

    def set_up(self) -> None:
        """Bring about what the scene takes for given."""
        scene = self.scene
        self.hosts.refused.clear()
        self.simulator.reset()
        self.simulator.switch(existing_ids=list(scene.platform))
        self.server.fresh(DATABASE)
        for place in ("var/lib/nextbilling-did", "srv/nextbilling", "backup"):
            (self.folder / place).mkdir(parents=True)
        self.write("ansible.cfg", QUIET)
        self.write("group_vars/all.yml", yaml.safe_dump(dict(scene.variables)))
        self.environment = {
            **{name: os.environ[name] for name in ("TMPDIR", "TERM") if name in os.environ},
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), str(self.server.programs), os.environ["PATH"]]
            ),
            "PIP_NO_INDEX": "1",
            **self.hosts.environment,
        }
        if scene.roles:
            guide = examples(f"{given.GUIDES}shared_registry.rst")
            self.administer(next(each.text for each in guide if each.language == "sql"))
        self._fill_registry()
        for place, content in scene.files.items():
            self.write(place, content)
        for name, value in {
            **(given.EXPORTED if scene.exported else {}),
            **scene.environment,
        }.items():
            self.environment[name] = self.meant(value)
        for number in scene.refuses:
            self.simulator.fault("status", status=422, times=None, match={"did_number": number})

    def _fill_registry(self) -> None:
        scene = self.scene
        if not scene.registry or scene.registry.startswith("postgresql:"):
            return
        options = {"platform": PLATFORM}
        runner = Runner(self.simulator, FileStore(self._place(scene.registry)), options)
        assert runner.did_registry()["changed"]
        if scene.records:
            recorded = runner.did_registry(state="recorded", dids=list(scene.records))
            assert recorded["changed"], recorded
        for number in scene.unknown:
            self.simulator.fault("drop_after", match={"did_number": number})
            cut = runner.did(did_number=number, description="Sales")
            assert cut["error"]["kind"] == "unknown_outcome", cut
            self._attempt = cut["error"]["attempt"]

    def tear_down(self) -> None:
        """Take back what outlasts the scene: roles belong to all databases of a server."""
        store = DatabaseStore("", self.server.url(DATABASE))
        found = store.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE 'nextbilling%'")
        for (name,) in found:
            self.server.run(f"DROP OWNED BY {name} CASCADE", database=DATABASE)
            self.server.run(f"DROP ROLE {name}")

    def check_the_end(self) -> None:
        """Say what must hold in the end, whatever was done."""
        for words in self.scene.prints:
            assert words in self.printed, f"{words!r} was never printed:\n{self.printed}"
        for pattern in () if self.missing else self.scene.makes:
            assert any(map(_is_sound, self.folder.glob(pattern))), pattern
        assert sorted(self._said) == sorted(self.scene.says)
        assert self.simulator.duplicates() == {}
        assert self.hosts.refused == [], "something wanted to leave this machine"
        for secret in (
            self.simulator.token,
            self.simulator.key,
            *(given.OWNER, given.RUNNER, given.READER),
        ):
            assert secret not in self.printed

    # What can be done

    def administer(self, statements: str) -> None:
        """Run SQL as an administrator of the database."""
        self.server.run(statements, database=DATABASE)

    def run(self, command: str) -> str:
        """Run a command line as a shell does that has run all before it; return what it prints."""
        environment = self.environment
        for name in console.programs(command):
            if name not in _BUILT_IN and not shutil.which(name, path=environment["PATH"]):
                self.missing.add(name)
                return ""
        if command in _told:
            return _told[command]
        before = self._traces() if "--check" in command else None
        code, printed = self._shell(command)
        shown = f"$ {command}\n{printed}"
        self.printed += shown
        assert bool(code) == self.fails(command), f"exit code {code}:\n{shown}"
        if before is not None:
            assert self._traces() == before, f"{command} left traces"
        self._check_words(command, printed)
        for checksum in _CHECKSUM.findall(printed + self._review()):
            self._plan_checksum = checksum
        if _CONSTANT.match(command):
            _told[command] = printed
        return printed

    def _shell(self, command: str) -> tuple[int, str]:
        for place, content in self.scene.files.items():
            # Both are known only after a part of the document has run.
            if given.CHECKSUM in content or given.REGISTRY_ID in place:
                self.write(place, content)
        state = self.folder / ".state"
        script = (
            f'umask {self._umask}\n{self.meant(command)}\ncode=$?\nenv -0 > "{state}"\n'
            f'umask > "{state}.umask"\nexit $code'
        )
        typed = next((text for what, text in self.scene.typed.items() if what in command), "")
        run = in_terminal if typed and command.startswith("ansible-") else output_of
        code, printed = run(
            ["bash", "-c", script], self.folder, self.environment, self.meant(typed)
        )
        entries = state.read_text("utf-8").rstrip("\0").split("\0")
        self.environment = {
            name: value
            for name, _equals, value in (entry.partition("=") for entry in entries)
            if name not in ("_", "OLDPWD", "PWD", "SHLVL")
        }
        self._umask = (self.folder / ".state.umask").read_text("utf-8").strip()
        return code, printed

    def fails(self, command: str) -> bool:
        """Tell whether a command is to end with an error."""
        return any(command.startswith(part) for part in self.scene.fails)

    def _check_words(self, command: str, printed: str) -> None:
        due = list(self.scene.says)
        for said in self._said:
            due.remove(said)
        for said in due:
            if said[0] == command:
                assert said[1] in printed, f"{said[1]!r} is missing:\n{printed}"
                self._said.append(said)
                break

    def _traces(self) -> Any:
        """Return all that a check run could have touched."""
        files = {
            path: FileStore(path).traces()
            for path in self.folder.rglob("registry.db")
            if path.is_file()
        }
        traces = [self.simulator.requests(), files]
        if self.scene.in_database:
            database = DatabaseStore("", self.server.url(DATABASE), schema="nextbilling")
            traces.append(database.traces())
        return traces

    def _review(self) -> str:
        review = self.folder / "review" / "review.md"
        return review.read_text("utf-8") if review.exists() else ""

    # How things are called

    def meant(self, text: str) -> str:
        """Return a text with what is meant in place of what a document can only hint at."""
        values: Mapping[str, Callable[[], str]] = {
            "token": lambda: self.simulator.token,
            "key": lambda: self.simulator.key,
            "registry_id": self._registry_id,
            "attempt": lambda: self._attempt,
            "plan_checksum": lambda: self._plan_checksum,
            "folder": lambda: str(self.folder),
            "authority": lambda: str(self.hosts.authority),
        }
        for written, meant in given.STAND_INS.items():
            if written in text:
                text = text.replace(written, meant)
        return re.sub(
            r"(?<!\{)\{(\w+)\}(?!\})",
            lambda found: values[found[1]]() if found[1] in values else found[0],
            text,
        )

    def _registry_id(self) -> str:
        """Return the id of the registry; nothing if it is not made yet."""
        query = "SELECT value FROM {}meta WHERE name = 'registry_id'"
        if not self.scene.registry.startswith("postgresql:"):
            store = FileStore(self._place(self.scene.registry or given.DEFAULT_REGISTRY))
            return "" if store.is_empty() else str(store.rows(query.format(""))[0][0])
        database = DatabaseStore("", self.server.url(DATABASE))
        if database.rows("SELECT to_regclass('nextbilling.meta')") == [(None,)]:
            return ""
        return str(database.rows(query.format("nextbilling."))[0][0])

    def _place(self, registry: str) -> Path:
        """Return where the file of a registry is."""
        return Path(self.meant(registry).replace("~", str(self.folder)))

    def write(self, place: str, content: str) -> None:
        """Write a file into the reader's folder. A workbook is given as CSV with semicolons."""
        path = self.folder / self.meant(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".xlsx":
            by_excel(path, [line.split(";") for line in content.splitlines()])
            return
        path.write_text(self.meant(content), encoding="utf-8")
        if path.name == ".pgpass":
            path.chmod(0o600)  # libpq ignores it otherwise


def _is_sound(path: Path) -> bool:
    """Tell whether something is in a file; and a registry in one that is to hold one."""
    if path.suffix != ".db":
        return path.stat().st_size > 0
    return FileStore(path).rows("SELECT name FROM sqlite_master WHERE name = 'meta'") != []
