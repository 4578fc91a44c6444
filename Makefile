# The commands of a working day; `make help` lists them.
#
# The checkout is installed into $(VENV) in editable mode, so an edited .py is live at the next start;
# `build`, which every command below runs first, compiles again just the extensions whose source changed.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 6379
ARGS ?=
FUZZ_EXAMPLES ?= 2000

BIN = $(VENV)/bin
SETTINGS = pyproject.toml setup.py
# Two builds at once would write the same files.
LOCK := $(shell command -v flock >/dev/null 2>&1 && echo flock .build.lock)
# What Balas needs comes first, in pip's usual way, for some of it may have to be compiled in an
# environment of its own. Then Balas, without compiling: pip would begin anew each time, `build` does not.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALL = BALAS_BUILD_ONLY= $(LOCK) $(PIP) --no-deps --no-build-isolation --editable .
MODULES = $(wildcard modules/*/balas_*)
CYTHON_SOURCES = $(shell find core modules -name '*.pyx' -o -name '*.pxd')
# Prints requirements that pyproject.toml names: `build`, `run`, or an extra such as `test`.
REQUIREMENTS = import sys, tomllib; \
	table = tomllib.load(open("pyproject.toml", "rb")); \
	extras = table["project"]["optional-dependencies"]; \
	run = table["project"]["dependencies"]; \
	named = {"build": table["build-system"]["requires"], "run": run}; \
	named |= {name: run + extra for name, extra in extras.items()}; \
	print(*named[sys.argv[1]], sep="\n")

.DEFAULT_GOAL := help
.PHONY: run test check format bench guard fuzz journeys build clean help

run: $(VENV)/.installed build  ## start the server on port 6379 with all bundled modules
	@exec $(BIN)/balas --port $(PORT) $(ARGS)

test: $(VENV)/.installed-test build  ## run the fast tests (under three minutes)
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

# cython-lint runs pycodestyle, and looks for it on the path.
check: $(VENV)/.installed-lint  ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy core/balas $(MODULES) bench
	PATH="$(abspath $(BIN)):$$PATH" cython-lint $(CYTHON_SOURCES)

format: $(VENV)/.installed-lint  ## bring every .py into the one format
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-test $(VENV)/.installed-bench build  ## compare with a real Redis; ARGS=--quick for a short look
	@$(BIN)/python -m bench.run $(ARGS)

guard: $(VENV)/.installed-test build  ## count instructions per request, against bench/budget.toml
	@$(BIN)/python -m bench.guard $(ARGS)

fuzz: $(VENV)/.installed-test build  ## random tests, at length; FUZZ_EXAMPLES=2000 per test
	@BALAS_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest --timeout 3600 -m "" \
		tests/fuzz tests/model $(ARGS)

journeys: $(VENV)/.installed-test $(VENV)/.installed-journeys build  ## whole stories: crashes, restarts, real clients
	@$(BIN)/python -m pytest --timeout 1800 -m "" tests/journeys $(ARGS)

build: $(VENV)/.ready  ## compile, in place, the extensions whose source changed
	@ls core/balas/*.so > /dev/null 2>&1 || echo "Compiling, which takes some minutes the first time."
	@$(LOCK) $(BIN)/python setup.py --quiet build_ext --inplace

clean:  ## remove what a build leaves behind, not the virtual environment
	@find core modules \( -name '*.so' -o -name '*.c' -o -name '*.cpp' -o -name '*.html' \) -delete
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f $(VENV)/.installed*

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo
	@echo "ARGS= passes arguments on: make run ARGS='--maxmemory 1gb', make test ARGS='-k expire'"
	@echo "VENV= names the virtual environment ($(VENV)), PYTHON= the interpreter ($(PYTHON))"

# A virtual environment that can build: the requirements are those pyproject.toml names.
$(VENV)/.ready: $(SETTINGS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Balas needs Python 3.11+")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c '$(REQUIREMENTS)' build | $(PIP) --requirement /dev/stdin
	@touch $@

$(VENV)/.installed: $(VENV)/.ready
	@echo "Installing Balas into $(VENV)."
	@$(BIN)/python -c '$(REQUIREMENTS)' run | $(PIP) --requirement /dev/stdin
	@$(INSTALL)
	@touch $@

$(VENV)/.installed-%: $(VENV)/.ready
	@echo "Installing Balas and what '$*' needs into $(VENV)."
	@$(BIN)/python -c '$(REQUIREMENTS)' '$*' | $(PIP) --requirement /dev/stdin
	@$(INSTALL)
	@touch $@
