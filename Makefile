# `make demo` and `make test` are all a new user needs; each sets everything up first.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help setup demo demo-fresh test lint check bench eval lean-client aider-client clean

help:
	@echo "make demo        set up, then run the whole loop once and print where the report is"
	@echo "make test        set up, then lint, type-check and run the tests"
	@echo "make demo-fresh  the demo from scratch: removes .qc-lora first"
	@echo "make bench       measure, print tables, write bench/results/*.json"
	@echo "make eval        score the newest model on the smoke suite, write bench/results/eval.json"
	@echo "make lean-client the real lean client in an environment of its own (380 MB), for 4 tests more"
	@echo "make aider-client the real Aider in an environment of its own (690 MB), for 7 tests more"
	@echo "make clean       remove .venv and build files; .qc-lora and the cache stay"

setup:
	@$(PYTHON) deploy/bootstrap.py --venv $(VENV)

demo: setup
	@$(BIN)/qc-lora demo

demo-fresh: setup
	@$(BIN)/qc-lora demo --fresh

test: setup lint
	@$(BIN)/python -m pytest

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup
	@for file in $(filter-out bench/proxies.py,$(sort $(wildcard bench/*.py))); do echo "== $$file"; $(BIN)/python $$file || failed=1; done; exit $${failed:-0}

eval: setup
	@$(BIN)/qc-lora eval --out bench/results/eval.json

lean-client: setup
	@$(BIN)/python tests/backtest/engines/lean_client.py --make

aider-client: setup
	@$(BIN)/python tests/gateway/aider_client.py --make

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
