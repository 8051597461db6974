# These commands are all the set-up there is:
#   make demo                      a synthetic data set, trained on, judged, reported
#   make demo DATA=cell_images.zip the same on NLM's real cells
#   make test                      lint, types and every test
#   make docs                      the documentation, build/site/index.html
PYTHON ?= python3
BIN := .venv/bin
DATA ?=
RUN ?= runs/demo

.PHONY: demo test docs clean

demo: .venv/installed
	$(BIN)/hemozoin demo --out $(RUN) $(if $(DATA),--data $(DATA))

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

docs: .venv/installed
	$(BIN)/properdocs build --strict

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	touch $@

clean:
	rm -rf .venv runs
