# One environment, in .venv, from the pinned versions in constraints.txt. `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test check bench torture clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/seedbed demo

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/test_docs.py tests/test_public_surface.py

bench: setup
	$(BIN)/python benchmarks/tgat.py
	$(BIN)/python benchmarks/records.py

torture: setup
	$(BIN)/python scripts/kill_demo.py --kills 20

clean:
	rm -rf $(VENV) build dist
