# beamlock: `make demo` runs two terminals, passes a file through the Verilog and writes a report; `make test` runs the
# tests. Both make their own virtual environment; nothing else is needed than Python 3.11 or newer and a C++ compiler.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow test-hdl-full lint benchmark clean

demo: $(READY)
	$(BIN)/beamlock run leo_crosslink --payload docs/report.png --encoder rtl --out runs/demo

test: lint
	$(BIN)/pytest -n 2

test-slow: $(READY)
	$(BIN)/pytest -n 2 -m slow tests

# Every width, option and stall of the Verilog, 100,000 random frames, coverage, proofs, mutations: some hours.
test-hdl-full: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,synthesis]'
	$(BIN)/pytest -n 2 -m "slow or not slow" hdl/tb tests/hdl

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: $(READY)
	$(BIN)/beamlock benchmark

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) runs build dist
