# The few commands everyone uses. Each sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup demo up down test test-cluster bench images lint clean
help:            ## show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "EarthEye needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

setup: $(STAMP)  ## make .venv with everything pinned

demo: $(STAMP)   ## from imagery to a served map, on a synthetic world, with nothing but Python
	$(BIN)/eartheye demo --run runs/demo

up: $(STAMP)     ## start the real servers on this machine: PostgreSQL, MinIO, Kafka, MLflow, Triton
	$(BIN)/eartheye stack up

down: $(STAMP)   ## end them; their data stay
	$(BIN)/eartheye stack down

test: $(STAMP)   ## all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-cluster: $(STAMP) ## the manifests on a real control plane with simulated nodes; its programs are built by Go the first time
	$(BIN)/python -m pytest -q -s tests/cluster/trial.py

bench: $(STAMP)  ## ours beside its peers; the model is that of the demo
	$(BIN)/python -m benchmarks.zonal
	$(BIN)/eartheye demo --run runs/demo
	$(BIN)/python -m benchmarks.mapping --run runs/demo

images: $(STAMP) ## the container images, by docker, podman or buildah
	$(BIN)/python docker/build.py

lint: $(STAMP)   ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:           ## remove the virtual environment and the runs
	rm -rf $(VENV) runs
