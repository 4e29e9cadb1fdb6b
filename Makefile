# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Requires only Python >= 3.11 and a package index. Everything is installed into .venv and .nox, once, and again when Python
# or a file of requirements has changed.
#   PYTHON=…  use this Python      ARGS=…  pass arguments on, as in: make test ARGS="-k wire"

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VERSION := $(shell $(or $(PYTHON),false) -c 'import sys; print(sys.version_info >= (3, 11) and sys.version.split()[0] or "")' 2>/dev/null)

MADE := .venv/.made-by-$(or $(VERSION),python)
# By the pip that this Python has. If it has none, by one in .venv, which takes a few seconds more.
INSTALL_NOX := install --quiet --disable-pip-version-check --requirement requirements-dev.txt
NOX := .venv/bin/python -m nox --non-interactive
REQUIREMENTS := noxfile.py antsibull-nox.toml constraints.txt $(wildcard tests/*/requirements.txt)

# The sessions of nox that belong to a target: the one of the same name; for lint, the default sessions of nox.
session = $(if $(filter-out lint,$(1)),--session $(1))

.PHONY: help demo test test-all lint sanity proof coverage matrix docs pictures simulator benchmark clean
.SUFFIXES:
.NOTPARALLEL:

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 17

demo: ## show the collection at work against a simulated platform
test: ## run the tests for a change: the unit tests, the functional tests on SQLite, and the role (minutes)
test-all: ## run all tests except the long ones, on all kinds of registry, and all integration targets (half an hour)
lint: ## check and format sources, documentation, licences, changelog and the built collection (CI=true: format nothing)
sanity: ## run ansible-test's sanity tests
proof: ## run the long tests: attacks on the promises, and every example of the documentation (an hour)
coverage: ## run what test-all runs, and list the code in plugins/ that no test ran (half an hour)
matrix: ## run all tests on each supported ansible-core and Python that is installed (hours; ARGS="2.20 3.13 sanity" chooses)
docs: ## build the site of the documentation into .nox/docs/html
pictures: ## make the pictures of README and site anew, from the demo (needs Chromium)
simulator: ## run the simulated platform until interrupted
benchmark: ## measure speed and memory, compared with other ways to do the same (an hour; ARGS=--ratios: a quarter of it; ARGS=--full: hours)

demo test test-all lint sanity proof coverage docs pictures simulator benchmark: %: .nox/.%-installed
	@$(NOX) --reuse-existing-virtualenvs --no-install $(call session,$@) $(if $(ARGS),-- $(ARGS))

# It knows its environments only after it has chosen among them, so it installs them while it runs.
matrix: $(MADE)
	@$(NOX) --reuse-existing-virtualenvs --session $@ $(if $(ARGS),-- $(ARGS))

.nox/.%-installed: $(MADE) $(REQUIREMENTS)
	@echo "make $*: installing its requirements into .nox (once)"
	@$(NOX) --reuse-existing-virtualenvs --install-only $(call session,$*) \
		|| { echo "make $*: its requirements could not be installed; is a package index reachable?" >&2; exit 1; }
	@touch $@

$(MADE): requirements-dev.txt
	@test -n "$(VERSION)" || { echo "make: no Python >= 3.11 was found; name one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "make: $(PYTHON) lacks its venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "make: installing nox into .venv (once)"
	@rm -rf .venv .nox
	@$(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python .venv $(INSTALL_NOX) > .venv/install.log 2>&1 \
		|| { .venv/bin/python -m ensurepip && .venv/bin/python -m pip $(INSTALL_NOX); } >> .venv/install.log 2>&1 \
		|| { echo "make: nox could not be installed; is a package index reachable? See .venv/install.log" >&2; exit 1; }
	@touch $@

clean: ## remove what make, nox and tests have created
	rm -rf .ansible .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache .venv tests/output nextbilling-did-*.tar.gz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
