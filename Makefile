# One environment, in .venv, from the pinned versions in constraints.txt. `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The exact versions that are installed; another file tries other ones.
CONSTRAINTS ?= constraints.txt

.PHONY: setup demo test coverage test-fast test-oldest test-newest check lint types types-source types-rest docs soak
.PHONY: conformance bench torture mutation wheel wheel-test release clean

setup: $(STAMP)

$(STAMP): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(CONSTRAINTS) --editable '.[dev,docs]'
	touch $@

demo: setup
	$(BIN)/seedbed demo

# In parallel, in memory where there is room for it: what a power cut may leave is worked out from the calls that are
# recorded, so the suite needs no disk. `make torture` breaks stores on the real one. ORDER="--random-order" shuffles.
# Hundreds of tests start processes, so byte code is kept even where the user's environment says not to.
SHM       := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000 {print "/dev/shm"}')
TEST_TMP  ?= $(or $(SHM),$(TMPDIR),/tmp)
WORKERS   ?= auto
PYTEST    := TMPDIR=$(TEST_TMP) OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ORDER)

test: setup
	$(PYTEST)

# The same suite, measured: of all rooms 70 % of the lines and branches, of the records all.
coverage: setup
	$(PYTEST) --cov --cov-report=
	$(BIN)/python -m coverage report --fail-under 70
	$(BIN)/python -m coverage report --include 'src/seedbed/records/*' --fail-under 100 --show-missing --skip-covered

# For the inner loop: no crash programs, no trainings, nothing compiled.
test-fast: setup
	$(PYTEST) -m "not slow"

# `make --jobs 2 check docs` does these side by side.
check: lint types

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# The documentation as a site in build/site. It needs no network to be built or read. mkdocs looks for ruff in PATH.
docs: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Debian's promtool checks the metrics where it is installed, or where PROMTOOL says. It exits with 3 for its lint, which
# forbids gauges that end in _count; dashboards rely on these names.
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

# CONFORMANCE="--honest 20 --soaks 1" is a sample of it.
conformance: setup
	$(BIN)/python scripts/conformance.py $(CONFORMANCE)

bench: setup
	$(BIN)/python benchmarks/tgat.py
	$(BIN)/python benchmarks/records.py
	$(BIN)/python benchmarks/apply.py
	$(BIN)/python benchmarks/change.py
	$(BIN)/python benchmarks/effects.py
	$(BIN)/python benchmarks/schedulers.py
	$(BIN)/python benchmarks/loops.py
	$(BIN)/python benchmarks/loop_cost.py
	$(BIN)/python benchmarks/integrations_cost.py
	$(BIN)/python benchmarks/steering.py
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

# Types: src strictly, the rest by tests/mypy.ini, a folder at a time, since each may have a conftest of its own. Each
# of the two has a cache of its own.
TYPED := $(sort $(dir $(wildcard tests/*/*.py))) benchmarks scripts examples

types: types-source types-rest

types-source: setup
	$(BIN)/mypy

types-rest: setup
	$(BIN)/mypy --config-file tests/mypy.ini $(wildcard tests/*.py)
	set -e; for folder in $(TYPED); do \
	  echo $$folder; $(BIN)/mypy --config-file tests/mypy.ini $$folder; \
	done

# The suite with the oldest torch that pyproject.toml allows, or the newest, in an environment of its own.
test-oldest test-newest: test-%:
	rm -rf .venv-$*
	mkdir -p build
	$(PYTHON) scripts/torch_constraints.py $* > build/constraints-$*.txt
	$(MAKE) test VENV=.venv-$* CONSTRAINTS=build/constraints-$*.txt

# The sdist and the wheel, in dist; wheel-test also installs the wheel in a fresh environment and uses it there.
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
