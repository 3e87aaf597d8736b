# make run: show your balance, or the demo's.  make test: all checks and tests.  make quick: tests that start no process.
.DEFAULT_GOAL := help
.PHONY: help run test quick check web node bench picture clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/installed ## Install into .venv and show your balance, or the demo's when no key is set
	@if printf %s "$${OPENROUTER_API_KEY:-}$${ANTHROPIC_AUTH_TOKEN:-}" | grep -q '[^[:space:]]'; \
	then $(BIN)/orcredit status || [ $$? -le 3 ]; \
	else echo "No key is set (OPENROUTER_API_KEY): this is the demo."; $(BIN)/orcredit status --demo; fi
	@echo "The program is $(BIN)/orcredit; README.md says how to have it as orcredit everywhere."

test: check ## Run every check and test
	$(BIN)/python -m pytest --cov --cov-report=term

quick: $(VENV)/quick ## Run the tests that start no process and no browser, in about a minute
	$(BIN)/python -m pytest --numprocesses=4 -m "not process"

check: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

web: node ## Check, test and build the web page (needs Node.js)
	@# Without an installed orcredit the committed description is used; a test compares it with the server's.
	@if [ -e $(VENV)/installed ]; then $(BIN)/python web/describe.py; fi
	cd web && npm ci && npm run types && npm run check && npm test && npm run build

node:
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null || \
	{ echo "The page is built with Node.js 20.19, 22.12 or newer; there is none here."; exit 1; }

bench: $(VENV)/dev ## Run the benchmarks
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

picture: $(VENV)/dev ## Draw the README's pictures of the table and the page (needs Chromium)
	$(BIN)/python docs/picture.py
	$(BIN)/python docs/screenshots.py
	$(BIN)/python docs/screenshots_team.py

clean: ## Remove the environments, builds and caches
	rm -rf $(VENV) web/node_modules dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage

# Stamp files: make installs again only when a prerequisite is newer.
$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "orcredit needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@# On Debian and Ubuntu venv needs the package python3-venv; an environment begun without it has no packages.
	@if [ -f $(VENV)/pyvenv.cfg ] && [ -z "$$(ls $(VENV)/lib/python*/site-packages 2>/dev/null)" ]; \
	then echo "Removing $(VENV), which was not finished ..."; rm -r $(VENV); fi
	@if [ -e $(VENV) ]; then $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	{ echo "$(VENV) is not an environment with pip: remove it, or name another with VENV=..."; exit 1; }; \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif command -v uv >/dev/null; then uv venv --quiet --seed --python "$$(command -v $(PYTHON))" $(VENV); \
	elif command -v virtualenv >/dev/null; then virtualenv --quiet --python "$$(command -v $(PYTHON))" $(VENV); \
	else echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv, then make again"; exit 1; fi
	@$(PIP) "pip>=25.1"
	@touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml constraints.txt
	@echo "Installing into $(VENV) ..."
	@$(PIP) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/quick: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) --constraint constraints.txt --group quick
	@touch $@

$(VENV)/dev: $(VENV)/installed
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP) --constraint constraints.txt --group dev
	@touch $@
