#!/bin/sh
# need.sh build|test: the system packages that building (and testing) wants. Quick and silent when nothing is missing;
# else installs them where that is allowed, or names them.
set -u
goal=$1
tcl=$(basename "$TCLSH" | sed 's/sh//')            # tclsh9.0 -> tcl9.0
python=$(basename "$PYTHON")
missing=

lacks() { missing="$missing $*"; }
has() { command -v "$1" >/dev/null 2>&1; }

has "${CC:-cc}" || lacks gcc libc6-dev
if has "$TCLSH"; then
    sh "$(dirname "$0")/tclconfig.sh" >/dev/null 2>&1 || lacks "$tcl-dev"
else
    lacks "$tcl" "$tcl-dev"
fi
if has "$PYTHON"; then
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || lacks "$python-venv"
    "$PYTHON" -c 'import os, sys, sysconfig as s
sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' || lacks "$python-dev"
else
    lacks "$python" "$python-venv" "$python-dev"
fi
if [ "$goal" = test ]; then
    has pebble || lacks pebble
    PATH=$PATH:/usr/sbin has named || lacks bind9
    { has "$PYTHON" && "$PYTHON" -c 'import tkinter' 2>/dev/null; } || lacks "$python-tk"
    { has "$TCLSH" && echo 'exit [catch {package require Thread}]' | "$TCLSH"; } || lacks tcl-thread
fi

[ -n "$missing" ] || exit 0
if has apt-get; then
    if [ "$(id -u)" = 0 ]; then as=; else as='sudo -n'; fi
    if [ -z "$as" ] || sudo -n true 2>/dev/null; then
        echo "tossl: installing$missing with apt-get"
        $as apt-get update -qq || true
        # shellcheck disable=SC2086 # one word per package
        $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null &&
            exit 0
    fi
fi
echo "tossl: missing system packages (Debian names):$missing" >&2
exit 1
