# `make demo` and `make test` need Python >= 3.11 with pip, and use uv where it is on PATH.
# They make the environments they need: .venv-demo (the package alone) and .venv (everything).

.DEFAULT_GOAL := help
.PHONY: help demo test environments rooms static lint types imports docs check bench stress build clean

UV := $(shell command -v uv 2>/dev/null)
ifndef PYTHON
PYTHON := $(shell for candidate in python3 python3.13 python3.12 python3.11 python; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$candidate && break; \
	done)
endif
RUN := .venv/bin/python -m
ROUNDS ?= 200
PLACE ?= letta-fake
ROOMS := tests/langchain tests/llama_index $(addprefix tests/langgraph/test_,nodes.py core_memory_namespaces.py \
	with_frameworks.py store.py)

help:
	@echo "make demo     a memory at work, in a minute: no key, no server (ARGS='PATH' plays your own file)"
	@echo "make test     the tests, on three processes (ARGS='-k name' for some of them)"
	@echo "make rooms    the adapters' tests with memory on PLACE=$(PLACE) (postgres, letta, letta-fake)"
	@echo "make check    tests, lint, types, import rules and documentation"
	@echo "make docs     the documentation, in site/"
	@echo "make bench    measurements (ARGS=peers: beside other libraries)"
	@echo "make stress   kill -9 of writers and learners, ROUNDS=$(ROUNDS) times"
	@echo "make build    the wheel and the source archive, in dist/"
	@echo "make clean    remove the environments and everything that was made"

demo: .venv-demo/.stamp
	@.venv-demo/bin/ai-memory demo $(ARGS)

# Three for two processors: a good part of the tests waits for servers and for the disk.
test: .venv/.stamp
	@$(RUN) pytest -q -n 3 --dist worksteal $(ARGS)

# Both at once with `make -j 2 environments`. The tests of Letta install their server themselves where it is not there.
environments: .venv/.stamp .venv-letta

.PHONY: .venv-letta
.venv-letta:
	@test -z "$(PYTHON)" || PYTHONPATH=tests $(PYTHON) -m letta.server

rooms: .venv/.stamp
	@PYTHONPATH=tests $(RUN) pytest -q -n 2 -p elsewhere --place=$(PLACE) $(ROOMS) $(ARGS)

lint: .venv/.stamp
	@$(RUN) ruff check -q .
	@$(RUN) ruff format -q --check .

types: .venv/.stamp
	@$(RUN) mypy

imports: .venv/.stamp
	@.venv/bin/lint-imports --no-logo

docs: .venv/.stamp
	@NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build -q --strict

static: lint types imports docs

check: static test

bench: .venv/.stamp
	@$(RUN) benchmarks $(ARGS)

stress: .venv/.stamp
	@AI_MEMORY_STRESS_ROUNDS=$(ROUNDS) $(RUN) pytest -q -o timeout=0 tests/journal/test_crash.py tests/letta/test_learning_crashes.py $(ARGS)

build: .venv/.stamp
	@$(RUN) hatchling build

clean:
	rm -rf .venv .venv-demo .venv-peers .venv-letta dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp: pyproject.toml
	$(call environment,.venv)
	@.venv/bin/python -c 'import tomllib; groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; \
		print("\n".join(groups["test"] + groups["lint"] + groups["docs"]))' > .venv/groups.txt
	@$(call install,.venv) -e '.[all]' -r .venv/groups.txt
	@touch $@

.venv-demo/.stamp: pyproject.toml
	$(call environment,.venv-demo)
	@$(call install,.venv-demo) -e .
	@touch $@

# An environment that can be installed into; one that is there is kept.
define environment
@test -n "$(UV)$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found: install it from" \
	"https://www.python.org/downloads/, name yours with make PYTHON=/path/to/python, or install uv." >&2; exit 1; }
@echo "Installing into $(1) (this once)"
@test -x $(1)/bin/python || $(if $(UV),uv venv -q --python "$(or $(PYTHON),>=3.11)",$(PYTHON) -m venv) $(1)
@$(if $(UV),,$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(1)/bin/python -m ensurepip >/dev/null)
endef

install = $(if $(UV),uv pip install -q --python $(1)/bin/python,$(1)/bin/python -m pip install -qq --disable-pip-version-check)
