# Two commands do all the set-up: `make demo` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CORPUS := $(wildcard ../shared/corpus)
JOBS ?= 2
FUZZ := build/fuzz
FUZZ_SECONDS ?= 600
ATHERIS := atheris==3.0.0

.PHONY: demo test nightly fuzz check bench clean install install-test servers

demo: install
	$(BIN)/liaison demo

test: install-test servers
	$(if $(CORPUS),LIAISON_CORPUS=$(abspath $(CORPUS))) $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(PYTEST_ARGS)

# The properties of stays and of damaged messages over many more cases than each change is tried on.
nightly: install-test
	$(if $(CORPUS),LIAISON_CORPUS=$(abspath $(CORPUS))) LIAISON_EXAMPLES=10000 $(BIN)/python -m pytest -n $(JOBS) -o timeout=1800 tests/care tests/fuzz

# Coverage-guided: ten minutes by default, in an environment of its own, since nothing else needs atheris. Goes on where it stopped.
fuzz:
	test -x $(FUZZ)/venv/bin/python || $(PYTHON) -m venv $(FUZZ)/venv
	$(FUZZ)/venv/bin/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt --editable . $(ATHERIS) hypothesis
	$(if $(CORPUS),LIAISON_CORPUS=$(abspath $(CORPUS))) $(FUZZ)/venv/bin/python -m tests.fuzz.atheris_messages $(FUZZ)/corpus -max_total_time=$(FUZZ_SECONDS)

check: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --warnings

bench: install-test
	$(BIN)/python -m bench $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/.work build dist

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	touch $@

servers:
	./tests/servers/install
