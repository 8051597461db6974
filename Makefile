# These commands need Python 3.11 and pip, and install everything else in .venv:
#   make demo                      a run on synthetic data: train, test, report, screen
#   make demo DATA=cell_images.zip the same on NLM's real cells
#   make check                     lint, types, layers and the quick tests, before a commit
#   make test                      lint, types, layers and every test
#   make fuzz                      damaged and hostile input for an hour, or MINUTES=5
#   make docs                      the documentation, build/site/index.html
PYTHON ?= python3
BIN := .venv/bin
DATA ?=
RUN ?= runs/demo
MINUTES ?= 60
# Two processes: tests that train or screen use several threads themselves. A waiting thread leaves
# its core to the other process.
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/pytest -n 2 --dist worksteal

.PHONY: demo check test fuzz lint docs clean

demo: .venv/installed
	$(BIN)/hemozoin demo --out $(RUN) $(if $(DATA),--data $(DATA))

check: lint
	$(PYTEST) -m "not slow and not real"

test: lint
	$(PYTEST)

fuzz: .venv/installed
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: .venv/installed
	$(BIN)/properdocs build --strict

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	touch $@

clean:
	rm -rf .venv runs
