# One environment, in .venv, from the pinned versions in constraints.txt. `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The exact versions that are installed; another file tries other ones.
CONSTRAINTS ?= constraints.txt

.PHONY: setup demo test check soak conformance bench torture mutation clean

setup: $(STAMP)

$(STAMP): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev]'
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

# Debian's promtool checks the metrics where it is installed, or where PROMTOOL says. Its exit code 3 is its linter's,
# which would have no gauge end in _count; the names are those that a soak's dashboards know.
PROMTOOL ?= promtool
SOAKS    := build/soak

soak: setup
	rm -rf $(SOAKS)
	$(BIN)/seedbed soak run --mock --auto-tune --iterations 24 --out $(SOAKS)
	$(BIN)/seedbed soak verify --path $(SOAKS) --strict
	$(BIN)/seedbed soak gate --path $(SOAKS) --prometheus
	if command -v $(PROMTOOL) >/dev/null; then \
	  $(PROMTOOL) check metrics < $(SOAKS)/latest/POST_SOAK_METRICS.prom || [ $$? -eq 3 ]; \
	fi

conformance: setup
	$(BIN)/python scripts/conformance.py

bench: setup
	$(BIN)/python benchmarks/tgat.py
	$(BIN)/python benchmarks/records.py
	$(BIN)/python benchmarks/apply.py
	$(BIN)/python benchmarks/change.py
	$(BIN)/python benchmarks/schedulers.py
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/soak_market.py
	$(BIN)/python benchmarks/soak_training.py

torture: setup
	$(BIN)/python scripts/torture_records.py
	$(BIN)/python scripts/kill_demo.py --kills 20

# cosmic-ray brings versions of its own, so it has an environment of its own.
mutation: setup
	$(PYTHON) -m venv .venv-mutation
	.venv-mutation/bin/python -m pip install --quiet cosmic-ray==8.7.0
	$(BIN)/python scripts/mutate_durable.py
	$(BIN)/python scripts/mutation.py --cosmic-ray .venv-mutation/bin/cosmic-ray

# Types: src strictly, then the rest by tests/mypy.ini, a folder at a time, since each may have a conftest of its own.
.PHONY: types
TYPED := $(sort $(dir $(wildcard tests/*/*.py))) benchmarks scripts examples

types: setup
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini $(wildcard tests/*.py)
	set -e; for folder in $(TYPED); do \
	  echo $$folder; $(BIN)/mypy --config-file tests/mypy.ini $$folder; \
	done

# The suite with the oldest torch that pyproject.toml allows, or the newest, in an environment of its own.
.PHONY: test-oldest test-newest
test-oldest test-newest: test-%:
	rm -rf .venv-$*
	mkdir -p build
	$(PYTHON) scripts/torch_constraints.py $* > build/constraints-$*.txt
	$(MAKE) test VENV=.venv-$* CONSTRAINTS=build/constraints-$*.txt

# The sdist and the wheel, in dist; wheel-test also installs the wheel in a fresh environment and uses it there.
.PHONY: wheel wheel-test release
WHEEL_OPTIONS ?=

wheel:
	$(PYTHON) scripts/test_wheel.py --build-only

wheel-test:
	$(PYTHON) scripts/test_wheel.py $(WHEEL_OPTIONS)

# `make release RELEASE_OPTIONS=--check-only` checks and builds nothing.
RELEASE_OPTIONS ?=

release:
	$(PYTHON) scripts/release.py $(RELEASE_OPTIONS)

clean:
	rm -rf $(VENV) .venv-mutation .venv-oldest .venv-newest build dist
