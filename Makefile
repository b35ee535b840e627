# `make run` starts everything, `make test` tests everything; both install what they lack.
.DEFAULT_GOAL := help
.PHONY: help setup run demo fmt check test bench docs i18n lock
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
T ?= tests

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed node_modules/.run ## Install everything `make run` needs

run: setup ## Start Serai with its demonstration network on http://127.0.0.1:8000/
	@exec $(BIN)/serai serve --demo

demo: setup ## Load the demonstration network without starting the server
	@$(BIN)/serai demo

fmt: .venv/installed ## Format the code
	$(BIN)/ruff format src tests tools
	$(BIN)/ruff check --fix-only --quiet src tests tools

check: .venv/installed ## Lint, types, architecture
	$(BIN)/ruff format --check src tests tools
	$(BIN)/ruff check src tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup node_modules/.test .venv/debian-test check ## All tests (T=tests/fhir for a part)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(T)

bench: setup ## Measure this commit beside bare floors (ROWS=read,create for some)
	$(BIN)/python -m tools.bench --rows "$(ROWS)"

docs: .venv/installed ## Write the reference pages that come from the code
	$(BIN)/python tools/fhir_reference.py
	$(BIN)/python tools/dicom_conformance.py
	$(BIN)/python tools/access_reference.py

i18n: .venv/installed ## Collect new strings into the catalogues
	$(BIN)/python tools/catalogues.py

lock: .venv/installed ## Renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --quiet --python-version 3.11 --generate-hashes --group dev pyproject.toml -o requirements.lock

.venv/installed: requirements.lock pyproject.toml
	@tools/debian_packages run
	@$(PYTHON) -c 'import sys; sys.exit("Serai needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "pip: requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m serai.web.catalogues
	@touch $@

node_modules/.run: npm-packages.lock.json | .venv/installed
	@$(BIN)/python tools/npm_packages.py run
	@touch $@

node_modules/.test: npm-packages.lock.json | .venv/installed
	@$(BIN)/python tools/npm_packages.py test
	@touch $@

.venv/debian-test: tools/debian_packages | .venv/installed
	@tools/debian_packages test
	@touch $@
