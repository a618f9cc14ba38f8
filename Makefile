# One environment, in .venv, from the pinned versions in constraints.txt. `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test check bench torture mutation clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/seedbed demo

test: setup
	$(BIN)/python -m pytest --ignore tests/records
	$(BIN)/python -m coverage run -m pytest tests/records
	$(BIN)/python -m coverage report

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
	$(BIN)/python scripts/torture_records.py
	$(BIN)/python scripts/kill_demo.py --kills 20

# cosmic-ray brings versions of its own, so it has an environment of its own.
mutation: setup
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install --quiet cosmic-ray==8.7.0
	$(BIN)/python scripts/mutate_durable.py
	$(BIN)/python scripts/mutation.py --cosmic-ray .venv-mutation/bin/cosmic-ray

clean:
	rm -rf $(VENV) .venv-mutation build dist
