# The commands of a working day. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

build:  ## compile the extensions in place
	@flock .build.lock $(BIN)/python setup.py -q build_ext --inplace
.PHONY: build
