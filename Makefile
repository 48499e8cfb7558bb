# make          builds in place: .venv (Python packages) and libtossl.so; then: TCLLIBPATH=<this folder> tclsh
# make test     everything that is checked
# make demo     a certificate from a local ACME server
# make bench    what loading and a call cost
#
# TCLSH= and PYTHON= choose the tclsh and the python to build for. The system's own Python is the default: every user
# can read it, it gets security updates, it has the shared library to embed and a tkinter that matches the system's Tcl.
TCLSH ?= tclsh
PYTHON ?= $(shell [ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)
export TCLSH PYTHON

VENV = .venv/bin/python
SERVERS = $(VENV) -m tests.servers

.PHONY: all test demo bench clean
.DELETE_ON_ERROR:

all: libtossl.so

libtossl.so: bridge/*.c bridge/*.h bridge/*.sh .venv/built
	sh bridge/build.sh $@

.venv/built: pyproject.toml bridge/need.sh
	sh bridge/need.sh build
	$(PYTHON) -m venv .venv
	$(VENV) -m pip install -q --disable-pip-version-check -e .
	touch $@

# pip compiles what it installs; the tree itself is compiled here, for users who cannot write to it
.venv/tests: .venv/built
	sh bridge/need.sh test
	$(VENV) -m pip install -q --disable-pip-version-check -e '.[test]'
	touch $@

test: all .venv/tests
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(SERVERS) --pebble --cloudflare -- $(TCLSH) tests/tcl/all.tcl
	$(VENV) -m pytest -q

demo: all .venv/tests
	$(SERVERS) --pebble -- $(TCLSH) examples/quickstart.tcl

bench: all
	$(TCLSH) tests/tcl/bench.tcl

clean:
	rm -rf .venv build libtossl.so .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
