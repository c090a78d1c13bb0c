# Two commands set everything up on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or later, make and git; the environment is .venv, and nothing is installed elsewhere,
# but for `make test` as root on Debian, which adds the browser that its tests drive and PostgreSQL's server.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SERVE ?= 1
TESTERS ?= 3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
# In as many processes as there are cores, which pip does in one; files that are templates for elsewhere do not compile.
COMPILE = $(PY) -W ignore -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib >/dev/null 2>&1 || true
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: help demo test format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo          install, make strips, train a small network, explain it, serve the inspector"
	@echo "make demo SERVE=0  all of that but serve"
	@echo "make test          install, check and test everything (TESTERS=4: in so many processes; 3 unless told, for many of them wait)"
	@echo "make format        format the code"
	@echo "make clean         delete the environment and the demo"

demo: $(INSTALLED)
	@$(COMPILE)
	@$(PY) -m app.demo
ifneq ($(SERVE),0)
	@$(PY) -m streamlit run app/main.py -- --data demo/patches --run demo/run
endif

test: $(INSTALLED_DEV)
	@tests/install_system_packages.sh
	$(COMPILE) & $(PY) -m ruff format --check . && $(PY) -m ruff check . && $(VENV)/bin/lint-imports && wait
	$(PY) -m mypy & types=$$!; OMP_NUM_THREADS=1 $(PY) -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder && wait $$types

format: $(INSTALLED_DEV)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean:
	rm -rf $(VENV) demo

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "no python3 found: install Python 3.11 or later"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "could not make $(VENV): on Debian, install the package python3-venv"; exit 1; }

$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV) (torch is large: some minutes)"
	@begin=$$(date +%s); $(PIP) install --no-compile -c constraints.txt -e . && echo "installed in $$(($$(date +%s) - begin)) s"
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV), with what the tests need (torch is large: some minutes)"
	@$(PIP) install --no-compile -c constraints.txt -e '.[dev]'
	@$(PIP) install --no-compile -c constraints.txt --no-deps quantus  # see docs/decisions/0010
	@touch $(INSTALLED) $@
