# Rapport on one machine. Needs make, Python 3.11 or later, Java 17 or later and Maven; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help up down reset demo test lint types contracts bench outages fuzz prove logs status token lock
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made anew whenever the pinned requirements change. What pip says goes to standard error: `make -s token`
# prints a token and nothing else, also on a fresh checkout.
INSTALLED := $(VENV)/installed-requirements-dev.txt

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

up: $(INSTALLED) ## Start everything; returns when all is ready and prints addresses and a token
	@$(BIN)/python -m deploy.local up

down: $(INSTALLED) ## Stop everything; data stays
	@$(BIN)/python -m deploy.local down

reset: $(INSTALLED) ## Stop everything and delete its data
	@$(BIN)/python -m deploy.local reset

status: $(INSTALLED) ## How every part is doing
	@$(BIN)/python -m deploy.local status

logs: $(INSTALLED) ## Follow the logs of all parts, or of one: make logs part=customers
	@$(BIN)/python -m deploy.local logs $(part)

token: $(INSTALLED) ## Print a token: make -s token [sub=ID] [permissions="a b"] [kind=employee|service]
	@$(BIN)/python -m deploy.local token $(foreach name,sub permissions kind,$(if $(filter command%,$(origin $(name))),'$(name)=$($(name))'))

demo: $(INSTALLED) ## Tell the story on real input, starting the system if it is down
	@$(BIN)/python -m deploy.demo.story

test: $(INSTALLED) lint types contracts ## All tests, from a clean checkout
	$(BIN)/pytest tests/unit tests/architecture tests/contract tests/service --numprocesses=2 --dist=loadfile $(PYTEST_OPTIONS)
	$(BIN)/pytest tests/end_to_end $(PYTEST_OPTIONS)

outages: $(INSTALLED) ## Take Kafka and PostgreSQL away under load, let consumers come and go, kill at each step of an import or distribution
	$(BIN)/pytest tests/chaos/test_outages.py tests/chaos/test_import_kills.py tests/chaos/test_distribution_kills.py \
		$(PYTEST_OPTIONS)

fuzz: $(INSTALLED) ## Ask every path of every document many times, as two users: make fuzz examples=50
	RAPPORT_FUZZ_EXAMPLES=$(or $(examples),50) $(BIN)/pytest tests/service/every_path/test_schemathesis.py $(PYTEST_OPTIONS)

lint: $(INSTALLED) ## Style and form of the code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED) ## Types
	$(BIN)/basedpyright

contracts: $(INSTALLED) ## Who may import whom
	$(BIN)/lint-imports --no-cache

bench: $(INSTALLED) ## Measure, each number beside its yardstick
	@$(BIN)/python -m tests.performance.bench

prove: $(INSTALLED) ## Switch each safeguard off and show that its test fails; some: make prove only="inbox relay-leader"
	@$(BIN)/python -m tests.chaos.prove $(only)

# Resolved for every platform at once, with hashes and without index addresses. The development
# requirements are held to the versions of the first file: what is tested is what is shipped.
COMPILE = pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
HEADING = \# Made by `make lock` from pyproject.toml; hashes, no index addresses.

lock: ## Resolve pyproject.toml into the two requirements files; newer versions with upgrade=yes
	@set -e; compiler=$$(mktemp -d); trap 'rm -rf "$$compiler"' EXIT; \
	$(PYTHON) -m venv "$$compiler"; "$$compiler/bin/pip" install --quiet --disable-pip-version-check uv; \
	compile() { \
		"$$compiler/bin/uv" $(COMPILE) $(if $(upgrade),--upgrade) pyproject.toml "$$@" >/dev/null; \
	}; \
	compile --output-file requirements.txt; \
	compile --extra local --extra dev --constraints requirements.txt --output-file requirements-dev.txt; \
	for file in requirements.txt requirements-dev.txt; do \
		{ printf '%s\n' '$(HEADING)'; cat $$file; } >"$$compiler/$$file"; cat "$$compiler/$$file" >$$file; \
	done

$(INSTALLED): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or later is needed and $(PYTHON) is not: install it, or name another with make PYTHON=..." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: install it (apt install python3-venv)." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@echo "Installing the requirements into $(VENV) ..." >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $< >&2
	@cp $< $@
