# The front door: `make run` and `make test` set up everything they need on Debian or Ubuntu with Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ONLY ?=

.PHONY: run test bench lint format protos docs clean

run: $(STAMP)  ## start a local cluster and run examples/wordcount on it
	$(BIN)/python examples/wordcount

test: $(STAMP) $(VENV)/.tested  ## run all tests, third-party clients included
	$(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

bench: $(VENV)/.tested  ## run the benchmarks; ONLY=B1,B3 picks some
	$(BIN)/python -m benchmarks --only "$(ONLY)"

lint: $(VENV)/.tested  ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: $(VENV)/.tested  ## compile proto/ into src/messor/protos
	$(BIN)/python tools/generate_protos.py

docs: $(VENV)/.tested  ## regenerate docs/reference from the code
	$(BIN)/python tools/make_reference.py

clean:
	rm -rf build $(VENV)

# Debian splits ensurepip off python3; scripts/setup installs it when it is missing and may be installed.
$(VENV)/bin/python:
	scripts/setup $(PYTHON) $(VENV)

$(STAMP): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.tested: $(STAMP) compat/pymesos/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]" -e ./compat/pymesos
	scripts/setup-interop
	@touch $@
