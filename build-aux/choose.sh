#!/bin/sh
# choose.sh: notes in build/for-python which Python and folder the environment is for, and in build/for-library which
# tclsh, Python and compiler the library is for. Each is touched only when it changes; then the system packages are
# seen to as well.
set -eu

real() {
    found=$(command -v "$1") && readlink -f "$found"
}

# An environment, unlike the library, names the folder it lies in.
choose() {
    python=$(real "$PYTHON") && tclsh=$(real "$TCLSH") || return
    library="$tclsh $python ${CC:-cc} ${CFLAGS:-} ${LDFLAGS:-}"
    python="$python $PWD"
}

noted() {
    printf '%s\n' "$2" | cmp -s - "build/$1"
}

mkdir -p build
if choose && noted for-python "$python" && noted for-library "$library"; then
    exit 0
fi
sh "$(dirname "$0")/need.sh" build
choose
noted for-python "$python" || printf '%s\n' "$python" >build/for-python
noted for-library "$library" || printf '%s\n' "$library" >build/for-library
