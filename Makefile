# One command per task. Each does everything it needs, from a fresh clone on.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
CORE := actors/gate/*,actors/runtime/*,actors/safety.py,models/safety.py,models/fuse.py
PACKAGES := pems_actors actors solvers config models

.PHONY: help setup run simulate test fast lint bench clean

help:
	@echo "make run       run the demo house (ARGS=\"--for 1m\")"
	@echo "make simulate  a simulated week with its scorecard (ARGS=\"--days 2\")"
	@echo "make test      all tests with coverage"
	@echo "make fast      the quick tests, without coverage (ARGS=\"tests/config\")"
	@echo "make lint      ruff, mypy --strict, layers"
	@echo "make bench     the table of figures"
	@echo "make setup     only create .venv and install"

setup: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $(STAMP)

run: $(STAMP)
	$(BIN)/python -m pems_actors run $(ARGS)

simulate: $(STAMP)
	$(BIN)/python -m pems_actors simulate $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report --fail-under=85
	@echo "gate, safety rules and runtime:"
	@$(BIN)/coverage report --include='$(CORE)' --fail-under=95

fast: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" -x $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(PACKAGES)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf $(VENV) var .coverage .coverage.* build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
