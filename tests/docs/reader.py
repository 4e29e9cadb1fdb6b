# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who does what the documentation says: passage by passage, as far as a scene goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Template
from typing import Any

import yaml

from ansible_collections.nextbilling.did.plugins.module_utils._module.arguments import shared_spec
from ansible_collections.nextbilling.did.tests.docs import console, reading
from ansible_collections.nextbilling.did.tests.docs.examples import Example
from ansible_collections.nextbilling.did.tests.docs.outputs import (
    changed,
    differences,
    statuses,
)
from ansible_collections.nextbilling.did.tests.docs.stage import Stage

_OPTION_IN_COMMENT = re.compile(rf"^( +)# ((?:{'|'.join(shared_spec())}): .+)$", re.M)


class Reader:
    """Goes through a scene on a stage that is set up for it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._passages = stage.scene.passages()

    def read(self) -> None:
        """Do what all passages of the scene tell."""
        for example in self._passages:
            # Some documents show how a file is used before they show the file.
            self._keep(example)
        for last in (False, True):
            for example in self._passages:
                if last == (reading.kind(example) in reading.PARTS):
                    self._perform(example)
        for example in self._passages:
            if example.is_playbook and _OPTION_IN_COMMENT.search(example.text):
                self._play_with_comments(example)

    def _keep(self, example: Example) -> None:
        """Write an example into the file that the document makes of it, if it does."""
        if name := reading.file_name(example):
            self._stage.write(name, example.text)

    def _perform(self, example: Example) -> None:
        if example.language in console.TYPED:
            for line in console.lines(example):
                self._type(line)
        elif example.language == "sql":
            self._stage.administer(example.text)
        else:
            # Of two files of one name, it is the one that was shown last that counts.
            self._keep(example)
            self._deeds()[reading.kind(example)](example)

    def _deeds(self) -> Mapping[str, Callable[[Example], None]]:
        return {
            reading.PLAYBOOK: self._play,
            reading.TASKS: self._play_tasks,
            reading.DIDS: self._provision,
            reading.PIPELINE: self._pass_through,
            reading.ROLE: self._play_role,
            reading.OPTIONS: self._look,
            reading.KEYWORDS: self._look_with_keywords,
            # Other passages say what is done with these, or given.py says why nothing is.
            **dict.fromkeys(
                (reading.PASTED, reading.TABLE, reading.AWX, reading.OTHER), lambda example: None
            ),
        }

    def _play(self, example: Example) -> None:
        """Play a whole playbook in check mode, and in earnest, unless the document itself says how."""
        if reading.file_name(example):
            return
        self._stage.write("playbook.yml", example.text)
        foreseen = self._stage.run("ansible-playbook playbook.yml --check --diff")
        done = self._stage.run("ansible-playbook playbook.yml --diff")
        if not self._stage.fails("ansible-playbook playbook.yml --diff"):
            assert changed(foreseen) == changed(done), foreseen + done

    def _play_with_comments(self, example: Example) -> None:
        """Play a playbook whose options in comments are taken out of them: it changes nothing that it has not changed without."""
        self._stage.write("commented.yml", _OPTION_IN_COMMENT.sub(r"\1\2", example.text))
        printed = self._stage.run("ansible-playbook commented.yml --check --diff")
        assert changed(printed) == [0], printed

    def _play_tasks(self, example: Example) -> None:
        """Play tasks in a play of their own, each in check mode and in earnest."""
        tasks = []
        texts = re.split(r"^(?=- )", example.text, flags=re.M)
        for number, text in enumerate(text for text in texts if text.startswith("- ")):
            self._stage.write(f"task-{number}.yml", text)
            load = {"ansible.builtin.import_tasks": f"task-{number}.yml"}
            tasks += [{**load, "check_mode": True}, load]
        self._write_play("tasks.yml", **self._stage.scene.play, tasks=tasks)
        printed = self._stage.run("ansible-playbook tasks.yml --diff")
        ends = list(statuses(printed))[-len(tasks) :]
        assert ends[::2] == ends[1::2], printed

    def _provision(self, example: Example) -> None:
        """Give a list of DIDs to the collection's own playbook."""
        command = f"ansible-playbook nextbilling.did.provision -e provision_src={reading.file_name(example)}"
        self._stage.run(f"{command} --check --diff")
        self._stage.run(command)

    def _play_role(self, example: Example) -> None:
        """Play the role with variables, unless the document itself says how they are used."""
        if reading.file_name(example):
            return
        role = {"role": "nextbilling.did.provision", "vars": example.parse()}
        self._write_play("role.yml", roles=[role])
        self._stage.run("ansible-playbook role.yml --check --diff")
        self._stage.run("ansible-playbook role.yml --diff")

    def _look(self, example: Example) -> None:
        """Try options of a connection or a registry with the module that needs no others."""
        task = {"nextbilling.did.did_info": example.parse()}
        self._write_play("options.yml", tasks=[task])
        self._stage.run("ansible-playbook options.yml")

    def _look_with_keywords(self, example: Example) -> None:
        """Do the same with keywords of the play around the task."""
        tasks: list[dict[str, Any]] = [{"nextbilling.did.did_info": {}}]
        self._write_play("keywords.yml", **example.parse(), tasks=tasks)
        self._stage.run("ansible-playbook keywords.yml")

    def _pass_through(self, example: Example) -> None:
        """Run the jobs of a pipeline in their order, each with its own variables."""
        before = self._stage.environment
        for line, variables in reading.jobs(example.parse()):
            meant = {name: self._stage.meant(str(value)) for name, value in variables.items()}
            expanded = {
                name: Template(value).safe_substitute(before) for name, value in meant.items()
            }
            self._stage.environment = {**before, **expanded}
            self._type(console.Line(line))
        self._stage.environment = before

    def _write_play(self, name: str, **play: Any) -> None:
        """Write a playbook around what is no play by itself."""
        play = {"hosts": "localhost", "gather_facts": False, **play}
        self._stage.write(name, yaml.safe_dump([play], sort_keys=False))

    def _type(self, line: console.Line) -> None:
        if console.reasons(line.command):
            return
        printed = self._stage.run(line.command)
        problems = differences(line.output, printed)
        assert not problems, f"{line.command} prints something else: {problems}\n{printed}"
