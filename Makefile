# Set-up and checks of a checkout (GNU make, POSIX sh). Everything is installed into .venv.

PYTHON ?= python3
ARGS ?=
PIP_INSTALL := .venv/bin/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test foreign-tools browser lint bench bench-full tables literature experiments proofs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo "PYTHON=python3.12 chooses the Python of a new .venv (make clean removes the old one)."
	@echo "ARGS=... is passed on by demo, test, bench, bench-full, tables, proofs and lock."

demo: .venv/installed ## run the demonstration
	.venv/bin/certaudit demo $(ARGS)

test: .venv/installed foreign-tools browser ## run the tests
	.venv/bin/python -m pytest -n 2 $(ARGS)

# Programs that only tests need. Tests say loudly that they are skipped without them.
# $(1): the commands, $(2): their packages
define programs
@missing=; for tool in $(1); do command -v $$tool >/dev/null || missing=1; done; \
if [ -z "$$missing" ]; then exit 0; fi; \
if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || [ "$${CI-}" = true ]; }; then \
  { $$sudo apt-get update -q && $$sudo apt-get install -q -y --no-install-recommends $(2); } || \
    echo "$(2) could not be installed: the tests that need them are skipped" >&2; \
else \
  echo "for every test: sudo apt-get install $(2)" >&2; \
fi
endef

# Two other programs verify what we sign.
foreign-tools:
	$(call programs,openssl node npm,openssl nodejs npm)

# A browser shows the reports.
browser:
	$(call programs,chromium chromedriver,chromium chromium-driver)

lint: .venv/installed ## check style, types and the direction of imports
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/installed ## run the short benchmarks
	.venv/bin/python benchmarks/bench.py $(ARGS)

bench-full: .venv/installed ## run all benchmarks
	.venv/bin/python benchmarks/bench.py --full $(ARGS)

tables: .venv/installed ## make the tables and test vectors in tables/ again
	.venv/bin/python tables/generate.py $(ARGS)

literature: .venv/installed ## write docs/literature.md again (CORPORA=folder of published logs)
	.venv/bin/python scripts/literature.py "$(CORPORA)" $(ARGS)

experiments: .venv/installed ## write a part of docs/experiments.md again (DATA=folder NAME=mnist17)
	.venv/bin/python scripts/experiments.py "$(DATA)" "$(NAME)" $(ARGS)

proofs: .venv/installed ## run the proofs of the public bounds
	.venv/bin/python -m pytest proofs -v $(ARGS)

lock: ## update requirements.lock from pyproject.toml (ARGS=--upgrade: newest versions)
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && "$(PYTHON)" -m venv "$$tmp" && \
	"$$tmp/bin/python" -m pip --disable-pip-version-check install --quiet uv && \
	"$$tmp/bin/uv" pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	    --fork-strategy fewest --generate-hashes --no-emit-index-url --quiet \
	    --custom-compile-command "make lock" --output-file requirements.lock $(ARGS)

clean: ## remove .venv and everything generated
	rm -rf .venv build dist *.egg-info certaudit-demo .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A working .venv is kept, and only brought up to date.
.venv/installed: requirements.lock pyproject.toml
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || { \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "certaudit needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }; \
	  "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	    package=$$("$(PYTHON)" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	    if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || [ "$${CI-}" = true ]; }; then \
	      $$sudo apt-get update -q && $$sudo apt-get install -q -y "$$package"; \
	    else \
	      echo "'$(PYTHON)' cannot make virtual environments; on Debian: sudo apt-get install $$package" >&2; \
	      exit 1; \
	    fi; } && \
	  "$(PYTHON)" -m venv --clear .venv; }
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch .venv/installed
