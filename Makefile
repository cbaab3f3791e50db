# Bedside. `make` lists the targets.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
export UV_SYSTEM_CERTS ?= 1
RESOLVE = --quiet --universal --generate-hashes --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help install demo test check spark bench lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

install: $(VENV)/.installed ## .venv and the locked packages, nothing else

$(VENV)/.installed: requirements.lock requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit("Bedside needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else None'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(VENV)/bin/uv pip sync --quiet --python $(PY) --require-hashes requirements.lock
	touch $@

demo: install ## the whole product with a demo hospital, in one process; prints one URL
	@DEMO_EHR=1 $(PY) manage.py demo

test: install ## the whole suite, on SQLite and memory, or on DATABASE_URL and REDIS_URL
	$(PY) -m pytest -q -rs -n logical --maxprocesses 4 --dist loadfile

check: install ## format, lint, types, import contracts, production settings
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	DEMO_EHR=0 BASE_URL=https://bedside.example.org REDIS_URL=redis://localhost/0 $(PY) manage.py check --deploy --fail-level WARNING

spark: install ## add Apache Spark to .venv, for `manage.py score_population --engine spark`
	$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements-spark.lock

bench: install ## ours against a peer, in one run; writes docs/benchmarks.md
	$(PY) -m bench

lock: install ## resolve pyproject.toml again
	$(VENV)/bin/uv pip compile $(RESOLVE) --extra train --extra synthesize --extra dev pyproject.toml -o requirements.lock
	$(VENV)/bin/uv pip compile $(RESOLVE) pyproject.toml -c requirements.lock -o requirements-run.lock
	$(VENV)/bin/uv pip compile $(RESOLVE) --extra spark pyproject.toml -c requirements.lock -o requirements-spark.lock

clean: ## what was built here; not var/, which holds data
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache build
