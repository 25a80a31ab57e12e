# Everything is made here. `make run` and `make test` do all set-up by themselves.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
DATA ?=

.PHONY: run test check setup system node peers wire clean

run: setup node ## Start the demo plant; DATA=<folder of recordings> plays those instead
	$(BIN)/stethos demo $(if $(DATA),--data $(DATA))

test: setup node peers check ## All checks and all tests
	$(BIN)/pytest -n 2

check: setup ## ruff, mypy --strict, clang-format, C warnings as errors
	$(BIN)/ruff check gateway tests
	$(BIN)/ruff format --check gateway tests
	$(BIN)/mypy
	$(MAKE) -C nodes/c_tflm check PYTHON=$(abspath $(BIN)/python)

setup: system $(VENV)/.done

system: ## Debian packages, where there is root and apt; says what is missing where there is not
	@deploy/system-packages

$(VENV)/.done: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,demo]'
	touch $@

node: setup ## The C node for this host: build/node/stethos-node
	$(MAKE) -C nodes/c_tflm PYTHON=$(abspath $(BIN)/python) BUILD=$(abspath build/node)

peers: tests/system/peers/node_modules/.done ## The SCADA clients nobody here wrote, from npm

tests/system/peers/node_modules/.done: tests/system/peers/package.json
	cd tests/system/peers && npm install --no-package-lock --no-fund --no-audit --loglevel=error --ignore-scripts
	touch $@

clean:
	rm -rf build $(VENV) tests/system/peers/node_modules
