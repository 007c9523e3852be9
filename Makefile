# run                   start the demo desk: the page, the gate and a simulated exchange  make run ARGS="--no-browser"
# test, test-long       run the tests; those that search for minutes                      make test ARGS="tests/core -x"
# check, bench          format, lint, types, import contracts; the benchmarks against their budgets
# vendor, screenshots   copy the page's libraries anew, after a change in package.json; picture the page for docs/
# clean, .venv          remove what these verbs made; make or repair what they need: make clean test PYTHON=python3.13

PYTHON ?= python3
PIP_INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all:

# Each is empty when all is well. .venv is broken when its stamp (the folder it was made in) is missing, as after an
# install that was interrupted; or names another folder, whose code it would run; or its Python is gone.
BROKEN = $(shell { test "$$(cat .venv/stamp)" = "$$(pwd -P)" && .venv/bin/python -c 'import pip'; } 2>/dev/null \
	|| echo broken)
TOO_OLD = $(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || echo too old)
NO_VENV = $(shell $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || echo no venv)

.PHONY: run test test-long check bench vendor screenshots clean .venv broken

run: .venv/stamp
	@.venv/bin/ordergate demo $(ARGS)

test: HOW = -n 4 --dist loadfile  # more than cores: much of the time is a browser or a process, waited for
test-long: HOW = -n 2 --dist load -m slow -vv
test test-long: .venv/stamp-dev
	.venv/bin/python -m pytest $(HOW) $(ARGS)

check: .venv/stamp-dev
	.venv/bin/ruff format --check && .venv/bin/ruff check
	.venv/bin/mypy && .venv/bin/lint-imports
	.venv/bin/python -m tools.page_types

bench: .venv/stamp
	.venv/bin/python -m bench $(ARGS)

vendor screenshots: .venv/stamp-dev
	.venv/bin/python -m tools.$@

clean:
	rm -rf .venv .artefacts .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: .venv/stamp

.venv/stamp: requirements.lock pyproject.toml $(BROKEN)
	$(if $(TOO_OLD),$(error '$(PYTHON)' is not Python 3.11 or newer: name one that is, as in: make PYTHON=python3.12))
	$(if $(NO_VENV),$(error '$(PYTHON)' lacks venv or ensurepip: install them (Debian, Ubuntu: python3-venv)))
	@echo "Installing into .venv ..."
	@rm -f .venv/stamp .venv/stamp-dev
	@$(if $(BROKEN),$(PYTHON) -m venv --clear .venv)
	@$(PIP_INSTALL) $(LOCKED) -r requirements.lock
	@$(PIP_INSTALL) --no-index --no-deps --no-build-isolation -e .
	@pwd -P >.venv/stamp

.venv/stamp-dev: .venv/stamp requirements-dev.lock
	@echo "Installing the development tools into .venv ..."
	@mv .venv/stamp .venv/unfinished
	@$(PIP_INSTALL) $(LOCKED) -r requirements-dev.lock
	@mv .venv/unfinished .venv/stamp && touch .venv/stamp-dev
