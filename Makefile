# One door for every chore, the same here and in CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test unit check bench soak tools compiled stubs image clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Remesh needs Python 3.11 to 3.13; say which: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/.installed  ## a mesh on this machine: example models from S3 to a first prediction (ARGS=--exit ends it)
	$(BIN)/remesh demo $(ARGS)

test: $(VENV)/.installed  ## all tests; what needs a real server runs where `make tools` could get it
	$(BIN)/python -m pytest -n 2 tests/unit tests/contracts tests/tidy
	$(BIN)/python -m pytest tests/integration $(ARGS)

unit: $(VENV)/.installed  ## the tests that need nothing but Python
	$(BIN)/python -m pytest -n 2 tests/unit tests/contracts tests/tidy $(ARGS)

check: $(VENV)/.installed  ## all that can be judged without running the system
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.tidy.stubs --check

bench: $(VENV)/.installed  ## one measure: make bench NAME=coldstart ARGS=--quick
	$(BIN)/python -m bench.$(NAME) $(ARGS)

stubs: $(VENV)/.installed  ## generate adapter/stubs from protos/
	$(BIN)/python -m tests.tidy.stubs

tools:  ## the real servers that the integration tests use, into a cache outside the repository
	$(PYTHON) tests/tools/get.py $(ARGS)

compiled: $(VENV)/.installed  ## the adapter with its pure core compiled, beside those servers; prints how to run it
	@$(BIN)/python -m tests.tools.compiled

soak: $(VENV)/.installed  ## the long form of a test: make soak NAME=...
	$(BIN)/python -m tests.soak.$(NAME) $(ARGS)

image:  ## the container image
	docker build --tag remesh .

clean:  ## forget the environment
	rm -rf $(VENV)
