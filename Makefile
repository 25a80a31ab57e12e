# Everything is made here. `make run` and `make test` do all set-up by themselves.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
NODE_BUILD := build/node
TENSORFLOW := build/tensorflow
DATA ?=

.PHONY: help run test check sanitize bench bench-backbone bench-node bench-models size promises setup node peers clean
.DEFAULT_GOAL := help

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: setup node ## Start the demo plant; DATA=FOLDER plays the recordings in it instead
	$(BIN)/stethos demo $(if $(DATA),--data $(DATA))

test: test-packages setup check node peers micropython ## All checks and all tests
	$(BIN)/pytest -n 2 --dist loadfile
	$(MAKE) sanitize

# With TensorFlow, in a virtual environment of its own: two gigabytes and a minute or two.
.PHONY: test-tensorflow
test-tensorflow: test-packages $(TENSORFLOW)/.done node ## Classifiers of spectrograms, trained with TensorFlow; no part of `make test`
	$(TENSORFLOW)/bin/pytest -n 0 -s tests/tensorflow

check: test-packages setup ## ruff, mypy --strict, clang-format, clang-tidy, cppcheck, C warnings as errors
	$(BIN)/ruff check gateway tests nodes/c_tflm/tools nodes/micropython
	$(BIN)/ruff format --check gateway tests nodes/c_tflm/tools nodes/micropython
	$(BIN)/mypy
	$(MAKE) -s -C nodes/c_tflm check PYTHON=$(abspath $(BIN)/python) BUILD=$(abspath $(NODE_BUILD))

sanitize: test-packages setup ## The node's tests under ASan and UBSan, and a few seconds of each fuzzer
	$(MAKE) -s -C nodes/c_tflm sanitize fuzz PYTHON=$(abspath $(BIN)/python) BUILD=$(abspath $(NODE_BUILD))

setup: run-packages $(VENV)/.done ## Debian packages and the virtual environment

bench: bench-backbone bench-node bench-micropython bench-models ## All benches: figures into build/figures.json and docs/promises.md, in about two hours
	$(MAKE) promises

promises: setup ## The figures of build/figures.json into docs/promises.md
	$(BIN)/python -m tests.bench.page

# One group alone, or a try of it: make bench-backbone GROUPS="ingest-udp latency --short"
bench-backbone: test-packages setup node peers ## The spine under load and faults
	$(BIN)/python -m tests.bench.backbone $(GROUPS)

# The same: make bench-node GROUPS="network core". TFLM_DIR=PREFIX measures TensorFlow Lite Micro beside it.
bench-node: test-packages setup node ## The node in C: instructions, flash, RAM, stack, battery
	$(BIN)/python -m tests.bench.node $(GROUPS)

# The same: make bench-micropython GROUPS="heap wake"
bench-micropython: test-packages setup micropython ## The node in MicroPython: speed, heap, bytes, milliseconds
	$(BIN)/python -m tests.bench.micropython $(GROUPS)

# The same: make bench-models GROUPS="rosa fan"; the recordings lie in ../shared/data
bench-models: test-packages setup node ## Models and learners on recordings: detection, false alarms, int8, training
	$(BIN)/python -m tests.bench.models $(GROUPS)

size: test-packages setup ## Flash, RAM and worst stack of the node's core, by module and function
	@$(MAKE) -s -C nodes/c_tflm size PYTHON=$(abspath $(BIN)/python) BUILD=$(abspath $(NODE_BUILD))

deb: deb-packages node ## The Debian package: build/stethos_<version>_<architecture>.deb
	deploy/debian/build

.PHONY: deb run-packages test-packages deb-packages
run-packages test-packages deb-packages: %-packages:
	@deploy/system-packages $*

# With the distribution's Python, where it can: the Debian package runs on that one.
CAN := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
MAKE_VENV = for python in /usr/bin/python3 python3; do $$python -c '$(CAN)' 2>/dev/null && break; done && \
	$$python -m venv --clear
$(VENV)/.done: pyproject.toml constraints.txt | run-packages
	$(MAKE_VENV) $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,demo]'
	touch $@

$(TENSORFLOW)/.done: pyproject.toml constraints.txt | run-packages
	$(MAKE_VENV) $(TENSORFLOW)
	$(TENSORFLOW)/bin/pip install -q -c constraints.txt -e '.[dev,tensorflow]'
	touch $@

node: setup ## The C node for this machine: build/node/stethos-node
	$(MAKE) -s -C nodes/c_tflm PYTHON=$(abspath $(BIN)/python) BUILD=$(abspath $(NODE_BUILD))

.PHONY: micropython
micropython: test-packages ## MicroPython's unix port and cross compiler, for the tests: build/micropython
	@tests/micropython/build build/micropython

peers: tests/system/peers/node_modules/.done ## The SCADA clients nobody here wrote, from npm

tests/system/peers/node_modules/.done: tests/system/peers/package.json | test-packages
	cd tests/system/peers && npm install --no-package-lock --no-fund --no-audit --loglevel=error --ignore-scripts
	touch $@

clean: ## Remove what was made here
	rm -rf build $(VENV) tests/system/peers/node_modules
