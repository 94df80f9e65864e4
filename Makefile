# `make train` and `make test` need nothing but Python 3.10 to 3.13; both set up .venv on first use.

PYTHON ?= python3
BIN    := .venv/bin

.PHONY: train test check suite docs

train: .venv/installed
	$(BIN)/mpirun -np 2 $(BIN)/python -m baselines_ppo.run --env Humanoid-v4 --num-timesteps 110000

test: .venv/tested
	$(MAKE) --jobs=2 check suite

suite: .venv/tested
	$(BIN)/python -m pytest

check: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/tested
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip  # that of Python 3.10 can take an hour to choose versions
	$(BIN)/pip install --editable '.[mpich]'
	touch $@

.venv/tested: .venv/installed
	$(BIN)/pip install --editable '.[test]'
	touch $@
