# make            builds in place: .venv (Python packages), libtossl.so and what it opens; then: TCLLIBPATH=<this folder> tclsh
# make demo       a certificate from a local ACME server
# make test       everything that is checked
# make bench      what it costs, side by side with other clients, near and far: writes docs/BENCHMARKS.md; 12 min
# make bench-short  prints the ratios that tell of a regression; 2 min
# make test-lowest  the tests in Python, with the lowest versions of libraries that pyproject.toml allows; 7 min
# make soak       many threads, a CA that refuses nonces
# make kill-table  kills an issuance at each request, before and after: prints what was spent; 3 min. STORE=postgresql:
#                 with its certificates in a database
# make test-postgresql  the store in PostgreSQL, also through pgbouncer, with servers that stop, stay silent and come back;
#                 2 min
# make fleet-nodes  ten nodes with one store in PostgreSQL ask at once, the CA asks another than the one that issues, and a
#                 node killed at each request is taken over: prints what was spent; 5 min
# make import-programs  takes over what certbot, lego and dehydrated made at Pebble, and renews it; a minute
# make disk-faults  fails and kills each file operation of a renewal, as the kernel sees it; 11 min, needs strace
# make test-tcl-often  forks of busy processes, ten times as often as in `make test`
# make year       renews certificates of 12 hours to 90 days through a year, by a clock of its own, and has manage keep
#                 them while the CA is away, the machine sleeps and the clock is set; 5 min
# make fleet      20 nodes on one PostgreSQL by a clock of its own, at a CA with Let's Encrypt's limits; 30 min on an idle
#                 machine. RUNS="10000:365" are certificates and days: two hours of a core
# make tls-load   200 renewals under 200 TLS connections a second; curl, openssl and a Chromium look: 5 min
# make docs       docs/*.md and commands/index.py out of docs/source/ and the commands; `make man`: man pages in build/man;
#                 `make completion`: what bash and zsh complete, in build/completion
# make check-memory  the C parts under valgrind and gcc's sanitizers: some minutes
# make test-servers  the examples in real web servers: NAVISERVER='/usr/local/ns ...' WAPP=FOLDER TCLHTTPD=FOLDER
# make test-debian13  `make test` in a Debian 13 of its own (Python 3.13, Tcl 9.0); needs root
# make test-install  the Debian packages, the wheel and the bundle in bare Debian 12 and 13, without compiler and network;
#                 WAYS=deb tries one of them; needs root, 15 min
# make wheel      build/dist/tossl_acme-*.whl, for pip, and the sdist; PYTHONS='/opt/python3.12/bin/python ...' to build for
# make bundle     build/dist/tossl-*.tar.xz: the same with PYTHON and its libraries, for machines without Python
# make deb        Debian packages in build/deb, as debian/ says; without the network
# make cross      compiles the C for macOS and Windows with zig; nothing of it is run
# make install    a package folder in TCLLIBDIR that works without this tree; `make uninstall` removes it
#
# TCLSH= and PYTHON= choose the tclsh and the python to build for. The system's own Python is the default: every user
# can read it, it gets security updates, it has the shared library to embed and a tkinter that matches the system's Tcl.
TCLSH ?= tclsh
PYTHON ?= $(shell [ -x /usr/bin/python3 ] || ! command -v python3 >/dev/null && echo /usr/bin/python3 || echo python3)
# By default TCLLIBDIR is a folder below PREFIX/lib where that tclsh looks for packages.
PREFIX ?= /usr/local
# EXTRAS= names what some DNS providers need besides: make EXTRAS="route53". It holds until it is given otherwise.
EXTRAS ?= $(shell cat build/for-extras 2>/dev/null)
export EXTRAS
# NEED=0 installs no package of the system that is missing, but names it. SYSTEM_PYTHON=1 uses the libraries that PYTHON
# has, and no .venv: for systems that package them, without the network.
export NEED SYSTEM_PYTHON
export TCLSH PYTHON PYTHONS PREFIX DESTDIR TCLLIBDIR CC CFLAGS LDFLAGS
# In a path, a "$" that begins nothing of make's is a character as any other: make would drop it, and the next one.
OPEN := (
plain = $(findstring $$,$(subst $${,,$(subst $$$(OPEN),,$(subst $$$$,,$(value $1)))))
$(foreach name,PREFIX DESTDIR TCLLIBDIR,$(if $(call plain,$(name)),$(eval override $(name) := $$(value $(name)))))
# The caller's Python settings are for other programs.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONPYCACHEPREFIX PYTHONWARNINGS VIRTUAL_ENV
unexport PYTHONDONTWRITEBYTECODE
# So is pip's target folder; pip's other settings (indexes, proxies, certificates, ...) count here too.
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER

VENV = .venv/bin/python
SERVERS = $(VENV) -m tests.servers
# Packages are downloaded as wheels first, with the user's pip settings, and installed only from these.
FETCH = TOSSL_WHEEL=pure $(VENV) -m pip wheel -qq --disable-pip-version-check -c constraints.txt
UNPACK = $(VENV) -m pip --isolated install -q --disable-pip-version-check --no-index
# The packages alone: building tossl-acme for them would take as long again.
define LIST_FOR_TESTS
import pathlib, tomllib
print(*tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["optional-dependencies"]["test"], sep="\n")
endef
export LIST_FOR_TESTS
define LEAD_BY_RELATIVE_PATH
import os, pathlib, sysconfig
folder = sysconfig.get_path("purelib")
for file in pathlib.Path(folder).glob("*tossl_acme*.pth"):
    file.write_text(os.path.relpath(".", folder) + "\n")
endef
export LEAD_BY_RELATIVE_PATH
# The lowest version of each library that the package may meet.
define LIST_LOWEST
import pathlib, tomllib
from packaging.requirements import Requirement
from packaging.version import Version
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
lowest = {}
for needed in map(Requirement, project["dependencies"] + project["optional-dependencies"]["postgresql"]):
    if needed.marker is None or needed.marker.evaluate():
        bound = next(part.version for part in needed.specifier if part.operator == ">=")
        lowest[needed.name] = max(bound, lowest.get(needed.name, "0"), key=Version)
print(*(f"{name}=={version}" for name, version in lowest.items()), sep="\n")
endef
export LIST_LOWEST
LOWEST = build/lowest/bin/python
TEST_LOWEST = TOSSL_TEST_LOWEST=1 TOSSL_PYTHON="$(CURDIR)/$(LOWEST)" $(LOWEST) -m pytest -q
COMMA = ,
NOTHING =
PACKAGE = .$(if $(strip $(EXTRAS)),[$(subst $(NOTHING) $(NOTHING),$(COMMA),$(strip $(EXTRAS)))])
SOURCES = $(shell find tossl_acme -name '[a-z_]*.py')
COMPLETIONS = build/completion/tossl build/completion/_tossl

.PHONY: all test lint test-tcl test-tcl-1 test-tcl-2 test-tcl-often test-python test-lowest test-lowest-short test-postgresql kill-table fleet fleet-nodes import-programs disk-faults year \
    test-install test-debian13 check-memory demo docs man completion bench bench-short soak tls-load test-servers wheel bundle cross install uninstall deb clean FORCE
.DELETE_ON_ERROR:

all: build/libraries modules $(if $(SYSTEM_PYTHON),,.venv/compiled)

# These files change only if the choice does.
build/for-library build/for-python build/for-extras: build/chosen ;
build/chosen: FORCE
	@sh build-aux/choose.sh

# The names of what was built, in this folder.
build/libraries: build/for-library
	sh build-aux/build.sh all . >$@

# The packages as Tcl modules. Where they lie, the folder above is the package's.
modules: build-aux/module.tcl build-aux/modules.sh pyproject.toml
	sh build-aux/modules.sh .

# An older Python adds setuptools, which every start of that Python would load a part of.
.venv/pyvenv.cfg: build/for-python
	"$(PYTHON)" -m venv --clear .venv
	-$(VENV) -m pip --isolated uninstall -qq -y --disable-pip-version-check setuptools 2>/dev/null

.venv/built: .venv/pyvenv.cfg pyproject.toml constraints.txt build/for-extras
	rm -rf build/wheels
	$(FETCH) -w build/wheels hatchling editables '$(PACKAGE)'
	rm build/wheels/tossl_acme-*
	$(UNPACK) -f build/wheels -e '$(PACKAGE)'
	touch $@

# Behind pip, which writes the path of this folder: a copied or moved tree runs its own code.
.venv/relative: .venv/built
	$(VENV) -c "$$LEAD_BY_RELATIVE_PATH"
	touch $@

# For users who cannot write here. Code that does not compile is reported, but does not stop make.
.venv/compiled: .venv/relative $(SOURCES)
	-$(VENV) -m compileall -q tossl_acme
	touch $@

.venv/tests: .venv/built
	sh build-aux/need.sh test
	$(VENV) -c "$$LIST_FOR_TESTS" >build/for-tests
	$(FETCH) -f build/wheels -w build/wheels/tests -r build/for-tests
	$(UNPACK) --no-compile -f build/wheels -f build/wheels/tests -r build/for-tests
	touch $@

# What checks types and style needs no library of an age. psycopg's takes the system's libpq, as in Debian: the lowest
# version has no [binary]. packaging is only in its wheel yet: this is made beside .venv/tests, on another processor.
# Tests install with its pip, and read what tossl-acme needs.
build/lowest/tests: .venv/built
	PYTHONPATH="$$(echo build/wheels/packaging-*.whl)" $(VENV) -c "$$LIST_LOWEST" >build/for-lowest
	$(VENV) -c "$$LIST_FOR_TESTS" | grep -v -E '^(ruff|mypy|types-|psycopg)' >build/for-tests-lowest
	"$(PYTHON)" -m venv --clear --without-pip build/lowest
	$(VENV) -m pip --python $(LOWEST) install -q --disable-pip-version-check -r build/for-lowest -r build/for-tests-lowest pip
	cp -R .venv/lib/python3*/site-packages/tossl_acme-*.dist-info build/lowest/lib/python3*/site-packages/
	$(LOWEST) -c 'import pathlib, sysconfig; \
	    pathlib.Path(sysconfig.get_path("purelib"), "tossl_acme.pth").write_text(str(pathlib.Path.cwd()))'
	touch $@

.venv/bench: .venv/tests
	$(FETCH) -w build/wheels/bench '.[bench]'
	rm build/wheels/bench/tossl_acme-*
	$(UNPACK) -f build/wheels -f build/wheels/bench -e '.[bench]'
	$(VENV) -c "$$LEAD_BY_RELATIVE_PATH"
	touch $@

demo: all
	sh build-aux/need.sh demo
	TOSSL_HOME=build/demo TCLLIBPATH="{$(CURDIR)}" $(SERVERS) --pebble -- "$(TCLSH)" examples/quickstart.tcl

# They spend much of their time waiting for servers: in parallel they take little longer than one. So does what they need.
test:
	$(MAKE) --no-print-directory -j4 --output-sync=target lint test-tcl-1 test-tcl-2 test-python test-lowest-short

lint: all .venv/tests
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	CFLAGS="$(CFLAGS) -Werror" sh build-aux/build.sh all build/strict

test-tcl: test-tcl-1 test-tcl-2

# The halves of it.
test-tcl-1 test-tcl-2: test-tcl-%: all .venv/tests
	$(SERVERS) --pebble --cloudflare --httpreq --impersonate --authz-reuse 0 $(if $(filter 2,$*),--postgresql) \
	    -- "$(TCLSH)" tests/tcl/all.tcl -half $*

# What may go wrong by chance, ten times as often as in `make test`.
test-tcl-often: all .venv/tests
	TOSSL_TEST_ALL=1 $(SERVERS) --pebble --authz-reuse 0 -- "$(TCLSH)" tests/tcl/all.tcl fork.test

test-python: all .venv/tests
	$(VENV) -m pytest -q -n 3 --dist worksteal

test-lowest: all .venv/tests build/lowest/tests
	$(TEST_LOWEST) -n 2 --dist worksteal --ignore=tests/python/test_install.py

# That issues, signs and reads certificates, and meets the peers of http/.
test-lowest-short: all .venv/tests build/lowest/tests
	$(TEST_LOWEST) tests/python/test_dependencies.py tests/python/test_issuance.py tests/python/test_acme_jws.py \
	    tests/python/test_http_connections.py tests/python/test_challenges_tls_alpn01.py

kill-table: all .venv/tests
	TOSSL_TEST_ALL=1 TOSSL_TEST_STORE="$(STORE)" $(VENV) -m pytest -q -s tests/python/test_resume.py

test-postgresql: all .venv/tests
	TOSSL_TEST_ALL=1 $(VENV) -m pytest -q -s tests/python/test_store_postgresql.py tests/python/test_store_postgresql_refused.py \
		tests/python/test_store_postgresql_history.py tests/python/test_store_protocol.py tests/python/test_store_postgresql_cuts.py

fleet-nodes: all .venv/tests
	TOSSL_TEST_ALL=1 $(VENV) -m pytest -q -s tests/python/test_fleet.py tests/python/test_fleet_manage.py tests/python/test_docs_fleet.py

import-programs: all .venv/tests
	TOSSL_TEST_ALL=1 $(VENV) -m pytest -q tests/python/test_imported_programs.py

disk-faults: all .venv/tests
	TOSSL_TEST_ALL=1 $(VENV) -m pytest -q -s tests/python/test_disk_faults.py tests/python/test_never_lost.py

year: all .venv/tests
	TOSSL_TEST_ALL=1 $(VENV) -m pytest -q -n 2 tests/python/test_certificates_renew.py \
	    tests/python/test_certificates_manage.py -k 'year or 500'

RUNS = 200:70 1000:10:20:held 10000:3:20:held 100000:0.02:5:held 10000:0.25
fleet: all .venv/tests
	$(VENV) -m tests.bench.fleet $(RUNS)

check-memory: all .venv/tests
	sh build-aux/need.sh memory
	sh tests/memory/check.sh

test-servers: all .venv/tests
	TOSSL_TEST_REAL=1 TOSSL_NAVISERVER='$(NAVISERVER)' TOSSL_WAPP='$(WAPP)' TOSSL_TCLHTTPD='$(TCLHTTPD)' \
	    $(SERVERS) --pebble --validity 16 --authz-reuse 0 -- "$(TCLSH)" tests/tcl/all.tcl realservers.test

# The ways in, each in bare Debians: WAYS="deb wheel bundle" or some of them. Needs root.
WAYS = deb wheel bundle
test-install: all .venv/tests $(filter wheel bundle,$(WAYS))
	sh build-aux/need.sh install
	$(VENV) tests/install/alone.py $(SERVERS) --pebble --authz-reuse 0 -- sh tests/install/each.sh $(WAYS)

test-debian13:
	sh tests/debian.sh trixie build/debian13 tclsh9.0

docs: .venv/built
	$(VENV) -m docs.generator

man: $(if $(SYSTEM_PYTHON),,.venv/built)
	$(if $(SYSTEM_PYTHON),"$(PYTHON)" -B,$(VENV)) -m docs.generator --man build/man

# What bash and zsh complete, as the commands declare it.
completion: $(COMPLETIONS)
build/completion/tossl: for = bash
build/completion/_tossl: for = zsh
$(COMPLETIONS): $(wildcard cli/*) $(SOURCES) | all
	mkdir -p build/completion
	TOSSL_CONF= LC_ALL=C.UTF-8 "$(TCLSH)" bin/tossl completion $(for) >$@.$$$$ && mv $@.$$$$ $@

bench bench-short: all .venv/bench
	sh build-aux/need.sh bench
	TCLLIBPATH='$(CURDIR)' $(VENV) -m tests.bench $(if $(filter bench-short,$@),short)

tls-load: all .venv/tests
	sh build-aux/need.sh browser
	$(VENV) -m tests.bench.tls_load
	$(VENV) -m tests.bench.tls_load 200 50 example

.venv/wheel: .venv/built
	$(FETCH) -w build/wheels/wheel '.[wheel]'
	rm build/wheels/wheel/tossl_acme-*
	$(UNPACK) -f build/wheels -f build/wheels/wheel hatchling -e '.[wheel]'
	touch $@

wheel: man completion .venv/wheel
	sh build-aux/wheel.sh build/dist

cross: .venv/wheel
	sh build-aux/cross.sh

bundle: wheel
	$(VENV) build-aux/bundle.py build/dist:build/wheels build/dist

soak: all .venv/tests
	$(VENV) -m tests.bench.soak

install: all man completion
	sh build-aux/install.sh install

# A copy of the tree is packaged, without what was built in it.
deb:
	sh build-aux/deb.sh build/deb

uninstall:
	sh build-aux/install.sh uninstall

clean:
	rm -rf .venv build modules modules.new libtossl.* libtcl9tossl.* tossl-tcl*-python*.* python.cfg .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
