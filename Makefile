# One environment, in .venv, from the pinned versions in constraints.txt. `make demo` and `make test` need nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup demo test test-fast check docs soak conformance bench torture mutation clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

demo: setup
	$(BIN)/seedbed demo

# In parallel, in memory where there is room for it: what a power cut may leave is worked out from the calls that are
# recorded, so the suite needs no disk. `make torture` breaks stores on the real one. ORDER="--random-order" shuffles.
SHM       := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 4000000 {print "/dev/shm"}')
TEST_TMP  ?= $(or $(SHM),$(TMPDIR),/tmp)
WORKERS   ?= auto
PYTEST    := TMPDIR=$(TEST_TMP) OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ORDER)

test: setup
	$(PYTEST) --cov --cov-report=
	$(BIN)/python -m coverage report --fail-under 70
	$(BIN)/python -m coverage report --include 'src/seedbed/records/*' --fail-under 100 --show-missing --skip-covered

# For the inner loop: no crash programs, no trainings, nothing compiled.
test-fast: setup
	$(PYTEST) -m "not slow"

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) types
	$(BIN)/lint-imports

# The documentation as a site in build/site. It needs no network to be built or read. mkdocs looks for ruff in PATH.
docs: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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

clean:
	rm -rf $(VENV) .venv-mutation build dist
