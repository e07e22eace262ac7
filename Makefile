# make demo: the main job on simulated X-rays     make test: the tests     make check: format, lint, types, arrows
# make bench: radiomics engines side by side; deep features and statistics beside what they could cost
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN = $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test check bench clean

demo: $(VENV)/.run
	$(BIN)/trabecula demo demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev,train,pacs,cluster,remote]"
	touch $@

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/costs.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/deep.py

clean:
	rm -rf $(VENV) build demo
