# Two commands matter: `make run` and `make test`. The others are parts of them or serve who changes the program.
.SUFFIXES:
.DELETE_ON_ERROR:

# Of the version that python3 is, a distribution's build before one compiled at home, which answers up to 14% less.
version = -c 'import ensurepip, sys; print(sys.version_info[:2])'
PYTHON = $(shell [ "$$(/usr/bin/python3 $(version) 2>&1)" = "$$(python3 $(version) 2>&1)" ] && echo /usr/bin/python3 || echo python3)
PORT ?= 5000
WORKERS = 2
PYTEST_ARGS =

venv = .venv
bin = $(venv)/bin
pip = $(bin)/python -m pip --disable-pip-version-check --no-input
catalogues = sharebank/translations

.PHONY: help install install-dev translations run test check format prove bench messages clean

help:
	@echo "make run      the program with its demonstration on http://127.0.0.1:$(PORT) (PORT=)"
	@echo "make test     every test, on SQLite and PostgreSQL, in a browser where there is one"
	@echo "make check    lint, format, types, imports, templates, translations"
	@echo "make prove    the long proofs    make bench  the speed, beside its floor"
	@echo "make format   put code and templates into shape"
	@echo "make messages collect the texts to translate"
	@echo "make clean    remove what make made (never instance/)"

# --- installing: a stamp remembers what is there, so that this does nothing the second time

install: $(venv)/.installed translations

install-dev: $(venv)/.installed-dev translations

$(venv)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sharebank needs Python 3.11 or newer: make PYTHON=python3.12 run" >&2; exit 1; }
	@# Debian's python3 comes without ensurepip; an installed pip can fill the environment instead.
	@$(PYTHON) -m venv $(venv) >/dev/null 2>&1 || \
		{ rm -rf $(venv); $(PYTHON) -m venv --without-pip $(venv) && \
		  $(PYTHON) -m pip --disable-pip-version-check --python $(venv)/bin/python install --quiet pip 2>/dev/null; } || \
		{ rm -rf $(venv); echo "cannot make $(venv): apt-get install python3-venv (or python3-pip)" >&2; exit 1; }

$(venv)/.installed: requirements.txt pyproject.toml $(venv)/bin/python
	$(pip) install --quiet --requirement requirements.txt
	PYTHONWARNINGS=ignore $(pip) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(venv)/.installed-dev: requirements-dev.txt $(venv)/.installed
	$(pip) install --quiet --requirement requirements-dev.txt
	@touch $@

# Compiled catalogues are made from the written ones, and are not kept in git.
translations: $(venv)/.installed
	@for po in $(catalogues)/*/LC_MESSAGES/messages.po; do \
		if [ -f "$$po" ] && [ ! "$${po%.po}.mo" -nt "$$po" ]; then \
			$(bin)/pybabel --quiet compile --input-file="$$po" --output-file="$${po%.po}.mo" || exit 1; \
		fi; \
	done

# --- running

run: install
	@$(bin)/sharebank upgrade
	@$(bin)/sharebank demo --if-empty
	@SHAREBANK_BASE_URL="$${SHAREBANK_BASE_URL:-http://127.0.0.1:$(PORT)}" \
		exec $(bin)/sharebank serve --port $(PORT) --workers $(WORKERS)

# --- testing

test: install-dev
	$(bin)/pytest -n 2 -m "not prove" $(PYTEST_ARGS)

prove: install-dev
	$(bin)/pytest -m prove $(PYTEST_ARGS)

bench: install-dev
	$(bin)/python -m benchmarks

check: install-dev
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports --no-cache --no-logo
	$(bin)/djlint --quiet --check templates
	$(bin)/djlint --quiet --lint templates
	$(bin)/python -m tests.check_templates
	$(bin)/python -m tests.check_translations

format: install-dev
	$(bin)/ruff check --fix --quiet . || true
	$(bin)/ruff format .
	$(bin)/djlint --quiet --reformat templates || true

messages: install-dev
	$(bin)/pybabel --quiet extract --mapping-file=pyproject.toml --sort-by-file --no-location --omit-header \
		--keywords="_ N_ gettext lazy_gettext ngettext:1,2 pgettext:1c,2" \
		--output-file=$(catalogues)/messages.pot .
	@for po in $(catalogues)/*/LC_MESSAGES/messages.po; do \
		locale=$${po#$(catalogues)/}; locale=$${locale%%/*}; \
		$(bin)/pybabel --quiet update --no-fuzzy-matching --ignore-obsolete --locale=$$locale \
			--input-file=$(catalogues)/messages.pot --output-dir=$(catalogues) || exit 1; \
	done

clean:
	rm -rf $(venv) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache test-results
	rm -f $(catalogues)/*/LC_MESSAGES/messages.mo $(catalogues)/messages.pot
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
