# Two commands matter:
#
#   make run            a live console in your browser, from a fresh clone (TLS=1 for https, CONFIG=FILE for other ports)
#   make test           install what the tests need, and run all that the gate runs
#
# and these beside them:
#
#   make check          the quick part of the gate: lint, types, unit tests
#   make pages          the browser page, from vncproxy/pages to vncproxy/static
#   make wheel          what is installed elsewhere, in dist/
#   make docs           the API documentation, in docs/_api/
#   make clean          away with everything that these made
#   make help           this list
#
# A fresh machine needs Python 3.11 or newer, Node 18.19 or newer with npm, and git; `make test` brings the rest.

PYTHON ?= python3
VENV := .venv
STEP := @$(PYTHON) .ci/steps.py
PAGES := vncproxy/pages

# Stamps: files whose age says when a step was last done.
INSTALLED := $(VENV)/.installed
BUILDER := $(VENV)/.builder
EQUIPPED := $(VENV)/.equipped
PAGE := vncproxy/static/vnc_auto.html
# The openstack client stands apart: it brings much, and may want other versions of it than we do.
OPENSTACK_VERSION := 10.5.0
OPENSTACK := .tools/openstack/.version-$(OPENSTACK_VERSION)
MODULES := $(PAGES)/node_modules/.package-lock.json

PAGE_SOURCES := $(shell find $(PAGES) \( -name node_modules -o -name test \) -prune -o -type f -print 2>/dev/null)

.PHONY: run test check pages wheel docs clean help packages python
.DELETE_ON_ERROR:
.SUFFIXES:

run: $(INSTALLED) $(PAGE)
	@exec $(VENV)/bin/vncproxy quickstart --state-dir .state $(if $(TLS),--tls-self-signed) $(if $(CONFIG),--config '$(CONFIG)')

test: packages $(EQUIPPED) $(OPENSTACK) $(PAGE)
	@$(VENV)/bin/python .ci/gate.py

check: $(EQUIPPED) $(PAGE)
	@$(VENV)/bin/python .ci/gate.py quick

pages: $(PAGE)

wheel: $(BUILDER) $(PAGE)
	$(STEP) wheel $(VENV)/bin/python -m build --wheel
	@ls -t dist/vncproxy-*.whl | head -n 1

docs: $(EQUIPPED)
	@$(VENV)/bin/python .ci/gate.py docs

clean:
	rm -rf build dist docs/_api test-output vncproxy/static $(PAGES)/node_modules $(VENV) .tools .state *.egg-info

help:
	@sed -n 's/^#   make/  make/p' Makefile

packages:
	$(STEP) packages .ci/packages.sh

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "vncproxy needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }

$(VENV)/bin/pip: | python
	$(STEP) venv $(PYTHON) -m venv $(VENV)

# Compat mode puts the tree itself on the path: in the other modes twistd does not see the plugin in twisted/plugins.
$(INSTALLED): setup.cfg setup.py | $(VENV)/bin/pip
	$(STEP) install $(VENV)/bin/pip install -q --config-settings editable_mode=compat -e .
	@touch $@

$(BUILDER): setup.cfg | $(VENV)/bin/pip
	$(STEP) build-tool $(VENV)/bin/pip install -q build
	@touch $@

$(EQUIPPED): $(INSTALLED)
	$(STEP) test-tools $(VENV)/bin/pip install -q --config-settings editable_mode=compat -e '.[test,dev]'
	@touch $@

$(OPENSTACK): | python
	@rm -rf $(@D)
	$(STEP) openstack-venv $(PYTHON) -m venv $(@D)
	$(STEP) openstack-client $(@D)/bin/pip install -q python-openstackclient==$(OPENSTACK_VERSION)
	@touch $@

$(MODULES): $(PAGES)/package.json $(PAGES)/package-lock.json
	@command -v npm >/dev/null || { echo "The page is built with Node: install nodejs and npm." >&2; exit 1; }
	$(STEP) page-modules npm --prefix $(PAGES) ci --no-audit --no-fund
	@touch $@

$(PAGE): $(MODULES) $(PAGE_SOURCES)
	$(STEP) page npm --prefix $(PAGES) run build
	@touch $@
