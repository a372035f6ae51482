# `make demo` and `make test` do everything on a machine with python3 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-soak check bench setup setup-dev lock clean

demo: setup
	$(BIN)/strand demo

test: setup-dev
	$(BIN)/python -P -m pytest

# Safety over 5,000 seeds: about half an hour on two cores.
test-soak: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.soak.safety

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.bench

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.dev

$(VENV)/.runtime: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(PIP) install --no-deps --require-hashes -r requirements-dev.txt
	touch $@

# Needs uv on the PATH. The overrides say why beside them.
COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	--override requirements-overrides.txt
lock:
	$(COMPILE) pyproject.toml --extra embedded --extra sim --extra build -o requirements.txt
	$(COMPILE) pyproject.toml --extra embedded --extra sim --extra build --extra dev -c requirements.txt -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
